"""What a project's lock gives for its targets: the lock found and read, then selected from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossdock.choosing.overriding import overridden
from crossdock.errors import MissingLockError
from crossdock.locks import activate, find_lock, read_lock, survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from crossdock.choosing.request import Parts, Request
    from crossdock.locks import IndexOptions, Lock, LockedFile, Package, Survey
    from crossdock.projects.project import Project
    from crossdock.services import Services
    from crossdock.store.config import IndexConfig
    from crossdock.targets import Target

__all__ = ["ProjectLock", "find_files", "find_project_lock", "index_config", "load_lock", "survey_targets"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectLock:
    """A project's lock, and which parts of it count.

    Attributes:
        project: The project.
        lock: Its lock.
        parts: Extras and groups.
    """

    project: Project
    lock: Lock
    parts: Parts

    def location(self, file: LockedFile) -> str | None:
        """Give the URL or absolute path of a file; None if an index has to be asked for it."""
        if file.url is not None or file.path is None:
            return file.url
        return str((self.lock.path.parent / file.path).resolve())


def load_lock(project: Project, request: Request) -> ProjectLock:
    """Find and read a project's lock, and apply what the project sets for single packages to it.

    Raises:
        LockError: There is none, there are several, or it cannot be used.
        OverrideError: A setting for a package applies to nothing, or cannot be applied.
    """
    lock = read_lock(
        find_project_lock(project), project.name, root=project.root, pyproject=project.document, frozen=request.frozen
    )
    lock = overridden(project, lock)
    return ProjectLock(project=project, lock=lock, parts=request.parts(project.config, lock))


def find_project_lock(project: Project) -> Path:
    """Find the lock: the project's own, or that of the workspace it is a member of.

    Raises:
        MissingLockError: There is none.
        AmbiguousLockError: There are several, and no setting names one.
    """
    from crossdock.projects.workspace import find_workspace

    try:
        return find_lock(project.root, project.config.lock)
    except MissingLockError:
        workspace = None if project.config.lock else find_workspace(project.root)
        if workspace is None or workspace.root == project.root:
            raise
        return find_lock(workspace.root)


def survey_targets(project_lock: ProjectLock, targets: Sequence[Target], services: Services) -> list[Survey]:
    """Find a file for every package of every target, in the targets' order.

    Raises:
        SelectionError: Which packages are needed cannot be decided.
        StoreError: The index had to be asked, and gave no answer.
    """
    files = _resolve_hashes(project_lock, targets, services)
    parts = project_lock.parts
    return [
        survey(
            project_lock.lock,
            target,
            parts.extras,
            parts.groups,
            candidates=files.__getitem__,
            include_project=parts.include_project,
        )
        for target in targets
    ]


def index_config(project: Project, options: IndexOptions) -> IndexConfig:
    """Give the package indexes of the user's configuration; what the lock itself names goes first, as in pip."""
    from crossdock.store.config import load_index_config

    config = load_index_config(project.root)
    return replace(
        config,
        index_url="" if options.no_index else options.index_url or config.index_url,
        extra_index_urls=() if options.no_index else (*options.extra_index_urls, *config.extra_index_urls),
        find_links=(*options.find_links, *config.find_links),
    )


def _resolve_hashes(
    project_lock: ProjectLock, targets: Sequence[Target], services: Services
) -> dict[Package, tuple[LockedFile, ...]]:
    """Ask the index which files have the hashes of packages that come without file names."""
    lock, parts = project_lock.lock, project_lock.parts
    if not any(package.hashes for package in lock.packages):
        return {}
    packages = {
        package
        for target in targets
        for package in activate(
            lock,
            target.environment,
            parts.extras,
            parts.groups,
            target=str(target),
            include_project=parts.include_project,
        ).packages
        if package.hashes
    }
    return find_files(project_lock, packages, services)


def find_files(
    project_lock: ProjectLock, packages: Iterable[Package], services: Services
) -> dict[Package, tuple[LockedFile, ...]]:
    """Ask the index for the files that have the hashes of some packages.

    Raises:
        StoreError: It gave no answer that can be used.
        OfflineError: It may not be asked, and was not before.
    """
    from crossdock.locks import LockedFile
    from crossdock.store.index import HashQuery, find_many

    known = {package: files for package in packages if (files := _fetched_answer(package, services)) is not None}
    ordered = sorted(
        (package for package in packages if package not in known), key=lambda item: (item.name, item.version or "")
    )
    if not ordered:
        return known
    queries = [
        HashQuery(
            name=package.name,
            version=package.version or "",
            sha256s=tuple(sorted(_hashes(package))),
            index=_index_of(package),
        )
        for package in ordered
    ]
    config = index_config(project_lock.project, project_lock.lock.index_options)
    # Without a client one is made only if there is anything to ask.
    found = find_many(services.store, services.http(config) if services.offline else None, config, queries)
    return known | {
        package: tuple(
            LockedFile(
                filename=file.filename,
                sha256=file.sha256 or "",
                size=file.size,
                url=file.url,
                metadata_sha256=file.metadata_sha256,
            )
            for file in files
        )
        for package, files in zip(ordered, found, strict=True)
    }


def _hashes(package: Package) -> frozenset[str]:
    return package.hashes or frozenset(file.sha256 for file in package.files)


def _fetched_answer(package: Package, services: Services) -> tuple[LockedFile, ...] | None:
    if services.fetched is None:
        return None
    return services.fetched.answer(package.name, package.version or "", _hashes(package))


def _index_of(package: Package) -> str | None:
    """Give the index that a lock names for a package, if it is one that can be asked."""
    location = package.source.location
    return location if package.source.kind == "registry" and location.startswith(("http://", "https://")) else None
