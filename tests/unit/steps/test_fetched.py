"""Fetched files: a folder or tar that appears whole, is refused if damaged, and gives files by hash alone."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import FetchedFilesError, OutputError
from crossdock.locks import LockedFile
from crossdock.steps.fetched import MANIFEST, Answer, FetchedFile, open_fetched, write_fetched
from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

CONTENTS = {"a-1.0-py3-none-any.whl": b"wheel a", "b_1.0_arm64.deb": b"package b" * 1000}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


FILES = [FetchedFile(name=name, sha256=sha256(data), size=len(data)) for name, data in CONTENTS.items()]
ANSWER = Answer(
    name="a",
    version="1.0",
    files=(LockedFile(filename="a-1.0-py3-none-any.whl", sha256=FILES[0].sha256, size=7),),
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    for data in CONTENTS.values():
        store.add_bytes(data)
    return store


@pytest.fixture(params=["set", "set.tar"])
def written(request: pytest.FixtureRequest, tmp_path: Path, store: Store) -> Path:
    path = tmp_path / "out" / str(request.param)
    write_fetched(path, FILES, [ANSWER], store)
    return path


def test_gives_each_file_by_its_hash(written: Path, tmp_path: Path) -> None:
    empty = Store(tmp_path / "empty")
    open_fetched(written).supply(empty, [file.sha256 for file in FILES])
    assert [empty.read_bytes(file.sha256) for file in FILES] == list(CONTENTS.values())


def test_gives_only_what_is_asked_for(written: Path, tmp_path: Path) -> None:
    empty = Store(tmp_path / "empty")
    open_fetched(written).supply(empty, [FILES[1].sha256, "0" * 64])
    assert empty.find(FILES[0].sha256) is None
    assert empty.find(FILES[1].sha256) is not None


def test_remembers_what_the_index_said(written: Path) -> None:
    opened = open_fetched(written)
    assert opened.answer("a", "1.0", [FILES[0].sha256]) == ANSWER.files
    assert opened.answer("a", "1.0", [FILES[0].sha256, FILES[1].sha256]) is None  # another lock's question
    assert opened.answer("a", "2.0", [FILES[0].sha256]) is None


def test_same_files_give_the_same_bytes(tmp_path: Path, store: Store) -> None:
    for name in ("one.tar", "two.tar"):
        write_fetched(tmp_path / name, FILES if name == "one.tar" else FILES[::-1], [ANSWER], store)
    assert (tmp_path / "one.tar").read_bytes() == (tmp_path / "two.tar").read_bytes()


def test_nothing_but_the_set_is_left(written: Path) -> None:
    assert [path.name for path in written.parent.iterdir()] == [written.name]


def test_a_set_is_replaced_whole(tmp_path: Path, store: Store) -> None:
    write_fetched(tmp_path / "set", FILES, [], store)
    write_fetched(tmp_path / "set", FILES[:1], [], store)
    assert [path.name for path in (tmp_path / "set" / "files").iterdir()] == [FILES[0].name]


def test_a_folder_of_something_else_stays(tmp_path: Path, store: Store) -> None:
    (tmp_path / "set").mkdir()
    (tmp_path / "set" / "thesis.tex").write_text("years of work")
    with pytest.raises(OutputError, match="did not write"):
        write_fetched(tmp_path / "set", FILES, [], store)
    assert (tmp_path / "set" / "thesis.tex").read_text() == "years of work"


def test_two_files_of_one_name_are_refused(tmp_path: Path, store: Store) -> None:
    twin = FetchedFile(name=FILES[0].name, sha256=FILES[1].sha256, size=FILES[1].size)
    with pytest.raises(OutputError, match="Two different files"):
        write_fetched(tmp_path / "set", [FILES[0], twin], [], store)
    assert not (tmp_path / "set").exists()


COMMIT = "ab" * 20


def test_says_which_file_is_the_bundle_of_a_commit(tmp_path: Path, store: Store) -> None:
    write_fetched(tmp_path / "set", FILES, [], store, repositories={COMMIT: FILES[0].sha256})
    assert open_fetched(tmp_path / "set").repositories == {COMMIT: FILES[0].sha256}
    (entry,) = json.loads((tmp_path / "set" / MANIFEST).read_text())["repositories"]
    assert entry == {"commit": COMMIT, "sha256": FILES[0].sha256}


class TestDamage:
    @pytest.mark.parametrize(
        "entries",
        [
            3,
            {"a": "b"},
            ["x"],
            [{}],
            [{"commit": COMMIT}],
            [{"commit": "main", "sha256": FILES[0].sha256}],
            [{"commit": COMMIT.upper(), "sha256": FILES[0].sha256}],
            [{"commit": 7, "sha256": FILES[0].sha256}],
            [{"commit": COMMIT, "sha256": "0" * 64}],
            [{"commit": COMMIT, "sha256": "../../etc/passwd"}],
            [{"commit": COMMIT, "sha256": [FILES[0].sha256]}],
        ],
    )
    def test_repositories_that_crossdock_would_not_write(self, tmp_path: Path, store: Store, entries: object) -> None:
        write_fetched(tmp_path / "set", FILES, [], store)
        manifest = tmp_path / "set" / MANIFEST
        manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"repositories": entries}))
        with pytest.raises(FetchedFilesError, match="damaged"):
            open_fetched(tmp_path / "set")

    def test_no_table_of_repositories(self, tmp_path: Path, store: Store) -> None:
        write_fetched(tmp_path / "set", FILES, [], store)
        manifest = tmp_path / "set" / MANIFEST
        document = json.loads(manifest.read_text())
        del document["repositories"]
        manifest.write_text(json.dumps(document))
        with pytest.raises(FetchedFilesError, match="damaged"):
            open_fetched(tmp_path / "set")

    def test_a_changed_file(self, tmp_path: Path, store: Store) -> None:
        write_fetched(tmp_path / "set", FILES, [], store)
        (tmp_path / "set" / FILES[0].path).write_bytes(b"wheel b")
        empty = Store(tmp_path / "empty")
        with pytest.raises(FetchedFilesError, match="damaged"):
            open_fetched(tmp_path / "set").supply(empty, [FILES[0].sha256])
        assert empty.find(FILES[0].sha256) is None

    def test_a_file_that_never_ends(self, tmp_path: Path, store: Store) -> None:
        write_fetched(tmp_path / "set", FILES, [], store)
        (tmp_path / "set" / FILES[0].path).write_bytes(bytes(5 << 20))
        with pytest.raises(FetchedFilesError, match="damaged"):
            open_fetched(tmp_path / "set").supply(Store(tmp_path / "empty"), [FILES[0].sha256])

    def test_a_missing_file(self, tmp_path: Path, store: Store) -> None:
        write_fetched(tmp_path / "set", FILES, [], store)
        (tmp_path / "set" / FILES[0].path).unlink()
        with pytest.raises(FetchedFilesError, match="is not there"):
            open_fetched(tmp_path / "set").supply(Store(tmp_path / "empty"), [FILES[0].sha256])

    def test_a_tar_cut_off(self, tmp_path: Path, store: Store) -> None:
        path = tmp_path / "set.tar"
        write_fetched(path, FILES, [], store)
        path.write_bytes(path.read_bytes()[:2000])
        with pytest.raises(FetchedFilesError):
            open_fetched(path).supply(Store(tmp_path / "empty"), [file.sha256 for file in FILES])

    @pytest.mark.parametrize("name", ["../../etc/passwd", "files/../x", "/etc/passwd", "files/a/b", ""])
    def test_a_path_that_leads_elsewhere(self, tmp_path: Path, store: Store, name: str) -> None:
        write_fetched(tmp_path / "set", FILES, [], store)
        manifest = tmp_path / "set" / MANIFEST
        document = json.loads(manifest.read_text())
        document["files"][0]["path"] = name
        manifest.write_text(json.dumps(document))
        with pytest.raises(FetchedFilesError, match="damaged"):
            open_fetched(tmp_path / "set")

    @pytest.mark.parametrize(
        "text", ["", "{", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1, "files": 3}', "[" * 100_000]
    )
    def test_a_manifest_of_another_kind(self, tmp_path: Path, text: str) -> None:
        (tmp_path / MANIFEST).write_text(text)
        with pytest.raises(FetchedFilesError):
            open_fetched(tmp_path)

    def test_a_link_in_a_tar_is_not_followed(self, tmp_path: Path) -> None:
        path = tmp_path / "set.tar"
        with tarfile.open(path, "w") as tar:
            link = tarfile.TarInfo(MANIFEST)
            link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(link)
        with pytest.raises(FetchedFilesError, match="is no set"):
            open_fetched(path)

    def test_something_else(self, tmp_path: Path) -> None:
        with pytest.raises(FetchedFilesError, match="There is no"):
            open_fetched(tmp_path / "nothing")
        (tmp_path / "text.tar").write_text("text")
        with pytest.raises(FetchedFilesError):
            open_fetched(tmp_path / "text.tar")
        with tarfile.open(tmp_path / "other.tar", "w") as tar:
            tar.addfile(tarfile.TarInfo("other"), io.BytesIO())
        with pytest.raises(FetchedFilesError, match="is no set"):
            open_fetched(tmp_path / "other.tar")
