"""Writes zip archives field by field, so that each field can lie (APPNOTE 4.3)."""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

__all__ = ["End", "RawMember", "deflated", "raw_deflate", "write_zip", "zip64_extra"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RawMember:
    """One member as it will be written; ``None`` means the truth.

    Attributes:
        name: In the directory, and in the local header unless ``local_name`` says otherwise.
        stream: Its compressed bytes, in pieces.
        crc: As the directory has it.
        size: Unpacked size as the directory has it.
        offset: Where the directory says the local header is.
        extra: Extra field of the directory's entry.
        local_extra: Extra field of the local header.
    """

    name: bytes
    stream: Sequence[bytes]
    crc: int
    size: int
    method: int = 8
    compressed: int | None = None
    flags: int = 0x800
    mode: int = 0o100644
    local_name: bytes | None = None
    local_method: int | None = None
    offset: int | None = None
    extra: bytes = b""
    local_extra: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """The end of the archive; ``None`` means the truth.

    Attributes:
        zip64: Write the ZIP64 end record and locator too; they tell the truth where nothing is said.
        count64: The number of entries in the ZIP64 end record.
        place64: Where the locator says that record is.
        between64: Bytes between that record and its locator.
    """

    disk: int = 0
    count: int | None = None
    size: int | None = None
    offset: int | None = None
    comment: bytes = b""
    zip64: bool = False
    count64: int | None = None
    place64: int | None = None
    between64: bytes = b""


def raw_deflate(content: bytes, level: int = 6) -> bytes:
    """Give a raw DEFLATE stream."""
    deflater = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS)
    return deflater.compress(content) + deflater.flush()


def deflated(name: str, content: bytes) -> RawMember:
    """Make a member that is what it says."""
    return RawMember(name=name.encode(), stream=(raw_deflate(content),), crc=zlib.crc32(content), size=len(content))


def zip64_extra(*values: int) -> bytes:
    """Make the extra field with 64-bit values: size, compressed size, offset, as far as they are 0xFFFFFFFF."""
    return struct.pack(f"<2H{len(values)}Q", 1, 8 * len(values), *values)


def write_zip(members: Iterable[RawMember], *, end: End | None = None, prefix: bytes = b"") -> bytearray:
    """Write an archive, members first, whose offsets count from behind the prefix."""
    end = end or End()
    out, directory, count = bytearray(), bytearray(), 0
    for member in members:
        directory += _directory_entry(member, len(out) if member.offset is None else member.offset)
        out += _local_header(member)
        for piece in member.stream:
            out += piece
        count += 1
    size, offset = len(directory), len(out)
    out += directory
    if end.zip64:
        out += _end64(end, count, size, offset)
    values = (_told(end.count, count), _told(end.size, size), _told(end.offset, offset))
    out += struct.pack("<4s4H2LH", b"PK\5\6", end.disk, end.disk, values[0], *values, len(end.comment)) + end.comment
    return bytearray(prefix) + out


def _end64(end: End, count: int, size: int, offset: int) -> bytes:
    place = offset + size
    entries = _told(end.count64, count)
    record = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, 45, 45, 0, 0, entries, entries, size, offset)
    return record + end.between64 + struct.pack("<4sLQL", b"PK\6\7", 0, _told(end.place64, place), 1)


def _local_header(member: RawMember) -> bytes:
    name = member.name if member.local_name is None else member.local_name
    method = _told(member.local_method, member.method)
    sizes = (min(_compressed(member), 0xFFFFFFFF), min(member.size, 0xFFFFFFFF), len(name), len(member.local_extra))
    header = struct.pack("<4s5H3L2H", b"PK\3\4", 20, member.flags, method, 0, 33, member.crc, *sizes)
    return header + name + member.local_extra


def _directory_entry(member: RawMember, offset: int) -> bytes:
    sizes = (member.crc, _compressed(member), member.size, len(member.name), len(member.extra))
    fields = (20, 3, 20, 0, member.flags, member.method, 0, 33, *sizes, 0, 0, 0, member.mode << 16, offset)
    return struct.pack("<4s4B4HL2L5H2L", b"PK\1\2", *fields) + member.name + member.extra


def _compressed(member: RawMember) -> int:
    return _told(member.compressed, sum(map(len, member.stream)))


def _told(lie: int | None, truth: int) -> int:
    return truth if lie is None else lie
