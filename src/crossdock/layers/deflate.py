"""Gzip members written without a compressor (RFC 1951, RFC 1952).

What crossdock itself has to write between copied streams is small and nearly constant: tar headers, padding, short
files. It is written as stored blocks and fixed-Huffman blocks whose only match is "repeat the last byte". That
gives the same bytes on every machine, as no zlib build has a say in it, and costs about two percent of size.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from functools import lru_cache

from crossdock.wheels.streams import MEMBER_HEADER, TRAILER

__all__ = ["FixedBlock", "OwnMember", "fixed_block", "zero_block"]

_LARGEST_STORED = 0xFFFF
_STORED_LENGTH = struct.Struct("<2H")
_EMPTY_FINAL_BLOCK = b"\x03\x00"

# RFC 1951, section 3.2.5: first length and number of extra bits of the codes 257 to 285.
_LENGTHS = [(3 + i, 0) for i in range(8)]
for _extra in range(1, 6):
    _LENGTHS += [(_LENGTHS[-1][0] + (1 << _LENGTHS[-1][1]) + (i << _extra), _extra) for i in range(4)]
_LENGTHS.append((258, 0))
_LONGEST_MATCH = 258
_SHORTEST_MATCH = 3
_END_OF_BLOCK = 256


@dataclass(frozen=True, slots=True)
class FixedBlock:
    """A block with fixed Huffman codes, in the two ways it can stand in a member.

    Attributes:
        raw: What it unpacks to.
        last: Its bytes as the member's last block.
        then_stored: Its bytes followed by the header of a stored block, whose lengths come next.
    """

    raw: bytes
    last: bytes
    then_stored: bytes


@lru_cache(maxsize=4096)
def fixed_block(raw: bytes) -> FixedBlock:
    """Encode bytes as literals and repetitions of the byte before."""
    bits = _Bits()
    bits.add(0b01, 2)
    at = 0
    while at < len(raw):
        run = 1
        while at + run < len(raw) and raw[at + run] == raw[at]:
            run += 1
        bits.literal(raw[at])
        repeats = run - 1
        while repeats >= _SHORTEST_MATCH:
            length = min(repeats, _LONGEST_MATCH)
            bits.repeat(length)
            repeats -= length
        for _ in range(repeats):
            bits.literal(raw[at])
        at += run
    bits.code(0, 7)  # end of block
    # The block's first bit says whether it is the last; a stored block's header is three zero bits, then it is aligned.
    return FixedBlock(raw, bits.aligned(first=1, trailing=0), bits.aligned(first=0, trailing=3))


@lru_cache(maxsize=2048)
def zero_block(count: int) -> FixedBlock:
    """Encode ``count`` zero bytes."""
    return fixed_block(bytes(count))


class _Bits:
    """Bits in DEFLATE's order: from the least significant of each byte up (RFC 1951, section 3.1.1)."""

    def __init__(self) -> None:
        self.value = 0
        self.count = 0

    def add(self, value: int, count: int) -> None:
        self.value |= value << self.count
        self.count += count

    def code(self, code: int, count: int) -> None:
        """Huffman codes alone are packed from their most significant bit."""
        self.add(int(f"{code:0{count}b}"[::-1], 2), count)

    def symbol(self, symbol: int) -> None:
        """Write a literal or length symbol in its fixed code (RFC 1951, section 3.2.6)."""
        if symbol < 144:
            self.code(0x30 + symbol, 8)
        elif symbol < _END_OF_BLOCK:
            self.code(0x190 + symbol - 144, 9)
        elif symbol < 280:
            self.code(symbol - _END_OF_BLOCK, 7)
        else:
            self.code(0xC0 + symbol - 280, 8)

    def literal(self, byte: int) -> None:
        self.symbol(byte)

    def repeat(self, length: int) -> None:
        """Write a match of that length at distance 1."""
        index = max(i for i, (base, _) in enumerate(_LENGTHS) if base <= length)
        base, extra = _LENGTHS[index]
        self.symbol(257 + index)
        self.add(length - base, extra)
        self.code(0, 5)

    def aligned(self, *, first: int, trailing: int) -> bytes:
        """Give the bytes with a bit before all others and some zero bits after them, filled up with zeros."""
        return (self.value << 1 | first).to_bytes((self.count + 1 + trailing + 7) // 8, "little")


class OwnMember:
    """One gzip member under construction, of stored and fixed blocks in turn."""

    def __init__(self) -> None:
        self._out: list[bytes] = [MEMBER_HEADER]
        self._raw: list[bytes | bytearray] = []
        self._stored: list[bytes | bytearray] = []
        self._fixed: FixedBlock | None = None
        self._stored_begun = False
        #: Bytes appended so far, as they unpack.
        self.size = 0

    def stored(self, data: bytes | bytearray) -> None:
        """Append bytes as they are."""
        if not data:
            return
        self._raw.append(data)
        self.size += len(data)
        self._end_fixed()
        self._stored.append(data)

    def fixed(self, block: FixedBlock) -> None:
        """Append an encoded block."""
        if not block.raw:
            return
        self._raw.append(block.raw)
        self.size += len(block.raw)
        self._end_fixed()
        self._end_stored()
        self._fixed = block

    def finish(self) -> tuple[bytes, bytes]:
        """Give the member and what it unpacks to; both empty if nothing was appended."""
        if not self._raw:
            return b"", b""
        if self._fixed:
            self._out.append(self._fixed.last)
        else:
            self._end_stored()
            self._out.append(_EMPTY_FINAL_BLOCK)
        raw = b"".join(self._raw)
        self._out.append(TRAILER.pack(zlib.crc32(raw), len(raw) & 0xFFFFFFFF))
        return b"".join(self._out), raw

    def _end_fixed(self) -> None:
        if self._fixed:
            self._out.append(self._fixed.then_stored)
            self._fixed = None
            self._stored_begun = True

    def _end_stored(self) -> None:
        if not self._stored and not self._stored_begun:
            return
        data = b"".join(self._stored)
        for at in range(0, len(data) or 1, _LARGEST_STORED):
            piece = data[at : at + _LARGEST_STORED]
            if not self._stored_begun:
                self._out.append(b"\x00")
            self._stored_begun = False
            self._out += (_STORED_LENGTH.pack(len(piece), len(piece) ^ 0xFFFF), piece)
        self._stored = []
