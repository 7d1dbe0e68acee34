"""What a lock says has to be in an artifact that lies there finished."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from crossdock.errors import MissingLockError, ProjectError, TargetNotLockedError, UsageError
from crossdock.locks import activate, read_lock
from crossdock.projects.project import load_project

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.choosing.survey import ProjectLock
    from crossdock.locks import Lock
    from crossdock.projects.project import Project
    from crossdock.steps.meant import Meant
    from crossdock.targets import Target
    from crossdock.verify.report import ImageReport

__all__ = ["Wanted", "wanted_by_file", "wanted_by_project"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What artifacts are compared with.

    Attributes:
        lock: The lock.
        extras: Extras of the project that count.
        groups: Dependency groups that count; None for the lock's default groups.
        include_project: Whether what the project itself needs counts.
        own: Normalised name of the project; empty if there is none.
        version: Its version; None if only a build tells it.
        waived: Names of packages that may be missing though another needs them.
    """

    lock: Lock
    extras: tuple[str, ...] = ()
    groups: tuple[str, ...] | None = None
    include_project: bool = True
    own: str = ""
    version: str | None = None
    waived: frozenset[str] = field(default_factory=frozenset)

    def claimed(self, meant: Meant) -> Meant:
        """Add to what an artifact is for what the lock has for it.

        Raises:
            SelectionError: The lock is not for that target, or which packages are needed cannot be decided.
            UsageError: The target may be run by Pythons for which the lock has different packages.
        """
        found: dict[Target, dict[str, str]] = {}
        refused: list[TargetNotLockedError] = []
        for target in meant.targets:
            try:
                found[target] = self._packages(target)
            except TargetNotLockedError as error:
                refused.append(error)
        if not found and refused:
            raise refused[0]
        packages = next(iter(found.values()), {})
        if any(other != packages for other in found.values()):
            raise UsageError(
                f"what {self.lock.path} has for {meant.platform} depends on the Python",
                hint="name it, as in --python 3.12",
            )
        # A Python that the lock is not for is none that the artifact is for.
        claim = replace(meant.claim, targets=tuple(found), lock=packages, waived=self.waived)
        return replace(meant, claim=claim, targets=tuple(found))

    def _packages(self, target: Target) -> dict[str, str]:
        activation = activate(
            self.lock,
            target.environment,
            self.extras,
            self.groups,
            target=str(target),
            include_project=self.include_project,
        )
        found = {
            item.package.name: item.package.version or ""
            for item in activation.active
            if item.package.source.kind != "virtual"
        }
        return {**found, **({self.own: self.version or ""} if self.own else {})}

    def pardoned(self, report: ImageReport) -> ImageReport:
        """Leave out what the lock does not say: the version of a source tree, and whether the project itself is there.

        Code that is copied instead of installed is no distribution, and a lock does not always say the project's own
        version.
        """
        unversioned = {item.name for item in self.lock.packages if item.version is None}
        unversioned |= {self.own} if self.own and self.version is None else set()

        def is_said(code: str, package: str | None) -> bool:
            name = canonicalize_name((package or "").partition(" ")[0])
            return (code == "package-missing" and name == self.own) or (
                code == "package-version" and name in unversioned
            )

        return replace(report, findings=tuple(item for item in report.findings if not is_said(item.code, item.package)))


def wanted_by_file(path: Path, extras: Sequence[str] = (), groups: Sequence[str] = ()) -> Wanted:
    """Compare with a lock file, without the settings of any project.

    A project beside the lock is only known by its name: what it is itself is in no lock.

    Args:
        path: The lock; its name says the format.
        extras: Extras of the project that count.
        groups: Dependency groups that count, beside the lock's default groups.

    Raises:
        LockError: It cannot be read.
    """
    if not path.is_file():
        raise MissingLockError(f"There is no lock file {path}")
    project: Project | None = None
    with contextlib.suppress(ProjectError):
        project = load_project(path.parent)
    lock = read_lock(
        path, project.name if project else None, pyproject=project.document if project else None, frozen=True
    )
    chosen = tuple(dict.fromkeys((*lock.default_groups, *map(canonicalize_name, groups)))) if groups else None
    return Wanted(
        lock=lock,
        extras=tuple(map(canonicalize_name, extras)),
        groups=chosen,
        own=project.name if project else lock.project or "",
        version=project.version if project else None,
    )


def wanted_by_project(project_lock: ProjectLock) -> Wanted:
    """Compare with a project's lock, and with those parts of it that an artifact is built from."""
    project, parts = project_lock.project, project_lock.parts
    return Wanted(
        lock=project_lock.lock,
        extras=parts.extras,
        groups=parts.groups,
        include_project=parts.include_project,
        own=project.name,
        version=project.version,
        waived=project.config.waived,
    )
