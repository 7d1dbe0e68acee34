"""PE files of a few hundred bytes, right in all parts unless a test makes one wrong."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field

__all__ = ["BASE", "DATA_ADDRESS", "DATA_OFFSET", "PeFile"]

BASE = 0x180000000
DATA_ADDRESS, DATA_OFFSET = 0x1000, 0x400
_EXPORT, _IMPORT, _LOAD_CONFIG, _DELAY_IMPORT = 0, 1, 10, 13


@dataclass(slots=True, kw_only=True)
class PeFile:
    """A library for Windows with one section, which holds what its directories point to.

    Attributes:
        imports: The libraries it is loaded with.
        delayed: The libraries it loads when it calls them.
        delayed_by_address: Whether their names are given by address, as linkers did before 2003.
        name: The name in its export directory; without one there is no directory.
        chpe: The pointer to hybrid metadata in its load configuration; without one there is no configuration.
        config_size: The size the load configuration says it has.
        machine, wide, characteristics, subsystem_version, offset: As in the headers.
        section: Replaces (VirtualSize, VirtualAddress, SizeOfRawData, PointerToRawData) of the section.
        more_sections: Such rows of other sections.
        directories: Replaces the directories of these numbers.
        directory_count, optional_size, section_count: Replace the right ones.
        magic: The optional header's; what follows it is as for ``wide``.
        alignment: ``SectionAlignment``.
    """

    imports: tuple[bytes, ...] = ()
    delayed: tuple[bytes, ...] = ()
    delayed_by_address: bool = False
    name: bytes = b""
    chpe: int = 0
    config_size: int = 320
    machine: int = 0x8664
    wide: bool = True
    characteristics: int = 0x2022
    subsystem_version: tuple[int, int] = (6, 0)
    offset: int = 128
    section: tuple[int, int, int, int] | None = None
    more_sections: tuple[tuple[int, int, int, int], ...] = ()
    directories: dict[int, tuple[int, int]] = field(default_factory=dict)
    directory_count: int = 16
    optional_size: int | None = None
    section_count: int | None = None
    magic: int | None = None
    alignment: int = 0x1000

    @property
    def base(self) -> int:
        """Where it wants to be loaded."""
        return BASE if self.wide else 0x10000000

    def build(self) -> bytes:
        """Put the file together."""
        data, directories = self._data()
        directories.update(self.directories)
        row = self.section or (len(data), DATA_ADDRESS, len(data), DATA_OFFSET)
        rows = b"".join(struct.pack("<8s4I16x", b".rdata", *item) for item in (row, *self.more_sections))
        table = b"".join(struct.pack("<2I", *directories.get(number, (0, 0))) for number in range(16))
        optional = self._optional() + table
        count = 1 + len(self.more_sections) if self.section_count is None else self.section_count
        size = len(optional) if self.optional_size is None else self.optional_size
        coff = struct.pack("<4s2H12x2H", b"PE\0\0", self.machine, count, size, self.characteristics)
        dos = (b"MZ" + bytes(58) + struct.pack("<I", self.offset)).ljust(self.offset, b"\0")[: self.offset]
        head = dos + coff + optional + rows
        return head.ljust(DATA_OFFSET, b"\0") + data if self.offset < DATA_OFFSET else self._distant(head, data)

    def _distant(self, head: bytes, data: bytes) -> bytes:
        return head[:DATA_OFFSET] + data + head[DATA_OFFSET + len(data) :]

    def _optional(self) -> bytes:
        magic = (0x20B if self.wide else 0x10B) if self.magic is None else self.magic
        head = struct.pack("<H22x", magic) + (
            struct.pack("<Q", self.base) if self.wide else struct.pack("<2I", 0, self.base)
        )
        head += struct.pack("<2I8x2H4x2I4xH2x", self.alignment, 0x200, *self.subsystem_version, 0x2000, DATA_OFFSET, 2)
        return head.ljust(108 if self.wide else 92, b"\0") + struct.pack("<I", self.directory_count)

    def _data(self) -> tuple[bytes, dict[int, tuple[int, int]]]:
        data = bytearray()
        directories = {}
        places = {}
        for text in dict.fromkeys((*self.imports, *self.delayed, self.name)):
            places[text] = DATA_ADDRESS + len(data)
            data += text + b"\0"
        data += bytes(-len(data) % 8)

        def add(number: int, content: bytes) -> None:
            directories[number] = (DATA_ADDRESS + len(data), len(content))
            data.extend(content)

        if self.name:
            add(_EXPORT, struct.pack("<12xI24x", places[self.name]))
        if self.chpe:
            add(_LOAD_CONFIG, struct.pack("<I196xQ112x", self.config_size, self.chpe))
        if self.delayed:
            extra, flag = (self.base, 0) if self.delayed_by_address else (0, 1)
            rows = [struct.pack("<2I24x", flag, places[text] + extra) for text in self.delayed]
            add(_DELAY_IMPORT, b"".join(rows) + bytes(32))
        if self.imports:
            rows = [struct.pack("<12x2I", places[text], DATA_ADDRESS) for text in self.imports]
            add(_IMPORT, b"".join(rows) + bytes(20))
        return bytes(data), directories
