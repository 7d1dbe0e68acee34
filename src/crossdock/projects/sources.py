"""The files a project is built from: which they are, their digest, and a copy of exactly them to build in."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import ProjectBuildError
from crossdock.sdists.hooks import EARLIEST_ZIP_TIME

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["copy_sources", "repository_top", "source_digest"]

#: Folders that tools make in a project's root. None is an input of a build, and some change with every run.
#: Deeper down, a folder of such a name may well be a package.
_NOT_SOURCES = {"build", "dist", "htmlcov", "node_modules", "venv"}
#: Hidden files and folders that tools keep for themselves. Others are sources: backends read .gitignore, and packages
#: have data whose name starts with a dot.
_TOOLS_OWN = {
    *(".git", ".hg", ".svn", ".bzr", ".jj"),
    *(".venv", ".tox", ".nox", ".pixi", ".eggs", ".direnv", ".pdm-build"),
    *(".cache", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".hypothesis", ".ipynb_checkpoints"),
    *(".idea", ".vscode", ".vs", ".DS_Store", ".coverage"),
}
#: A folder that holds one of these is an image, a virtual environment or a cache (bford.info/cachedir).
_MARKS = ("oci-layout", "pyvenv.cfg", "CACHEDIR.TAG")
#: A link to / would make a source of every file of the machine.
_MOST_FILES = 200_000


def source_digest(root: Path) -> str:
    """Hash a project's files: paths, executable bits and contents, in one order everywhere.

    Hidden files and folders count too, other than those that tools keep for themselves; what links lead to counts
    as if it were there.

    Raises:
        ProjectBuildError: They are far too many for a project.
        OSError: One of them cannot be read.
    """
    digest = hashlib.sha256()
    for name, path in sorted(_sources(root)):
        executable = b"x" if _is_executable(path) else b"-"
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        digest.update(os.fsencode(name) + b"\0" + executable + content)
    return digest.hexdigest()


def copy_sources(root: Path, copy: Path) -> None:
    """Copy the files that :func:`source_digest` hashes, and nothing else of them than what it hashes.

    Raises:
        ProjectBuildError: They are far too many for a project.
        OSError: One of them cannot be read, or no copy be written.
    """
    for name, path in _sources(root):
        target = Path(os.path.normpath(copy / name))
        _make_folder(target.parent)
        shutil.copyfile(path, target)
        target.chmod(0o755 if _is_executable(path) else 0o644)
        os.utime(target, (EARLIEST_ZIP_TIME, EARLIEST_ZIP_TIME))


def repository_top(root: Path) -> Path | None:
    """Give the folder of the git work tree a project lies in."""
    return next((folder for folder in (root, *root.parents) if (folder / ".git").exists()), None)


def _sources(root: Path) -> list[tuple[str, Path]]:
    found: list[tuple[str, Path]] = []
    for path in _walk(root, (), top=True):
        found.append((path.relative_to(root).as_posix(), path))
        if len(found) > _MOST_FILES:
            raise ProjectBuildError(
                f"{root} holds more than {_MOST_FILES:,} files",
                why="all of them would be hashed and copied to build the project's wheel",
                hint="remove links that lead out of the project, or move what is no source elsewhere",
            )
    return found + _ignore_files_above(root)


def _ignore_files_above(root: Path) -> list[tuple[str, Path]]:
    """In a repository of several projects, backends look for .gitignore up to the repository's own folder."""
    top = repository_top(root)
    if top is None:
        return []
    above = [folder / ".gitignore" for folder in root.parents if folder.is_relative_to(top)]
    return [("../" * level + ".gitignore", path) for level, path in enumerate(above, 1) if path.is_file()]


def _walk(folder: Path, above: tuple[str, ...], *, top: bool = False) -> Iterator[Path]:
    """Give the files in a folder and below it, following links, but none back to a folder it is in."""
    real = os.path.realpath(folder)
    if real in above:
        return
    for path in sorted(folder.iterdir()):
        if path.is_dir():
            if _is_source_folder(path, top=top):
                yield from _walk(path, (*above, real))
        elif path.is_file() and _is_source_file(path.name):
            yield path


def _is_source_folder(path: Path, *, top: bool) -> bool:
    name = path.name
    if name in _TOOLS_OWN or name.endswith((".egg-info", "__pycache__")) or (top and name in _NOT_SOURCES):
        return False
    return not any((path / mark).is_file() for mark in _MARKS)


def _is_source_file(name: str) -> bool:
    return name not in _TOOLS_OWN and name != "crossdock.lock" and not name.endswith((".pyc", ".oci.tar"))


def _is_executable(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _make_folder(folder: Path) -> None:
    """Make a folder with one mode, whatever the umask."""
    if not folder.is_dir():
        _make_folder(folder.parent)
        folder.mkdir()
        folder.chmod(0o755)
