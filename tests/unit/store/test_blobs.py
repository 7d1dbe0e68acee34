"""The store keeps whole files under their SHA-256, whatever happens to those who write them."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from crossdock.errors import CacheFolderError, HashMismatchError, InvalidRequestError, MissingBlobError
from crossdock.store import Store

DATA = b"some bytes"
DIGEST = hashlib.sha256(DATA).hexdigest()


def files_of(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_committed_blob_is_found_by_its_hash(store: Store) -> None:
    with store.writer() as writer:
        writer.write(DATA[:4])
        writer.write(memoryview(DATA)[4:])
        assert store.find(DIGEST) is None
        assert writer.commit(DIGEST.upper()) == DIGEST
    assert store.find(DIGEST) == store.root / "blobs" / "sha256" / DIGEST[:2] / DIGEST
    assert store.read_bytes(DIGEST) == DATA
    assert store.size(DIGEST) == len(DATA)
    assert files_of(store.root) == [store.path(DIGEST)]


def test_leaving_without_commit_leaves_nothing(store: Store) -> None:
    with store.writer() as writer:
        writer.write(DATA)
    with contextlib.suppress(KeyboardInterrupt), store.writer() as writer:
        writer.write(DATA)
        raise KeyboardInterrupt
    assert files_of(store.root) == []


def test_a_blob_with_another_hash_than_expected_is_refused(store: Store) -> None:
    with store.writer() as writer:
        writer.write(DATA)
        with pytest.raises(HashMismatchError, match=DIGEST):
            writer.commit("0" * 64)
    assert files_of(store.root) == []


def test_reset_forgets_what_was_written(store: Store) -> None:
    with store.writer() as writer:
        writer.write(b"something longer than the data")
        writer.reset()
        writer.write(DATA)
        assert (writer.size, writer.commit()) == (len(DATA), DIGEST)
    assert store.read_bytes(DIGEST) == DATA


@pytest.mark.parametrize("digest", ["../../../etc/passwd", "", "g" * 64, "a" * 63, f"{'a' * 64}\n"])
def test_what_is_no_sha256_never_becomes_a_path(store: Store, digest: str) -> None:
    with pytest.raises(InvalidRequestError):
        store.find(digest)
    with pytest.raises(InvalidRequestError):
        store.action(digest)


def test_a_blob_that_is_not_there_is_an_error_only_when_needed(store: Store) -> None:
    assert store.find(DIGEST) is None
    with pytest.raises(MissingBlobError, match=DIGEST):
        store.path(DIGEST)
    assert not store.root.exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no permission bits")
@pytest.mark.parametrize("mask", [0o000, 0o077])
def test_a_blob_is_readable_for_all_under_any_umask(store: Store, mask: int) -> None:
    before = os.umask(mask)
    try:
        store.add_bytes(DATA)
    finally:
        os.umask(before)
    assert store.path(DIGEST).stat().st_mode & 0o777 == 0o644


def test_a_file_is_copied_into_the_store(store: Store, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(DATA)
    assert store.add_file(tmp_path / "file", expected=DIGEST) == DIGEST
    assert store.read_bytes(DIGEST) == DATA


def test_a_cache_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    store = Store.default({"CROSSDOCK_CACHE": str(tmp_path / "file" / "cache")})
    assert store.find(DIGEST) is None
    with pytest.raises(CacheFolderError) as caught:
        store.add_bytes(DATA)
    assert str(tmp_path / "file" / "cache") in caught.value.what
    assert "CROSSDOCK_CACHE" in caught.value.hint
    with pytest.raises(CacheFolderError):
        store.record(DIGEST, 1)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_is_a_clear_error(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "open_temporary", lambda: (os.open("/dev/full", os.O_WRONLY), str(store.root / "none")))
    with store.writer() as writer, pytest.raises(CacheFolderError, match="No space left"):
        writer.write(bytes(1 << 20))


def test_the_users_store_is_where_the_environment_says(tmp_path: Path) -> None:
    assert Store.default({"CROSSDOCK_CACHE": str(tmp_path)}).root == tmp_path
    assert Store.default({"CROSSDOCK_CACHE": ""}).root.name == "crossdock"


def test_temporary_files_of_dead_processes_go_after_a_day(store: Store) -> None:
    temporary = store.root / "tmp"
    temporary.mkdir(parents=True)
    (temporary / "1-old").write_bytes(b"")
    (temporary / "1-new").write_bytes(b"")
    two_days_ago = time.time() - 2 * 24 * 60 * 60
    os.utime(temporary / "1-old", (two_days_ago, two_days_ago))
    store.add_bytes(DATA)
    assert [path.name for path in temporary.iterdir()] == ["1-new"]


WRITE_SLOWLY = """
import sys, time
from pathlib import Path
from crossdock.store import Store
with Store(Path(sys.argv[1])).writer() as writer:
    writer.write(bytes(1 << 20))
    print("written", flush=True)
    time.sleep(60)
    writer.commit()
"""

WRITE_MANY = """
import sys
from pathlib import Path
from crossdock.store import Store
store = Store(Path(sys.argv[1]))
sys.stdin.readline()
for number in range(40):
    print(store.add_bytes(bytes([number]) * 100_000))
"""


def test_a_killed_writer_leaves_no_file_of_a_final_name(store: Store) -> None:
    command = [sys.executable, "-c", WRITE_SLOWLY, str(store.root)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline().strip() == b"written"
        os.kill(process.pid, signal.SIGKILL if sys.platform != "win32" else signal.SIGTERM)
    assert [path.parent.name for path in files_of(store.root)] == ["tmp"]
    assert store.find(hashlib.sha256(bytes(1 << 20)).hexdigest()) is None
    assert store.add_bytes(bytes(1 << 20))


def test_eight_processes_may_write_the_same_blobs_at_once(store: Store) -> None:
    command = [sys.executable, "-c", WRITE_MANY, str(store.root)]
    pipe = subprocess.PIPE
    writers = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(8)]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    printed = [writer.communicate()[0].split() for writer in writers]
    assert [writer.returncode for writer in writers] == [0] * 8
    expected = [hashlib.sha256(bytes([number]) * 100_000).hexdigest() for number in range(40)]
    assert printed == [expected] * 8
    assert sorted(path.name for path in files_of(store.root)) == sorted(expected)
    assert all(hashlib.sha256(store.read_bytes(digest)).hexdigest() == digest for digest in expected)


def test_a_process_that_ends_leaves_nothing_of_a_worker_that_did_not(tmp_path: Path) -> None:
    """As after Ctrl-C, where a worker is in a step that takes longer than anybody waits for it."""
    program = f"""
import threading, time
from pathlib import Path
from crossdock.store.blobs import Store

def work():
    with Store(Path({str(tmp_path)!r})).writer() as writer:
        writer.write(b"begun")
        begun.set()
        time.sleep(600)

begun = threading.Event()
threading.Thread(target=work, daemon=True).start()
begun.wait(60)
print(len(list(Path({str(tmp_path)!r}, "tmp").iterdir())))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120)
    assert done.stdout == "1\n"
    assert list((tmp_path / "tmp").iterdir()) == []
