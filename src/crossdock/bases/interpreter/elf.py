"""What a dynamically linked ELF file asks of the system it runs on: its loader, and versions of symbols.

Implements "Program Header", "Program Interpreter" and "Dynamic Section" of the System V ABI (gABI 4.1), and the
"Version Requirements" of the Linux Standard Base Core Specification 5.0, "Symbol Versioning". Read by the program
headers, as the loader does: section headers may be missing, or say something else.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crossdock.headers.elf import read_elf

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["ElfNeeds", "MalformedElfError", "glibc_needed", "read_needs"]

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_STRTAB, _DT_STRSZ = 0, 5, 10
_DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFE, 0x6FFFFFFF

#: Far more than any linker writes; what is beyond is refused.
_MOST_SEGMENTS: Final = 1024
_MOST_DYNAMIC: Final = 65536
_MOST_VERSIONS: Final = 4096
_LONGEST_TEXT: Final = 4096  # bytes; Linux's PATH_MAX

_GLIBC = re.compile(r"GLIBC_([0-9]{1,4})\.([0-9]{1,4})(?:\.[0-9]{1,4})?")
#: Versions that are no numbers, and the glibc that brought them.
_GLIBC_NAMES: Final = {"GLIBC_ABI_DT_RELR": (2, 36), "GLIBC_ABI_GNU2_TLS": (2, 42)}


class MalformedElfError(ValueError):
    """A file that begins as ELF does, but whose tables lead nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfNeeds:
    """What a file asks for.

    Attributes:
        loader: Path of its program interpreter; empty for a library, and for what is linked statically.
        versions: Library and symbol version, as in ``("libc.so.6", "GLIBC_2.17")``, in the file's order.
    """

    loader: str
    versions: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Segment:
    type: int
    offset: int
    address: int
    size: int


class _Reader:
    """Reads numbers and texts at offsets, all of which have to be inside the file."""

    def __init__(self, data: bytes, order: str, bits: int) -> None:
        self._data = data
        self._order = order
        self.bits = bits

    def numbers(self, layout: str, offset: int) -> tuple[int, ...]:
        """Unpack a structure; ``N`` in its layout is an address or word of the file's class."""
        spelled = self._order + layout.replace("N", "Q" if self.bits == 64 else "I")
        if offset < 0 or offset + struct.calcsize(spelled) > len(self._data):
            raise MalformedElfError(f"a table at byte {offset} leads out of the file")
        return struct.unpack_from(spelled, self._data, offset)

    def text(self, start: int, end: int) -> str:
        """Read a NUL-terminated text that ends before ``end``."""
        end = min(end, len(self._data), start + _LONGEST_TEXT)
        stop = self._data.find(b"\0", start, end) if 0 <= start < end else -1
        if stop < 0:
            raise MalformedElfError(f"a name at byte {start} leads out of its table")
        return self._data[start:stop].decode("ascii", "backslashreplace")


def read_needs(data: bytes) -> ElfNeeds:
    """Read what an ELF file asks for.

    Args:
        data: The whole file.

    Raises:
        MalformedElfError: It is not an ELF file, or a broken one.
    """
    header = read_elf(data[:64])
    if header is None:
        raise MalformedElfError("it has no ELF header that can be read")
    reader = _Reader(data, ">" if header.big_endian else "<", header.bits)
    segments = list(_segments(reader))
    loader = ""
    for segment in segments:
        if segment.type == _PT_INTERP:
            loader = reader.text(segment.offset, segment.offset + segment.size)
    dynamic = _dynamic(reader, segments)
    return ElfNeeds(loader=loader, versions=tuple(_versions(reader, segments, dynamic)))


def _segments(reader: _Reader) -> Iterator[_Segment]:
    (start,) = reader.numbers("N", 32 if reader.bits == 64 else 28)
    size, count = reader.numbers("HH", 54 if reader.bits == 64 else 42)
    if count > _MOST_SEGMENTS:
        raise MalformedElfError(f"it has {count} program headers")
    for index in range(count):
        at = start + index * size
        if reader.bits == 64:
            kind, _, offset, address, _, length = reader.numbers("IIQQQQ", at)
        else:
            kind, offset, address, _, length = reader.numbers("IIIII", at)
        yield _Segment(kind, offset, address, length)


def _dynamic(reader: _Reader, segments: list[_Segment]) -> dict[int, int]:
    """Read the dynamic section into a table of tags; of one that is there twice, the last counts."""
    found: dict[int, int] = {}
    width = 16 if reader.bits == 64 else 8
    for segment in segments:
        if segment.type != _PT_DYNAMIC:
            continue
        for index in range(min(segment.size // width, _MOST_DYNAMIC)):
            tag, value = reader.numbers("NN", segment.offset + index * width)
            if tag == _DT_NULL:
                break
            found[tag] = value
    return found


def _versions(reader: _Reader, segments: list[_Segment], dynamic: dict[int, int]) -> Iterator[tuple[str, str]]:
    if _DT_VERNEED not in dynamic:
        return
    names = _offset(segments, dynamic.get(_DT_STRTAB, 0))
    end = names + dynamic.get(_DT_STRSZ, 0)
    at = _offset(segments, dynamic[_DT_VERNEED])
    left = _MOST_VERSIONS
    for _ in range(dynamic.get(_DT_VERNEEDNUM, 0)):
        _, count, library, first, following = reader.numbers("HHIII", at)
        file, auxiliary = reader.text(names + library, end), at + first
        for _ in range(count):
            left -= 1
            if left < 0:
                raise MalformedElfError(f"it asks for more than {_MOST_VERSIONS} symbol versions")
            _, _, _, name, step = reader.numbers("IHHII", auxiliary)
            yield file, reader.text(names + name, end)
            if not step:
                break
            auxiliary += step
        left -= 1
        if left < 0 or not following:
            break
        at += following


def _offset(segments: list[_Segment], address: int) -> int:
    for segment in segments:
        if segment.type == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return address - segment.address + segment.offset
    raise MalformedElfError(f"address {address:#x} is in no segment of the file")


def glibc_needed(needs: ElfNeeds) -> tuple[int, int]:
    """Give the oldest glibc that has all symbol versions asked for; (0, 0) where none is asked for."""
    oldest = (0, 0)
    for _, version in needs.versions:
        match = _GLIBC.fullmatch(version)
        if match:
            oldest = max(oldest, (int(match[1]), int(match[2])))
        else:
            oldest = max(oldest, _GLIBC_NAMES.get(version, (0, 0)))
    return oldest
