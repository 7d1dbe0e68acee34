"""From the setting to crossdock.lock's value, to the layer, to what the image offers; and bases that do not fit."""

from __future__ import annotations

import gzip
import io
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.unit.bases.interpreter.conftest import Shelf, python_files, tar_of

from crossdock.bases.interpreter.archive import open_archive
from crossdock.bases.interpreter.setting import StandaloneArchive
from crossdock.bases.interpreter.standalone import (
    interpreter_facts,
    interpreter_recipe,
    interpreter_requests,
    lock_interpreter,
)
from crossdock.errors import CacheFolderError, HashMismatchError, InterpreterError, OfflineError
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.interpreters import LockedInterpreter
from crossdock.store import FileRequest, HttpClient

if TYPE_CHECKING:
    from pathlib import Path
    from typing import Literal

BASE = BaseFacts(
    libc="glibc",
    libc_version=(2, 36),
    python_version="3.11.2",
    python_path="/usr/bin/python3.11",
    user="app",
    home="/home/app",
    env={"LANG": "C"},
    os_release={"ID": "debian"},
)


def lock(shelf: Shelf, sha256: str, path: str = "python.tar.gz", architecture: str = "amd64") -> LockedInterpreter:
    archive = StandaloneArchive(location=path, sha256=sha256)
    return lock_interpreter(archive, architecture, root=shelf.folder, store=shelf.store)


def test_a_file_of_the_project_is_locked(shelf: Shelf) -> None:
    sha256 = shelf.write(python_files())
    assert lock(shelf, sha256) == LockedInterpreter(
        name="python.tar.gz",
        architecture="amd64",
        sha256=sha256,
        size=(shelf.folder / "python.tar.gz").stat().st_size,
        python_version="3.12.8",
        python_path="/opt/python/bin/python3.12",
        libc="glibc",
        libc_version=(2, 17),
    )


def test_another_file_than_its_hash_names_is_never_read(shelf: Shelf) -> None:
    shelf.write(python_files())
    with pytest.raises(HashMismatchError, match=r"python\.tar\.gz"):
        lock(shelf, "0" * 64)
    assert shelf.store.find("0" * 64) is None


@pytest.mark.parametrize("path", ["missing.tar.gz", "sub/../../missing", "."])
def test_a_path_that_leads_to_no_file_says_what_it_is_relative_to(shelf: Shelf, path: str) -> None:
    with pytest.raises(InterpreterError) as caught:
        lock(shelf, "0" * 64, path)
    assert path in caught.value.what


def test_a_path_that_looks_like_a_url_stays_a_path(shelf: Shelf) -> None:
    locked = lock(shelf, shelf.write(python_files(), "file:x.tar.gz"), "file:x.tar.gz")
    assert [item.url for item in interpreter_requests([locked], shelf.folder)] == [str(shelf.folder / "file:x.tar.gz")]


def test_a_target_of_another_c_library_is_refused_when_locking(shelf: Shelf) -> None:
    archive = StandaloneArchive(location="python.tar.gz", sha256=shelf.write(python_files()))
    with pytest.raises(InterpreterError) as caught:
        lock_interpreter(archive, "amd64", root=shelf.folder, store=shelf.store, libc="musl")
    assert "is linked to glibc" in str(caught.value)
    assert "…-linux-musl-…" in caught.value.hint


def test_another_machine_can_fetch_what_was_locked(shelf: Shelf) -> None:
    locked = lock(shelf, shelf.write(python_files()))
    url = "https://index.example/a/cpython-3.12.8%2B1.tar.gz?token=secret"
    file, remote = interpreter_requests([locked, replace(locked, name=url)], shelf.folder)
    assert file == FileRequest(
        name="python.tar.gz", url=str(shelf.folder / "python.tar.gz"), sha256=locked.sha256, size=locked.size
    )
    assert (remote.url, remote.name) == (url, "cpython-3.12.8%2B1.tar.gz")


def test_a_url_is_not_read_offline_and_its_query_is_not_shown(shelf: Shelf) -> None:
    archive = StandaloneArchive(location="https://index.example/p.tar.gz?token=secret", sha256="0" * 64)
    with pytest.raises(OfflineError) as caught:
        lock_interpreter(
            archive, "amd64", root=shelf.folder, store=shelf.store, http=HttpClient(trusted_urls=[], offline=True)
        )
    assert "p.tar.gz" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_layer_holds_the_tree_and_is_the_same_for_every_archive_of_it(shelf: Shelf, tmp_path: Path) -> None:
    locked = lock(shelf, shelf.write(python_files()))
    made = interpreter_recipe(locked, shelf.store).make(shelf.store)
    with tarfile.open(fileobj=io.BytesIO(gzip.decompress(shelf.store.read_bytes(made.digest)))) as layer:
        members = layer.getmembers()
        names = [member.name for member in members]
        assert names[:4] == ["opt", "opt/python", "opt/python/bin", "opt/python/bin/2to3"]
        assert {(member.mtime, member.uid, member.uname) for member in members} == {(0, 0, "")}
        source = layer.extractfile("opt/python/lib/python3.12/os.py")
        assert source is not None
        assert source.read() == b"# os\n"

    other = Shelf(tmp_path / "other")
    sha256 = other.add(gzip.compress(tar_of(dict(reversed(python_files().items()))), compresslevel=1))
    again = interpreter_recipe(replace(locked, sha256=sha256), other.store).make(other.store)
    assert sha256 != locked.sha256
    assert again == made


def test_a_layer_made_before_needs_no_archive(shelf: Shelf) -> None:
    locked = lock(shelf, shelf.write(python_files()))
    made = interpreter_recipe(locked, shelf.store).make(shelf.store)
    shelf.store.discard(locked.sha256)
    assert interpreter_recipe(replace(locked, name="elsewhere.tar.gz"), shelf.store).make(shelf.store) == made


def test_a_layer_of_a_hostile_archive_is_not_made(shelf: Shelf) -> None:
    sha256 = shelf.add({**python_files(), "etc/passwd": b"root::0:0"})
    locked = replace(lock(shelf, shelf.write(python_files())), sha256=sha256)
    recipe = interpreter_recipe(locked, shelf.store)
    with pytest.raises(InterpreterError, match="no archive of a standalone Python"):
        recipe.make(shelf.store)
    assert recipe.find(shelf.store) is None
    assert shelf.leftovers() == []


def test_a_cache_that_cannot_be_written_is_told(shelf: Shelf) -> None:
    sha256 = shelf.add(python_files())
    (shelf.store.root / "tmp").rmdir()
    (shelf.store.root / "tmp").write_bytes(b"")
    with pytest.raises(CacheFolderError, match="cannot unpack"), open_archive(shelf.store, sha256, origin="p"):
        pass


LOCKED = LockedInterpreter(
    name="p",
    architecture="amd64",
    sha256="0" * 64,
    size=1,
    python_version="3.12.8",
    python_path="/opt/python/bin/python3.12",
    libc="glibc",
    libc_version=(2, 28),
)


def test_the_interpreter_takes_the_place_of_the_bases_and_nothing_else_changes() -> None:
    found = interpreter_facts(BASE, LOCKED, base_name="b")
    assert found == replace(BASE, python_version="3.12.8", python_path="/opt/python/bin/python3.12")


def test_a_base_that_is_just_new_enough_will_do() -> None:
    base = replace(BASE, libc_version=(2, 28))
    assert interpreter_facts(base, LOCKED, base_name="b").libc_version == (2, 28)


def test_musl_needs_no_version() -> None:
    base = replace(BASE, libc="musl", libc_version=(1, 2))
    locked = replace(LOCKED, libc="musl", libc_version=(0, 0))
    assert interpreter_facts(base, locked, base_name="b").python_version == "3.12.8"


@pytest.mark.parametrize(
    ("libc", "version", "why"),
    [
        (None, (0, 0), "it is linked to glibc, and busybox:1 has no C library"),
        ("musl", (1, 2), "busybox:1 has musl"),
        ("glibc", (2, 27), "it needs glibc 2.28, and busybox:1 has 2.27"),
    ],
)
def test_a_base_that_cannot_run_it_is_refused(
    libc: Literal["glibc", "musl"] | None, version: tuple[int, int], why: str
) -> None:
    with pytest.raises(InterpreterError) as caught:
        interpreter_facts(replace(BASE, libc=libc, libc_version=version), LOCKED, base_name="busybox:1")
    assert caught.value.why == why
    assert "Python 3.12.8 for linux/amd64" in caught.value.what
    assert caught.value.hint
