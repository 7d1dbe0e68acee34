"""Imports every top-level module that the distributions of an artifact declare, and writes a line of JSON for each.

Run by the artifact's interpreter, inside of it; so this file imports the standard library only and holds to the syntax
of Python 3.8. Nothing that the modules print gets between its lines, and if one of them ends the process, the last line
says which: the worker is then started again behind it.

Arguments are the number of the first module to import, and the folders in which distributions count; none for all.
"""

from __future__ import annotations

import json
import os
import re
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_LONGEST = 500
_NAME = re.compile(r"[^\W\d]\w*")
_EXTENSION = re.compile(r"([^\W\d]\w*)(\.[\w-]+)*\.(so|pyd)")


def declared_modules(top_level: str | None, record: Sequence[str]) -> list[str]:
    """Give the modules to import of one distribution.

    What ``top_level.txt`` names counts, as far as the distribution has files of that name. Without that file it is what
    RECORD lists (PEP 376, PEP 427): modules and packages at the top, whether or not they are private, if they are
    compiled; those with a leading underscore only then. Of a folder that is no package itself, as of a namespace that
    several distributions share (PEP 420), those in it count.

    Args:
        top_level: The text of ``top_level.txt``; None without one.
        record: Paths of the distribution's files, as in RECORD; empty if they are not known.
    """
    tree: dict[str, Any] = {}
    for path in record:
        parts = path.replace("\\", "/").split("/")
        if parts[0] in {"", "..", ".", "__pycache__"} or parts[0].endswith((".dist-info", ".data", ".egg-info")):
            continue
        below = tree
        for part in parts[:-1]:
            below = below.setdefault(part, {})
            if not isinstance(below, dict):
                break
        else:
            below[parts[-1]] = None
    there = _modules_in(tree, "", 0)
    if top_level is None:
        return sorted(
            name for name, compiled in there.items() if compiled or not name.rpartition(".")[2].startswith("_")
        )
    tops = {name.partition(".")[0] for name in there}
    named = [name for name in (line.strip().replace("/", ".") for line in top_level.splitlines()) if name]
    return sorted({name for name in named if _is_dotted(name) and (not there or name.partition(".")[0] in tops)})


def _modules_in(tree: dict[str, Any], prefix: str, depth: int) -> dict[str, bool]:
    """Give the modules in a folder, and whether each is compiled."""
    found = {}
    for name, below in tree.items():
        if below is None:
            extension = _EXTENSION.fullmatch(name)
            if extension:
                found[prefix + extension.group(1)] = True
            elif name.endswith(".py") and _NAME.fullmatch(name[:-3]) and name != "__init__.py":
                found.setdefault(prefix + name[:-3], False)
        elif _NAME.fullmatch(name) and name != "__pycache__":
            if "__init__.py" in below or any(
                _EXTENSION.fullmatch(file) and file.startswith("__init__.") for file in below
            ):
                found[prefix + name] = False
            elif depth < 4:
                found.update(_modules_in(below, prefix + name + ".", depth + 1))
    return found


def _is_dotted(name: str) -> bool:
    return all(_NAME.fullmatch(part) for part in name.split("."))


def _listed(inside: Sequence[str]) -> list[tuple[str, str]]:
    from importlib.metadata import distributions

    modules: list[tuple[str, str]] = []
    seen = set()
    for distribution in distributions():
        place = os.path.realpath(str(distribution.locate_file("")))
        if inside and not any(place == folder or place.startswith(folder + os.sep) for folder in inside):
            continue
        name = f"{distribution.metadata['Name']} {distribution.version}"
        key = str(distribution.metadata["Name"]).lower().replace("-", "_")
        if key in seen:
            continue  # the first one on the path is the one that is imported
        seen.add(key)
        record = [str(path) for path in distribution.files or ()]
        modules.extend((name, module) for module in declared_modules(distribution.read_text("top_level.txt"), record))
    return sorted(modules)


def _last_line(text: str) -> str:
    """Give an error in one line: its kind, and what it says last."""
    kind, _, said = text.partition(": ")
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return f"{kind}: {lines[-1]}"[:_LONGEST] if lines else kind[:_LONGEST]


def main() -> None:
    """Import modules, one after the other."""
    lines = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what modules print goes where messages go

    def say(**values: object) -> None:
        lines.write(json.dumps(values) + "\n")
        lines.flush()

    first, inside = int(sys.argv[1]), [os.path.realpath(folder) for folder in sys.argv[2:]]
    sys.argv[:] = [""]
    if sys.path[:1] == [""]:
        del sys.path[0]
    modules = _listed(inside)
    say(modules=modules)
    for number, (_, module) in enumerate(modules[first:], first):
        say(start=number)
        try:
            __import__(module)
        except BaseException as error:
            text = f"{type(error).__name__}: {error}".strip().rstrip(":")
            say(failed=number, error=_last_line(text))
        else:
            say(done=number)
    say(end=True)
    os._exit(0)  # threads that modules have started may never end


if __name__ == "__main__":
    main()
