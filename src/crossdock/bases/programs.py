"""Takes the few facts out of a program that say what a base can run, in one pass and without keeping its bytes.

The program interpreter is that of the System V ABI ("Program Header", PT_INTERP); versions are the texts that glibc,
musl and CPython carry to print them.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from crossdock.headers.binary import HEAD_SIZE, identify

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SCAN_LIMIT", "Program", "Role", "read_program", "role_of"]

#: Bytes of one program that are searched. A debug build of libpython has some 100 MB.
SCAN_LIMIT: Final = 256 << 20

Role = Literal["libc", "python", "shell"]

_LIBC: Final = re.compile(r"libc\.so(\.\d+)?|libc-2\.\d+\.so|ld-musl-.+\.so\.1|libc\.musl-.+\.so\.1")
_PYTHON: Final = re.compile(r"\.?(python|pypy|graalpy)[\w.+-]*|libpython[\w.+-]*\.so[\d.]*")
_SHELL: Final = frozenset({"sh", "dash", "bash", "ash", "busybox", "env", "coreutils", "toybox"})

_CHUNK: Final = 256 * 1024
# More than any of the texts looked for is long.
_OVERLAP: Final = 512
_MOST_VERSIONS: Final = 64
_LONGEST_PATH: Final = 4096
_PT_INTERP: Final = 3

# elf/version.c of glibc: "GNU C Library (PKGVERSION) RELEASE release version VERSION.\n"
_GLIBC: Final = re.compile(rb"GNU C Library \([^\n\0]{0,200}\) [a-z]{1,20} release version (\d{1,3})\.(\d{1,4})[.\n\0]")
# ldso/dynlink.c of musl: "musl libc (ARCH)\nVersion %s\n", where the version is a string of its own.
_MUSL: Final = b"musl libc ("
_MUSL_VERSION: Final = re.compile(rb"\x00(\d{1,3}\.\d{1,3}\.\d{1,3}(?:[-_][\w.-]{0,60})?)(?=\x00)")
# PY_VERSION of Include/patchlevel.h. Linkers let it share the end of a longer text, such as a path.
_PY_VERSION: Final = re.compile(rb"3\.\d{1,2}\.\d{1,3}(?:(?:a|b|rc)\d{1,2})?\+?(?=\x00)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """What was seen in an ELF file.

    Attributes:
        machines: OCI's name of the architecture it is for.
        label: The same in words.
        interpreter: Path of the program interpreter (the dynamic loader) it asks for; empty if it asks for none.
        asks_for_none: Whether it surely asks for none, as libraries and static programs: all its headers were seen.
        glibc: The version it says it is, if it is glibc.
        musl: The version it says it is, if it is musl; None if it is not musl.
        pythons: Texts in it that are versions of Python 3.
        python_hints: Texts in it that end like one.
    """

    machines: tuple[str, ...]
    label: str
    interpreter: str = ""
    asks_for_none: bool = False
    glibc: tuple[int, int] | None = None
    musl: str | None = None
    pythons: frozenset[str] = frozenset()
    python_hints: frozenset[str] = frozenset()


def role_of(name: str) -> Role | None:
    """Tell by a file's name what can be learnt from it as a program; None for nothing."""
    if _LIBC.fullmatch(name):
        return "libc"
    if _PYTHON.fullmatch(name):
        return "python"
    return "shell" if name in _SHELL else None


def read_program(read: Callable[[int], bytes], role: Role) -> Program | None:
    """Read an ELF file from its start.

    Args:
        read: Gives the next bytes, fewer than asked for only at the end.
        role: What to look for.

    Returns:
        What was seen, or None if it is no ELF file.
    """
    head = read(HEAD_SIZE)
    binary = identify(head)
    if binary is None or binary.format != "elf" or binary.undecided:
        return None
    place = _interpreter_range(head)
    interpreter = _Piece(*(place or (0, 0)))
    texts = _Texts(role)
    data, position, tail = head, 0, b""
    limit = min(interpreter.end, SCAN_LIMIT) if role == "shell" else SCAN_LIMIT
    while data:
        interpreter.take(data, position)
        texts.search(tail + data, first=position == 0)
        position += len(data)
        tail = (tail + data)[-_OVERLAP:]
        data = read(_CHUNK) if position < limit else b""
    return Program(
        machines=binary.machines,
        label=binary.label,
        interpreter=interpreter.text(),
        asks_for_none=place is None,
        glibc=texts.glibc,
        musl=texts.musl(),
        pythons=frozenset(texts.pythons),
        python_hints=frozenset(texts.python_hints),
    )


class _Texts:
    """Finds versions in pieces of a file that overlap."""

    def __init__(self, role: Role) -> None:
        self._role = role
        self._is_musl = False
        self._musl_versions: set[str] = set()
        self.glibc: tuple[int, int] | None = None
        self.pythons: set[str] = set()
        self.python_hints: set[str] = set()

    def search(self, data: bytes, *, first: bool) -> None:
        if self._role == "libc":
            self._search_libc(data)
        elif self._role == "python":
            self._search_python(data, first=first)

    def musl(self) -> str | None:
        if not self._is_musl:
            return None
        # There is one such text in musl; were there more, none could be trusted.
        return next(iter(self._musl_versions)) if len(self._musl_versions) == 1 else ""

    def _search_libc(self, data: bytes) -> None:
        if self.glibc is None and (found := _GLIBC.search(data)):
            self.glibc = (int(found[1]), int(found[2]))
        self._is_musl = self._is_musl or _MUSL in data
        for found in _MUSL_VERSION.finditer(data):
            if len(self._musl_versions) < _MOST_VERSIONS:
                self._musl_versions.add(found[1].decode("ascii", "replace"))

    def _search_python(self, data: bytes, *, first: bool) -> None:
        for found in _PY_VERSION.finditer(data):
            at = found.start()
            # At the start of a piece it is not known what stands before; the piece before has shown it whole.
            before = data[at - 1 : at] if at else (b"\0" if first else b"0")
            if before in b"0123456789.":
                continue
            versions = self.pythons if before == b"\0" else self.python_hints
            if len(versions) < _MOST_VERSIONS:
                versions.add(found[0].decode("ascii"))


class _Piece:
    """A range of a file, put together from what passes by."""

    def __init__(self, start: int, end: int) -> None:
        self._start = start
        self.end = end
        self._parts: list[bytes] = []

    def take(self, data: bytes, position: int) -> None:
        """Note what of the range lies in data that stands at a position of the file."""
        if position < self.end and position + len(data) > self._start:
            self._parts.append(data[max(self._start - position, 0) : self.end - position])

    def text(self) -> str:
        """Give the text up to its NUL."""
        return b"".join(self._parts).partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _interpreter_range(head: bytes) -> tuple[int, int] | None:
    """Give where the path of the program interpreter starts and ends in the file: None for none, (0, 0) if unknown."""
    wide, order = head[4] == 2, "<" if head[5] == 1 else ">"
    (table,) = struct.unpack_from(order + ("Q" if wide else "I"), head, 32 if wide else 28)
    entry_size, count = struct.unpack_from(order + "HH", head, 54 if wide else 42)
    least = 56 if wide else 32
    for number in range(count if entry_size >= least else 0):
        at = table + number * entry_size
        if at + least > len(head):
            return 0, 0
        (kind,) = struct.unpack_from(order + "I", head, at)
        if kind == _PT_INTERP:
            start, size = struct.unpack_from(order + ("Q16xQ" if wide else "I8xI"), head, at + (8 if wide else 4))
            return start, start + min(size, _LONGEST_PATH)
    return None if count and entry_size >= least else (0, 0)
