"""The Python of each executable: which archive, what was read in it, and what it means for the target."""

from __future__ import annotations

import hashlib
import posixpath
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bases.interpreter.setting import DebianPython, StandaloneArchive, archives_by_target
from crossdock.bundles.exe.launcher import check_launcher
from crossdock.choosing.targeting import (
    check_requires_python,
    image_target,
    project_specs,
    specs,
    wanted_python,
)
from crossdock.errors import CrossdockError, InterpreterError, PythonChoiceError, UnknownTargetError, UsageError
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.interpreters import LockedInterpreter, interpreter_from_table, interpreter_to_table
from crossdock.store.actions import action_key
from crossdock.store.urls import redact
from crossdock.targets import Libc, parse_python, parse_target
from crossdock.targets.platform import DEFAULT_LIBC
from crossdock.verify.contents import Contents
from crossdock.verify.looking import ContentsReader

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.bases.interpreter.archive import PythonTree
    from crossdock.choosing.request import Request
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.store.actions import JSON
    from crossdock.targets import Target, TargetSpec

__all__ = ["ExeInterpreter", "exe_interpreters", "exe_target"]

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExeInterpreter:
    """A Python that goes into an executable.

    Attributes:
        spec: The target it is for.
        locked: The archive, and what was read in it.
        contents: What was seen of its files.
    """

    spec: TargetSpec
    locked: LockedInterpreter
    contents: Contents

    @property
    def python(self) -> str:
        """Name of its program, in ``python/bin``: ``python3.12``."""
        return posixpath.basename(self.locked.python_path)

    @property
    def origin(self) -> str:
        """Names the archive in messages."""
        return _file_name(self.locked.name)

    @property
    def needs(self) -> str:
        """What it asks of a system, in words."""
        version = "{}.{}".format(*self.locked.libc_version) if self.locked.libc_version > (0, 0) else ""
        libc = f"{self.locked.libc} {version} or newer" if version else self.locked.libc
        return f"Linux on {self.locked.architecture} with {libc}"


def _file_name(location: str) -> str:
    return (redact(location) if "://" in location else location).rpartition("/")[2]


def exe_interpreters(
    project: Project, request: Request, named: Sequence[str], services: Services
) -> list[ExeInterpreter]:
    """Find and read the Python of each target.

    Args:
        project: Its settings may name archives.
        request: The targets asked for.
        named: Archives named for this run, ``FILE`` or ``TARGET=FILE``; they win over the settings.
        services: The store and what fills it.

    Raises:
        LauncherError: There is no launcher for a target.
        InterpreterError: A target has no archive, or one that cannot be used.
        UsageError: An archive is named for no target, or for several.
        ConfigError: The settings name one for no target.
        StoreError: An archive cannot be had, or is not the one whose SHA-256 the settings name.
    """
    wanted = specs(project, request)
    for spec in wanted:
        check_launcher(spec.platform.os, spec.platform.arch, str(spec.platform))
    given = _given(named, wanted, project)
    archives = _archives(project, wanted, given)
    return [_ready(spec, archive, project, services) for spec, archive in zip(wanted, archives, strict=True)]


def exe_target(project: Project, request: Request, interpreter: ExeInterpreter) -> Target:
    """Complete a target: the interpreter decides the Python, and the C library where the target names none.

    Raises:
        PythonChoiceError: The Python is not one that the project accepts, or asks for.
        InterpreterError: The target promises an older C library than the interpreter runs with.
        TargetError: The target is bound to another Python.
    """
    spec, locked = interpreter.spec, interpreter.locked
    python = parse_python(locked.python_version)
    asked = spec.python or wanted_python(project)
    if asked is not None and asked.command != python.command:
        raise PythonChoiceError(
            f"{interpreter.origin} is Python {python.short}, not {asked.command.removeprefix('python')}",
            why=f"{spec.text if spec.python else 'python in [tool.crossdock], or .python-version,'} asks for another",
            hint="change that, or take the archive of another Python",
        )
    check_requires_python(
        project, python, f"the Python {python.full_version} of {interpreter.origin}", "take another archive"
    )
    facts = BaseFacts(
        libc=locked.libc,
        libc_version=_floor(interpreter).version,
        python_version=locked.python_version,
        python_path=locked.python_path,
        user="",
        home="",
    )
    return image_target(project, request, spec, interpreter.origin, facts)


def _floor(interpreter: ExeInterpreter) -> Libc:
    """Decide the C library that wheels may count on: what the target promises, or the oldest in use that will do."""
    asked, locked = interpreter.spec.platform.libc, interpreter.locked
    needed = Libc(locked.libc, locked.libc_version)
    if asked is None or asked.kind != needed.kind or not interpreter.spec.platform.libc_named:
        return max(DEFAULT_LIBC[locked.libc], needed)
    if asked < needed:
        raise InterpreterError(
            f"{interpreter.origin} does not run with {asked}, which {interpreter.spec.text} promises",
            why=f"it needs {needed}",
            hint=f"take an archive that was built for older systems, or name {interpreter.spec.platform}+{needed}",
        )
    return asked


def _given(named: Sequence[str], wanted: Sequence[TargetSpec], project: Project) -> dict[int, StandaloneArchive]:
    """Read ``--interpreter``: give the archives by the places of their targets.

    One for a target of the project that is not built now is no mistake.
    """
    found: dict[int, StandaloneArchive] = {}
    for text in named:
        key, file = _split(text, project.root)
        places = [number for number, spec in enumerate(wanted) if key is None or _is_for(key, spec)]
        if key is not None and not places and any(_is_for(key, spec) for spec in project_specs(project)):
            continue
        if len(places) != 1 and (key is None or not places):
            targets = ", ".join(str(spec.platform) for spec in wanted)
            raise UsageError(
                f"--interpreter {text}: which target is it for?"
                if places
                else f"--interpreter {text} is for no target",
                why=f"the targets are {targets}",
                hint=f"write --interpreter {wanted[0].platform}={file}, or name one target with --target",
            )
        archive = _hashed(file)
        for place in places:
            if place in found:
                raise UsageError(f"--interpreter names two archives for {wanted[place].platform}")
            found[place] = archive
    return found


def _split(text: str, root: Path) -> tuple[TargetSpec | None, Path]:
    key, equals, file = text.partition("=")
    if equals and file:
        try:
            return parse_target(key, root), Path(file)
        except UnknownTargetError:
            if not Path(text).exists():
                raise
    return None, Path(text)


def _is_for(key: TargetSpec, spec: TargetSpec) -> bool:
    """Compare platforms; a C library counts only where the key names one."""
    one, other = key.platform, spec.platform
    if (one.os, one.arch, one.variant) != (other.os, other.arch, other.variant):
        return False
    same_kind = one.libc is None or other.libc is None or one.libc.kind == other.libc.kind
    return (same_kind or not one.libc_kind_named) and (not one.libc_named or one.libc == other.libc)


def _hashed(file: Path) -> StandaloneArchive:
    try:
        with file.open("rb") as content:
            sha256 = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise InterpreterError(
            f"there is no archive {file} that can be read",
            why=error.strerror or str(error),
            hint="--interpreter names the archive of a standalone Python, as it was downloaded",
        ) from None
    return StandaloneArchive(location=str(file.absolute()), sha256=sha256)


def _archives(
    project: Project, wanted: Sequence[TargetSpec], given: Mapping[int, StandaloneArchive]
) -> list[StandaloneArchive]:
    setting = project.config.interpreter
    settings: Sequence[StandaloneArchive | None] = [None] * len(wanted)
    if setting is not None and not isinstance(setting, DebianPython):
        settings = archives_by_target(setting, wanted, project_specs(project), project.root)
    found = []
    for number, spec in enumerate(wanted):
        archive = given.get(number) or settings[number]
        if archive is None:
            debian = isinstance(setting, DebianPython)
            raise InterpreterError(
                f"there is no Python for {spec.platform} to put into the executable",
                why="the packages of Debian, which [tool.crossdock] names, are none that can be put anywhere"
                if debian
                else "neither --interpreter nor [tool.crossdock.interpreter] names an archive for it",
                hint=f"name the archive of a standalone Python: --interpreter {spec.platform}=FILE, as in "
                "cpython-3.12.8+20250106-aarch64-unknown-linux-gnu-install_only.tar.gz",
            )
        found.append(archive)
    return found


def _ready(spec: TargetSpec, archive: StandaloneArchive, project: Project, services: Services) -> ExeInterpreter:
    """Bring an archive into the store and read it, or remember what was read."""
    platform = spec.platform
    known = None if services.missing([archive.sha256]) else _remembered(spec, archive, services)
    if known is None:
        known = _read(spec, archive, project, services)
    libc = platform.libc.kind if platform.libc is not None else None
    if platform.libc_kind_named and libc != known.locked.libc:
        raise InterpreterError(
            f"{known.origin} is linked to {known.locked.libc}",
            why=f"the target {spec.text} has {libc}",
            hint="take the archive for that C library: its name has gnu for glibc, or musl",
        )
    return replace(known, locked=replace(known.locked, name=archive.location))


def _key(architecture: str, sha256: str) -> str:
    return action_key("exe-interpreter/1", architecture=architecture, archive=sha256)


def _remembered(spec: TargetSpec, archive: StandaloneArchive, services: Services) -> ExeInterpreter | None:
    record: Any = services.store.action(_key(spec.platform.arch, archive.sha256))
    try:
        return ExeInterpreter(
            spec=spec,
            locked=interpreter_from_table(record["locked"], "the cache"),
            contents=Contents.from_json(record["contents"]),
        )
    except (KeyError, TypeError, ValueError, CrossdockError):
        return None


def _read(spec: TargetSpec, archive: StandaloneArchive, project: Project, services: Services) -> ExeInterpreter:
    from crossdock.bases.interpreter.archive import open_archive
    from crossdock.bases.interpreter.standalone import lock_interpreter

    store, architecture = services.store, spec.platform.arch
    locked = lock_interpreter(
        archive,
        architecture,
        root=project.root,
        store=store,
        http=services.http(),
        progress=services.progress,
    )
    origin = _file_name(archive.location)
    with store.path(archive.sha256).open("rb") as content:
        if content.read(len(_GZIP)) != _GZIP:
            raise InterpreterError(
                f"{origin} cannot be put into an executable",
                why="it is compressed by Zstandard, which few systems can unpack",
                hint="take a file that ends in install_only.tar.gz or install_only_stripped.tar.gz",
            )
    with open_archive(store, archive.sha256, origin=origin) as tree:
        contents = _seen(tree)
    table: JSON = interpreter_to_table(locked)
    record: JSON = {"locked": table, "contents": contents.to_json()}
    store.record(_key(architecture, archive.sha256), record)
    return ExeInterpreter(spec=spec, locked=locked, contents=contents)


def _seen(tree: PythonTree) -> Contents:
    reader = ContentsReader()
    for path in tree.paths():
        if tree.is_file(path):
            reader.see(f"python/{path}", tree.read(path))
    return reader.contents()
