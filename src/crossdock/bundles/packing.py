"""A compressor (RFC 1951) that is Python alone, so that what is packed has the same bytes wherever it is packed.

No build of zlib has a say in it, and nothing has to be installed for it: the CLI and an action of Bazel, which has no
compiled packages, write the same archive. It is for the little that no wheel brings as a compressed stream already:
pex's own code, metadata that is written anew, first-party files.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["packed"]

_WINDOW: Final = 1 << 15
_LONGEST: Final = 258
#: Shorter repetitions are not looked for: of three bytes they save next to nothing.
_SHORTEST: Final = 4
#: How far a longer match is probed at once.
_STRIDE: Final = 16
#: Bits that are gathered before they are written out.
_GATHERED: Final = 4096
_END_OF_BLOCK: Final = 256


def packed(data: bytes) -> bytes:
    """Compress bytes: one block with the fixed codes (RFC 1951, 3.2.6), repetitions found by their first bytes.

    Args:
        data: Anything; it may come out larger.
    """
    lengths, distances = _lengths(), _distances()
    out = bytearray()
    bits, width = 0b011, 3  # the last block, with fixed codes
    done = 0
    for at, length, distance in _repetitions(data):
        if done < at:
            code, wide = _run(data[done:at])
            bits |= code << width
            width += wide
        code, wide = lengths[length]
        bits |= code << width
        width += wide
        code, wide = distances[distance]
        bits |= code << width
        width += wide
        done = at + length
        if width >= _GATHERED:
            whole = width & ~7
            out += (bits & ((1 << whole) - 1)).to_bytes(whole >> 3, "little")
            bits >>= whole
            width -= whole
    code, wide = _run(data[done:])
    bits |= code << width
    width += wide
    code, wide = _literals()[_END_OF_BLOCK]
    bits |= code << width
    return bytes(out + bits.to_bytes((width + wide + 7) // 8, "little"))


def _repetitions(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Find what was there before: where it begins, how long it is, and how far back it was, always the nearest."""
    seen: dict[bytes, int] = {}
    find, number, never = seen.get, int.from_bytes, -_WINDOW - 1
    at, size = 0, len(data)
    while at <= size - _SHORTEST:
        start = data[at : at + _SHORTEST]
        before = find(start, never)
        seen[start] = at
        if at - before > _WINDOW:
            at += 1
            continue
        distance, end, most = at - before, at + _SHORTEST, min(at + _LONGEST, size)
        while end < most:
            there = end - distance
            differing = number(data[there : there + _STRIDE], "little") ^ number(data[end : end + _STRIDE], "little")
            if differing:
                end += ((differing & -differing).bit_length() - 1) >> 3
                break
            end += _STRIDE
        end = min(end, most)
        yield at, end - at, distance
        for place in range(at + 1, end):
            seen[data[place : place + _SHORTEST]] = place
        at = end


def _run(literals: bytes) -> tuple[int, int]:
    """Give the code, and its bits, of bytes that are no repetition."""
    if literals.isascii():
        return int.from_bytes(literals.translate(_ascii()), "little"), 8 * len(literals)
    spelt = "".join(map(_spelt().__getitem__, reversed(literals)))
    return int(spelt, 2), len(spelt)


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


@lru_cache(maxsize=1)
def _ascii() -> bytes:
    """Give the code of each byte up to 127, all of which have eight bits."""
    return bytes(code & 0xFF for code, _ in _literals()[:256])


@lru_cache(maxsize=1)
def _spelt() -> list[str]:
    """Give the code of each byte in ones and noughts."""
    return [f"{code:0{width}b}" for code, width in _literals()[:256]]


class _Distances(dict[int, tuple[int, int]]):
    """The code, and its bits, of each distance (RFC 1951, 3.2.5); made when it is first needed."""

    def __missing__(self, distance: int) -> tuple[int, int]:
        rest = distance - 1
        extra = max(0, rest.bit_length() - 2)
        symbol = rest if rest < 4 else 2 * extra + (rest >> extra)
        code = (_reversed(symbol, 5) | (rest & ((1 << extra) - 1)) << 5, 5 + extra)
        self[distance] = code
        return code


@lru_cache(maxsize=1)
def _distances() -> _Distances:
    """Give the one that all share."""
    return _Distances()
