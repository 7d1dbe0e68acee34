"""Whether a lock has a file of every package for every target: the answer as values, and as a table that fits."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.locks.choice import Choice, Misfit
from crossdock.locks.missing import existing_tags, hints, nearest_file
from crossdock.reports.explaining import status_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.errors import CrossdockError
    from crossdock.locks import Package, SourceChoice, Survey
    from crossdock.reports.explaining import Status
    from crossdock.targets import Target

    Answer = Choice | SourceChoice | Misfit

__all__ = ["Check", "Row", "check", "check_json", "problems", "summary", "target_fields", "target_labels"]

#: Version of the JSON that ``check_json`` gives; it changes when a reader would have to.
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A package that at least one target needs.

    Attributes:
        package: The lock's entry.
        answers: What it is taken from for each target, in the targets' order; None where it is not needed.
    """

    package: Package
    answers: tuple[Answer | None, ...]

    @property
    def statuses(self) -> tuple[Status | None, ...]:
        """Each answer in one word, None where it is not needed."""
        return tuple(None if answer is None else status_of(answer) for answer in self.answers)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """What every target has of every package.

    Attributes:
        targets: The targets, in the order asked for.
        labels: The shortest names that tell them apart, in the same order.
        rows: The packages, sorted by name and version.
        errors: By position of the target, why nothing can be said of it.
    """

    targets: tuple[Target, ...]
    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    errors: Mapping[int, CrossdockError]

    @property
    def misfits(self) -> tuple[Misfit, ...]:
        """Every package that misses a file, once for each target."""
        return tuple(answer for row in self.rows for answer in row.answers if isinstance(answer, Misfit))

    @property
    def ok(self) -> bool:
        """Whether every target has all it needs."""
        return not self.errors and not self.misfits


def check(targets: Sequence[Target], answers: Sequence[Survey | CrossdockError]) -> Check:
    """Put the surveys of several targets side by side.

    Args:
        targets: The targets.
        answers: For each the survey, or why there is none.
    """
    surveys = {place: item for place, item in enumerate(answers) if not isinstance(item, Exception)}
    # One entry of the lock is one object; two may have one name and version, from different sources.
    rows: dict[int, tuple[Package, list[Answer | None]]] = {}
    for place, found in surveys.items():
        given: tuple[Answer, ...] = (*found.choices, *found.builds, *found.misfits)
        for answer in given:
            row = rows.setdefault(id(answer.package), (answer.package, [None] * len(targets)))
            row[1][place] = answer
    ordered = sorted(rows.values(), key=lambda row: (row[0].name, row[0].version or "", row[0].source.location))
    return Check(
        targets=tuple(targets),
        labels=tuple(target_labels(targets)),
        rows=tuple(Row(package=package, answers=tuple(cells)) for package, cells in ordered),
        errors={place: item for place, item in enumerate(answers) if isinstance(item, Exception)},
    )


def target_labels(targets: Sequence[Target]) -> list[str]:
    """Name targets as shortly as tells them apart: by platform, and by floor and Python only where they differ.

    A platform of musl never goes by the name that is that of glibc.
    """
    pythons = {target.python for target in targets}
    platforms: dict[str, set[object]] = {}
    for target in targets:
        platforms.setdefault(str(target.platform), set()).add((target.platform, target.name))
    labels = []
    for target in targets:
        platform = target.platform
        short = len(platforms[str(platform)]) == 1 and (platform.libc is None or platform.libc.kind == "glibc")
        name = target.name or (str(platform) if short else platform.spelling)
        labels.append(name if len(pythons) == 1 else f"{name} {target.python.short}")
    again = Counter(labels)
    return [label if again[label] == 1 else str(target) for label, target in zip(labels, targets, strict=True)]


def target_fields(target: Target) -> dict[str, str | None]:
    """Give what tells a target from others, the same whatever others are asked for beside it."""
    return {
        "target": target.name or str(target.platform),
        "floor": target.platform.floor or None,
        "python": target.python.spelling,
    }


def check_json(found: Check, lock: str) -> dict[str, Any]:
    """Give a check as values that the ``json`` module writes; docs/explain.md describes them."""
    return {
        "schema_version": SCHEMA_VERSION,
        "lock": lock,
        "ok": found.ok,
        "targets": [
            {
                **target_fields(target),
                "error": _error_json(found.errors.get(place)),
            }
            for place, target in enumerate(found.targets)
        ],
        "packages": [
            {
                "name": row.package.name,
                "version": row.package.version,
                "answers": [_answer_json(answer) for answer in row.answers],
            }
            for row in found.rows
        ],
    }


def _error_json(error: CrossdockError | None) -> dict[str, Any] | None:
    if error is None:
        return None
    return {"code": error.exit_code, "what": error.what, "why": error.why, "hint": error.hint}


def _answer_json(answer: Answer | None) -> dict[str, Any] | None:
    if answer is None:
        return None
    values: dict[str, Any] = {"status": status_of(answer), "required_by": list(answer.required_by)}
    if isinstance(answer, Misfit):
        nearest = answer.nearest
        return {
            **values,
            "nearest": {"filename": nearest.filename, "reason": nearest.reason} if nearest else None,
            "reason": nearest_file(answer),
            "tags": {key: list(platforms) for key, platforms in answer.tags.items()},
        }
    return {**values, "filename": answer.file.filename if answer.file else None, "reason": answer.reason}


def problems(found: Check) -> list[str]:
    """Explain everything that is missing, in lines: package by package what is nearest for which targets."""
    lines: list[str] = []
    for place, error in found.errors.items():
        lines += ["", f"{found.labels[place]}: no answer", *(f"  {line}" for line in str(error).splitlines())]
    for row in found.rows:
        missing = {place: answer for place, answer in enumerate(row.answers) if isinstance(answer, Misfit)}
        if missing:
            lines += ["", *_missing_lines(found, row, missing)]
    misfits = found.misfits
    if misfits:
        lines += ["", *(f"hint: {hint}" for hint in hints(misfits))]
    return lines


def _missing_lines(found: Check, row: Row, missing: Mapping[int, Misfit]) -> list[str]:
    nearest: dict[str, list[str]] = {}
    for place, misfit in missing.items():
        nearest.setdefault(nearest_file(misfit), []).append(found.labels[place])
    some = next(iter(missing.values()))
    by = ", ".join(name or "the project" for name in some.required_by)
    lines = [f"{row.package} is missing" + (f" (required by {by})" if by else "")]
    for text, labels in nearest.items():
        lines += [f"  for {', '.join(labels)}:", f"    {text}"]
    tags = list(existing_tags(some))
    return [*lines, "  wheels there are:", *(f"    {tag}" for tag in tags)] if tags else lines


def summary(found: Check) -> str:
    """Say in one line how it stands."""
    total = len(found.targets)
    targets = "1 target" if total == 1 else f"{total} targets"
    packages = "1 package" if len(found.rows) == 1 else f"{len(found.rows)} packages"
    parts = []
    counts = Counter(status for row in found.rows for status in row.statuses)
    if counts["missing"]:
        names = sum("missing" in row.statuses for row in found.rows)
        parts.append(
            f"{names} missing" if names == counts["missing"] else f"{names} missing, in {counts['missing']} places"
        )
    if found.errors:
        parts.append(f"no answer for {len(found.errors)} of the targets")
    built = sum("sdist" in row.statuses for row in found.rows)
    if built:
        parts.append(f"{built} built from source")
    return f"{packages}, {targets}: {', '.join(['all there', *parts] if found.ok else parts)}"
