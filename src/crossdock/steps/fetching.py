"""Bringing a plan's wheels and source distributions into the store, each once for all targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.choosing.basing import debian_config
from crossdock.choosing.survey import find_files, index_config, load_lock, survey_targets
from crossdock.errors import BasePackageGoneError, DownloadError
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.lockfile.images import LockedImageBase, LockedLayer
from crossdock.lockfile.interpreters import LockedInterpreter
from crossdock.locks import Selection, complete
from crossdock.plan import lock_missing_bases, targets_of
from crossdock.steps.built import lock_builds
from crossdock.steps.fetched import Answer, FetchedFile
from crossdock.steps.repositories import fetch_repositories

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.choosing.basing import BaseInput, ChosenBase
    from crossdock.choosing.request import Request
    from crossdock.choosing.survey import ProjectLock
    from crossdock.locks import LockedFile, Package, Survey
    from crossdock.plan import WheelPlan
    from crossdock.projects.project import Project
    from crossdock.services import Services

__all__ = [
    "Everything",
    "fetch_bases",
    "fetch_everything",
    "fetch_files",
    "fetch_selected",
    "fetch_to_change",
    "fetch_wanted",
    "lock_requirements",
    "needed_files",
]

_NOT_FOUND = 404


def fetch_files(plan: WheelPlan, services: Services) -> None:
    """Bring every wheel and source distribution of a plan that is not in the store into it.

    Raises:
        StoreError: One cannot be had, or is not the one that was locked.
        OfflineError: Some would have to be downloaded, and may not.
    """
    fetch_selected(plan.project_lock, [part.selection for part in plan.targets], services)


def fetch_to_change(plan: WheelPlan, services: Services) -> None:
    """Bring those files of a plan into the store that other wheels are made of: sources, and wheels to be changed.

    Raises:
        StoreError: One cannot be had, or is not the one that was locked.
        OfflineError: Some would have to be downloaded, and may not.
    """
    changed = {name for name, item in plan.project.config.overrides.items() if item.exclude or item.patches}
    wanted = {
        file: package
        for file, package in needed_files(part.selection for part in plan.targets).items()
        if package.name in changed or not file.is_wheel
    }
    fetch_wanted(plan.project_lock, wanted, services)


def needed_files(selections: Iterable[Selection]) -> dict[LockedFile, Package]:
    """List the files of some selections, each once, with the package that each is of."""
    files: dict[str, tuple[LockedFile, Package]] = {}
    for selection in selections:
        for choice in selection.choices:
            files.setdefault(choice.file.sha256, (choice.file, choice.package))
        for build in selection.builds:
            if build.file is not None:
                files.setdefault(build.file.sha256, (build.file, build.package))
    return dict(files.values())


def fetch_selected(project_lock: ProjectLock, selections: Iterable[Selection], services: Services) -> None:
    """Bring the files of some selections into the store; errors are like those of ``fetch_files``."""
    fetch_wanted(project_lock, needed_files(selections), services)


def fetch_wanted(project_lock: ProjectLock, wanted: Mapping[LockedFile, Package], services: Services) -> None:
    """Bring some files of packages into the store; errors are like those of ``fetch_files``."""
    absent = services.missing(file.sha256 for file in wanted)
    missing = {file: package for file, package in wanted.items() if file.sha256 in absent}
    if not missing:
        return
    from crossdock.store.downloads import FileRequest, fetch

    urls = _locations(project_lock, missing, services)
    requests = [FileRequest(name=file.filename, url=urls[file], sha256=file.sha256, size=file.size) for file in missing]
    config = index_config(project_lock.project, project_lock.lock.index_options)
    fetch(services.store, requests, http=services.http(config), progress=services.progress)


def fetch_bases(bases: Iterable[LockedDebianBase], project: Project, services: Services) -> None:
    """Bring the packages of some bases into the store.

    Raises:
        BasePackageGoneError: The mirror has one no longer.
        StoreError: One cannot be had, or is not the one that was locked.
        MirrorError: No mirror is known.
    """
    wanted = list(bases)
    absent = services.missing(package.sha256 for base in wanted for package in base.packages)
    if not absent:
        return
    from crossdock.bases.debian.base import debian_requests
    from crossdock.store.downloads import fetch

    config = debian_config(project)
    requests = [request for base in wanted for request in debian_requests(base, config) if request.sha256 in absent]
    try:
        fetch(services.store, requests, http=services.http(), progress=services.progress)
    except DownloadError as error:
        if error.status != _NOT_FOUND:
            raise
        raise BasePackageGoneError(
            f"A package of {wanted[0].name} in crossdock.lock is no longer on the mirror",
            why=error.what,
            hint="run `crossdock lock` for the packages of today, or name a snapshot mirror in [tool.crossdock.debian]",
        ) from None


def fetch_inputs(inputs: Iterable[BaseInput], project: Project, services: Services) -> None:
    """Bring packages and interpreters' archives that layers are made of into the store.

    Layers of base images are taken from fetched files; from their registry they come when they are copied.

    Raises:
        StoreError: One cannot be had, or is not the one that was locked.
        MirrorError: No mirror is known.
    """
    wanted = list(inputs)
    fetch_bases([item for item in wanted if isinstance(item, LockedDebianBase)], project, services)
    fetch_interpreters([item for item in wanted if isinstance(item, LockedInterpreter)], project, services)
    services.missing(item.digest.removeprefix("sha256:") for item in wanted if isinstance(item, LockedLayer))


def fetch_interpreters(interpreters: Iterable[LockedInterpreter], project: Project, services: Services) -> None:
    """Bring the archives of some interpreters into the store.

    Raises:
        StoreError: One cannot be had, or is not the one that was locked.
    """
    wanted = {item.sha256: item for item in interpreters}
    absent = services.missing(wanted)
    if not absent:
        return
    from crossdock.bases.interpreter.standalone import interpreter_requests
    from crossdock.store.downloads import fetch

    requests = interpreter_requests([item for sha256, item in wanted.items() if sha256 in absent], project.root)
    fetch(services.store, requests, http=services.http(), progress=services.progress)


@dataclass(frozen=True, slots=True, kw_only=True)
class Everything:
    """What some targets need; all of it is in the store.

    Attributes:
        targets: How many targets that is.
        files: Wheels, source distributions, bundles of repositories, what builds need, and packages of bases.
        answers: What the index said of packages that the lock knows by hashes alone.
        repositories: The SHA-256 of the bundle of each commit.
    """

    targets: int
    files: tuple[FetchedFile, ...]
    answers: tuple[Answer, ...]
    repositories: Mapping[str, str]


def fetch_everything(project: Project, request: Request, services: Services) -> Everything:
    """Bring into the store what the named targets need, and nothing else; bases not locked yet are locked.

    Raises:
        NoWheelError: A package has no file for one of the targets.
        CrossdockError: Another of the many reasons why something cannot be had; each has its class.
    """
    bases = lock_missing_bases(project, request, services)
    targets = targets_of(project, request, services)
    project_lock = load_lock(project, request)
    surveys = survey_targets(project_lock, targets, services)
    selections = [complete(found) for found in surveys]
    fetch_selected(project_lock, selections, services)
    inputs = [item for base in bases for item in base.inputs]
    fetch_inputs(inputs, project, services)
    _fetch_images(bases, project, services)
    repositories = fetch_repositories(project_lock, selections, services)
    store = services.store
    named = {file.sha256: file.filename for file in needed_files(selections)}
    named |= lock_builds(project_lock, selections, services)
    named |= {sha256: f"{commit}.bundle" for commit, sha256 in repositories.items()}
    named |= {sha256: name for item in inputs for sha256, name in _names(item)}
    return Everything(
        targets=len(targets),
        files=tuple(
            FetchedFile(name=name, sha256=sha256, size=store.size(sha256)) for sha256, name in sorted(named.items())
        ),
        answers=_answers(project_lock, surveys, services),
        repositories=repositories,
    )


def _fetch_images(bases: Iterable[ChosenBase], project: Project, services: Services) -> None:
    """Bring the layers of base images into the store."""
    from crossdock.bases.image_layers import bring_layers
    from crossdock.bases.sources import open_source
    from crossdock.bases.spec import parse_base

    for base in {item.base.name: item.base for item in bases}.values():
        if isinstance(base, LockedImageBase) and base.layers:
            source = open_source(parse_base(base.name), project.root, services.repository)
            layers = [layer for item in bases if item.base.name == base.name for layer in _layers_of(item)]
            bring_layers(source, layers, services.store, jobs=services.jobs)


def _layers_of(base: ChosenBase) -> tuple[LockedLayer, ...]:
    return base.base.layers if isinstance(base.base, LockedImageBase) else ()


def _names(item: BaseInput) -> list[tuple[str, str]]:
    """Give SHA-256 and a name of each file that an input consists of."""
    if isinstance(item, LockedDebianBase):
        return [(package.sha256, package.filename.rpartition("/")[2]) for package in item.packages]
    if isinstance(item, LockedInterpreter):
        return [(item.sha256, item.name.rpartition("/")[2])]
    sha256 = item.digest.removeprefix("sha256:")
    return [(sha256, f"{sha256}.layer")]


def lock_requirements(project: Project, request: Request, services: Services) -> None:
    """Record in ``crossdock.lock`` what the builds from source of the named targets run on, without building.

    Raises:
        CrossdockError: One of the many reasons why that cannot be found out; each has its class.
    """
    targets = targets_of(project, request, services)
    project_lock = load_lock(project, request)
    # What has no wheel at all is told by whoever builds.
    selections = [
        Selection(target=found.target, choices=(), skipped=(), builds=found.builds)
        for found in survey_targets(project_lock, targets, services)
    ]
    fetch_selected(project_lock, selections, services)
    lock_builds(project_lock, selections, services)


def _answers(project_lock: ProjectLock, surveys: Iterable[Survey], services: Services) -> tuple[Answer, ...]:
    """Take down what the index said, which the survey asked before: the store remembers it."""
    packages = {package for found in surveys for package in found.activation.packages if package.hashes}
    return tuple(
        Answer(name=package.name, version=package.version or "", files=files)
        for package, files in find_files(project_lock, packages, services).items()
    )


def _locations(
    project_lock: ProjectLock, files: Mapping[LockedFile, Package], services: Services
) -> dict[LockedFile, str]:
    """Give the URL or path of each file; those that the lock knows by name and hash alone are asked of the index."""
    known = {file: location for file in files if (location := project_lock.location(file)) is not None}
    unknown = {file: package for file, package in files.items() if file not in known}
    found = find_files(project_lock, set(unknown.values()), services)
    for file, package in unknown.items():
        same = next((other for other in found[package] if other.sha256 == file.sha256), None)
        if same is None or same.url is None:
            raise DownloadError(
                f"{file.filename} is on none of the configured indexes",
                why=f"none has a file of {package} with the SHA-256 that the lock records",
                hint="name the index that the lock was made with in pip's or uv's configuration, or lock again",
            )
        known[file] = same.url
    return known
