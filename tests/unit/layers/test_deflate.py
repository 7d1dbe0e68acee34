"""Gzip members written without a compressor unpack, by every reader, to what was put in."""

from __future__ import annotations

import gzip
import itertools
import random
import subprocess
import zlib

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from crossdock.layers.deflate import FixedBlock, OwnMember, fixed_block, zero_block

#: A piece and whether it is encoded.
Piece = tuple[bytes, bool]

LARGEST_STORED = 65_535


def inflate(stream: bytes) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    raw = inflater.decompress(stream) + inflater.flush()
    assert inflater.eof
    assert not inflater.unused_data
    return raw


def decodes(block: FixedBlock) -> None:
    """The block unpacks as the last one, and when stored blocks stand before and behind it."""
    assert inflate(block.last) == block.raw
    then_stored = block.then_stored + b"\2\0\xfd\xffhi"
    assert inflate(then_stored + b"\3\0") == block.raw + b"hi"
    assert inflate(b"\0\1\0\xfe\xff!" + then_stored + b"\1\0\0\xff\xff") == b"!" + block.raw + b"hi"
    assert inflate(block.then_stored + b"\0\0\xff\xff" + block.last) == block.raw * 2


def member_of(pieces: list[Piece]) -> tuple[bytes, bytes]:
    own = OwnMember()
    for data, encoded in pieces:
        if encoded:
            own.fixed(fixed_block(data))
        else:
            own.stored(data)
    assert own.size == sum(len(data) for data, _ in pieces)
    return own.finish()


def test_every_block_of_zeros() -> None:
    for count in range(1, 1026):
        assert zero_block(count).raw == bytes(count)
        decodes(zero_block(count))


def test_every_block_of_one_repeated_byte() -> None:
    for byte, count in itertools.product((0, 1, 143, 144, 255), range(1, 600)):
        decodes(fixed_block(bytes([byte]) * count))


@pytest.mark.parametrize("byte", range(256))
def test_every_literal(byte: int) -> None:
    decodes(fixed_block(bytes([byte])))
    decodes(fixed_block(bytes([255 - byte, byte, byte, byte, byte, byte ^ 1])))


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.integers(1, 700)), max_size=8))
def test_every_block(runs: list[tuple[bytes, int]]) -> None:
    decodes(fixed_block(b"".join(byte * count for byte, count in runs)))


def test_headers_become_small() -> None:
    assert len(zero_block(1024).last) <= 12
    assert len(zero_block(511).last) <= 8


pieces = st.lists(st.tuples(st.binary(max_size=600) | st.integers(0, 1200).map(bytes), st.booleans()), max_size=12)
large = st.sampled_from([LARGEST_STORED - 1, LARGEST_STORED, LARGEST_STORED + 1, 2 * LARGEST_STORED, 200_000])


@settings(deadline=None)
@given(pieces)
@example([])
@example([(b"", False), (b"", True)])
@example([(b"a", True), (b"", False), (b"b", True)])
def test_any_sequence_of_pieces(sequence: list[Piece]) -> None:
    member, raw = member_of(sequence)
    assert raw == b"".join(data for data, _ in sequence)
    assert (gzip.decompress(member) if member else b"") == raw
    assert bool(member) == bool(raw)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.one_of(pieces, large.map(lambda size: [(random.Random(size).randbytes(size), False)])), max_size=5))
def test_pieces_larger_than_a_stored_block(sequences: list[list[Piece]]) -> None:
    sequence = [piece for part in sequences for piece in part]
    member, raw = member_of(sequence)
    assert (gzip.decompress(member) if member else b"") == raw == b"".join(data for data, _ in sequence)


@settings(deadline=None, max_examples=40)
@given(pieces, st.randoms())
def test_bytes_do_not_depend_on_how_stored_content_is_cut(sequence: list[Piece], chance: random.Random) -> None:
    cut: list[Piece] = []
    for data, encoded in sequence:
        at = 0 if encoded else chance.randrange(len(data) + 1)
        cut += [(data, True)] if encoded else [(data[:at], False), (data[at:], False)]
    assert member_of(cut) == member_of(sequence)


def test_gzip_itself_reads_members_one_after_the_other() -> None:
    chance = random.Random(5)
    whole = content = b""
    for _ in range(200):
        sequence = [
            (chance.randbytes(chance.choice([0, 1, 157, 5000, 70_000])), False),
            (bytes(chance.randrange(900)), True),
        ]
        chance.shuffle(sequence)
        member, raw = member_of(sequence)
        whole, content = whole + member, content + raw
    subprocess.run(["gzip", "-t"], input=whole, check=True)
    assert subprocess.run(["gzip", "-dc"], input=whole, check=True, capture_output=True).stdout == content


def test_a_member_names_no_time_no_file_and_no_system() -> None:
    member, _ = member_of([(b"x", False)])
    assert member[:10] == b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
