"""A layer is a gzip file that every reader unpacks to the tar its diff_id names."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import subprocess
import tarfile
import tracemalloc
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.layers.entry import Entry, directory, file, symlink
from crossdock.layers.writer import EncodingWriter, LayerWriter, write_tree

if TYPE_CHECKING:
    from collections.abc import Iterator

ENTRIES = [
    directory("etc"),
    file("etc/passwd", b"root:x:0:0\n"),
    file("etc/empty", b""),
    directory("usr"),
    file("usr/run", b"#!/bin/sh\n", mode=0o755),
    file("usr/aligned", b"x" * 1024),
    file("usr/large", random.Random(7).randbytes(3_000_000)),
    symlink("bin", "usr/bin"),
    Entry(path="usr/hard", kind="hardlink", linkname="usr/run", mode=0o755),
    Entry(path="home", kind="directory", mode=0o700, uid=65532, gid=65532),
    file("ü" * 120, b"long and not ASCII"),
]


def layer(entries: list[Entry], *, encode: bool) -> tuple[bytes, str]:
    out = io.BytesIO()
    diff_id = write_tree(entries, out, encode=encode)
    return out.getvalue(), diff_id


def members(data: bytes) -> Iterator[bytes]:
    """Give what each gzip member unpacks to."""
    while data:
        inflater = zlib.decompressobj(wbits=31)
        yield inflater.decompress(data)
        assert inflater.eof
        data = inflater.unused_data


def entries_in(data: bytes) -> list[Entry]:
    kinds = {b"0": "file", b"1": "hardlink", b"2": "symlink", b"5": "directory"}
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as opened:
        return [
            Entry(
                path=info.name,
                kind=kinds[info.type],  # type: ignore[arg-type]
                mode=info.mode,
                content=opened.extractfile(info).read() if info.isreg() else b"",  # type: ignore[union-attr]
                linkname=info.linkname,
                uid=info.uid,
                gid=info.gid,
            )
            for info in opened
        ]


@pytest.mark.parametrize("encode", [False, True])
def test_a_tree_is_read_back_by_python_gzip_and_gnu_tar(encode: bool) -> None:
    data, diff_id = layer(ENTRIES, encode=encode)
    assert entries_in(data) == ENTRIES
    unpacked = subprocess.run(["gzip", "-dc"], input=data, check=True, capture_output=True).stdout
    assert unpacked == gzip.decompress(data) == b"".join(members(data))
    assert hashlib.sha256(unpacked).hexdigest() == diff_id
    listed = subprocess.run(
        ["tar", "-tzf", "-", "--quoting-style=literal"], input=data, check=True, capture_output=True
    )
    assert listed.stdout.decode().split() == [e.path + "/" * (e.kind == "directory") for e in ENTRIES]


def test_stored_and_encoded_give_the_same_tar() -> None:
    stored, encoded = layer(ENTRIES, encode=False), layer(ENTRIES, encode=True)
    assert stored[1] == encoded[1]
    assert gzip.decompress(stored[0]) == gzip.decompress(encoded[0])


@pytest.mark.parametrize("encode", [False, True])
def test_an_empty_tree_is_an_empty_tar(encode: bool) -> None:
    data, diff_id = layer([], encode=encode)
    assert gzip.decompress(data) == bytes(1024)
    assert diff_id == hashlib.sha256(bytes(1024)).hexdigest()


@settings(deadline=None, max_examples=30)
@given(st.lists(st.binary(max_size=2000) | st.integers(0, 600_000).map(bytes), max_size=6), st.booleans())
def test_any_contents(contents: list[bytes], encode: bool) -> None:
    entries = [file(f"f{index}", content) for index, content in enumerate(contents)]
    data, diff_id = layer(entries, encode=encode)
    assert entries_in(data) == entries
    assert hashlib.sha256(gzip.decompress(data)).hexdigest() == diff_id


@settings(deadline=None, max_examples=25)
@given(st.lists(st.sampled_from([1, 100, 65_535, 262_144, 300_000]), min_size=1, max_size=5))
def test_bytes_do_not_depend_on_the_sizes_content_comes_in(sizes: list[int]) -> None:
    content = random.Random(11).randbytes(700_000)
    whole, pieces = io.BytesIO(), io.BytesIO()
    at_once, piecewise = LayerWriter(whole), LayerWriter(pieces)
    for writer in (at_once, piecewise):
        writer.header("f", size=len(content))
    at_once.stored(content)
    at = 0
    for size in [*sizes, len(content)]:
        piecewise.stored(content[at : at + size])
        at += size
    for writer in (at_once, piecewise):
        writer.padding(len(content))
    assert at_once.finish() == piecewise.finish()
    assert whole.getvalue() == pieces.getvalue()


def test_encoded_members_are_of_one_mebibyte_whatever_the_entries_sizes() -> None:
    chance = random.Random(3)
    entries = [file(f"f{i}", chance.randbytes(chance.choice([0, 10, 5000, 400_000, 2_500_000]))) for i in range(30)]
    data, _ = layer(entries, encode=True)
    sizes = [len(member) for member in members(data)]
    assert set(sizes[:-1]) == {1 << 20}
    assert 0 < sizes[-1] <= 1 << 20


@pytest.mark.parametrize("cut", [999, 65_536, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 2_000_000])
def test_encoded_bytes_do_not_depend_on_the_sizes_the_archive_comes_in(cut: int) -> None:
    content = b"".join(b"%d\n" % number for number in range(400_000))
    results = []
    for size in (len(content), cut):
        out = io.BytesIO()
        writer = EncodingWriter(out)
        for at in range(0, len(content), size):
            writer._encoder.add(content[at : at + size])
        results.append((writer.finish(), out.getvalue()))
    assert results[0] == results[1]


def test_encoded_entries_among_stored_ones_are_read_like_any_other() -> None:
    chance = random.Random(4)
    large = [file(f"large{i}", b"text " * chance.randrange(1, 500_000)) for i in range(3)]
    out = io.BytesIO()
    writer = LayerWriter(out)
    writer.entry(file("before", b"before"))
    writer.encoded([directory("folder"), *large])
    writer.entry(file("after", b"after"))
    diff_id = writer.finish()
    data = out.getvalue()
    plain = gzip.decompress(data)
    assert hashlib.sha256(plain).hexdigest() == diff_id
    assert len(data) < len(plain) / 50
    stored = io.BytesIO()
    entries = [file("before", b"before"), directory("folder"), *large, file("after", b"after")]
    assert write_tree(entries, stored, encode=False) == diff_id


def test_a_member_names_no_time_no_file_and_no_system() -> None:
    for encode in (False, True):
        data, _ = layer(ENTRIES[:2], encode=encode)
        assert data[:4] == b"\x1f\x8b\x08\0"
        assert data[4:8] == bytes(4)
        assert data[9] == 0xFF


class Nowhere:
    """A sink that keeps nothing."""

    def write(self, data: bytes | bytearray) -> None:
        pass


@pytest.mark.parametrize("encode", [False, True])
@pytest.mark.parametrize(("count", "size"), [(6000, 10_000), (30, 2_000_000)])
def test_memory_does_not_grow_with_the_tree(encode: bool, count: int, size: int) -> None:
    content = bytes(size)
    tracemalloc.start()
    write_tree((file(f"f{index}", content) for index in range(count)), Nowhere(), encode=encode)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10 << 20  # of 60 MB
