"""Layers large enough for a thread of their own: seen like small ones, and nothing goes on when one is refused."""

from __future__ import annotations

import gzip
import io
import itertools
import random
import tarfile
import threading
from typing import Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.errors import LayerUnreadableError
from crossdock.layers.tarwalk import TarWalker
from crossdock.verify.contents import FileSeen
from crossdock.verify.looking import ContentsReader
from crossdock.verify.scan import ScanLimits, scan_layer

TAR = "application/vnd.oci.image.layer.v1.tar"
NOISE = random.Random(6).randbytes(20 << 20)  # larger than what is held at once
FILES = {f"lib/{number}": NOISE[number << 19 : (number + 1) << 19] for number in range(40)} | {"whole": NOISE}
PACKED = {"": bytes, "+gzip": lambda raw: gzip.compress(raw, 0), "+zstd": zstandard.compress}


@pytest.fixture(scope="module")
def raw() -> bytes:
    """An archive of 40 MiB."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, content in FILES.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()


class Stream(io.BytesIO):
    """Remembers who read, and refuses reading once it is closed."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data)
        self.threads: set[int] = set()

    def read(self, size: int | None = -1, /) -> bytes:
        self.threads.add(threading.get_ident())
        return super().read(size)


def scan(blob: bytes, packed: str, **limits: int) -> Any:
    with Stream(blob) as stream:
        try:
            return scan_layer(stream, media_type=TAR + packed, limits=ScanLimits(**limits))
        finally:
            assert len(stream.threads) == 2
            assert not [thread for thread in threading.enumerate() if thread.name == "crossdock-ahead"]


@pytest.mark.parametrize("packed", PACKED)
def test_all_of_a_large_layer_is_seen(make: Any, raw: bytes, packed: str) -> None:
    blob = PACKED[packed](raw)
    facts = scan(blob, packed)
    reader = ContentsReader()
    for path, content in FILES.items():
        reader.see(path, content, mode=0o644)
    assert facts.contents == reader.contents()
    assert facts.contents.entries[-1] == FileSeen("whole", "file", len(NOISE), 0o644, make.digest(NOISE)[7:])
    assert (facts.diff_id, facts.digest, facts.size) == (make.digest(raw), make.digest(blob), len(blob))


@pytest.mark.parametrize("packed", ["+gzip", "+zstd"])
def test_damage_far_inside_is_told_as_it_is(raw: bytes, packed: str) -> None:
    blob = PACKED[packed](raw)
    with pytest.raises(LayerUnreadableError, match="cut short"):
        scan(blob[:-5000], packed)
    with pytest.raises(LayerUnreadableError, match="after the end"):
        scan(blob + b"more", packed)


@pytest.mark.parametrize("packed", PACKED)
def test_a_bad_member_ends_all_reading(make: Any, raw: bytes, packed: str) -> None:
    bad = raw[: raw.index(b"lib/20")] + make.tar({"../etc/passwd": b""}) + raw
    with pytest.raises(LayerUnreadableError, match="leads out of it"):
        scan(PACKED[packed](bad), packed)


@pytest.mark.parametrize("packed", PACKED)
def test_limits_hold_for_what_is_read_ahead(raw: bytes, packed: str) -> None:
    with pytest.raises(LayerUnreadableError, match="too large"):
        scan(PACKED[packed](raw), packed, max_bytes=30 << 20)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, 300_000), st.lists(st.integers(1, 100_000), min_size=1), st.integers(0, 70_000))
def test_pieces_of_a_member_are_its_content(size: int, steps: list[int], taken: int) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name in ("one", "two"):
            info = tarfile.TarInfo(name)
            info.size = size
            tar.addfile(info, io.BytesIO(NOISE))
    stream = io.BytesIO(out.getvalue())
    sizes = itertools.cycle(steps)
    walker = TarWalker(iter(lambda: stream.read(next(sizes) + 500), b""), max_members=2)
    for _ in walker:
        start = walker.read(taken)
        pieces = list(walker.pieces())
        assert start + b"".join(pieces) == NOISE[:size]
        assert all(len(piece) >= 64 << 10 for piece in pieces[:-1])


def test_pieces_of_a_member_that_is_cut_short_are_refused(raw: bytes) -> None:
    walker = TarWalker(iter([raw[: 300 << 10]]), max_members=1)
    next(iter(walker))
    with pytest.raises(LayerUnreadableError, match="ends inside 'lib/0'"):
        list(walker.pieces())
