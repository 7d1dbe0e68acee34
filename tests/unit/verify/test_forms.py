"""The forms of artifacts: told apart, unpacked within bounds, and damage told as such."""

from __future__ import annotations

import io
import lzma
import zlib
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.errors import CrossdockError, LayerUnreadableError
from crossdock.verify.forms import architecture_of_deb, tars_of_deb, unpacked
from crossdock.verify.reading import ReadingLimits, read_artifact

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tar_archive_may_be_compressed_by_xz(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "a.tar.xz"
    path.write_bytes(lzma.compress(make.tar({"a.so": make.elf(183), "b.py": b"x" * 3_000_000})))
    contents = read_artifact(path).contents
    assert [name for name, _ in contents.binaries] == ["a.so"]
    assert [(seen.path, seen.size) for seen in contents.entries] == [("a.so", 64), ("b.py", 3_000_000)]


@pytest.mark.parametrize(
    "damage",
    [lambda data: data[:-20], lambda data: data + b"more", lambda data: data[:40] + b"\xff" + data[41:], lambda _: b""],
)
def test_damage_in_xz_is_told(damage: Any) -> None:
    with pytest.raises(LayerUnreadableError):
        list(unpacked("xz", iter([damage(lzma.compress(bytes(range(256)) * 1000))])))


def test_a_bomb_of_xz_is_refused(tmp_path: Path, make: Any) -> None:
    path = tmp_path / "a.tar.xz"
    path.write_bytes(lzma.compress(make.tar({"zeros": bytes(20 << 20)})))
    with pytest.raises(LayerUnreadableError, match="far more bytes than it has"):
        read_artifact(path, limits=ReadingLimits(unpacked=1 << 20))


def test_xz_that_wants_more_memory_than_there_should_be_is_refused() -> None:
    data = bytearray(lzma.compress(b"x"))
    header = slice(12, 12 + (data[12] + 1) * 4)  # of the first block; its last four bytes are its CRC-32
    data[data.index(b"\x21\x01", 12) + 2] = 36  # a dictionary of 1 GiB
    data[header.stop - 4 : header.stop] = zlib.crc32(data[header.start : header.stop - 4]).to_bytes(4, "little")
    with pytest.raises(LayerUnreadableError, match="Memory usage limit exceeded"):
        list(unpacked("xz", iter([bytes(data)])))


@settings(deadline=None)
@given(st.binary(max_size=300))
def test_whatever_an_ar_archive_holds_is_told_or_refused(data: bytes) -> None:
    content = b"!<arch>\n" + data
    try:
        places = tars_of_deb(io.BytesIO(content), len(content))
    except LayerUnreadableError:
        return
    assert all(0 < start <= end <= len(content) for _, start, end in places)


@settings(deadline=None)
@given(st.binary(max_size=200))
def test_a_debian_package_of_anything_is_no_traceback(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    member = b"debian-binary   0           0     0     100644  4         `\n2.0\n"
    header = b"control.tar     0           0     0     100644  " + f"{len(data):<10}".encode() + b"`\n"
    path = tmp_path_factory.getbasetemp() / "any.deb"
    path.write_bytes(b"!<arch>\n" + member + header + data + b"\n" * (len(data) % 2))
    try:
        architecture_of_deb(path)
    except CrossdockError as error:
        assert error.exit_code == 93  # noqa: PT017
