"""What an executable starts: the words behind its Python, and the file they name."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["MAIN", "Entry", "call", "python_command", "python_options"]

#: The file in the unpacked folder that calls a function.
MAIN: Final = "main.py"

_MAIN_TEXT: Final = """\
import sys

if __name__ == "__main__":
    # The executable gives its own name as the first argument: the application is to see it, not this file's.
    sys.argv[:2] = {argv}
    from {module} import {first}

    sys.exit({function}())
"""

# Options that do what a variable does, for a Python that heeds no variables.
_OPTIONS: Final = {
    "PYTHONUNBUFFERED": "-u",
    "PYTHONDONTWRITEBYTECODE": "-B",
    "PYTHONFAULTHANDLER": "-X faulthandler",
    "PYTHONUTF8": "-X utf8",
    "PYTHONDEVMODE": "-X dev",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is started.

    Attributes:
        command: What follows the Python on the command line, as words of a shell script in which ``cdx_root`` is the
            unpacked folder and ``cdx_self`` the executable.
        main: Content of `MAIN`; empty where there is none.
    """

    command: str
    main: bytes = b""

    @property
    def files(self) -> dict[str, bytes]:
        """The files it needs in that folder."""
        return {MAIN: self.main} if self.main else {}


def call(module: str, function: str, arguments: Sequence[str] = ()) -> Entry:
    """Start a function, as a console script does (entry points specification).

    Args:
        module: Where the function is.
        function: Dotted path of it.
        arguments: Those that come before the user's.
    """
    words = ", ".join(["sys.argv[1]", *map(repr, arguments)])
    main = _MAIN_TEXT.format(argv=f"[{words}]", module=module, first=function.partition(".")[0], function=function)
    return Entry(command=f'"$cdx_root/{MAIN}" "$cdx_self" "$@"', main=main.encode())


def python_command(arguments: Sequence[str]) -> Entry:
    """Start the Python itself, as in ``python -m app``.

    Args:
        arguments: Those that come before the user's.
    """
    return Entry(command=" ".join([*map(shlex.quote, arguments), '"$@"']))


def python_options(env: Mapping[str, str]) -> Iterator[str]:
    """Give the options that stand for variables which would be ignored.

    Args:
        env: Variables that the application is started with.
    """
    for name, option in _OPTIONS.items():
        if env.get(name) and not (name == "PYTHONUTF8" and env[name] != "1"):
            yield option
    if level := env.get("PYTHONOPTIMIZE"):
        yield "-OO" if level.isdigit() and int(level) > 1 else "-O"
