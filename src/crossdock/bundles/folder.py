"""Folders that appear whole or not at all, and the files in them."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from crossdock.errors import OutputError
from crossdock.store.files import PARTIAL, reported
from crossdock.verify.looking import ContentsReader
from crossdock.wheels.streams import unpack

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.verify.contents import Contents
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member

#: Members up to this many bytes are unpacked at once, which is faster; larger ones piece by piece.
_AT_ONCE = 16 << 20

__all__ = ["FolderWriter", "check_folder", "whole_folder"]


def check_folder(path: Path, *, clear: bool, option: str = "--output", keep: Iterable[Path] = ()) -> None:
    """Refuse a folder that would be refused in the end, before any work is done for it.

    Args:
        path: The folder.
        clear: Whether what is there may be replaced.
        option: Which option names it.
        keep: What must not be lost with it, whatever the user says; the user's home is, and where the command runs.

    Raises:
        OutputError: Something is there that must not be lost.
    """
    with reported(path, option=option):
        if not path.exists() and not path.is_symlink():
            return
        if not path.is_dir() or path.is_symlink():
            raise OutputError(f"{path} is not a folder", hint=f"name another {option}")
        if not clear and any(not entry.name.endswith(PARTIAL) for entry in path.iterdir()):
            raise OutputError(
                f"{path} already holds something",
                why="it would be replaced",
                hint=f"name an empty or new folder with {option}, or add --clear to replace what is there",
            )
        if clear:
            home = Path(os.path.expanduser("~"))  # noqa: PTH111  which raises where nobody has a home
            _check_kept(path.resolve(), (Path.cwd(), home, *keep), option)


def _check_kept(path: Path, keep: Iterable[Path], option: str) -> None:
    for folder in keep:
        kept = folder.resolve()
        if kept.is_relative_to(path):
            raise OutputError(
                f"{path} cannot be replaced",
                why=f"{kept} would be lost with it" if kept != path else "it is no folder for output alone",
                hint=f"name a folder of its own with {option}",
            )


@contextmanager
def whole_folder(path: Path, *, clear: bool, option: str = "--output") -> Iterator[Path]:
    """Give a new folder that gets its name only when all of it was written.

    Args:
        path: The name.
        clear: Whether what is there may be replaced.
        option: Which option names it.

    Raises:
        OutputError: It cannot be written, or something is there that must not be lost.
    """
    with reported(path, option=option):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=PARTIAL))
        try:
            temporary.chmod(0o755)  # as any tool would leave it; mkdtemp's own mode is private
            yield temporary
            check_folder(path, clear=clear, option=option)
            _replace(path, temporary)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def _replace(path: Path, new: Path) -> None:
    """Put a folder in the place of another; for a moment neither has the name, but none is ever half there."""
    if not path.exists():
        new.rename(path)
        return
    old = Path(tempfile.mkdtemp(dir=path.parent, prefix=f".{path.name[:40]}.", suffix=PARTIAL))
    try:
        path.rename(old / "old")
        try:
            new.rename(path)
        except OSError:
            (old / "old").rename(path)
            raise
    finally:
        shutil.rmtree(old, ignore_errors=True)


class FolderWriter:
    """Writes files below a folder, and looks at each.

    Paths are those of an archive: relative, "/"-separated, checked to stay inside.

    Args:
        root: The folder; empty.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._reader = ContentsReader()
        self._folders: set[str] = set()

    def folder(self, path: str) -> None:
        """Make a folder, and those above it."""
        if path in self._folders or not path:
            return
        self.folder(path.rpartition("/")[0])
        (self._root / path).mkdir(exist_ok=True)
        os.chmod(self._root / path, 0o755)  # noqa: PTH101, S103  whatever the umask
        self._folders.add(path)

    def add(self, path: str, content: bytes, *, executable: bool = False) -> None:
        """Write a file."""
        with self._open(path, executable=executable) as file:
            file.write(content)
        self._reader.see(path, content, mode=_mode(executable=executable))

    def link(self, path: str, to: str) -> None:
        """Make a symbolic link."""
        self.folder(path.rpartition("/")[0])
        (self._root / path).symlink_to(to)
        self._reader.other(path, "symlink", link=to)

    def unpack(self, path: str, archive: WheelArchive, member: Member, *, executable: bool) -> None:
        """Unpack a wheel's file.

        Raises:
            BadWheelError: The file is damaged.
        """
        if max(member.size, member.compressed) <= _AT_ONCE:
            raw = unpack(archive.stream(member), member, archive.filename)
            with self._open(path, executable=executable) as file:
                file.write(raw)
            self._reader.see(path, raw, mode=_mode(executable=executable))
            return
        self._reader.begin(path, member.size, mode=_mode(executable=executable))
        with self._open(path, executable=executable) as file:
            for piece in archive.unpacked_pieces(member):
                file.write(piece)
                self._reader.feed(piece)
        self._reader.end()

    def contents(self) -> Contents:
        """Give what was seen."""
        return self._reader.contents()

    @contextmanager
    def _open(self, path: str, *, executable: bool) -> Iterator[BinaryIO]:
        self.folder(path.rpartition("/")[0])
        # "x": two files of one path, as on a file system that does not tell A from a, are an error and no surprise.
        with (self._root / path).open("xb", buffering=1 << 18) as file:
            yield file
        os.chmod(self._root / path, _mode(executable=executable))  # noqa: PTH101  whatever the umask


def _mode(*, executable: bool) -> int:
    return 0o755 if executable else 0o644
