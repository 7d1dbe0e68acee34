"""What a file's first bytes say: is it a program, and for which machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from crossdock.headers.elf import DEVICE_MACHINES, ELF_MAGIC, EM_NONE, ElfHeader, FloatAbi, read_elf
from crossdock.headers.linking import Linking  # noqa: TC001  of a field: whoever reads fields' types needs it
from crossdock.headers.macho import MACHO_MAGICS, MachO, read_macho
from crossdock.headers.pe import DOS_MAGIC, PE_HEADER_SIZE, PeHeader, pe_offset, read_pe

__all__ = ["HEAD_SIZE", "MACHINE_NAMES", "Binary", "Format", "from_pe", "identify"]

HEAD_SIZE: Final = 4096
"""Bytes of a file that `identify` wants: all of an ELF header and of a Mach-O table, and nearly every PE header."""

Format = Literal["elf", "macho", "pe"]

_LITTLE, _BIG = False, True
_ELF_ARCHITECTURES: Final = {
    # (e_machine, bits, big-endian): the architecture's name in OCI (GOARCH)
    (62, 64, _LITTLE): "amd64",
    (183, 64, _LITTLE): "arm64",
    (40, 32, _LITTLE): "arm",
    (3, 32, _LITTLE): "386",
    (21, 64, _LITTLE): "ppc64le",
    (21, 64, _BIG): "ppc64",
    (22, 64, _BIG): "s390x",
    (243, 64, _LITTLE): "riscv64",
    (258, 64, _LITTLE): "loong64",
    (8, 64, _LITTLE): "mips64le",
    (8, 64, _BIG): "mips64",
    (8, 32, _LITTLE): "mipsle",
    (8, 32, _BIG): "mips",
}
_OTHER_ARCHITECTURES: Final = {
    "x86-64": "amd64",
    "x86_64": "amd64",
    "aarch64": "arm64",
    "arm64": "arm64",
    "i386": "386",
    "arm": "arm",
    "riscv64": "riscv64",
    "loongarch64": "loong64",
    "ppc64": "ppc64",
}

MACHINE_NAMES: Final = {
    "amd64": "x86-64",
    "arm64": "aarch64",
    "arm": "arm (32-bit, little-endian)",
    "386": "i386",
    "ppc64le": "powerpc64 (little-endian)",
    "s390x": "s390 (64-bit)",
    "riscv64": "riscv (64-bit)",
}
"""The architectures that images are judged for: OCI's name to the one that ELF's users know."""

_FORMAT_NAMES: Final = {"elf": "ELF", "macho": "Mach-O", "pe": "PE (Windows)"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Binary:
    """A program, library or object file.

    Attributes:
        format: Its file format.
        machines: The architectures it is for, by OCI's name where it has one, else by the format's own. More than one
            for a fat Mach-O file; none if they cannot be told.
        label: The machines in words, for people: ``x86-64``, or ``powerpc64, big-endian``.
        bits: 32 or 64, None if unknown.
        os_abi: For ELF, the operating system in its header; ``sysv`` and ``linux`` both run on Linux.
        float_abi: For 32-bit ARM, the floating-point calling convention it declares, if any.
        hosted: False for what no processor runs by itself: BPF and GPU code, and virtual machines' bytecode in ELF.
        managed: Whether it is a .NET assembly.
        undecided: Why the machine could not be told; empty if it could.
        linking: What it needs, for each of ``machines`` in their order; empty where only its first bytes were read, and
            where nothing of the kind can be told.
        damaged: Why ``linking`` could not be read, though the machine could be told.
    """

    format: Format
    machines: tuple[str, ...]
    label: str
    bits: Literal[32, 64] | None = None
    os_abi: str = ""
    float_abi: FloatAbi = ""
    hosted: bool = True
    managed: bool = False
    undecided: str = ""
    linking: tuple[Linking, ...] = ()
    damaged: str = ""

    def linking_for(self, machine: str) -> Linking | None:
        """Give what its code for a machine, by OCI's name, needs; None if there is none or it could not be read."""
        return next((item for name, item in zip(self.machines, self.linking, strict=False) if name == machine), None)

    @property
    def kind(self) -> str:
        """Machine and format in words: ``x86-64 ELF``."""
        return f"{self.label} {_FORMAT_NAMES[self.format]}".strip()


def identify(head: bytes) -> Binary | None:
    """Tell what a file is by its first bytes.

    Args:
        head: The first `HEAD_SIZE` bytes of the file, or all of it if it is shorter.

    Returns:
        What it is; None if it is no program. `Binary.undecided` is set where the bytes given do not suffice: a
        malformed ELF header, or a PE header that lies behind them (see `crossdock.headers.pe.pe_offset`).
    """
    if head.startswith(ELF_MAGIC):
        return _from_elf(read_elf(head))
    if head.startswith(DOS_MAGIC):
        return _from_dos(head)
    if head[:4] in MACHO_MAGICS:
        macho = read_macho(head)
        return _from_macho(macho) if macho else None
    return None


def from_pe(header: PeHeader) -> Binary:
    """Describe a PE file by its header."""
    return Binary(
        format="pe",
        machines=(_OTHER_ARCHITECTURES.get(header.machine_name, header.machine_name),),
        label=header.machine_name,
        bits=header.bits,
        managed=header.managed,
    )


def _from_elf(header: ElfHeader | None) -> Binary:
    if header is None:
        return Binary(format="elf", machines=(), label="", undecided="its ELF header is cut short or malformed")
    key = (header.machine, header.bits, header.big_endian)
    label = header.machine_name
    if key not in _ELF_ARCHITECTURES or header.machine in {8, 21}:
        label += f" ({header.bits}-bit, {'big' if header.big_endian else 'little'}-endian)"
    # Guile's compiled modules are ELF files for no machine and no system: bytecode, not a broken library.
    bytecode = header.machine == EM_NONE and header.os_abi == "standalone"
    return Binary(
        format="elf",
        machines=(_ELF_ARCHITECTURES.get(key, label),),
        label=label,
        bits=header.bits,
        os_abi=header.os_abi,
        float_abi=header.float_abi,
        hosted=header.machine not in DEVICE_MACHINES and not bytecode,
    )


def _from_dos(head: bytes) -> Binary | None:
    offset = pe_offset(head)
    if offset is None:
        return None
    if offset + PE_HEADER_SIZE > HEAD_SIZE and len(head) >= HEAD_SIZE:
        return Binary(format="pe", machines=(), label="", undecided="its PE header lies beyond the bytes read")
    header = read_pe(head[offset : offset + PE_HEADER_SIZE])
    return from_pe(header) if header else None


def _from_macho(macho: MachO) -> Binary:
    names = [item.cpu_name for item in macho.slices]
    complete = len(macho.slices) == macho.declared
    bits = {item.bits for item in macho.slices}
    return Binary(
        format="macho",
        machines=tuple(_OTHER_ARCHITECTURES.get(name, name) for name in names),
        label="+".join(names),
        bits=bits.pop() if len(bits) == 1 else None,
        undecided="" if complete else "its Mach-O header is cut short",
    )
