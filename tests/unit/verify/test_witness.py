"""What is seen while a layer is written is what is seen when it is read."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.layers.entry import Entry, directory, file, symlink
from crossdock.layers.wheels import write_wheels
from crossdock.layers.writer import write_tree
from crossdock.verify.looking import ContentsReader
from crossdock.verify.scan import scan_layer
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.scheme import Scheme, flat

if TYPE_CHECKING:
    from pathlib import Path

GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
ELF = b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x03\0\xb7\0\x01\0\0\0" + bytes(40)


def is_seen_alike(written: bytes, witness: ContentsReader) -> None:
    read = scan_layer(io.BytesIO(written), media_type=GZIP).contents
    assert witness.contents() == read
    assert read.files > 2


@pytest.mark.parametrize("encode", [False, True])
def test_a_tree(encode: bool) -> None:
    entries = [
        directory("bin"),
        file("bin/tool", b"#!/bin/sh\nexit 0\n", mode=0o4755),
        file("bin/empty", b""),
        Entry(path="bin/other", kind="hardlink", linkname="bin/tool"),
        symlink("bin/link", "../bin/tool"),
        file("lib/a.so", ELF),
        file("a.dist-info/RECORD", b"lib/a.so,,\n" * 30_000),
        file("n" * 120 + "/" + "m" * 90, b"x" * 70_000),
    ]
    out, witness = io.BytesIO(), ContentsReader()
    write_tree(entries, out, encode=encode, witness=witness)
    is_seen_alike(out.getvalue(), witness)


def scheme() -> Scheme:
    return flat()


@pytest.mark.parametrize("at_once", [None, 1 << 10])
def test_wheels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at_once: int | None) -> None:
    files: dict[str, str | bytes] = {
        "a/__init__.py": "",
        "a/code.py": "x = 1\n" * 20_000,
        "a/native.so": ELF.ljust(60_000, b"\0"),
        "a/stored.bin": bytes(range(256)) * 300,
    }
    wheel = make_wheel(tmp_path, "a", "1.0", files, stored={"a/stored.bin"})
    if at_once is not None:
        for place in ("crossdock.layers.wheels._AT_ONCE", "crossdock.verify.scan._AT_ONCE"):
            monkeypatch.setattr(place, at_once)
        monkeypatch.setattr("crossdock.verify.looking._LARGEST_HELD", at_once)
    out, witness = io.BytesIO(), ContentsReader()
    with WheelArchive(wheel, wheel.name) as archive:
        write_wheels([archive], scheme(), out, witness=witness)
    is_seen_alike(out.getvalue(), witness)
    assert [path for path, _ in witness.contents().binaries] == ["a/native.so"]
