"""Mach-O files of a few bytes, right in all parts unless a test makes one wrong."""

from __future__ import annotations

import struct

__all__ = ["ARM64", "X86_64", "build_version", "command", "fat", "named", "segment", "thin", "version_min"]

X86_64 = (0x01000007, 3)
ARM64 = (0x0100000C, 0)


def thin(
    *commands: bytes,
    cpu: tuple[int, int] = X86_64,
    file_type: int = 6,
    flags: int = 0x85,
    order: str = "<",
    bits: int = 64,
    count: int | None = None,
    length: int | None = None,
) -> bytes:
    """A file for one processor; ``count`` and ``length`` of its load commands are the right ones unless given."""
    body = b"".join(commands)
    count = len(commands) if count is None else count
    length = len(body) if length is None else length
    magic = 0xFEEDFACF if bits == 64 else 0xFEEDFACE
    head = struct.pack(order + "7I", magic, *cpu, file_type, count, length, flags)
    return head + (bytes(4) if bits == 64 else b"") + body


def command(number: int, body: bytes = b"", *, order: str = "<", size: int | None = None) -> bytes:
    """A load command, padded as linkers do."""
    body = body.ljust(-(-len(body) // 8) * 8, b"\0")
    return struct.pack(order + "2I", number, 8 + len(body) if size is None else size) + body


def named(number: int, name: str | bytes, *, order: str = "<", place: int | None = None) -> bytes:
    """A load command that names a library (at 24), or a folder or loader (at 12)."""
    text = name.encode() if isinstance(name, str) else name
    least = 12 if number in (0x8000001C, 0x0E) else 24
    body = struct.pack(order + "I", least if place is None else place).ljust(least - 8, b"\0")
    return command(number, body + text + b"\0", order=order)


def build_version(platform: int, version: int, *, order: str = "<") -> bytes:
    """``LC_BUILD_VERSION``; a version is 0xMMMMmmpp."""
    return command(0x32, struct.pack(order + "4I", platform, version, 0x000E0000, 0), order=order)


def version_min(number: int, version: int, *, order: str = "<") -> bytes:
    """``LC_VERSION_MIN_MACOSX`` and its like."""
    return command(number, struct.pack(order + "2I", version, 0x000E0000), order=order)


def segment(start: int, length: int, *, bits: int = 64, order: str = "<") -> bytes:
    """A segment without sections that takes its bytes from a place in the file."""
    if bits == 64:
        body = struct.pack(order + "16s4Q4I", b"__TEXT", 0, length, start, length, 5, 5, 0, 0)
        return command(0x19, body, order=order)
    body = struct.pack(order + "16s4I4I", b"__TEXT", 0, length, start, length, 5, 5, 0, 0)
    return command(0x01, body, order=order)


def fat(
    *slices: tuple[tuple[int, int], bytes], wide: bool = False, places: list[tuple[int, int]] | None = None
) -> bytes:
    """A file for several processors; ``places`` overrides what the table says of offsets and sizes."""
    table, body, start = b"", b"", 0x100 * (1 + len(slices) // 8)
    first = start
    for number, (cpu, data) in enumerate(slices):
        padded = data.ljust(-(-len(data) // 16) * 16, b"\0")
        place, size = places[number] if places else (start, len(data))
        table += struct.pack(">2I2Q2I" if wide else ">5I", *cpu, place, size, 4, *([0] if wide else []))
        body += padded
        start += len(padded)
    head = struct.pack(">2I", 0xCAFEBABF if wide else 0xCAFEBABE, len(slices))
    return (head + table).ljust(first, b"\0") + body
