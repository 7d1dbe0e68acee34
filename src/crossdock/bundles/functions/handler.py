"""The handler of a function, checked without running it: its module is there, and defines it."""

from __future__ import annotations

import difflib
import re
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

from crossdock.bundles.functions.toplevel import TopLevel, read_top_level
from crossdock.errors import HandlerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

__all__ = ["FunctionFiles", "Handler", "check_handler", "has_module", "parse_handler"]

_NAME: Final = r"[^\W\d]\w*"
_HANDLER: Final = re.compile(rf"(?P<module>{_NAME}(?:[./]{_NAME})*)\.(?P<attribute>{_NAME})")
_COMPILED: Final = (".so", ".pyd", ".pyc")
#: Compiled into every CPython for Linux (Modules/config.c.in). Lambda refuses a handler in a module of such a name.
_BUILT_IN: Final = frozenset(
    {*("builtins", "sys", "posix", "errno", "faulthandler", "gc", "marshal", "atexit", "itertools", "pwd", "time")}
)
_MOST_NAMES: Final = 12


class FunctionFiles(Protocol):
    """The files of a function, by their paths below the folders that are on ``sys.path``."""

    @property
    def paths(self) -> Collection[str]:
        """All of them."""

    @property
    def own(self) -> Collection[str]:
        """Those of the project itself."""

    def read(self, path: str) -> bytes | None:
        """Give a file's bytes; None if they are too many for a module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Handler:
    """What a function calls.

    Attributes:
        text: As it was written, which is how the cloud is told.
        module: Dotted name of the module.
        attribute: Name in it.
    """

    text: str
    module: str
    attribute: str


def parse_handler(text: str) -> Handler:
    """Read ``module.function`` or ``package/module.function``, both of which Lambda understands.

    Raises:
        HandlerError: It is neither.
    """
    match = _HANDLER.fullmatch(text.strip())
    if match is None:
        like = text.strip().replace(":", ".")
        raise HandlerError(
            f"The handler {text[:200]!r} is not understood",
            why="a handler is the name of a module and of a function in it, with a dot between",
            hint=f"write {like}" if _HANDLER.fullmatch(like) else "write it as in app.main.handler",
        )
    return Handler(text=match[0], module=match["module"].replace("/", "."), attribute=match["attribute"])


def has_module(handler: Handler, files: FunctionFiles) -> bool:
    """Say whether a handler's module is among files."""
    return _find(handler.module, files) is not None


def check_handler(
    handler: Handler, files: FunctionFiles, *, python: tuple[int, int], warn: Callable[[str], None]
) -> None:
    """Check that a handler's module is among a function's files, and defines it.

    Args:
        handler: The handler.
        files: All files that can be imported.
        python: Version of the Python they run on.
        warn: Told what cannot be decided.

    Raises:
        HandlerError: It is not there.
    """
    if handler.module.partition(".")[0] in _BUILT_IN:
        raise HandlerError(
            f"The handler {handler.text} is in a module with the name of one that is built into Python",
            why="what is built in is imported first",
            hint="rename the module",
        )
    path = _find(handler.module, files)
    if path is None:
        raise _no_module(handler, files)
    if path.endswith(_COMPILED):
        warn(f"the handler {handler.text} was not checked: {path} is compiled")
        return
    source = files.read(path)
    top = None if source is None else _read(handler, path, source, python)
    if top is None:
        warn(f"the handler {handler.text} was not checked: {path} is more than can be read here")
        return
    if handler.attribute in top.names:
        if top.names[handler.attribute] == "async":
            warn(f"the handler {handler.text} is a coroutine function, and AWS Lambda does not await what it returns")
    elif top.undecided:
        warn(f"whether {path} has {handler.attribute} cannot be told before it runs: it has {top.undecided}")
    else:
        raise _no_attribute(handler, path, top)


def _find(module: str, files: FunctionFiles) -> str | None:
    """Find a module's file, by the order of Python's own import: packages, compiled modules, source, bytecode."""
    stem = module.replace(".", "/")
    paths = files.paths
    if f"{stem}/__init__.py" in paths:
        return f"{stem}/__init__.py"
    compiled = [path for path in paths if path.startswith(f"{stem}.") and path.endswith((".so", ".pyd"))]
    if alone := sorted(path for path in compiled if "/" not in path.removeprefix(stem)):
        return alone[0]
    return next((path for path in (f"{stem}.py", f"{stem}.pyc") if path in paths), None)


def _read(handler: Handler, path: str, source: bytes, python: tuple[int, int]) -> TopLevel | None:
    try:
        return read_top_level(source)
    except SyntaxError as error:
        # What this Python does not understand may be newer than it.
        if python > sys.version_info[:2]:
            return None
        raise HandlerError(
            f"The module of the handler {handler.text} cannot be imported",
            why=f"{path}, line {error.lineno}: {error.msg}" if error.lineno else f"{path}: {error.msg}",
            hint="correct the mistake",
        ) from None


def _modules(paths: Collection[str]) -> set[str]:
    found = {path.removesuffix(".py").removesuffix("/__init__").replace("/", ".") for path in paths if _is_module(path)}
    return {name for name in found if all(part.isidentifier() for part in name.split("."))}


def _is_module(path: str) -> bool:
    return path.endswith(".py") and not path.startswith(("bin/", "."))


def _no_module(handler: Handler, files: FunctionFiles) -> HandlerError:
    parent, _, last = handler.module.rpartition(".")
    if parent and (path := _find(parent, files)) is not None and not path.endswith(_COMPILED):
        source = files.read(path)
        names = read_top_level(source).names if source is not None and _is_readable(source) else {}
        if names.get(last) == "class":
            return HandlerError(
                f"The handler {handler.text} is in the class {last} of {parent}",
                why="a handler is a name of a module",
                hint=f"give it a name there, as in handler = {last}().{handler.attribute}",
            )
    own = sorted(_modules(files.own))
    near = difflib.get_close_matches(handler.module, sorted(_modules(files.paths)), n=1)
    return HandlerError(
        f"The handler {handler.text} is in the module {handler.module}, which is not there",
        why=f"the project's own modules are {_some(own)}",
        hint=f"did you mean {near[0]}?"
        if near
        else "correct its name, or let the project's build backend add the file to its wheel",
    )


def _is_readable(source: bytes) -> bool:
    try:
        read_top_level(source)
    except SyntaxError:
        return False
    return True


def _no_attribute(handler: Handler, path: str, top: TopLevel) -> HandlerError:
    callables = sorted(name for name, kind in top.names.items() if kind != "import" and not name.startswith("_"))
    near = difflib.get_close_matches(handler.attribute, top.names, n=1)
    return HandlerError(
        f"The handler {handler.text} is not there: {path} does not define {handler.attribute}",
        why=f"what it defines is {_some(callables)}",
        hint=f"did you mean {near[0]}?" if near else "name one of them, or define it",
    )


def _some(names: list[str]) -> str:
    if not names:
        return "nothing"
    more = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {more} more" if more > 0 else "")
