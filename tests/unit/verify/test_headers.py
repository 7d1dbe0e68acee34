"""The header readers: right on real files, quiet on any others."""

from __future__ import annotations

import struct
import sys
from itertools import islice
from pathlib import Path
from typing import Any

import distlib
import pytest
from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from hypothesis import given
from hypothesis import strategies as st

from crossdock.headers.binary import HEAD_SIZE, identify
from crossdock.headers.elf import is_malformed_elf, read_elf
from crossdock.headers.macho import read_macho
from crossdock.headers.pe import pe_offset, read_pe

LAUNCHERS = sorted(Path(distlib.__file__).parent.glob("*.exe"))


@pytest.mark.parametrize(
    ("machine", "bits", "big", "arch"),
    [
        (62, 64, False, "amd64"),
        (183, 64, False, "arm64"),
        (40, 32, False, "arm"),
        (3, 32, False, "386"),
        (21, 64, False, "ppc64le"),
        (22, 64, True, "s390x"),
        (243, 64, False, "riscv64"),
    ],
)
def test_machine_class_and_byte_order_give_the_architecture(
    make: Any, machine: int, bits: int, big: bool, arch: str
) -> None:
    binary = identify(make.elf(machine, bits=bits, big=big))
    assert binary is not None
    assert binary.machines == (arch,)
    other_order = identify(make.elf(machine, bits=bits, big=not big))
    assert other_order is not None
    assert other_order.machines != (arch,)
    other_class = identify(make.elf(machine, bits=96 - bits, big=big))
    assert other_class is not None
    assert other_class.machines != (arch,)


def test_a_running_interpreter_is_recognised() -> None:
    header = read_elf(Path(sys.executable).resolve().read_bytes()[:HEAD_SIZE])
    assert header is not None
    assert header.bits == struct.calcsize("P") * 8
    assert header.big_endian == (sys.byteorder == "big")


def test_all_elf_files_of_the_machine_agree_with_pyelftools() -> None:
    compared = 0
    for path in islice((p for p in Path("/usr/lib").rglob("*.so*") if p.is_file()), 400):
        with path.open("rb") as stream:
            header = read_elf(stream.read(HEAD_SIZE))
            try:
                stream.seek(0)
                oracle = ELFFile(stream)
            except ELFError:
                assert header is None, path
                continue
            assert header is not None, path
            assert header.bits == oracle.elfclass
            assert header.big_endian == (not oracle.little_endian)
            stream.seek(18)
            assert header.machine == int.from_bytes(stream.read(2), "big" if header.big_endian else "little")
            assert header.flags == oracle["e_flags"]
            assert {"shared": "ET_DYN", "object": "ET_REL", "executable": "ET_EXEC"}[header.type] == oracle["e_type"]
            compared += 1
    assert compared > 50


@pytest.mark.parametrize(
    ("flags", "float_abi"), [(0x5000400, "hard"), (0x5000200, "soft"), (0x5000000, ""), (0x4000400, "")]
)
def test_arm_flags_tell_the_float_abi(make: Any, flags: int, float_abi: str) -> None:
    header = read_elf(make.elf(40, bits=32, flags=flags))
    assert header is not None
    assert header.float_abi == float_abi


@pytest.mark.parametrize("machine", [190, 224, 247])
def test_code_for_gpus_and_bpf_is_not_for_the_host(make: Any, machine: int) -> None:
    binary = identify(make.elf(machine))
    assert binary is not None
    assert not binary.hosted


def test_no_machine_is_bytecode_only_if_it_names_no_system(make: Any) -> None:
    guile, broken = identify(make.elf(0, os_abi=255)), identify(make.elf(0))
    assert guile is not None
    assert broken is not None
    assert (guile.hosted, broken.hosted) == (False, True)


@pytest.mark.parametrize("cut", [4, 5, 16, 20, 63])
def test_a_truncated_elf_header_is_undecided_never_passed(make: Any, cut: int) -> None:
    head = make.elf()[:cut]
    binary = identify(head)
    assert is_malformed_elf(head)
    assert binary is not None
    assert binary.undecided


@pytest.mark.skipif(not LAUNCHERS, reason="distlib carries no launchers here")
@pytest.mark.parametrize("path", LAUNCHERS, ids=lambda path: path.name)
def test_real_windows_launchers(path: Path) -> None:
    wanted = "arm64" if "arm" in path.name else "386" if "32" in path.name else "amd64"
    binary = identify(path.read_bytes()[:HEAD_SIZE])
    assert binary is not None
    assert (binary.format, binary.machines, binary.managed) == ("pe", (wanted,), False)


def test_a_net_assembly_is_told_from_a_windows_program(make: Any) -> None:
    assembly = identify(make.pe(managed=True))
    assert assembly is not None
    assert assembly.managed


def test_a_pe_header_beyond_the_head_is_undecided(make: Any) -> None:
    binary = identify(make.pe(offset=10_000)[:HEAD_SIZE])
    assert binary is not None
    assert binary.undecided


@pytest.mark.parametrize("data", [b"MZ", b"MZ" + bytes(100), b"MZ is how this text begins. " * 10])
def test_dos_magic_alone_is_no_program(data: bytes) -> None:
    assert identify(data) is None


@pytest.mark.parametrize(
    ("order", "magic", "cpu", "arch"),
    [
        ("<", 0xFEEDFACF, 0x01000007, "amd64"),
        ("<", 0xFEEDFACF, 0x0100000C, "arm64"),
        ("<", 0xFEEDFACE, 7, "386"),
        (">", 0xFEEDFACF, 0x01000012, "ppc64"),
    ],
)
def test_thin_macho(order: str, magic: int, cpu: int, arch: str) -> None:
    binary = identify(struct.pack(order + "IIIIIII", magic, cpu, 0, 6, 0, 0, 0))
    assert binary is not None
    assert (binary.format, binary.machines) == ("macho", (arch,))


@pytest.mark.parametrize(("magic", "entry"), [(0xCAFEBABE, "IIIII"), (0xCAFEBABF, "IIQQII")])
def test_fat_macho_names_all_slices(magic: int, entry: str) -> None:
    slices = [(0x01000007, 3, 0x4000, 9, 14, 0), (0x0100000C, 0, 0x8000, 9, 14, 0)]
    fat = struct.pack(">II", magic, 2) + b"".join(struct.pack(">" + entry, *s[: len(entry)]) for s in slices)
    binary = identify(fat)
    assert binary is not None
    assert (binary.machines, binary.undecided) == (("amd64", "arm64"), "")
    cut = identify(fat[:20])
    assert cut is not None
    assert cut.undecided


@pytest.mark.parametrize(("minor", "major"), [(3, 45), (0, 52), (0, 65), (0xFFFF, 61)])
def test_java_class_files_are_not_fat_macho(minor: int, major: int) -> None:
    assert identify(struct.pack(">IHHH", 0xCAFEBABE, minor, major, 20) + bytes(200)) is None


MAGICS = [b"", b"\x7fELF", b"\x7fELF\x02\x01", b"MZ", b"\xca\xfe\xba\xbe\0\0\0", b"\xcf\xfa\xed\xfe"]


@given(st.sampled_from(MAGICS), st.binary(max_size=600))
def test_no_bytes_make_a_reader_raise(magic: bytes, data: bytes) -> None:
    head = magic + data
    identify(head)
    read_elf(head)
    read_macho(head)
    read_pe(b"PE\0\0" + data)
    pe_offset(head)
