"""Mach-O headers, thin and fat: the format of programs for macOS.

Implements ``mach_header``, ``mach_header_64``, ``fat_header``, ``fat_arch`` and ``fat_arch_64`` as in Apple's
``mach-o/loader.h`` and ``mach-o/fat.h``.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["MACHO_MAGICS", "MachO", "MachOSlice", "read_macho"]

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
