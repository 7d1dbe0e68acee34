"""What is read of an ELF file, and what becomes of one that contradicts itself."""

from __future__ import annotations

import struct
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.support.elffiles import ADDRESS, DT, BuiltElf, build_elf
from tests.support.header_oracles import elf_by_lief, elf_by_pyelftools, fields_of

from crossdock.headers.describe import describe
from crossdock.headers.linking import Linking
from crossdock.headers.source import BytesSource, FileSource

LAYOUTS = [(32, False), (32, True), (64, False), (64, True)]
REAL = sorted((Path(__file__).parents[2] / "fuzz" / "corpus" / "elf").glob("linked-*"))
WEAK = 2
BASE = 1


def library(**changes: Any) -> BuiltElf:
    settings: dict[str, Any] = {
        "needed": ["libm.so.6", "libc.so.6"],
        "tags": {"SONAME": "libx.so.1", "RUNPATH": "$ORIGIN/../x.libs:/opt/lib"},
        "versions": {
            "libm.so.6": [("GLIBC_2.29", 0)],
            "libc.so.6": [("GLIBC_2.17", 0), ("GLIBC_2.38", WEAK), ("GLIBC_2.4", 0)],
        },
        "defines": [("libx.so.1", BASE), ("X_1.0", 0), ("X_1.1", 0)],
    }
    return build_elf(**(settings | changes))


def linking(data: bytes | bytearray) -> Linking:
    binary = describe(BytesSource(data))
    assert binary is not None
    assert not binary.damaged
    (result,) = binary.linking
    return result


def damage(data: bytes | bytearray) -> str:
    binary = describe(BytesSource(data))
    assert binary is not None
    assert binary.linking == ()
    assert binary.machines
    return binary.damaged


@pytest.mark.parametrize(("bits", "big"), LAYOUTS)
def test_a_library(bits: int, big: bool) -> None:
    assert linking(library(bits=bits, big=big).data) == Linking(
        type="shared",
        name="libx.so.1",
        needed=("libm.so.6", "libc.so.6"),
        runpath=("$ORIGIN/../x.libs", "/opt/lib"),
        versions=(("libm.so.6", "GLIBC_2.29"), ("libc.so.6", "GLIBC_2.17"), ("libc.so.6", "GLIBC_2.4")),
        defines=("X_1.0", "X_1.1"),
    )


@pytest.mark.parametrize(("bits", "big"), LAYOUTS)
def test_a_program(bits: int, big: bool) -> None:
    built = build_elf(bits=bits, big=big, elf_type=2, interpreter="/lib/ld-musl.so.1", needed=["libc.so"], stack=7)
    assert linking(built.data) == Linking(
        type="executable", interpreter="/lib/ld-musl.so.1", needed=("libc.so",), executable_stack=True
    )


def test_a_file_on_disk_is_read_the_same(tmp_path: Path) -> None:
    built = library()
    path = tmp_path / "libx.so.1"
    path.write_bytes(built.data)
    with path.open("rb") as stream:
        binary = describe(FileSource(stream, len(built.data)))
    assert binary is not None
    assert binary.linking_for("amd64") == linking(built.data)


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [
        ({"RPATH": "/a:/b"}, {"rpath": ("/a", "/b")}),
        ({"RPATH": "/a::$ORIGIN"}, {"rpath": ("/a", "", "$ORIGIN")}),
        ({"RPATH": ""}, {"rpath": ()}),
        ({"TEXTREL": 0}, {"text_relocations": True}),
        ({"FLAGS": 4}, {"text_relocations": True}),
        ({"FLAGS": 8}, {"text_relocations": False}),
    ],
)
def test_further_entries(tags: dict[str, str | int], wanted: dict[str, object]) -> None:
    result = linking(build_elf(tags=tags).data)
    assert {name: getattr(result, name) for name in wanted} == wanted


def test_a_name_that_is_not_utf8_is_shown_by_backslashes() -> None:
    built = build_elf(needed=["lib?.so"])
    data = built.data.replace(b"lib?.so", b"lib\xff.so")
    assert linking(data).needed == ("lib\\xff.so",)


def test_a_long_string_table_is_read_where_it_matters() -> None:
    built = build_elf(needed=["x" * 4000, *(f"lib{number}.so" for number in range(4000))])
    assert linking(built.data).needed[1::1999] == ("lib0.so", "lib1999.so", "lib3998.so")
    assert linking(build_elf(needed=["x" * 4095]).data).needed == ("x" * 4095,)
    assert "has no end" in damage(build_elf(needed=["x" * 4096]).data)


@pytest.mark.parametrize(("elf_type", "name"), [(1, "object"), (4, "core"), (0xFE00, "other")])
def test_of_what_no_loader_loads_only_the_type_is_told(elf_type: int, name: str) -> None:
    assert linking(library(elf_type=elf_type).data) == Linking(type=name)


def test_an_object_file_has_no_program_headers() -> None:
    built = build_elf(elf_type=1)
    built.put("QQ", 32, 0, 0).put("HH", 54, 0, 0)
    assert linking(built.data) == Linking(type="object")


def test_a_program_without_a_dynamic_section_is_static() -> None:
    built = build_elf(elf_type=2)
    assert linking(built.put("I", built.segment(2, "type")[1], 0).data) == Linking(type="executable", static=True)


def test_code_for_no_processor_of_the_system_is_not_asked() -> None:
    built = library(machine=247)
    binary = describe(BytesSource(built.data))
    assert binary is not None
    assert (binary.hosted, binary.linking, binary.damaged) == (False, (), "")


@pytest.mark.parametrize(("bits", "big"), LAYOUTS)
def test_more_program_headers_than_their_field_can_count(bits: int, big: bool) -> None:
    built = library(bits=bits, big=big)
    whole, place, count = (64, 40, 4) if bits == 64 else (40, 32, 4)
    numbers, shoff, phnum = ("IIQQQQIIQQ", "Q", 56) if bits == 64 else ("I" * 10, "I", 44)
    section = struct.pack(built.order + numbers, 0, 0, 0, 0, 0, 0, 0, count, 0, 0)
    assert len(section) == whole
    built.put(shoff, place, len(built.data)).put("H", phnum, 0xFFFF)
    built.data += section
    assert linking(built.data) == linking(library(bits=bits, big=big).data)
    del built.data[-1:]
    assert damage(built.data) == "the number of its program headers cannot be told"


Change = Callable[[BuiltElf], object]


def _segment(index: int, name: str, value: int) -> Change:
    return lambda built: built.put(built.segment(index, name)[0], built.segment(index, name)[1], value)


def _at(part: str, inside: int, layout: str, value: int) -> Change:
    return lambda built: built.put(layout, built.places[part] + inside, value)


def _entry(tag: str, value: int, new_tag: str = "") -> Change:
    def change(built: BuiltElf) -> None:
        place = built.places["dynamic"]
        while struct.unpack_from("<Q", built.data, place)[0] != DT[tag]:
            place += 16
        built.put("QQ", place, DT[new_tag or tag], value)

    return change


DAMAGE: list[tuple[str, Change]] = [
    ("its program headers are said to be 32 bytes each", lambda built: built.put("H", 54, 32)),
    ("its program headers reach past its end", lambda built: built.put("H", 56, 60000)),
    ("its program headers reach past its end", lambda built: built.put("Q", 32, 2**64 - 1)),
    ("a segment that is to be loaded reaches past its end", _segment(1, "filesz", 2**40)),
    ("a segment that is to be loaded reaches past its end", _segment(1, "offset", 2**64 - 8)),
    ("it has two dynamic segments", _segment(3, "type", 2)),
    ("it names two interpreters", lambda built: (_segment(3, "type", 3)(built), _segment(0, "type", 3)(built))),
    ("the name of its interpreter is said to be 0 bytes long", _segment(3, "type", 3)),
    ("its dynamic section is in no segment that is loaded", _segment(2, "vaddr", 2**50)),
    ("its dynamic section is said to be in two places", _segment(2, "offset", 64)),
    ("its dynamic section has no end", _segment(2, "filesz", 32)),
    ("its dynamic section has no end", _segment(2, "filesz", 0)),
    ("its dynamic section has no contents in the file", _segment(1, "filesz", 0)),
    ("its string table is in no segment that is loaded", _entry("STRTAB", 2**63)),
    ("its string table reaches past the segment it lies in", _entry("STRSZ", 2**40)),
    ("a name lies outside its string table", _entry("SONAME", 2**63)),
    ("a name lies outside its string table", _entry("STRSZ", 0)),
    ("its dynamic section has two entries DT_SONAME that differ", _entry("RUNPATH", 0, "SONAME")),
    ("its table of required versions is in no segment that is loaded", _entry("VERNEED", 2**62)),
    ("its symbol versions have format 9, which does not exist", _at("verneed", 0, "H", 9)),
    ("its symbol versions are said to be 7, and are 1", _at("verneed", 2, "H", 7)),
    ("its symbol versions are said to be 4294967295, and are 2", _entry("VERNEEDNUM", 2**32 - 1)),
    ("its symbol versions are said to be 2, and are 3", _entry("VERDEFNUM", 2)),
    ("its symbol versions overlap", _at("verneed", 12, "I", 1)),
    ("its symbol versions overlap", _at("verneed", 16 + 12, "I", 2)),
    ("its symbol versions reach past the segment they lie in", _at("verneed", 12, "I", 2**32 - 16)),
    ("its symbol versions reach past the segment they lie in", _at("verneed", 8, "I", 2**32 - 1)),
    ("its symbol versions have format 0, which does not exist", _at("verdef", 0, "H", 0)),
    ("its symbol versions reach past the segment they lie in", _at("verdef", 28 + 12, "I", 2**31)),
]


@pytest.mark.parametrize(("wanted", "change"), DAMAGE)
def test_what_contradicts_itself_is_not_believed(wanted: str, change: Change) -> None:
    built = library()
    change(built)
    assert damage(built.data) == wanted


def test_a_table_at_an_address_with_two_contents_is_not_believed() -> None:
    built = library()
    _segment(3, "type", 1)(built)
    for name, value in (("vaddr", ADDRESS), ("memsz", 0x10000), ("filesz", 16), ("offset", 0x40)):
        _segment(3, name, value)(built)
    assert damage(built.data) == "its dynamic section is in two segments that differ"


@pytest.mark.parametrize(
    ("name", "wanted"), [("x" * 5000, "is said to be 5001 bytes long"), ("/lib/ld.so", "has no end")]
)
def test_an_interpreter_that_the_kernel_would_refuse(name: str, wanted: str) -> None:
    built = build_elf(interpreter=name)
    built.data[built.places["interp"] + len(name)] = 0x78
    assert wanted in damage(built.data)


@pytest.mark.parametrize("elf_type", [2, 3])
def test_a_library_may_name_an_empty_interpreter_as_qts_own_does(elf_type: int) -> None:
    built = build_elf(elf_type=elf_type, interpreter="/", needed=["libc.so.6"])
    built.data[built.places["interp"]] = 0
    _segment(4, "filesz", 1)(built)
    if elf_type == 2:
        assert "is said to be 1 bytes long" in damage(built.data)
    else:
        seen = linking(built.data)
        assert (seen.interpreter, seen.needed) == ("", ("libc.so.6",))


@pytest.mark.parametrize(("bits", "big"), LAYOUTS)
def test_a_file_cut_short_anywhere(bits: int, big: bool) -> None:
    data = bytes(library(bits=bits, big=big, interpreter="/lib/ld.so.1").data)
    for length in range(52 if bits == 32 else 64, len(data)):
        assert damage(data[:length]), length


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_a_linked_file_cut_short_anywhere(path: Path) -> None:
    data = path.read_bytes()
    whole = linking(data)
    assert whole.needed
    assert whole.versions
    for length in range(len(data)):
        binary = describe(BytesSource(data[:length]))
        assert (binary is None) == (length < 4)
        if binary is not None:
            assert binary.undecided or binary.damaged or binary.linking == (whole,), length


@pytest.mark.parametrize("path", REAL, ids=lambda path: path.name)
def test_pyelftools_and_lief_read_the_same(path: Path) -> None:
    data = path.read_bytes()
    assert fields_of(linking(data)) == elf_by_pyelftools(data) == elf_by_lief(data)


@pytest.mark.parametrize(("bits", "big"), LAYOUTS)
@pytest.mark.parametrize(("tags", "stack"), [({"FLAGS": 4}, 7), ({"TEXTREL": 0}, 6), ({"RPATH": "/a:/b"}, 6)])
def test_lief_reads_the_same_without_section_headers(
    bits: int, big: bool, tags: dict[str, str | int], stack: int
) -> None:
    # LIEF takes a file of another byte order than the machine's for a broken one.
    machine = {(32, False): 3, (64, False): 62, (32, True): 20, (64, True): 22}[bits, big]
    made = library(bits=bits, big=big, machine=machine, tags=tags, stack=stack, interpreter="/lib/ld.so.1")
    data = bytes(made.data)
    assert fields_of(linking(data)) == elf_by_lief(data)


def test_there_are_linked_files() -> None:
    assert len(REAL) >= 2


def _only_debug(data: bytearray, *, kind: int) -> bytearray:
    """Add section headers of a file that has a single section: code, with or without contents."""
    data = data.copy()
    sections = struct.pack("<IIQQQQIIQQ", *[0] * 10) + struct.pack("<IIQQQQIIQQ", 0, kind, 6, 64, 64, 64, 0, 0, 1, 0)
    struct.pack_into("<Q", data, 40, len(data))
    struct.pack_into("<HHH", data, 58, 64, 2, 0)
    return data + sections


def test_a_file_with_nothing_but_debugging_information_is_not_damaged() -> None:
    # Where objcopy or eu-strip leave program headers behind, these lead nowhere or into something else.
    for change in (_segment(1, "filesz", 0), _segment(1, "filesz", 2**40), _segment(2, "offset", 64)):
        built = library()
        change(built)
        assert linking(_only_debug(built.data, kind=8)) == Linking(type="other")
        assert damage(_only_debug(built.data, kind=1))


def test_what_section_headers_say_hides_nothing_that_can_be_loaded() -> None:
    built = library()
    assert linking(_only_debug(built.data, kind=8)) == linking(built.data)


def test_what_is_hostile_costs_little() -> None:
    """A small file whose every library's list of versions is one and the same long one, and names that overlap."""
    names = [(f"V{number}", 0) for number in range(3000)]
    built = library(versions={"a": names, "b": names[:1], "c": names[:1]})
    built.put("I", built.places["verneed"] + 16 + 16 * len(names) + 8, 2**32 - 1)
    many = build_elf(needed=["x" * 4000] * 4000)
    crowd = library()
    crowd.put("Q", 32, len(crowd.data)).put("H", 56, 0xFFFE)
    crowd.data += struct.pack("<IIQQQQQQ", 1, 5, 0, 0, 0, 64, 64, 1) * 0xFFFE
    tracemalloc.start()
    try:
        started = time.process_time()
        for data in (built.data, many.data, crowd.data):
            source = BytesSource(bytes(data))
            tracemalloc.reset_peak()
            before = tracemalloc.get_traced_memory()[0]
            assert describe(source) is not None
            assert tracemalloc.get_traced_memory()[1] - before < 48 * 2**20
        assert time.process_time() - started < 5
    finally:
        tracemalloc.stop()
    assert "longer in all" in damage(many.data)


def test_what_lies_behind_a_segment_on_its_last_page_is_mapped_too() -> None:
    # Tools that let a dynamic section grow in place leave it there, as in casadi 3.7.2: loaders map whole pages.
    built = build_elf(needed=["libc.so.6"], tags={"SONAME": "liba.so"})
    before = linking(built.data)
    short = built.places["dynamic"] - built.places["verneed"]
    for name in ("filesz", "memsz"):
        _segment(1, name, short)(built)
    assert linking(built.data) == before
    # Where memory is to follow that is filled with zeros, nothing of the file is there.
    _segment(1, "memsz", 0x1000)(built)
    assert damage(built.data) == "its dynamic section has no contents in the file"
