"""Trees as folders and as archives: the same files, modes and links, and the same bytes wherever they are made."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import os
import posixpath
import random
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.venv.layout import Layout, environment, folder
from crossdock.bundles.venv.tree import Tree, plan_tree
from crossdock.bundles.venv.write import TarForm, write_folder, write_tar
from crossdock.errors import BadWheelError
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FORMS: tuple[TarForm, ...] = ("tar", "tar+gzip", "tar+zstd")
#: Content and executable bit of a file; where a link points; None for a folder.
Found = dict[str, tuple[bytes, bool] | str | None]


def target(platform: str = "linux/arm64") -> Target:
    return Target(parse_platform(platform), parse_python("3.12"))


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    (tmp_path / "wheels").mkdir()
    noise = random.Random(7).randbytes(300_000)
    first: dict[str, str | bytes] = {
        "one/__init__.py": "x = 1\n" * 5000,
        "one/größe/data.txt": "groß\n",
        f"one/{'long-' * 30}/{'name-' * 20}.txt": "long",
        "one/noise.bin": noise,
        "one/empty.py": "",
        "one/tool": "#!/bin/sh\n",
        "one-1.0.data/scripts/old": "#!python\nprint(1)\n",
        "shared/__init__.py": "",
    }
    second: dict[str, str | bytes] = {"two.py": "y = 2\n", "shared/__init__.py": "", "shared/two.py": "z = 3\n"}
    return [
        make_wheel(tmp_path / "wheels", "one", "1.0", first, entry_points={"one": "one:x"}, executables=["one/tool"]),
        make_wheel(tmp_path / "wheels", "two", "1.0", second, stored=["two.py"]),
    ]


def planned(wheels: list[Path], layout: Layout | None = None) -> Tree:
    layout = layout or environment(target(), prompt="demo")
    return plan_tree(layout, [(path.name, path) for path in wheels])


def in_folder(root: Path) -> Found:
    found: Found = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_symlink():
            found[name] = str(path.readlink())
        elif path.is_dir():
            assert path.stat().st_mode & 0o777 == 0o755
            found[name] = None
        else:
            assert path.stat().st_mode & 0o777 in (0o644, 0o755)
            found[name] = (path.read_bytes(), bool(path.stat().st_mode & 0o100))
    return found


def in_tar(data: bytes) -> Found:
    found: Found = {}
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for member in archive:
            assert (member.uid, member.gid, member.uname, member.gname, member.mtime) == (0, 0, "", "", 0)
            assert member.name not in found
            above = posixpath.dirname(member.name)
            assert not above or (above in found and found[above] is None)  # parents come first
            if member.issym():
                found[member.name] = member.linkname
            elif member.isdir():
                assert member.mode == 0o755
                found[member.name] = None
            else:
                file = archive.extractfile(member)
                assert file is not None
                assert member.mode in (0o644, 0o755)
                found[member.name] = (file.read(), bool(member.mode & 0o100))
    return found


def packed(tree: Tree, path: Path, form: TarForm) -> bytes:
    with path.open("w+b") as out:
        facts = write_tar(tree, out, form)
    data = path.read_bytes()
    assert facts.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    return data


def unpacked(data: bytes, form: TarForm) -> bytes:
    if form == "tar+zstd":
        return zstandard.ZstdDecompressor().decompressobj().decompress(data)
    return subprocess.run(["gzip", "-dc"], input=data, capture_output=True).stdout if form == "tar+gzip" else data


@pytest.fixture(params=[0o000, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.mark.usefixtures("umask")
def test_a_folder_and_every_archive_hold_the_same(wheels: list[Path], tmp_path: Path) -> None:
    tree = planned(wheels)
    root = tmp_path / "folder"
    root.mkdir()
    seen = write_folder(tree, root, jobs=2)
    found = in_folder(root)
    assert sum(part.files for part in seen) == sum(isinstance(item, tuple) for item in found.values())
    assert found["lib64"] == "lib"
    assert found["bin/python"] == "/usr/bin/python3.12"
    assert found["lib/python3.12/site-packages/one/tool"] == (b"#!/bin/sh\n", True)
    one, *others = [unpacked(packed(tree, tmp_path / "archive", form), form) for form in FORMS]
    assert in_tar(one) == found
    assert others == [one, one]
    assert one.endswith(bytes(1024))  # the mark of its end
    assert len(one) % 512 == 0


@pytest.mark.parametrize("limit", [0, 1 << 30])
def test_large_files_are_written_in_pieces_with_the_same_result(
    wheels: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    tree = planned(wheels)
    expected = in_tar(packed(tree, tmp_path / "archive", "tar"))
    for module in ("crossdock.layers.wheels", "crossdock.bundles.folder"):
        monkeypatch.setattr(sys.modules[module], "_AT_ONCE", limit)
    root = tmp_path / "folder"
    root.mkdir()
    seen = write_folder(tree, root, jobs=1)
    assert in_folder(root) == expected
    assert sum(part.files for part in seen) == sum(isinstance(item, tuple) for item in expected.values())
    for form in FORMS:
        assert in_tar(unpacked(packed(tree, tmp_path / form, form), form)) == expected


def test_every_record_tells_the_truth(wheels: list[Path], tmp_path: Path) -> None:
    found = in_tar(packed(planned(wheels), tmp_path / "archive", "tar"))
    site = "lib/python3.12/site-packages"
    listed = set()
    for name in ("one", "two"):
        record = found[f"{site}/{name}-1.0.dist-info/RECORD"]
        assert isinstance(record, tuple)
        for path, hashed, size in csv.reader(io.StringIO(record[0].decode())):
            place = posixpath.normpath(f"{site}/{path}")
            listed.add(place)
            item = found[place]
            assert isinstance(item, tuple)
            if not path.endswith("RECORD"):
                digest = base64.urlsafe_b64encode(hashlib.sha256(item[0]).digest()).rstrip(b"=").decode()
                assert (hashed, int(size)) == (f"sha256={digest}", len(item[0]))
    own = {entry.path for entry in environment(target(), prompt="demo").entries}
    assert {path for path, item in found.items() if isinstance(item, tuple)} - own == listed


@pytest.mark.skipif(sys.platform == "win32", reason="needs tar")
@pytest.mark.parametrize("form", ["tar", "tar+gzip"])
def test_tar_itself_unpacks_an_archive(form: TarForm, wheels: list[Path], tmp_path: Path) -> None:
    tree = planned(wheels)
    data = packed(tree, tmp_path / "archive", form)
    root = tmp_path / "unpacked"
    root.mkdir()
    command: list[str | Path] = [
        "tar",
        "-x",
        *(["-z"] if form == "tar+gzip" else []),
        "--no-same-owner",
        "-p",
        "-C",
        root,
    ]
    done = subprocess.run(command, input=data, capture_output=True)
    assert (done.returncode, done.stderr) == (0, b"")
    assert in_folder(root) == in_tar(unpacked(data, form))


@pytest.mark.parametrize("form", FORMS)
def test_an_archive_depends_on_nothing_but_the_wheels(form: TarForm, wheels: list[Path], tmp_path: Path) -> None:
    first = packed(planned(wheels), tmp_path / "first", form)
    (tmp_path / "elsewhere").mkdir()
    moved = [path.rename(tmp_path / "elsewhere" / path.name) for path in wheels]
    before = os.umask(0o077)
    try:
        assert packed(planned(moved), tmp_path / "second", form) == first
    finally:
        os.umask(before)


def test_a_gzip_archive_copies_what_the_wheels_hold(wheels: list[Path], tmp_path: Path) -> None:
    data = packed(planned(wheels), tmp_path / "archive", "tar+gzip")
    repeated = ("x = 1\n" * 5000).encode()
    wheel = wheels[0].read_bytes()
    start = wheel.index(b"one/__init__.py") + len("one/__init__.py")
    assert wheel[start : start + 40] in data
    assert repeated not in data


@pytest.mark.parametrize("form", [None, *FORMS])
def test_a_damaged_wheel_is_an_error(form: TarForm | None, wheels: list[Path], tmp_path: Path) -> None:
    tree = planned(wheels)
    data = bytearray(wheels[0].read_bytes())
    at = data.index(b"one/noise.bin") + 200_000
    data[at] ^= 1
    wheels[0].write_bytes(data)
    (tmp_path / "out").mkdir()

    def write() -> object:
        return packed(tree, tmp_path / "archive", form) if form else write_folder(tree, tmp_path / "out", jobs=2)

    with pytest.raises(BadWheelError, match=r"one-1\.0"):
        write()


def test_a_flat_folder_is_what_is_put_on_the_path(wheels: list[Path], tmp_path: Path) -> None:
    found = in_tar(packed(planned(wheels, folder(target())), tmp_path / "archive", "tar"))
    assert {path for path, item in found.items() if isinstance(item, tuple) and ".dist-info/" not in path} == {
        *("bin/old", "bin/one", "one/__init__.py", "one/empty.py", "one/größe/data.txt", "one/noise.bin", "one/tool"),
        *(f"one/{'long-' * 30}/{'name-' * 20}.txt", "shared/__init__.py", "shared/two.py", "two.py"),
    }
    record = found["one-1.0.dist-info/RECORD"]
    assert isinstance(record, tuple)
    assert b"\nbin/one,sha256=" in record[0]
