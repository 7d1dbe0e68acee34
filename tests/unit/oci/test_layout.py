"""Layouts on disk: whole at every moment, brought up to date, and never at the cost of what others wrote."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
import random
import subprocess
import sys
import tarfile
import time
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import DamagedLayerError, OutputError
from crossdock.oci.layout import MADE_BY, check_output, write_layout, write_layout_tar
from crossdock.oci.model import INDEX, Descriptor

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

Blobs = dict[str, "bytes | Path"]


def described(data: bytes) -> Descriptor:
    digest = "sha256:" + hashlib.sha256(data).hexdigest()
    return Descriptor(media_type=INDEX, digest=digest, size=len(data), annotations={"name": "value"})


def content(*datas: bytes) -> tuple[Descriptor, Blobs]:
    """The first is what index.json refers to."""
    return described(datas[0]), {described(data).digest: data for data in datas}


def files(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def expected(root: Descriptor, blobs: Blobs) -> dict[str, bytes]:
    """All files of a layout, by the specification."""
    index = {"schemaVersion": 2, "manifests": [root.to_json()], "annotations": {MADE_BY: "crossdock"}}
    whole = {f"blobs/sha256/{digest[7:]}": data for digest, data in blobs.items() if isinstance(data, bytes)}
    whole["oci-layout"] = b'{"imageLayoutVersion":"1.0.0"}'
    whole["index.json"] = json.dumps(index, sort_keys=True, separators=(",", ":")).encode()
    return whole


def assert_refused(folder: Path, words: str) -> None:
    before = files(folder)
    for write in (check_output, lambda path: write_layout(path, *content(b"root", b"other"))):
        with pytest.raises(OutputError, match=words) as caught:
            write(folder)
        assert "--output" in caught.value.hint
    assert files(folder) == before


def test_a_layout_is_written_into_a_new_folder(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer")
    write_layout(tmp_path / "deep" / "image", root, blobs)
    assert files(tmp_path / "deep" / "image") == expected(root, blobs)


def test_blobs_may_come_from_files(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"from a file")
    root, blobs = content(b"root", b"from a file")
    write_layout(tmp_path / "image", root, {digest: source if digest != root.digest else b"root" for digest in blobs})
    assert files(tmp_path / "image") == expected(root, blobs)


def test_files_are_readable_by_all_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_layout(tmp_path / "image", *content(b"root"))
        write_layout_tar(tmp_path / "image.tar", *content(b"root"))
    finally:
        os.umask(before)
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {path.stat().st_mode & 0o777 for path in written} == {0o644}


def test_an_older_layout_is_brought_up_to_date(tmp_path: Path) -> None:
    write_layout(tmp_path, *content(b"first", b"kept", b"gone"))
    kept = tmp_path / "blobs" / "sha256" / hashlib.sha256(b"kept").hexdigest()
    before = kept.stat()
    root, blobs = content(b"second", b"kept", b"new")
    write_layout(tmp_path, root, blobs)
    assert files(tmp_path) == expected(root, blobs)
    assert (kept.stat().st_ino, kept.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_nothing_is_written_when_nothing_changed(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer")
    write_layout(tmp_path, root, blobs)
    before = {path: path.stat().st_ino for path in tmp_path.rglob("*")}
    write_layout(tmp_path, root, blobs)
    assert {path: path.stat().st_ino for path in tmp_path.rglob("*")} == before


def test_a_blob_cut_short_is_written_again(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer")
    write_layout(tmp_path, root, blobs)
    (tmp_path / "blobs" / "sha256" / hashlib.sha256(b"layer").hexdigest()).write_bytes(b"lay")
    write_layout(tmp_path, root, blobs)
    assert files(tmp_path) == expected(root, blobs)


def test_leftovers_of_a_killed_run_are_removed(tmp_path: Path) -> None:
    write_layout(tmp_path, *content(b"older"))
    sha256 = tmp_path / "blobs" / "sha256"
    for leftover in (sha256 / ".abc.x1.partial", tmp_path / ".index.json.x2.partial"):
        leftover.write_bytes(b"half")
    root, blobs = content(b"root")
    write_layout(tmp_path, root, blobs)
    assert files(tmp_path) == expected(root, blobs)


def test_what_is_no_blob_is_left_alone(tmp_path: Path) -> None:
    root, blobs = content(b"root")
    write_layout(tmp_path, root, blobs)
    notes = {"notes.txt": b"mine", "blobs/sha256/notes.txt": b"mine", "blobs/photo.jpg": b"mine"}
    for name, data in notes.items():
        (tmp_path / name).write_bytes(data)
    write_layout(tmp_path, root, blobs)
    assert files(tmp_path) == expected(root, blobs) | notes


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("ten years")
    assert_refused(tmp_path, "already holds something that crossdock did not write")


@pytest.mark.parametrize(
    "index",
    [
        b'{"schemaVersion":2,"manifests":[{"mediaType":"m","digest":"sha256:1","size":1}]}',
        b'{"schemaVersion":2,"manifests":[{"annotations":{"dev.crossdock.made-by":"0"}},{"size":1}]}',
        b'{"manifests":null}',
        b'{"manifests":[1]}',
        b"[]",
        b"not JSON",
        b"\xff",
    ],
)
def test_a_layout_that_others_wrote_is_refused(tmp_path: Path, index: bytes) -> None:
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"their layer")
    (tmp_path / "oci-layout").write_bytes(b'{"imageLayoutVersion": "1.0.0"}')
    (tmp_path / "index.json").write_bytes(index)
    assert_refused(tmp_path, "already holds something that crossdock did not write")


def test_a_folder_with_blobs_of_others_alone_is_refused(tmp_path: Path) -> None:
    (tmp_path / "blobs" / "sha256").mkdir(parents=True)
    (tmp_path / "blobs" / "sha256" / ("0" * 64)).write_bytes(b"their layer")
    assert_refused(tmp_path, "already holds something that crossdock did not write")


def test_a_blob_changed_in_place_is_written_again(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer")
    write_layout(tmp_path, root, blobs)
    (tmp_path / "blobs" / "sha256" / hashlib.sha256(b"layer").hexdigest()).write_bytes(b"lAyer")
    write_layout(tmp_path, root, blobs)
    assert files(tmp_path) == expected(root, blobs)


@pytest.mark.parametrize("write", [write_layout, write_layout_tar])
def test_a_source_that_is_not_what_it_was_is_refused(
    tmp_path: Path, write: Callable[[Path, Descriptor, Blobs], None]
) -> None:
    root, blobs = content(b"root", b"layer")
    damaged = tmp_path / "damaged"
    damaged.write_bytes(b"lAyer")
    digest = described(b"layer").digest
    with pytest.raises(DamagedLayerError, match="is damaged") as caught:
        write(tmp_path / "image.tar", root, blobs | {digest: damaged})
    assert caught.value.digest == digest
    assert not [path for path in files(tmp_path) if path.endswith((digest[7:], ".partial", ".tar"))]


def test_an_index_json_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "index.json").write_bytes(b'{"manifests": []}')
    assert_refused(tmp_path, "already holds something")


def test_a_file_in_the_way_is_refused_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "image"
    path.write_bytes(b"a file")
    with pytest.raises(OutputError, match="is not a folder"):
        write_layout(path, *content(b"root"))
    assert path.read_bytes() == b"a file"


def test_a_link_to_nowhere_is_refused(tmp_path: Path) -> None:
    (tmp_path / "image").symlink_to("nowhere")
    with pytest.raises(OutputError):
        write_layout(tmp_path / "image", *content(b"root"))


@pytest.mark.parametrize("write", [write_layout, write_layout_tar])
def test_a_place_that_cannot_be_written_is_an_error(
    tmp_path: Path, write: Callable[[Path, Descriptor, Blobs], None]
) -> None:
    (tmp_path / "file").write_bytes(b"x")
    output = tmp_path / "file" / "image.tar"
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write(output, *content(b"root"))
    assert str(tmp_path / "file") in caught.value.why
    assert files(tmp_path) == {"file": b"x"}


def test_a_source_that_cannot_be_read_leaves_nothing_of_a_tar(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer")
    blobs[described(b"layer").digest] = tmp_path / "gone"
    with pytest.raises(OutputError):
        write_layout_tar(tmp_path / "image.tar", root, blobs)
    assert files(tmp_path) == {}


def test_a_tar_is_the_same_to_the_byte_everywhere(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer" * 200)
    write_layout_tar(tmp_path / "a.tar", root, blobs)
    write_layout_tar(tmp_path / "b.tar", root, dict(reversed(blobs.items())))
    data = (tmp_path / "a.tar").read_bytes()
    assert (tmp_path / "b.tar").read_bytes() == data
    assert hashlib.sha256(data).hexdigest() == "6493c2ddae5f1b3cf74165a557dacacfcf43729cd1a1997712a3b3cf30630fe3"


def test_python_and_gnu_tar_read_the_tar(tmp_path: Path) -> None:
    root, blobs = content(b"root", b"layer" * 200)
    path = tmp_path / "image.tar"
    write_layout_tar(path, root, blobs)
    with tarfile.open(fileobj=io.BytesIO(path.read_bytes())) as archive:
        members = {member.name: archive.extractfile(member) for member in archive if member.isfile()}
        assert {name: data.read() for name, data in members.items() if data} == expected(root, blobs)
    out = tmp_path / "out"
    out.mkdir()
    done = subprocess.run(["tar", "-xf", str(path), "-C", str(out)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert files(out) == expected(root, blobs)


def test_a_tar_replaces_an_older_one(tmp_path: Path) -> None:
    write_layout_tar(tmp_path / "image.tar", *content(b"first"))
    write_layout_tar(tmp_path / "image.tar", *content(b"second"))
    write_layout_tar(tmp_path / "other.tar", *content(b"second"))
    assert (tmp_path / "image.tar").read_bytes() == (tmp_path / "other.tar").read_bytes()
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_named_like_the_tar_is_kept(tmp_path: Path) -> None:
    (tmp_path / "image.tar").mkdir()
    with pytest.raises(OutputError, match="is a folder"):
        check_output(tmp_path / "image.tar")
    with pytest.raises(OutputError):
        write_layout_tar(tmp_path / "image.tar", *content(b"root"))
    assert [path.name for path in tmp_path.iterdir()] == ["image.tar"]


WRITER = """
import hashlib, sys
from pathlib import Path
from crossdock.oci.layout import MADE_BY, write_layout, write_layout_tar
from crossdock.oci.model import INDEX, Descriptor
seed, output = sys.argv[1], Path(sys.argv[2])
datas = [seed.encode(), *((seed + str(n)).encode() * 3_000_000 for n in range(3))]
blobs = {"sha256:" + hashlib.sha256(data).hexdigest(): data for data in datas}
root = Descriptor(media_type=INDEX, digest=next(iter(blobs)), size=len(datas[0]), annotations={MADE_BY: "0"})
print("ready", flush=True)
(write_layout_tar if output.suffix == ".tar" else write_layout)(output, root, blobs)
"""


def start_writer(seed: str, output: Path) -> subprocess.Popen[bytes]:
    process = subprocess.Popen([sys.executable, "-c", WRITER, seed, str(output)], stdout=subprocess.PIPE)
    assert process.stdout
    process.stdout.readline()
    return process


def finish(process: subprocess.Popen[bytes]) -> int:
    with process:
        return process.wait(timeout=60)


def assert_whole(folder: Path) -> str:
    """Check every promise of index.json, and give the seed of what it refers to."""
    index = json.loads((folder / "index.json").read_bytes())
    digest = index["manifests"][0]["digest"]
    seed: str = (folder / "blobs" / "sha256" / digest[7:]).read_bytes().decode()
    for data in (seed.encode(), *((seed + str(n)).encode() * 3_000_000 for n in range(3))):
        sha256 = hashlib.sha256(data).hexdigest()
        assert hashlib.sha256((folder / "blobs" / "sha256" / sha256).read_bytes()).hexdigest() == sha256
    return seed


def test_a_kill_at_any_moment_leaves_a_whole_layout_or_none(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    moments = random.Random(0)
    killed = turn = 0
    # On a busy machine many runs are through before they are killed.
    while turn < 8 or (not killed and turn < 200):
        process = start_writer("ab"[turn % 2], folder)
        turn += 1
        time.sleep(moments.uniform(0, 0.06))
        process.kill()
        killed += finish(process) != 0
        if (folder / "index.json").exists() and json.loads((folder / "index.json").read_bytes())["manifests"]:
            assert_whole(folder)
    assert killed, "no run was caught in the middle"
    assert finish(start_writer("c", folder)) == 0
    assert assert_whole(folder) == "c"
    assert len(files(folder)) == 4 + 2


def test_a_kill_at_any_moment_leaves_a_whole_tar_or_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "image.tar"
    wanted = {}
    for seed in "ab":
        assert finish(start_writer(seed, path)) == 0
        wanted[seed] = hashlib.sha256(path.read_bytes()).hexdigest()
    moments = random.Random(1)
    for turn in range(5):
        process = start_writer("ab"[turn % 2], path)
        time.sleep(moments.uniform(0, 0.04))
        process.kill()
        finish(process)
        assert hashlib.sha256(path.read_bytes()).hexdigest() in wanted.values()


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_runs_at_the_same_time_leave_the_whole_layout_of_one(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    for _ in range(2):
        writers = [start_writer(seed, folder) for seed in "abca"]
        assert [finish(writer) for writer in writers] == [0, 0, 0, 0]
        assert assert_whole(folder) in "abc"
        assert len(files(folder)) == 4 + 2


OFTEN = """
import hashlib, sys
from pathlib import Path
from crossdock.oci.layout import MADE_BY, write_layout
from crossdock.oci.model import INDEX, Descriptor
for turn in range(30):
    datas = [f"{sys.argv[1]} {turn} {n}".encode() for n in range(6)]
    blobs = {"sha256:" + hashlib.sha256(data).hexdigest(): data for data in datas}
    root = Descriptor(media_type=INDEX, digest=next(iter(blobs)), size=len(datas[0]), annotations={MADE_BY: "0"})
    write_layout(Path(sys.argv[2]), root, blobs)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="folders cannot be locked there")
def test_index_json_never_names_a_missing_blob_while_runs_take_turns(tmp_path: Path) -> None:
    folder = tmp_path / "image"
    runs = [subprocess.Popen([sys.executable, "-c", OFTEN, str(seed), str(folder)]) for seed in range(3)]
    missing = set()
    looked = 0
    while any(run.poll() is None for run in runs):
        with contextlib.suppress(FileNotFoundError):  # until the first run is through
            # Another run may replace both between two looks, so only an index that stayed is held to its word.
            before = (folder / "index.json").read_bytes()
            manifests = json.loads(before)["manifests"]
            if not manifests:
                continue
            digest = manifests[0]["digest"][7:]
            found = (folder / "blobs" / "sha256" / digest).is_file()
            if not found and (folder / "index.json").read_bytes() == before:
                missing.add(digest)
            looked += 1
    assert [run.returncode for run in runs] == [0, 0, 0]
    assert looked
    assert missing == set()
    assert len(files(folder)) == 6 + 2
