"""Files of the project's folder that come along."""

from __future__ import annotations

import os
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.functions import included
from crossdock.bundles.functions.included import IncludedFile, files_recipe, find_included
from crossdock.errors import BundleError, BundleTooLargeError
from crossdock.store.blobs import Store

if TYPE_CHECKING:
    from pathlib import Path

FILES = (
    "host.json",
    "templates/a.html",
    "templates/mail/b.txt",
    ".git/config",
    "templates/__pycache__/a.pyc",
    ".env",
    "templates/.keep",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for name in FILES:
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    return tmp_path / "project"


@pytest.mark.parametrize(
    ("patterns", "paths"),
    [
        ([], []),
        (["host.json"], ["host.json"]),
        (["*.json"], ["host.json"]),
        (["templates/*"], ["templates/a.html"]),
        (["templates/**"], ["templates/a.html", "templates/mail/b.txt"]),
        (["templates/"], ["templates/a.html", "templates/mail/b.txt"]),
        (["**/*.txt"], ["templates/mail/b.txt"]),
        (["**"], ["host.json", "templates/a.html", "templates/mail/b.txt"]),
        ([".git/*"], [".git/config"]),
        ([".env"], [".env"]),
        ([".*"], [".env"]),
        (["**/.*"], [".env", "templates/.keep"]),
        (["templates/.keep", "templates/*"], ["templates/.keep", "templates/a.html"]),
        (["host.json", "*.json"], ["host.json"]),
    ],
)
def test_what_patterns_match(patterns: list[str], paths: list[str], root: Path) -> None:
    assert [file.path for file in find_included(root, patterns)] == paths
    assert all(file.content == file.path.encode() for file in find_included(root, patterns))


def test_what_a_cloud_starts_with_comes_without_being_asked_for(root: Path) -> None:
    assert [file.path for file in find_included(root, [], ("host.json", "function_app.py"))] == ["host.json"]


@pytest.mark.parametrize("pattern", ["nothing.txt", "x" * 5000, "templates", "*.py", "templates/*/*/*", "nowhere/**"])
def test_a_pattern_that_matches_nothing_is_an_error(pattern: str, root: Path) -> None:
    with pytest.raises(BundleError, match="matches no file"):
        find_included(root, [pattern])


@pytest.mark.parametrize("pattern", ["link", "*k", "out/*", "out/secret"])
def test_links_out_of_the_project_are_not_followed(pattern: str, root: Path) -> None:
    (root.parent / "outside").mkdir()
    (root.parent / "outside" / "secret").write_text("secret")
    (root / "link").symlink_to(root.parent / "outside" / "secret")
    (root / "out").symlink_to(root.parent / "outside")

    with pytest.raises(BundleError, match=r"leads out of the project|matches no file"):
        find_included(root, [pattern])


def test_a_link_within_the_project_is_what_it_leads_to(root: Path) -> None:
    (root / "link").symlink_to("host.json")

    assert find_included(root, ["link"]) == (IncludedFile(path="link", content=b"host.json"),)


@pytest.mark.parametrize("pattern", ["templates/*", "templates/odd", "odd/**"])
def test_a_link_to_itself_is_told(pattern: str, root: Path) -> None:
    (root / "templates" / "odd").symlink_to("odd")
    (root / "odd").symlink_to("odd")

    with pytest.raises(BundleError, match=r"'templates/odd', .* cannot be read|matches no file"):
        find_included(root, [pattern])


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such files")
def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "templates" / "pipe")

    with pytest.raises(BundleError, match=r"'templates/pipe', .* is no regular file"):
        find_included(root, ["templates/*"])


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere no file has such a name")
def test_a_name_that_no_zip_can_hold_is_refused(root: Path) -> None:
    os.close(os.open(os.fsencode(root) + b"/templates/\xff.html", os.O_CREAT))

    with pytest.raises(BundleError, match="not UTF-8"):
        find_included(root, ["templates/*"])


def test_too_much_is_refused(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(included, "_MOST_BYTES", 9)
    assert find_included(root, ["host.json"])
    with pytest.raises(BundleTooLargeError):
        find_included(root, ["host.json", "templates/a.html"])
    monkeypatch.setattr(included, "_MOST_FILES", 1)
    with pytest.raises(BundleTooLargeError, match="more than 1 files"):
        find_included(root, ["templates/**"])


def test_files_are_compressed_with_one_mode_and_time(root: Path, tmp_path: Path) -> None:
    (root / "run.sh").write_text("#!/bin/sh\n" * 100)
    os.chmod(root / "run.sh", 0o700)  # noqa: PTH101
    os.chmod(root / "host.json", 0o600)  # noqa: PTH101
    store = Store(tmp_path / "store")

    part = files_recipe(find_included(root, ["run.sh", "host.json"])).make(store)

    with zipfile.ZipFile(store.path(part.digest)) as archive:
        entries = {info.filename: info for info in archive.infolist()}
        assert archive.read("run.sh") == b"#!/bin/sh\n" * 100
    assert {name: info.external_attr >> 16 for name, info in entries.items()} == {
        "host.json": 0o100644,
        "run.sh": 0o100755,
    }
    assert {info.date_time for info in entries.values()} == {(1980, 1, 1, 0, 0, 0)}
    assert entries["run.sh"].compress_size < 100
