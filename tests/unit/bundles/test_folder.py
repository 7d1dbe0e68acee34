"""Folders that appear whole or not at all."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.folder import FolderWriter, check_folder, whole_folder
from crossdock.errors import OutputError
from crossdock.wheels.archive import WheelArchive


def test_a_folder_gets_its_name_when_it_is_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "new" / "out", clear=False) as folder:
        (folder / "file").write_text("text")
        assert not (tmp_path / "new" / "out").exists()
    assert (tmp_path / "new" / "out" / "file").read_text() == "text"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), whole_folder(tmp_path / "out", clear=False) as folder:
        _ = (folder / "file").write_text("text") / 0
    assert not list(tmp_path.iterdir())


def test_what_is_there_is_kept_unless_it_may_be_replaced(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "mine").write_text("")
    with pytest.raises(OutputError, match="already holds something") as caught:
        check_folder(out, clear=False)
    assert "--clear" in caught.value.hint
    with pytest.raises(OutputError), whole_folder(out, clear=False):
        pass
    assert (out / "mine").exists()
    with whole_folder(out, clear=True) as folder:
        (folder / "new").write_text("")
    assert [path.name for path in out.iterdir()] == ["new"]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    with whole_folder(out, clear=False) as folder:
        (folder / "new").write_text("")
    assert (out / "new").exists()


@pytest.mark.parametrize("clear", [False, True])
def test_a_file_or_link_in_its_place_is_never_replaced(tmp_path: Path, clear: bool) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path)
    for name in ("file", "link"):
        with pytest.raises(OutputError, match="is not a folder"):
            check_folder(tmp_path / name, clear=clear)


def test_the_working_folder_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "inner").mkdir()
    monkeypatch.chdir(tmp_path / "inner")
    with pytest.raises(OutputError, match="cannot be replaced"):
        check_folder(tmp_path, clear=True)


@pytest.mark.parametrize("name", ["kept", ".", "link/kept"])
def test_what_must_be_kept_is_kept_by_any_name(tmp_path: Path, name: str) -> None:
    kept = tmp_path / "kept" / "inner"
    kept.mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(OutputError, match="cannot be replaced") as error:
        check_folder(tmp_path / name, clear=True, keep=(tmp_path.parent, kept))
    assert f"{kept} would be lost" in error.value.why


def test_the_home_of_the_user_is_not_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    for variable in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(variable, str(tmp_path))
    with pytest.raises(OutputError, match="cannot be replaced"):
        check_folder(tmp_path, clear=True)


@pytest.mark.skipif(sys.platform == "win32", reason="users without a home are those of POSIX")
def test_who_has_no_home_may_replace_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(uid: int) -> None:
        raise KeyError(uid)

    (tmp_path / "file").write_text("")
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("pwd.getpwuid", nobody)
    with pytest.raises(RuntimeError):
        Path.home()
    check_folder(tmp_path, clear=True)


def test_files_have_the_modes_they_should_whatever_the_umask(tmp_path: Path) -> None:
    wheel = make_wheel(tmp_path, "a", "1.0", {"a/run": "#!/bin/sh\n", "a/data": "x"})
    (tmp_path / "out").mkdir()
    before = os.umask(0o077)
    try:
        writer = FolderWriter(tmp_path / "out")
        with WheelArchive(wheel, wheel.name) as archive:
            for member in archive.members:
                writer.unpack(member.name, archive, member, executable=member.name == "a/run")
        writer.add("b/c/d", b"d", executable=True)
        writer.link("b/link", "c/d")
    finally:
        os.umask(before)
    out = tmp_path / "out"
    modes = {name: stat.S_IMODE((out / name).stat().st_mode) for name in ("a/run", "a/data", "b/c/d")}
    assert modes == {"a/run": 0o755, "a/data": 0o644, "b/c/d": 0o755}
    assert (out / "b/link").read_bytes() == b"d"
    assert writer.contents().files == 6


def test_two_files_of_one_path_are_no_surprise(tmp_path: Path) -> None:
    writer = FolderWriter(tmp_path)
    writer.add("a", b"1")
    with pytest.raises(FileExistsError):
        writer.add("a", b"2")
