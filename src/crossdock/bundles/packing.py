"""A compressor (RFC 1951) that is Python alone, so that what is packed has the same bytes wherever it is packed.

No build of zlib has a say in it, and nothing has to be installed for it: the CLI and an action of Bazel, which has no
compiled packages, write the same archive. It is for the little that no wheel brings as a compressed stream already:
pex's own code, metadata that is written anew, first-party files.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final

__all__ = ["packed"]

_WINDOW: Final = 1 << 15
_LONGEST: Final = 258
#: Shorter repetitions are not looked for: of three bytes they save next to nothing.
_SHORTEST: Final = 4
#: How far a longer match is probed at once.
_STRIDE: Final = 32
#: Bits that are gathered before they are written out.
_GATHERED: Final = 4096
_END_OF_BLOCK: Final = 256


def packed(data: bytes) -> bytes:
    """Compress bytes: one block with the fixed codes (RFC 1951, 3.2.6), repetitions found by their first bytes.

    Args:
        data: Anything; it may come out larger.
    """
    codes = _literals()
    lengths, distances = _lengths(), _Distances()
    out = bytearray()
    bits, count = 0b011, 3  # the last block, with fixed codes
    seen: dict[bytes, int] = {}
    at, end = 0, len(data)
    while at < end:
        start = data[at : at + _SHORTEST]
        before = seen.get(start, -1)
        seen[start] = at
        if before < 0 or at - before > _WINDOW or end - at < _SHORTEST:
            code, width = codes[data[at]]
            at += 1
        else:
            length = _common(data, before, at, min(_LONGEST, end - at))
            code, width = lengths[length]
            more, wide = distances[at - before]
            code |= more << width
            width += wide
            for place in range(at + 1, min(at + length, end - _SHORTEST)):
                seen[data[place : place + _SHORTEST]] = place
            at += length
        bits |= code << count
        count += width
        if count >= _GATHERED:
            out += (bits & _ALL).to_bytes(_GATHERED // 8, "little")
            bits >>= _GATHERED
            count -= _GATHERED
    code, width = codes[_END_OF_BLOCK]
    bits |= code << count
    return bytes(out + bits.to_bytes((count + width + 7) // 8, "little"))


_ALL: Final = (1 << _GATHERED) - 1


def _common(data: bytes, before: int, at: int, most: int) -> int:
    """Count how many bytes are the same in two places, of which the first few are known to be."""
    length = _SHORTEST
    while (
        length + _STRIDE <= most
        and data[before + length : before + length + _STRIDE] == data[at + length : at + length + _STRIDE]
    ):
        length += _STRIDE
    while length < most and data[before + length] == data[at + length]:
        length += 1
    return length


def _reversed(code: int, width: int) -> int:
    """Give a code as it is written: its most significant bit first (RFC 1951, 3.1.1)."""
    return int(f"{code:0{width}b}"[::-1], 2)


@lru_cache(maxsize=1)
def _literals() -> list[tuple[int, int]]:
    """Give the fixed code, and its bits, of each byte, of the end and of the symbols for lengths."""
    spans = ((0, 144, 8, 0b00110000), (144, 256, 9, 0b110010000), (256, 280, 7, 0), (280, 288, 8, 0b11000000))
    return [
        (_reversed(base + symbol - first, width), width)
        for first, last, width, base in spans
        for symbol in range(first, last)
    ]


@lru_cache(maxsize=1)
def _lengths() -> list[tuple[int, int]]:
    """Give the code, and its bits, of each length up to the longest (RFC 1951, 3.2.5)."""
    codes, found = _literals(), [(0, 0)] * (_LONGEST + 1)
    length = 3
    for symbol in range(257, 285):
        extra = max(0, (symbol - 261) // 4)
        code, width = codes[symbol]
        for more in range(1 << extra):
            if length + more < _LONGEST:
                found[length + more] = (code | more << width, width + extra)
        length += 1 << extra
    found[_LONGEST] = codes[285]
    return found


class _Distances(dict[int, tuple[int, int]]):
    """The code, and its bits, of each distance (RFC 1951, 3.2.5); made when it is first needed."""

    def __missing__(self, distance: int) -> tuple[int, int]:
        rest = distance - 1
        extra = max(0, rest.bit_length() - 2)
        symbol = rest if rest < 4 else 2 * extra + (rest >> extra)
        code = (_reversed(symbol, 5) | (rest & ((1 << extra) - 1)) << 5, 5 + extra)
        self[distance] = code
        return code
