"""The load commands of a Mach-O file: what the dynamic loader of macOS is told.

Implements the structures of Apple's ``mach-o/loader.h`` that name libraries, search folders and systems. What
contradicts itself is damaged; what is merely unknown is left out, as the loader leaves it out.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from crossdock.headers.linking import DamagedHeaderError, Linking

if TYPE_CHECKING:
    from crossdock.headers.source import Source

__all__ = ["HEAD_READ", "read_commands"]

HEAD_READ: Final = 4096
"""Bytes that hold the load commands of most files."""

_MOST_COMMANDS: Final = 10_000
_MOST_COMMAND_BYTES: Final = 1 << 20
_LONGEST_STRING: Final = 4096

_EXECUTE: Final = 2
_TYPES: Final = {1: "object", _EXECUTE: "executable", 4: "core", 6: "shared", 8: "bundle"}
# Of the others, debug files and stubs keep the table of segments of the file they were made of, without its bytes.
_TYPES_WITH_CONTENT: Final = frozenset({1, _EXECUTE, 6, 8})
_MH_ALLOW_STACK_EXECUTION: Final = 0x20000

# The highest bit tells a loader to refuse the file if it doesn't know the command; the numbers are the same without it.
_LC_REQ_DYLD: Final = 0x80000000
_LC_SEGMENT, _LC_SEGMENT_64 = 0x01, 0x19
_LC_ID_DYLIB: Final = 0x0D
_LC_LOAD_DYLIB: Final = 0x0C
_LC_LOAD_WEAK_DYLIB: Final = 0x18 | _LC_REQ_DYLD
_LC_LAZY_LOAD_DYLIB: Final = 0x20
_LC_REEXPORT_DYLIB: Final = 0x1F | _LC_REQ_DYLD
_LC_LOAD_UPWARD_DYLIB: Final = 0x23 | _LC_REQ_DYLD
_LC_LOAD_DYLINKER: Final = 0x0E
_LC_RPATH: Final = 0x1C | _LC_REQ_DYLD
_LC_BUILD_VERSION: Final = 0x32
_NEEDED: Final = frozenset({_LC_LOAD_DYLIB, _LC_REEXPORT_DYLIB, _LC_LOAD_UPWARD_DYLIB})
_WEAK: Final = frozenset({_LC_LOAD_WEAK_DYLIB, _LC_LAZY_LOAD_DYLIB})
_SEGMENTS: Final = frozenset({_LC_SEGMENT, _LC_SEGMENT_64})
# What Xcode 16 can write in place of a library's timestamp: flags follow the structure, and one of them means weak.
_DYLIB_USE_MARKER: Final = 0x1A741800
_DYLIB_USE_WEAK: Final = 1

_VERSION_MIN: Final = {0x24: "macos", 0x25: "ios", 0x2F: "tvos", 0x30: "watchos"}
_PLATFORMS: Final = {
    1: "macos",
    2: "ios",
    3: "tvos",
    4: "watchos",
    5: "bridgeos",
    6: "maccatalyst",
    7: "ios-simulator",
    8: "tvos-simulator",
    9: "watchos-simulator",
    10: "driverkit",
    11: "visionos",
    12: "visionos-simulator",
    13: "firmware",
    14: "sepos",
}


@dataclass(slots=True)
class _Found:
    """What the commands named so far."""

    name: str | None = None
    interpreter: str = ""
    needed: list[str] = field(default_factory=list)
    weak: list[str] = field(default_factory=list)
    rpath: list[str] = field(default_factory=list)
    systems: dict[str, int] = field(default_factory=dict)


def read_commands(source: Source, order: str, bits: Literal[32, 64], *, head: bytes) -> Linking:
    """Read the header and the load commands of a thin Mach-O file.

    Args:
        source: The file, or the slice of a fat one; its magic number was recognised.
        order: Its byte order, ``<`` or ``>``.
        bits: Which of the two headers it has.
        head: Its first bytes; what is missing of the load commands is read.

    Returns:
        What it needs. ``system`` is macOS where the file is for several, and ``minimum`` is the one for that system:
        the newest of them, should there be several. ``executable_stack`` is the flag as it stands, though the kernel
        heeds it in executables only.

    Raises:
        DamagedHeaderError: It is cut short or contradicts itself.
    """
    head_size = 28 if bits == 32 else 32
    if len(head) < head_size:
        raise DamagedHeaderError("the Mach-O header is cut short")
    file_type, count, length, flags = struct.unpack_from(order + "4I", head, 12)
    if count > _MOST_COMMANDS or length > _MOST_COMMAND_BYTES:
        raise DamagedHeaderError(f"absurd load commands: {count} in {length} bytes")
    if count * 8 > length or head_size + length > source.size:
        raise DamagedHeaderError(f"{count} load commands in {length} bytes do not fit")
    data = head if head_size + length <= len(head) else source.read(0, head_size + length)
    if len(data) < head_size + length:
        raise DamagedHeaderError("the load commands are cut short")
    content_size = source.size if file_type in _TYPES_WITH_CONTENT else None
    found = _walk(data[: head_size + length], order, head_size, count, content_size)
    system = "macos" if "macos" in found.systems else next(iter(found.systems), "")
    return Linking(
        type=_TYPES.get(file_type, "other"),
        interpreter=found.interpreter,
        name=found.name or "",
        needed=tuple(found.needed),
        weak=tuple(found.weak),
        rpath=tuple(found.rpath),
        minimum=_version(found.systems.get(system, 0)),
        system=system,
        executable_stack=bool(flags & _MH_ALLOW_STACK_EXECUTION),
    )


def _walk(data: bytes, order: str, offset: int, count: int, content_size: int | None) -> _Found:
    command_head = struct.Struct(order + "2I")
    found = _Found()
    end = len(data)
    for index in range(count):
        if end - offset < 8:
            raise DamagedHeaderError(f"load command {index} lies behind the last of {count}")
        command, size = command_head.unpack_from(data, offset)
        if size < 8 or size % 4 or size > end - offset:
            raise DamagedHeaderError(f"load command {index} has a size of {size}")
        if command in _SEGMENTS:
            _check_segment(data, order, offset, size, command, content_size)
        else:
            _take(found, data, order, offset, size, command)
        offset += size
    return found


def _take(found: _Found, data: bytes, order: str, offset: int, size: int, command: int) -> None:
    if command in _NEEDED or command in _WEAK:
        name = _string(data, order, offset, size, least=24)
        weak = command in _WEAK or _is_used_weakly(data, order, offset, size)
        (found.weak if weak else found.needed).append(name)
    elif command == _LC_RPATH:
        found.rpath.append(_string(data, order, offset, size, least=12))
    elif command == _LC_ID_DYLIB:
        if found.name is not None:
            raise DamagedHeaderError("it names itself twice (LC_ID_DYLIB)")
        found.name = _string(data, order, offset, size, least=24)
    elif command == _LC_LOAD_DYLINKER:
        if found.interpreter:
            raise DamagedHeaderError("it names two loaders (LC_LOAD_DYLINKER)")
        found.interpreter = _string(data, order, offset, size, least=12)
    elif command == _LC_BUILD_VERSION:
        platform, version = _fields(data, order, offset, size, least=24)
        if platform:
            _note_system(found, _PLATFORMS.get(platform, f"platform {platform}"), version)
    elif command in _VERSION_MIN:
        version, _ = _fields(data, order, offset, size, least=16)
        _note_system(found, _VERSION_MIN[command], version)


def _note_system(found: _Found, system: str, version: int) -> None:
    found.systems[system] = max(version, found.systems.get(system, 0))


def _fields(data: bytes, order: str, offset: int, size: int, *, least: int) -> tuple[int, int]:
    if size < least:
        raise DamagedHeaderError(f"a load command of {least} bytes has a size of {size}")
    first, second = struct.unpack_from(order + "2I", data, offset + 8)
    return first, second


def _string(data: bytes, order: str, offset: int, size: int, *, least: int) -> str:
    place, _ = _fields(data, order, offset, size, least=least)
    if not least <= place < size:
        raise DamagedHeaderError("a name lies outside of its load command")
    start = offset + place
    end = data.find(b"\0", start, offset + size)
    if end < 0:
        raise DamagedHeaderError("a name in a load command has no end")
    if end - start > _LONGEST_STRING:
        raise DamagedHeaderError(f"a name in a load command is {end - start} bytes long")
    return data[start:end].decode("utf-8", "backslashreplace")


def _is_used_weakly(data: bytes, order: str, offset: int, size: int) -> bool:
    if size < 32:
        return False
    place, marker = _fields(data, order, offset, size, least=32)
    (flags,) = struct.unpack_from(order + "I", data, offset + 24)
    return bool(marker == _DYLIB_USE_MARKER and place == 28 and flags & _DYLIB_USE_WEAK)


def _check_segment(data: bytes, order: str, offset: int, size: int, command: int, content_size: int | None) -> None:
    wide = command == _LC_SEGMENT_64
    least = 72 if wide else 56
    if size < least:
        raise DamagedHeaderError(f"a segment's load command has a size of {size}")
    if content_size is None:
        return
    layout, place = ("2Q", 40) if wide else ("2I", 32)
    start, length = struct.unpack_from(order + layout, data, offset + place)
    if length and (start > content_size or length > content_size - start):
        raise DamagedHeaderError(f"a segment of {length} bytes at {start} in a file of {content_size}: it is cut short")


def _version(packed: int) -> str:
    if not packed:
        return ""
    major, minor, patch = packed >> 16, packed >> 8 & 0xFF, packed & 0xFF
    return f"{major}.{minor}.{patch}" if patch else f"{major}.{minor}"
