"""The readers of Mach-O and PE agree with LIEF, macholib and pefile on every such file of real wheels."""

from __future__ import annotations

import zipfile
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.header_oracles_other import macho_by_lief, macho_by_macholib, pe_by_lief, pe_by_pefile
from tests.support.machofiles import ARM64, X86_64, build_version, named, thin
from tests.support.pefiles import PeFile
from tests.support.wheelset import ListedWheel, listed, wheels

from crossdock.headers.describe import describe
from crossdock.headers.linking import Linking
from crossdock.headers.macho import MACHO_MAGICS, read_macho_linking
from crossdock.headers.pe import pe_offset, read_pe_hybrid, read_pe_linking
from crossdock.headers.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MACOS = [wheel for wheel in listed("core") if "macosx" in wheel.filename]
WINDOWS = [wheel for wheel in listed("core") if "-win" in wheel.filename]
# They load what they need with ctypes from Windows itself, and still bear its tag.
WITHOUT_NATIVES = ("watchdog-",)
# pefile takes a hundred times as long as LIEF, so it looks at so many files of a wheel.
FOR_PEFILE = 8
FIELDS = [field.name for field in fields(Linking)]


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return {path.name: path for path in wheels("core")}


@pytest.fixture(scope="module")
def seen() -> dict[str, set[str]]:
    """Which fields had something to compare, by format."""
    return {"macho": set(), "pe": set()}


@pytest.mark.network
@pytest.mark.parametrize("wheel", MACOS, ids=lambda wheel: wheel.filename)
def test_macho(wheel: ListedWheel, files: dict[str, Path], seen: dict[str, set[str]]) -> None:
    natives = list(_members(files[wheel.filename], "macho"))
    assert natives, "a wheel for macOS without a Mach-O file"
    for name, data in natives:
        linkings = read_macho_linking(BytesSource(data))
        ours = [_shown(linking) for linking in linkings]
        assert ours == [_filled(item) for item in macho_by_lief(data) or ()], name
        assert ours == [_filled(item) for item in macho_by_macholib(data) or ()], name
        _note(seen["macho"], ours)
        binary = describe(BytesSource(data))
        assert binary is not None
        assert (binary.linking, binary.damaged) == (linkings, ""), name
        assert all(linking.system == "macos" and linking.minimum for linking in linkings), name


@pytest.mark.network
@pytest.mark.parametrize("wheel", WINDOWS, ids=lambda wheel: wheel.filename)
def test_pe(wheel: ListedWheel, files: dict[str, Path], seen: dict[str, set[str]]) -> None:
    natives = list(_members(files[wheel.filename], "pe"))
    assert bool(natives) is not wheel.filename.startswith(WITHOUT_NATIVES)
    for number, (name, data) in enumerate(natives):
        linking = read_pe_linking(BytesSource(data))
        lief = pe_by_lief(data)
        assert lief is not None, name
        hybrid = read_pe_hybrid(BytesSource(data))
        assert hybrid == lief.pop("hybrid"), name
        assert _shown(linking) == _filled(lief), name
        if number < FOR_PEFILE:
            assert _shown(linking) == _filled(pe_by_pefile(data) or {}), name
        _note(seen["pe"], [_shown(linking), {"hybrid": hybrid}])
        binary = describe(BytesSource(data))
        assert binary is not None
        assert (binary.linking, binary.damaged) == ((linking,), ""), name


@pytest.mark.network
def test_there_was_something_to_compare(seen: dict[str, set[str]], request: pytest.FixtureRequest) -> None:
    if request.session.testscollected < len(MACOS) + len(WINDOWS):
        pytest.skip("only some of the wheels were asked for")
    assert seen["macho"] >= {"type", "name", "needed", "rpath", "minimum", "system"}
    assert seen["pe"] >= {"type", "name", "needed", "weak", "minimum", "hybrid"}


@pytest.mark.parametrize(
    ("order", "bits", "cpu"), [("<", 64, X86_64), ("<", 64, ARM64), ("<", 32, (7, 3)), (">", 32, (18, 0))]
)
@pytest.mark.parametrize("file_type", [2, 6, 8])
def test_macho_files_that_say_all_there_is_to_say(order: str, bits: int, cpu: tuple[int, int], file_type: int) -> None:
    """What hardly any wheel has: weak and re-exported libraries, a loader, an executable stack, other byte orders."""
    data = thin(
        named(0x0D, "@rpath/libown.dylib", order=order),
        named(0x0C, "/usr/lib/libSystem.B.dylib", order=order),
        named(0x80000018, "/usr/lib/libweak.dylib", order=order),
        named(0x8000001F, "/usr/lib/libreexported.dylib", order=order),
        named(0x80000023, "/usr/lib/libupward.dylib", order=order),
        named(0x20, "/usr/lib/liblazy.dylib", order=order),
        named(0x8000001C, "@loader_path/../lib", order=order),
        named(0x0E, "/usr/lib/dyld", order=order),
        build_version(1, 0x000C0301, order=order),
        order=order,
        bits=bits,
        cpu=cpu,
        file_type=file_type,
        flags=0x20085,
    )
    ours = [_shown(linking) for linking in read_macho_linking(BytesSource(data))]
    assert all(ours[0][name] for name in ("interpreter", "name", "needed", "weak", "rpath", "executable_stack"))
    assert ours == [_filled(item) for item in macho_by_lief(data) or ()]
    assert ours == [_filled(item) for item in macho_by_macholib(data) or ()]


@pytest.mark.parametrize("wide", [False, True])
def test_pe_files_that_say_all_there_is_to_say(wide: bool) -> None:
    data = PeFile(imports=(b"a.dll", b"b.dll"), delayed=(b"c.dll",), name=b"own.pyd", wide=wide).build()
    ours = _shown(read_pe_linking(BytesSource(data)))
    assert all(ours[name] for name in ("name", "needed", "weak", "minimum"))
    assert ours == _filled({name: value for name, value in (pe_by_lief(data) or {}).items() if name != "hybrid"})


def _members(path: Path, kind: str) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            with archive.open(info) as stream:
                magic = stream.read(4)
                if magic[:2] != b"MZ" if kind == "pe" else magic not in MACHO_MAGICS:
                    continue
                data = magic + stream.read()
            place = pe_offset(data) if kind == "pe" else None
            if place is None or data[place : place + 4] == b"PE\0\0":
                yield f"{path.name}: {info.filename}", data


def _shown(linking: Linking) -> dict[str, Any]:
    return {name: getattr(linking, name) for name in FIELDS}


def _filled(oracle: dict[str, Any]) -> dict[str, Any]:
    """Add what an oracle has no word for, and what is for ELF only, as it is when there is none."""
    return {**_shown(Linking()), **oracle}


def _note(seen: set[str], items: list[dict[str, Any]]) -> None:
    seen.update(name for item in items for name, value in item.items() if value)
