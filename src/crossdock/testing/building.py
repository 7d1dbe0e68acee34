"""Builds what is tested: a project's image, PEX files, zips for functions or virtual environments, where one says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from crossdock.choosing.request import Request
    from crossdock.plan import TargetWheels, WheelPlan
    from crossdock.projects.project import Project
    from crossdock.projects.test_settings import Kind
    from crossdock.services import Services
    from crossdock.targets import Target
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.platforms import Platform

__all__ = ["BuiltArtifact", "BuiltPart", "build_artifact"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltPart:
    """One file or folder.

    Attributes:
        path: Where it is.
        targets: What it is for.
    """

    path: Path
    targets: tuple[Target, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltArtifact:
    """What was built of a project.

    Attributes:
        name: The project's name.
        kind: What was built.
        parts: One file or folder for all targets, or one for each.
        planned: Normalised names of the packages whose wheels are for one platform, by platform.
        allow: The project's exceptions to the rules.
    """

    name: str
    kind: Kind
    parts: tuple[BuiltPart, ...]
    planned: dict[Platform, frozenset[str]]
    allow: tuple[Allowance, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Every file or folder."""
        return tuple(part.path for part in self.parts)

    @property
    def path(self) -> Path:
        """The only file or folder.

        Raises:
            ValueError: There are several.
        """
        if len(self.parts) != 1:
            raise ValueError(f"there are {len(self.parts)} {self.kind} artifacts, one for each target: use paths")
        return self.parts[0].path


def build_artifact(
    project: Project, kind: Kind, folder: Path, services: Services, *, targets: Sequence[str] = (), locked: bool = False
) -> BuiltArtifact:
    """Build a project by its own settings.

    Args:
        project: The project.
        kind: What to build.
        folder: Where it goes; made if need be.
        services: The store and what draws progress.
        targets: What for, as users spell it; empty for the settings' targets.
        locked: Refuse to change ``crossdock.lock``.

    Raises:
        ArtifactRefusedError: What was built is not what it should be; it was not written.
        CrossdockError: Whatever else can go wrong has its class.
    """
    from crossdock.choosing.request import Request

    make = {"image": _image, "pex": _pexes, "lambda": _functions, "venv": _venvs}[kind]
    plan, parts = make(project, Request(targets=tuple(targets), locked=locked), folder, services)
    return BuiltArtifact(
        name=project.name,
        kind=kind,
        parts=tuple(parts),
        planned=_planned(plan.targets),
        allow=project.config.allow,
    )


def _image(project: Project, request: Request, folder: Path, services: Services) -> tuple[WheelPlan, list[BuiltPart]]:
    from crossdock.build import build_image
    from crossdock.oci.reference import parse_reference
    from crossdock.plan import make_plan
    from crossdock.steps.outputs import Outputs
    from crossdock.steps.stack import LayerForm

    plan = make_plan(project, request, services)
    path = folder / f"{project.name}_image"
    form = LayerForm(compression=project.config.compression)
    build_image(plan, services, Outputs(reference=parse_reference(project.name), layout=path, form=form))
    return plan, [BuiltPart(path=path, targets=tuple(part.target for part in plan.targets))]


def _pexes(project: Project, request: Request, folder: Path, services: Services) -> tuple[WheelPlan, list[BuiltPart]]:
    from crossdock.bundles.pex.entry import asked_by_setting
    from crossdock.bundling.pexes import PexWish, make_pexes
    from crossdock.plan import make_wheel_plan

    settings = project.config.pex
    own = settings.entrypoint
    wish = PexWish(
        folder=folder,
        layout=settings.layout,
        multi_platform=settings.multi_platform,
        options=settings.options,
        entry=asked_by_setting(project.config.entrypoint if own is None else own),
        clear=True,
    )
    plan = make_wheel_plan(project, request, services)
    return plan, [BuiltPart(path=pex.path, targets=pex.targets) for pex in make_pexes(plan, services, wish)]


def _functions(
    project: Project, request: Request, folder: Path, services: Services
) -> tuple[WheelPlan, list[BuiltPart]]:
    from crossdock.bundling.function_targets import function_targets
    from crossdock.bundling.functions import FunctionOptions, check_functions, make_functions
    from crossdock.plan import make_wheel_plan

    options = FunctionOptions(folder=folder)
    targets = function_targets(project, request)
    check_functions(project, targets, options)
    plan = make_wheel_plan(project, request, services, targets=targets)
    made = make_functions(plan, services, options)
    return plan, [BuiltPart(path=item.path, targets=(item.target,)) for item in made.zips]


def _venvs(project: Project, request: Request, folder: Path, services: Services) -> tuple[WheelPlan, list[BuiltPart]]:
    from crossdock.bundling.venvs import VenvOptions, make_venvs
    from crossdock.plan import make_wheel_plan

    plan = make_wheel_plan(project, request, services)
    output = folder if len(plan.targets) > 1 else folder / f"{project.name}_venv"
    made = make_venvs(plan, services, VenvOptions(output=output, clear=True))
    return plan, [BuiltPart(path=item.path, targets=(item.target,)) for item in made]


def _planned(parts: Iterable[TargetWheels]) -> dict[Platform, frozenset[str]]:
    """Name the packages of which each platform gets a wheel of its own, whatever its Python."""
    from crossdock.verify.targets import claim_of

    found: dict[Platform, frozenset[str]] = {}
    for part in parts:
        platform = claim_of(part.target, "bundle").platform
        names = frozenset(
            choice.package.name for choice in part.selection.choices if _is_for_platform(choice.file.filename)
        )
        found[platform] = found.get(platform, names) & names
    return found


def _is_for_platform(filename: str) -> bool:
    # A package that is built from source says by its wheel, not by its lock, what it is for.
    return filename.endswith(".whl") and all(tag.platform != "any" for tag in parse_wheel_filename(filename)[3])
