"""What will be built: for each target its Python, its base and every wheel, each with the reason.

``make_plan`` reads the project, its lock and ``crossdock.lock`` and decides; nothing is downloaded but what the
decisions need: an index page for a lock that holds only hashes, a suite's package list for a base not locked yet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from crossdock.bases.choose import assumed_facts, default_base, interpreter_base
from crossdock.bases.interpreter.setting import settle_debian
from crossdock.choosing.basing import Bases
from crossdock.choosing.survey import load_lock, survey_targets
from crossdock.choosing.targeting import (
    check_for_image,
    image_target,
    plain_targets,
    project_specs,
    specs,
    takes_base,
    wanted_python,
)
from crossdock.errors import PythonChoiceError
from crossdock.locks import complete
from crossdock.targets import parse_target

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.choosing.basing import ChosenBase
    from crossdock.choosing.request import Request
    from crossdock.choosing.survey import ProjectLock
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.lockfile.images import LockedImageBase
    from crossdock.lockfile.interpreters import LockedInterpreter
    from crossdock.locks import Selection
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.targets import Platform, Target

__all__ = [
    "AnyPlan",
    "Plan",
    "TargetPlan",
    "TargetWheels",
    "WheelPlan",
    "base_of",
    "lock_bases",
    "lock_missing_bases",
    "make_plan",
    "make_wheel_plan",
    "targets_of",
]


#: What a step that changes a plan's wheels takes and gives.
AnyPlan = TypeVar("AnyPlan", bound="WheelPlan")


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetWheels:
    """What of the lock one target gets.

    Attributes:
        target: The platform and its Python.
        selection: The wheels, and why each.
    """

    target: Target
    selection: Selection


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan(TargetWheels):
    """What is built into an image for one target, whose libc and Python are the base's.

    Attributes:
        base: The base's exact packages, or its layers.
        interpreter: A Python that is laid over the base, if the base's own is not the one: an archive, or packages.
        facts: What the base brings, with that Python.
    """

    base: LockedDebianBase | LockedImageBase
    interpreter: LockedInterpreter | LockedDebianBase | None = None
    facts: BaseFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelPlan:
    """What is built where there is no base: a bundle.

    Attributes:
        project_lock: The project, its lock, and which parts of it count.
        targets: One for each target, in the order asked for.
        locked: Refuse to change ``crossdock.lock``, also while building.
    """

    project_lock: ProjectLock
    targets: tuple[TargetWheels, ...]
    locked: bool = False

    @property
    def project(self) -> Project:
        """The project."""
        return self.project_lock.project


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan(WheelPlan):
    """What is built into images.

    Attributes:
        base: The base image, as configured or chosen.
    """

    targets: tuple[TargetPlan, ...]
    base: str


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
    bases = _bases(project, services)
    chosen = bases.take(wanted, locked=request.locked)
    targets = [
        image_target(project, request, spec, bases.name, item.facts) for spec, item in zip(wanted, chosen, strict=True)
    ]
    project_lock = load_lock(project, request)
    surveys = survey_targets(project_lock, targets, services)
    return Plan(
        base=bases.name,
        project_lock=project_lock,
        targets=tuple(
            TargetPlan(
                target=found.target,
                base=item.base,
                interpreter=item.interpreter,
                facts=item.facts,
                selection=complete(found),
            )
            for found, item in zip(surveys, chosen, strict=True)
        ),
        locked=request.locked,
    )


def make_wheel_plan(
    project: Project, request: Request, services: Services, *, targets: Sequence[Target] | None = None
) -> WheelPlan:
    """Decide what goes into bundles: for each target the wheels an image would have.

    Args:
        project: The project.
        request: Targets and parts of the project; what it leaves open comes from the project's settings.
        services: The store and what draws progress.
        targets: The targets, where something else than `targets_of` decides them.

    Raises:
        CrossdockError: One of the many reasons why that cannot be decided; each has its class.
    """
    targets = targets_of(project, request, services) if targets is None else targets
    project_lock = load_lock(project, request)
    surveys = survey_targets(project_lock, targets, services)
    return WheelPlan(
        project_lock=project_lock,
        targets=tuple(TargetWheels(target=found.target, selection=complete(found)) for found in surveys),
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

    def facts_of(platform: Platform) -> BaseFacts:
        bases = _bases(project, services)
        spec = next((item for item in project_specs(project) if item.platform == platform), None)
        found = bases.find(spec or parse_target(platform.spelling))
        return found.facts if found is not None else assumed_facts(bases.name)

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
    """Write ``crossdock.lock`` anew from the archive or the image as it is now, and give its path."""
    wanted = specs(project, request)
    check_for_image([spec.platform for spec in wanted])
    bases = _bases(project, services)
    bases.renew(wanted)
    return bases.path


def lock_missing_bases(project: Project, request: Request, services: Services) -> list[ChosenBase]:
    """Give the locked bases of those targets an image can be built for, locking what ``crossdock.lock`` lacks.

    Raises:
        TargetError: A spelling names no target.
        BaseError: A base cannot be locked.
    """
    if request.pythons:
        return []  # not what an image is built with
    bases = _bases(project, services)
    wanted = [spec for spec in specs(project, request) if takes_base(spec, bases.name)]
    return bases.take(wanted, locked=request.locked)


def base_of(project: Project) -> str:
    """Give the project's base: the configured one, or the newest of Debian packages whose Python fits."""
    config = project.config
    if config.base:
        return settle_debian(config.base, config.interpreter)[0]
    if config.interpreter is not None:
        return interpreter_base(config.interpreter)
    wanted = wanted_python(project)
    return default_base(wanted.version if wanted else None, project.requires_python)


def _bases(project: Project, services: Services) -> Bases:
    return Bases(project, base_of(project), services)
