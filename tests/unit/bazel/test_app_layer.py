"""Layers of an application's own files: what goes where, by what rules, and what is refused."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.imagework import members, program_for

from crossdock.bazel.handed.layerfile import read_layer

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bazel.imagework import Work


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.py"
    path.write_text("print()\n")
    return path


def test_files_lie_below_the_runfiles(work: Work, source: Path) -> None:
    source.chmod(0o555)  # as Bazel leaves what an action put out
    listing = f"_main/a/b.py\t{source}\n_main/empty/__init__.py\t\nother~1/run\t{source}\tx\nother~1/no\t{source}\n"
    path, _ = work.files("files", listing)
    found = members(path.with_suffix(".tar.gz"))
    assert {name: member.mode for name, (member, _) in found.items() if member.isfile()} == {
        "app/runfiles/_main/a/b.py": 0o644,
        "app/runfiles/_main/empty/__init__.py": 0o644,
        "app/runfiles/other~1/no": 0o644,
        "app/runfiles/other~1/run": 0o755,
    }
    assert found["app/runfiles/_main/a/b.py"][1] == b"print()\n"
    assert found["app/runfiles/_main/empty/__init__.py"][1] == b""
    assert {(member.mtime, member.uid, member.gid, member.uname) for member, _ in found.values()} == {(0, 0, 0, "")}
    layer = read_layer(path)
    assert (layer.kind, layer.described, layer.python) == ("files", {"dev.crossdock.layer": "project"}, "")
    assert layer.facts.contents.files == 4


def test_folders_are_taken_whole_and_links_followed(work: Work, source: Path, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "inner").mkdir(parents=True)
    (tree / "inner" / "one").write_text("1")
    (tree / "link").symlink_to(source)
    (tree / "folder").symlink_to(tree / "inner")
    listed, _ = work.files("files", f"_main/data\t{tree}\n_main/again\t{tree / 'link'}\n")
    found = members(listed.with_suffix(".tar.gz"))
    contents = {
        name.removeprefix("app/runfiles/_main/"): data for name, (member, data) in found.items() if member.isfile()
    }
    assert contents == {
        "again": b"print()\n",
        "data/folder/one": b"1",
        "data/inner/one": b"1",
        "data/link": b"print()\n",
    }


def test_what_begins_as_a_script_or_a_program_may_be_executed(work: Work, tmp_path: Path) -> None:
    (tmp_path / "script").write_text("#!/bin/sh\n")
    (tmp_path / "program").write_bytes(program_for("amd64"))
    (tmp_path / "text").write_text("# !/bin/sh\n")
    (tmp_path / "text").chmod(0o755)
    path, _ = work.files("files", "\n".join(f"{name}\t{tmp_path / name}" for name in ("script", "program", "text")))
    found = members(path.with_suffix(".tar.gz"))
    modes = {name.rpartition("/")[2]: member.mode for name, (member, _) in found.items() if member.isfile()}
    assert modes == {"script": 0o755, "program": 0o755, "text": 0o644}


def test_files_may_be_given_one_by_one_and_below_app_but_in_the_environment(work: Work, source: Path) -> None:
    given = ("--file", f"/app/hello\t{source}\tx", "--file", f"_main/a.py\t{source}")
    path, _ = work.files("files", f"_main/a.py\t{source}\tx\n", *given)
    found = members(path.with_suffix(".tar.gz"))
    assert {name: member.mode for name, (member, _) in found.items() if member.isfile()} == {
        "app/hello": 0o755,
        "app/runfiles/_main/a.py": 0o755,  # one says so
    }
    _, said = work.files("no", "", "--file", f"/app/.venv/bin/python\t{source}", code=106)
    assert "is in the image's environment" in said
    _, said = work.files("no", "", "--file", f"/etc/hello\t{source}", code=106)
    assert "/etc/hello is outside of /app" in said


def test_imports_are_found_by_the_environment(work: Work, source: Path) -> None:
    arguments = ("--import", "_main/src", "--import", "_main", "--import", "other~1")
    path, _ = work.files("files", f"_main/a.py\t{source}\n", *arguments, "--python", "3.12")
    found = members(path.with_suffix(".tar.gz"))
    name = "app/.venv/lib/python3.12/site-packages/crossdock_runfiles.pth"
    assert found[name][1] == b"/app/runfiles/_main\n/app/runfiles/_main/src\n/app/runfiles/other~1\n"
    assert read_layer(path).python == "3.12"
    without, _ = work.files("without", f"_main/a.py\t{source}\n", *arguments)
    assert not any(name.endswith(".pth") for name in members(without.with_suffix(".tar.gz")))


def test_the_layer_is_a_function_of_its_files(work: Work, source: Path, tmp_path: Path) -> None:
    other = tmp_path / "moved.py"
    other.write_bytes(source.read_bytes())
    os.utime(other, (1, 1))
    first, _ = work.files("first", f"_main/a.py\t{source}\n_main/b.py\t{source}\n")
    second, _ = work.files("second", f"_main/b.py\t{other}\n_main/a.py\t{other}\n_main/a.py\t{source}\n")
    assert first.read_bytes() == second.read_bytes()
    third, _ = work.files("third", f"_main/a.py\t{source}\tx\n_main/b.py\t{source}\n")
    assert read_layer(first).key != read_layer(third).key


@pytest.mark.parametrize(
    "path", ["../a", "/", "/../a", "//a", "a/../../b", "a//b", "a/./b", "a\\b", "a/.wh.b", "", "a\x1b", "a" * 5000]
)
def test_paths_that_lead_out_are_refused(work: Work, source: Path, path: str) -> None:
    _, said = work.files("files", f"{path}\t{source}\n", code=106)
    assert "is no path of an application's file" in said
    assert not (work.folder / "files.tar.gz").exists()


def test_imports_that_lead_out_are_refused(work: Work, source: Path) -> None:
    work.files("files", f"a\t{source}\n", "--import", "../..", "--python", "3.11", code=106)


@pytest.mark.parametrize(
    ("listing", "reason"),
    [
        ("a", "is not understood"),
        ("a\tsource.py\ty", "is not understood"),
        ("a\tgone.py", "gone.py is not there"),
        ("a\tsource.py\na\tother.py", "two files are for a"),
        ("a\tsource.py\na/b\tother.py", "a is a file, and a folder with app/runfiles/a/b in it"),
        ("a\tloop", "is a link to a folder that it is in"),
        ("a\tpipe", "is no regular file"),
        ("a\tdangling", "is not there"),
    ],
)
def test_listings_that_cannot_be_followed_say_where(
    work: Work, source: Path, monkeypatch: pytest.MonkeyPatch, listing: str, reason: str
) -> None:
    (source.parent / "other.py").write_text("other\n")
    (source.parent / "loop").mkdir()
    (source.parent / "loop" / "again").symlink_to(source.parent / "loop")
    (source.parent / "dangling").symlink_to("nowhere")
    os.mkfifo(source.parent / "pipe")
    monkeypatch.chdir(source.parent)
    _, said = work.files("files", listing, code=106)
    assert reason in said
    assert not (work.folder / "files.tar.gz").exists()


def test_files_that_cannot_be_read_are_told(work: Work, tmp_path: Path) -> None:
    unreadable = "/proc/self/mem"  # a regular file, of which the first bytes are nobody's
    for line in (f"_main/a\t{unreadable}", f"_main/a\t{unreadable}\tx"):
        _, said = work.files("files", line + "\n", code=106)
        assert f"{unreadable} cannot be read" in said
        assert "Input/output error" in said
    assert not (work.folder / "files.tar.gz").exists()
