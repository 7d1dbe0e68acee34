"""Finds the Python of an image, and its exact version, without running it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from crossdock.bases.libc import require_architecture
from crossdock.bases.tree import shown
from crossdock.lockfile.basefacts import ENVIRONMENT

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.bases.programs import Program
    from crossdock.bases.rootview import RootView
    from crossdock.bases.tree import Place

__all__ = ["Python", "PythonSearch", "find_python"]

_MOST_FOLDERS: Final = 256
_OTHER_IMPLEMENTATION: Final = re.compile(r"\.?(pypy|graalpy)")
_FREE_THREADED: Final = re.compile(r"python3\.\d{1,2}d?td?")
_MINOR: Final = re.compile(r"python3\.(\d{1,2})")
_VERSIONED: Final = re.compile(r"python3\.\d{1,2}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """A CPython interpreter.

    Attributes:
        place: Its file.
        version: Such as ``3.12.7`` or ``3.14.0rc1``.
        source: The file that says the version.
    """

    place: Place
    version: str
    source: Place


@dataclass(slots=True)
class PythonSearch:
    """What came of looking for Python.

    Attributes:
        found: The interpreter, if there is one that can be used.
        notes: What else was met on the way, and why it was not taken.
    """

    found: Python | None = None
    notes: list[str] = field(default_factory=list)


def find_python(root: RootView, architecture: str, *, path: str, name: str) -> PythonSearch:
    """Find what ``python3`` or ``python`` is in an image, else its only ``python3.N``.

    The first one that is a program decides: if that is PyPy, or its version cannot be told, then no other one is taken
    in its place. Scripts, and links to nothing, are passed over.

    Args:
        root: The image's files.
        architecture: OCI's name of the image's architecture.
        path: Its ``PATH``.
        name: What to call the image in messages.

    Raises:
        BaseMismatchError: The interpreter is for another architecture.
    """
    search = PythonSearch()
    folders = [folder.rstrip("/") for folder in path.split(":") if folder.startswith("/")][:_MOST_FOLDERS]
    place = _first_program(root, folders, search.notes)
    if place is None:
        return search
    require_architecture(place, architecture, name)
    problem = _not_usable(root, place)
    if problem:
        search.notes.append(problem)
        return search
    search.found = _identified(root, place)
    if search.found is None:
        search.notes.append(f"{shown(place.path)} does not say which version of Python it is")
    return search


def _first_program(root: RootView, folders: Sequence[str], notes: list[str]) -> Place | None:
    for wanted in ("python3", "python"):
        for folder in folders:
            place = root.resolve(f"{folder}/{wanted}")
            if place is None:
                continue
            problem = _no_interpreter(place)
            if not problem:
                return place
            notes.append(f"{shown(folder)}/{wanted} {problem}")
    versioned = {
        place.path: place
        for folder in folders
        for name in sorted(root.children(folder))
        if _VERSIONED.fullmatch(name) and (place := root.resolve(f"{folder}/{name}")) and not _no_interpreter(place)
    }
    if len(versioned) > 1:
        notes.append(
            f"there are {', '.join(map(shown, sorted(versioned)[:8]))}, and no python3 that says which one is meant"
        )
    return next(iter(versioned.values())) if len(versioned) == 1 else None


def _no_interpreter(place: Place) -> str:
    """Tell why something on PATH is no Python 3 that can be used; empty if it is one."""
    base = place.path.rpartition("/")[2]
    if place.node.kind != "file":
        return f"leads to {shown(place.path)}, which is no file"
    if not place.node.mode & 0o111:
        return f"leads to {shown(place.path)}, which is not executable"
    if place.node.program is None:
        return f"leads to {shown(place.path)}, which is a script, or a program of an unknown name"
    if base.startswith("python2"):
        return f"is {shown(place.path)}, which is Python 2"
    return ""


def _not_usable(root: RootView, place: Place) -> str:
    base = place.path.rpartition("/")[2]
    if not place.path.isprintable() or ":" in place.path:
        return f"{shown(place.path)} is a path that no script can name"
    if place.path.startswith(f"/{ENVIRONMENT}/"):
        return f"{shown(place.path)} is a copy in the place of the image's own environment"
    if _OTHER_IMPLEMENTATION.match(base):
        return f"{shown(place.path)} is not CPython"
    if _FREE_THREADED.fullmatch(base):
        return f"{shown(place.path)} is a free-threaded build, whose compiled modules are of another kind"
    program = _program(place)
    if program.asks_for_none:
        return f"{shown(place.path)} is linked statically, and so cannot load compiled modules"
    if program.interpreter and root.resolve(program.interpreter) is None:
        return f"{shown(place.path)} cannot run: it needs {shown(program.interpreter)}, which is not there"
    return ""


def _identified(root: RootView, place: Place) -> Python | None:
    prefix = place.path.rpartition("/")[0].removesuffix("/bin")
    for minor in _minors(root, place, prefix):
        for version, source in _versions(root, place, prefix, minor):
            return Python(place=place, version=version, source=source)
    return None


def _minors(root: RootView, place: Place, prefix: str) -> list[str]:
    """Give the minor versions that the interpreter may be of: one, if its name or its library's folder says it."""
    if found := _MINOR.search(place.path.rpartition("/")[2]):
        return [f"3.{found[1]}"]
    libraries = {
        child.removeprefix("python")
        for folder in ("lib", "lib64")
        for child in root.children(f"{prefix}/{folder}")
        if _VERSIONED.fullmatch(child) and root.resolve(f"{prefix}/{folder}/{child}/os.py")
    }
    if len(libraries) == 1:
        return list(libraries)
    program = place.node.program
    return sorted({".".join(version.split(".")[:2]) for version in program.pythons}) if program else []


def _versions(root: RootView, place: Place, prefix: str, minor: str) -> Iterator[tuple[str, Place]]:
    """Give what says the full version, the surest first."""
    libraries = _libraries(root, prefix, minor)
    for one in (place, *libraries):
        yield from _only(one, _of_minor(_program(one).pythons, minor))
    header = root.resolve(f"{prefix}/include/python{minor}/patchlevel.h")
    if header and header.node.text:
        found = re.search(rb'^#define\s+PY_VERSION\s+"([\w.+]{1,40})"', header.node.text, re.MULTILINE)
        yield from _only(header, _of_minor([found[1].decode()] if found else [], minor))
    for one in (*libraries, place):
        yield from _only(one, _of_minor(_program(one).python_hints, minor))
    yield from _packaged(root, minor)


def _program(place: Place) -> Program:
    program = place.node.program
    assert program is not None  # noqa: S101  only such places come here
    return program


def _only(place: Place, versions: list[str]) -> Iterator[tuple[str, Place]]:
    if len(versions) == 1:
        yield versions[0], place


def _of_minor(versions: Iterable[str], minor: str) -> list[str]:
    pattern = re.compile(rf"{re.escape(minor)}\.[0-9]{{1,3}}(?:(?:a|b|rc)[0-9]{{1,3}})?\+?")
    return sorted(version for version in versions if pattern.fullmatch(version))


def _libraries(root: RootView, prefix: str, minor: str) -> list[Place]:
    """Give the files of libpython of a minor version, those of the interpreter's own prefix first."""
    pattern = re.compile(rf"libpython{re.escape(minor)}[a-z]*\.so[\d.]*")
    found = [place for place in root.programs() if pattern.fullmatch(place.path.rpartition("/")[2])]
    own = re.compile(rf"{re.escape(prefix)}/lib(64)?/([^/]*-linux-[^/]*/)?[^/]*")
    return sorted(found, key=lambda place: (not own.fullmatch(place.path), place.path))


def _packaged(root: RootView, minor: str) -> Iterator[tuple[str, Place]]:
    """Look into the databases of dpkg and apk."""
    package = f"python{minor}-minimal"
    for path in ("/var/lib/dpkg/status", f"/var/lib/dpkg/status.d/{package}"):
        yield from _database(root, path, f"Package: {package}", "Version: ", minor)
    for path in ("/lib/apk/db/installed", "/usr/lib/apk/db/installed"):
        yield from _database(root, path, "P:python3", "V:", minor)


def _database(root: RootView, path: str, first: str, field_name: str, minor: str) -> Iterator[tuple[str, Place]]:
    """Find a field of the paragraph that has another line."""
    place = root.resolve(path)
    text = place.node.text.decode("utf-8", "replace") if place and place.node.text else ""
    for paragraph in text.split("\n\n"):
        lines = paragraph.splitlines() if first in paragraph else []
        if place and first in lines:
            versions = [line.removeprefix(field_name) for line in lines if line.startswith(field_name)]
            yield from _only(place, _of_minor([_as_python(version) for version in versions], minor))


def _as_python(version: str) -> str:
    """Turn 3.14.0~rc1-2 of Debian and 3.14.0_beta2-r0 of Alpine into a version of Python; empty for other forms."""
    found = re.match(r"(?:\d+:)?(\d+\.\d+\.\d+)(?:[~_](alpha|beta|a|b|rc)(\d+))?", version)
    if found is None:
        return ""
    stage = (found[2] or "").replace("alpha", "a").replace("beta", "b")
    return found[1] + stage + (found[3] or "")
