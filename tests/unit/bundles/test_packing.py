"""The compressor of Python alone: whatever it is given, zlib gives back; and its bytes never change."""

from __future__ import annotations

import hashlib
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.bundles.packing import packed


def unpacked(data: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    found = inflater.decompress(data) + inflater.flush()
    assert inflater.eof
    assert not inflater.unused_data
    return found


@given(st.one_of(st.binary(max_size=2000), st.text("ab\n", max_size=3000).map(str.encode)))
def test_it_can_be_unpacked(data: bytes) -> None:
    assert unpacked(packed(data)) == data


@pytest.mark.parametrize("length", [*range(3, 14), 257, 258, 259, 260, 515, 70_000])
def test_repetitions_of_every_length_come_back(length: int) -> None:
    for data in (b"x" * length, bytes(range(256)) + b"needle" + b"-" * length + b"needle" * 3):
        assert unpacked(packed(data)) == data


@pytest.mark.parametrize("distance", [1, 2, 3, 4, 5, 8, 9, 255, 256, 257, 4096, 24576, 24577, 32767, 32768, 32769])
def test_repetitions_at_every_distance_come_back(distance: int) -> None:
    noise = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(distance // 32 + 1))[:distance]
    data = noise + noise[: min(300, distance)]
    assert unpacked(packed(data)) == data


def test_source_gets_much_smaller() -> None:
    text = "".join(
        f"def function_{number}(argument):\n    return argument + {number}\n" for number in range(500)
    ).encode()
    assert len(packed(text)) < len(text) / 3


def test_the_bytes_are_the_same_everywhere() -> None:
    """No zlib has a say in them: this digest is for every machine and every Python."""
    text = "".join(f"line {number % 97} of {number}\n" for number in range(5000)).encode()
    assert (
        hashlib.sha256(packed(text)).hexdigest() == "b37acc12fd8f868ab5a494eabfa7f2af0e9f10166b779096d81aa6efc92db710"
    )


def test_nothing_is_packed_into_an_empty_block() -> None:
    assert packed(b"") == b"\x03\x00"
