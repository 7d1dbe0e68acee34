"""Finds the Python of unpacked files, and one of this machine for artifacts that bring none, without running either."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crossdock.running.paths import follow

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["HostPython", "Interpreter", "find_interpreter", "host_pythons", "minor_of_folder", "numbers_of_user"]

_PYTHON: Final = re.compile(r"python(3(\.\d{1,2})?t?)?")
_MINOR: Final = re.compile(r"python(3\.\d{1,2})")
_ELF: Final = b"\x7fELF"
_SHEBANG: Final = 512
_MOST_FOLDERS: Final = 256
_LONGEST_TABLE: Final = 1 << 20
_MOST_NUMBER: Final = 1 << 31
_NOBODY: Final = 65534
_ANSWER: Final = 20
# Asked of interpreters of this machine, never of an artifact's.
_QUESTION: Final = (
    "import json, os, sys, sysconfig; print(json.dumps({'minor': '%d.%d' % sys.version_info[:2], "
    "'prefix': sys.base_prefix, 'program': os.path.realpath(sys.executable), "
    "'tag': str(sysconfig.get_config_var('SOABI')), 'name': sys.implementation.name}))"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """A Python in a root.

    Attributes:
        path: By which it is started there.
        minor: Its version, ``3.11``; empty if its name does not say it.
    """

    path: str
    minor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class HostPython:
    """A CPython of this machine.

    Attributes:
        program: Its file.
        prefix: The folder of its standard library and its own files.
        minor: Its version, ``3.11``.
        libc: ``glibc`` or ``musl``.
    """

    program: str
    prefix: str
    minor: str
    libc: str


def find_interpreter(
    root: Path, variables: Mapping[str, str], *, entrypoint: Sequence[str] = (), minor: str = ""
) -> Interpreter | None:
    """Find the Python that an image's entrypoint runs on, else the one on its PATH.

    Args:
        root: Unpacked files.
        variables: The environment.
        entrypoint: What the image runs: an interpreter, or a script that names one.
        minor: A version to prefer: ``3.11``.
    """
    folders = [folder for folder in variables.get("PATH", "").split(":") if folder.startswith("/")][:_MOST_FOLDERS]
    names = [f"python{minor}"] if minor else []
    candidates = list(_of_entrypoint(root, folders, entrypoint)) + [
        f"{folder.rstrip('/')}/{name}" for name in (*names, "python3", "python") for folder in folders
    ]
    found = [place for path in candidates if (place := _interpreter(root, path)) is not None]
    if not found:
        versioned = {
            f"{folder.rstrip('/')}/{name}"
            for folder in folders
            for name in _names_in(root, folder)
            if _MINOR.fullmatch(name)
        }
        found = [place for path in sorted(versioned) if (place := _interpreter(root, path)) is not None]
    matching = [place for place in found if not minor or place.minor in {minor, ""}]
    return next(iter(matching or found), None)


def minor_of_folder(root: Path, folder: str) -> str:
    """Tell by the name of its only ``lib/python3.N`` which version an environment in a folder is for; else nothing."""
    names = [found[1] for name in _names_in(root, f"{folder}/lib") if (found := _MINOR.fullmatch(name))]
    return names[0] if len(names) == 1 else ""


def numbers_of_user(root: Path, user: str) -> tuple[int, int]:
    """Give the numbers of a user and a group as an image's config spells them (OCI image-spec, ``config.User``).

    Args:
        root: The image's files: its passwd(5) and group(5) say what names mean.
        user: ``1000``, ``app``, ``1000:1000``, ``app:app``; empty for root.
    """
    name, _, group = user.partition(":")
    number, own_group = _entry(root, "etc/passwd", name or "0", (2, 3))
    if not group:
        return number, own_group
    return number, _entry(root, "etc/group", group, (2, 2))[0]


def host_pythons(environ: Mapping[str, str], minor: str) -> Iterator[HostPython]:
    """Give the interpreters of this machine that are of a version: this program's own, then those on PATH.

    Args:
        environ: Where PATH is looked up.
        minor: ``3.11``; empty for any.
    """
    path = environ.get("PATH", "")
    names = [f"python{minor}"] if minor else ["python3", "python"]
    # A version manager's launcher in the first folder may start nothing, where a later folder has one that works.
    folders = path.split(os.pathsep)
    found = [shutil.which(name, path=folder) for name in names for folder in folders if folder]
    programs = [sys.executable, *(program for program in found if program)]
    seen = set()
    for program in programs:
        python = _asked(program) if program else None
        if python is not None and python.program not in seen and minor in {"", python.minor}:
            seen.add(python.program)
            yield python


def _of_entrypoint(root: Path, folders: Sequence[str], entrypoint: Sequence[str]) -> Iterator[str]:
    first = entrypoint[0] if entrypoint else ""
    for path in [first] if first.startswith("/") else [f"{folder}/{first}" for folder in folders if first]:
        if _PYTHON.fullmatch(path.rpartition("/")[2]):
            yield path
            continue
        place = follow(root, path)
        head = _head(place) if place else b""
        if head.startswith(b"#!"):
            line = head[2:].partition(b"\n")[0].decode("utf-8", "replace").split()
            if line and _PYTHON.fullmatch(line[0].rpartition("/")[2]):
                yield line[0]


def _interpreter(root: Path, path: str) -> Interpreter | None:
    place = follow(root, path)
    if place is None or not place.is_file() or not place.stat().st_mode & 0o111 or _head(place)[:4] != _ELF:
        return None
    for name in (place.name, path.rpartition("/")[2]):
        if found := _MINOR.match(name):
            return Interpreter(path=path, minor=found[1])
    prefix = "/" + place.parent.parent.relative_to(root).as_posix()
    return Interpreter(path=path, minor=minor_of_folder(root, prefix))


def _head(place: Path) -> bytes:
    try:
        if not stat.S_ISREG(place.lstat().st_mode):
            return b""
        with place.open("rb") as stream:
            return stream.read(_SHEBANG)
    except OSError:
        return b""


def _names_in(root: Path, folder: str) -> list[str]:
    place = follow(root, folder)
    if place is None or not place.is_dir():
        return []
    return sorted(os.listdir(place))  # noqa: PTH208  only names are wanted


def _entry(root: Path, table: str, name: str, columns: tuple[int, int]) -> tuple[int, int]:
    """Look up two numbers of a name, or of a number, which need not be in the table."""
    place = follow(root, table)
    text = ""
    if place is not None and place.is_file() and place.stat().st_size <= _LONGEST_TABLE:
        text = place.read_text("utf-8", "replace")
    for line in text.splitlines():
        fields = line.split(":")
        if len(fields) > max(columns) and name in {fields[0], fields[2]}:
            return _number(fields[columns[0]]), _number(fields[columns[1]])
    return (_number(name), 0) if name.isdecimal() else (_NOBODY, _NOBODY)


def _number(text: str) -> int:
    plain = text.isascii() and text.isdecimal() and len(text) <= 10 and int(text) < _MOST_NUMBER
    return int(text) if plain else _NOBODY


def _asked(program: str) -> HostPython | None:
    try:
        done = subprocess.run(
            [program, "-I", "-c", _QUESTION],
            capture_output=True,
            text=True,
            timeout=_ANSWER,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        said: Any = json.loads(done.stdout)
    except (OSError, subprocess.TimeoutExpired, ValueError):
        return None
    if not isinstance(said, dict) or said.get("name") != "cpython":
        return None
    libc = "musl" if "musl" in said["tag"] else "glibc"
    return HostPython(program=said["program"], prefix=said["prefix"], minor=said["minor"], libc=libc)
