"""What a standalone Python is, read from its archive: version, machine, and the C library it needs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.bases.interpreter.archive import PREFIX
from crossdock.bases.interpreter.elf import ElfNeeds, MalformedElfError, glibc_needed, read_needs
from crossdock.errors import InterpreterError
from crossdock.headers.binary import HEAD_SIZE, identify

if TYPE_CHECKING:
    from crossdock.bases.interpreter.archive import PythonTree

__all__ = ["PythonFacts", "read_python"]

_EXECUTABLE = re.compile(r"bin/python(3\.[0-9]{1,3})([a-z]*)")
_HINT = "take a file that ends in install_only.tar.gz, for CPython and Linux"
# Where systems have their loaders. Another folder means a build for one machine alone.
_LOADER = re.compile(r"(?:/usr)?/lib(?:32|64)?/(?P<name>ld[A-Za-z0-9._-]*)")
_VERSION_TEXT = rb"\0(%b\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?)\+?\0"
_PATCHLEVEL = re.compile(
    rb'^[ \t]*#[ \t]*define[ \t]+PY_VERSION[ \t]+"([0-9]+\.[0-9]+\.[0-9]{1,3}(?:(?:a|b|rc)[0-9]{1,3})?)\+?"',
    re.MULTILINE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class PythonFacts:
    """What was read.

    Attributes:
        version: Full version, such as ``3.12.8``.
        path: Absolute path of the interpreter in the image.
        libc: The C library it is linked to.
        libc_version: The oldest one it runs with; (0, 0) where it needs no version.
    """

    version: str
    path: str
    libc: Literal["glibc", "musl"]
    libc_version: tuple[int, int]


def read_python(tree: PythonTree, architecture: str) -> PythonFacts:
    """Read what a standalone Python is.

    Args:
        tree: The archive's files.
        architecture: OCI's name of the one it has to be for.

    Raises:
        InterpreterError: It is for another machine, cannot load extension modules, or is not understood.
    """
    short = _series(tree)
    executable = f"bin/python{short}"
    programs = [executable, *_libraries(tree, short)]
    versions: dict[str, None] = {}
    needs: list[ElfNeeds] = []
    for path in programs:
        content = tree.read(path)
        needs.append(_needs(tree, path, content, architecture))
        if not path.startswith(_modules(short)):
            found = re.findall(_VERSION_TEXT % re.escape(short).encode(), content)
            versions |= dict.fromkeys(text.decode() for text in found)
    libc = _libc(tree, needs[0])
    return PythonFacts(
        version=_version(tree, short, list(versions)),
        path=f"/{PREFIX}/{executable}",
        libc=libc,
        libc_version=max(glibc_needed(item) for item in needs),
    )


def _series(tree: PythonTree) -> str:
    """Find the interpreter's major and minor version by its name: the one executable that is no link."""
    found = [match for path in tree.paths() if (match := _EXECUTABLE.fullmatch(path)) and tree.is_file(path)]
    if len({match[1] for match in found}) != 1:
        raise InterpreterError(f"{tree.origin} is no archive of one Python", why=_why_none(tree, found), hint=_HINT)
    flags = sorted({match[2] for match in found} - {""})
    if flags:
        kind = "free-threaded build" if "t" in flags[0] else "debug build"
        raise InterpreterError(
            f"{tree.origin} is a {kind}",
            why=f"its interpreter is python{found[0][1]}{flags[0]}, whose extension modules have an ABI of their own",
            hint="take the default build",
        )
    return found[0][1]


def _why_none(tree: PythonTree, found: list[re.Match[str]]) -> str:
    paths = set(tree.paths())
    if found:
        return f"it has {', '.join(match[0] for match in found)}"
    if {"PYTHON.json", "install"} & paths:
        return "it is a full archive, with what the build left behind; its Python is below python/install"
    if "python.exe" in paths:
        return "it is for Windows"
    return "it has no python/bin/python3.…"


def _modules(short: str) -> str:
    return f"lib/python{short}/lib-dynload/"


def _libraries(tree: PythonTree, short: str) -> list[str]:
    """List libpython and the standard library's extension modules: what is loaded beside the executable."""
    library = re.compile(rf"lib/libpython{re.escape(short)}\.so[.0-9]*")
    module = re.compile(rf"{re.escape(_modules(short))}[^/]+\.so")
    return [path for path in tree.paths() if (library.fullmatch(path) or module.fullmatch(path)) and tree.is_file(path)]


def _needs(tree: PythonTree, path: str, content: bytes, architecture: str) -> ElfNeeds:
    """Check that a file is an ELF file for the machine, and read what it asks for."""
    binary = identify(content[:HEAD_SIZE])
    if binary is None:
        raise InterpreterError(f"{tree.origin}: {path} is no program", why="it is not an ELF file", hint=_HINT)
    if binary.format != "elf" or binary.machines != (architecture,):
        raise InterpreterError(
            f"{tree.origin} is not a Python for linux/{architecture}",
            why=f"{path}: {binary.undecided}" if binary.undecided else f"{path} is {binary.kind}",
            hint=f"take the archive for {architecture}",
        )
    try:
        return read_needs(content)
    except MalformedElfError as error:
        raise InterpreterError(f"{tree.origin}: {path} is damaged", why=str(error), hint=_HINT) from None


def _libc(tree: PythonTree, needs: ElfNeeds) -> Literal["glibc", "musl"]:
    if not needs.loader:
        raise InterpreterError(
            f"{tree.origin} holds a statically linked Python",
            why="it cannot load extension modules, so no wheel with compiled code would work",
            hint="take an archive that is linked dynamically: …-unknown-linux-gnu-install_only.tar.gz",
        )
    match = _LOADER.fullmatch(needs.loader)
    name = match["name"] if match else ""
    if name.startswith("ld-musl-"):
        return "musl"
    if name.startswith(("ld-linux", "ld64.so.", "ld.so.")):
        return "glibc"
    raise InterpreterError(
        f"{tree.origin} holds a Python that runs on special systems only",
        why=f"it asks for the loader {needs.loader[:200]}",
        hint=_HINT,
    )


def _version(tree: PythonTree, short: str, compiled: list[str]) -> str:
    """Decide the full version by what is compiled in, and by the header where that does not tell.

    Raises:
        InterpreterError: Nothing tells it, or the two differ.
    """
    path = f"include/python{short}/patchlevel.h"
    match = _PATCHLEVEL.search(tree.read(path)) if tree.is_file(path) else None
    header = match[1].decode() if match else ""
    if header and header not in compiled and compiled:
        raise InterpreterError(
            f"{tree.origin} was put together from two Pythons",
            why=f"the interpreter is {' or '.join(compiled)}, its {path} says {header}",
            hint=_HINT,
        )
    if header.startswith(f"{short}."):
        return header
    if len(compiled) != 1:
        raise InterpreterError(
            f"{tree.origin} does not say which Python {short} it is",
            why=f"there is no {path}, and the interpreter names {' and '.join(compiled) or 'none'}",
            hint=_HINT,
        )
    return compiled[0]
