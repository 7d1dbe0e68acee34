"""The files of a tar archive by name, each opened where it lies; nothing is ever unpacked.

The archive may be anybody's: what reading it takes is bounded, and a name is only ever looked up, never used as a path.
"""

from __future__ import annotations

import io
import posixpath
import tarfile
from typing import TYPE_CHECKING, BinaryIO, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["TarFiles"]

_MOST_MEMBERS: Final = 100_000
#: Bytes that a header may have: an extended one holds a few names.
_MOST_HEADER: Final = 1 << 20
_MOST_LINKS: Final = 8


class TarFiles:
    """The regular files of an uncompressed tar archive.

    Safe to use from several threads: each file is opened by itself.

    Args:
        path: The archive.
        links: Whether a link inside the archive is the file it points to; else it is nothing.

    Raises:
        tarfile.TarError: It is no tar archive, or a damaged or unreasonable one.
        OSError: It cannot be read.
    """

    def __init__(self, path: Path, *, links: bool = False) -> None:
        self._path = path
        self._places: dict[str, tuple[int, int]] = {}
        self._links: dict[str, str] = {}
        #: Names that are there more than once, of which the last counts.
        self.repeated: set[str] = set()
        with path.open("rb") as raw, tarfile.open(fileobj=_Guarded(raw), mode="r:") as archive:  # type: ignore[call-overload]
            for member in _bounded(archive):
                name = posixpath.normpath(member.name) if links else member.name.removeprefix("./")
                if member.isreg() and not member.issparse():
                    self._take(name)
                    self._places[name] = member.offset_data, member.size
                elif links and (member.issym() or member.islnk()):
                    self._take(name)
                    folder = posixpath.dirname(name) if member.issym() else ""
                    self._links[name] = posixpath.normpath(posixpath.join(folder, member.linkname))
                # Whoever asks for thousands of files would keep as many headers in memory otherwise.
                archive.members.clear()

    def _take(self, name: str) -> None:
        if name in self._places or name in self._links:
            self.repeated.add(name)
            self._places.pop(name, None)
            self._links.pop(name, None)

    def resolve(self, name: str) -> str | None:
        """Give the name of the file that a name means, links followed; None if there is none."""
        for _ in range(_MOST_LINKS):
            if name in self._places:
                return name
            if name not in self._links:
                return None
            name = self._links[name]
        return None

    def size(self, name: str) -> int | None:
        """Give a file's bytes; None if there is no such file."""
        found = self.resolve(name)
        return None if found is None else self._places[found][1]

    def open(self, name: str) -> BinaryIO:
        """Open a file that `size` knows.

        Raises:
            OSError: The archive cannot be read.
        """
        found = self.resolve(name)
        if found is None:
            raise FileNotFoundError(f"{self._path} has no {name}")
        return io.BufferedReader(_Section(self._path, *self._places[found]), 1 << 18)


class _Section(io.RawIOBase):
    """A part of a file."""

    def __init__(self, path: Path, offset: int, size: int) -> None:
        self._file = path.open("rb", buffering=0)
        self._file.seek(offset)
        self._left = size

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        with memoryview(buffer) as view:
            count = self._file.readinto(view[: self._left]) or 0
        self._left -= count
        return count

    def close(self) -> None:
        self._file.close()
        super().close()


class _Guarded:
    """A file that gives no large pieces: `tarfile` would take a header of any size into memory."""

    def __init__(self, raw: BinaryIO) -> None:
        self._raw = raw

    def read(self, size: int) -> bytes:
        if not 0 <= size <= _MOST_HEADER:
            raise tarfile.ReadError(f"a header of {size:,} bytes")
        return self._raw.read(size)

    def seek(self, offset: int) -> int:
        return self._raw.seek(offset)

    def tell(self) -> int:
        return self._raw.tell()


def _bounded(archive: tarfile.TarFile) -> Iterator[tarfile.TarInfo]:
    count = 0
    try:
        while (member := archive.next()) is not None:
            count += 1
            if count > _MOST_MEMBERS:
                raise tarfile.ReadError(f"it has more than {_MOST_MEMBERS:,} members")
            yield member
    except (ValueError, OverflowError, RecursionError) as error:  # what a malformed number or name comes to
        raise tarfile.ReadError(str(error)) from None
