"""Where a header reader takes its bytes from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from typing import BinaryIO

__all__ = ["BytesSource", "FileSource", "PartSource", "Source"]


class Source(Protocol):
    """The bytes of a file, by their places in it."""

    @property
    def size(self) -> int:
        """How many there are."""

    def read(self, offset: int, count: int) -> bytes:
        """Return up to ``count`` bytes from ``offset`` on: fewer at the end, none behind it."""


class BytesSource:
    """A file in memory."""

    __slots__ = ("_data", "size")

    def __init__(self, data: bytes | bytearray) -> None:
        self._data = data
        self.size = len(data)

    def read(self, offset: int, count: int) -> bytes:
        """See `Source.read`."""
        return bytes(self._data[offset : offset + count]) if offset >= 0 and count > 0 else b""


class FileSource:
    """A file on disk; its stream must allow seeking and is left where it happens to be."""

    __slots__ = ("_stream", "size")

    def __init__(self, stream: BinaryIO, size: int) -> None:
        self._stream = stream
        self.size = size

    def read(self, offset: int, count: int) -> bytes:
        """See `Source.read`."""
        if not 0 <= offset < self.size or count <= 0:
            return b""
        self._stream.seek(offset)
        return self._stream.read(min(count, self.size - offset))


class PartSource:
    """A part of another source, such as one slice of a fat file."""

    __slots__ = ("_start", "_whole", "size")

    def __init__(self, whole: Source, start: int, size: int) -> None:
        self._whole = whole
        self._start = start
        self.size = max(0, min(size, whole.size - start))

    def read(self, offset: int, count: int) -> bytes:
        """See `Source.read`."""
        if not 0 <= offset < self.size or count <= 0:
            return b""
        return self._whole.read(self._start + offset, min(count, self.size - offset))
