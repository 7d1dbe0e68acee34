"""What changed between two plans; an equal change of several targets is told once."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from crossdock.errors import UsageError
from crossdock.reports.plan_json import SCHEMA_VERSION
from crossdock.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

__all__ = ["Change", "Kind", "PlanDiff", "PlanView", "compare", "diff_json", "diff_text", "read_plan", "view"]

Kind = Literal["python", "libc", "version", "file", "rebuilt", "settings", "added", "removed", "base", "base-file"]

#: Version of the JSON that ``diff_json`` gives; it changes when a reader would have to.
DIFF_SCHEMA_VERSION = 1
_LARGEST_FILE = 256 << 20
_HEADINGS: dict[Kind, str] = {
    "python": "Python",
    "libc": "C library",
    "version": "other versions",
    "added": "newly needed",
    "removed": "no longer needed",
    "file": "other files of the same version",
    "rebuilt": "other content under the same name",
    "settings": "other settings",
    "base": "base packages",
    "base-file": "base packages with other content",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class FileView:
    """What a package is taken from.

    Attributes:
        version: Its version.
        file: The file's name, or the source tree that is built.
        sha256: The file's hash; "" for a source tree.
        settings: What is set for the package, as JSON.
    """

    version: str | None
    file: str
    sha256: str
    settings: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetView:
    """What a comparison looks at in a target.

    Attributes:
        python: Full version.
        libc: The C library and its version.
        packages: What each package is taken from, by name.
        base: Version and hash of each package of the base, by name.
    """

    python: str
    libc: str
    packages: Mapping[str, FileView]
    base: Mapping[str, tuple[str, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanView:
    """What a comparison looks at in a plan.

    Attributes:
        facts: What is said of the whole: the project, its version, the base, the lock.
        targets: By name, in the plan's order.
    """

    facts: Mapping[str, str]
    targets: Mapping[str, TargetView]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that changed, in the same way for several targets.

    Attributes:
        kind: What sort of thing; ``file`` is another file of the same version, ``rebuilt`` the same file name with
            another hash.
        name: The package, or the kind again.
        old: Before; None if there was nothing.
        new: Now; None if there is nothing.
        version: The package's version where that is neither of the two.
    """

    kind: Kind
    name: str
    old: str | None
    new: str | None
    version: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanDiff:
    """The difference of two plans.

    Attributes:
        facts: What is said of the whole and changed: before and now.
        added: Targets that are new.
        removed: Targets that are gone.
        common: Targets that both have.
        changes: Each change, and the targets among the common ones that it is of.
    """

    facts: Mapping[str, tuple[str, str]]
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    common: tuple[str, ...] = ()
    changes: Mapping[Change, tuple[str, ...]] = field(default_factory=dict)

    @property
    def same(self) -> bool:
        """Whether nothing changed."""
        return not (self.facts or self.added or self.removed or self.changes)


def read_plan(path: Path) -> PlanView:
    """Read what ``crossdock plan --json`` printed once.

    Raises:
        UsageError: The file cannot be read, is no plan, or is one of another schema.
    """
    hint = "give a file that `crossdock plan --json` wrote"
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise UsageError(f"{path} is too large for a plan", hint=hint)
        document = json.loads(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path} cannot be read", why=error.strerror or type(error).__name__, hint=hint) from None
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not JSON", why=str(error)[:200], hint=hint) from None
    if not isinstance(document, dict) or "schema_version" not in document:
        raise UsageError(f"{path} is not a plan", why="it has no schema_version", hint=hint)
    version = document["schema_version"]
    if version != SCHEMA_VERSION or isinstance(version, bool):
        raise UsageError(
            f"{path} is a plan of schema version {str(version)[:40]}",
            why=f"this crossdock compares version {SCHEMA_VERSION}",
            hint="write it anew with this crossdock, from the old commit if need be",
        )
    try:
        return view(document)
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        why = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise UsageError(f"{path} is not a plan", why=why[:200], hint=hint) from None


def view(document: Mapping[str, Any]) -> PlanView:
    """Take what a comparison looks at from a plan as JSON; what an older crossdock did not write may be missing.

    Raises:
        KeyError: Something is missing.
        TypeError: Something is of another type than it must be.
        ValueError: A target is there twice.
    """
    project = document["project"]
    facts = {
        "project": _text(project["name"]),
        "version": _text(project["version"] or ""),
        "base": _text(document["base"]),
        "lock": _text(document["lock"]),
    }
    for key in ("extras", "groups"):
        if key in document:
            facts[key] = ", ".join(map(_text, document[key]))
    targets: dict[str, TargetView] = {}
    for item in document["targets"]:
        name = _text(item["target"])
        if name in targets:
            raise ValueError(f"the target {name} is there twice")
        targets[name] = TargetView(
            python=_text(item["python"]),
            libc=_text(item["libc"]),
            packages={
                _text(package["name"]): _file_view(package) for package in (*item["packages"], *item.get("builds", ()))
            },
            base=_base_view(item),
        )
    return PlanView(facts=facts, targets=targets)


def _base_view(item: Mapping[str, Any]) -> dict[str, tuple[str, str]]:
    """Give what a target runs on: Debian packages, an image, an interpreter, each with its version and hash."""
    base = {
        _text(package["name"]): (_text(package["version"]), _text(package["sha256"]))
        for package in item["base_packages"]
    }
    if image := item.get("base_image"):
        base[_text(image["name"])] = (_text(image["index"]), _text(image["digest"]))
    if interpreter := item.get("interpreter"):
        base[_text(interpreter["name"])] = (_text(interpreter["python"]), _text(interpreter["sha256"]))
    return base


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{str(value)[:60]!r} is not a string")
    return value


def _file_view(package: Mapping[str, Any]) -> FileView:
    version = package["version"]
    settings = package.get("overrides")
    file = package["filename"]
    if file is None:
        source = package["source"]
        revision = f"@{_text(source['revision'])}" if source.get("revision") else ""
        file = f"{_text(source['kind'])} {_text(source['location'])}{revision}"
    return FileView(
        version=None if version is None else _text(version),
        file=_text(file),
        sha256=_text(package["sha256"] or ""),
        settings=json.dumps(settings, sort_keys=True) if settings else "",
    )


def compare(old: PlanView, new: PlanView) -> PlanDiff:
    """Compare two plans."""
    changes: dict[Change, list[str]] = {}
    common = [name for name in new.targets if name in old.targets]
    for name in common:
        for change in _changes(old.targets[name], new.targets[name]):
            changes.setdefault(change, []).append(name)
    order = list(_HEADINGS)
    return PlanDiff(
        # What only one of the two says is not known of the other, which is no change.
        facts={
            key: (old.facts[key], value)
            for key, value in new.facts.items()
            if key in old.facts and old.facts[key] != value
        },
        added=tuple(name for name in new.targets if name not in old.targets),
        removed=tuple(name for name in old.targets if name not in new.targets),
        common=tuple(common),
        changes={
            change: tuple(targets)
            for change, targets in sorted(
                changes.items(), key=lambda item: (order.index(item[0].kind), item[0].name, item[1])
            )
        },
    )


def _changes(old: TargetView, new: TargetView) -> Iterator[Change]:
    if old.python != new.python:
        yield Change(kind="python", name="python", old=old.python, new=new.python)
    if old.libc != new.libc:
        yield Change(kind="libc", name="libc", old=old.libc, new=new.libc)
    for name in sorted({*old.packages, *new.packages}):
        yield from _package_changes(name, old.packages.get(name), new.packages.get(name))
    for name in sorted({*old.base, *new.base}):
        before, now = old.base.get(name), new.base.get(name)
        if before is None or now is None or before[0] != now[0]:
            versions = (before[0] if before else None, now[0] if now else None)
            yield Change(kind="base", name=name, old=versions[0], new=versions[1])
        elif before != now:
            yield Change(kind="base-file", name=name, old=before[1], new=now[1], version=now[0])


def _package_changes(name: str, old: FileView | None, new: FileView | None) -> Iterator[Change]:
    if old is None or new is None:
        some = old or new
        version = (some.version or some.file) if some else None
        if old is None:
            yield Change(kind="added", name=name, old=None, new=version)
        else:
            yield Change(kind="removed", name=name, old=version, new=None)
        return
    if old.settings != new.settings:
        yield Change(kind="settings", name=name, old=old.settings or None, new=new.settings or None)
    if old.version != new.version:
        yield Change(kind="version", name=name, old=old.version, new=new.version)
    elif old.file != new.file:
        yield Change(kind="file", name=name, old=old.file, new=new.file, version=new.version)
    elif old.sha256 != new.sha256:
        yield Change(kind="rebuilt", name=name, old=old.sha256, new=new.sha256, version=new.version)


def diff_json(found: PlanDiff) -> dict[str, Any]:
    """Give a difference as values that the ``json`` module writes; docs/plan.md describes them."""
    return {
        "schema_version": DIFF_SCHEMA_VERSION,
        "same": found.same,
        "facts": {key: {"old": old, "new": new} for key, (old, new) in found.facts.items()},
        "targets": {"added": list(found.added), "removed": list(found.removed), "common": list(found.common)},
        "changes": [
            {
                "kind": change.kind,
                "name": change.name,
                "version": change.version,
                "old": change.old,
                "new": change.new,
                "targets": list(targets),
            }
            for change, targets in found.changes.items()
        ],
    }


def diff_text(found: PlanDiff) -> list[str]:
    """Write a difference for people, grouped by what sort of thing changed."""
    if found.same:
        return ["nothing changed"]
    lines = [
        f"{key}: {printable(old) or 'none'} -> {printable(new) or 'none'}" for key, (old, new) in found.facts.items()
    ]
    lines += [f"new target: {printable(name)}" for name in found.added]
    lines += [f"target gone: {printable(name)}" for name in found.removed]
    for kind, heading in _HEADINGS.items():
        told = [(change, targets) for change, targets in found.changes.items() if change.kind == kind]
        if told:
            lines += [*([""] if lines else []), f"{heading}:"]
        for change, targets in told:
            where = "" if len(targets) == len(found.common) else f"  ({', '.join(map(printable, targets))})"
            lines.append(f"  {_sentence(change)}{where}")
    return lines


def _sentence(change: Change) -> str:
    name = printable(change.name) if change.name != change.kind else ""
    version = f" {printable(change.version)}" if change.version else ""
    old, new = printable(change.old), printable(change.new)
    if change.kind in {"rebuilt", "base-file"}:
        return f"{name}{version}: sha256 {old[:12]} -> {new[:12]}"
    if change.kind == "settings":
        return f"{name}: {'set' if not old else 'no longer set' if not new else 'changed'}"
    if change.old is None or change.new is None:
        mark = {"base": "+ " if change.old is None else "- "}.get(change.kind, "")
        return f"{mark}{name} {new or old}"
    return f"{name}{version}{':' if version else ''} {old} -> {new}".strip()
