"""Which base a project gets when it names none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.bases.spec import parse_base
from crossdock.errors import PythonChoiceError, UnsupportedBaseError
from crossdock.lockfile.basefacts import BaseFacts

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

    from crossdock.bases.interpreter.setting import InterpreterSetting

__all__ = ["SUITE_PYTHONS", "assumed_facts", "default_base", "interpreter_base"]

#: Debian suites, newest stable first, and the Python they are sure to have. It only serves to choose a default; what a
#: base really has is read from its packages.
SUITE_PYTHONS = {"trixie": (3, 13), "bookworm": (3, 11)}
#: glibc and full version of Python at a suite's release; updates within a stable suite keep the former.
_RELEASED_WITH = {"trixie": ((2, 41), "3.13.5"), "bookworm": ((2, 36), "3.11.2")}


def default_base(wanted: tuple[int, int] | None, requires_python: SpecifierSet) -> str:
    """Choose the newest Debian suite whose Python the project accepts.

    Args:
        wanted: (major, minor) the project asks for, if it does.
        requires_python: Versions it runs on.

    Raises:
        PythonChoiceError: No suite has such a Python.
    """
    for suite, version in SUITE_PYTHONS.items():
        if version == wanted if wanted else _may_be(version, requires_python):
            return f"debian:{suite}"
    asked = f"Python {wanted[0]}.{wanted[1]}" if wanted else f"requires-python = {str(requires_python)!r}"
    known = ", ".join(f"debian:{suite} (Python {major}.{minor})" for suite, (major, minor) in SUITE_PYTHONS.items())
    raise PythonChoiceError(
        f"No base of Debian packages has {asked if wanted else f'a Python for {asked}'}",
        why=f"there are {known}, and no other base is set",
        hint='name an image that has it, as in base = "python:3.12-slim", or set python to one of these versions',
    )


def interpreter_base(interpreter: InterpreterSetting) -> str:
    """Choose the base under an interpreter: the suite its packages are of, or the newest for an archive."""
    from crossdock.bases.interpreter.setting import DebianPython

    return f"debian:{interpreter.suite if isinstance(interpreter, DebianPython) else next(iter(SUITE_PYTHONS))}"


def _may_be(version: tuple[int, int], requires_python: SpecifierSet) -> bool:
    """Tell whether some release of a series satisfies the specifiers."""
    return any(requires_python.contains(f"{version[0]}.{version[1]}.{patch}") for patch in range(100))


def assumed_facts(base: str) -> BaseFacts:
    """Give what a suite was released with, for answers that need no base to be locked yet.

    Raises:
        UnsupportedBaseError: It is an image, or a suite that nothing is known of; or no base at all.
    """
    suite = parse_base(base).suite
    if suite not in _RELEASED_WITH:
        raise UnsupportedBaseError(
            f"The Python and the C library of {base} are not known",
            why="crossdock.lock does not have this base yet",
            hint="run `crossdock lock`, or name a Python with --python",
        )
    libc_version, python_version = _RELEASED_WITH[suite]
    return BaseFacts(
        libc="glibc",
        libc_version=libc_version,
        python_version=python_version,
        python_path="/usr/bin/python3",
        user="",
        home="",
    )
