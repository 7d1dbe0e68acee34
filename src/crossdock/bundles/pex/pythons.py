"""What Pythons a PEX says it runs on, and how it finds one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crossdock.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.targets import Python

__all__ = ["default_shebang", "filled", "interpreter_constraints"]

_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
_CONSTRAINT = re.compile(
    r"(?:CPython(?:\[free-threaded\]|\[gil\]|\+t|-t)?|PyPy)?"
    r"(?:(?:===|==|~=|!=|<=|>=|<|>)\s*[0-9][0-9A-Za-z.*+!-]*(?:\s*,\s*(?=[=~!<>])|$))*"
)


def interpreter_constraints(given: Sequence[str], pythons: Sequence[Python]) -> tuple[str, ...]:
    """Give the interpreter constraints of a PEX.

    Args:
        given: Those asked for, with ``{major}``, ``{minor}`` and ``{patch}`` in place of a target's numbers; empty for
            the target's implementation and minor version.
        pythons: Of its targets.

    Raises:
        ConfigError: One of them is none.
    """
    found = [filled(text, python) for python in pythons for text in given] or [_exactly(item) for item in pythons]
    for text in found:
        if not text.strip() or not _CONSTRAINT.fullmatch(text):
            raise ConfigError(
                f"{text!r} is not an interpreter constraint",
                hint='write as pex does, "CPython=={major}.{minor}.*", "PyPy>=3.10,<3.12" or ">=3.11"',
            )
    return tuple(dict.fromkeys(found))


def _exactly(python: Python) -> str:
    free_threaded = "+t" if python.free_threaded else ""
    name = "PyPy" if python.implementation == "pypy" else f"CPython{free_threaded}"
    return f"{name}=={python.version[0]}.{python.version[1]}.*"


def filled(text: str, python: Python) -> str:
    """Put a target's Python version into a text.

    Raises:
        ConfigError: The text has another placeholder.
    """
    micro = re.match(r"[0-9]+", python.full_version.split(".")[2]) if python.full_version.count(".") > 1 else None
    numbers = {
        "major": str(python.version[0]),
        "minor": str(python.version[1]),
        "patch": micro.group() if micro else "0",
    }

    def number(match: re.Match[str]) -> str:
        if match[1] not in numbers:
            raise ConfigError(
                f"{text!r} has a placeholder that is not known: {match[0]}",
                hint="there are {major}, {minor} and {patch}",
            )
        return numbers[match[1]]

    return _PLACEHOLDER.sub(number, text)


def default_shebang(pythons: Sequence[Python]) -> str:
    """Give the first line of a PEX: it names the Python of its targets, if that is one."""
    commands = {python.command for python in pythons}
    return f"#!/usr/bin/env {commands.pop() if len(commands) == 1 else 'python3'}"
