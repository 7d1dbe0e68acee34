"""The project's own wheel, built by its own backend (PEP 517) on this machine, once for each state of its sources."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crossdock.errors import BackendFailedError, ImpureProjectError, NoBackendError, ProjectBuildError, WheelError
from crossdock.projects.backend import copy_project
from crossdock.projects.repository import repository_state
from crossdock.projects.sources import source_digest
from crossdock.sdists.hooks import hook_environment, scratch_folder
from crossdock.sdists.requirements import BuildLock, Subject, requirements_key
from crossdock.sdists.wheel import check_tags, rewrite_wheel
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from packaging.tags import Tag

    from crossdock.lockfile.builds import LockedBuild
    from crossdock.projects.project import Project
    from crossdock.sdists.pip import Pip
    from crossdock.services import Services
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.targets.target import Target

__all__ = ["OwnWheel", "build_own_wheel", "check_fits"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnWheel:
    """The wheel that was built.

    Attributes:
        filename: Its name.
        sha256: Its content; in the store, but for one that is taken from what is known elsewhere.
        scripts: Names of the console scripts it brings, sorted.
        key: Names everything it was built from; empty where that cannot be told before it is built.
    """

    filename: str
    sha256: str
    scripts: tuple[str, ...]
    key: str = ""

    @property
    def tags(self) -> frozenset[Tag]:
        """What it says it runs on (PEP 425)."""
        return parse_wheel_filename(self.filename)[3]

    def to_json(self) -> dict[str, JSON]:
        """Give values that `from_json` reads."""
        return {"filename": self.filename, "sha256": self.sha256, "scripts": list(self.scripts)}

    @classmethod
    def from_json(cls, value: Any, key: str) -> OwnWheel:  # noqa: ANN401
        """Read what `to_json` gave.

        Raises:
            ValueError: It is not that.
        """
        try:
            filename, sha256, scripts = value["filename"], value["sha256"], value["scripts"]
            parse_wheel_filename(filename)
        except (AttributeError, KeyError, TypeError, InvalidWheelFilename) as error:
            raise ValueError(f"no record of a wheel: {error}") from None
        if not isinstance(sha256, str) or not _SHA256.fullmatch(sha256) or not isinstance(scripts, list):
            raise ValueError("no record of a wheel")
        # Both are written into images and messages, and the record may be somebody else's.
        texts = [filename, *scripts]
        if not all(isinstance(text, str) and text.isprintable() and "/" not in text for text in texts):
            raise ValueError("a record of a wheel has a name that is none")
        return cls(filename=filename, sha256=sha256, scripts=tuple(scripts), key=key)


def build_own_wheel(
    project: Project,
    services: Services,
    *,
    locked: bool = False,
    known: Mapping[str, Any] | None = None,
    pip: Pip | None = None,
) -> OwnWheel:
    """Build the project's wheel in an isolated environment, or take the one built from the same sources before.

    What its backend runs on is that of ``crossdock.lock``, or is recorded there.

    Args:
        project: The project.
        services: The store, and what it is filled by.
        locked: Refuse to change ``crossdock.lock``.
        known: What was recorded elsewhere of wheels, by the key of what they were built from. One that is taken from
            there is not in the store: build it without this where the file itself is needed.
        pip: What installs what the backend runs on; None for pip itself.

    Raises:
        NoBackendError: pyproject.toml has no ``[build-system]``.
        ProjectBuildError: The backend fails, builds something else than the project's wheel, or a file cannot be read.
        ImpureProjectError: The wheel is for one platform only, so it holds code compiled for this machine.
        BuildRequirementsError: What the backend requires cannot be had.
        LockfileError: ``crossdock.lock`` cannot be read, or would have to change and may not.
        OfflineError: Something would have to be downloaded, and may not.
    """
    if not project.has_backend:
        raise NoBackendError(
            f"{project.root / 'pyproject.toml'} has no [build-system]",
            why="the project's own code enters an artifact as the wheel its backend builds",
            hint='add [build-system] with, for example, requires = ["hatchling"] and build-backend = "hatchling.build"',
        )
    lock = BuildLock.of_project(project.root, services, locked=locked)
    subject = Subject(name=project.name)
    try:
        git = repository_state(project.root, hook_environment(os.environ), versioned=project.version is None)
        recorded = None
        if git is not None:
            key = _key(source_digest(project.root), git, lock.find(subject))
            recorded = _recorded(services.store, key) or _known(known or {}, key, project)
        return recorded or _build(project, lock, subject, git, pip)
    except OSError as error:
        raise ProjectBuildError(
            f"The files of {project.name} cannot be read or copied",
            why=f"{error.filename or project.root}: {error.strerror or error}",
            hint="everything in the project's folder is read, other than what tools keep there for themselves",
        ) from None


def check_fits(wheel: OwnWheel, target: Target) -> None:
    """Check that a project's own wheel may be installed for a target.

    Raises:
        ImpureProjectError: None of its tags is one of the target's, as it is for another Python.
    """
    if wheel.tags.isdisjoint(target.tags):
        raise ImpureProjectError(
            f"{wheel.filename} does not fit {target}",
            why=f"the project's backend built it for {', '.join(sorted(map(str, wheel.tags)))} only",
            hint="let the backend build a wheel for every Python 3 (py3-none-any), or build for the Python it names",
        )


def _key(sources: str, git: str, uses: LockedBuild | None) -> str:
    python = sys.version.split()[0]
    return action_key("own-wheel/3", sources=sources, git=git, python=python, uses=requirements_key(uses))


def _recorded(store: Store, key: str) -> OwnWheel | None:
    try:
        wheel = OwnWheel.from_json(store.action(key), key)
    except ValueError:
        return None
    return wheel if store.find(wheel.sha256) is not None else None


def _known(known: Mapping[str, Any], key: str, project: Project) -> OwnWheel | None:
    try:
        wheel = OwnWheel.from_json(known.get(key), key)
    except ValueError:
        return None
    named = check_tags(wheel.filename)
    return wheel if not isinstance(named, str) and named[0] == project.name else None


def _build(project: Project, lock: BuildLock, subject: Subject, git: str | None, pip: Pip | None) -> OwnWheel:
    from crossdock.sdists.backend import Builds

    store = lock.services.store
    with scratch_folder() as scratch:
        builds = Builds(lock, scratch, pip)
        folder = builds.folder()
        copy = copy_project(project.root, folder)
        # Of the copy, not of the project: somebody may have saved a file in between. And before the backend writes.
        sources = source_digest(copy)
        try:
            path, uses = builds.wheel(subject, copy, folder)
        except BackendFailedError as error:
            raise _failed(project, error) from None
        _check_pure(project, path.name)
        scripts = _scripts(project, path)
        wheel = OwnWheel(filename=path.name, sha256=store.add_file(rewrite_wheel(path, folder)), scripts=scripts)
    lock.write(uses)
    if git is None:
        return wheel
    # What the backend runs on may only have been locked just now, so the key is not the one asked for before.
    wheel = replace(wheel, key=_key(sources, git, lock.find(subject)))
    store.record(wheel.key, wheel.to_json())
    return wheel


def _failed(project: Project, error: BackendFailedError) -> ProjectBuildError:
    return ProjectBuildError(
        error.what,
        why=error.why,
        hint=f"`python -m build --wheel {project.root}` shows more; if only that works, the backend reads what "
        "crossdock keeps from it: files outside the project, or variables (name the version in [project] instead)",
    )


def _scripts(project: Project, path: Path) -> tuple[str, ...]:
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.metadata import read_metadata

    try:
        with WheelArchive(path, path.name) as archive:
            return tuple(point.name for point in read_metadata(archive).entry_points)
    except WheelError as error:
        raise ProjectBuildError(
            f"The build backend of {project.name} built no usable wheel", why=f"{error.what}: {error.why}"
        ) from None


def _check_pure(project: Project, filename: str) -> None:
    try:
        named = check_tags(filename)
    except InvalidWheelFilename as error:
        raise ProjectBuildError(f"The build backend of {project.name} built no wheel", why=str(error)) from None
    if isinstance(named, str):
        raise ImpureProjectError(
            f"{project.name} built {filename}, which {named}",
            why="its code was compiled here, so it would not run on other targets",
            hint="move the compiled part to a package of its own that publishes wheels for every target",
        )
    if named[0] != project.name:
        raise ProjectBuildError(f"The build backend of {project.name} built {filename}, another distribution")
