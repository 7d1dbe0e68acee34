"""Tar headers are read back, by Python's tarfile and by GNU tar, as what was meant."""

from __future__ import annotations

import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossdock.layers import tar
from crossdock.layers.entry import Entry

names = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"), exclude_characters="/\\"), min_size=1)
#: No part longer than a file system allows (255 bytes).
parts = names.map(lambda name: name.encode()[:200].decode("utf-8", "ignore")).filter(lambda p: p not in ("", ".", ".."))
ascii_parts = st.text("abcxyz-_.~ 09", min_size=1, max_size=160).filter(lambda part: part.strip(". ") == part)
paths = st.lists(parts | ascii_parts, min_size=1, max_size=6).map("/".join)
modes = st.integers(0, 0o7777)
ids = st.integers(0, 0o7777777) | st.integers(0, 2**32)


def archive(entries: list[Entry]) -> bytes:
    types: dict[str, tar.Type] = {"file": "0", "hardlink": "1", "symlink": "2", "directory": "5"}
    out = b""
    for entry in entries:
        blocks = tar.headers(
            entry.path,
            type_=types[entry.kind],
            size=len(entry.content),
            mode=entry.mode,
            uid=entry.uid,
            gid=entry.gid,
            linkname=entry.linkname,
        )
        assert all(len(block) % tar.BLOCK == 0 for block in blocks)
        out += b"".join(blocks) + entry.content + bytes(tar.padding(len(entry.content)))
    return out + bytes(tar.END)


def read_back(data: bytes) -> list[Entry]:
    kinds = {
        tarfile.REGTYPE: "file",
        tarfile.LNKTYPE: "hardlink",
        tarfile.SYMTYPE: "symlink",
        tarfile.DIRTYPE: "directory",
    }
    found = []
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as opened:
        for info in opened:
            assert (info.mtime, info.uname, info.gname) == (0, "", "")
            content = opened.extractfile(info) if info.isreg() else None
            found.append(
                Entry(
                    path=info.name,
                    kind=kinds[info.type],  # type: ignore[arg-type]
                    mode=info.mode,
                    content=content.read() if content else b"",
                    linkname=info.linkname,
                    uid=info.uid,
                    gid=info.gid,
                )
            )
    return found


@settings(deadline=None, max_examples=300)
@given(path=paths, mode=modes, uid=ids, gid=ids, content=st.binary(max_size=1100))
@example(path="a" * 100, mode=0o644, uid=0, gid=0, content=b"")
@example(path="a" * 101, mode=0o644, uid=0, gid=0, content=b"x")
@example(path="a", mode=0o644, uid=0o7777777, gid=0o7777777 + 1, content=b"x")
@example(path="é" * 50, mode=0o644, uid=0, gid=0, content=b"x" * 512)
def test_files(path: str, mode: int, uid: int, gid: int, content: bytes) -> None:
    entry = Entry(path=path, mode=mode, uid=uid, gid=gid, content=content)
    assert read_back(archive([entry])) == [entry]


@settings(deadline=None)
@given(path=paths, mode=modes)
def test_directories(path: str, mode: int) -> None:
    entry = Entry(path=path, kind="directory", mode=mode)
    assert read_back(archive([entry])) == [entry]


@settings(deadline=None)
@given(path=paths, linkname=paths, kind=st.sampled_from(["symlink", "hardlink"]))
@example(path="link", linkname="x" * 100, kind="symlink")
@example(path="link", linkname="x" * 101, kind="hardlink")
def test_links(path: str, linkname: str, kind: str) -> None:
    entry = Entry(path=path, kind=kind, linkname=linkname, mode=0o777)  # type: ignore[arg-type]
    assert read_back(archive([entry])) == [entry]


@pytest.mark.parametrize("directory", [False, True])
def test_every_length_around_the_limits_of_ustar(directory: bool) -> None:
    """Name of 100 bytes, prefix of 155, together 256, and where a slash is in between."""
    kind = "directory" if directory else "file"
    entries = [
        Entry(path=f"{'p' * prefix}/{'n' * name}", kind=kind)  # type: ignore[arg-type]
        for prefix in (1, 98, 99, 100, 101, 153, 154, 155, 156, 157)
        for name in (1, 2, 53, 54, 55, 98, 99, 100, 101, 102)
    ]
    entries += [Entry(path="n" * length, kind=kind) for length in range(95, 260)]  # type: ignore[arg-type]
    entries += [Entry(path="/".join("d" * (length // 2)), kind=kind) for length in range(90, 540, 3)]  # type: ignore[arg-type]
    assert read_back(archive(entries)) == entries
    listed = subprocess.run(["tar", "-tf", "-"], input=archive(entries), check=True, capture_output=True)
    assert listed.stderr == b""
    assert listed.stdout.decode().splitlines() == [entry.path + "/" * directory for entry in entries]


def test_paths_that_fit_need_one_block() -> None:
    assert len(tar.headers("p" * 155 + "/" + "n" * 100)) == 1
    assert len(tar.headers("p" * 155 + "/" + "n" * 101)) == 3
    assert len(tar.headers("short", linkname="l" * 100, type_="2")) == 1


@pytest.mark.parametrize("size", [0, 1, 0o77777777777, 0o77777777777 + 1, 8 << 30, 10**12, 2**62])
def test_sizes_beyond_what_octal_digits_hold(size: int) -> None:
    headers_alone = b"".join(tar.headers("large", size=size)) + bytes(tar.END)
    with tarfile.open(fileobj=io.BytesIO(headers_alone), mode="r:") as opened:
        info = opened.next()
    assert info is not None
    assert (info.name, info.size) == ("large", size)


@settings(deadline=None)
@given(st.integers(1, 300).map(lambda length: "é" + "n" * length))
def test_the_length_of_a_pax_record_counts_itself(path: str) -> None:
    _, records, _ = tar.headers(path)
    length, _, rest = records.partition(b" ")
    assert rest[: int(length) - len(length) - 1] == f"path={path}\n".encode()
    assert rest[int(length) - len(length) - 1 :].strip(b"\0") == b""


@settings(deadline=None, max_examples=25)
@given(st.dictionaries(paths, st.binary(max_size=600), min_size=1, max_size=8), st.booleans())
def test_gnu_tar_unpacks_what_was_written(files: dict[str, bytes], linked: bool) -> None:
    files = {path: content for path, content in files.items() if not any(p.startswith(path + "/") for p in files)}
    entries = [Entry(path=f"root/{path}", content=content) for path, content in files.items()]
    if linked:
        first = entries[0].path
        entries.append(Entry(path="hard" * 30, kind="hardlink", linkname=first))
        entries.append(Entry(path="soft", kind="symlink", linkname=first, mode=0o777))
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(["tar", "-xf", "-", "-C", folder], input=archive(entries), capture_output=True)
        assert (done.returncode, done.stderr) == (0, b"")
        found = {str(path.relative_to(folder)): path for path in Path(folder).rglob("*") if not path.is_dir()}
        assert set(found) == {entry.path for entry in entries}
        for entry in entries[: len(files)]:
            assert found[entry.path].read_bytes() == entry.content
            assert found[entry.path].stat().st_mtime == 0
        if linked:
            assert found["hard" * 30].samefile(Path(folder, first))
            assert found["soft"].readlink() == Path(first)


def test_gnu_tar_lists_modes_owners_and_times() -> None:
    entries = [
        Entry(path="bin", kind="directory", mode=0o1777),
        Entry(path="bin/su", mode=0o4755, content=b"x" * 700, uid=0, gid=42),
        Entry(path="bin/sh", kind="symlink", linkname="dash", mode=0o777, uid=65532, gid=65532),
    ]
    command = ["tar", "-tvf", "-", "--numeric-owner", "--utc", "--full-time"]
    listed = subprocess.run(command, input=archive(entries), check=True, capture_output=True).stdout
    assert [line.split(maxsplit=5) for line in listed.decode().splitlines()] == [
        ["drwxrwxrwt", "0/0", "0", "1970-01-01", "00:00:00", "bin/"],
        ["-rwsr-xr-x", "0/42", "700", "1970-01-01", "00:00:00", "bin/su"],
        ["lrwxrwxrwx", "65532/65532", "0", "1970-01-01", "00:00:00", "bin/sh -> dash"],
    ]
