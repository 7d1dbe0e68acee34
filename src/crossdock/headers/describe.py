"""What a file is, for which machines, and what its code needs from elsewhere: all that its headers say."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from crossdock.headers.binary import HEAD_SIZE, Binary, from_pe, identify
from crossdock.headers.elf import read_elf
from crossdock.headers.elf_linking import read_elf_linking
from crossdock.headers.linking import DamagedHeaderError
from crossdock.headers.macho import read_macho_linking
from crossdock.headers.pe import PE_HEADER_SIZE, pe_offset, read_pe, read_pe_hybrid, read_pe_linking

if TYPE_CHECKING:
    from crossdock.headers.linking import Linking
    from crossdock.headers.source import Source

__all__ = ["describe"]

#: The headers of 16-bit Windows and OS/2, which are no PE files, and do not pretend to be.
_OLDER: Final = (b"NE", b"LE", b"LX")


def describe(source: Source) -> Binary | None:
    """Read a file's headers as far as they say what it needs.

    Whatever the bytes are, this ends soon, takes little memory and raises nothing of its own.

    Args:
        source: The whole file.

    Returns:
        What it is; None if it is no program. `Binary.undecided` is set where the machine cannot be told, and
        `Binary.damaged` where the machine can be told but what the rest says contradicts itself.
    """
    head = source.read(0, HEAD_SIZE)
    binary = identify(head)
    if binary is not None and binary.format == "pe" and binary.undecided:
        binary = _with_distant_header(source, head)
    if binary is None and _lost_its_header(source, head):
        return Binary(format="pe", machines=(), label="", undecided="its PE header is not where it should be")
    if binary is None or binary.undecided or not binary.hosted:
        return binary
    try:
        described = replace(binary, linking=_linking(source, head, binary))
        # Its header says x86-64, and it runs in such processes on ARM64 alone.
        if binary.format == "pe" and read_pe_hybrid(source) == "arm64ec":
            return replace(described, machines=("arm64ec",), label="arm64ec")
        return described
    except DamagedHeaderError as error:
        return replace(binary, damaged=str(error))


def _with_distant_header(source: Source, head: bytes) -> Binary | None:
    header = read_pe(source.read(pe_offset(head) or 0, PE_HEADER_SIZE))
    return from_pe(header) if header else None


def _lost_its_header(source: Source, head: bytes) -> bool:
    """Say whether a file has the MS-DOS header that those of newer systems begin with, and no newer header.

    In such a header the offset of its own relocations is 0x40. Programs for MS-DOS alone have another one, and texts
    that start with the same two letters have none.
    """
    offset = pe_offset(head)
    if offset is None or head[24:26] != b"\x40\0":
        return False
    return source.read(offset, 2) not in _OLDER


def _linking(source: Source, head: bytes, binary: Binary) -> tuple[Linking, ...]:
    if binary.format == "elf":
        header = read_elf(head)
        return (read_elf_linking(source, header, head=head),) if header else ()
    if binary.format == "macho":
        return read_macho_linking(source)
    return (read_pe_linking(source),)
