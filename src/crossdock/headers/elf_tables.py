"""Tables in an ELF file, read piece by piece: strings, and structures that lie here and there in a region."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crossdock.headers.linking import DamagedHeaderError

if TYPE_CHECKING:
    import struct
    from collections.abc import Callable

__all__ = ["LONGEST_STRING", "Region", "Strings"]

LONGEST_STRING: Final = 4096
"""Bytes in a name at most, its end included: what Linux allows for a path."""

_MOST_TEXT: Final = 1 << 20  # characters of all names of a file
_FIRST_CHUNK: Final = 16 * 1024  # the whole table of most extension modules
_CHUNK: Final = 2048
_SHORT: Final = 128


class Region:
    """A part of a file with structures in it, between two offsets."""

    __slots__ = ("_chunk", "_chunk_at", "_end", "_read", "start")

    def __init__(self, read: Callable[[int, int], bytes], start: int, end: int) -> None:
        self.start = start
        self._end = end
        self._read = read
        self._chunk = b""
        self._chunk_at = start

    def unpack(self, layout: struct.Struct, at: int) -> tuple[Any, ...]:
        """Read a structure at an offset in the file, which is not before the region."""
        place = at - self._chunk_at
        if place < 0 or place + layout.size > len(self._chunk):
            self._chunk = self._read(at, min(_CHUNK, self._end - at)) if at < self._end else b""
            self._chunk_at = at
            place = 0
            if len(self._chunk) < layout.size:
                raise DamagedHeaderError("its symbol versions reach past the segment they lie in")
        return layout.unpack_from(self._chunk, place)


class Strings:
    """A string table; each string ends with a zero byte."""

    __slots__ = ("_known", "_left", "_read", "_size", "_start", "_table")

    def __init__(self, read: Callable[[int, int], bytes], start: int, size: int) -> None:
        self._read = read
        self._start = start
        self._size = size
        self._table = read(start, min(size, _FIRST_CHUNK)) if size > 0 else b""
        self._known: dict[int, str] = {}
        self._left = _MOST_TEXT

    def at(self, offset: int) -> str:
        """Give the string at an offset in the table; what is not UTF-8 in it is shown by backslashes."""
        known = self._known.get(offset)
        if known is not None:
            return known
        raw = self._bytes(offset)
        self._left -= len(raw)
        if self._left < 0:
            raise DamagedHeaderError("its names are longer in all than is credible")
        text = self._known[offset] = raw.decode("utf-8", "backslashreplace")
        return text

    def _bytes(self, offset: int) -> bytes:
        if offset >= self._size:
            raise DamagedHeaderError("a name lies outside its string table")
        end = self._table.find(0, offset, offset + LONGEST_STRING)
        if end >= 0:
            return self._table[offset:end]
        for most in (_SHORT, LONGEST_STRING):
            raw = self._read(self._start + offset, min(most, self._size - offset))
            end = raw.find(0)
            if end >= 0:
                return raw[:end]
        raise DamagedHeaderError("a name in its string table has no end")
