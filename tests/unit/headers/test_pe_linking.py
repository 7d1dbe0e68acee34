"""What PE directories say, and what is refused in them."""

from __future__ import annotations

import struct
from contextlib import suppress
from pathlib import Path
from typing import Any

import distlib
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.pefiles import BASE, DATA_ADDRESS, DATA_OFFSET, PeFile

from crossdock.headers.linking import DamagedHeaderError, Linking
from crossdock.headers.pe import pe_offset, read_pe, read_pe_hybrid, read_pe_linking
from crossdock.headers.source import BytesSource

LAUNCHERS = sorted(Path(distlib.__file__).parent.glob("*.exe"))
EXPORT, IMPORT, LOAD_CONFIG, DELAY_IMPORT = 0, 1, 10, 13


def read(data: bytes) -> Linking:
    return read_pe_linking(BytesSource(data))


def refusal(data: bytes) -> str:
    with pytest.raises(DamagedHeaderError) as caught:
        read(data)
    return str(caught.value)


class CountingSource(BytesSource):
    """Counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, count: int) -> bytes:
        self.reads.append((offset, count))
        return super().read(offset, count)


@pytest.mark.parametrize("wide", [False, True])
def test_imports_delayed_imports_and_name(wide: bool) -> None:
    imports = (b"python312.dll", b"KERNEL32.dll", b"VCRUNTIME140.dll")
    data = PeFile(imports=imports, delayed=(b"WS2_32.dll", b"bcrypt.dll"), name=b"_own.pyd", wide=wide).build()
    assert read(data) == Linking(
        type="shared",
        name="_own.pyd",
        needed=("python312.dll", "KERNEL32.dll", "VCRUNTIME140.dll"),
        weak=("WS2_32.dll", "bcrypt.dll"),
        minimum="6.0",
    )


def test_a_file_without_directories_needs_nothing() -> None:
    assert read(PeFile(directory_count=0).build()) == Linking(type="shared", minimum="6.0")


@pytest.mark.parametrize(("characteristics", "kind"), [(0x2022, "shared"), (0x0022, "executable")])
def test_a_library_is_told_from_a_program(characteristics: int, kind: str) -> None:
    assert read(PeFile(characteristics=characteristics).build()).type == kind


@pytest.mark.parametrize(("version", "minimum"), [((6, 2), "6.2"), ((10, 0), "10.0"), ((0, 0), "")])
def test_the_subsystem_version_is_the_minimum(version: tuple[int, int], minimum: str) -> None:
    assert read(PeFile(subsystem_version=version).build()).minimum == minimum


def test_delayed_imports_of_old_linkers_give_addresses_instead() -> None:
    data = PeFile(delayed=(b"OLD.dll",), delayed_by_address=True, wide=False).build()
    assert read(data).weak == ("OLD.dll",)


@pytest.mark.parametrize("offset", [64, 256, 0x2000, 100_000])
def test_the_header_may_lie_anywhere(offset: int) -> None:
    data = PeFile(imports=(b"a.dll",), offset=offset).build()
    assert pe_offset(data) == offset
    assert read(data).needed == ("a.dll",)


@pytest.mark.parametrize("last", [(0, DATA_ADDRESS), (DATA_ADDRESS, 0)])
def test_a_table_of_imports_ends_where_a_name_or_the_functions_lack(last: tuple[int, int]) -> None:
    data = bytearray(PeFile(imports=(b"a.dll", b"b.dll")).build())
    struct.pack_into("<2I", data, len(data) - 28, *last)
    assert read(bytes(data)).needed == ("a.dll",)


def test_a_section_without_a_size_in_memory_has_the_one_in_the_file() -> None:
    plain = PeFile(imports=(b"a.dll",))
    size = len(plain.build()) - DATA_OFFSET
    plain.section = (0, DATA_ADDRESS, size, DATA_OFFSET)
    assert read(plain.build()).needed == ("a.dll",)


def test_a_place_in_the_file_is_rounded_as_the_loader_does() -> None:
    plain = PeFile(imports=(b"a.dll",))
    size = len(plain.build()) - DATA_OFFSET
    plain.section = (size, DATA_ADDRESS, size, DATA_OFFSET + 8)
    assert read(plain.build() + bytes(8)).needed == ("a.dll",)
    plain.alignment = 16
    assert read(plain.build() + bytes(8)).needed != ("a.dll",)


def test_what_the_file_lacks_of_a_section_is_zeros() -> None:
    plain = PeFile(imports=(b"a.dll", b"b.dll"))
    data = plain.build()
    shorter = len(data) - 20 - DATA_OFFSET
    plain.section = (shorter + 20, DATA_ADDRESS, shorter, DATA_OFFSET)
    assert read(plain.build()[:-20]).needed == ("a.dll", "b.dll")


def test_a_section_without_a_place_in_the_file_is_zeros() -> None:
    nowhere = PeFile(section=(0x1000, DATA_ADDRESS, 0x1000, 0), directories={EXPORT: (DATA_ADDRESS + 128 - 12, 40)})
    assert read(nowhere.build()).name == ""


def test_sections_need_not_be_in_order_and_empty_ones_do_not_count() -> None:
    more = ((0x10, 0x4000, 0, 0), (0, 0x1000, 0, 0), (0x1000, 0x3000, 0, 0))
    assert read(PeFile(imports=(b"a.dll",), more_sections=more).build()).needed == ("a.dll",)


def test_a_directory_may_lie_in_the_headers() -> None:
    data = bytearray(PeFile(directories={EXPORT: (0x380, 40)}, name=b"own.dll").build())
    struct.pack_into("<I", data, 0x380 + 12, DATA_ADDRESS)
    assert read(bytes(data)).name == "own.dll"


@pytest.mark.parametrize(
    ("machine", "chpe", "size", "wide", "hybrid"),
    [
        (0x8664, BASE + 0x1000, 320, True, "arm64ec"),
        (0xAA64, BASE + 0x1000, 320, True, "arm64x"),
        (0x8664, BASE + 0x1000, 192, True, ""),
        (0x8664, 0, 320, True, ""),
        (0xAA64, 0, 320, True, ""),
        (0x014C, BASE + 0x1000, 320, False, ""),
    ],
)
def test_hybrids_are_told_by_their_load_configuration(
    machine: int, chpe: int, size: int, wide: bool, hybrid: str
) -> None:
    data = PeFile(machine=machine, chpe=chpe, config_size=size, wide=wide).build()
    assert read_pe_hybrid(BytesSource(data)) == hybrid


@pytest.mark.skipif(not LAUNCHERS, reason="distlib carries no launchers here")
@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.name)
def test_real_launchers_are_programs_that_need_windows_only(path: Path) -> None:
    linking = read(path.read_bytes())
    assert linking.type == "executable"
    assert "KERNEL32.dll" in linking.needed
    assert {name.upper() for name in linking.needed} <= {"KERNEL32.DLL", "USER32.DLL", "SHLWAPI.DLL"}


class TestDamage:
    @pytest.mark.parametrize("wide", [False, True])
    def test_no_cut_of_a_file_passes(self, wide: bool) -> None:
        plain = PeFile(imports=(b"a.dll",), delayed=(b"b.dll",), name=b"c.dll", chpe=BASE, wide=wide)
        data = plain.build()
        assert read(data).needed == ("a.dll",)
        for cut in range(len(data)):
            assert refusal(data[:cut])

    @pytest.mark.skipif(not LAUNCHERS, reason="distlib carries no launchers here")
    def test_no_cut_of_a_real_file_passes(self) -> None:
        data = min(LAUNCHERS, key=lambda path: path.stat().st_size).read_bytes()
        header = read_pe(data[pe_offset(data) :])
        assert header is not None
        ends = _end_of_sections(data)
        for cut in (*range(2048), *range(2048, ends, 97), ends - 1):
            assert refusal(data[:cut])
        assert read(data[:ends]) == read(data)

    @pytest.mark.parametrize(
        "data",
        [b"", b"MZ", b"MZ" + bytes(62), b"\x7fELF" + bytes(99), b"MZ".ljust(60) + b"\xff\xff\xff\xff" + bytes(99)],
    )
    def test_what_is_no_pe_file(self, data: bytes) -> None:
        assert refusal(data).startswith("it has no")

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"magic": 0x107}, "magic number is 0x107"),
            ({"magic": 0}, "magic number is 0x0"),
            ({"optional_size": 0}, "an optional header of 0 bytes"),
            ({"optional_size": 111}, "an optional header of 111 bytes"),
            ({"optional_size": 200}, "16 directories in an optional header of 200 bytes"),
            ({"optional_size": 0xFFFF}, "cut short"),
            ({"section_count": 0xFFFF}, "65535 sections"),
            ({"section_count": 1000}, "cut short"),
            ({"section": (0x1000, 0x1000, 0x1000, 0x10000)}, "cut short"),
            ({"section": (0x1000, 0x1000, 0xFFFFFFFF, 0x200)}, "cut short"),
            ({"section": (0, 0x1000, 0xFFFFFFFF, 0xFFFFFFFF)}, "cut short"),
            ({"more_sections": ((0x10, 0x1000, 0, 0),)}, "two sections overlap at address 0x1000"),
            ({"more_sections": ((0x1001, 0x0, 0, 0),)}, "two sections overlap at address 0x1000"),
            ({"directories": {IMPORT: (0x9000, 40)}}, "address 0x9000 lies in no section"),
            ({"directories": {EXPORT: (0xFFFFFFFF, 40)}}, "address 0xffffffff lies in no section"),
            ({"directories": {DELAY_IMPORT: (0x500, 40)}}, "address 0x500 lies in no section"),
            ({"directories": {EXPORT: (0x1FF0, 40)}}, "export directory is cut short"),
            ({"directories": {IMPORT: (0x1FF0, 40)}}, "no end"),
        ],
    )
    def test_headers_that_contradict_themselves(self, fields: dict[str, Any], words: str) -> None:
        assert words in refusal(PeFile(imports=(b"a.dll",), **fields).build())

    def test_an_import_table_without_an_end(self) -> None:
        row = struct.pack("<12x2I", DATA_ADDRESS, DATA_ADDRESS)
        data = PeFile(name=b"a.dll", directories={IMPORT: (0x1100, 20)}, section=(0x40000, 0x1000, 0x40000, 0x400))
        built = data.build().ljust(0x500, b"\0")
        source = CountingSource(built + row * (0x3FF00 // 20 + 1))
        with pytest.raises(DamagedHeaderError, match="no end"):
            read_pe_linking(source)
        assert sum(count for _, count in source.reads) < 100_000

    @pytest.mark.parametrize(
        ("name", "words"),
        [(b"", "a library has no name"), (b"x" * 4097, "has no end"), (b"x" * 0xF00, "")],
    )
    def test_names_of_libraries(self, name: bytes, words: str) -> None:
        data = PeFile(imports=(name,)).build()
        assert words in refusal(data) if words else read(data).needed == (name.decode(),)

    def test_names_that_overlap_do_not_add_up_without_bound(self) -> None:
        rows = b"".join(struct.pack("<12x2I", DATA_ADDRESS + n, DATA_ADDRESS) for n in range(2000))
        data = PeFile(
            imports=(b"x" * 4000,),
            directories={IMPORT: (0x3000, 40)},
            section=(0x10000, DATA_ADDRESS, 0x10000, DATA_OFFSET),
        ).build()
        built = (data.ljust(0x2400, b"\0") + rows).ljust(0x10400, b"\0")
        assert refusal(built) == "the names of libraries take more than 65536 bytes"

    def test_a_name_at_the_end_of_its_section_without_an_end(self) -> None:
        data = bytearray(PeFile(imports=(b"a.dll",), section=(0x1000, 0x1000, 0x1000, 0x400)).build())
        data = data.ljust(0x1400, b"x")
        place = data.rindex(struct.pack("<2I", DATA_ADDRESS, DATA_ADDRESS))
        struct.pack_into("<I", data, place, 0x1FFC)
        data[place + 8 : place + 28] = bytes(20)
        assert refusal(bytes(data)) == "the name of a library has no end"

    def test_names_by_address_below_where_the_image_lies(self) -> None:
        data = bytearray(PeFile(delayed=(b"OLD.dll",), delayed_by_address=True, wide=False).build())
        place = data.index(struct.pack("<2I", 0, 0x10000000 + DATA_ADDRESS))
        struct.pack_into("<I", data, place + 4, 5)
        assert "lies in no section" in refusal(bytes(data))


def test_few_reads_for_many_imports() -> None:
    source = CountingSource(PeFile(imports=tuple(b"library%d.dll" % n for n in range(60))).build())
    assert len(read_pe_linking(source).needed) == 60
    assert len(source.reads) == 3


PATCHED = PeFile(imports=(b"a.dll", b"b.dll"), delayed=(b"c.dll",), name=b"d.dll", chpe=BASE).build()


@given(st.lists(st.tuples(st.integers(0, len(PATCHED) - 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4))
def test_no_patched_bytes_make_it_raise_anything_else(patches: list[tuple[int, bytes]]) -> None:
    data = bytearray(PATCHED)
    for place, replacement in patches:
        data[place : place + len(replacement)] = replacement
    with suppress(DamagedHeaderError):
        assert read(bytes(data)).type in ("shared", "executable")
    with suppress(DamagedHeaderError):
        assert read_pe_hybrid(BytesSource(bytes(data))) in ("", "arm64ec", "arm64x")


def _end_of_sections(data: bytes) -> int:
    """Where the last section's bytes end; what follows is no part of the image."""
    start = pe_offset(data) or 0
    count, optional = struct.unpack_from("<H12xH", data, start + 6)
    rows = struct.iter_unpack("<8x4I16x", data[start + 24 + optional :][: count * 40])
    ends: list[int] = [offset + min(memory, size) for memory, _, size, offset in rows]
    return max(ends)
