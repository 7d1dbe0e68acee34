"""The program that Bazel's actions, repository rules and run targets start: ``python -I crossdock.pyz COMMAND …``.

Each command is a module of this package, with ``add_arguments(parser)`` and ``run(options)``. What an action's command
writes is a function of the files and arguments it is given, so that its result may be shared: not even the day counts
on which an exception to the proof ends. It does in what is no action: tests (``verify``) and pushes (``push``).
Repository rules' and run targets' commands (``base``, ``hub``, ``url``, ``load``, ``push``) reach out to indexes,
registries and engines.
"""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Final, NoReturn

from crossdock.errors import CrossdockError, UsageError
from crossdock.verify.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["COMMANDS", "main", "run"]

#: Name and purpose of each command; ``wheel-info`` is the module ``wheel_info``.
COMMANDS: Final = {
    "app-layer": "write the layer of an application's own files",
    "archive": "write a docker archive of an image",
    "base": "write the layers of a base, and what is known of it",
    "hub": "say which wheel of a lock each target takes",
    "image": "put an image together from what is known of its layers, and prove it",
    "index": "put an index together from images",
    "layer": "write the layer that installs wheels",
    "layout": "write an OCI layout of images",
    "load": "load an image into an engine",
    "own-wheel": "build a project's own wheel",
    "pex": "write a PEX",
    "pex-runtime": "write what PEX files boot by",
    "push": "push images to a registry",
    "unpack": "unpack a wheel to be imported on this machine",
    "url": "say where a locked file is",
    "verify": "prove an artifact",
    "wheel-info": "say what a wheel is",
    "zip": "write a zip of a function or a layer",
}
_INTERRUPTED: Final = 130
#: Not Bazel's usual "@FILE": a label or an annotation may begin with "@", too.
_PARAMETERS: Final = "--params="


class _Parser(argparse.ArgumentParser):
    """A parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(
            f"{self.prog}: {message}", hint="these commands are for crossdock's Bazel rules: see docs/bazel.md"
        )


def run() -> NoReturn:
    """Run the command of this process and end it with its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Run a command.

    Args:
        arguments: Its name and its arguments; ``--params=FILE`` is the lines of a file (Bazel's "multiline" form).

    Returns:
        The exit code: 0, or that of the error's class (docs/errors.md).
    """
    try:
        name, *rest = _command(list(_expanded(arguments)))
        module = import_module(f"crossdock.bazel.commands.{name.replace('-', '_')}")
        parser = _Parser(prog=name, description=COMMANDS[name], allow_abbrev=False)
        module.add_arguments(parser)
        code: int = module.run(parser.parse_args(rest))
        sys.stdout.flush()
        return code
    except CrossdockError as error:
        print("\n".join(map(printable, f"error: {error}".split("\n"))), file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return _INTERRUPTED
    except Exception as error:
        if os.environ.get("CROSSDOCK_TRACEBACK"):
            raise
        text = f"error: crossdock failed in a way it should not: {type(error).__name__}: {error}"
        print("\n".join(map(printable, text.split("\n"))), file=sys.stderr)
        print("  hint: please report this; with CROSSDOCK_TRACEBACK=1 set it tells where", file=sys.stderr)
        return 1


def _command(arguments: list[str]) -> list[str]:
    if arguments and arguments[0] in COMMANDS:
        return arguments
    raise UsageError(
        f"there is no command {arguments[0][:50]!r}" if arguments else "no command is named",
        hint=f"the commands are {', '.join(COMMANDS)}",
    )


def _expanded(arguments: Sequence[str]) -> Iterator[str]:
    """Put the lines of parameter files in their places."""
    for argument in arguments:
        file = argument.removeprefix(_PARAMETERS)
        if file == argument:
            yield argument
            continue
        try:
            text = Path(file).read_text(encoding="utf-8")
        except (OSError, ValueError) as error:
            raise UsageError(f"{file} cannot be read as a parameter file", why=str(error)) from None
        # A line ends at \n and nowhere else (Bazel's "multiline" form).
        yield from text.removesuffix("\n").split("\n") if text else ()
