"""A PE file as the loader of Windows maps it: its sections, its directories and what lies at an address.

Implements "Optional Header", "Section Table (Section Headers)", "The .idata Section", "Delay-Load Import Tables",
"The .edata Section" and "The Load Configuration Structure" of Microsoft's PE format specification, as far as they name
libraries. Addresses are relative to where the image is loaded (RVA) unless said otherwise.
"""

from __future__ import annotations

import struct
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from crossdock.headers.linking import DamagedHeaderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.headers.source import Source

__all__ = ["PeImage", "delay_imports", "export_name", "has_chpe_metadata", "imports", "open_image"]

_MOST_SECTIONS: Final = 1024
_MOST_IMPORTS: Final = 2048
_LONGEST_NAME: Final = 4096
_MOST_NAME_BYTES: Final = 1 << 16
_DIRECTORIES: Final = 16
_EXPORT, _IMPORT, _LOAD_CONFIG, _DELAY_IMPORT = 0, 1, 10, 13
_PAGE: Final = 4096
_SECTOR: Final = 512

_COFF_HEADER: Final = struct.Struct("<4xHH12xHH")
_SECTION: Final = struct.Struct("<8x4I16x")
_IMPORT_DESCRIPTOR: Final = struct.Struct("<12x2I")
_DELAY_DESCRIPTOR: Final = struct.Struct("<2I24x")
_EXPORT_DIRECTORY_SIZE: Final = 40
_DELAY_HOLDS_RVAS: Final = 1
_CHPE_POINTER: Final = 200  # in the load configuration of PE32+; behind it comes nothing that is read here


@dataclass(frozen=True, slots=True, kw_only=True)
class _Section:
    """A section: where it lies in memory and in the file.

    Attributes:
        address: Its first address.
        stop: The address behind its last one.
        offset: Where its bytes start in the file.
        filled: How many of them the file has; zeros follow.
    """

    address: int
    stop: int
    offset: int
    filled: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PeImage:
    """A PE file whose headers were read.

    Attributes:
        source: The file.
        wide: Whether it is PE32+.
        characteristics: ``Characteristics`` of the COFF header.
        base: ``ImageBase``.
        subsystem_version: Major and minor.
        headers_size: ``SizeOfHeaders``: so much of the file's start is mapped to address 0.
        directories: Address and size of each of the directories that are there.
        sections: Those that take up memory, by address.
        starts: Their addresses.
    """

    source: Source
    wide: bool
    characteristics: int
    base: int
    subsystem_version: tuple[int, int]
    headers_size: int
    directories: tuple[tuple[int, int], ...]
    sections: tuple[_Section, ...]
    starts: tuple[int, ...]

    def directory(self, number: int) -> int:
        """Give the address of a directory, 0 if there is none."""
        return self.directories[number][0] if number < len(self.directories) else 0

    def read(self, address: int, count: int) -> bytes:
        """Return up to ``count`` bytes from an address on: fewer where its section ends.

        Raises:
            DamagedHeaderError: Nothing of the file is mapped there.
        """
        index = bisect_right(self.starts, address) - 1
        if index >= 0 and address < self.sections[index].stop:
            section = self.sections[index]
            place = address - section.address
            count = min(count, section.stop - address)
            data = self.source.read(section.offset + place, max(0, min(count, section.filled - place)))
            return data.ljust(count, b"\0") if len(data) < count else data
        if index < 0 and 0 <= address < self.headers_size:
            return self.source.read(address, min(count, self.headers_size - address))
        raise DamagedHeaderError(f"address {address:#x} lies in no section")


def open_image(source: Source, offset: int, data: bytes) -> PeImage:
    """Read the headers of a PE file.

    Args:
        source: The whole file.
        offset: Where its PE signature is, which was seen there.
        data: The bytes from there on; what is missing of the section table is read.

    Returns:
        The image.

    Raises:
        DamagedHeaderError: They are cut short or contradict themselves.
    """
    if len(data) < _COFF_HEADER.size + 2:
        raise DamagedHeaderError("the PE header is cut short")
    _, section_count, optional_size, characteristics = _COFF_HEADER.unpack_from(data)
    magic = int.from_bytes(data[24:26], "little")
    if magic not in (0x10B, 0x20B):
        raise DamagedHeaderError(f"the optional header's magic number is {magic:#x}")
    wide = magic == 0x20B
    directories_place = 112 if wide else 96
    if optional_size < directories_place:
        raise DamagedHeaderError(f"an optional header of {optional_size} bytes")
    if section_count > _MOST_SECTIONS:
        raise DamagedHeaderError(f"{section_count} sections")
    table = 24 + optional_size
    wanted = table + section_count * _SECTION.size
    if wanted > len(data):
        data = source.read(offset, wanted)
    if wanted > len(data):
        raise DamagedHeaderError("the PE header is cut short")
    alignment, _ = struct.unpack_from("<2I", data, 24 + 32)
    sections = _sections(data[table:wanted], source.size, paged=alignment >= _PAGE)
    major, minor = struct.unpack_from("<2H", data, 24 + 48)
    (headers_size,) = struct.unpack_from("<I", data, 24 + 60)
    (base,) = struct.unpack_from("<Q", data, 24 + 24) if wide else struct.unpack_from("<I", data, 24 + 28)
    return PeImage(
        source=source,
        wide=wide,
        characteristics=characteristics,
        base=base,
        subsystem_version=(major, minor),
        headers_size=headers_size,
        directories=_directories(data[24 : 24 + optional_size], directories_place),
        sections=sections,
        starts=tuple(section.address for section in sections),
    )


def imports(image: PeImage) -> tuple[str, ...]:
    """Name the libraries an image is loaded together with."""
    addresses = []
    for name, addresses_table in _rows(image, _IMPORT, _IMPORT_DESCRIPTOR):
        if not name or not addresses_table:
            break
        addresses.append(name)
    return _names(image, addresses)


def delay_imports(image: PeImage) -> tuple[str, ...]:
    """Name the libraries an image loads when it first calls them."""
    addresses = []
    for attributes, name in _rows(image, _DELAY_IMPORT, _DELAY_DESCRIPTOR):
        if not name:
            break
        # Linkers before 2003 wrote addresses for an image at its preferred base, and left the attribute out.
        addresses.append(name if attributes & _DELAY_HOLDS_RVAS else name - image.base)
    return _names(image, addresses)


def export_name(image: PeImage) -> str:
    """Give the name an image has for those who link with it; empty if it offers nothing."""
    place = image.directory(_EXPORT)
    if not place:
        return ""
    data = image.read(place, _EXPORT_DIRECTORY_SIZE)
    if len(data) < _EXPORT_DIRECTORY_SIZE:
        raise DamagedHeaderError("the export directory is cut short")
    (name,) = struct.unpack_from("<I", data, 12)
    return _names(image, [name])[0] if name else ""


def has_chpe_metadata(image: PeImage) -> bool:
    """Tell whether the load configuration points to compiled hybrid (CHPE) metadata: code for ARM64EC."""
    place = image.directory(_LOAD_CONFIG)
    if not place or not image.wide:
        return False
    data = image.read(place, _CHPE_POINTER + 8)
    size = int.from_bytes(data[:4], "little")
    return size >= _CHPE_POINTER + 8 and any(data[_CHPE_POINTER : _CHPE_POINTER + 8])


def _directories(optional: bytes, place: int) -> tuple[tuple[int, int], ...]:
    (count,) = struct.unpack_from("<I", optional, place - 4)
    count = min(count, _DIRECTORIES)
    if place + count * 8 > len(optional):
        raise DamagedHeaderError(f"{count} directories in an optional header of {len(optional)} bytes")
    entries = struct.unpack_from(f"<{count * 2}I", optional, place)
    return tuple(zip(entries[::2], entries[1::2], strict=True))


def _sections(table: bytes, file_size: int, *, paged: bool) -> tuple[_Section, ...]:
    rows = (_section(*row, file_size=file_size, paged=paged) for row in _SECTION.iter_unpack(table))
    sections = sorted((section for section in rows if section), key=lambda section: section.address)
    for lower, upper in pairwise(sections):
        if lower.stop > upper.address:
            raise DamagedHeaderError(f"two sections overlap at address {upper.address:#x}")
    return tuple(sections)


def _section(
    memory_size: int, address: int, file_bytes: int, offset: int, *, file_size: int, paged: bool
) -> _Section | None:
    extent = memory_size or file_bytes
    used = min(extent, file_bytes)
    if offset and used and offset + used > file_size:
        raise DamagedHeaderError(f"a section of {used} bytes at {offset} in a file of {file_size}: it is cut short")
    if not extent:
        return None
    filled = file_bytes if offset or not paged else 0
    if paged:
        # The loader maps whole pages, and takes a section's place in the file for a multiple of 512.
        extent = -(-extent // _PAGE) * _PAGE
        offset -= offset % _SECTOR
    return _Section(address=address, stop=address + extent, offset=offset, filled=filled)


def _rows(image: PeImage, directory: int, layout: struct.Struct) -> Iterator[tuple[int, int]]:
    """Yield a table's rows up to the end of its section; the caller stops at the one that ends it."""
    place = image.directory(directory)
    if not place:
        return
    step = 64
    for first in range(0, _MOST_IMPORTS + 1, step):
        data = image.read(place + first * layout.size, step * layout.size)
        if len(data) < layout.size:
            break
        yield from layout.iter_unpack(data[: len(data) // layout.size * layout.size])
        if len(data) < step * layout.size:
            break
    raise DamagedHeaderError("the table of imports has no end")


def _names(image: PeImage, addresses: Iterable[int]) -> tuple[str, ...]:
    wanted = tuple(addresses)
    found: dict[int, str] = {}
    start, data = 0, b""
    total = 0
    # Names lie close together, so that in order of address one read mostly serves many.
    for address in sorted(wanted):
        end = data.find(b"\0", address - start) if address - start < len(data) else -1
        if end < 0:
            start, data = address, image.read(address, _LONGEST_NAME + 1)
            end = data.find(b"\0")
        if end < 0:
            raise DamagedHeaderError("the name of a library has no end")
        if end == address - start:
            raise DamagedHeaderError("a library has no name")
        # They may overlap, so that a small file could name more than fits into memory.
        total += end - (address - start)
        if total > _MOST_NAME_BYTES:
            raise DamagedHeaderError(f"the names of libraries take more than {_MOST_NAME_BYTES} bytes")
        if address not in found:
            found[address] = data[address - start : end].decode("utf-8", "backslashreplace")
    return tuple(found[address] for address in wanted)
