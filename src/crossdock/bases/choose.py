"""Which base a project gets when it names none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.bases.debian.base import suite_of
from crossdock.errors import PythonChoiceError, UnsupportedBaseError

if TYPE_CHECKING:
    from packaging.specifiers import SpecifierSet

__all__ = ["SUITE_PYTHONS", "check_base", "default_base"]

#: Debian suites, newest stable first, and the Python they are sure to have. It only serves to choose a default; what a
#: base really has is read from its packages.
SUITE_PYTHONS = {"trixie": (3, 13), "bookworm": (3, 11)}


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
        f"No base has a Python for {asked}",
        why=f"the bases are {known}",
        hint="ask for one of these versions with [tool.crossdock] python",
    )


def _may_be(version: tuple[int, int], requires_python: SpecifierSet) -> bool:
    """Tell whether some release of a series satisfies the specifiers."""
    return any(requires_python.contains(f"{version[0]}.{version[1]}.{patch}") for patch in range(100))


def check_base(base: str) -> str:
    """Give the suite of a ``debian:SUITE`` base.

    Raises:
        UnsupportedBaseError: It is another kind of base.
    """
    suite = suite_of(base)
    if not suite:
        raise UnsupportedBaseError(
            f"The base {base!r} is not supported",
            why="bases are put together from Debian packages so far",
            hint="write base = " + " or ".join(f'"debian:{suite}"' for suite in SUITE_PYTHONS),
        )
    return suite
