"""Reading a wheel where it lies: its directory, and each member's compressed bytes.

A wheel is a zip archive (binary distribution format, "File Format"). Nothing is unpacked to disk, and what the
directory says is not believed until it was checked: names stay inside the archive, members do not overlap, sizes
are bounded, every CRC-32 is compared.

The zip directory is read here and not by ``zipfile`` because a layer is made by copying compressed streams: that
needs each stream's exact place, and both of a member's headers to agree on it.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from crossdock.errors import BadWheelError, UnsafeWheelError, UnsupportedWheelError
from crossdock.wheels.member import DEFLATED, STORED, Member
from crossdock.wheels.streams import unpack, unpack_pieces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

__all__ = ["Limits", "WheelArchive"]

_END = struct.Struct("<4s4H2LH")
_END_SIGNATURE = b"PK\x05\x06"
_END_LIMITS = (0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF)
_LOCATOR64 = struct.Struct("<4sLQL")
_LOCATOR64_SIGNATURE = b"PK\x06\x07"
_END64 = struct.Struct("<4sQ2H2L4Q")
_END64_SIGNATURE = b"PK\x06\x06"
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_CENTRAL_SIGNATURE = b"PK\x01\x02"
_LOCAL = struct.Struct("<4s5H3L2H")
_LOCAL_SIGNATURE = b"PK\x03\x04"
_ZIP64_EXTRA = 0x0001
_ENCRYPTED, _UTF8 = 0x1, 0x800
_UNIX = 3
_FILE_TYPE, _REGULAR, _SYMLINK, _OWNER_EXECUTES = 0o170000, 0o100000, 0o120000, 0o100

#: No system takes a longer path. Each of its folders is looked at: thousands of them are an attack.
_LONGEST_NAME = 1024

#: Streams are copied in pieces of this many bytes, so that memory does not grow with a wheel.
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a wheel may claim to hold; nothing real comes near.

    Attributes:
        members: Entries in the directory.
        directory: Bytes of the directory.
        unpacked: Bytes of all members together when unpacked.
        ratio: Unpacked bytes per byte of the wheel, beyond the first 64 MiB.
    """

    members: int = 200_000
    directory: int = 64 << 20
    unpacked: int = 32 << 30
    ratio: int = 200


class WheelArchive:
    """An open wheel.

    Args:
        path: The wheel on disk; any name.
        filename: What to call it in messages.
        limits: Bounds against zip bombs.

    Raises:
        BadWheelError: It is not a readable zip archive.
        UnsafeWheelError: It is one, but made to do harm or to be read in two ways.
        UnsupportedWheelError: It uses a feature of zip that wheels do not.
    """

    def __init__(self, path: Path, filename: str, *, limits: Limits | None = None) -> None:
        self.filename = filename
        self._file = path.open("rb", buffering=0)
        try:
            self.size = self._file.seek(0, os.SEEK_END)
            self.members = self._read_directory(limits or Limits())
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def stream(self, member: Member) -> bytes:
        """Read a member's compressed bytes, as they are in the wheel, at once."""
        span = self._pread(_LOCAL.size + len(member.name.encode()) + 64 + member.compressed, member.offset)
        start = self._data_start(member, span)
        if len(span) < start + member.compressed:  # an extra field longer than guessed
            return self._pread_exactly(member.compressed, member.offset + start, member)
        return span[start : start + member.compressed]

    def stream_pieces(self, member: Member) -> Iterator[bytes]:
        """Read a member's compressed bytes piece by piece."""
        header = self._pread(_LOCAL.size + len(member.name.encode()), member.offset)
        position = member.offset + self._data_start(member, header)
        left = member.compressed
        while left:
            piece = self._pread_exactly(min(CHUNK, left), position, member)
            position += len(piece)
            left -= len(piece)
            yield piece

    def read(self, member: Member) -> bytes:
        """Read and unpack a member at once, checking its size and CRC-32."""
        return bytes(unpack(self.stream(member), member, self.filename))

    def unpacked_pieces(self, member: Member) -> Iterator[bytes]:
        """Read and unpack a member piece by piece, checking its size and CRC-32 at the end."""
        pieces = self.stream_pieces(member)
        return unpack_pieces(pieces, member, self.filename)

    def _data_start(self, member: Member, span: bytes) -> int:
        """Where a member's data starts, counted from its local header, which must agree with the directory."""
        if len(span) < _LOCAL.size or span[:4] != _LOCAL_SIGNATURE:
            raise self._bad(f"there is no local header for {member.name!r}")
        fields = _LOCAL.unpack_from(span)
        method, name_length, extra_length = fields[3], fields[9], fields[10]
        if method != member.method:
            raise self._unsafe(f"{member.name!r} has one compression method in its header, another in the directory")
        name = member.name.encode()
        if name_length != len(name) or span[_LOCAL.size : _LOCAL.size + name_length] != name:
            raise self._unsafe(f"{member.name!r} has another name in its own header")
        start: int = _LOCAL.size + name_length + extra_length
        return start

    def _pread(self, count: int, offset: int) -> bytes:
        self._file.seek(offset)
        return self._file.read(count)

    def _pread_exactly(self, count: int, offset: int, member: Member) -> bytes:
        piece = self._pread(count, offset)
        if len(piece) != count:
            raise self._bad(f"the file ends within {member.name!r}")
        return piece

    def _read_directory(self, limits: Limits) -> tuple[Member, ...]:
        offset, size, count = self._find_directory()
        if count > limits.members or size > limits.directory:
            raise self._unsafe(f"its directory claims {count:,} members in {size:,} bytes")
        directory = self._pread(size, offset)
        if len(directory) != size:
            raise self._bad("its directory is cut off")
        members = tuple(self._parse_directory(directory, count))
        self._check_sizes(members, limits)
        self._check_names(members)
        self._check_places(members, offset)
        return members

    def _find_directory(self) -> tuple[int, int, int]:
        """Give the directory's offset, size in bytes and number of entries (APPNOTE 4.3.14 to 4.3.16)."""
        tail_size = min(self.size, _END.size + 0xFFFF)
        tail = self._pread(tail_size, self.size - tail_size)
        at = tail.rfind(_END_SIGNATURE)
        if at < 0 or len(tail) - at < _END.size:
            raise self._bad("it does not end as a zip archive does")
        _, disk, directory_disk, on_disk, count, size, offset, comment = _END.unpack_from(tail, at)
        if at + _END.size + comment != len(tail):
            raise self._unsafe("there is data after its end")
        end = self.size - tail_size + at
        locator = self._pread(_LOCATOR64.size, end - _LOCATOR64.size) if end >= _LOCATOR64.size else b""
        if locator[:4] == _LOCATOR64_SIGNATURE:
            small = (disk, directory_disk, on_disk, count, size, offset)
            end, large = self._read_end64(end - _LOCATOR64.size - _END64.size, _LOCATOR64.unpack(locator)[2])
            # Some readers look at one record only, some at the other: they must not see two archives.
            if any(low not in (high, limit) for low, high, limit in zip(small, large, _END_LIMITS, strict=True)):
                raise self._unsafe("its two end records contradict each other")
            disk, directory_disk, on_disk, count, size, offset = large
        if disk or directory_disk or on_disk != count:
            raise UnsupportedWheelError(f"{self.filename} is one part of a split archive")
        if offset + size != end:
            raise self._unsafe("its directory does not end where its end record starts")
        return offset, size, count

    def _read_end64(self, end: int, said: int) -> tuple[int, tuple[int, ...]]:
        """Read the ZIP64 end record, which must lie where both its locator and its readers look for it."""
        record = self._pread(_END64.size, end) if end >= 0 else b""
        if said != end or record[:4] != _END64_SIGNATURE:
            raise self._bad("its ZIP64 end record is not where it is said to be")
        return end, _END64.unpack(record)[4:]

    def _parse_directory(self, directory: bytes, count: int) -> Iterator[Member]:
        at = 0
        for _ in range(count):
            if len(directory) - at < _CENTRAL.size or directory[at : at + 4] != _CENTRAL_SIGNATURE:
                raise self._bad("its directory is damaged")
            fields = _CENTRAL.unpack_from(directory, at)
            system, flags, method = fields[2], fields[5], fields[6]
            crc, compressed, size = fields[9], fields[10], fields[11]
            name_length, extra_length, comment_length = fields[12:15]
            attributes, offset = fields[17], fields[18]
            at += _CENTRAL.size
            name_bytes = directory[at : at + name_length]
            extra = directory[at + name_length : at + name_length + extra_length]
            at += name_length + extra_length + comment_length
            if at > len(directory):
                raise self._bad("its directory is damaged")
            name = self._name(name_bytes, flags)
            if 0xFFFFFFFF in (compressed, size, offset):
                size, compressed, offset = self._zip64(extra, size, compressed, offset, name)
            mode = attributes >> 16 if system == _UNIX else 0
            if flags & _ENCRYPTED:
                raise UnsupportedWheelError(f"{self.filename}: {name!r} is encrypted")
            if mode & _FILE_TYPE not in (0, _REGULAR) and not name.endswith("/"):
                kind = "a symbolic link" if mode & _FILE_TYPE == _SYMLINK else "not a regular file"
                raise self._unsafe(f"{name!r} is {kind}")
            if method not in (STORED, DEFLATED):
                raise UnsupportedWheelError(
                    f"{self.filename}: {name!r} is compressed by method {method}",
                    why="wheels use methods 0 (stored) and 8 (deflate) only, so that every installer can read them",
                    hint="repack the wheel, for example with `python -m wheel unpack` and `wheel pack`",
                )
            if name.endswith("/") and size == 0:
                continue
            yield Member(name, method, compressed, size, crc, bool(mode & _OWNER_EXECUTES), offset)
        if at != len(directory):
            raise self._bad("its directory holds more than it counts")

    def _name(self, raw: bytes, flags: int) -> str:
        try:
            return raw.decode("utf-8" if flags & _UTF8 else "ascii")
        except UnicodeDecodeError:
            # Older tools wrote UTF-8 without saying so; anything else has no defined meaning in a wheel.
            try:
                return raw.decode("utf-8")
            except UnicodeDecodeError:
                raise self._bad(f"the name {raw!r} is not UTF-8") from None

    def _zip64(self, extra: bytes, size: int, compressed: int, offset: int, name: str) -> tuple[int, int, int]:
        """Take the 64-bit values from the extra field, in the order APPNOTE 4.5.3 gives them."""
        at = 0
        while at + 4 <= len(extra):
            kind, length = struct.unpack_from("<2H", extra, at)
            if kind == _ZIP64_EXTRA:
                wanted = [value == 0xFFFFFFFF for value in (size, compressed, offset)]
                if length < 8 * sum(wanted) or at + 4 + length > len(extra):
                    break
                values = iter(struct.unpack_from(f"<{sum(wanted)}Q", extra, at + 4))
                size, compressed, offset = (
                    next(values) if missing else value
                    for missing, value in zip(wanted, (size, compressed, offset), strict=True)
                )
                return size, compressed, offset
            at += 4 + length
        raise self._bad(f"{name!r} has no ZIP64 sizes")

    def _check_sizes(self, members: tuple[Member, ...], limits: Limits) -> None:
        unpacked = sum(member.size for member in members)
        if unpacked > limits.unpacked or unpacked > (64 << 20) + limits.ratio * self.size:
            raise self._unsafe(
                f"it claims to unpack to {unpacked:,} bytes from {self.size:,}",
                hint="if the wheel is what it should be, repack it with less extreme contents",
            )
        for member in members:
            if member.method == STORED and member.size != member.compressed:
                raise self._unsafe(f"{member.name!r} is stored, yet has two sizes")

    def _check_names(self, members: tuple[Member, ...]) -> None:
        seen = set()
        for member in members:
            name = member.name
            parts = name.split("/")
            if (
                not name
                or "\\" in name
                or "\0" in name
                or name.startswith("/")
                or ".." in parts
                or "." in parts
                or "" in parts
                or (len(parts[0]) > 1 and parts[0][1] == ":")
            ):
                raise self._unsafe(f"the path {name!r} leads out of it")
            if len(name) > _LONGEST_NAME:
                raise self._unsafe(f"a path in it is {len(name):,} characters long: {name[:60]!r}…")
            if name in seen:
                raise self._unsafe(f"it holds {name!r} twice")
            seen.add(name)

    def _check_places(self, members: tuple[Member, ...], end: int) -> None:
        """No two members may share bytes: overlapping ones are how small archives unpack to very large ones."""
        last = end
        for member in sorted(members, key=lambda member: member.offset, reverse=True):
            if member.offset + _LOCAL.size + len(member.name.encode()) + member.compressed > last:
                raise self._unsafe(f"{member.name!r} overlaps what follows it")
            last = member.offset

    def _bad(self, why: str) -> BadWheelError:
        return BadWheelError(
            f"{self.filename} is not a readable wheel", why=why, hint="fetch it again, or ask its publisher"
        )

    def _unsafe(self, why: str, *, hint: str = "do not use this wheel; tell its publisher") -> UnsafeWheelError:
        return UnsafeWheelError(f"{self.filename} was refused", why=why, hint=hint)
