"""Source archives: what is in them comes out, and nothing goes anywhere else."""

from __future__ import annotations

import gzip
import io
import os
import stat
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.sdists.conftest import entry, write_tar

from crossdock.errors import UnsafeSourceError
from crossdock.sdists.archive import SourceLimits, unpack_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NAME = "demo-1.0.tar.gz"


def unpack(path: Path, name: str = NAME, limits: SourceLimits | None = None) -> Path:
    folder = path.parent / "out"
    folder.mkdir()
    return unpack_source(path, name, folder, limits=limits)


def contents(root: Path) -> dict[str, str]:
    return {path.relative_to(root).as_posix(): path.read_text() for path in root.rglob("*") if path.is_file()}


def test_a_tar_is_unpacked_and_its_top_folder_given(tmp_path: Path) -> None:
    entries = [
        entry("demo-1.0", type=tarfile.DIRTYPE, mode=0o700),
        entry("demo-1.0/setup.py", b"setup", mode=0o600),
        entry("demo-1.0/./src/run.sh", b"run", mode=0o4777, uid=77, mtime=5),
        entry("demo-1.0/src/größe.txt", b"text"),
        entry("demo-1.0/" + "long/" * 60 + "name.txt", b"deep"),
    ]
    root = unpack(write_tar(tmp_path / "a", entries))
    assert root == tmp_path / "out" / "demo-1.0"
    deep = "long/" * 60 + "name.txt"
    assert contents(root) == {"setup.py": "setup", "src/run.sh": "run", "src/größe.txt": "text", deep: "deep"}
    if sys.platform != "win32":
        modes = {name: stat.S_IMODE((root / name).stat().st_mode) for name in (".", "setup.py", "src/run.sh")}
        assert modes == {".": 0o755, "setup.py": 0o644, "src/run.sh": 0o755}


def test_a_zip_is_unpacked_too(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("demo-1.0/", "")
        archive.writestr("demo-1.0/setup.py", "setup")
    assert contents(unpack(tmp_path / "a", "Demo-1.0.ZIP")) == {"setup.py": "setup"}


def test_without_one_top_folder_the_whole_is_the_tree(tmp_path: Path) -> None:
    root = unpack(write_tar(tmp_path / "a", [entry("setup.py", b"x"), entry("demo/__init__.py", b"y")]))
    assert contents(root) == {"setup.py": "x", "demo/__init__.py": "y"}


def test_links_within_the_tree_are_kept(tmp_path: Path) -> None:
    entries = [
        entry("d/link.txt", type=tarfile.SYMTYPE, linkname="sub/../sub/real.txt"),
        entry("d/folder", type=tarfile.SYMTYPE, linkname="sub"),
        entry("d/sub/real.txt", b"real"),
        entry("d/hard.txt", type=tarfile.LNKTYPE, linkname="d/sub/real.txt"),
    ]
    root = unpack(write_tar(tmp_path / "a", entries))
    assert {name: (root / name).read_text() for name in ("link.txt", "folder/real.txt", "hard.txt")} == {
        "link.txt": "real",
        "folder/real.txt": "real",
        "hard.txt": "real",
    }


@pytest.mark.parametrize(
    ("entries", "words"),
    [
        ([entry("../evil", b"x")], "leads out"),
        ([entry("d/../../evil", b"x")], "leads out"),
        ([entry("/evil", b"x")], "leads out"),
        ([entry("d\\..\\evil", b"x")], "leads out"),
        ([entry("C:evil", b"x")], "leads out"),
        ([entry("d/new\nline", b"x")], "leads out"),
        ([entry("d/l", type=tarfile.SYMTYPE, linkname="/etc/passwd")], "out of it"),
        ([entry("d/l", type=tarfile.SYMTYPE, linkname="../../evil")], "out of it"),
        ([entry("d/l", type=tarfile.SYMTYPE, linkname="C:\\evil")], "out of it"),
        (
            [entry("d/a", type=tarfile.SYMTYPE, linkname=".."), entry("d/b", type=tarfile.SYMTYPE, linkname="a/../x")],
            "",
        ),
        ([entry("d/l", type=tarfile.LNKTYPE, linkname="/etc/passwd")], "leads out"),
        ([entry("d/l", type=tarfile.LNKTYPE, linkname="d/none")], "out of it"),
        ([entry("d/l", type=tarfile.SYMTYPE, linkname="/tmp"), entry("d/l/evil", b"x")], "a link and a folder"),
        ([entry("d/l", type=tarfile.SYMTYPE, linkname="x"), entry("d/l", b"x")], "twice"),
        ([entry("d/f", b"x"), entry("d/f", b"y")], "twice"),
        ([entry("d/f", b"x"), entry("d/f/g", b"y")], "a file and a folder"),
        ([entry("d/dev", type=tarfile.CHRTYPE)], "neither a plain file"),
        ([entry("d/fifo", type=tarfile.FIFOTYPE)], "neither a plain file"),
    ],
)
def test_what_leads_out_or_is_no_file_is_refused(
    entries: list[tuple[tarfile.TarInfo, bytes]], words: str, tmp_path: Path
) -> None:
    path = write_tar(tmp_path / "a", entries)
    with pytest.raises(UnsafeSourceError, match=f"{NAME} was refused") as caught:
        unpack(path)
    assert words in caught.value.why
    assert caught.value.hint
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a", "out"]


def chain() -> list[tuple[tarfile.TarInfo, bytes]]:
    return [
        entry("d/up", type=tarfile.SYMTYPE, linkname="sub/.."),
        entry("d/sub", type=tarfile.SYMTYPE, linkname="."),
        entry("d/out", type=tarfile.SYMTYPE, linkname="up/up/../../etc"),
    ]


def test_a_chain_of_links_that_leads_out_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsafeSourceError):
        unpack(write_tar(tmp_path / "a", chain()))


def bomb(path: Path) -> Path:
    """A member of 300 MB of zeros in some 300 kB."""
    with gzip.open(path, "wb", compresslevel=9) as out:
        info = tarfile.TarInfo("d/zeros")
        info.size = 300 << 20
        out.write(info.tobuf())
        zeros = bytes(1 << 20)
        for _ in range(300):
            out.write(zeros)
    return path


def long_header(path: Path) -> Path:
    """A long name that is said to be, and is, of 200 MB."""
    with gzip.open(path, "wb") as out:
        info = tarfile.TarInfo("././@LongLink")
        info.type, info.size = tarfile.GNUTYPE_LONGNAME, 60 << 20
        out.write(info.tobuf(tarfile.GNU_FORMAT))
        out.write(b"a" * (60 << 20))
    return path


def sparse(path: Path) -> Path:
    """A hole of a terabyte."""
    info = tarfile.TarInfo("d/hole")
    info.pax_headers = {"GNU.sparse.major": "1", "GNU.sparse.minor": "0", "GNU.sparse.realsize": str(1 << 40)}
    return write_tar(path, [(info, b"")])


def truncated(path: Path) -> Path:
    data = write_tar(path, [entry("d/f", os.urandom(20000))]).read_bytes()
    path.write_bytes(data[: len(data) // 2])
    return path


def not_gzip(path: Path) -> Path:
    path.write_bytes(b"hello")
    return path


def not_tar(path: Path) -> Path:
    path.write_bytes(gzip.compress(b"hello" * 1000))
    return path


def linked(path: Path) -> Path:
    """A file of 2 MB under 41 names: 82 MB in some kB."""
    links = [entry(f"d/{number}", type=tarfile.LNKTYPE, linkname="d/f") for number in range(40)]
    return write_tar(path, [entry("d/f", bytes(2 << 20)), *links])


def many(path: Path) -> Path:
    return write_tar(path, [entry(f"d/{number}", b"") for number in range(60)])


@pytest.mark.parametrize("make", [bomb, long_header, sparse, truncated, not_gzip, not_tar, linked, many])
def test_bombs_and_damage_are_refused(make: Callable[[Path], Path], tmp_path: Path) -> None:
    path = make(tmp_path / "a")
    with pytest.raises(UnsafeSourceError, match=f"{NAME} was refused") as caught:
        unpack(path, limits=SourceLimits(members=50))
    assert caught.value.why


def test_a_zip_that_leads_out_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "a", "w") as archive:
        archive.writestr("../evil", "x")
    with pytest.raises(UnsafeSourceError, match="was refused") as caught:
        unpack(tmp_path / "a", "demo-1.0.zip")
    assert "leads out" in caught.value.why


def test_other_forms_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"")
    with pytest.raises(UnsafeSourceError, match="in a form that is not read"):
        unpack(tmp_path / "a", "demo-1.0.tar.bz2")


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_damage_gives_another_error(data: st.DataObject, tmp_path_factory: pytest.TempPathFactory) -> None:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as archive:
        for info, content in [entry("d/ä" * 40, b"x" * 700), entry("d/b", b"y"), *chain()[:1]]:
            archive.addfile(info, io.BytesIO(content))
    changed = bytearray(raw.getvalue())
    for _ in range(data.draw(st.integers(1, 6))):
        changed[data.draw(st.integers(0, 4096))] = data.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("fuzz")
    (folder / "a").write_bytes(gzip.compress(bytes(changed), 1))
    before = set(folder.parent.iterdir())
    try:
        root = unpack(folder / "a")
    except UnsafeSourceError:
        pass
    else:
        assert root.is_relative_to(folder / "out")
    assert set(folder.parent.iterdir()) == before
