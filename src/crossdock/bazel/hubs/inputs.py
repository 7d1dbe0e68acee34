"""What a hub is made from: a lock, with or without the project it is of, and which parts of it count."""

from __future__ import annotations

import json
import tomllib
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from crossdock.choosing.request import Parts, Request
from crossdock.choosing.survey import ProjectLock
from crossdock.errors import ConfigError, UnknownExtraError, UsageError
from crossdock.locks.activation import FLAT_FORMATS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence
    from pathlib import Path

    from crossdock.locks import Lock
    from crossdock.projects.project import Project

__all__ = ["Inputs", "load_inputs", "project_for", "with_overrides"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Inputs:
    """A lock and the parts of it that can be used together.

    Attributes:
        project_lock: The project and its lock, with the parts that an artifact of the project has.
        every: Those parts, and all others that exclude none of them and no other.
        asked_extras: Extras that were named beside those of the settings, sorted.
        asked_groups: Dependency groups, likewise.
        graph: Whether the lock tells what its packages need; flat ones may, and then tools do so throughout.
    """

    project_lock: ProjectLock
    every: Parts
    graph: bool
    asked_extras: tuple[str, ...] = ()
    asked_groups: tuple[str, ...] = ()

    @property
    def lock(self) -> Lock:
        """The lock."""
        return self.project_lock.lock

    @property
    def project(self) -> Project:
        """The project."""
        return self.project_lock.project

    @property
    def is_told(self) -> bool:
        """Whether the lock tells everything that a hub holds; else an index is asked for files, or what they need."""
        return self.graph and not any(package.hashes for package in self.lock.packages)

    def left_out(self) -> dict[tuple[str, str], tuple[str, ...]]:
        """Give the extras and groups that do not count, each with what it excludes; the kind is a marker variable."""
        lock = self.lock
        known = {("extras", name) for name in lock.optional} | {("dependency_groups", name) for name in lock.groups}
        counted = {("extras", name) for name in self.every.extras}
        counted |= {("dependency_groups", name) for name in self.every.groups}
        return {
            item: tuple(sorted({name for one in lock.conflicts if item in one for _, name in one - {item}}))
            for item in sorted(known - counted)
        }


def project_for(lock: Path, pyproject: Path | None) -> Project:
    """Load the project of a lock.

    Args:
        lock: The lock; where no project is named, its folder is what paths are relative to.
        pyproject: The project's pyproject.toml. One without a project, as at the root of a workspace, gives its
            settings: the lock is then that of all members.

    Raises:
        ProjectError: pyproject.toml cannot be used.
    """
    from crossdock.projects.config import read_config
    from crossdock.projects.project import Project, load_project, load_settings

    if pyproject is not None and _has_project(pyproject):
        return load_project(pyproject)
    folder = (pyproject or lock).absolute().parent
    return Project.without_sources(
        "",
        folder.resolve() if pyproject is not None else folder,
        read_config({}) if pyproject is None else load_settings(pyproject.parent),
    )


def with_overrides(project: Project, path: Path) -> Project:
    """Add to a project's settings for packages those of `crossdock.override` in MODULE.bazel.

    Args:
        project: The project.
        path: JSON: by name of a package what ``[tool.crossdock.packages.NAME]`` would hold.

    Raises:
        ConfigError: A setting is not what it must be, or both have some for one package.
    """
    from crossdock.projects.overrides import read_overrides

    try:
        given = read_overrides(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path} cannot be read as overrides", why=str(error)[:200]) from None
    own = project.config.overrides
    for name in sorted(given.keys() & own.keys()):
        raise ConfigError(
            f"crossdock.override in MODULE.bazel and [tool.crossdock.packages.{name}] both set something for {name}",
            hint="write all of it in one of them",
        )
    return replace(project, config=replace(project.config, overrides={**own, **given}))


def _has_project(pyproject: Path) -> bool:
    """Say whether a pyproject.toml is that of a project; what is wrong with it is told by whoever loads it."""
    try:
        document = tomllib.loads(pyproject.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return True
    tool = document.get("tool")
    return "project" in document or (isinstance(tool, dict) and "poetry" in tool) or not isinstance(tool, dict)


def load_inputs(
    path: Path, project: Project, *, extras: Sequence[str] = (), groups: Sequence[str] = (), frozen: bool = False
) -> Inputs:
    """Read a lock, and apply what the project sets for single packages to it.

    Args:
        path: The lock.
        project: What it is of.
        extras: Extras that count, beside those of the settings.
        groups: Dependency groups, likewise.
        frozen: Take the lock even if pyproject.toml was changed after it.

    Raises:
        LockError: The lock cannot be used.
        OverrideError: A setting for a package applies to nothing, or cannot be applied.
        UnknownExtraError: There is no such extra or group.
    """
    from crossdock.choosing.overriding import overridden
    from crossdock.locks import read_lock

    named = bool(project.name)
    read = read_lock(
        path,
        project.name or None,
        root=_common(path.absolute().parent, project.root),
        pyproject=project.document if named else None,
        frozen=frozen,
    )
    lock = overridden(project, read)
    parts = Request(extras=tuple(extras), groups=tuple(groups)).parts(project.config, lock)
    _check_known("extra", parts.extras, lock.optional.keys(), lock)
    _check_known("dependency group", parts.groups, lock.groups.keys(), lock)
    return Inputs(
        project_lock=ProjectLock(project=project, lock=lock, parts=parts),
        every=_every(lock, parts),
        graph=read.format not in FLAT_FORMATS or any(package.dependencies for package in read.packages),
        asked_extras=tuple(sorted({canonicalize_name(extra) for extra in extras})),
        asked_groups=tuple(sorted({canonicalize_name(group) for group in groups})),
    )


def _check_known(noun: str, names: Iterable[str], known: Collection[str], lock: Lock) -> None:
    for name in names:
        if canonicalize_name(name) not in known:
            raise UnknownExtraError(
                f"{lock.path} has no {noun} {name[:100]!r}",
                why=f"it has {', '.join(sorted(known))}" if known else "it has none",
                hint="name one that is there, or none: only those that exclude each other have to be named",
            )


def _common(folder: Path, root: Path) -> Path:
    """Give the folder that what a requirements file includes must be in."""
    return root if folder.is_relative_to(root) else folder


def _every(lock: Lock, parts: Parts) -> Parts:
    """Add all extras and groups that exclude nothing; which of those that do is meant, nobody but the user knows."""
    excluding = {item for one in lock.conflicts for item in one}
    extras = [name for name in sorted(lock.optional) if ("extras", name) not in excluding]
    groups = [name for name in sorted(lock.groups) if ("dependency_groups", name) not in excluding]
    return Parts(
        extras=tuple(dict.fromkeys((*map(canonicalize_name, parts.extras), *extras))),
        groups=tuple(dict.fromkeys((*map(canonicalize_name, parts.groups), *groups))),
    )
