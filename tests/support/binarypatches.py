"""Changes real programs in one place: a field of a header, a name, a version; all else stays as it was.

Only what today's compilers make is understood: 64-bit little-endian ELF, Mach-O for one processor, PE32+.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import cached_property

__all__ = ["Elf", "MachO", "Pe"]

_PT_DYNAMIC, _PT_LOAD, _PT_GNU_STACK = 2, 1, 0x6474E551
_DT_NULL, _DT_STRTAB, _DT_STRSZ, _DT_VERNEED, _DT_VERNEEDNUM = 0, 5, 10, 0x6FFFFFFE, 0x6FFFFFFF
#: Compilers name it in every library, and nothing is amiss where it is not there.
_SPARE = "_ITM_deregisterTMCloneTable"


@dataclass(frozen=True, slots=True)
class _Segment:
    at: int
    kind: int
    offset: int
    address: int
    size: int


class Elf:
    """An ELF file whose fields can be changed; ``bytes()`` gives the changed file."""

    def __init__(self, data: bytes) -> None:
        assert data[:6] == b"\x7fELF\2\1", "no 64-bit little-endian ELF file"
        self.data = bytearray(data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def machine(self, number: int) -> None:
        """Set ``e_machine``."""
        struct.pack_into("<H", self.data, 18, number)

    def ident(self, index: int, value: int) -> None:
        """Set a byte of ``e_ident``: 4 is the class, 5 the byte order, 7 the OS/ABI."""
        self.data[index] = value

    def flags(self, value: int) -> None:
        """Set ``e_flags``."""
        struct.pack_into("<I", self.data, 48, value)

    def header_offset(self, value: int) -> None:
        """Set ``e_phoff``."""
        struct.pack_into("<Q", self.data, 32, value)

    def executable_stack(self) -> None:
        """Ask for a stack that can be executed."""
        (stack,) = (item for item in self._segments if item.kind == _PT_GNU_STACK)
        struct.pack_into("<I", self.data, stack.at + 4, 7)

    def rename(self, old: str, new: str) -> None:
        """Change a name in the table of dynamic strings; the new one may be shorter."""
        start, size = self._strings
        table = bytes(self.data[start : start + size])
        assert len(new) <= len(old), f"{new!r} is longer than {old!r}"
        assert table.count(b"\0" + old.encode() + b"\0") == 1, f"{old!r} is not there once"
        at = start + table.index(b"\0" + old.encode() + b"\0") + 1
        self.data[at : at + len(old)] = new.encode().ljust(len(old), b"\0")

    def require_version(self, old: str, new: str) -> None:
        """Require another version of a library's symbols (``Elfxx_Vernaux``), its hash included."""
        self.rename(old, new)
        changed = 0
        for at in self._version_needs:
            if self._string(struct.unpack_from("<I", self.data, at + 8)[0]) == new:
                struct.pack_into("<I", self.data, at, _elf_hash(new))
                changed += 1
        assert changed, f"no version {old!r} is required"

    def spare_string(self, text: str) -> int:
        """Put a text into the table of dynamic strings in the place of a weak symbol's name; gives its offset."""
        self.rename(_SPARE, text)
        start, size = self._strings
        return self.data[start : start + size].index(b"\0" + text.encode() + b"\0") + 1

    def add_dynamic(self, tag: int, value: int) -> None:
        """Add an entry to the dynamic section, in the room that linkers leave behind its end."""
        (dynamic,) = (item for item in self._segments if item.kind == _PT_DYNAMIC)
        tags = [number for _, number, _ in self._dynamic]
        end = tags.index(_DT_NULL)
        room = [at for at, number, _ in self._dynamic][end:]
        assert len(room) > 1, "there is no room behind the dynamic section"
        assert room[1] < dynamic.offset + dynamic.size
        struct.pack_into("<qQ", self.data, room[0], tag, value)

    def set_dynamic(self, tag: int, value: int) -> None:
        """Change the value of an entry of the dynamic section."""
        (at,) = (place for place, number, _ in self._dynamic if number == tag)
        struct.pack_into("<Q", self.data, at + 8, value)

    @cached_property
    def _segments(self) -> tuple[_Segment, ...]:
        (start,) = struct.unpack_from("<Q", self.data, 32)
        size, count = struct.unpack_from("<HH", self.data, 54)
        found = []
        for at in range(start, start + size * count, size):
            kind, _, offset, address, _, length = struct.unpack_from("<IIQQQQ", self.data, at)
            found.append(_Segment(at, kind, offset, address, length))
        return tuple(found)

    @property
    def _dynamic(self) -> list[tuple[int, int, int]]:
        """The entries: where each is, its tag, its value."""
        (segment,) = (item for item in self._segments if item.kind == _PT_DYNAMIC)
        places = range(segment.offset, segment.offset + segment.size, 16)
        return [(at, *struct.unpack_from("<qQ", self.data, at)) for at in places]

    def _value(self, tag: int) -> int:
        return next(value for _, number, value in self._dynamic if number == tag)

    def _place(self, address: int) -> int:
        segment = next(
            item
            for item in self._segments
            if item.kind == _PT_LOAD and item.address <= address < item.address + item.size
        )
        return address - segment.address + segment.offset

    @property
    def _strings(self) -> tuple[int, int]:
        return self._place(self._value(_DT_STRTAB)), self._value(_DT_STRSZ)

    def _string(self, offset: int) -> str:
        start = self._strings[0] + offset
        return self.data[start : self.data.index(0, start)].decode()

    @property
    def _version_needs(self) -> list[int]:
        """Where each ``Elfxx_Vernaux`` is."""
        found, at = [], self._place(self._value(_DT_VERNEED))
        for _ in range(self._value(_DT_VERNEEDNUM)):
            _, count, _, first, following = struct.unpack_from("<HHIII", self.data, at)
            need = at + first
            for _ in range(count):
                found.append(need)
                need += struct.unpack_from("<I", self.data, need + 12)[0]
            at += following
        return found


def _elf_hash(name: str) -> int:
    """Hash a name as the System V ABI does."""
    value = 0
    for byte in name.encode():
        value = (value << 4) + byte
        high = value & 0xF0000000
        value = (value ^ (high >> 24)) & ~high & 0xFFFFFFFF
    return value


class MachO:
    """A Mach-O file for one processor whose fields can be changed."""

    def __init__(self, data: bytes) -> None:
        assert data[:4] == b"\xcf\xfa\xed\xfe", "no 64-bit Mach-O file for one processor"
        self.data = bytearray(data)

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def cpu(self, kind: int, subtype: int) -> None:
        """Set ``cputype`` and ``cpusubtype``."""
        struct.pack_into("<II", self.data, 4, kind, subtype)

    def commands_length(self, value: int) -> None:
        """Set ``sizeofcmds``."""
        struct.pack_into("<I", self.data, 20, value)

    def platform(self, number: int) -> None:
        """Set the platform that it was built for: 1 is macOS, 2 iOS."""
        struct.pack_into("<I", self.data, self._command(0x32) + 8, number)

    def minimum(self, major: int, minor: int) -> None:
        """Set the oldest system that it runs on."""
        struct.pack_into("<I", self.data, self._command(0x32) + 12, major << 16 | minor << 8)

    def rename(self, old: str, new: str) -> None:
        """Change the name of a library that it needs."""
        count = 0
        for kind, at, size in self._commands:
            if kind in {0xC, 0x80000018, 0x8000001F}:
                name = at + struct.unpack_from("<I", self.data, at + 8)[0]
                if self.data[name : at + size].rstrip(b"\0") == old.encode():
                    assert len(new) < at + size - name
                    self.data[name : at + size] = new.encode().ljust(at + size - name, b"\0")
                    count += 1
        assert count == 1, f"{old!r} is needed {count} times"

    def _command(self, wanted: int) -> int:
        (found,) = (at for kind, at, _ in self._commands if kind == wanted)
        return found

    @property
    def _commands(self) -> list[tuple[int, int, int]]:
        """The load commands: the number of each, where it is, its size."""
        found, at = [], 32
        for _ in range(struct.unpack_from("<I", self.data, 16)[0]):
            kind, size = struct.unpack_from("<II", self.data, at)
            found.append((kind, at, size))
            at += size
        return found


class Pe:
    """A PE file of 64 bits whose fields can be changed."""

    def __init__(self, data: bytes) -> None:
        assert data[:2] == b"MZ", "no PE file"
        self.data = bytearray(data)
        (self._at,) = struct.unpack_from("<I", data, 60)
        assert data[self._at : self._at + 4] == b"PE\0\0"
        assert data[self._at + 24 : self._at + 26] == b"\x0b\x02", "no PE32+ file"

    def __bytes__(self) -> bytes:
        return bytes(self.data)

    def machine(self, number: int) -> None:
        """Set the machine."""
        struct.pack_into("<H", self.data, self._at + 4, number)

    def signature(self, value: bytes) -> None:
        """Write something else where ``PE`` should be."""
        self.data[self._at : self._at + 4] = value

    def directory(self, index: int, address: int, size: int) -> None:
        """Set a data directory: 1 is the imports, 14 the header of .NET."""
        struct.pack_into("<II", self.data, self._at + 24 + 112 + 8 * index, address, size)

    def rename(self, old: str, new: str) -> None:
        """Change the name of a library that it imports from, to one of the same length."""
        assert len(new) == len(old)
        assert self.data.count(old.encode() + b"\0") == 1, f"{old!r} is not there once"
        at = self.data.index(old.encode() + b"\0")
        self.data[at : at + len(old)] = new.encode()
