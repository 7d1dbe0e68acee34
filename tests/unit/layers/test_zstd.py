"""Layers compressed by zstd: always the same bytes, and whatever others wrote is read within bounds."""

from __future__ import annotations

import builtins
import gzip
import hashlib
import io
import random
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st

from crossdock.errors import CompressionError, DamagedLayerError, LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.cached import LayerRecipe, tree_recipe
from crossdock.layers.entry import Entry
from crossdock.layers.zstd import LAYER_ZSTD, decompressed, unzstd, zstd_recipe
from crossdock.store.blobs import Store

if TYPE_CHECKING:
    from pathlib import Path

CONTENT = "".join(f"line {n * n} of {n % 13}\n" for n in range(40_000)).encode()
# A frame that ends somewhere, of one block, which stands for 128 KiB: four bytes each (RFC 8878, 3.1.1.2).
FRAME_HEADER = b"\x28\xb5\x2f\xfd\x00\x58"
RLE_BLOCK = ((128 << 10 << 3) | 0b010).to_bytes(3, "little") + b"a"
LAST_BLOCK = ((0 << 3) | 0b001).to_bytes(3, "little")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


def recipe() -> LayerRecipe:
    entries = [Entry(path="app", kind="directory", mode=0o755), Entry(path="app/text", kind="file", content=CONTENT)]
    return tree_recipe("test", ["zstd"], lambda: entries, encode=True)


def without_zstandard(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def missing(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "zstandard":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", missing)


def test_the_tar_inside_is_the_same_as_in_the_gzip_layer(store: Store) -> None:
    inner = recipe().make(store)
    made = zstd_recipe(recipe(), store).make(store)
    raw = zstandard.ZstdDecompressor().decompressobj().decompress(store.read_bytes(made.digest))
    assert raw == gzip.decompress(store.read_bytes(inner.digest))
    assert made.diff_id == inner.diff_id == hashlib.sha256(raw).hexdigest()


def test_its_bytes_never_change(store: Store) -> None:
    made = zstd_recipe(recipe(), store)
    assert made.media_type == LAYER_ZSTD
    assert made.make(store).digest == "25e74c6c7c58322631ff9e00347b5cf75181af4b24cccacc550a82387a791556"


def test_it_has_a_key_of_its_own_and_is_made_once(store: Store) -> None:
    made = zstd_recipe(recipe(), store)
    assert made.key != recipe().key
    assert made.find(store) is None
    assert made.make(store) == made.find(store) == zstd_recipe(recipe(), store).find(store)


def test_a_gzip_layer_damaged_in_the_cache_is_removed_and_nothing_comes_of_it(store: Store) -> None:
    inner = recipe().make(store)
    store.path(inner.digest).write_bytes(store.read_bytes(inner.digest)[:-100] + bytes(100))
    with pytest.raises(DamagedLayerError, match=inner.digest):
        zstd_recipe(recipe(), store).make(store)
    assert store.find(inner.digest) is None
    assert zstd_recipe(recipe(), store).make(store).diff_id == inner.diff_id


def test_without_the_package_the_error_says_how_to_get_it(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    without_zstandard(monkeypatch)
    with pytest.raises(CompressionError) as caught:
        zstd_recipe(recipe(), store)
    assert "crossdock[zstd]" in caught.value.hint
    with pytest.raises(LayerUnsupportedError) as unread:
        list(unzstd([b""]))
    assert "crossdock[zstd]" in unread.value.hint


def test_another_libzstd_is_refused_as_its_bytes_are_others(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zstandard, "ZSTD_VERSION", (1, 5, 5))
    with pytest.raises(CompressionError, match=r"libzstd 1\.5\.5, and only 1\.5\.7"):
        zstd_recipe(recipe(), store)


@settings(deadline=None)
@given(st.lists(st.binary(max_size=5000), min_size=1, max_size=5), st.integers(1, 6000), st.integers(1, 19))
def test_what_was_compressed_comes_back_however_it_is_cut(parts: list[bytes], step: int, level: int) -> None:
    blob = b"".join(zstandard.ZstdCompressor(level=level).compress(part) for part in parts)
    assert b"".join(unzstd(blob[at : at + step] for at in range(0, len(blob), step))) == b"".join(parts)


@settings(deadline=None)
@given(st.lists(st.integers(0, 400_000), max_size=30))
def test_a_stream_gives_what_is_asked_for_and_nothing_twice(sizes: list[int]) -> None:
    stream = decompressed(io.BytesIO(zstandard.compress(CONTENT)))
    read = [stream.read(size) for size in sizes]
    assert all(len(piece) <= size for piece, size in zip(read, sizes, strict=True))
    assert b"".join(read) + stream.read() == CONTENT
    assert stream.read(1) == stream.read() == b""


def test_skippable_frames_are_skipped() -> None:
    skipped = b"\x50\x2a\x4d\x18" + (5000).to_bytes(4, "little") + bytes(5000)
    assert b"".join(unzstd([skipped + zstandard.compress(b"hello") + skipped])) == b"hello"


def test_a_bomb_comes_in_small_pieces_and_stops_when_the_reader_does() -> None:
    blob = FRAME_HEADER + RLE_BLOCK * 500_000 + LAST_BLOCK  # 2 MB that stand for 61 GiB
    taken = 0
    for piece in unzstd([blob]):
        assert len(piece) <= 256 * 1024
        taken += len(piece)
        if taken > 100 << 20:
            break


MEMORY = """
import resource, sys
sys.path.insert(0, "src")
from crossdock.layers.zstd import unzstd
import zstandard
def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
blob = open(sys.argv[1], "rb").read()
next(unzstd([zstandard.compress(b"x")]))
before, total = peak(), 0
for piece in unzstd([blob]):
    total += len(piece)
print(peak() - before, total)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's own account of the process")
def test_memory_stays_flat_while_a_bomb_goes_off(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb"
    bomb.write_bytes(FRAME_HEADER + RLE_BLOCK * 8_000 + LAST_BLOCK)
    done = subprocess.run([sys.executable, "-c", MEMORY, str(bomb)], capture_output=True, text=True, check=True)
    grown, total = (int(part) for part in done.stdout.split())
    assert total == 8_000 * (128 << 10)
    assert grown < 100 * 1024  # KiB; all of it would be a thousand MiB


def test_a_window_too_large_is_refused() -> None:
    parameters = zstandard.ZstdCompressionParameters(window_log=28, compression_level=1)
    encoder = zstandard.ZstdCompressor(compression_params=parameters).compressobj()
    blob = encoder.compress(b"a") + encoder.flush()
    with pytest.raises(LayerUnreadableError) as caught:
        list(unzstd([blob]))
    assert "window of more than 128 MiB" in caught.value.why


def test_the_largest_window_in_use_is_read() -> None:
    content = random.Random(1).randbytes(1 << 20) * 3
    blob = zstandard.ZstdCompressor(level=22).compress(content)
    assert b"".join(unzstd([blob])) == content


WHOLE = zstandard.ZstdCompressor(write_checksum=True).compress(CONTENT)


@pytest.mark.parametrize(
    ("blob", "message"),
    [
        (b"", "cut short"),
        (WHOLE[:-1], "ends inside frame 1"),
        (WHOLE[: len(WHOLE) // 2], "ends inside frame 1"),
        (WHOLE + WHOLE[:20], "ends inside frame 2"),
        (WHOLE[:3], "ends inside frame 1"),
        (WHOLE + b"trailing", "after the end of the zstd data"),
        (WHOLE + bytes(512), "after the end of the zstd data"),
        (WHOLE[:-1] + bytes([WHOLE[-1] ^ 1]), "damaged"),
        (gzip.compress(CONTENT), "not zstd data"),
        (CONTENT, "not zstd data"),
    ],
)
def test_broken_data_is_refused_with_a_reason(blob: bytes, message: str) -> None:
    with pytest.raises(LayerUnreadableError) as caught:
        list(unzstd([blob]))
    assert message in str(caught.value)


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(0, len(WHOLE) - 1), st.integers(1, 255))
def test_damage_gives_our_error_or_none(noise: bytes, at: int, flip: int) -> None:
    damaged = bytearray(WHOLE)
    damaged[at] ^= flip
    for blob in (noise, WHOLE[:4] + noise, bytes(damaged)):
        try:
            for _ in unzstd([blob]):
                pass
        except LayerUnreadableError:
            continue
