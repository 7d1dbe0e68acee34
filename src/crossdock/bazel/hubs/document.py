"""hub.json: what all targets get of a lock, as a value that Bazel's extension reads (docs/hub.schema.json)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.digest import content_digest
from crossdock.bazel.hubs.places import relative_path, shown_url
from crossdock.locks.files import parse_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crossdock.bazel.hubs.answers import TargetAnswers
    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.locks import Lock, LockedFile

__all__ = ["VERSION", "document"]

#: Of the format; raised when a reader of the old one would misread the new one.
VERSION = 1


def document(inputs: Inputs, found: Sequence[TargetAnswers], digest: str | None) -> dict[str, Any]:
    """Put the answers of all targets together.

    Args:
        inputs: What they are from.
        found: The answers.
        digest: Of what they are from, if an index had to be asked as well.
    """
    files: dict[str, dict[str, Any]] = {}
    for one in found:
        for file in one.files.values():
            if file.sha256 not in files:
                files[file.sha256] = _file(file, inputs.lock)
    made: dict[str, Any] = {
        "version": VERSION,
        "lock": {
            "format": inputs.lock.format,
            "name": inputs.lock.path.name,
            "graph": "lock" if inputs.graph else "metadata",
            "inputs": digest,
            "content": None,
        },
        "asked": {"extras": list(inputs.asked_extras), "groups": list(inputs.asked_groups)},
        "targets": {one.target.key: one.target.facts() for one in found},
        "packages": _packages(found),
        "project": {one.target.key: list(one.project) for one in found},
        "extras": _lists((one.target.key, one.extras) for one in found),
        "groups": _lists((one.target.key, one.groups) for one in found),
        "left_out": _left_out(inputs),
        "files": files,
    }
    if digest is not None:
        made["lock"]["content"] = content_digest(made)
    return made


def _packages(found: Sequence[TargetAnswers]) -> dict[str, Any]:
    nodes = sorted({node for one in found for node in (*one.versions, *one.missing)})
    packages = {node: _package(node, found) for node in nodes}
    for one in found:
        for node, needs in one.deps.items():
            name, _, extra = node.partition("[")
            package = packages[name]
            where = package["extras"].setdefault(extra.removesuffix("]"), {}) if extra else package["deps"]
            where[one.target.key] = list(needs)
    return packages


def _package(node: str, found: Sequence[TargetAnswers]) -> dict[str, Any]:
    wheels: dict[str, str | None] = {}
    missing = {}
    versions = set()
    for one in found:
        file = one.files.get(node)
        wheels[one.target.key] = file.sha256 if file else None
        if node in one.versions:
            versions.add(one.versions[node])
        if node in one.missing:
            missing[one.target.key] = one.missing[node]
        elif node not in one.versions:
            missing[one.target.key] = (
                f"{node} is not what the lock has for {one.target.key}\n"
                f"  hint: depend on {node.partition('@')[0]}, which is another version there"
            )
    return {
        "version": versions.pop() if len(versions) == 1 else None,
        "wheels": wheels,
        "missing": missing,
        "deps": {},
        "extras": {},
    }


def _lists(pairs: Iterable[tuple[str, Any]]) -> dict[str, dict[str, list[str]]]:
    found: dict[str, dict[str, list[str]]] = {}
    for key, lists in pairs:
        for name, items in lists.items():
            found.setdefault(name, {})[key] = list(items)
    return found


def _left_out(inputs: Inputs) -> dict[str, dict[str, str]]:
    """Say why extras and groups are not there that exclude others."""
    found: dict[str, dict[str, str]] = {"extras": {}, "groups": {}}
    for (variable, name), others in inputs.left_out().items():
        kind = "extras" if variable == "extras" else "groups"
        found[kind][name] = (
            f"{name} and {' and '.join(others)} exclude each other in {inputs.lock.path.name}\n"
            "  why: one hub holds what can be installed together\n"
            f'  hint: say which is meant, as in crossdock.lock(name = "…", {kind} = ["{name}"]); '
            "for both, make two hubs"
        )
    return found


def _file(file: LockedFile, lock: Lock) -> dict[str, Any]:
    wheel = parse_wheel(file.filename)
    # What only an index has told is asked of the user's own index when the file is needed.
    locked = any(file in package.files for package in lock.packages if wheel is not None and package.name == wheel[0])
    return {
        "filename": file.filename,
        "name": wheel[0] if wheel else "",
        "version": str(wheel[1]) if wheel else "",
        "url": shown_url(file.url) if locked else None,
        "path": relative_path(file.path, lock.path),
        "size": file.size,
    }
