"""The ``crossdock`` command: how it runs, and how errors end it."""

from __future__ import annotations

import io
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from crossdock.cli.parser import make_parser
from crossdock.errors import CrossdockError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "run"]

_INTERRUPTED = 130


def run() -> NoReturn:
    """Run the command and end the process with its exit code."""
    # Names in wheels and images hold any character. One that this terminal cannot show must not end the command.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    # To be told to stop is to be interrupted: temporary files are cleaned up alike.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run the command.

    Args:
        arguments: Without the program's name.

    Returns:
        The exit code: 0, or that of the error's class (docs/errors.md).
    """
    try:
        options = make_parser().parse_args(arguments)
        module, _, name = options.run.partition(":")
        code: int = getattr(import_module(module), name)(options)
        sys.stdout.flush()
        return code
    except CrossdockError as error:
        print(_shown(f"error: {error}"), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:
        if os.environ.get("CROSSDOCK_TRACEBACK"):
            raise
        text = _shown(f"error: crossdock failed in a way it should not: {type(error).__name__}: {error}")
        print(
            text, "  hint: please report this; with CROSSDOCK_TRACEBACK=1 set it tells where", sep="\n", file=sys.stderr
        )
        return 1


def _shown(text: str) -> str:
    """Escape what does not belong on a terminal: names in wheels, locks and images reach messages as they are."""
    lines = text.split("\n")
    if all(line.isprintable() for line in lines):
        return text
    from crossdock.verify.finding import printable

    return "\n".join(map(printable, lines))
