"""gzip data to bytes, in a stream of bounded memory.

Python's ``gzip`` does the same, but reads in steps of 8 KiB in some versions and skips zeros after the last member,
which some container engines refuse.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayerUnreadableError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["gunzip"]

_MOST_OUT: Final = 256 * 1024
_FIRST_IN: Final = 2048
_MOST_IN: Final = 256 * 1024
_GZIP_WBITS: Final = 31


def gunzip(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress a gzip file (RFC 1952) of one or many members.

    Args:
        chunks: The compressed bytes, in pieces of any size.

    Yields:
        The uncompressed bytes, in pieces of at most 256 KiB, members joined.

    Raises:
        LayerUnreadableError: The data is damaged, cut short, or followed by something else.
    """
    inflater = None
    members = step = 0
    for chunk in chunks:
        rest = memoryview(chunk)
        while rest:
            if inflater is None:
                _check_start(rest[0], members)
                inflater, step = zlib.decompressobj(_GZIP_WBITS), _FIRST_IN
            # What follows a member's end is copied by zlib: feeding little at first keeps many small members linear.
            piece = rest[:step]
            data = _inflate(inflater, piece, members)
            # At a member's end zlib may name what is left in both attributes.
            left = inflater.unused_data if inflater.eof else inflater.unconsumed_tail
            rest = rest[len(piece) - len(left) :]
            if data:
                yield data
            if inflater.eof:
                inflater, members = None, members + 1
            else:
                step = min(step * 2, _MOST_IN)
    # zlib may hold back output when all input is consumed and the last piece came out full.
    while inflater is not None:
        data = _inflate(inflater, b"", members)
        if data:
            yield data
        if inflater.eof:
            inflater, members = None, members + 1
        elif not data:
            raise LayerUnreadableError("the gzip data is cut short", why=f"it ends inside member {members + 1}")
    if members == 0:
        raise LayerUnreadableError("the gzip data is cut short", why="it is empty")


def _check_start(first: int, members: int) -> None:
    if first != 0x1F:
        if members:
            raise LayerUnreadableError(
                "there is something after the end of the gzip data",
                why=f"behind member {members} comes byte {first:#04x}, which starts no gzip member",
            )
        raise LayerUnreadableError("it is not gzip data", why=f"it starts with byte {first:#04x} instead of 0x1f")


def _inflate(inflater: zlib._Decompress, piece: bytes | memoryview, members: int) -> bytes:
    try:
        return inflater.decompress(piece, _MOST_OUT)
    except zlib.error as error:
        raise LayerUnreadableError(
            "the gzip data is damaged", why=f"member {members + 1}: {str(error).split(': ', 1)[-1]}"
        ) from None
