"""Files that fuzzing found to take ways of their own through the readers of Mach-O and PE: each ends as it should."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from crossdock.headers.linking import DamagedHeaderError, Linking
from crossdock.headers.macho import read_macho, read_macho_linking
from crossdock.headers.pe import read_pe_hybrid, read_pe_linking
from crossdock.headers.source import BytesSource

CORPUS = Path(__file__).parents[2] / "fuzz" / "corpus"


class CountingSource(BytesSource):
    """Counts what is read of it."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.total = 0

    def read(self, offset: int, count: int) -> bytes:
        data = super().read(offset, count)
        self.total += len(data)
        return data


def files(kind: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / kind).iterdir())]


def test_macho() -> None:
    read = damaged = 0
    for data in files("macho"):
        source = CountingSource(data)
        try:
            linkings = read_macho_linking(source)
        except DamagedHeaderError as error:
            damaged += _is_a_reason(error)
        else:
            macho = read_macho(data)
            assert macho is not None
            assert len(linkings) == len(macho.slices)
            read += _is_text(*linkings)
        assert source.total <= 3 * len(data) + 70_000
    assert read >= 10
    assert damaged >= 10


def test_pe() -> None:
    read = damaged = 0
    for data in files("pe"):
        source = CountingSource(data)
        try:
            linking = read_pe_linking(source)
        except DamagedHeaderError as error:
            damaged += _is_a_reason(error)
        else:
            read += _is_text(linking)
        with suppress(DamagedHeaderError):
            assert read_pe_hybrid(BytesSource(data)) in ("", "arm64ec", "arm64x")
        assert source.total < 18_000_000
    assert read >= 10
    assert damaged >= 10


def _is_a_reason(error: DamagedHeaderError) -> bool:
    assert 0 < len(str(error)) < 200
    assert str(error).isprintable()
    return True


def _is_text(*linkings: Linking) -> bool:
    for linking in linkings:
        for text in (linking.interpreter, linking.name, *linking.needed, *linking.weak, *linking.rpath):
            assert "\0" not in text
            text.encode()
    return True
