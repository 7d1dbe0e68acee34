"""What a PEX runs: asked for in the ways of pex and of the settings, and looked for in the wheels."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from crossdock.bundles.functions.toplevel import read_top_level
from crossdock.bundles.pex.info import EntryPoint
from crossdock.errors import EntrypointError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from crossdock.bundles.pex.dist import Distribution

__all__ = ["CodeFile", "EntryRequest", "asked_by_setting", "asked_by_target", "code_path", "decide_entry"]

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_TARGET = re.compile(rf"(?P<module>{_DOTTED})(?::(?P<function>{_DOTTED}))?")
_LIBRARY = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")
_COMPILED = (".so", ".pyd")
_MOST_NAMES = 12

#: Where a file is when it can be imported, and what reads it.
CodeFile: TypeAlias = "tuple[str, Callable[[], bytes]]"


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryRequest:
    """What is to be run; with neither script nor target, the project's only script.

    Attributes:
        script: Name of a script.
        target: ``module`` or ``module:function``.
        arguments: Given to it before those of the command line.
        prompt: Nothing: the PEX is a Python with packages.
    """

    script: str = ""
    target: str = ""
    arguments: tuple[str, ...] = ()
    prompt: bool = False


def asked_by_target(text: str) -> EntryRequest:
    """Read ``module`` or ``module:function``.

    Raises:
        EntrypointError: It is neither.
    """
    if not _TARGET.fullmatch(text):
        raise EntrypointError(
            f"The entry point {text!r} is not understood",
            hint='write "module" or "module:function", as in app.main:run',
        )
    return EntryRequest(target=text)


def asked_by_setting(setting: str | tuple[str, ...] | None) -> EntryRequest:
    """Read the setting that images have, too: a script's name, ``module:function``, or an argument vector.

    Raises:
        EntrypointError: The vector starts something that is not in a wheel.
    """
    if setting is None:
        return EntryRequest()
    if isinstance(setting, str):
        return asked_by_target(setting) if ":" in setting else EntryRequest(script=setting)
    first, *rest = setting
    if first not in ("python", "python3"):
        return EntryRequest(script=first, arguments=tuple(rest))
    if len(rest) > 1 and rest[0] == "-m" and _TARGET.fullmatch(rest[1]):
        return EntryRequest(target=rest[1], arguments=tuple(rest[2:]))
    raise EntrypointError(
        f"The entrypoint {list(setting)} cannot be that of a PEX",
        why="a PEX runs a module or a function of what is in it",
        hint='set [tool.crossdock.pex] entrypoint = "module:function", or ["python", "-m", "module"]',
    )


def decide_entry(
    request: EntryRequest,
    project: str,
    own: Distribution,
    distributions: Sequence[Distribution],
    files: Callable[[], Iterable[CodeFile]],
) -> EntryPoint:
    """Decide what a PEX runs.

    Args:
        request: What is asked for.
        project: Name of the project, for messages.
        own: The project's own wheel.
        distributions: All wheels for one target, that one among them.
        files: Gives the files of all wheels, the project's own first; asked only for a module.

    Raises:
        EntrypointError: It is not decided, or not there.
    """
    if request.prompt:
        return EntryPoint()
    if request.target:
        match = _TARGET.fullmatch(request.target)
        module, function = (match["module"], match["function"] or "") if match else (request.target, "")
        _check_module(module, function, files)
        return EntryPoint(target=request.target, arguments=request.arguments)
    name = request.script or _only_script(project, own)
    for item in (own, *distributions):
        if name in item.entry_points:
            return EntryPoint(target=item.entry_points[name], arguments=request.arguments)
    if any(name in item.scripts for item in distributions):
        return EntryPoint(script=name, arguments=request.arguments)
    there = sorted({script for item in distributions for script in (*item.entry_points, *item.scripts)})
    raise EntrypointError(
        f"{name!r} is not a console script of {project} or its dependencies",
        why=f"the scripts there are: {', '.join(there) or 'none'}",
        hint="name one of them with --script, or a module with --entry-point",
    )


def code_path(name: str) -> str:
    """Give where a wheel's file is when it can be imported."""
    return _LIBRARY.sub("", name, count=1)


def _only_script(project: str, own: Distribution) -> str:
    names = sorted(own.entry_points)
    if len(names) == 1:
        return names[0]
    if not names:
        raise EntrypointError(
            f"{project} has no console script to run",
            why="its wheel has none, and neither an option nor [tool.crossdock] names an entry point",
            hint="name a module with --entry-point, or build a PEX without any by --no-entry-point",
        )
    raise EntrypointError(
        f"{project} has {len(names)} console scripts: {', '.join(names[:_MOST_NAMES])}",
        why="neither an option nor [tool.crossdock] says which one the PEX runs",
        hint=f"name one, as in --script {names[0]}",
    )


def _check_module(module: str, function: str, files: Callable[[], Iterable[CodeFile]]) -> None:
    """Refuse a module that is in no wheel, or cannot be run, or does not define a function."""
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    stem = module.replace(".", "/")
    package = False
    for path, read in files():
        if path == f"{stem}.py" or (function and path == f"{stem}/__init__.py"):
            _check_function(module, function, read)
            return
        if path == f"{stem}/__main__.py" and not function:
            return
        if path.startswith(f"{stem}.") and path.endswith(_COMPILED) and "/" not in path[len(stem) :]:
            return
        package = package or path.startswith(f"{stem}/")
    if package and not function:
        raise EntrypointError(
            f"The package {module} cannot be run",
            why="it has no __main__.py",
            hint=f'name a function, as in "{module}:main", or add the file',
        )
    raise EntrypointError(
        f"There is no module {module}",
        why="none of the wheels that go into the PEX has it",
        hint="correct its name, or let the project's build backend add it to its wheel",
    )


def _check_function(module: str, function: str, read: Callable[[], bytes]) -> None:
    if not function:
        return
    name = function.partition(".")[0]
    try:
        top = read_top_level(read())
    except SyntaxError:  # what this Python does not understand may be newer than it
        return
    if name in top.names or top.undecided:
        return
    near = difflib.get_close_matches(name, top.names, n=1)
    raise EntrypointError(
        f"The module {module} does not define {name}",
        why=f"what it defines is {', '.join(sorted(top.names)[:_MOST_NAMES]) or 'nothing'}",
        hint=f"did you mean {near[0]}?" if near else "name one of them, or define it",
    )
