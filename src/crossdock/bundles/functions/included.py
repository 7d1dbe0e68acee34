"""Files of the project's folder that go into a function's zip as they are."""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bundles.zippart import PartRecipe
from crossdock.errors import BundleError, BundleTooLargeError
from crossdock.store.actions import action_key
from crossdock.wheels.globs import matches

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.bundles.zippart import PartWriter
    from crossdock.store.actions import JSON

__all__ = ["IncludedFile", "files_recipe", "find_included"]

#: Far more than any function may have; all of it is held in memory.
_MOST_BYTES = 512 << 20
_MOST_FILES = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class IncludedFile:
    """A file.

    Attributes:
        path: Where it goes in the zip.
        content: Its bytes.
        executable: Whether its owner may execute it.
    """

    path: str
    content: bytes
    executable: bool = False


def find_included(root: Path, patterns: Sequence[str], taken: Sequence[str] = ()) -> tuple[IncludedFile, ...]:
    """Read the files of a folder that match patterns, sorted by path.

    Hidden files are only taken, and hidden folders and ``__pycache__`` only looked into, by a pattern that names them;
    links to folders never are.

    Args:
        root: The folder.
        patterns: As ``matches`` of crossdock.wheels.globs reads them; each has to match a file.
        taken: Names of files in it that are taken if they are there.

    Raises:
        BundleError: A pattern matches nothing, or a file cannot be read or is a link that leads out of the folder.
        BundleTooLargeError: They are too many, or too large.
    """
    found = {name: root / name for name in taken if _is_file(root / name)}
    for pattern in patterns:
        matching = dict(_matching(root, pattern))
        if not matching:
            raise BundleError(
                f"[tool.crossdock.lambda] include: {pattern!r} matches no file in {root}",
                why="what it should bring would be missing in the function",
                hint="correct it, or remove it",
            )
        found |= matching
    size = 0
    files = []
    for path in sorted(found):
        file = _read(root, path, found[path], _MOST_BYTES - size)
        size += len(file.content)
        files.append(file)
    return tuple(files)


def files_recipe(files: Sequence[IncludedFile]) -> PartRecipe:
    """Give the recipe of a part that holds files, compressed by the pinned encoder."""

    def write(out: PartWriter) -> None:
        for file in files:
            out.add(file.path, file.content, executable=file.executable, compress=True)

    listed: JSON = [[file.path, hashlib.sha256(file.content).hexdigest(), file.executable] for file in files]
    return PartRecipe(action_key("function-files/2", files=listed), write)


def _matching(root: Path, pattern: str) -> Iterator[tuple[str, Path]]:
    parts = pattern.removesuffix("/").split("/")
    fixed = list(takewhile(lambda part: not any(char in part for char in "*?["), parts))
    if fixed == parts and not pattern.endswith("/"):
        if _is_file(root / pattern):
            yield pattern, root / pattern
        return
    count = 0
    hidden = parts[-1].startswith(".") and not pattern.endswith("/")
    for path in _files_below(root, fixed, deep="**" in parts or pattern.endswith("/"), levels=len(parts)):
        if matches(path, pattern) and (hidden or not path.rpartition("/")[2].startswith(".")):
            yield path, root / path
            count += 1
        if count > _MOST_FILES:
            raise BundleTooLargeError(
                f"[tool.crossdock.lambda] include: {pattern!r} matches more than {_MOST_FILES:,} files",
                hint="name what the function needs",
            )


def _files_below(root: Path, fixed: Sequence[str], *, deep: bool, levels: int) -> Iterator[str]:
    """Give the paths of the files below a folder, as deep as a pattern can match."""
    start = root.joinpath(*fixed)
    if not _is_inside(start, root):
        return
    for folder, folders, names in os.walk(start):
        inner = Path(folder).relative_to(root).parts
        if not deep and len(inner) + 1 >= levels:
            folders.clear()
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name != "__pycache__")
        yield from ("/".join((*inner, name)) for name in sorted(names))


def _read(root: Path, path: str, file: Path, most: int) -> IncludedFile:
    where = f"The file {path!a}, which is to be included in the function,"
    if any("\ud800" <= char <= "\udfff" for char in path):
        raise BundleError(f"{where} has a name that is not UTF-8", hint="rename it")
    if not _is_inside(file, root):
        raise BundleError(f"{where} is a link that leads out of the project", hint="copy it into the project")
    try:
        status = file.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{where} is no regular file", why="a pipe or a device has no end", hint="leave it out")
        if status.st_size > most:
            raise BundleTooLargeError(
                f"The files that are to be included in the function have more than {_MOST_BYTES >> 20} MB",
                why="no function may be as large",
                hint="include less, and let the function fetch what is large when it runs",
            )
        content = file.read_bytes()
    except OSError as error:
        raise BundleError(f"{where} cannot be read", why=error.strerror or str(error)) from None
    return IncludedFile(path=path, content=content, executable=bool(status.st_mode & stat.S_IXUSR))


def _is_file(path: Path) -> bool:
    # The method of Path raises where a name is too long.
    return os.path.isfile(path)  # noqa: PTH113


def _is_inside(path: Path, root: Path) -> bool:
    # Path.resolve() raises RuntimeError where links go round in a circle.
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))
