"""What other readers say of an ELF file, in the words of `crossdock.headers.linking.Linking`.

Each function takes a whole file and gives a value for each field of `ELF_FIELDS`.
"""

from __future__ import annotations

import io
from typing import Any, Final

import lief
from elftools.elf.dynamic import DynamicSegment
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerDefSection, GNUVerNeedSection
from elftools.elf.segments import InterpSegment

from crossdock.headers.linking import Linking

__all__ = ["ELF_FIELDS", "elf_by_lief", "elf_by_pyelftools", "fields_of"]

ELF_FIELDS: Final = (
    "type",
    "interpreter",
    "name",
    "needed",
    "rpath",
    "runpath",
    "versions",
    "defines",
    "executable_stack",
    "text_relocations",
    "static",
)

_PF_X: Final = 1
_DF_TEXTREL: Final = 4
_VER_FLG_BASE, _VER_FLG_WEAK = 1, 2

_TYPES_OF_PYELFTOOLS: Final = {"ET_REL": "object", "ET_EXEC": "executable", "ET_DYN": "shared", "ET_CORE": "core"}
_TYPES_OF_LIEF: Final = {
    lief.ELF.Header.FILE_TYPE.REL: "object",
    lief.ELF.Header.FILE_TYPE.EXEC: "executable",
    lief.ELF.Header.FILE_TYPE.DYN: "shared",
    lief.ELF.Header.FILE_TYPE.CORE: "core",
}


def fields_of(linking: Linking) -> dict[str, Any]:
    """Give the fields that the oracles give as well."""
    return {name: getattr(linking, name) for name in ELF_FIELDS}


def elf_by_pyelftools(data: bytes) -> dict[str, Any]:
    """Give what pyelftools reads; for symbol versions it goes by section headers."""
    elf = ELFFile(io.BytesIO(data))
    result = _nothing(_TYPES_OF_PYELFTOOLS.get(elf["e_type"], "other"))
    if result["type"] not in ("executable", "shared"):
        return result
    result["static"] = True
    for segment in elf.iter_segments():
        if isinstance(segment, InterpSegment):
            result["interpreter"] = segment.get_interp_name()
        elif isinstance(segment, DynamicSegment):
            result["static"] = False
            result.update(_dynamic_of_pyelftools(segment))
        elif segment["p_type"] == "PT_GNU_STACK":
            result["executable_stack"] = bool(segment["p_flags"] & _PF_X)
    for section in elf.iter_sections():
        if isinstance(section, GNUVerNeedSection):
            result["versions"] = tuple(
                (library.name, version.name)
                for library, versions in section.iter_versions()
                for version in versions
                if not version["vna_flags"] & _VER_FLG_WEAK
            )
        elif isinstance(section, GNUVerDefSection):
            result["defines"] = tuple(
                next(iter(names)).name
                for version, names in section.iter_versions()
                if not version["vd_flags"] & _VER_FLG_BASE
            )
    return result


def elf_by_lief(data: bytes) -> dict[str, Any]:
    """Give what LIEF reads; for all that is linked dynamically it goes by program headers."""
    config = lief.ELF.ParserConfig()
    for costly in ("parse_relocations", "parse_symtab_symbols", "parse_notes", "parse_overlay"):
        setattr(config, costly, False)
    elf = lief.ELF.parse(io.BytesIO(data), config)
    assert isinstance(elf, lief.ELF.Binary), "LIEF takes this for no ELF file"
    result = _nothing(_TYPES_OF_LIEF.get(elf.header.file_type, "other"))
    if result["type"] not in ("executable", "shared"):
        return result
    result["interpreter"] = elf.interpreter if elf.has_interpreter else ""
    result["static"] = not elf.has(lief.ELF.Segment.TYPE.DYNAMIC)
    stack = elf.get(lief.ELF.Segment.TYPE.GNU_STACK)
    result["executable_stack"] = stack is not None and int(stack.flags) & _PF_X != 0
    result.update(_dynamic_of_lief(elf))
    result["versions"] = tuple(
        (library.name, version.name)
        for library in elf.symbols_version_requirement
        for version in library.get_auxiliary_symbols()
        if not version.flags & _VER_FLG_WEAK
    )
    result["defines"] = tuple(
        next(iter(version.auxiliary_symbols)).name
        for version in elf.symbols_version_definition
        if not version.flags & _VER_FLG_BASE
    )
    return result


def _nothing(kind: str) -> dict[str, Any]:
    result = {name: getattr(Linking(), name) for name in ELF_FIELDS}
    result["type"] = kind
    return result


def _dynamic_of_pyelftools(segment: DynamicSegment) -> dict[str, Any]:
    result: dict[str, Any] = {"needed": ()}
    tag: Any  # its attributes go by its kind
    for tag in segment.iter_tags():
        match tag.entry.d_tag:
            case "DT_NEEDED":
                result["needed"] += (tag.needed,)
            case "DT_SONAME":
                result["name"] = tag.soname
            case "DT_RPATH":
                result["rpath"] = _folders(tag.rpath)
            case "DT_RUNPATH":
                result["runpath"] = _folders(tag.runpath)
            case "DT_TEXTREL":
                result["text_relocations"] = True
            case "DT_FLAGS" if tag.entry.d_val & _DF_TEXTREL:
                result["text_relocations"] = True
    return result


def _dynamic_of_lief(elf: lief.ELF.Binary) -> dict[str, Any]:
    result: dict[str, Any] = {"needed": ()}
    tags = lief.ELF.DynamicEntry.TAG
    for entry in elf.dynamic_entries:
        match entry:
            case lief.ELF.DynamicEntryLibrary():
                result["needed"] += (entry.name,)
            case lief.ELF.DynamicSharedObject():
                result["name"] = entry.name
            case lief.ELF.DynamicEntryRpath():
                result["rpath"] = _folders(str(entry.rpath))
            case lief.ELF.DynamicEntryRunPath():
                result["runpath"] = _folders(str(entry.runpath))
            case _ if entry.tag == tags.TEXTREL or (entry.tag == tags.FLAGS and entry.value & _DF_TEXTREL):
                result["text_relocations"] = True
    return result


def _folders(text: str) -> tuple[str, ...]:
    return tuple(text.split(":")) if text else ()
