"""Console scripts (entry points specification) and the shebangs of scripts that come in a wheel."""

from __future__ import annotations

import configparser
import re
from dataclasses import dataclass

from crossdock.errors import BadWheelError

__all__ = ["PYTHON_SHEBANG", "EntryPoint", "calling", "console_script", "parse_entry_points", "rewrite_shebang"]

_REFERENCE = re.compile(r"(?P<module>[\w.]+)\s*:\s*(?P<attribute>[\w.]+)\s*(?:\[[^]]*\])?")
_NAME = re.compile(r"[\w.-]+")
_PLACEHOLDER = re.compile(rb"#!python\S*")

#: What a script starts with that wants the environment's interpreter.
PYTHON_SHEBANG = b"#!python"


@dataclass(frozen=True, slots=True)
class EntryPoint:
    """A script to make.

    Attributes:
        name: File name of the script.
        module: Module to import.
        attribute: Dotted path of the callable in it.
        gui: Whether it is a ``gui_scripts`` entry, which on Windows gets no console.
    """

    name: str
    module: str
    attribute: str
    gui: bool = False


def parse_entry_points(text: str, filename: str) -> tuple[EntryPoint, ...]:
    """Read ``console_scripts`` and ``gui_scripts`` from entry_points.txt, sorted by name.

    On POSIX the two kinds are alike.

    Raises:
        BadWheelError: The file cannot be read, or a script is named or points where it must not.
    """
    parser = configparser.RawConfigParser(delimiters=("=",), strict=False, default_section="")
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are case-sensitive
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise BadWheelError(
            f"{filename} has an unreadable entry_points.txt", why=str(error).replace("\n", " ")
        ) from None
    points = {}
    for group in ("console_scripts", "gui_scripts"):
        for name, value in parser.items(group) if parser.has_section(group) else ():
            match = _REFERENCE.fullmatch((value or "").strip())
            if match is None or not _NAME.fullmatch(name) or name in (".", ".."):
                raise BadWheelError(
                    f"{filename} has a console script that cannot be made: {name} = {value}",
                    why="a script is NAME = MODULE:FUNCTION, and its name is a plain file name",
                )
            points[name] = EntryPoint(name, match["module"], match["attribute"], gui=group == "gui_scripts")
    return tuple(points[name] for name in sorted(points))


def calling(point: EntryPoint) -> str:
    """Give the lines that call an entry point, behind ``import sys``."""
    first = point.attribute.split(".")[0]
    lines = (
        f"from {point.module} import {first}",
        'if __name__ == "__main__":',
        f"    sys.exit({point.attribute}())",
        "",
    )
    return "\n".join(lines)


def console_script(point: EntryPoint, interpreter: str, before: str = "") -> bytes:
    """Give the script that calls an entry point, with lines before the call, which may use ``sys``."""
    return f"#!{interpreter}\nimport sys\n{before}{calling(point)}".encode()


def rewrite_shebang(content: bytes, interpreter: str) -> bytes:
    """Point a script's ``#!python`` at the environment's interpreter; leave any other script alone.

    "#!python" is a placeholder whatever follows it, as in ``#!pythonw`` or ``#!python3`` (binary distribution format,
    "Recommended installer features").
    """
    if not content.startswith(PYTHON_SHEBANG):
        return content
    line, separator, rest = content.partition(b"\n")
    arguments = _PLACEHOLDER.sub(b"", line.rstrip(b"\r"), count=1)
    return b"#!" + interpreter.encode() + arguments + separator + rest
