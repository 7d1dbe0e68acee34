"""The reader of ELF agrees with pyelftools and LIEF on every ELF file of real wheels."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.header_oracles import ELF_FIELDS, elf_by_lief, elf_by_pyelftools, fields_of
from tests.support.wheelset import ListedWheel, listed, wheels

from crossdock.headers.describe import describe
from crossdock.headers.elf import ELF_MAGIC
from crossdock.headers.linking import Linking
from crossdock.headers.source import BytesSource, FileSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.network

LINUX = [wheel for wheel in listed("core") if "linux" in wheel.filename]
WITHOUT_NATIVES = {"watchdog"}
"""Its wheels are for Linux because their Python code calls what only Linux has."""
WITHOUT_EXAMPLE = {"executable_stack", "text_relocations"}
"""Fields that are the same in every file of these wheels; of these, the unit tests ask the oracles."""
LARGEST = 32 << 20
"""The oracles read the whole of a file, symbols and all; ours reads as little of a larger one as of these."""


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return {path.name: path for path in wheels("core")}


@pytest.fixture(scope="module")
def seen() -> set[str]:
    """Which fields had something to compare."""
    return set()


@pytest.mark.parametrize("wheel", LINUX, ids=lambda wheel: wheel.filename)
def test_elf(wheel: ListedWheel, files: dict[str, Path], seen: set[str]) -> None:
    natives = list(_natives(files[wheel.filename]))
    assert bool(natives) == (wheel.release[0] not in WITHOUT_NATIVES), "a wheel for Linux without an ELF file"
    for name, data in natives:
        ours = _ours(data, name)
        assert ours == elf_by_pyelftools(data), name
        assert ours == elf_by_lief(data), name
        seen |= {field for field, value in ours.items() if value != getattr(Linking(), field)}


def test_there_was_something_to_compare(seen: set[str], request: pytest.FixtureRequest) -> None:
    if len(request.session.items) < len(LINUX):
        return
    assert set(ELF_FIELDS) - seen == WITHOUT_EXAMPLE


def test_a_large_file_is_read_from_the_disk(tmp_path: Path, files: dict[str, Path]) -> None:
    name, data = max(_natives(files[LINUX[0].filename]), key=lambda item: len(item[1]))
    (tmp_path / "native").write_bytes(data)
    with (tmp_path / "native").open("rb") as stream:
        binary = describe(FileSource(stream, len(data)))
    assert binary is not None
    assert fields_of(binary.linking[0]) == _ours(data, name)


def _ours(data: bytes, name: str) -> dict[str, Any]:
    binary = describe(BytesSource(data))
    assert binary is not None
    assert not binary.damaged, name
    (linking,) = binary.linking
    return fields_of(linking)


def _natives(wheel: Path) -> Iterator[tuple[str, bytes]]:
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.infolist():
            with archive.open(member) as stream:
                start = stream.read(len(ELF_MAGIC))
                if start == ELF_MAGIC and member.file_size <= LARGEST:
                    yield member.filename, start + stream.read()
