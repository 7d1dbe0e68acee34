"""Decompresses gzip files of any number of members, as layers made by copying streams are (RFC 1952, section 2.2)."""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayerUnreadableError

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

try:
    import deflate as _libdeflate
except ImportError:  # zlib alone gives the same, only slower
    _libdeflate = None  # type: ignore[assignment]

__all__ = ["gunzip"]

_GZIP_WBITS: Final = 16 + zlib.MAX_WBITS
_FIRST_IN: Final = 4 * 1024
_MOST_IN: Final = 256 * 1024
_MOST_OUT: Final = 256 * 1024

# How crossdock begins every member. Others may, too; a member that begins in another way is left to zlib.
_HEADER: Final = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
_TRAILER_SIZE: Final = 8
# Members of at most this many bytes, compressed and unpacked, are unpacked at once.
_MOST_COMPRESSED: Final = 12 << 20
_AT_ONCE: Final = 32 << 20

# Each member costs time, however little is in it, and nothing at all comes of an empty one.
_MOST_MEMBERS: Final = 8_000_000
_MOST_EMPTY: Final = 10_000


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a gzip file of one or many members.

    Args:
        chunks: The compressed bytes, in pieces of any size.

    Yields:
        The uncompressed bytes, in pieces of at most 256 KiB, members joined.

    Raises:
        LayerUnreadableError: The data is damaged, cut short, followed by something else, or of more members than
            anybody makes.
    """
    window = _Window(chunks)
    members = empty = 0
    while window.fill(1):
        _check_start(window.data[0], members)
        if members == _MOST_MEMBERS or empty == _MOST_EMPTY:
            raise _too_many(members, empty)
        raw = _member_at_once(window)
        if raw is None:
            empty += 0 if (yield from _member_by_zlib(window, members)) else 1
        else:
            yield from _pieces(raw)
        members += 1
    if members == 0:
        raise LayerUnreadableError("the gzip data is cut short", why="it is empty")


class _Window:
    """The compressed bytes that were read and are not used up yet."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = iter(chunks)
        self.data = bytearray()

    def fill(self, size: int) -> bool:
        """Read on until there are that many bytes; tell whether there are."""
        while len(self.data) < size:
            chunk = next(self._chunks, None)
            if chunk is None:
                return False
            self.data += chunk
        return True

    def find(self, wanted: bytes, start: int, limit: int) -> int | None:
        """Find bytes, reading on as needed; the end of all data if they do not come, None past the limit."""
        searched = start
        while (at := self.data.find(wanted, searched)) < 0:
            searched = max(start, len(self.data) - len(wanted) + 1)
            if len(self.data) > limit:
                return None
            if not self.fill(len(self.data) + 1):
                return len(self.data)
        return at

    def peek(self, size: int) -> bytes:
        """Give the next bytes, as far as they were read."""
        with memoryview(self.data) as view:
            return bytes(view[:size])

    def drop(self, size: int) -> None:
        """Use up bytes."""
        del self.data[:size]


def _member_at_once(window: _Window) -> bytes | bytearray | None:
    """Unpack the next member by libdeflate, which is much faster than zlib; None if that cannot be done surely.

    libdeflate does not say where a member ends, so the place is guessed: where the next one seems to begin. The guess
    is right if the member unpacks and the eight bytes of its trailer occur nowhere before.
    """
    if _libdeflate is None or not window.fill(len(_HEADER)) or not window.data.startswith(_HEADER):
        return None
    end = window.find(_HEADER, len(_HEADER), _MOST_COMPRESSED)
    if end is None or end < len(_HEADER) + _TRAILER_SIZE:
        return None
    trailer = window.data[end - _TRAILER_SIZE : end]
    size = int.from_bytes(trailer[-4:], "little")
    if not 0 < size <= _AT_ONCE or window.data.find(trailer, len(_HEADER), end) != end - _TRAILER_SIZE:
        return None
    try:
        with memoryview(window.data) as data, data[:end] as framed:
            raw = _libdeflate.gzip_decompress(framed, size)
    except _libdeflate.DeflateError:
        return None
    if len(raw) != size:
        return None
    window.drop(end)
    return raw


def _pieces(raw: bytes | bytearray) -> Iterator[bytes]:
    with memoryview(raw) as view:
        for at in range(0, len(raw), _MOST_OUT):
            yield bytes(view[at : at + _MOST_OUT])


def _member_by_zlib(window: _Window, members: int) -> Generator[bytes, None, bool]:
    """Unpack the next member piece by piece, whatever its size; return whether anything came of it."""
    inflater = zlib.decompressobj(_GZIP_WBITS)
    # What follows a member's end is copied by zlib: feeding little at first keeps many small members linear.
    step = _FIRST_IN
    some = False
    while not inflater.eof:
        window.fill(1)
        piece = window.peek(step)
        data = _inflate(inflater, piece, members)
        # At a member's end zlib may name what is left in both attributes.
        left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
        window.drop(len(piece) - len(left))
        if data:
            some = True
            yield data
        elif not piece and not inflater.eof:
            raise LayerUnreadableError("the gzip data is cut short", why=f"it ends inside member {members + 1}")
        step = min(step * 2, _MOST_IN)
    return some


def _check_start(first: int, members: int) -> None:
    if first != 0x1F:
        if members:
            raise LayerUnreadableError(
                "there is something after the end of the gzip data",
                why=f"behind member {members} comes byte {first:#04x}, which starts no gzip member",
            )
        raise LayerUnreadableError("it is not gzip data", why=f"it starts with byte {first:#04x} instead of 0x1f")


def _too_many(members: int, empty: int) -> LayerUnreadableError:
    many = f"{empty:,} of its first {members:,} members are empty" if empty == _MOST_EMPTY else f"over {members:,}"
    return LayerUnreadableError(
        "the gzip data has too many members",
        why=f"{many}, and nobody packs files like that",
        hint="pack it again, for example by `gzip -d` and `gzip`",
    )


def _inflate(inflater: zlib._Decompress, piece: bytes, members: int) -> bytes:
    try:
        return inflater.decompress(piece, _MOST_OUT)
    except zlib.error as error:
        raise LayerUnreadableError(
            "the gzip data is damaged", why=f"member {members + 1}: {str(error).split(': ', 1)[-1]}"
        ) from None
