"""Which Python a target runs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from crossdock.errors import UnknownTargetError

__all__ = ["FIRST_PYTHON", "LAST_PYTHON", "PYPY_RELEASES", "Python", "parse_python"]

#: The CPython series that are known, the first and the last.
FIRST_PYTHON = (3, 9)
LAST_PYTHON = (3, 15)
#: The first CPython that can be built without the global interpreter lock (PEP 703).
_FIRST_FREE_THREADED = (3, 13)

#: For each Python that PyPy implements: its releases and what ``platform.python_version()`` says there, oldest first.
PYPY_RELEASES: dict[tuple[int, int], dict[str, str]] = {
    (3, 10): {
        "7.3.12": "3.10.12",
        "7.3.13": "3.10.13",
        "7.3.15": "3.10.13",
        "7.3.16": "3.10.14",
        "7.3.17": "3.10.14",
        "7.3.19": "3.10.16",
    },
    (3, 11): {
        "7.3.18": "3.11.11",
        "7.3.19": "3.11.11",
        "7.3.20": "3.11.13",
        "7.3.23": "3.11.15",
        "8.0.0": "3.11.16",
        "8.0.1": "3.11.17",
    },
}

# uv may write a version in full, as in cpython-3.13.2+freethreaded-linux-x86_64-gnu; what is behind it is the host's.
_CPYTHON = re.compile(
    r"(?:cpython-?|python)?(?P<major>3)\.(?P<minor>\d{1,2})(?:\.(?P<micro>\d{1,3})(?P<pre>(?:a|b|rc)\d{1,3})?)?"
    r"(?P<threads>t|\+freethreaded)?(?:-\w+-\w+-\w+)?",
    re.ASCII,
)
_PYPY = re.compile(
    r"pypy-?(?P<major>3)\.(?P<minor>\d{1,2})(?:\.(?P<micro>\d{1,3}))?"
    r"(?:-v?(?P<pypy>\d{1,2}\.\d{1,2}\.\d{1,3})|-[a-z]\w*-\w+-\w+)?",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """A Python implementation, its version and its ABI.

    Attributes:
        implementation: As ``sys.implementation.name`` spells it.
        version: (major, minor).
        full_version: As ``platform.python_version()`` prints it, such as ``3.11.2``.
        abi: ABI tag of extension modules (PEP 425), such as ``cp311``, ``cp313t`` or ``pypy311_pp73``.
        pypy: PyPy's own version, such as ``7.3.19``; empty for CPython.
    """

    implementation: Literal["cpython", "pypy"] = "cpython"
    version: tuple[int, int]
    full_version: str
    abi: str
    pypy: str = ""

    @property
    def short(self) -> str:
        """``3.11``."""
        return f"{self.version[0]}.{self.version[1]}"

    @property
    def implementation_version(self) -> str:
        """The version of the implementation itself, the marker of that name: for PyPy its own."""
        return self.pypy or self.full_version

    @property
    def free_threaded(self) -> bool:
        """Whether this is a CPython without the global interpreter lock (PEP 703): its ABI says ``t``."""
        return self.implementation == "cpython" and "t" in self.abi.removeprefix("cp")

    @property
    def interpreter(self) -> str:
        """The interpreter's own tag (PEP 425): ``cp311``, ``pp311``."""
        prefix = "pp" if self.implementation == "pypy" else "cp"
        return f"{prefix}{self.version[0]}{self.version[1]}"

    @property
    def command(self) -> str:
        """Name of the program, and on POSIX of its folder in ``lib``: ``python3.11``, ``python3.13t``, ``pypy3.11``."""
        prefix = "pypy" if self.implementation == "pypy" else "python"
        return f"{prefix}{self.short}{'t' if self.free_threaded else ''}"

    @property
    def spelling(self) -> str:
        """What `parse_python` reads as this Python: ``3.11.2``, ``3.13.0t``, ``pypy3.11.11-7.3.19``."""
        if self.implementation == "pypy":
            return f"pypy{self.full_version}-{self.pypy}"
        return f"{self.full_version}{'t' if self.free_threaded else ''}"

    def __str__(self) -> str:
        return f"{self.implementation} {self.spelling.removeprefix('pypy')}"


def parse_python(text: str) -> Python:
    """Read a version such as ``3.11``, ``3.11.2``, ``3.13t`` (free-threaded) or ``pypy3.11``.

    With two numbers only, markers see the first release of that series (``3.11.0``), as
    ``requires-python`` and ``python_full_version`` need three.

    Raises:
        UnknownTargetError: It is no version of CPython or PyPy, or of one that is not known.
    """
    spelling = text.strip().lower()
    if match := _PYPY.fullmatch(spelling):
        return _pypy(text, match)
    match = _CPYTHON.fullmatch(spelling)
    if match is None:
        raise UnknownTargetError(
            f"Unknown Python {text!r}",
            why="it is not a version of CPython 3 or PyPy 3",
            hint="write 3.11, or in full 3.11.2; 3.14t is the free-threaded 3.14; pypy3.11 is PyPy",
        )
    version = (int(match["major"]), int(match["minor"]))
    if not FIRST_PYTHON <= version <= LAST_PYTHON:
        raise _out_of_range(text, version)
    if match["threads"] and version < _FIRST_FREE_THREADED:
        raise UnknownTargetError(
            f"Unknown Python {text!r}",
            why=f"there is no free-threaded Python {_dotted(version)}",
            hint=f"write 3.13t or later, or {_dotted(version)} for the usual build",
        )
    full = f"{_dotted(version)}.{int(match['micro'] or 0)}{match['pre'] or ''}"
    threads = "t" if match["threads"] else ""
    return Python(version=version, full_version=full, abi=f"cp{version[0]}{version[1]}{threads}")


def _pypy(text: str, match: re.Match[str]) -> Python:
    version = (int(match["major"]), int(match["minor"]))
    releases = PYPY_RELEASES.get(version)
    if releases is None:
        known = ", ".join(f"pypy{_dotted(version)}" for version in PYPY_RELEASES)
        raise UnknownTargetError(
            f"Unknown Python {text!r}", why=f"no PyPy {_dotted(version)} is known", hint=f"known are {known}"
        )
    full = f"{_dotted(version)}.{int(match['micro'])}" if match["micro"] else ""
    pypy = match["pypy"]
    if pypy and not full:
        full = releases.get(pypy, "")
    elif not pypy:
        pypy = next((name for name, python in releases.items() if python == full or not full), "")
        full = full or releases[pypy]
    if not (pypy and full):
        raise UnknownTargetError(
            f"Unknown Python {text!r}",
            why=f"of PyPy {_dotted(version)}, the releases {', '.join(releases)} are known, "
            f"with the Pythons {', '.join(dict.fromkeys(releases.values()))}",
            hint=f"write both versions of another, as in pypy{next(iter(releases.values()))}-{next(iter(releases))}",
        )
    major, minor, _ = pypy.split(".")
    abi = f"pypy{version[0]}{version[1]}_pp{major}{minor}"
    return Python(implementation="pypy", version=version, full_version=full, abi=abi, pypy=pypy)


def _dotted(version: tuple[int, int]) -> str:
    return f"{version[0]}.{version[1]}"


def _out_of_range(text: str, version: tuple[int, int]) -> UnknownTargetError:
    known = f"{_dotted(FIRST_PYTHON)} to {_dotted(LAST_PYTHON)}"
    age = "older" if version < FIRST_PYTHON else "newer"
    return UnknownTargetError(
        f"Unknown Python {text!r}",
        why=f"{_dotted(version)} is {age} than the Pythons that are known, {known}",
        hint=f"name a Python from {known}",
    )
