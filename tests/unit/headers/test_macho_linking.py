"""What Mach-O load commands say, and what is refused in them."""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.machofiles import (
    ARM64,
    X86_64,
    build_version,
    command,
    fat,
    named,
    segment,
    thin,
    version_min,
)

from crossdock.headers.linking import DamagedHeaderError, Linking
from crossdock.headers.macho import read_macho, read_macho_linking
from crossdock.headers.source import BytesSource

ID, LOAD, WEAK, REEXPORT, UPWARD, LAZY = 0x0D, 0x0C, 0x80000018, 0x8000001F, 0x80000023, 0x20
RPATH, LOADER = 0x8000001C, 0x0E
MACOS, IOS, CATALYST = 1, 2, 6
KINDS = [(order, bits) for order in "<>" for bits in (32, 64)]


def read(data: bytes) -> tuple[Linking, ...]:
    return read_macho_linking(BytesSource(data))


def read_one(data: bytes) -> Linking:
    (linking,) = read(data)
    return linking


def refusal(data: bytes) -> str:
    with pytest.raises(DamagedHeaderError) as caught:
        read(data)
    return str(caught.value)


class CountingSource(BytesSource):
    """Counts what is read of it."""

    def __init__(self, data: bytes, size: int | None = None) -> None:
        super().__init__(data)
        self.size = len(data) if size is None else size
        self.reads: list[tuple[int, int]] = []

    def read(self, offset: int, count: int) -> bytes:
        self.reads.append((offset, count))
        return super().read(offset, count)


@pytest.mark.parametrize(("order", "bits"), KINDS)
def test_libraries_folders_and_loader_in_their_order(order: str, bits: int) -> None:
    data = thin(
        segment(0, 32, bits=bits, order=order),
        named(ID, "@rpath/libown.1.dylib", order=order),
        named(LOAD, "/usr/lib/libSystem.B.dylib", order=order),
        named(WEAK, "/usr/lib/libz.1.dylib", order=order),
        named(REEXPORT, "@rpath/liba.dylib", order=order),
        named(UPWARD, "@loader_path/../libb.dylib", order=order),
        named(LAZY, "libc.dylib", order=order),
        named(RPATH, "@loader_path/.dylibs", order=order),
        named(RPATH, "/opt/a:b/lib", order=order),
        named(LOADER, "/usr/lib/dyld", order=order),
        build_version(MACOS, 0x000B0000, order=order),
        cpu=(18, 0) if bits == 32 else X86_64,
        order=order,
        bits=bits,
    )
    assert read_one(data) == Linking(
        type="shared",
        name="@rpath/libown.1.dylib",
        needed=("/usr/lib/libSystem.B.dylib", "@rpath/liba.dylib", "@loader_path/../libb.dylib"),
        weak=("/usr/lib/libz.1.dylib", "libc.dylib"),
        rpath=("@loader_path/.dylibs", "/opt/a:b/lib"),
        interpreter="/usr/lib/dyld",
        minimum="11.0",
        system="macos",
    )


@pytest.mark.parametrize(
    ("file_type", "name"),
    [(1, "object"), (2, "executable"), (4, "core"), (6, "shared"), (8, "bundle"), (7, "other"), (10, "other")],
)
def test_file_types(file_type: int, name: str) -> None:
    assert read_one(thin(file_type=file_type)).type == name


@pytest.mark.parametrize(("number", "system"), [(0x24, "macos"), (0x25, "ios"), (0x2F, "tvos"), (0x30, "watchos")])
def test_the_older_commands_name_system_and_version_too(number: int, system: str) -> None:
    linking = read_one(thin(version_min(number, 0x000A0D04)))
    assert (linking.system, linking.minimum) == (system, "10.13.4")


@pytest.mark.parametrize(
    ("commands", "system", "minimum"),
    [
        ((build_version(CATALYST, 0x000E0000), build_version(MACOS, 0x000B0300)), "macos", "11.3"),
        ((build_version(IOS, 0x00110000),), "ios", "17.0"),
        ((build_version(7, 0x00110000),), "ios-simulator", "17.0"),
        ((build_version(99, 0x00010000),), "platform 99", "1.0"),
        ((version_min(0x24, 0x000A0900), build_version(MACOS, 0x000C0000)), "macos", "12.0"),
        ((build_version(MACOS, 0),), "macos", ""),
        ((build_version(0, 0x000C0000),), "", ""),
        ((), "", ""),
    ],
)
def test_macos_goes_before_other_systems_and_the_newest_minimum_counts(
    commands: tuple[bytes, ...], system: str, minimum: str
) -> None:
    linking = read_one(thin(*commands))
    assert (linking.system, linking.minimum) == (system, minimum)


@pytest.mark.parametrize(("flags", "asked"), [(0x85, False), (0x20085, True)])
def test_an_executable_stack_is_asked_for_by_a_flag(flags: int, asked: bool) -> None:
    assert read_one(thin(flags=flags, file_type=2)).executable_stack is asked


@pytest.mark.parametrize(("flags", "weak"), [(0, ()), (1, ("liba.dylib",)), (2, ())])
def test_a_library_may_be_marked_weak_by_the_flags_of_its_use(flags: int, weak: tuple[str, ...]) -> None:
    body = struct.pack("<5I", 28, 0x1A741800, 0, 0, flags) + b"liba.dylib\0"
    linking = read_one(thin(command(LOAD, body)))
    assert linking.weak == weak
    assert linking.needed == (() if weak else ("liba.dylib",))


def test_a_timestamp_is_not_taken_for_the_flags_of_a_use() -> None:
    body = struct.pack("<4I", 24, 0x1A741800, 0, 0) + b"\1\0\0\0liba.dylib\0"
    assert read_one(thin(command(LOAD, body))).weak == ()


def test_unknown_commands_are_passed_over() -> None:
    assert read_one(thin(command(0x7777, bytes(40)), named(LOAD, "a.dylib"))).needed == ("a.dylib",)


def test_a_name_that_is_no_text_is_shown_escaped() -> None:
    assert read_one(thin(named(LOAD, b"a\xff.dylib"))).needed == ("a\\xff.dylib",)


@pytest.mark.parametrize("wide", [False, True])
def test_a_fat_file_gives_one_for_each_slice_in_order(wide: bool) -> None:
    intel = thin(named(LOAD, "intel.dylib"), version_min(0x24, 0x000A0D00))
    arm = thin(named(LOAD, "arm.dylib"), build_version(MACOS, 0x000B0000), cpu=ARM64)
    data = fat((ARM64, arm), (X86_64, intel), wide=wide)
    macho = read_macho(data)
    assert macho is not None
    assert [item.cpu_name for item in macho.slices] == ["arm64", "x86_64"]
    assert [(item.needed, item.minimum) for item in read(data)] == [
        (("arm.dylib",), "11.0"),
        (("intel.dylib",), "10.13"),
    ]


@pytest.mark.parametrize("content", [b"!<arch>\n", b"\xde\xc0\x17\x0b\0\0\0\0", b"BC\xc0\xde"])
def test_slices_may_be_static_libraries_or_bitcode(content: bytes) -> None:
    assert read(fat((X86_64, content), (ARM64, thin(cpu=ARM64)))) == (Linking(type="other"), Linking(type="shared"))


def test_processors_of_one_type_but_other_subtypes_may_both_be_there() -> None:
    armv7, armv7s = (12, 9), (12, 11)
    data = fat((armv7, thin(cpu=armv7, bits=32)), (armv7s, thin(cpu=armv7s, bits=32)))
    assert [item.type for item in read(data)] == ["shared", "shared"]


class TestDamage:
    @pytest.mark.parametrize(("order", "bits"), KINDS)
    def test_no_cut_of_a_file_passes_unless_all_it_names_is_there(self, order: str, bits: int) -> None:
        content = 128
        named_bytes = [
            named(ID, "libown.dylib", order=order),
            named(LOAD, "liba.dylib", order=order),
            named(RPATH, "@loader_path", order=order),
            build_version(MACOS, 0x000B0000, order=order),
        ]
        size = len(thin(segment(0, 0, bits=bits, order=order), *named_bytes, bits=bits)) + content
        data = thin(segment(0, size, bits=bits, order=order), *named_bytes, order=order, bits=bits) + bytes(content)
        assert len(data) == size
        assert read_one(data).needed == ("liba.dylib",)
        for cut in range(size):
            assert refusal(data[:cut])

    def test_no_cut_of_a_fat_file_passes(self) -> None:
        arm = thin(named(LOAD, "arm.dylib"), cpu=ARM64)
        data = fat((X86_64, thin(named(LOAD, "intel.dylib"))), (ARM64, arm))
        data = data[: data.rindex(arm) + len(arm)]
        assert len(read(data)) == 2
        for cut in range(len(data)):
            assert refusal(data[:cut])

    @pytest.mark.parametrize("data", [b"", b"\x7fELF", b"\xca\xfe\xba\xbe\0\0\0\x34" + bytes(99), bytes(4096)])
    def test_what_is_no_macho_file(self, data: bytes) -> None:
        assert refusal(data) == "it has no Mach-O header"

    @pytest.mark.parametrize(
        ("count", "length"),
        [(0xFFFFFFFF, 24), (10_001, 1 << 19), (1, 0xFFFFFFFF), (1, 1 << 19), (1, (1 << 20) + 8), (4, 24), (1, 32)],
    )
    def test_counts_and_lengths_that_do_not_fit(self, count: int, length: int) -> None:
        data = thin(version_min(0x24, 0x000B0000), count=count, length=length)
        source = CountingSource(data)
        with pytest.raises(DamagedHeaderError, match="load command"):
            read_macho_linking(source)
        assert max(size for _, size in source.reads) < 5000

    def test_fewer_bytes_of_commands_than_their_sizes_add_up_to(self) -> None:
        two = [version_min(0x24, 0x000B0000), named(LOAD, "liba.dylib")]
        data = thin(*two, length=len(b"".join(two)) - 8)
        assert "load command 1 has a size of" in refusal(data)

    def test_a_count_beyond_the_last_command(self) -> None:
        assert "lies behind the last" in refusal(thin(command(0x7777, bytes(16)), count=2))

    @pytest.mark.parametrize("size", [0, 4, 7, 9, 22, 64, 0xFFFFFFF8])
    def test_sizes_of_a_command(self, size: int) -> None:
        assert refusal(thin(command(0x7777, bytes(16), size=size))) == f"load command 0 has a size of {size}"

    @pytest.mark.parametrize("number", [LOAD, RPATH, LOADER, 0x32, 0x24, 0x01, 0x19])
    def test_commands_too_short_for_what_they_hold(self, number: int) -> None:
        assert "has a size of 8" in refusal(thin(command(number)))

    @pytest.mark.parametrize("place", [0, 8, 23, 40, 41, 0xFFFFFFFF])
    def test_names_outside_of_their_command(self, place: int) -> None:
        assert refusal(thin(named(LOAD, "liba.dylib", place=place))) == "a name lies outside of its load command"

    def test_a_name_without_an_end(self) -> None:
        endless = command(LOAD, struct.pack("<4I", 24, 0, 0, 0) + b"x" * 16)
        assert "no end" in refusal(thin(endless))
        assert "no end" in refusal(thin(endless, version_min(0x24, 0x000B0000)))

    def test_a_name_that_is_too_long(self) -> None:
        assert read_one(thin(named(LOAD, "x" * 4096))).needed == ("x" * 4096,)
        assert "4097 bytes long" in refusal(thin(named(LOAD, "x" * 4097)))

    @pytest.mark.parametrize(("number", "words"), [(ID, "names itself twice"), (LOADER, "names two loaders")])
    def test_what_may_be_said_once(self, number: int, words: str) -> None:
        assert words in refusal(thin(named(number, "a"), named(number, "a")))

    @pytest.mark.parametrize(("start", "length"), [(0, 1 << 20), (1 << 20, 1), (1 << 63, 1 << 63), ((1 << 64) - 1, 2)])
    def test_segments_past_the_end(self, start: int, length: int) -> None:
        assert "it is cut short" in refusal(thin(segment(start, length)))

    def test_a_debug_file_keeps_segments_without_their_bytes(self) -> None:
        assert read_one(thin(segment(0, 1 << 20), file_type=10)).type == "other"

    @pytest.mark.parametrize(
        ("places", "words"),
        [
            ([(0x100, 0x20), (0x100, 0x20)], "overlaps"),
            ([(0x110, 0x20), (0x100, 0x20)], "overlaps"),
            ([(0x100, 0x20), (0x11F, 0x20)], "overlaps"),
            ([(0, 0x20), (0x120, 0x20)], "overlaps"),
            ([(0x2F, 0x20), (0x120, 0x20)], "overlaps"),
            ([(0x100, 0x20), (0x120, 0x1000)], "cut short"),
            ([(0x100, 0x20), (0x1000, 0x20)], "cut short"),
            ([(0x100, 0x20), (0xFFFFFFFF, 0xFFFFFFFF)], "cut short"),
            ([(0x100, 0x20), (0x120, 0)], "holds no Mach-O file"),
            ([(0x100, 0x20), (0x120, 8)], "cut short"),
            ([(0x120, 0x20), (0x100, 0x20)], "the slice for x86_64 holds code for arm64"),
        ],
    )
    def test_slices_that_overlap_lie_outside_or_hold_something_else(
        self, places: list[tuple[int, int]], words: str
    ) -> None:
        slices = ((X86_64, thin()), (ARM64, thin(cpu=ARM64)))
        assert len(read(fat(*slices))) == 2
        assert words in refusal(fat(*slices, places=places))

    @pytest.mark.parametrize("place", [(1 << 63, 32), (0x100, (1 << 64) - 1), ((1 << 64) - 1, (1 << 64) - 1)])
    def test_slices_of_64_bit_tables_past_the_end(self, place: tuple[int, int]) -> None:
        assert "cut short" in refusal(fat((X86_64, thin()), wide=True, places=[place]))

    def test_two_slices_for_one_processor(self) -> None:
        with_capability = (X86_64[0], X86_64[1] | 0x80000000)
        data = fat((X86_64, thin()), (with_capability, thin(cpu=with_capability)))
        assert refusal(data) == "two slices are for the same processor"

    def test_a_fat_file_within_a_fat_file(self) -> None:
        assert "holds no Mach-O file" in refusal(fat((X86_64, fat((X86_64, thin())))))

    def test_a_source_that_ends_before_its_size(self) -> None:
        data = thin(named(LOAD, "x" * 4090), named(LOAD, "y" * 4090))
        with pytest.raises(DamagedHeaderError, match="cut short"):
            read_macho_linking(CountingSource(data[:5000], size=len(data)))


def test_few_reads_for_a_file_with_long_tables() -> None:
    source = CountingSource(thin(*(named(LOAD, f"/usr/lib/lib{n}.dylib") for n in range(500))))
    (linking,) = read_macho_linking(source)
    assert len(linking.needed) == 500
    assert len(source.reads) == 2


PATCHED = fat(
    (X86_64, thin(segment(0, 64), named(ID, "a"), named(LOAD, "b"), version_min(0x24, 0x000A0D00))),
    (ARM64, thin(named(RPATH, "c"), named(LOADER, "d"), build_version(MACOS, 0x000B0000), cpu=ARM64)),
)


@given(st.lists(st.tuples(st.integers(0, len(PATCHED) - 1), st.binary(min_size=1, max_size=4)), min_size=1, max_size=4))
def test_no_patched_bytes_make_it_raise_anything_else(patches: list[tuple[int, bytes]]) -> None:
    data = bytearray(PATCHED)
    for place, replacement in patches:
        data[place : place + len(replacement)] = replacement
    macho = read_macho(bytes(data))
    with suppress(DamagedHeaderError):
        linkings = read(bytes(data))
        assert macho is not None
        assert len(linkings) == len(macho.slices)
