"""PE headers: the format of programs for Windows, of EFI programs and of .NET assemblies.

Implements "MS-DOS Stub", "Signature", "COFF File Header" and the parts of "Optional Header" that are needed, of
Microsoft's PE format specification.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from crossdock.headers.linking import DamagedHeaderError, Linking
from crossdock.headers.pe_image import delay_imports, export_name, has_chpe_metadata, imports, open_image

if TYPE_CHECKING:
    from crossdock.headers.pe_image import PeImage
    from crossdock.headers.source import Source

__all__ = [
    "DOS_MAGIC",
    "PE_HEADER_SIZE",
    "PE_SIGNATURE",
    "PeHeader",
    "pe_offset",
    "read_pe",
    "read_pe_hybrid",
    "read_pe_linking",
]

DOS_MAGIC: Final = b"MZ"
PE_SIGNATURE: Final = b"PE\0\0"

PE_HEADER_SIZE: Final = 24 + 112 + 16 * 8
"""Bytes from the signature on that `read_pe` makes use of: COFF header, PE32+ optional header, directories."""

_MACHINE_NAMES: Final = {
    0x014C: "i386",
    0x0200: "ia64",
    0x01C0: "arm",
    0x01C4: "arm",
    0x0EBC: "efi bytecode",
    0x5032: "riscv32",
    0x5064: "riscv64",
    0x6264: "loongarch64",
    0x8664: "x86-64",
    0xA641: "arm64ec",
    0xAA64: "aarch64",
}
_HEAD_READ: Final = 4096  # holds all the headers of most files
_CLR_DIRECTORY: Final = 14
_IMAGE_FILE_DLL: Final = 0x2000
_HYBRIDS: Final[dict[int, Literal["arm64ec", "arm64x"]]] = {0x8664: "arm64ec", 0xAA64: "arm64x"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeHeader:
    """The fields of a PE header that say where the file can run.

    Attributes:
        machine: ``Machine`` of the COFF header.
        machine_name: Its usual name, or ``machine 0x1234`` for one without a name here.
        bits: 32 for PE32, 64 for PE32+, None where there is no optional header.
        managed: Whether it has a CLR header: a .NET assembly, which other systems run as well.
    """

    machine: int
    machine_name: str
    bits: Literal[32, 64] | None
    managed: bool


def pe_offset(head: bytes) -> int | None:
    """Tell where in a file the PE signature is to be looked for.

    Args:
        head: The first bytes of the file; 64 are enough.

    Returns:
        ``e_lfanew`` of the MS-DOS header, anything from 0 to 2**32-1; None if there is no such header.
    """
    if len(head) < 64 or not head.startswith(DOS_MAGIC):
        return None
    return int.from_bytes(head[60:64], "little")


def read_pe(data: bytes) -> PeHeader | None:
    """Read a PE header.

    Args:
        data: The bytes of the file from `pe_offset` on; `PE_HEADER_SIZE` are enough.

    Returns:
        The header, or None if there is none: an MS-DOS program, or a file that starts with the same two letters.
    """
    if len(data) < 6 or not data.startswith(PE_SIGNATURE):
        return None
    machine = int.from_bytes(data[4:6], "little")
    bits: Literal[32, 64] | None = {0x10B: 32, 0x20B: 64}.get(int.from_bytes(data[24:26], "little"))  # type: ignore[assignment]
    return PeHeader(
        machine=machine,
        machine_name=_MACHINE_NAMES.get(machine, f"machine {machine:#x}"),
        bits=bits,
        managed=bits is not None and _has_clr_header(data, bits=bits),
    )


def read_pe_linking(source: Source) -> Linking:
    """Read what the code in a PE file needs.

    Args:
        source: The whole file; its PE header may lie anywhere in it.

    Returns:
        Its imports, its name and the oldest version of the subsystem it runs on. Windows lets no program ask for a
        stack that can be executed, only go without the protection, so ``executable_stack`` is False.

    Raises:
        DamagedHeaderError: A header is cut short or contradicts itself.
    """
    image = _open(source)[1]
    major, minor = image.subsystem_version
    return Linking(
        type="shared" if image.characteristics & _IMAGE_FILE_DLL else "executable",
        name=export_name(image),
        needed=imports(image),
        weak=delay_imports(image),
        minimum=f"{major}.{minor}" if major or minor else "",
    )


def read_pe_hybrid(source: Source) -> Literal["", "arm64ec", "arm64x"]:
    """Tell whether a PE file holds code for Windows' emulation of x86-64 on ARM64.

    An ARM64EC file has the machine x86-64 in its header and runs on no x86-64 machine; an ARM64X file has the machine
    aarch64, runs as such, and in x86-64 processes on ARM64 besides. Only the load configuration tells them.

    Args:
        source: The whole file.

    Returns:
        Which of the two, empty if it is neither.

    Raises:
        DamagedHeaderError: A header is cut short or contradicts itself.
    """
    machine, image = _open(source)
    name = _HYBRIDS.get(machine)
    return name if name and has_chpe_metadata(image) else ""


def _open(source: Source) -> tuple[int, PeImage]:
    head = source.read(0, _HEAD_READ)
    offset = pe_offset(head)
    if offset is None:
        raise DamagedHeaderError("it has no MS-DOS header")
    data = head[offset:] if offset + PE_HEADER_SIZE <= len(head) else source.read(offset, _HEAD_READ)
    if len(data) < 6 or not data.startswith(PE_SIGNATURE):
        raise DamagedHeaderError("it has no PE header")
    return int.from_bytes(data[4:6], "little"), open_image(source, offset, data)


def _has_clr_header(data: bytes, *, bits: Literal[32, 64]) -> bool:
    directories = 24 + (96 if bits == 32 else 112)
    entry = directories + _CLR_DIRECTORY * 8
    if len(data) < entry + 8:
        return False
    (count,) = struct.unpack_from("<I", data, directories - 4)
    address, size = struct.unpack_from("<II", data, entry)
    return bool(count > _CLR_DIRECTORY and address and size)
