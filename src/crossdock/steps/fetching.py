"""Bringing a plan's wheels and source distributions into the store, each once for all targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.choosing.survey import find_files, index_config, load_lock, survey_targets
from crossdock.errors import BasePackageGoneError, DownloadError
from crossdock.locks import Selection, complete
from crossdock.plan import debian_config, lock_missing_bases, targets_of
from crossdock.steps.built import lock_builds
from crossdock.steps.fetched import Answer, FetchedFile
from crossdock.steps.repositories import fetch_repositories

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.choosing.request import Request
    from crossdock.choosing.survey import ProjectLock
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.locks import LockedFile, Package, Survey
    from crossdock.plan import Plan
    from crossdock.projects.project import Project
    from crossdock.services import Services

__all__ = [
    "Everything",
    "fetch_bases",
    "fetch_everything",
    "fetch_files",
    "fetch_selected",
    "lock_requirements",
    "needed_files",
]

_NOT_FOUND = 404


def fetch_files(plan: Plan, services: Services) -> None:
    """Bring every wheel and source distribution of a plan that is not in the store into it.

    Raises:
        StoreError: One cannot be had, or is not the one that was locked.
        OfflineError: Some would have to be downloaded, and may not.
    """
    fetch_selected(plan.project_lock, [part.selection for part in plan.targets], services)


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
    """Bring the files of some selections into the store; arguments and errors are like those of ``fetch_files``."""
    needed = needed_files(selections)
    absent = services.missing(file.sha256 for file in needed)
    missing = {file: package for file, package in needed.items() if file.sha256 in absent}
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
    fetch_bases(bases, project, services)
    repositories = fetch_repositories(project_lock, selections, services)
    store = services.store
    named = {file.sha256: file.filename for file in needed_files(selections)}
    named |= lock_builds(project_lock, selections, services)
    named |= {sha256: f"{commit}.bundle" for commit, sha256 in repositories.items()}
    named |= {item.sha256: item.filename.rpartition("/")[2] for base in bases for item in base.packages}
    return Everything(
        targets=len(targets),
        files=tuple(
            FetchedFile(name=name, sha256=sha256, size=store.size(sha256)) for sha256, name in sorted(named.items())
        ),
        answers=_answers(project_lock, surveys, services),
        repositories=repositories,
    )


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
