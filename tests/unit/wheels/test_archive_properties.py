"""Whatever the bytes are, a wheel is read right or refused by a WheelError: never anything else."""

from __future__ import annotations

import contextlib
import io
import tempfile
import zipfile
import zlib
from pathlib import Path
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.wheelmaker import make_wheel

from crossdock.errors import WheelError
from crossdock.layers.wheels import write_wheels
from crossdock.wheels import streams
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install
from crossdock.wheels.scheme import posix_venv

NAME = "demo-1.0-py3-none-any.whl"
SCHEME = posix_venv("app/.venv", "3.11")
FILES: dict[str, str | bytes] = {
    "demo/__init__.py": "import this  # once more\n" * 40,
    "demo/data.bin": bytes(range(256)) * 3,
    "demo-1.0.data/scripts/run": "#!python\nprint(1)\n",
}

paths = st.lists(
    st.text(st.characters(codec="utf-8", exclude_characters="/\\\0:"), min_size=1, max_size=20).filter(
        lambda part: part not in (".", "..")
    ),
    min_size=1,
    max_size=4,
).map("/".join)
contents = st.one_of(st.binary(max_size=300), st.binary(min_size=1, max_size=9).map(lambda unit: unit * 5000))


@pytest.fixture(scope="module")
def valid(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    points = {"demo": "demo:main"}
    return make_wheel(
        tmp_path_factory.mktemp("valid"), "demo", "1.0", FILES, entry_points=points, stored=["demo/data.bin"]
    ).read_bytes()


def judge(data: bytes) -> None:
    """Read, install and layer the bytes as a wheel; what is not refused must be right."""
    with tempfile.TemporaryDirectory() as folder, contextlib.suppress(WheelError):
        path = Path(folder, "wheel")
        path.write_bytes(data)
        with WheelArchive(path, NAME) as archive:
            found = {}
            for member in archive.members:
                found[member.name] = archive.read(member)
                assert (zlib.crc32(found[member.name]), len(found[member.name])) == (member.crc, member.size)
                assert b"".join(archive.unpacked_pieces(member)) == found[member.name]
            agree_with_zipfile(path, found)
            assert all(item.path.startswith("app/.venv/") for item in install(archive, SCHEME))
            write_wheels([archive], SCHEME, io.BytesIO())


def agree_with_zipfile(path: Path, found: dict[str, bytes]) -> None:
    try:
        with zipfile.ZipFile(path) as other:
            read = {name: other.read(name) for name in other.namelist() if name in found}
    except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError, RuntimeError, EOFError, zlib.error):
        return  # stricter than ours in fields that say nothing of the content, such as the version needed
    assert read == {name: found[name] for name in read}


@settings(deadline=None, max_examples=150)
@given(st.binary(max_size=400))
def test_random_bytes(data: bytes) -> None:
    judge(data)
    judge(data + b"PK\5\6" + bytes(18))


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_a_valid_wheel_with_bytes_changed(valid: bytes, data: st.DataObject) -> None:
    changed = bytearray(valid)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(changed) - 1))
        changed[at] = data.draw(st.integers(0, 255))
    judge(bytes(changed))


@settings(deadline=None, max_examples=150)
@given(data=st.data())
def test_a_valid_wheel_with_bytes_cut_out_or_put_in(valid: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(valid)))
    end = data.draw(st.integers(start, min(len(valid), start + 100)))
    judge(valid[:start] + data.draw(st.binary(max_size=50)) + valid[end:])


@settings(deadline=None, max_examples=300)
@given(data=st.data())
def test_a_valid_wheel_whose_directory_was_changed(valid: bytes, data: st.DataObject) -> None:
    directory = valid.index(b"PK\1\2")
    changed = bytearray(valid)
    at = data.draw(st.integers(directory, len(changed) - 4))
    changed[at : at + 4] = data.draw(st.sampled_from([b"\0\0\0\0", b"\xff\xff\xff\xff", b"\1\0\0\0", b"PK\6\7"]))
    judge(bytes(changed))


@settings(deadline=None, max_examples=60)
@given(
    files=st.dictionaries(paths, contents, max_size=5),
    method=st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED]),
    libdeflate=st.booleans(),
)
def test_contents_are_those_zipfile_reads(files: dict[str, bytes], method: int, libdeflate: bool) -> None:
    absent = contextlib.nullcontext() if libdeflate else mock.patch.object(streams, "_libdeflate", None)
    with tempfile.TemporaryDirectory() as folder, absent:
        path = Path(folder, "wheel")
        with zipfile.ZipFile(path, "w", method) as out:
            for name, content in files.items():
                out.writestr(name, content)
        with zipfile.ZipFile(path) as other, WheelArchive(path, NAME) as archive:
            assert {member.name: archive.read(member) for member in archive.members} == files
            assert {info.filename: other.read(info) for info in other.infolist()} == files
