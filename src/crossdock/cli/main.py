"""The ``crossdock`` command: its arguments, and how errors end it."""

from __future__ import annotations

import argparse
import io
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

from crossdock import __version__
from crossdock.errors import CrossdockError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["main", "run"]

_INTERRUPTED = 130

_TARGET_HELP = """\
platform to build for, such as linux/arm64 or linux/amd64+glibc2.28; may be given several times
(default: targets in [tool.crossdock], or else linux/amd64 and linux/arm64)"""


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
        options = _parser().parse_args(arguments)
        from crossdock.cli import commands

        code: int = getattr(commands, options.command)(options)
        sys.stdout.flush()
        return code
    except CrossdockError as error:
        print(f"error: {error}", file=sys.stderr)
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
        print(
            f"error: crossdock failed in a way it should not: {type(error).__name__}: {error}\n"
            "  hint: please report this; with CROSSDOCK_TRACEBACK=1 set it tells where",
            file=sys.stderr,
        )
        return 1


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, hint=f"`{self.prog} --help` lists what there is")

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        sys.stdout.flush()  # so that whoever closed the pipe is noticed here, not when Python ends
        super().exit(status, message)


def _parser() -> _Parser:
    parser = _Parser(
        prog="crossdock",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        description="Build Python applications for other machines: from one lock file, for every target at once,\n"
        "without Docker, without emulation, and proved before it is handed over.",
        epilog="examples:\n"
        "  crossdock image                        amd64 and arm64 image of the project here\n"
        "  crossdock image app --target linux/arm64 --output app.tar --tag team/app:1.0\n"
        "  crossdock plan --json                  which wheel for which target, and why\n"
        "  crossdock verify dist/app_image        prove an image that anybody built\n\n"
        "The result is printed on standard output, everything else on standard error.",
    )
    parser.add_argument("--version", action="version", version=f"crossdock {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_image(commands)
    _add_plan(commands)
    _add_lock(commands)
    _add_verify(commands)
    return parser


def _command(
    commands: argparse._SubParsersAction[_Parser], name: str, summary: str, description: str
) -> argparse.ArgumentParser:
    return commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def _add_project(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("project", nargs="?", default=".", metavar="PROJECT", help="the project's folder (default: .)")
    parser.add_argument("--target", action="append", default=[], metavar="T", help=_TARGET_HELP)
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress and no summary")


def _add_image(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "image",
        "build an OCI image for every target",
        "Build an OCI image index with one image for each target, prove every file in it, and write it as an\n"
        "OCI image layout. Prints NAME@DIGEST of the index. Nothing of a target is executed.\n\n"
        "Where crossdock.lock does not cover a target's base yet, it is completed and should be committed.",
    )
    _add_project(parser)
    parser.add_argument(
        "--output",
        metavar="DIR_OR_TAR",
        help="folder of the layout, or a file ending in .tar (default: dist/NAME_image in the project)",
    )
    parser.add_argument(
        "--tag", metavar="REF", help="name and tag to record, as in team/app:1.0 (default: NAME:latest)"
    )
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")
    parser.add_argument(
        "--jobs", type=_positive, metavar="N", help="layers made at a time (default: a core each, at most 4)"
    )


def _add_plan(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "plan",
        "show which wheel goes where, and why",
        "Show what `crossdock image` would build: for every target its Python, its C library, and the file chosen\n"
        "for each package with the reason. Downloads no wheel.",
    )
    _add_project(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, with every rejected file")
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")


def _add_lock(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "lock",
        "pin the base's exact contents in crossdock.lock",
        "Choose the newest packages of the base from its signed index, for every target, and write them to\n"
        "crossdock.lock by name, version and hash. Builds then use exactly these. Prints the file's path.",
    )
    _add_project(parser)


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = _command(
        commands,
        "verify",
        "prove that an image holds what it says",
        "Read every file of every layer of an OCI image layout, by whomever it was built, and report each binary\n"
        "that does not fit its image's platform. Exits with 0 only if there is no error.",
    )
    parser.add_argument("layout", metavar="OCI_LAYOUT", help="folder or tar file of the layout")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    parser.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="GLOB",
        help="path in the image that may hold binaries of other machines; may be given several times",
    )


def _positive(text: str) -> int:
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return number
