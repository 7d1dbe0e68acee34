"""What an ELF file asks of the loader: interpreter, libraries, symbol versions, a stack that can be executed.

Implements "Program Header", "Dynamic Section" and "Program Interpreter" of the System V ABI (gABI 4.1), and "Symbol
Versioning" of the Linux Standard Base (LSB Core 5.0, generic part). It reads what a loader reads: program headers and
the tables they lead to, never section headers, which tools leave out or get wrong; one exception is `_is_debug_only`.
Where the file contradicts itself, loaders and other readers may each see something else, so none of it is believed.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from operator import itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from crossdock.headers.elf_tables import LONGEST_STRING, Region, Strings
from crossdock.headers.linking import DamagedHeaderError, Linking

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crossdock.headers.elf import ElfHeader
    from crossdock.headers.source import Source

__all__ = ["read_elf_linking"]

_PN_XNUM: Final = 0xFFFF
_MOST_PROGRAM_HEADERS: Final = 2 * _PN_XNUM  # the kernel takes 1,170; real libraries have a dozen
_MOST_DYNAMIC_BYTES: Final = 1 << 20  # 65,536 entries; real libraries have some thirty
_DYNAMIC_CHUNK: Final = 1024
_MOST_NEEDED: Final = 4096
_MOST_VERSIONS: Final = 4096  # a C library's whole history is some fifty
_MOST_SECTIONS: Final = 0xFFFF

_PT_LOAD, _PT_DYNAMIC, _PT_INTERP, _PT_GNU_STACK = 1, 2, 3, 0x6474E551
_PF_X: Final = 1

_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_STRSZ, _DT_SONAME, _DT_RPATH = 0, 1, 5, 10, 14, 15
_DT_TEXTREL, _DT_RUNPATH, _DT_FLAGS = 22, 29, 30
_DT_VERDEF, _DT_VERDEFNUM, _DT_VERNEED, _DT_VERNEEDNUM = 0x6FFFFFFC, 0x6FFFFFFD, 0x6FFFFFFE, 0x6FFFFFFF
_DF_TEXTREL: Final = 4
_SINGLE: Final = {
    _DT_STRTAB: "DT_STRTAB",
    _DT_STRSZ: "DT_STRSZ",
    _DT_SONAME: "DT_SONAME",
    _DT_RPATH: "DT_RPATH",
    _DT_TEXTREL: "DT_TEXTREL",
    _DT_RUNPATH: "DT_RUNPATH",
    _DT_FLAGS: "DT_FLAGS",
    _DT_VERDEF: "DT_VERDEF",
    _DT_VERDEFNUM: "DT_VERDEFNUM",
    _DT_VERNEED: "DT_VERNEED",
    _DT_VERNEEDNUM: "DT_VERNEEDNUM",
}

_VERSION_FORMAT: Final = 1
#: The smallest page of any machine.
_PAGE: Final = 4096
_VER_FLG_BASE, _VER_FLG_WEAK = 1, 2

_SHF_ALLOC: Final = 2
_SHT_NOTE, _SHT_NOBITS = 7, 8


class _Layout(NamedTuple):
    """How the structures lie for one class and byte order; ``pick`` gives a segment's fields in one order for both."""

    tables: struct.Struct
    tables_at: int
    segment: struct.Struct
    pick: Callable[[tuple[int, ...]], tuple[int, ...]]  # p_type, p_flags, p_offset, p_vaddr, p_filesz, p_memsz
    section: struct.Struct
    dynamic: struct.Struct
    verneed: struct.Struct
    vernaux: struct.Struct
    verdef: struct.Struct
    verdaux: struct.Struct


def _layout(order: str, bits: int) -> _Layout:
    wide = bits == 64
    return _Layout(
        tables=struct.Struct(order + ("QQIHHHHHH" if wide else "IIIHHHHHH")),
        tables_at=32 if wide else 28,
        segment=struct.Struct(order + ("IIQQQQQQ" if wide else "IIIIIIII")),
        pick=itemgetter(0, 1, 2, 3, 5, 6) if wide else itemgetter(0, 6, 1, 2, 4, 5),
        section=struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII")),
        dynamic=struct.Struct(order + ("QQ" if wide else "II")),
        verneed=struct.Struct(order + "HHIII"),
        vernaux=struct.Struct(order + "IHHII"),
        verdef=struct.Struct(order + "HHHHIII"),
        verdaux=struct.Struct(order + "II"),
    )


_LAYOUTS: Final = {(bits, big): _layout(">" if big else "<", bits) for bits in (32, 64) for big in (False, True)}


class _Load(NamedTuple):
    """A ``PT_LOAD`` segment."""

    address: int
    in_memory: int
    in_file: int
    offset: int

    @property
    def size(self) -> int:
        """Bytes that it takes in memory."""
        return max(self.in_memory, self.in_file)

    @property
    def mapped(self) -> int:
        """Bytes of the file that are there: to the end of the last page, unless what follows is to be zeros."""
        if self.in_memory > self.in_file:
            return self.in_file
        return self.in_file + -(self.address + self.in_file) % _PAGE


@dataclass(slots=True)
class _Segments:
    """What the program headers say, as far as it is needed."""

    loads: list[_Load] = field(default_factory=list)
    dynamic: tuple[int, int, int] | None = None  # offset, address, size in the file
    interpreter: tuple[int, int] | None = None  # offset, size in the file
    executable_stack: bool = False


def read_elf_linking(source: Source, header: ElfHeader, *, head: bytes = b"") -> Linking:
    """Read what an ELF file needs from elsewhere.

    Args:
        source: The whole file.
        header: Its ELF header.
        head: Its first bytes, if they have been read before.

    Returns:
        What it needs. Of object files, core dumps and files of other types only the type is told; a file that holds
        nothing but the debugging information of another one is of type ``other``, whatever its header says.

    Raises:
        DamagedHeaderError: The headers contradict each other, or reach past the end of the file.
    """
    if header.type not in ("executable", "shared"):
        return Linking(type=header.type)
    reader = _Reader(source, header, head)
    try:
        return reader.linking()
    except DamagedHeaderError:
        if reader.is_debug_only():
            return Linking(type="other")
        raise


class _Reader:
    def __init__(self, source: Source, header: ElfHeader, head: bytes) -> None:
        self._source = source
        self._type = header.type
        self._head = head
        self._layout = _LAYOUTS[header.bits, header.big_endian]
        self._versions_left = _MOST_VERSIONS
        layout = self._layout
        raw = self._read(layout.tables_at, layout.tables.size)
        if len(raw) != layout.tables.size:
            raise DamagedHeaderError("its ELF header is cut short")
        self._tables: tuple[int, ...] = layout.tables.unpack(raw)

    def linking(self) -> Linking:
        segments = self._segments()
        interpreter = self._interpreter(segments)
        if segments.dynamic is None:
            return Linking(
                type=self._type,
                interpreter=interpreter,
                executable_stack=segments.executable_stack,
                static=True,
            )
        needed, entries = self._dynamic(segments, *segments.dynamic)
        strings = self._strings(segments, entries)
        return Linking(
            type=self._type,
            interpreter=interpreter,
            name=strings.at(entries[_DT_SONAME]) if _DT_SONAME in entries else "",
            needed=tuple([strings.at(offset) for offset in needed]),
            rpath=_folders(strings, entries.get(_DT_RPATH)),
            runpath=_folders(strings, entries.get(_DT_RUNPATH)),
            versions=self._required(segments, entries, strings) if _DT_VERNEED in entries else (),
            defines=self._defined(segments, entries, strings) if _DT_VERDEF in entries else (),
            executable_stack=segments.executable_stack,
            text_relocations=_DT_TEXTREL in entries or bool(entries.get(_DT_FLAGS, 0) & _DF_TEXTREL),
        )

    def is_debug_only(self) -> bool:
        """Tell whether the file was left by ``objcopy --only-keep-debug`` or ``eu-strip -f``.

        Such a file keeps the program headers of the one it was made from, though what they lead to is gone. Only its
        section headers say so: nothing that is loaded has contents, notes excepted. They are asked only where no loader
        could make sense of the program headers, so that a false claim here hides nothing that could be loaded.
        """
        layout = self._layout
        _, start, _, _, _, _, entry_size, count, _ = self._tables
        if entry_size != layout.section.size or not 0 < count <= _MOST_SECTIONS:
            return False
        raw = self._source.read(start, count * entry_size)
        if len(raw) != count * entry_size:
            return False
        loaded = [(item[1], item[5]) for item in layout.section.iter_unpack(raw) if item[2] & _SHF_ALLOC]
        return bool(loaded) and all(kind in (_SHT_NOTE, _SHT_NOBITS) or not size for kind, size in loaded)

    def _read(self, offset: int, count: int) -> bytes:
        end = offset + count
        return self._head[offset:end] if end <= len(self._head) else self._source.read(offset, count)

    def _segments(self) -> _Segments:
        end = self._source.size
        result = _Segments()
        for kind, flags, offset, address, filed, in_memory in self._program_headers():
            if kind == _PT_LOAD:
                if filed and offset + filed > end:
                    raise DamagedHeaderError("a segment that is to be loaded reaches past its end")
                result.loads.append(_Load(address, in_memory, filed, offset))
            elif kind == _PT_DYNAMIC:
                if result.dynamic:
                    raise DamagedHeaderError("it has two dynamic segments")
                result.dynamic = offset, address, filed
            elif kind == _PT_INTERP:
                if result.interpreter:
                    raise DamagedHeaderError("it names two interpreters")
                result.interpreter = offset, filed
            elif kind == _PT_GNU_STACK:
                result.executable_stack = bool(flags & _PF_X)
        return result

    def _program_headers(self) -> Iterator[tuple[int, ...]]:
        """Go through the program headers; of each, give the fields that `_Layout.pick` picks."""
        layout = self._layout
        start, _, _, _, entry_size, count, *_ = self._tables
        if count == _PN_XNUM:
            count = self._extended_count()
        if not count:
            return iter(())
        if entry_size != layout.segment.size:
            raise DamagedHeaderError(f"its program headers are said to be {entry_size} bytes each")
        if count > _MOST_PROGRAM_HEADERS:
            raise DamagedHeaderError(f"it is said to have {count} program headers")
        raw = self._read(start, count * entry_size)
        if len(raw) != count * entry_size:
            raise DamagedHeaderError("its program headers reach past its end")
        return map(layout.pick, layout.segment.iter_unpack(raw))

    def _extended_count(self) -> int:
        """Give the number of program headers where it is too large for its field: ``sh_info`` of the first section."""
        layout = self._layout
        raw = self._read(self._tables[1], layout.section.size) if self._tables[1] else b""
        if len(raw) != layout.section.size:
            raise DamagedHeaderError("the number of its program headers cannot be told")
        return int(layout.section.unpack(raw)[7])

    def _interpreter(self, segments: _Segments) -> str:
        if segments.interpreter is None:
            return ""
        offset, size = segments.interpreter
        # Qt's own core library names an empty one: only programs are started by the kernel, which would refuse that.
        least = 1 if self._type == "shared" else 2
        if not least <= size <= LONGEST_STRING:
            raise DamagedHeaderError(f"the name of its interpreter is said to be {size} bytes long")
        raw = self._read(offset, size)
        if len(raw) != size or raw[-1]:
            raise DamagedHeaderError("the name of its interpreter has no end")
        return raw[: raw.index(0)].decode("utf-8", "backslashreplace")

    def _dynamic(self, segments: _Segments, said: int, address: int, size: int) -> tuple[list[int], dict[int, int]]:
        """Read the dynamic section: the places of the names of libraries needed, and all entries that stand alone."""
        start, end = _placed(segments, address, "its dynamic section")
        if start != said:
            # A loader goes by the address, most other programs by the offset.
            raise DamagedHeaderError("its dynamic section is said to be in two places")
        needed: list[int] = []
        entries: dict[int, int] = {}
        for raw in self._dynamic_chunks(start, min(end, start + size)):
            for tag, value in self._layout.dynamic.iter_unpack(raw):
                if tag == _DT_NEEDED:
                    needed.append(value)
                elif tag == _DT_NULL:
                    return needed, entries
                elif tag in _SINGLE and entries.setdefault(tag, value) != value:
                    raise DamagedHeaderError(f"its dynamic section has two entries {_SINGLE[tag]} that differ")
            if len(needed) > _MOST_NEEDED:
                raise DamagedHeaderError(f"it is said to need {len(needed)} libraries or more")
        raise DamagedHeaderError("its dynamic section has no end")

    def _dynamic_chunks(self, start: int, end: int) -> Iterator[bytes]:
        entry = self._layout.dynamic.size
        left = min(end - start, _MOST_DYNAMIC_BYTES) // entry * entry
        while left > 0:
            raw = self._read(start, min(left, _DYNAMIC_CHUNK))
            yield raw[: len(raw) // entry * entry]
            start += _DYNAMIC_CHUNK
            left -= _DYNAMIC_CHUNK

    def _strings(self, segments: _Segments, entries: dict[int, int]) -> Strings:
        if _DT_STRTAB not in entries:
            return Strings(self._read, 0, 0)
        start, end = _placed(segments, entries[_DT_STRTAB], "its string table")
        size = entries.get(_DT_STRSZ, end - start)
        if size > end - start:
            raise DamagedHeaderError("its string table reaches past the segment it lies in")
        return Strings(self._read, start, size)

    def _required(self, segments: _Segments, entries: dict[int, int], strings: Strings) -> tuple[tuple[str, str], ...]:
        layout = self._layout
        region = Region(self._read, *_placed(segments, entries[_DT_VERNEED], "its table of required versions"))
        result: list[tuple[str, str]] = []
        libraries = 0
        for at, (version, count, file, first, _) in self._chain(region, layout.verneed, region.start):
            _check_format(version)
            libraries += 1
            library = strings.at(file)
            found = 0
            for _, (_, flags, _, name, _) in self._chain(region, layout.vernaux, at + first):
                found += 1
                if not flags & _VER_FLG_WEAK:
                    result.append((library, strings.at(name)))
            _check_count(found, count)
        _check_count(libraries, entries.get(_DT_VERNEEDNUM, libraries))
        return tuple(result)

    def _defined(self, segments: _Segments, entries: dict[int, int], strings: Strings) -> tuple[str, ...]:
        layout = self._layout
        region = Region(self._read, *_placed(segments, entries[_DT_VERDEF], "its table of versions"))
        result: list[str] = []
        definitions = 0
        for at, (version, flags, _, _, _, first, _) in self._chain(region, layout.verdef, region.start):
            _check_format(version)
            definitions += 1
            if not flags & _VER_FLG_BASE:
                # Further names are those of versions that this one follows, which have definitions of their own.
                result.append(strings.at(region.unpack(layout.verdaux, at + first)[0]))
        _check_count(definitions, entries.get(_DT_VERDEFNUM, definitions))
        return tuple(result)

    def _chain(self, region: Region, layout: struct.Struct, at: int) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Go through entries that each say, in their last field, how far away the next is; 0 in the last one.

        Entries may neither overlap nor lie backwards, so a chain ends; several may run into one, so all are counted.
        """
        while True:
            self._versions_left -= 1
            if self._versions_left < 0:
                raise DamagedHeaderError("it is said to have more symbol versions than are credible")
            entry = region.unpack(layout, at)
            yield at, entry
            if not entry[-1]:
                return
            if entry[-1] < layout.size:
                raise DamagedHeaderError("its symbol versions overlap")
            at += entry[-1]


def _placed(segments: _Segments, address: int, what: str) -> tuple[int, int]:
    """Give the offset of what is at an address, and where the segment around it ends in the file."""
    # What lies in the file behind a segment, on its last page, is mapped as well: tools that let a table grow in place
    # rely on it. It belongs to that segment only if it is in no other.
    inside = [load for load in segments.loads if load.address <= address < load.address + load.size]
    around = inside or [load for load in segments.loads if load.address <= address < load.address + load.mapped]
    places = [(load.offset + address - load.address, load.offset + load.mapped) for load in around]
    if not places:
        raise DamagedHeaderError(f"{what} is in no segment that is loaded")
    start, end = places[0]
    if start >= end:
        raise DamagedHeaderError(f"{what} has no contents in the file")
    if any(place[0] != start for place in places):
        raise DamagedHeaderError(f"{what} is in two segments that differ")
    return start, end


def _folders(strings: Strings, offset: int | None) -> tuple[str, ...]:
    text = strings.at(offset) if offset is not None else ""
    return tuple(text.split(":")) if text else ()


def _check_format(version: int) -> None:
    if version != _VERSION_FORMAT:
        raise DamagedHeaderError(f"its symbol versions have format {version}, which does not exist")


def _check_count(found: int, said: int) -> None:
    if found != said:
        raise DamagedHeaderError(f"its symbol versions are said to be {said}, and are {found}")
