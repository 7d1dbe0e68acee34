"""An application's own files, as a rule lists them: where each goes, and where it lies.

Images, bundles and a project's own wheel read one form of list, by one set of rules.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.errors import BazelInputError
from crossdock.headers.binary import HEAD_SIZE, identify
from crossdock.steps.environment import APP, PREFIX

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterable, Iterator, Sequence

__all__ = [
    "MAIN_REPOSITORY",
    "RUNFILES",
    "SourceFile",
    "add_files",
    "checked_path",
    "in_image",
    "listed_files",
]

#: Runfiles of the main module (Bazel documentation, "Runfiles").
MAIN_REPOSITORY: Final = "_main"
#: Where an application's own files are in an image, relative to the root; below it, a folder for each repository.
RUNFILES: Final = f"{APP}/runfiles"

_LONGEST: Final = 4096
_DEEPEST: Final = 200
_PIECE: Final = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """A file of an application.

    Attributes:
        path: Where it goes, relative to the root of what it goes to.
        source: Where it lies; None for an empty file.
        executable: Whether it gets the executable bits whatever it begins with.
    """

    path: str
    source: Path | None
    executable: bool = False

    def read(self) -> bytes:
        """Give its bytes.

        Raises:
            BazelInputError: It cannot be read.
        """
        return b"".join(self.pieces())

    def pieces(self, length: int = _PIECE) -> Iterator[bytes]:
        """Give its bytes in pieces of at most some length.

        Raises:
            BazelInputError: It cannot be read.
        """
        if self.source is None:
            return
        with _reading(self.source), self.source.open("rb") as file:
            while piece := file.read(length):
                yield piece

    @property
    def size(self) -> int:
        """How many bytes it has, by what the disk says."""
        if self.source is None:
            return 0
        with _reading(self.source):
            return self.source.stat().st_size

    @property
    def runs(self) -> bool:
        """Whether it gets the executable bits: where that is said, and by how it begins, as scripts and programs do.

        What the disk says counts for nothing: what an action put out is executable, or is not, as its machine has it.
        """
        if self.executable:
            return True
        head = next(self.pieces(HEAD_SIZE), b"")
        return head.startswith(b"#!") or identify(head) is not None

    @property
    def mode(self) -> int:
        """Its permissions."""
        return 0o755 if self.runs else 0o644


@contextmanager
def _reading(source: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BazelInputError(
            f"{source} cannot be read",
            why=error.strerror or str(error),
            hint="it is among srcs or data; leave it out, or mend it",
        ) from None


def add_files(parser: argparse.ArgumentParser) -> None:
    """Add the options that list files."""
    parser.add_argument("--file", action="append", default=[], help="DEST, a tab, SOURCE; then a tab and x")
    parser.add_argument("--files", action="append", default=[], type=Path, help="listing of such, one on each line")


def listed_files(options: argparse.Namespace, placed: Callable[[str, str], str] | None = None) -> list[SourceFile]:
    """Read which files there are: in each line where one goes, where it lies and perhaps ``x``, by tabs.

    A source that is a folder stands for all files below it; an empty one for an empty file. Symbolic links are
    followed.

    Args:
        options: What `add_files` added.
        placed: Gives the place that is meant by what is written, and raises if it may not be; by default that is it,
            and it has to stay below the root.

    Returns:
        The files, sorted by path, each once.

    Raises:
        BazelInputError: A line cannot be understood, a path leads out, a file is not there, or two are for one path.
    """
    found: dict[str, SourceFile] = {}
    for line, where in _lines(options.file, options.files):
        for item in _files(line, where, placed or checked_path):
            other = found.setdefault(item.path, item)
            if other == item:
                continue
            if other.source != item.source and other.read() != item.read():
                raise BazelInputError(
                    f"{where}: two files are for {item.path}",
                    why=f"one is {other.source}, the other {item.source}",
                    hint="leave one of them out of srcs or data",
                )
            # A program's own file may be listed among the sources as well.
            found[item.path] = replace(other, executable=other.executable or item.executable)
    _check_folders(found)
    return [found[path] for path in sorted(found)]


def checked_path(path: str, where: str) -> str:
    """Give a relative path that stays below its folder.

    Raises:
        BazelInputError: It does not, or is no path.
    """
    parts = path.split("/")
    if (
        len(path) > _LONGEST
        or len(parts) > _DEEPEST
        or any(part in {"", ".", ".."} or part.startswith(".wh.") for part in parts)
        or "\\" in path
        or not path.isprintable()
    ):
        raise BazelInputError(
            f"{where}: {path[:200]!r} is no path of an application's file",
            why=f"it has to be without . and .., in characters that can be printed, and in at most {_DEEPEST} folders",
            hint="rename the file, or leave it out of srcs and data",
        )
    return path


def _lines(lines: Sequence[str], listings: Iterable[Path]) -> Iterator[tuple[str, str]]:
    """Give each line, with where it is."""
    for line in lines:
        yield line, "--file"
    for listing in listings:
        try:
            text = listing.read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise BazelInputError(f"{listing} cannot be read as a listing of files", why=str(error)) from None
        # A line ends at \n and nowhere else, as in Bazel's parameter files.
        for number, line in enumerate(text.split("\n"), start=1):
            if line:
                yield line, f"{listing}, line {number}"


def _files(line: str, where: str, placed: Callable[[str, str], str]) -> Iterator[SourceFile]:
    path, *rest = line.split("\t")
    if len(rest) not in {1, 2} or rest[1:] not in ([], ["x"]):
        raise BazelInputError(
            f"{where}: {line[:200]!r} is not understood",
            why="it has to be where a file goes, a tab, where it lies; then perhaps a tab and x",
        )
    executable = len(rest) == 2
    path = placed(path, where)
    if not rest[0]:
        yield SourceFile(path=path, source=None, executable=executable)
        return
    source = Path(rest[0])
    if _is(source, where, stat.S_ISDIR):
        yield from _below(SourceFile(path=path, source=source, executable=executable), where, frozenset())
    else:
        yield _regular(SourceFile(path=path, source=source, executable=executable), where)


def in_image(path: str, where: str) -> str:
    """Give where a file goes in an image: written relative to the runfiles, or absolute.

    Raises:
        BazelInputError: It leads out of the application's folder, or into the environment.
    """
    if not path.startswith("/"):
        return f"{RUNFILES}/{checked_path(path, where)}"
    place = checked_path(path[1:], where)
    if not place.startswith(f"{APP}/"):
        raise BazelInputError(
            f"{where}: {path} is outside of /{APP}",
            why="all else in an image is its base's",
            hint=f"name a place below /{APP}",
        )
    if place == PREFIX or place.startswith(f"{PREFIX}/"):
        raise BazelInputError(
            f"{where}: {path} is in the image's environment",
            why="only wheels are installed there",
            hint=f"name a place outside of /{PREFIX}",
        )
    return place


def _below(folder: SourceFile, where: str, above: frozenset[str]) -> Iterator[SourceFile]:
    assert folder.source is not None  # noqa: S101  it is a folder
    real = os.path.realpath(folder.source)
    if real in above:
        raise BazelInputError(f"{where}: {folder.source} is a link to a folder that it is in", hint="remove that link")
    with _reading(folder.source):
        below = sorted(folder.source.iterdir(), key=lambda item: item.name)
    for source in below:
        item = replace(folder, path=checked_path(f"{folder.path}/{source.name}", where), source=source)
        if _is(source, where, stat.S_ISDIR):
            yield from _below(item, where, above | {real})
        else:
            yield _regular(item, where)


def _regular(item: SourceFile, where: str) -> SourceFile:
    if item.source is not None and not _is(item.source, where, stat.S_ISREG):
        raise BazelInputError(f"{where}: {item.source} is no regular file", hint="leave it out of srcs and data")
    return item


def _is(source: Path, where: str, check: Callable[[int], bool]) -> bool:
    try:
        return check(source.stat().st_mode)
    except (OSError, ValueError) as error:
        raise BazelInputError(
            f"{where}: {source} is not there",
            why=getattr(error, "strerror", None) or str(error),
            hint="it has to be among the inputs of the action; a link may lead to something that is not",
        ) from None


def _check_folders(found: dict[str, SourceFile]) -> None:
    for path, item in found.items():
        above = path.rpartition("/")[0]
        while above:
            if above in found:
                raise BazelInputError(
                    f"{above} is a file, and a folder with {path} in it",
                    why=f"one is {found[above].source}, the other has {item.source}",
                )
            above = above.rpartition("/")[0]
