"""Unpacking a member's DEFLATE stream, and proving that the stream is exactly what the directory says.

A stream is only copied into an artifact after it was unpacked once: to the size and CRC-32 promised, with not one
byte left over. A left-over would end up between two gzip members, where each reader does with it what it likes.

libdeflate unpacks several times faster than zlib and is used when it is there. Both give the same bytes or fail.
"""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING

from crossdock.errors import BadWheelError
from crossdock.wheels.member import STORED, Member

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

try:
    import deflate as _libdeflate
except ImportError:  # the core works without it, only slower
    _libdeflate = None  # type: ignore[assignment]

__all__ = ["MEMBER_HEADER", "TRAILER", "gzip_member", "unpack", "unpack_member", "unpack_pieces"]

#: How every gzip member written here begins: method deflate, no flags, no time, no extra flags, unknown operating
#: system (RFC 1952, section 2.3).
MEMBER_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"
#: How one ends: CRC-32 and size of what it unpacks to.
TRAILER = struct.Struct("<2L")
_MOST_AT_ONCE = 4 << 20


def gzip_member(stream: bytes, member: Member) -> bytes:
    """Frame a DEFLATE stream as a gzip member (RFC 1952), believing the sizes in the directory."""
    return b"".join((MEMBER_HEADER, stream, TRAILER.pack(member.crc, member.size & 0xFFFFFFFF)))


def unpack(stream: bytes, member: Member, filename: str) -> bytes | bytearray:
    """Unpack a member's stream at once.

    Raises:
        BadWheelError: It does not unpack, or to another size or CRC-32, or data is left over.
    """
    if member.method == STORED:
        if zlib.crc32(stream) != member.crc:
            raise damaged(member, filename, "its CRC-32 does not match")
        return stream
    return unpack_member(gzip_member(stream, member), member, filename)


def unpack_member(framed: bytes, member: Member, filename: str) -> bytes | bytearray:
    """Unpack a stream that was framed by ``gzip_member``; errors as ``unpack``."""
    if _libdeflate is not None and member.size:  # of no size, it would not look at the stream at all
        try:
            raw = _libdeflate.gzip_decompress(framed, member.size)
        except _libdeflate.DeflateError:
            raw = None
        # libdeflate found the trailer right behind the stream's end. Where those eight bytes occur only once, that
        # place is the end of the member, and nothing is left over. Otherwise zlib decides, which says where it ended.
        if (
            raw is not None
            and len(raw) == member.size
            and framed.find(framed[-8:], len(MEMBER_HEADER)) == len(framed) - 8
        ):
            return raw
    return b"".join(unpack_pieces((framed[len(MEMBER_HEADER) : -8],), member, filename))


def unpack_pieces(stream: Iterable[bytes], member: Member, filename: str) -> Iterator[bytes]:
    """Unpack a stream that comes in pieces, one piece of output for each; errors as ``unpack``.

    Memory is bounded by the pieces, whatever the stream unpacks to.
    """
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    size = crc = 0
    try:
        for raw in stream if member.method == STORED else _inflate(inflater, stream):
            size += len(raw)
            if size > member.size:
                raise damaged(member, filename, "it is longer than the archive's directory says")
            crc = zlib.crc32(raw, crc)
            yield raw
    except zlib.error as error:
        raise damaged(member, filename, str(error)) from None
    if inflater.unused_data:
        raise damaged(member, filename, "there is data behind its end")
    if size != member.size or (member.method != STORED and not inflater.eof):
        raise damaged(member, filename, "it is shorter than the archive's directory says")
    if crc != member.crc:
        raise damaged(member, filename, "its CRC-32 does not match")


def _inflate(inflater: zlib._Decompress, stream: Iterable[bytes]) -> Iterator[bytes]:
    for piece in stream:
        pending = piece
        while pending and not inflater.unused_data:
            yield inflater.decompress(pending, _MOST_AT_ONCE)
            pending = inflater.unconsumed_tail
    while raw := inflater.decompress(b"", _MOST_AT_ONCE):  # what it held back
        yield raw


def damaged(member: Member, filename: str, why: str) -> BadWheelError:
    """Give the error for a member that is not what the directory says."""
    return BadWheelError(
        f"{member.name!r} in {filename} is damaged", why=why, hint="fetch the wheel again, or ask its publisher"
    )
