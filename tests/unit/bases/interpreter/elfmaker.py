"""ELF files in small: a loader, and symbol versions asked for, for any machine."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_BASE = 0x10000  # so that addresses are not offsets


def elf(
    *,
    machine: int = 62,
    bits: int = 64,
    big_endian: bool = False,
    loader: str = "/lib64/ld-linux-x86-64.so.2",
    versions: Mapping[str, Sequence[str]] | None = None,
    data: bytes = b"",
) -> bytes:
    """Make a dynamic executable whose single PT_LOAD is the whole file, with ``data`` at its end."""
    order, word = ">" if big_endian else "<", "Q" if bits == 64 else "I"
    header, entry = (64, 56) if bits == 64 else (52, 32)
    strings, verneed = _verneed(order, versions or {})
    count = 2 + bool(loader)
    at_loader = header + entry * count
    interp = loader.encode() + b"\0" if loader else b""
    at_strings = at_loader + len(interp)
    at_needs = at_strings + len(strings)
    at_needs += -at_needs % 4
    at_dynamic = at_needs + len(verneed)
    at_dynamic += -at_dynamic % 8
    tags = [(5, _BASE + at_strings), (10, len(strings))]
    if versions:
        tags += [(0x6FFFFFFE, _BASE + at_needs), (0x6FFFFFFF, len(versions))]
    dynamic = b"".join(struct.pack(order + 2 * word, *tag) for tag in [*tags, (0, 0)])
    size = at_dynamic + len(dynamic) + len(data)
    segments = [(1, 0, size), (2, at_dynamic, len(dynamic))]
    if loader:
        segments.append((3, at_loader, len(interp)))
    ident = b"\x7fELF" + bytes([bits // 32, 2 if big_endian else 1, 1]) + bytes(9)
    fields = (3, machine, 1, 0, header, 0, 0, header, entry, count, 0, 0, 0)
    image = bytearray(ident + struct.pack(f"{order}HHI{3 * word}I6H", *fields))
    for kind, offset, length in segments:
        place = (_BASE + offset,) * 2
        if bits == 64:
            image += struct.pack(order + "IIQQQQQQ", kind, 4, offset, *place, length, length, 1)
        else:
            image += struct.pack(order + "8I", kind, offset, *place, length, length, 4, 1)
    image += interp + strings
    image += bytes(at_needs - len(image)) + verneed
    image += bytes(at_dynamic - len(image)) + dynamic + data
    return bytes(image)


def _verneed(order: str, versions: Mapping[str, Sequence[str]]) -> tuple[bytes, bytes]:
    strings, table = bytearray(b"\0"), b""

    def put(text: str) -> int:
        at = len(strings)
        strings.extend(text.encode() + b"\0")
        return at

    for index, (library, names) in enumerate(versions.items()):
        last = index == len(versions) - 1
        table += struct.pack(order + "HHIII", 1, len(names), put(library), 16, 0 if last else 16 + 16 * len(names))
        for place, name in enumerate(names):
            table += struct.pack(order + "IHHII", 0, 0, 2 + place, put(name), 16 if place < len(names) - 1 else 0)
    return bytes(strings), table
