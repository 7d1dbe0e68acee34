"""Makes small ELF files: a library or a program of any class and byte order, with every table that a loader reads."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ADDRESS", "DT", "BuiltElf", "build_elf"]

ADDRESS = 0x40000
"""How far behind its place in the file each byte of the tables lies in memory."""

DT = {
    "NULL": 0,
    "NEEDED": 1,
    "STRTAB": 5,
    "STRSZ": 10,
    "SONAME": 14,
    "RPATH": 15,
    "TEXTREL": 22,
    "RUNPATH": 29,
    "FLAGS": 30,
    "VERDEF": 0x6FFFFFFC,
    "VERDEFNUM": 0x6FFFFFFD,
    "VERNEED": 0x6FFFFFFE,
    "VERNEEDNUM": 0x6FFFFFFF,
}
_HEADERS = 4  # PT_LOAD of the headers, PT_LOAD of the tables, PT_DYNAMIC, PT_GNU_STACK; then perhaps PT_INTERP


@dataclass(slots=True)
class BuiltElf:
    """An ELF file, and where its parts begin: ``segments``, ``dynstr``, ``verneed``, ``verdef``, ``dynamic``."""

    data: bytearray
    order: str
    bits: int
    places: dict[str, int] = field(default_factory=dict)

    def put(self, layout: str, offset: int, *values: int) -> BuiltElf:
        """Write numbers over what is at an offset."""
        struct.pack_into(self.order + layout, self.data, offset, *values)
        return self

    def segment(self, index: int, name: str) -> tuple[str, int]:
        """Give format and offset of a field of a program header."""
        wide = self.bits == 64
        names = ["type", "flags", "offset", "vaddr", "paddr", "filesz", "memsz", "align"]
        if not wide:
            names = ["type", "offset", "vaddr", "paddr", "filesz", "memsz", "flags", "align"]
        layouts = "IIQQQQQQ" if wide else "IIIIIIII"
        place = names.index(name)
        size = struct.calcsize(self.order + layouts)
        inside = struct.calcsize(self.order + layouts[:place])
        return layouts[place], self.places["segments"] + index * size + inside


class _Text:
    def __init__(self) -> None:
        self.data = bytearray(b"\0")

    def add(self, text: str) -> int:
        self.data += text.encode() + b"\0"
        return len(self.data) - len(text.encode()) - 1


def build_elf(
    *,
    bits: int = 64,
    big: bool = False,
    elf_type: int = 3,
    machine: int = 62,
    interpreter: str = "",
    needed: Sequence[str] = (),
    tags: Mapping[str, str | int] | None = None,
    versions: Mapping[str, Sequence[tuple[str, int]]] | None = None,
    defines: Sequence[tuple[str, int]] = (),
    stack: int = 6,
) -> BuiltElf:
    """Build an ELF file.

    Args:
        bits: 32 or 64.
        big: Whether it is big-endian.
        elf_type: ``e_type``.
        machine: ``e_machine``.
        interpreter: For ``PT_INTERP``, which is left out without.
        needed: For ``DT_NEEDED``.
        tags: Further entries of the dynamic section; texts become strings in its table.
        versions: Versions required of each library, with their flags.
        defines: Versions it has, with their flags.
        stack: Flags of its stack.
    """
    order, wide = (">" if big else "<"), bits == 64
    ehsize, phsize, word = (64, 56, "Q") if wide else (52, 32, "I")
    text = _Text()
    entries: list[tuple[int, int]] = [(DT["NEEDED"], text.add(name)) for name in needed]
    for name, value in (tags or {}).items():
        entries.append((DT[name], text.add(value) if isinstance(value, str) else value))
    verneed = _verneed(order, versions or {}, text)
    verdef = _verdef(order, defines, text)
    interp = interpreter.encode() + b"\0" if interpreter else b""
    count = _HEADERS + bool(interp)
    places = {"segments": ehsize, "interp": ehsize + count * phsize}
    places["verneed"] = -(-(places["interp"] + len(interp)) // 8) * 8
    places["verdef"] = -(-(places["verneed"] + len(verneed)) // 8) * 8
    places["dynstr"] = places["verdef"] + len(verdef)
    places["dynamic"] = -(-(places["dynstr"] + len(text.data)) // 8) * 8
    if verneed:
        entries += [(DT["VERNEED"], places["verneed"] + ADDRESS), (DT["VERNEEDNUM"], len(versions or {}))]
    if verdef:
        entries += [(DT["VERDEF"], places["verdef"] + ADDRESS), (DT["VERDEFNUM"], len(defines))]
    entries += [(DT["STRTAB"], places["dynstr"] + ADDRESS), (DT["STRSZ"], len(text.data)), (0, 0)]
    dynamic = b"".join(struct.pack(order + word * 2, *entry) for entry in entries)
    end = places["dynamic"] + len(dynamic)
    data = bytearray(end)
    for name, content in (("verneed", verneed), ("verdef", verdef), ("dynstr", text.data), ("dynamic", dynamic)):
        data[places[name] : places[name] + len(content)] = content
    data[places["interp"] : places["interp"] + len(interp)] = interp
    ident = b"\x7fELF" + bytes([2 if wide else 1, 2 if big else 1, 1]) + bytes(9)
    head = struct.pack(
        order + f"HHI{word * 3}IHHHHHH", elf_type, machine, 1, 0, ehsize, 0, 0, ehsize, phsize, count, 0, 0, 0
    )
    data[:ehsize] = ident + head
    segments = [
        (1, 5, 0, 0, places["verneed"], 0x1000),
        (1, 6, places["verneed"], places["verneed"] + ADDRESS, end - places["verneed"], 0x1000),
        (2, 6, places["dynamic"], places["dynamic"] + ADDRESS, len(dynamic), 8),
        (0x6474E551, stack, 0, 0, 0, 16),
    ]
    if interp:
        segments.append((3, 4, places["interp"], places["interp"], len(interp), 1))
    for index, (kind, flags, offset, address, size, align) in enumerate(segments):
        values = (offset, address, address, size, size)
        layout = order + ("IIQQQQQQ" if wide else "IIIIIIII")
        whole = (kind, flags, *values, align) if wide else (kind, *values, flags, align)
        struct.pack_into(layout, data, ehsize + index * phsize, *whole)
    return BuiltElf(data, order, bits, places)


def _verneed(order: str, versions: Mapping[str, Sequence[tuple[str, int]]], text: _Text) -> bytes:
    result = b""
    for number, (library, names) in enumerate(versions.items(), 1):
        aux = b"".join(
            struct.pack(order + "IHHII", 0, flags, 2, text.add(name), 16 if place < len(names) else 0)
            for place, (name, flags) in enumerate(names, 1)
        )
        following = 16 + len(aux) if number < len(versions) else 0
        result += struct.pack(order + "HHIII", 1, len(names), text.add(library), 16, following) + aux
    return result


def _verdef(order: str, defines: Sequence[tuple[str, int]], text: _Text) -> bytes:
    return b"".join(
        struct.pack(order + "HHHHIII", 1, flags, place, 1, 0, 20, 28 if place < len(defines) else 0)
        + struct.pack(order + "II", text.add(name), 0)
        for place, (name, flags) in enumerate(defines, 1)
    )
