"""Whether pyproject.toml was changed after a lock was made, told as the tool that made it does.

Poetry and pdm write into the lock a SHA-256 over those parts of pyproject.toml that matter to it. Which parts these
are changed with their versions; where it cannot be told, nothing is said.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from crossdock.errors import StaleLockError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["check_pdm_lock", "check_poetry_lock"]

_POETRY_KEYS = ("dependencies", "source", "extras", "dev-dependencies")
_PROJECT_KEYS = ("requires-python", "dependencies", "optional-dependencies")


def check_poetry_lock(path: Path, recorded: str, first_line: str, pyproject: Mapping[str, Any]) -> None:
    """Compare a poetry.lock's ``content-hash``.

    Args:
        path: The lock.
        recorded: The hash in it.
        first_line: Its first line, which since Poetry 1.3 names the version of Poetry.
        pyproject: The project's pyproject.toml.

    Raises:
        StaleLockError: The hash is another one.
    """
    poetry = _table(_table(pyproject, "tool"), "poetry")
    project = {key: value for key, value in _table(pyproject, "project").items() if key in _PROJECT_KEYS}
    groups = _table(pyproject, "dependency-groups")
    old = {key: poetry.get(key) for key in _POETRY_KEYS}
    with_group = {**old, "group": poetry["group"]} if "group" in poetry else old
    made_by = _poetry_version(first_line)
    contents: list[object]
    if made_by is None:
        contents = [old, with_group, _poetry_2(poetry, project, {}), _poetry_2(poetry, project, groups)]
    elif made_by < (2,):
        contents = [with_group]
    elif made_by < (2, 3):
        contents = [_poetry_2(poetry, project, {})]
    else:
        contents = [_poetry_2(poetry, project, groups)]
    _check(path, recorded, contents, "poetry lock")


def _poetry_version(first_line: str) -> tuple[int, ...] | None:
    match = re.search(r"by Poetry (\S+)", first_line)
    try:
        return Version(match.group(1)).release if match else None
    except (InvalidVersion, ValueError):
        return None


def _poetry_2(poetry: Mapping[str, Any], project: Mapping[str, Any], groups: Mapping[str, Any]) -> object:
    """What Poetry 2 hashes; a project without standard tables still counts as under Poetry 1."""
    if not project and not groups:
        old: dict[str, Any] = {key: poetry.get(key) for key in _POETRY_KEYS}
        return {**old, "group": poetry["group"]} if "group" in poetry else old
    standard = {key: value for key, value in (("project", project), ("dependency-groups", groups)) if value}
    return {**standard, "tool": {"poetry": {key: poetry[key] for key in (*_POETRY_KEYS, "group") if key in poetry}}}


def check_pdm_lock(path: Path, recorded: str, pyproject: Mapping[str, Any]) -> None:
    """Compare a pdm.lock's ``content_hash``.

    Raises:
        StaleLockError: The hash is another one.
    """
    algorithm, _, digest = recorded.partition(":")
    pdm = _table(_table(pyproject, "tool"), "pdm")
    project = _table(pyproject, "project")
    if algorithm != "sha256" or not project or pdm.get("workspace"):
        return  # made from what pdm takes from elsewhere
    standard, own = _table(pyproject, "dependency-groups"), _table(pdm, "dev-dependencies")
    groups = {canonicalize_name(name): items for name, items in (*own.items(), *standard.items())}
    if len(groups) != len(standard) + len(own):
        return  # pdm adds one to the other, more than once
    resolution = _table(pdm, "resolution")
    overrides = pdm.get("overrides", resolution.get("overrides", {}))
    common = {
        "sources": pdm.get("source", []),
        "dependencies": project.get("dependencies", []),
        "optional-dependencies": project.get("optional-dependencies", {}),
        "requires-python": project.get("requires-python", ""),
    }
    contents = [
        {**common, "dev-dependencies": groups, "resolution": resolution},
        {**common, "dev-dependencies": own, "resolution": resolution},
        {**common, "dev-dependencies": own, "overrides": overrides},
    ]
    _check(path, digest, contents, "pdm lock")


def _check(path: Path, recorded: str, contents: Iterable[object], command: str) -> None:
    try:
        digests = {hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest() for content in contents}
    except (TypeError, ValueError, RecursionError):
        return  # dates and the like, which neither tool can hash
    if recorded.lower() not in digests:
        raise StaleLockError(
            f"{path} is older than pyproject.toml",
            why="the dependencies in pyproject.toml were changed after the lock was made",
            hint=f"run {command}, or use the lock as it is with --frozen",
        )


def _table(parent: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = parent.get(key)
    return value if isinstance(value, dict) else {}
