"""What ELF files ask for, read as pyelftools reads it; and broken ones, which end in one kind of error."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from elftools.elf.segments import InterpSegment
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.bases.interpreter.elfmaker import elf

from crossdock.bases.interpreter.elf import ElfNeeds, MalformedElfError, glibc_needed, read_needs

_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="the programs of this machine are not ELF files")


def by_pyelftools(data: bytes) -> ElfNeeds:
    file = ELFFile(io.BytesIO(data))
    loaders = [segment.get_interp_name() for segment in file.iter_segments() if isinstance(segment, InterpSegment)]
    versions = [
        (str(need.name), str(version.name))
        for section in file.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for need, auxiliaries in section.iter_versions()
        for version in auxiliaries
    ]
    return ElfNeeds(loader=loaders[0] if loaders else "", versions=tuple(versions))


def loaded() -> list[Path]:
    """The programs and libraries that this process runs, once a few modules with dependencies are imported."""
    import ctypes  # noqa: F401
    import ssl  # noqa: F401

    lines = Path("/proc/self/maps").read_text().splitlines()
    paths = {Path(line.split(None, 5)[5]) for line in lines if line.count("/") and len(line.split(None, 5)) == 6}
    return sorted(path for path in paths if path.is_file() and path.read_bytes()[:4] == b"\x7fELF")


@_LINUX
def test_every_program_and_library_of_this_process_reads_as_pyelftools_reads_it() -> None:
    found = loaded()
    needs = {path: read_needs(path.read_bytes()) for path in found}
    assert len(found) > 3
    assert needs == {path: by_pyelftools(path.read_bytes()) for path in found}
    # Else this would compare nothing with nothing.
    assert needs[Path(sys.executable).resolve()].loader.rpartition("/")[2].startswith("ld")
    assert sum(len(item.versions) for item in needs.values()) > 10


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("big_endian", [False, True])
def test_every_class_and_byte_order_is_read(bits: int, big_endian: bool) -> None:
    versions = {"libc.so.6": ["GLIBC_2.17", "GLIBC_2.28"], "libm.so.6": ["GLIBC_2.29"]}
    data = elf(bits=bits, big_endian=big_endian, loader="/lib/ld.so.1", versions=versions)
    assert read_needs(data) == ElfNeeds(
        loader="/lib/ld.so.1",
        versions=(("libc.so.6", "GLIBC_2.17"), ("libc.so.6", "GLIBC_2.28"), ("libm.so.6", "GLIBC_2.29")),
    )


def test_a_program_without_loader_and_versions_asks_for_nothing() -> None:
    assert read_needs(elf(loader="")) == ElfNeeds(loader="", versions=())


@pytest.mark.parametrize(
    ("versions", "oldest"),
    [
        ([], (0, 0)),
        (["GLIBC_2.2.5", "GLIBC_2.17", "GLIBC_2.9"], (2, 17)),
        (["GLIBC_PRIVATE", "GLIBCXX_3.4.30", "GCC_3.0"], (0, 0)),
        (["GLIBC_2.34", "GLIBC_ABI_DT_RELR"], (2, 36)),
    ],
)
def test_the_oldest_glibc_is_that_of_the_newest_version_by_number(versions: list[str], oldest: tuple[int, int]) -> None:
    assert glibc_needed(ElfNeeds(loader="", versions=tuple(("libc.so.6", name) for name in versions))) == oldest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: b"MZ" + data[2:], "no ELF header"),
        (lambda data: data[:40], "no ELF header"),
        (lambda data: data[:56] + b"\xff\xff" + data[58:], "65535 program headers"),
        (lambda data: data[:32] + b"\xff" * 8 + data[40:], "leads out of the file"),
        (lambda data: data[:-20], "leads out of the file"),
        (lambda data: data.replace(b"/lib64/ld-linux-x86-64.so.2\0", b"/lib64/ld-linux-x86-64.so.2!"), "out of its ta"),
    ],
)
def test_a_broken_file_is_told_from_a_whole_one(change: object, message: str) -> None:
    assert callable(change)
    with pytest.raises(MalformedElfError, match=message):
        read_needs(change(elf(versions={"libc.so.6": ["GLIBC_2.17"]})))


def test_a_list_of_versions_that_never_ends_is_refused() -> None:
    data = elf(versions={"libc.so.6": ["GLIBC_2.17"] * 4097})
    with pytest.raises(MalformedElfError, match="more than 4096 symbol versions"):
        read_needs(data)


@given(st.data())
def test_any_damage_gives_a_result_or_one_kind_of_error(draw: st.DataObject) -> None:
    data = bytearray(elf(versions={"libc.so.6": ["GLIBC_2.17", "GLIBC_2.28"]}))
    for _ in range(draw.draw(st.integers(1, 4))):
        data[draw.draw(st.integers(4, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        needs = read_needs(bytes(data[: draw.draw(st.integers(0, len(data)))]))
    except MalformedElfError:
        return
    assert len(needs.versions) <= 4096
