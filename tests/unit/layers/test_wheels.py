"""Wheels become a layer: what a reader unpacks from it is what the wheels install."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import subprocess
import tarfile
import zlib
from contextlib import ExitStack
from typing import TYPE_CHECKING

import deflate
import pytest
from tests.support.rawzip import deflated, write_zip
from tests.support.wheelmaker import make_wheel, wheel_files

from crossdock.errors import BadWheelError, FileCollisionError
from crossdock.layers import wheels as layer_wheels
from crossdock.layers.wheels import write_wheels
from crossdock.wheels import streams
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

SCHEME = posix_venv("app/.venv", "3.11")
SITE = "app/.venv/lib/python3.11/site-packages"
CODE = "".join(f"line_{number} = {number}\n" for number in range(3000))
FILES: dict[str, str | bytes] = {
    "demo/__init__.py": CODE,
    "demo/empty.py": "",
    "demo/small.py": "x = 1\n",
    "demo/random.bin": random.Random(1).randbytes(300_000),
    "demo/stored.bin": random.Random(2).randbytes(600_000),
    "demo/zeros.bin": bytes(1_000_000),
    "demo/block.bin": b"b" * 512,
    "demo/deep/" + "long-folder-name/" * 12 + "file.py": "deep = 1\n" * 20,
    "demo/gezählt.txt": "ü" * 100,
    "demo/run.sh": "#!/bin/sh\n",
    "demo-1.0.data/scripts/old-style": "#!python\n",
    "demo-1.0.data/data/share/demo.txt": "help\n" * 40,
}


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    points = {"demo": "demo:main"}
    return make_wheel(
        tmp_path, "demo", "1.0", FILES, entry_points=points, executables=["demo/run.sh"], stored=["demo/stored.bin"]
    )


def layer(paths: Iterable[Path]) -> tuple[bytes, str]:
    out = io.BytesIO()
    with ExitStack() as stack:
        archives = [stack.enter_context(WheelArchive(path, path.name)) for path in paths]
        diff_id = write_wheels(archives, SCHEME, out)
    return out.getvalue(), diff_id


def tree(data: bytes) -> dict[str, tuple[bytes, int]]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        return {info.name: (opened.extractfile(info).read(), info.mode) for info in opened if info.isreg()}  # type: ignore[union-attr]


def other_folder(folder: Path) -> Path:
    other = folder / "other"
    other.mkdir(exist_ok=True)
    return other


# What is in it


def test_the_layer_holds_what_the_wheel_installs(wheel: Path) -> None:
    data, diff_id = layer([wheel])
    with WheelArchive(wheel, wheel.name) as archive:
        expected = {
            item.path: (archive.read(item.member) if item.member else item.content, 0o755 if item.executable else 0o644)
            for item in install(archive, SCHEME)
        }
    assert tree(data) == expected
    assert hashlib.sha256(gzip.decompress(data)).hexdigest() == diff_id


def test_gnu_tar_and_gzip_read_it(wheel: Path, tmp_path: Path) -> None:
    data, diff_id = layer([wheel])
    subprocess.run(["gzip", "-t"], input=data, check=True)
    plain = subprocess.run(["gzip", "-dc"], input=data, check=True, capture_output=True).stdout
    assert hashlib.sha256(plain).hexdigest() == diff_id
    root = other_folder(tmp_path)
    done = subprocess.run(["tar", "-xzf", "-", "-C", str(root)], input=data, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    files = {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
    assert files == {path: content for path, (content, _) in tree(data).items()}


def test_entries_hold_nothing_of_the_machine_and_parents_come_first(wheel: Path) -> None:
    data, _ = layer([wheel])
    seen = {""}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        for info in opened:
            assert (info.uid, info.gid, info.uname, info.gname, info.mtime) == (0, 0, "", "", 0)
            assert info.isdir() or info.isreg()
            assert info.mode in ((0o755,) if info.isdir() else (0o644, 0o755))
            assert info.name not in seen
            assert info.name.rpartition("/")[0] in seen
            seen.add(info.name)
    assert {"app", "app/.venv", SITE, f"{SITE}/demo"} < seen


def test_compressed_streams_are_the_wheels_own(wheel: Path) -> None:
    """No encoder has a say: each large deflated member is in the layer as it is in the wheel."""
    copied, _ = layer([wheel])
    with WheelArchive(wheel, wheel.name) as archive:
        for member in archive.members:
            if member.name in ("demo/__init__.py", "demo/zeros.bin"):
                assert archive.stream(member) in copied
    assert len(copied) < 1_100_000


def test_no_wheels_give_an_empty_layer() -> None:
    data, _ = layer([])
    assert gzip.decompress(data) == bytes(1024)


def test_several_wheels_share_their_folders(wheel: Path, tmp_path: Path) -> None:
    second = make_wheel(tmp_path, "second", "2.0", {"second/a.py": "a", "demo/plugin.py": "b"})
    data, _ = layer([wheel, second])
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        names = opened.getnames()
    assert len(names) == len(set(names))
    assert {f"{SITE}/demo/plugin.py", f"{SITE}/second/a.py", f"{SITE}/demo/__init__.py"} < set(names)


# The same bytes


def test_how_the_wheel_is_unpacked_makes_no_difference(wheel: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither libdeflate or zlib, nor at once or in pieces, nor the size of the pieces."""
    expected = layer([wheel])
    for libdeflate in (deflate, None):
        for at_once in (24 << 20, 1000, 0):
            for chunk, most in ((1 << 20, 4 << 20), (777, 4 << 20), (1 << 20, 5000)):
                with monkeypatch.context() as patch:
                    patch.setattr(streams, "_libdeflate", libdeflate)
                    patch.setattr(streams, "_MOST_AT_ONCE", most)
                    patch.setattr(layer_wheels, "_AT_ONCE", at_once)
                    patch.setattr("crossdock.wheels.archive.CHUNK", chunk)
                    assert layer([wheel]) == expected


def test_the_order_of_members_in_the_wheel_makes_no_difference(wheel: Path, tmp_path: Path) -> None:
    points = {"demo": "demo:main"}
    reverse = make_wheel(
        other_folder(tmp_path),
        "demo",
        "1.0",
        dict(reversed(FILES.items())),
        entry_points=points,
        executables=["demo/run.sh"],
        stored=["demo/stored.bin"],
        reverse=True,
    )
    assert reverse.read_bytes() != wheel.read_bytes()
    assert layer([reverse]) == layer([wheel])


def test_the_tar_does_not_depend_on_the_zlib_that_built_the_wheel(wheel: Path, tmp_path: Path) -> None:
    again = make_wheel(
        other_folder(tmp_path),
        "demo",
        "1.0",
        FILES,
        entry_points={"demo": "demo:main"},
        executables=["demo/run.sh"],
        level=1,
    )
    assert layer([again])[1] == layer([wheel])[1]
    assert layer([again])[0] != layer([wheel])[0]


def test_pure_wheels_give_one_layer_for_all_architectures(wheel: Path, tmp_path: Path) -> None:
    """What a target needs beside them is in other layers: nothing of it is in this one."""
    pure = make_wheel(tmp_path, "second", "2.0", {"second.py": "a" * 999})
    layers = {layer([wheel, pure]) for _ in ("linux/amd64", "linux/arm64")}
    assert len(layers) == 1
    plain = gzip.decompress(layers.pop()[0])
    assert not any(machine in plain for machine in (b"x86_64", b"aarch64", b"amd64", b"arm64"))


# Collisions


def test_the_same_file_from_two_wheels_is_written_once(tmp_path: Path) -> None:
    shared = {"shared/__init__.py": "same\n" * 100}
    stored = make_wheel(tmp_path, "one", "1", shared, stored=list(shared))
    packed = make_wheel(tmp_path, "two", "1", shared)
    data, diff_id = layer([stored, packed])
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        assert opened.getnames().count(f"{SITE}/shared/__init__.py") == 1
    assert hashlib.sha256(gzip.decompress(data)).hexdigest() == diff_id


def test_other_content_for_one_path_is_a_collision_naming_both_wheels(tmp_path: Path) -> None:
    one = make_wheel(tmp_path, "one", "1", {"shared/__init__.py": "one"})
    two = make_wheel(tmp_path, "two", "1", {"shared/__init__.py": "two"})
    with pytest.raises(FileCollisionError) as error:
        layer([one, two])
    for part in (
        "one-1-py3-none-any.whl",
        "two-1-py3-none-any.whl",
        f"{SITE}/shared/__init__.py",
        "different contents",
    ):
        assert part in str(error.value)
    assert error.value.exit_code == 64


def test_other_content_with_the_same_crc_and_size_is_a_collision(tmp_path: Path) -> None:
    """CRC-32 proves nothing against someone who wants it equal."""
    good, evil = b"import good\n....", _same_crc(b"import good\n....", b"import evil\n")
    assert (zlib.crc32(good), len(good)) == (zlib.crc32(evil), len(evil))
    one = make_wheel(tmp_path, "one", "1", {"shared.py": good})
    two = make_wheel(tmp_path, "two", "1", {"shared.py": evil})
    with pytest.raises(FileCollisionError, match=r"shared\.py, with different contents"):
        layer([one, two])


def _same_crc(content: bytes, start: bytes) -> bytes:
    """Append four bytes so that the CRC-32 becomes that of another content: run the register backwards."""
    table = [zlib.crc32(bytes([byte])) ^ zlib.crc32(b"\0") for byte in range(256)]
    by_top = {entry >> 24: index for index, entry in enumerate(table)}
    wanted, state = zlib.crc32(content) ^ 0xFFFFFFFF, zlib.crc32(start) ^ 0xFFFFFFFF
    indexes = []
    for _ in range(4):
        index = by_top[wanted >> 24]
        indexes.append(index)
        wanted = ((wanted ^ table[index]) << 8 | index) & 0xFFFFFFFF
    out = bytearray()
    for index in reversed(indexes):
        out.append(state & 0xFF ^ index)
        state = state >> 8 ^ table[index]
    return start + bytes(out)


@pytest.mark.parametrize("file_first", [True, False])
def test_a_file_where_another_wheel_has_a_folder_is_a_collision(tmp_path: Path, file_first: bool) -> None:
    file = make_wheel(tmp_path, "one", "1", {"shared": "a file"})
    folder = make_wheel(tmp_path, "two", "1", {"shared/deep/a.py": "in a folder"})
    with pytest.raises(FileCollisionError) as error:
        layer([file, folder] if file_first else [folder, file])
    assert str(error.value).startswith(
        f"{SITE}/shared is a file in one-1-py3-none-any.whl and a folder in two-1-py3-none-any.whl"
    )


def test_a_file_that_is_a_folder_too_in_one_wheel_is_a_collision(tmp_path: Path) -> None:
    with pytest.raises(FileCollisionError, match="shared is a file in one"):
        layer([make_wheel(tmp_path, "one", "1", {"shared": "a file", "shared/a.py": "in a folder"})])


# Damage


@pytest.mark.parametrize("at_once", [24 << 20, 0])
def test_a_damaged_member_stops_the_layer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(layer_wheels, "_AT_ONCE", at_once)
    contents = wheel_files("demo", "1.0", {"demo/a.py": CODE})
    raw = write_zip([deflated(name, content) for name, content in contents.items()])
    member = deflated("demo/a.py", CODE.encode())
    at = raw.index(member.stream[0]) + len(member.stream[0]) // 2
    raw[at] ^= 0x10
    path = tmp_path / "demo-1.0-py3-none-any.whl"
    path.write_bytes(raw)
    with pytest.raises(BadWheelError) as error:
        layer([path])
    assert "'demo/a.py' in demo-1.0-py3-none-any.whl is damaged" in str(error.value)
