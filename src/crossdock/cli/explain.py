"""``crossdock explain``: why a package is what it is, for each target."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

from crossdock.cli.options import project_of, request_of, services_of
from crossdock.cli.table import Look, look_of, paint, wrap
from crossdock.text import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from crossdock.reports.explaining import Chain, Entry, Step, TargetExplanation

__all__ = ["explain", "explain_json", "explain_text"]

#: Version of the JSON that ``explain_json`` gives; it changes when a reader would have to.
SCHEMA_VERSION = 1
#: Ways that are written out for people.
_MAX_CHAINS = 12
_WORDS = {
    "wheel": "needed: a wheel for the platform",
    "pure": "needed: a wheel for every platform",
    "sdist": "needed: built from source",
    "missing": "needed: MISSING, no file fits",
    "virtual": "needed: virtual, only its dependencies count",
    "skipped": "not needed",
}
_COLOURS = {"missing": "red", "sdist": "yellow"}


def explain(options: argparse.Namespace) -> int:
    """Explain a package."""
    from crossdock.choosing.survey import load_lock
    from crossdock.cli.check import survey_each
    from crossdock.errors import SelectionError
    from crossdock.plan import targets_of
    from crossdock.reports.explaining import explain as reasons
    from crossdock.reports.explaining import find_package

    project, request, services = project_of(options), request_of(options), services_of(options)
    project_lock = load_lock(project, request)
    name = find_package(project_lock.lock, options.name)
    answers = survey_each(project_lock, targets_of(project, request, services), services)
    surveys = [answer for answer in answers if not isinstance(answer, SelectionError)]
    errors = [answer for answer in answers if isinstance(answer, SelectionError)]
    if not surveys:
        raise errors[0]
    found = reasons(project_lock.lock, project_lock.parts, surveys, name)
    if options.json:
        print(json.dumps(explain_json(name, project_lock.lock.path.name, found), indent=2))
    else:
        print("\n".join(explain_text(found, project_lock.lock.path.name, look_of(sys.stdout))))
    for error in errors:
        print(f"error: {error}", file=sys.stderr)
    return errors[0].exit_code if errors else 0


def explain_text(found: Sequence[TargetExplanation], lock: str, look: Look) -> list[str]:
    """Write an explanation for people."""
    lines: list[str] = []
    for item in found:
        lines += [*([""] if lines else []), paint(f"{item.target}, from {lock}", "bold", look)]
        for entry in item.entries:
            lines += _entry_lines(entry, look)
    return [part for line in lines for part in wrap(line, look.width, "    ")]


def _entry_lines(entry: Entry, look: Look) -> Iterator[str]:
    extras = f" with {_names('extra', entry.extras)}" if entry.extras else ""
    yield f"  {entry.package}{extras}: {paint(_WORDS[entry.status], _COLOURS.get(entry.status), look)}"
    if entry.status == "skipped":
        yield from (f"    {line}" for line in _closed(entry))
    named = [name for name in entry.required_by if name]
    if entry.chains:
        yield "    ways to it:"
        for chain in entry.chains[:_MAX_CHAINS]:
            yield f"      {_chain(chain)}"
        more = len(entry.chains) - _MAX_CHAINS + entry.more_chains
        if more > 0:
            yield f"      and {more} more"
    if named and all(len(chain.steps) == 1 for chain in entry.chains):
        yield f"    a dependency of {', '.join(named)}"
    yield from _file_lines(entry)
    if not entry.files:
        yield from (f"    {line}" for line in entry.missing)
    yield from (f"    hint: {hint}" for hint in entry.hints)


def _closed(entry: Entry) -> Iterator[str]:
    """Say of a package that is not needed what keeps it out: the edges that do not hold."""
    if not entry.chains:
        yield "nothing in the lock names it"
    reasons: dict[str, None] = {}
    for chain in entry.chains:
        step = next((step for step in chain.steps if not step.open), None)
        if step is not None:
            reasons[f"{step.parent or 'the project'} names {step.package}, but {_reason(step)}"] = None
    yield from list(reasons)[:_MAX_CHAINS]


def _reason(step: Step) -> str:
    if not step.asked:
        return f"its {step.via} is not asked for" if step.via else "the project itself is not asked for"
    if step.holds is None:
        return f"the marker {printable(step.marker)} cannot be decided"
    return f"the marker {printable(step.marker)} is false"


def _chain(chain: Chain) -> str:
    text = chain.steps[0].parent or "the project"
    for step in chain.steps:
        notes = []
        if step.via:
            notes.append(step.via if step.asked else f"{step.via}, not asked for")
        elif not step.asked:
            notes.append("not asked for")
        if step.marker is not None:
            notes.append(f"if {printable(step.marker)}: {_truth(step.holds)}")
        extras = f"[{','.join(step.extras)}]" if step.extras else ""
        name, _, version = step.package.partition(" ")
        text += f" ({'; '.join(notes)})" if notes else ""
        text += f" -> {name}{extras}{' ' + version if version else ''}"
    return text


def _truth(holds: bool | None) -> str:
    return "cannot be decided" if holds is None else "true" if holds else "FALSE"


def _file_lines(entry: Entry) -> Iterator[str]:
    if entry.files:
        yield "    files, best first:"
    for file in entry.files:
        word = "taken" if file.taken else "fits" if file.rank is not None else "no"
        yield f"      {word.ljust(5)}  {file.filename}: {file.reason}"
    source = entry.package.source
    if entry.status == "sdist" and not any(file.taken for file in entry.files):
        yield f"    built here from the {'repository' if source.kind == 'vcs' else 'folder'} that the lock names"


def _names(noun: str, names: Sequence[str]) -> str:
    return f"{noun} {names[0]}" if len(names) == 1 else f"{noun}s {', '.join(names)}"


def explain_json(name: str, lock: str, found: Sequence[TargetExplanation]) -> dict[str, Any]:
    """Give an explanation as values that the ``json`` module writes; docs/explain.md describes them."""
    from crossdock.reports.checking import target_fields

    return {
        "schema_version": SCHEMA_VERSION,
        "package": name,
        "lock": lock,
        "targets": [
            {
                **target_fields(item.target),
                "entries": [_entry_json(entry) for entry in item.entries],
            }
            for item in found
        ],
    }


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "version": entry.package.version,
        "status": entry.status,
        "needed": entry.needed,
        "extras": list(entry.extras),
        "required_by": list(entry.required_by),
        "chains": [
            {
                "holds": chain.open,
                "steps": [
                    {
                        "parent": step.parent,
                        "via": step.via,
                        "asked": step.asked,
                        "package": step.package,
                        "extras": list(step.extras),
                        "marker": step.marker,
                        "holds": step.holds,
                    }
                    for step in chain.steps
                ],
            }
            for chain in entry.chains
        ],
        "more_chains": entry.more_chains,
        "files": [
            {"filename": file.filename, "taken": file.taken, "rank": file.rank, "reason": file.reason}
            for file in entry.files
        ],
        "missing": list(entry.missing),
        "hints": list(entry.hints),
    }
