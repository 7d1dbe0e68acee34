"""What an executable starts, decided by the rules for images."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from crossdock.bundles.exe.entry import Entry, call, python_command
from crossdock.errors import EntrypointError
from crossdock.projects.entrypoint import resolve_entrypoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.bundling.ready import WheelFile
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store
    from crossdock.wheels.scripts import EntryPoint

__all__ = ["exe_entry"]

# Options of Python: flags without a value may stand together, before one that takes what follows.
_FLAG = re.compile(r"-(?:-.*|[A-Za-z?]*?(?:(?P<taking>[mcWX])(?P<value>.*))?)", re.DOTALL)
_DATA = re.compile(r"[^/]+\.data/(?:purelib|platlib)/")


def exe_entry(project: Project, own: OwnWheel, wheels: Sequence[WheelFile], store: Store) -> Entry:
    """Decide what an executable starts.

    Args:
        project: Whose ``entrypoint`` setting, or else only console script, it is.
        own: The project's wheel.
        wheels: All wheels that go into it, all of them in the store.
        store: Holds the wheels.

    Raises:
        EntrypointError: None is set and the project has no script or several, or what is named is not there.
    """
    points = _Points(wheels, store)
    setting = project.config.entrypoint
    first, *arguments = resolve_entrypoint(project, "", own.scripts, points.names)
    if first == "/bin/python":
        if isinstance(setting, str):
            module, _, function = setting.partition(":")
            _check_module(module, wheels, store, run=False)
            return call(module, function)
        if module := _module_named(arguments):
            _check_module(module, wheels, store, run=True)
        return python_command(arguments)
    name = first.removeprefix("/bin/")
    point = points.find(name)
    if point is None:
        raise EntrypointError(
            f"The entrypoint {first!r} is no Python application",
            why=f"an executable starts what is inside it, and the scripts there are: "
            f"{', '.join(sorted(points.names())) or 'none'}",
            hint='name one of them, "module:function", or an array such as ["python", "-m", "app"]',
        )
    return call(point.module, point.attribute, arguments)


def _module_named(arguments: Sequence[str]) -> str:
    """Give the module that Python's own arguments tell it to run; empty if they name none.

    Raises:
        EntrypointError: They name a file instead: it is not inside.
    """
    words = iter(arguments)
    for word in words:
        flag = _FLAG.fullmatch(word)
        if flag is None:
            raise EntrypointError(
                f"The entrypoint starts the file {word}",
                why="an executable starts what is inside it, and Python finds that by module",
                hint='name a module, as in ["python", "-m", "app"]',
            )
        taking, value = flag["taking"], flag["value"]
        if taking == "m":
            return value or next(words, "")
        if taking == "c" or word == "-":
            return ""
        if taking and not value:
            next(words, None)
    return ""


def _check_module(module: str, wheels: Sequence[WheelFile], store: Store, *, run: bool) -> None:
    """Refuse a module that is in no wheel and is not Python's own.

    Args:
        module: Its dotted name.
        wheels: Where it may be.
        store: Holds them.
        run: Whether it is to be run: a package needs a module ``__main__`` for that.

    Raises:
        EntrypointError: It is not there, or cannot be run.
    """
    if module.partition(".")[0] in sys.stdlib_module_names:
        return
    paths = _paths(wheels, store)
    stem = module.replace(".", "/")
    package = f"{stem}/__init__.py" in paths
    wanted = f"{stem}/__main__" if run and package else stem
    suffixes = (".py", ".pyc", ".so", "/__init__.py")
    if any(path.startswith((f"{wanted}.", f"{wanted}/__init__.")) and path.endswith(suffixes) for path in paths):
        return
    if run and package:
        raise EntrypointError(
            f"The package {module} cannot be run",
            why=f"it has no module {module}.__main__",
            hint=f'name a function, as in "{module}:main", or add the file',
        )
    raise EntrypointError(
        f"There is no module {module} to start",
        why="neither the project's wheel nor that of a package has it",
        hint="correct its name, or let the project's build backend add the file to its wheel",
    )


def _paths(wheels: Sequence[WheelFile], store: Store) -> set[str]:
    """List the files of wheels as they are found on ``sys.path``."""
    from crossdock.wheels.archive import WheelArchive

    found: set[str] = set()
    for wheel in wheels:
        with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
            found |= {_DATA.sub("", member.name) for member in archive.members}
    return found


class _Points:
    """The console scripts of some wheels, read when they are asked for."""

    def __init__(self, wheels: Sequence[WheelFile], store: Store) -> None:
        self._wheels = wheels
        self._store = store
        self._found: dict[str, EntryPoint] | None = None

    def names(self) -> set[str]:
        return set(self._all())

    def find(self, name: str) -> EntryPoint | None:
        return self._all().get(name)

    def _all(self) -> dict[str, EntryPoint]:
        from crossdock.wheels.archive import WheelArchive
        from crossdock.wheels.metadata import read_metadata

        if self._found is None:
            self._found = {}
            for wheel in self._wheels:
                with WheelArchive(self._store.path(wheel.sha256), wheel.filename) as archive:
                    self._found |= {point.name: point for point in read_metadata(archive).entry_points}
        return self._found
