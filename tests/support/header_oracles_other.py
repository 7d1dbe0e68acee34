"""What other people's readers of Mach-O and PE say, field by field in the words of `crossdock.headers.linking.Linking`.

Each function takes the bytes of a whole file. An oracle that cannot read a file gives None.
"""

from __future__ import annotations

import os
import tempfile
from typing import Any

import lief
import pefile
from macholib import mach_o
from macholib.MachO import MachO

__all__ = ["macho_by_lief", "macho_by_macholib", "pe_by_lief", "pe_by_pefile"]

_LIEF_TYPES = {
    lief.MachO.Header.FILE_TYPE.OBJECT: "object",
    lief.MachO.Header.FILE_TYPE.EXECUTE: "executable",
    lief.MachO.Header.FILE_TYPE.CORE: "core",
    lief.MachO.Header.FILE_TYPE.DYLIB: "shared",
    lief.MachO.Header.FILE_TYPE.BUNDLE: "bundle",
}
_LIEF_PLATFORMS = {
    lief.MachO.BuildVersion.PLATFORMS.MACOS: "macos",
    lief.MachO.BuildVersion.PLATFORMS.IOS: "ios",
    lief.MachO.BuildVersion.PLATFORMS.IOS_SIMULATOR: "ios-simulator",
    lief.MachO.BuildVersion.PLATFORMS.MAC_CATALYST: "maccatalyst",
}
_NEEDED = {"LOAD_DYLIB", "REEXPORT_DYLIB", "LOAD_UPWARD_DYLIB"}
_WEAK = {"LOAD_WEAK_DYLIB", "LAZY_LOAD_DYLIB"}
_ALLOW_STACK_EXECUTION = 0x20000
_DLL = 0x2000


def macho_by_lief(data: bytes) -> list[dict[str, Any]] | None:
    """Read each slice with LIEF."""
    config = lief.MachO.ParserConfig.quick
    fat = lief.MachO.parse(data, config)
    return [_macho_by_lief(binary) for binary in fat] if fat is not None else None


def _macho_by_lief(binary: lief.MachO.Binary) -> dict[str, Any]:
    commands: list[tuple[str, Any]] = [(command.command.name, command) for command in binary.commands]
    systems = [
        (_LIEF_PLATFORMS[command.platform], command.minos) for name, command in commands if name == "BUILD_VERSION"
    ]
    systems += [("macos", command.version) for name, command in commands if name == "VERSION_MIN_MACOSX"]
    system, minimum = next((item for item in systems if item[0] == "macos"), systems[0] if systems else ("", []))
    return {
        "type": _LIEF_TYPES.get(binary.header.file_type, "other"),
        "interpreter": next((command.name for name, command in commands if name == "LOAD_DYLINKER"), ""),
        "name": next((command.name for name, command in commands if name == "ID_DYLIB"), ""),
        "needed": tuple(command.name for name, command in commands if name in _NEEDED),
        "weak": tuple(command.name for name, command in commands if name in _WEAK),
        "rpath": tuple(command.path for name, command in commands if name == "RPATH"),
        "minimum": _dotted(list(minimum)),
        "system": system,
        "executable_stack": bool(binary.header.flags & _ALLOW_STACK_EXECUTION),
    }


def macho_by_macholib(data: bytes) -> list[dict[str, Any]] | None:
    """Read each slice with macholib, which takes files only."""
    handle, name = tempfile.mkstemp()
    try:
        with open(handle, "wb") as stream:  # noqa: PTH123 - it is a handle, not a path
            stream.write(data)
        try:
            macho = MachO(name, allow_unknown_load_commands=True)
        except ValueError:
            return None
        return [_macho_by_macholib(header) for header in macho.headers]
    finally:
        os.unlink(name)  # noqa: PTH108


def _macho_by_macholib(header: Any) -> dict[str, Any]:
    commands = [(load.cmd, command, extra) for load, command, extra in header.commands]

    def names(*wanted: int) -> tuple[str, ...]:
        return tuple(extra.partition(b"\0")[0].decode() for number, _, extra in commands if number in wanted)

    systems = [
        ({1: "macos", 2: "ios", 6: "maccatalyst", 7: "ios-simulator"}[int(command.platform)], int(command.minos))
        for number, command, _ in commands
        if number == mach_o.LC_BUILD_VERSION
    ]
    systems += [
        ("macos", int(command.version)) for number, command, _ in commands if number == mach_o.LC_VERSION_MIN_MACOSX
    ]
    system, minimum = next((item for item in systems if item[0] == "macos"), systems[0] if systems else ("", 0))
    types = {1: "object", 2: "executable", 4: "core", 6: "shared", 8: "bundle"}
    return {
        "type": types.get(header.header.filetype, "other"),
        "interpreter": next(iter(names(mach_o.LC_LOAD_DYLINKER)), ""),
        "name": next(iter(names(mach_o.LC_ID_DYLIB)), ""),
        "needed": names(mach_o.LC_LOAD_DYLIB, mach_o.LC_REEXPORT_DYLIB, mach_o.LC_LOAD_UPWARD_DYLIB),
        "weak": names(mach_o.LC_LOAD_WEAK_DYLIB, mach_o.LC_LAZY_LOAD_DYLIB),
        "rpath": names(mach_o.LC_RPATH),
        "minimum": _dotted([minimum >> 16, minimum >> 8 & 0xFF, minimum & 0xFF]) if minimum else "",
        "system": system,
        "executable_stack": bool(header.header.flags & _ALLOW_STACK_EXECUTION),
    }


def pe_by_lief(data: bytes) -> dict[str, Any] | None:
    """Read a PE file with LIEF; ``hybrid`` stands for `crossdock.headers.pe.read_pe_hybrid`."""
    config = lief.PE.ParserConfig()
    config.parse_signature = config.parse_rsrc = config.parse_reloc = config.parse_exceptions = False
    binary = lief.PE.parse(data, config)
    if binary is None:
        return None
    optional = binary.optional_header
    export = binary.get_export() if binary.has_exports else None
    return {
        "type": "shared" if binary.header.characteristics & _DLL else "executable",
        "name": export.name if export else "",
        "needed": tuple(item.name for item in binary.imports),
        "weak": tuple(item.name for item in binary.delay_imports),
        "minimum": f"{optional.major_subsystem_version}.{optional.minor_subsystem_version}",
        "hybrid": "arm64ec" if binary.is_arm64ec else "arm64x" if binary.is_arm64x else "",
    }


def pe_by_pefile(data: bytes) -> dict[str, Any] | None:
    """Read a PE file with pefile."""
    try:
        image = pefile.PE(data=data, fast_load=True)
    except pefile.PEFormatError:
        return None
    with image:
        names = ("IMPORT", "EXPORT", "DELAY_IMPORT")
        numbers = [pefile.DIRECTORY_ENTRY[f"IMAGE_DIRECTORY_ENTRY_{name}"] for name in names]
        image.parse_data_directories(numbers, forwarded_exports_only=True, import_dllnames_only=True)
        export = getattr(image, "DIRECTORY_ENTRY_EXPORT", None)
        optional = image.OPTIONAL_HEADER
        return {
            "type": "shared" if image.FILE_HEADER.Characteristics & _DLL else "executable",
            "name": export.name.decode() if export else "",
            "needed": tuple(item.dll.decode() for item in getattr(image, "DIRECTORY_ENTRY_IMPORT", ())),
            "weak": tuple(item.dll.decode() for item in getattr(image, "DIRECTORY_ENTRY_DELAY_IMPORT", ())),
            "minimum": f"{optional.MajorSubsystemVersion}.{optional.MinorSubsystemVersion}",
        }


def _dotted(version: list[int]) -> str:
    shown = version[:3] if len(version) > 2 and version[2] else version[:2]
    return ".".join(map(str, shown))
