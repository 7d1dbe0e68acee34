"""Workspaces as uv knows them: one lock in the root folder for several projects (``[tool.uv.workspace]``)."""

from __future__ import annotations

import difflib
import tomllib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidName, canonicalize_name

from crossdock.errors import ProjectFileError, UnknownMemberError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Workspace", "find_member", "find_workspace"]

_LARGEST_FILE = 16 << 20
#: Folders that the patterns of one workspace may match; no real one comes near.
_MAX_FOLDERS = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A workspace.

    Attributes:
        root: The folder with ``[tool.uv.workspace]`` and the lock, absolute.
        members: Folder of each member by its normalised name, sorted by name; the root's own project is one.
    """

    root: Path
    members: Mapping[str, Path] = field(hash=False)


def find_workspace(folder: Path) -> Workspace | None:
    """Find the workspace that a folder is the root or a member of.

    As in uv, the nearest folder above that has a pyproject.toml decides.

    Raises:
        ProjectFileError: A pyproject.toml cannot be read, a pattern leads out of the root, or two members have one
            name.
    """
    folder = folder.resolve()
    own = _read(folder / "pyproject.toml")
    if own is not None and _table(own) is not None:
        return _workspace(folder, own)
    for parent in folder.parents:
        document = _read(parent / "pyproject.toml")
        if document is None:
            continue
        if _table(document) is None:
            return None
        workspace = _workspace(parent, document)
        return workspace if folder in workspace.members.values() else None
    return None


def find_member(root_folder: Path, name: str) -> Path:
    """Give the folder of a workspace's member.

    Args:
        root_folder: The workspace's root, or any of its members.
        name: The member's name, in any spelling.

    Raises:
        UnknownMemberError: There is no such member, or no workspace.
        ProjectFileError: See ``find_workspace``.
    """
    workspace = find_workspace(root_folder)
    if workspace is None:
        raise UnknownMemberError(
            f"{root_folder} is not in a workspace, so it has no member {name!r}",
            why="neither its pyproject.toml nor the next one above makes it one by [tool.uv.workspace]",
            hint="run the command in the workspace's folder, or leave --package away",
        )
    try:
        return workspace.members[canonicalize_name(name, validate=True)]
    except (InvalidName, KeyError):
        close = difflib.get_close_matches(name, workspace.members, n=1)
        raise UnknownMemberError(
            f"The workspace {workspace.root} has no member {name!r}",
            why=f"its members are {', '.join(workspace.members)}" if workspace.members else "it has no members",
            hint=f"did you mean {close[0]!r}?" if close else "add its folder to [tool.uv.workspace] members",
        ) from None


def _read(path: Path) -> dict[str, Any] | None:
    """Read a pyproject.toml; None when there is none."""
    try:
        if not path.is_file():
            return None
        if path.stat().st_size > _LARGEST_FILE:
            raise ProjectFileError(f"{path} is larger than {_LARGEST_FILE >> 20} MiB")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ProjectFileError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:
        raise ProjectFileError(f"{path} is not TOML", why=str(error)) from None


def _table(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    value: Any = document
    for key in ("tool", "uv", "workspace"):
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else None


def _workspace(root: Path, document: Mapping[str, Any]) -> Workspace:
    table = _table(document) or {}
    excluded = _folders(root, table, "exclude")
    members: dict[str, Path] = {}
    for folder in [root, *(folder for folder in _folders(root, table, "members") if folder not in excluded)]:
        name = _project_name(document if folder == root else _read(folder / "pyproject.toml"))
        if name is not None and members.setdefault(name, folder) != folder:
            raise ProjectFileError(
                f"Two members of the workspace {root} are named {name}",
                why=f"they are in {members[name]} and {folder}",
                hint="rename one of them, or exclude it in [tool.uv.workspace]",
            )
    return Workspace(root=root, members=dict(sorted(members.items())))


def _project_name(document: Mapping[str, Any] | None) -> str | None:
    project = (document or {}).get("project")
    name = project.get("name") if isinstance(project, dict) else None
    try:
        return canonicalize_name(name, validate=True) if isinstance(name, str) else None
    except InvalidName:
        return None


def _folders(root: Path, table: Mapping[str, Any], key: str) -> list[Path]:
    """Expand the patterns of a key into folders inside the root, in order and each once."""
    patterns = table.get(key, [])
    where = f"{root / 'pyproject.toml'}: [tool.uv.workspace] {key}"
    if not isinstance(patterns, list) or not all(isinstance(item, str) and item for item in patterns):
        raise ProjectFileError(f"{where} is not an array of patterns")
    found: dict[Path, None] = {}
    for pattern in patterns:
        parts = PurePosixPath(pattern).parts
        if pattern.startswith("/") or ".." in parts or PureWindowsPath(pattern).drive or "\0" in pattern:
            raise ProjectFileError(
                f"{where}: {pattern!r} leads out of the workspace", hint="name folders below the workspace's root"
            )
        for folder in _expand(root, pattern, where):
            found.setdefault(folder)
            if len(found) > _MAX_FOLDERS:
                raise ProjectFileError(f"{where} matches more than {_MAX_FOLDERS} folders")
    return list(found)


def _expand(root: Path, pattern: str, where: str) -> list[Path]:
    if PurePosixPath(pattern) == PurePosixPath():
        return [root]
    try:
        matches = sorted(path.resolve() for path in root.glob(pattern) if path.is_dir())
    except (ValueError, OSError, NotImplementedError, RecursionError) as error:
        raise ProjectFileError(f"{where}: {pattern!r} is no pattern for folders", why=str(error)) from None
    # A link may lead anywhere; what it leads to outside is no member.
    return [path for path in matches if path.is_relative_to(root)]
