"""Scripts in the form that a scheme asks for: by which line, or which program, they find their Python."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from crossdock.errors import UnsupportedWheelError
from crossdock.wheels.launchers import BESIDE, launcher, windowed
from crossdock.wheels.scripts import PYTHON_SHEBANG, calling, console_script, rewrite_shebang

if TYPE_CHECKING:
    from crossdock.wheels.scheme import Scheme
    from crossdock.wheels.scripts import EntryPoint

__all__ = ["made_script", "rewritten_script", "script_launcher"]

#: Starts the Python in the script's own folder, wherever that is by now, through any number of symbolic links. For
#: Python all of it is one string.
_BESIDE: Final = """\
''':'
case $0 in /*) script=$0 ;; *) script=./$0 ;; esac
while [ -h "$script" ]; do
    link=$(readlink "$script")
    case $link in /*) script=$link ;; *) script=${script%/*}/$link ;; esac
done
exec "${script%/*}/PYTHON"ARGUMENTS "$0" "$@"
'''"""
_SHELL: Final = b"#!/bin/sh\n"
#: Lines at the beginning of a script that are comments for Python and for a shell alike, the encoding among them.
_COMMENTS: Final = re.compile(rb"(?:[ \t\r]*(?:#[^\n]*)?\n)*")
_DOCSTRING: Final = re.compile(rb"[rRuU]?[\"']")
_ARGUMENTS: Final = re.compile(r"[\w=.:,+ \t-]*", re.ASCII)

#: Let packages be found that lie in the folder above that of the script, or of the program.
_ABOVE: Final = "import os\nsys.path.insert(0, os.path.dirname(os.path.dirname(os.path.realpath(sys.argv[0]))))\n"
#: What a program calls itself in its messages, as on other systems.
_OWN_NAME: Final = 'if sys.argv[0].lower().endswith(".exe"):\n    sys.argv[0] = sys.argv[0][:-4]\n'


def made_script(point: EntryPoint, scheme: Scheme) -> tuple[str, bytes]:
    """Give the file that calls an entry point: its name, and its content.

    Raises:
        LauncherError: There is no program that could start it.
    """
    above = _ABOVE if scheme.lookup == "above" else ""
    if scheme.launchers:
        source = f"import sys\n{above}{_OWN_NAME}{calling(point)}"
        return f"{point.name}.exe", _program(source.encode(), scheme, gui=point.gui)
    if scheme.lookup == "beside":
        return point.name, _SHELL + _beside(scheme.interpreter, "") + f"\nimport sys\n{calling(point)}".encode()
    return point.name, console_script(point, scheme.interpreter, above)


def rewritten_script(content: bytes, scheme: Scheme, filename: str) -> bytes:
    """Give a script that came in a wheel and begins with ``#!python``, with what starts it put in the place of that.

    Args:
        content: The script.
        scheme: Where its Python is.
        filename: The wheel, for messages.

    Raises:
        UnsupportedWheelError: Its line has arguments that a shell would read in another way.
    """
    if scheme.launchers:
        # Nothing starts it by its first line; for the launcher ``py`` this is the environment's Python.
        return rewrite_shebang(content, "/usr/bin/env python")
    if scheme.lookup != "beside":
        return rewrite_shebang(content, scheme.interpreter)
    arguments = _arguments(content, filename)
    rest = content.partition(b"\n")[2]
    # An encoding counts in the first two lines only, and a docstring only if no other string comes before it.
    comments = _COMMENTS.match(rest)
    head = comments[0] if comments else b""
    body = rest[len(head) :]
    joint = b"\\\n" if _DOCSTRING.match(body) else b"\n"
    head = head.replace(b"\r", b"")  # a shell would take it for a command
    return _SHELL + head + _beside(scheme.interpreter, arguments) + joint + body


def script_launcher(content: bytes, scheme: Scheme, filename: str) -> bytes:
    """Give the program that starts a script of a wheel on Windows.

    Args:
        content: The script, which begins with ``#!python``.
        scheme: Where its Python is.
        filename: The wheel, for messages.

    Raises:
        UnsupportedWheelError: Its line has arguments that cannot be passed on.
        LauncherError: There is no program that could start it.
    """
    # What is looked for on PATH gets none: it is not known that the program takes any there.
    arguments = _arguments(content, filename) if scheme.lookup == "beside" else ""
    return _program(content, scheme, gui=content.startswith(PYTHON_SHEBANG + b"w"), arguments=arguments)


def _arguments(content: bytes, filename: str) -> str:
    """Give what is behind a script's ``#!python``."""
    first = content.partition(b"\n")[0].rstrip(b"\r")
    arguments = rewrite_shebang(first, "")[2:].decode("utf-8", "replace")
    if not _ARGUMENTS.fullmatch(arguments):
        raise UnsupportedWheelError(
            f"{filename} has a script whose first line cannot be kept: {first[:200].decode(errors='replace')!r}",
            why="a script that may be moved is started by a shell or a launcher, and its arguments are not safe there",
        )
    return " ".join(arguments.split())


def _program(source: bytes, scheme: Scheme, *, gui: bool, arguments: str = "") -> bytes:
    if scheme.launchers is None:
        raise ValueError("a scheme without launchers")
    interpreter = (BESIDE if scheme.lookup == "beside" else "") + scheme.interpreter
    return launcher(
        scheme.launchers, windowed(interpreter) if gui else interpreter, source, gui=gui, arguments=arguments
    )


def _beside(python: str, arguments: str) -> bytes:
    return _BESIDE.replace("PYTHON", python).replace("ARGUMENTS", arguments and f" {arguments}").encode()
