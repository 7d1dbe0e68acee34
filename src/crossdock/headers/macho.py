"""Mach-O headers, thin and fat: the format of programs for macOS.

Implements ``mach_header``, ``mach_header_64``, ``fat_header``, ``fat_arch`` and ``fat_arch_64`` as in Apple's
``mach-o/loader.h`` and ``mach-o/fat.h``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from crossdock.headers.linking import DamagedHeaderError, Linking
from crossdock.headers.macho_commands import HEAD_READ, read_commands
from crossdock.headers.source import PartSource

if TYPE_CHECKING:
    from crossdock.headers.source import Source

__all__ = ["MACHO_MAGICS", "MachO", "MachOSlice", "read_macho", "read_macho_linking"]

_THIN: Final[dict[bytes, tuple[str, Literal[32, 64]]]] = {
    b"\xfe\xed\xfa\xce": (">", 32),
    b"\xce\xfa\xed\xfe": ("<", 32),
    b"\xfe\xed\xfa\xcf": (">", 64),
    b"\xcf\xfa\xed\xfe": ("<", 64),
}
_FAT32: Final = b"\xca\xfe\xba\xbe"
_FAT64: Final = b"\xca\xfe\xba\xbf"
MACHO_MAGICS: Final = frozenset({*_THIN, _FAT32, _FAT64})

# Java class files share the fat magic. Their next four bytes are minor and major version, and the first major version
# ever was 45, so as a count of slices they read as 45 or more; no fat file has nearly as many.
_FIRST_JAVA_MAJOR: Final = 45

_CPU_ARCH_ABI64: Final = 0x01000000
_CPU_NAMES: Final = {
    7: "i386",
    7 | _CPU_ARCH_ABI64: "x86_64",
    12: "arm",
    12 | _CPU_ARCH_ABI64: "arm64",
    12 | 0x02000000: "arm64_32",
    18: "ppc",
    18 | _CPU_ARCH_ABI64: "ppc64",
}
# Code that not every processor of the type runs: for Apple's own processes, and for processors since Haswell.
_SUBTYPE_NAMES: Final = {
    (12 | _CPU_ARCH_ABI64, 2): "arm64e",
    (7 | _CPU_ARCH_ABI64, 8): "x86_64h",
}
_CPU_SUBTYPE_MASK: Final = 0x00FFFFFF  # the highest byte holds capabilities

# Slices that are no Mach-O files: static libraries, and code that is compiled on the machine it runs on.
_OTHER_CONTENT: Final = (b"!<arch>\n", b"\xde\xc0\x17\x0b", b"BC\xc0\xde")


@dataclass(frozen=True, slots=True, kw_only=True)
class MachOSlice:
    """The code of a Mach-O file for one processor.

    Attributes:
        cpu_type: ``cputype``.
        cpu_name: Its usual name, by ``cpusubtype`` where that matters, or ``cpu 0x1234`` for one without a name here.
        bits: 32 or 64.
    """

    cpu_type: int
    cpu_name: str
    bits: Literal[32, 64]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachO:
    """What a Mach-O file holds.

    Attributes:
        fat: Whether it is a fat file, which holds one file per processor.
        slices: All of them; one for a thin file. Fewer than declared if the table was cut short.
        declared: How many slices the header declares.
    """

    fat: bool
    slices: tuple[MachOSlice, ...]
    declared: int


def read_macho(head: bytes) -> MachO | None:
    """Read the Mach-O header at the start of a file.

    Args:
        head: The first bytes of the file; 1.5 KiB hold the largest table that is read as fat.

    Returns:
        The header, or None if there is none: also for a Java class file.
    """
    magic = head[:4]
    if magic in _THIN:
        order, bits = _THIN[magic]
        if len(head) < 12:
            return MachO(fat=False, slices=(), declared=1)
        cpu_type, subtype = struct.unpack_from(order + "II", head, 4)
        return MachO(fat=False, slices=(_slice(cpu_type, subtype, bits=bits),), declared=1)
    if magic in (_FAT32, _FAT64):
        return _read_fat(head, entry_size=20 if magic == _FAT32 else 32)
    return None


def read_macho_linking(source: Source) -> tuple[Linking, ...]:
    """Read what the code in a Mach-O file needs.

    Args:
        source: The whole file.

    Returns:
        One for each of the slices of `read_macho`, in their order. Slices that are static libraries or bitcode have
        the type ``other`` and need nothing.

    Raises:
        DamagedHeaderError: A header is cut short or contradicts itself: slices that overlap, lie outside of the file,
            are for another processor than the table says or for the same one twice, included.
    """
    head = source.read(0, HEAD_READ)
    macho = read_macho(head)
    if macho is None:
        raise DamagedHeaderError("it has no Mach-O header")
    if len(macho.slices) != macho.declared:
        raise DamagedHeaderError("the Mach-O header is cut short")
    if not macho.fat:
        return (read_commands(source, *_THIN[head[:4]], head=head),)
    places = _fat_places(head, len(macho.slices), source.size)
    return tuple(
        _read_slice(PartSource(source, start, size), item)
        for (start, size), item in zip(places, macho.slices, strict=True)
    )


def _fat_places(head: bytes, count: int, file_size: int) -> list[tuple[int, int]]:
    layout = struct.Struct(">5I" if head[:4] == _FAT32 else ">2I2Q2I")
    entries = [layout.unpack_from(head, 8 + index * layout.size) for index in range(count)]
    if len({(cpu, subtype & _CPU_SUBTYPE_MASK) for cpu, subtype, *_ in entries}) != count:
        raise DamagedHeaderError("two slices are for the same processor")
    behind = 8 + count * layout.size
    for start, size in sorted((entry[2], entry[3]) for entry in entries):
        if start < behind:
            raise DamagedHeaderError(f"the slice at {start} overlaps what lies before it")
        behind = start + size
        if behind > file_size:
            raise DamagedHeaderError(f"the slice at {start} ends at {behind}, the file at {file_size}: it is cut short")
    return [(entry[2], entry[3]) for entry in entries]


def _read_slice(part: Source, declared: MachOSlice) -> Linking:
    head = part.read(0, HEAD_READ)
    if head.startswith(_OTHER_CONTENT):
        return Linking(type="other")
    if head[:4] not in _THIN:
        raise DamagedHeaderError(f"the slice for {declared.cpu_name} holds no Mach-O file")
    inner = read_macho(head)
    if inner is None or not inner.slices:
        raise DamagedHeaderError("the Mach-O header is cut short")
    if inner.slices[0].cpu_name != declared.cpu_name:
        raise DamagedHeaderError(f"the slice for {declared.cpu_name} holds code for {inner.slices[0].cpu_name}")
    return read_commands(part, *_THIN[head[:4]], head=head)


def _read_fat(head: bytes, *, entry_size: int) -> MachO | None:
    if len(head) < 8:
        return None
    (declared,) = struct.unpack_from(">I", head, 4)
    if not 1 <= declared < _FIRST_JAVA_MAJOR:
        return None
    present = min(declared, (len(head) - 8) // entry_size)
    cpus = [struct.unpack_from(">II", head, 8 + index * entry_size) for index in range(present)]
    return MachO(fat=True, slices=tuple(_slice(*cpu) for cpu in cpus), declared=declared)


def _slice(cpu_type: int, subtype: int, *, bits: Literal[32, 64] | None = None) -> MachOSlice:
    if bits is None:
        bits = 64 if cpu_type & _CPU_ARCH_ABI64 else 32
    special = _SUBTYPE_NAMES.get((cpu_type, subtype & _CPU_SUBTYPE_MASK))
    name = special or _CPU_NAMES.get(cpu_type, f"cpu {cpu_type:#x}")
    return MachOSlice(cpu_type=cpu_type, cpu_name=name, bits=bits)
