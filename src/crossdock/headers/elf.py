"""The ELF header: which machine an executable, shared library or object is for.

Implements the "ELF Header" chapter of the System V ABI (gABI 4.1) and the processor flags of
the "ELF for the Arm Architecture" supplement.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["DEVICE_MACHINES", "ELF_MAGIC", "EM_NONE", "ElfHeader", "FloatAbi", "is_malformed_elf", "read_elf"]

ELF_MAGIC: Final = b"\x7fELF"

EM_NONE: Final = 0
EM_ARM: Final = 40

_MACHINE_NAMES: Final = {
    EM_NONE: "no machine",
    2: "sparc",
    3: "i386",
    4: "m68k",
    8: "mips",
    15: "parisc",
    20: "powerpc",
    21: "powerpc64",
    22: "s390",
    EM_ARM: "arm",
    42: "superh",
    43: "sparcv9",
    50: "ia64",
    62: "x86-64",
    83: "avr",
    94: "xtensa",
    183: "aarch64",
    190: "cuda",
    224: "amdgpu",
    243: "riscv",
    247: "bpf",
    258: "loongarch",
}

DEVICE_MACHINES: Final = frozenset({190, 224, 247})
"""Code for a GPU or for the kernel's BPF machine: data to the processor that runs the image."""

_OS_ABI_NAMES: Final = {
    0: "sysv",
    1: "hpux",
    2: "netbsd",
    3: "linux",
    6: "solaris",
    7: "aix",
    8: "irix",
    9: "freebsd",
    10: "tru64",
    12: "openbsd",
    13: "openvms",
    17: "cloudabi",
    64: "arm-aeabi",
    97: "arm",
    255: "standalone",
}

ElfType = Literal["object", "executable", "shared", "core", "other"]
_TYPES: Final[dict[int, ElfType]] = {1: "object", 2: "executable", 3: "shared", 4: "core"}

FloatAbi = Literal["hard", "soft", ""]
_EF_ARM_ABI_FLOAT_SOFT: Final = 0x200
_EF_ARM_ABI_FLOAT_HARD: Final = 0x400


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfHeader:
    """The fields of an ELF header that say where the file can run.

    Attributes:
        machine: ``e_machine``.
        machine_name: Its usual name, or ``machine 1234`` for one without a name here.
        bits: 32 or 64, from ``EI_CLASS``.
        big_endian: From ``EI_DATA``.
        os_abi: ``EI_OSABI`` by name, or ``os abi 123``.
        type: ``e_type``.
        flags: ``e_flags``.
        float_abi: For 32-bit ARM, which calling convention the flags declare; empty when they declare none.
    """

    machine: int
    machine_name: str
    bits: Literal[32, 64]
    big_endian: bool
    os_abi: str
    type: ElfType
    flags: int
    float_abi: FloatAbi


def read_elf(head: bytes) -> ElfHeader | None:
    """Read the ELF header at the start of a file.

    Args:
        head: The first bytes of the file; 64 are enough.

    Returns:
        The header, or None where there is none or a malformed one: see `is_malformed_elf`.
    """
    if len(head) < 16 or not head.startswith(ELF_MAGIC):
        return None
    if head[4] not in (1, 2) or head[5] not in (1, 2):
        return None
    bits: Literal[32, 64] = 32 if head[4] == 1 else 64
    if len(head) < (52 if bits == 32 else 64):
        return None
    order = "<" if head[5] == 1 else ">"
    e_type, machine = struct.unpack_from(order + "HH", head, 16)
    (flags,) = struct.unpack_from(order + "I", head, 36 if bits == 32 else 48)
    return ElfHeader(
        machine=machine,
        machine_name=_MACHINE_NAMES.get(machine, f"machine {machine}"),
        bits=bits,
        big_endian=head[5] == 2,
        os_abi=_OS_ABI_NAMES.get(head[7], f"os abi {head[7]}"),
        type=_TYPES.get(e_type, "other"),
        flags=flags,
        float_abi=_float_abi(flags) if machine == EM_ARM else "",
    )


def is_malformed_elf(head: bytes) -> bool:
    """Tell whether bytes carry ELF's magic number but no header that can be read."""
    return head.startswith(ELF_MAGIC) and read_elf(head) is None


def _float_abi(flags: int) -> FloatAbi:
    # The two bits have this meaning in EABI version 5 only; older versions used them for other things.
    if flags >> 24 != 5:
        return ""
    if flags & _EF_ARM_ABI_FLOAT_HARD:
        return "hard"
    return "soft" if flags & _EF_ARM_ABI_FLOAT_SOFT else ""
