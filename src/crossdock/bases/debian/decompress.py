"""Decompression with an upper bound: xz and gzip streams from strangers."""

from __future__ import annotations

import lzma
import zlib
from typing import Protocol

from crossdock.errors import DebError

__all__ = ["gunzip", "unxz"]

_MEMORY_LIMIT = 256 * 1024 * 1024  # bytes; xz -9e, the hungriest preset Debian may use, needs 65 MiB


class _Decompressor(Protocol):
    @property
    def eof(self) -> bool: ...
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def unxz(data: bytes, *, limit: int, origin: str) -> bytes:
    """Decompress an .xz file, of one or many streams.

    Args:
        data: The compressed bytes.
        limit: The most bytes it may expand to.
        origin: Names the data in errors.

    Raises:
        DebError: The data is broken, cut short, or expands beyond ``limit``.
    """
    output: list[bytes] = []
    left = limit
    while data:
        decompressor = lzma.LZMADecompressor(format=lzma.FORMAT_XZ, memlimit=_MEMORY_LIMIT)
        part = _bounded(decompressor, data, left, origin)
        output.append(part)
        left -= len(part)
        data = decompressor.unused_data.lstrip(b"\0")  # streams may be padded
    return b"".join(output)


def gunzip(data: bytes, *, limit: int, origin: str) -> bytes:
    """Decompress a .gz file, of one or many members; arguments and errors as for `unxz`."""
    output: list[bytes] = []
    left = limit
    while data:
        decompressor = zlib.decompressobj(wbits=31)
        part = _bounded(decompressor, data, left, origin)
        output.append(part)
        left -= len(part)
        data = decompressor.unused_data
    return b"".join(output)


def _bounded(decompressor: _Decompressor, data: bytes, limit: int, origin: str) -> bytes:
    try:
        # One byte more than allowed tells a stream that just fits from one that does not.
        output = decompressor.decompress(data, limit + 1)
        if len(output) <= limit and not decompressor.eof:
            raise DebError(f"{origin} is cut short", hint="fetch it again")
    except (lzma.LZMAError, zlib.error) as error:
        raise DebError(f"{origin} cannot be decompressed", why=str(error)) from error
    if len(output) > limit:
        raise DebError(f"{origin} expands to more than {limit} bytes", why="this is not normal for such a file")
    return output
