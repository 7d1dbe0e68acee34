"""Walks a tar archive in one pass, with a few microseconds of Python for each member.

Reads the ustar and pax formats of POSIX.1-2017 ("pax", extended description) and GNU tar's long names and base-256
numbers. Where readers of tar are known to disagree about an archive, it is refused: a proof must have seen what the
container engine will unpack.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from crossdock.errors import LayerUnreadableError
from crossdock.layers.tarheader import BLOCK, Header, parse_header, parse_long_name, parse_pax

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ByteReader", "Member", "TarWalker"]

MAX_SPECIAL_SIZE: Final = 1024 * 1024  # engines written in Go stop at the same size
_SMALL: Final = 64 * 1024
_ZERO_BLOCK: Final = bytes(BLOCK)

Kind = Literal["file", "hardlink", "symlink", "directory", "other"]
_KINDS: Final[dict[bytes, Kind]] = {
    b"0": "file",
    b"\0": "file",
    b"7": "file",
    b"1": "hardlink",
    b"2": "symlink",
    b"3": "other",
    b"4": "other",
    b"5": "directory",
    b"6": "other",
}


class Member(NamedTuple):
    """One member of an archive.

    Attributes:
        path: Relative to the root, without a leading or trailing slash, ``.`` or ``..``; empty for the root itself.
        kind: What it is; ``other`` are devices and pipes. Only a file has content.
        size: Bytes of content.
        linkname: For a hardlink the other member's path, in the form of ``path``; for a symlink what is written in it.
        mode: Permission bits.
    """

    path: str
    kind: Kind
    size: int
    linkname: str
    mode: int


class ByteReader:
    """Reads exact numbers of bytes from an iterator of chunks."""

    __slots__ = ("_buffer", "_chunks", "_position")

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._buffer = b""
        self._position = 0

    def read(self, size: int) -> bytes:
        """Return the next bytes; fewer only at the end."""
        start, end = self._position, self._position + size
        if end <= len(self._buffer):
            self._position = end
            return self._buffer[start:end]
        parts = [self._buffer[start:]]
        missing = size - len(parts[0])
        while missing:
            chunk = next(self._chunks, b"")
            if not chunk:
                self._buffer, self._position = b"", 0
                break
            parts.append(chunk[:missing])
            self._buffer, self._position = chunk, len(parts[-1])
            missing -= len(parts[-1])
        return b"".join(parts)

    def some(self, most: int) -> bytes:
        """Return the next bytes, as many of them as cost no joining; none only at the end."""
        if self._position == len(self._buffer):
            self._buffer, self._position = next(self._chunks, b""), 0
        start, end = self._position, min(self._position + most, len(self._buffer))
        self._position = end
        return self._buffer[start:end]

    def skip(self, size: int) -> bool:
        """Pass over bytes; tell whether they all were there."""
        missing = size - (len(self._buffer) - self._position)
        if missing <= 0:
            self._position += size
            return True
        while missing > 0:
            self._buffer = next(self._chunks, b"")
            self._position = 0
            if not self._buffer:
                return False
            missing -= len(self._buffer)
        self._position = len(self._buffer) + missing
        return True

    def rest(self) -> Iterator[bytes]:
        """Yield all that is left."""
        yield self._buffer[self._position :]
        self._buffer, self._position = b"", 0
        yield from self._chunks


@dataclass(slots=True)
class _Extended:
    """What special members said about the next real one."""

    pax: dict[str, str] | None = None
    long_path: str | None = None
    long_link: str | None = None

    def __bool__(self) -> bool:
        return self.pax is not None or self.long_path is not None or self.long_link is not None


class TarWalker:
    """The members of an archive, in order; each one's content can be read before going on to the next.

    Args:
        chunks: The uncompressed archive, in pieces of any size but none empty.
        max_members: How many members and special headers to read before giving up.
    """

    def __init__(self, chunks: Iterator[bytes], *, max_members: int) -> None:
        self._reader = ByteReader(chunks)
        self._budget = self._max_members = max_members
        self._left = 0
        self._padding = 0
        self._path = ""

    def read(self, size: int) -> bytes:
        """Return the next bytes of the current member's content; fewer only at its end.

        Raises:
            LayerUnreadableError: The archive ends before the content does.
        """
        size = min(size, self._left)
        data = self._reader.read(size)
        if len(data) < size:
            raise self._cut_short()
        self._left -= size
        return data

    def pieces(self) -> Iterator[bytes]:
        """Yield what is left of the current member's content, in pieces that are not small, but for the last one.

        Raises:
            LayerUnreadableError: The archive ends before the content does.
        """
        while self._left:
            data = self._reader.some(self._left)
            if not data:
                raise self._cut_short()
            if len(data) < _SMALL:
                data += self._reader.read(min(_SMALL, self._left - len(data)))
            self._left -= len(data)
            yield data

    def skip(self, size: int) -> None:
        """Pass over bytes of the current member's content.

        Raises:
            LayerUnreadableError: The archive ends before the content does.
        """
        size = min(size, self._left)
        if not self._reader.skip(size):
            raise self._cut_short()
        self._left -= size

    def __iter__(self) -> Iterator[Member]:
        """Yield the members.

        Raises:
            LayerUnreadableError: The archive is damaged, cut short, unsafe, or read differently by different readers.
        """
        extended = _Extended()
        while (header := self._next_header()) is not None:
            if header.type in (b"x", b"g", b"L", b"K"):
                self._read_special(header, extended)
                continue
            member = _member(header, extended)
            extended = _Extended()
            self._enter(member.path, member.size)
            yield member
        if extended:
            raise LayerUnreadableError("the tar archive is cut short", why="it ends after an extended header")

    def _next_header(self) -> Header | None:
        if not self._reader.skip(self._left):
            raise self._cut_short()
        # umoci leaves out the last member's padding, and engines take that for the end.
        self._reader.skip(self._padding)
        self._left = self._padding = 0
        block = self._reader.read(BLOCK)
        if not block:
            return None
        if len(block) < BLOCK:
            raise LayerUnreadableError(
                "the tar archive is cut short", why=f"it ends inside a header, after {self._path!r}"
            )
        if block == _ZERO_BLOCK:
            self._check_end()
            return None
        self._budget -= 1
        if self._budget < 0:
            raise LayerUnreadableError(
                "the tar archive has too many members", why=f"more than {self._max_members:,} headers"
            )
        return parse_header(block, after=self._path)

    def _check_end(self) -> None:
        for chunk in self._reader.rest():
            if chunk.count(0) != len(chunk):
                raise LayerUnreadableError(
                    "there is something after the end of the tar archive",
                    why=f"the end mark is followed by more than zeros, after {self._path!r}",
                )

    def _enter(self, path: str, size: int) -> None:
        self._path, self._left, self._padding = path, size, -size % BLOCK

    def _read_special(self, header: Header, extended: _Extended) -> None:
        if header.size > MAX_SPECIAL_SIZE:
            raise LayerUnreadableError(
                "the tar archive has an extended header of unreasonable size",
                why=f"{header.size:,} bytes, after {self._path!r}; at most {MAX_SPECIAL_SIZE:,} are read",
            )
        self._enter(self._path, header.size)
        payload = self.read(header.size)
        if header.type == b"L":
            extended.long_path = parse_long_name(payload)
        elif header.type == b"K":
            extended.long_link = parse_long_name(payload)
        elif header.type == b"x":
            if extended.pax is not None:
                raise LayerUnreadableError("the tar archive is ambiguous", why="two extended headers for one member")
            extended.pax = parse_pax(payload)
        elif parse_pax(payload).keys() & {"path", "linkpath", "size"}:
            raise LayerUnreadableError(
                "the tar archive is ambiguous",
                why="a global extended header sets names or sizes, which some engines heed and others ignore",
            )

    def _cut_short(self) -> LayerUnreadableError:
        return LayerUnreadableError("the tar archive is cut short", why=f"it ends inside {self._path!r}")


def _member(header: Header, extended: _Extended) -> Member:
    kind = _KINDS.get(header.type)
    if kind is None:
        raise LayerUnreadableError(
            "the tar archive has a member of an unknown type",
            why=f"{header.path!r} has type {header.type!r}"
            + (": sparse files are not supported" if header.type == b"S" else ""),
        )
    path, link, size = header.path, header.linkname, header.size
    if extended:
        path, link, size = _apply(header, extended)
    if kind == "file" and path.endswith("/") and header.type == b"\0":
        kind = "directory"  # how archives older than ustar spell a directory
    path = _safe(path, what="a member")
    if kind == "file" and not path:
        raise LayerUnreadableError("the tar archive has a file without a name")
    return Member(
        path=path,
        kind=kind,
        size=size if kind == "file" else 0,
        linkname=_safe(link, what="a hardlink") if kind == "hardlink" else link if kind == "symlink" else "",
        mode=header.mode,
    )


def _apply(header: Header, extended: _Extended) -> tuple[str, str, int]:
    pax = extended.pax or {}
    if any(key.startswith("GNU.sparse.") for key in pax):
        raise LayerUnreadableError(
            "the tar archive has a sparse file", why=f"{header.path!r}: sparse files are not supported"
        )
    if (pax.get("path") and extended.long_path) or (pax.get("linkpath") and extended.long_link):
        raise LayerUnreadableError(
            "the tar archive is ambiguous", why=f"a pax and a GNU header both rename {header.path!r}"
        )
    size = header.size
    if text := pax.get("size"):
        if not (text.isascii() and text.isdigit() and len(text) < 20):
            raise LayerUnreadableError("the tar archive has a malformed size", why=f"{text[:40]!r} for {header.path!r}")
        size = int(text)
    return (
        pax.get("path") or extended.long_path or header.path,
        pax.get("linkpath") or extended.long_link or header.linkname,
        size,
    )


def _safe(path: str, *, what: str) -> str:
    # Nearly all paths are plain already; the slow way is for the rest.
    if "//" in path or "/." in path or path[:1] in {".", "/"} or path[-1:] == "/":
        parts = [part for part in path.split("/") if part not in {"", "."}]
        if ".." in parts:
            raise LayerUnreadableError("the tar archive has a path that leads out of it", why=f"{what} named {path!r}")
        path = "/".join(parts)
    if "\0" in path:
        raise LayerUnreadableError("the tar archive has a malformed path", why=f"{what} named {path!r}")
    return path
