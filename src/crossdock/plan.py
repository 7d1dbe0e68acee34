"""What will be built: for each target its Python, its base and every wheel, each with the reason.

``make_plan`` reads the project, its lock and ``crossdock.lock`` and decides; nothing is downloaded but what the
decisions need: an index page for a lock that holds only hashes, a suite's package list for a base not locked yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.bases.choose import assumed_facts, default_base
from crossdock.bases.locking import BaseLocker
from crossdock.choosing.survey import load_lock, survey_targets
from crossdock.choosing.targeting import check_for_image, image_target, plain_targets, specs, takes_base, wanted_python
from crossdock.errors import PythonChoiceError
from crossdock.locks import complete

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.bases.facts import BaseFacts
    from crossdock.choosing.request import Request
    from crossdock.choosing.survey import ProjectLock
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.locks import Selection
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.targets import Target

__all__ = [
    "Plan",
    "TargetPlan",
    "base_of",
    "debian_config",
    "lock_bases",
    "lock_missing_bases",
    "make_plan",
    "targets_of",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """What is built for one target.

    Attributes:
        target: The platform with the base's libc, and the base's Python.
        base: The base's exact packages.
        facts: What the base brings.
        selection: The wheels, and why each.
    """

    target: Target
    base: LockedDebianBase
    facts: BaseFacts
    selection: Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is built.

    Attributes:
        base: The base image, as configured or chosen.
        project_lock: The project, its lock, and which parts of it count.
        targets: One for each target, in the order asked for.
        locked: Refuse to change ``crossdock.lock``, also while building.
    """

    base: str
    project_lock: ProjectLock
    targets: tuple[TargetPlan, ...]
    locked: bool = False

    @property
    def project(self) -> Project:
        """The project."""
        return self.project_lock.project


def make_plan(project: Project, request: Request, services: Services) -> Plan:
    """Decide what to build.

    Args:
        project: The project.
        request: Targets and parts of the project; what it leaves open comes from the project's settings.
        services: The store and what draws progress.

    Raises:
        CrossdockError: One of the many reasons why that cannot be decided; each has its class.
    """
    wanted = specs(project, request)
    check_for_image([spec.platform for spec in wanted])
    locker = _locker(project, services)
    bases = locker.take((spec.platform.arch for spec in wanted), locked=request.locked)
    parts = [bases[spec.platform.arch] for spec in wanted]
    facts = [_facts(base) for base in parts]
    targets = [image_target(project, request, spec, locker.base, has) for spec, has in zip(wanted, facts, strict=True)]
    project_lock = load_lock(project, request)
    surveys = survey_targets(project_lock, targets, services)
    return Plan(
        base=locker.base,
        project_lock=project_lock,
        targets=tuple(
            TargetPlan(target=found.target, base=base, facts=has, selection=complete(found))
            for found, base, has in zip(surveys, parts, facts, strict=True)
        ),
        locked=request.locked,
    )


def targets_of(project: Project, request: Request, services: Services) -> list[Target]:
    """Complete the targets asked for, for questions that need no base and must not change ``crossdock.lock``.

    Raises:
        TargetError: A spelling names no target.
        PythonChoiceError: A Python is not one that the project runs on.
        LockfileError: ``crossdock.lock`` cannot be read.
    """
    base = _base_if_any(project, request)

    def facts_of(architecture: str) -> BaseFacts:
        locker = _locker(project, services)
        locked = locker.find(architecture)
        return _facts(locked) if locked is not None else assumed_facts(locker.base)

    return plain_targets(project, request, base, facts_of)


def _base_if_any(project: Project, request: Request) -> str | None:
    """Give the project's base; None if there is none for the Python that the project wants or the user asks for."""
    try:
        return base_of(project)
    except PythonChoiceError:
        if request.pythons or wanted_python(project):
            return None
        raise


def lock_bases(project: Project, request: Request, services: Services) -> Path:
    """Write ``crossdock.lock`` anew from the archive as it is now, and give its path."""
    wanted = specs(project, request)
    check_for_image([spec.platform for spec in wanted])
    locker = _locker(project, services)
    locker.renew(spec.platform.arch for spec in wanted)
    return locker.path


def lock_missing_bases(project: Project, request: Request, services: Services) -> list[LockedDebianBase]:
    """Give the locked bases of those targets an image can be built for, locking what ``crossdock.lock`` lacks.

    Raises:
        TargetError: A spelling names no target.
        BaseError: A base cannot be locked.
    """
    if request.pythons:
        return []  # not what an image is built with
    architectures = {spec.platform.arch for spec in specs(project, request) if takes_base(spec)}
    return list(_locker(project, services).take(architectures, locked=request.locked).values())


def base_of(project: Project) -> str:
    """Give the project's base: the configured one, or the newest whose Python fits."""
    wanted = wanted_python(project)
    return project.config.base or default_base(wanted.version if wanted else None, project.requires_python)


def _facts(base: LockedDebianBase) -> BaseFacts:
    from crossdock.bases.debian.base import facts

    return facts(base)


def _locker(project: Project, services: Services) -> BaseLocker:
    return BaseLocker(
        path=project.root / "crossdock.lock",
        base=base_of(project),
        packages=project.config.packages,
        config=debian_config(project),
        store=services.store,
        http=services.http() if services.offline else None,
        progress=services.progress,
        warn=services.warn,
    )


def debian_config(project: Project) -> DebianConfig:
    """Give the project's settings for Debian archives."""
    from crossdock.bases.debian.config import DebianConfig

    config = project.config
    keyring = project.root / config.keyring if config.keyring else None
    return DebianConfig(
        mirror=config.mirror,
        security_mirror=config.security_mirror,
        keyring=keyring,
        check_valid_until=config.check_valid_until,
    )
