"""From source to wheels: what a plan has only as source is built here, once for all targets, and proved to be pure."""

from __future__ import annotations

import os
import sys
import tomllib
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename
from packaging.version import InvalidVersion, Version

from crossdock.choosing.survey import index_config
from crossdock.errors import BackendFailedError, ImpureSourceError
from crossdock.locks import LockedFile
from crossdock.locks.choice import Choice
from crossdock.projects.repository import repository_state
from crossdock.projects.sources import source_digest
from crossdock.sdists.hooks import hook_environment, scratch_folder
from crossdock.sdists.requirements import BuildLock, Subject, requirements_key
from crossdock.steps.repositories import find_bundle, given_bundle
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from packaging.tags import Tag

    from crossdock.choosing.survey import ProjectLock
    from crossdock.lockfile.builds import LockedBuild
    from crossdock.locks import Package, Selection, SourceChoice
    from crossdock.plan import AnyPlan
    from crossdock.sdists.backend import Builds
    from crossdock.services import Services
    from crossdock.store.actions import JSON
    from crossdock.targets import Target

__all__ = ["lock_builds", "with_built_sources"]

_LARGEST_FILE = 16 << 20


def with_built_sources(plan: AnyPlan, services: Services, *, locked: bool = False) -> AnyPlan:
    """Build what a plan has only as source, or take what was built from the same source before.

    Args:
        plan: The plan; its source distributions are in the store.
        services: The store, and what it is filled by.
        locked: Refuse to change ``crossdock.lock``.

    Returns:
        The plan, in which every package is a wheel.

    Raises:
        BackendFailedError: A backend fails, or builds something else than what was locked.
        ImpureSourceError: What it builds is for this machine only, or does not fit a target.
        BuildRequirementsError: What a backend requires cannot be had.
        UnsafeSourceError: A source distribution is dangerous to unpack.
        RepositoryError: A repository cannot be read at the locked commit.
        FetchedFilesError: The set of fetched files does not have what it says it has.
        LockfileError: ``crossdock.lock`` cannot be read, or would have to change and may not.
        OfflineError: Something would have to be downloaded, and may not.
    """
    wanted = _distinct(part.selection for part in plan.targets)
    if not wanted:
        return plan
    with _workshop(plan.project_lock, services, locked=locked) as workshop:
        wheels = {key: workshop.wheel(choice) for key, choice in wanted.items()}
    targets = []
    for part in plan.targets:
        built = [_choice(choice, wheels[_identity(choice)], part.target) for choice in part.selection.builds]
        choices = sorted((*part.selection.choices, *built), key=lambda choice: choice.package.name)
        targets.append(replace(part, selection=replace(part.selection, choices=tuple(choices), builds=())))
    return replace(plan, targets=tuple(targets))


def lock_builds(project_lock: ProjectLock, selections: Sequence[Selection], services: Services) -> dict[str, str]:
    """Record in ``crossdock.lock`` what builds run on, the project's own included, without building.

    What is recorded already stays.

    Args:
        project_lock: The project and its lock.
        selections: What is selected of it; the source distributions have to be in the store.
        services: The store, and what it is filled by.

    Returns:
        The wheels that builds on this interpreter use, which are in the store now: SHA-256 to file name.

    Raises:
        SourceBuildError: As ``with_built_sources``.
        StoreError: A wheel cannot be fetched.
        OfflineError: One would have to be, and may not.
    """
    with _workshop(project_lock, services, locked=False) as workshop:
        locked = [workshop.settle(choice) for choice in _distinct(selections).values()]
        if project_lock.project.has_backend:
            locked.append(workshop.settle_project())
        return workshop.files(locked)


@dataclass(frozen=True, slots=True)
class _Wheel:
    """A wheel that was built and proved."""

    filename: str
    sha256: str

    @property
    def version(self) -> Version:
        return parse_wheel_filename(self.filename)[1]

    @property
    def tags(self) -> frozenset[Tag]:
        return parse_wheel_filename(self.filename)[3]


@dataclass(frozen=True, slots=True)
class _Source:
    """Where a package's source is.

    Attributes:
        key: What its content is a function of; None if it may not be reused.
        put: Puts a copy of it into an empty folder, and gives the project's root there.
        key_of: Gives the key of a copy, where that may have changed since.
    """

    key: JSON
    put: Callable[[Path], Path]
    key_of: Callable[[Path], JSON]


class _Workshop:
    def __init__(self, project_lock: ProjectLock, lock: BuildLock, scratch: Callable[[], Builds]) -> None:
        self._project_lock = project_lock
        self._services = lock.services
        self._lock = lock
        self._scratch = scratch

    def wheel(self, choice: SourceChoice) -> _Wheel:
        """Give the wheel of a package."""
        package, store = choice.package, self._services.store
        source, subject = self._source(choice), _subject(package)
        if source.key is not None and (found := self._recorded(_key(source.key, self._lock.find(subject)))):
            return found
        builds = self._scratch()
        folder = builds.folder()
        with _readable(package, package.source.location):
            root = source.put(folder)
            key = source.key_of(root) if source.key is not None else None
        path, uses = builds.wheel(subject, root, folder)
        self._check(package, subject, path)
        from crossdock.sdists.wheel import rewrite_wheel

        wheel = _Wheel(path.name, store.add_file(rewrite_wheel(path, folder)))
        self._lock.write(uses)
        if key is not None:
            record = {"filename": wheel.filename, "sha256": wheel.sha256}
            store.record(_key(key, self._lock.find(subject)), record)
        return wheel

    def settle(self, choice: SourceChoice) -> LockedBuild:
        """Give what a package's build runs on, and record it if it is not."""

        def put(folder: Path) -> Path:
            with _readable(choice.package, choice.package.source.location):
                return self._source(choice).put(folder)

        return self._settle(_subject(choice.package), put)

    def settle_project(self) -> LockedBuild:
        """Give what the build of the project itself runs on, and record it if it is not."""
        from crossdock.projects.backend import copy_project

        project = self._project_lock.project

        def put(folder: Path) -> Path:
            with _readable(project.name, project.root):
                return copy_project(project.root, folder)

        return self._settle(Subject(name=project.name), put)

    def files(self, locked: Iterable[LockedBuild]) -> dict[str, str]:
        """Give the wheels of this interpreter among what builds run on: SHA-256 to file name."""
        uses = list(dict.fromkeys(item for build in locked for item in build.uses))
        described = self._lock.wheels.describe(uses)
        found = (self._lock.wheels.wheel(item) for item in uses if described[item] is not None)
        return {sha256: filename for filename, sha256 in found}

    def _settle(self, subject: Subject, put: Callable[[Path], Path]) -> LockedBuild:
        if (recorded := self._lock.find(subject)) is not None:
            return recorded
        builds = self._scratch()
        folder = builds.folder()
        settled = builds.settle(subject, put(folder), folder)
        self._lock.write(settled)
        return settled

    def _recorded(self, key: str) -> _Wheel | None:
        record = self._services.store.action(key)
        if not isinstance(record, dict) or not self._services.store.find(str(record.get("sha256"))):
            return None
        return _Wheel(str(record["filename"]), str(record["sha256"]))

    def _source(self, choice: SourceChoice) -> _Source:
        package = choice.package
        if choice.file is not None:
            return self._archive(choice.file, package)
        if package.source.kind == "vcs":
            return self._repository(package)
        return self._folder(package)

    def _archive(self, file: LockedFile, package: Package) -> _Source:
        from crossdock.sdists.archive import unpack_source

        key: JSON = {"sha256": file.sha256, "subdirectory": package.source.subdirectory}

        def put(folder: Path) -> Path:
            # Backends look for git upwards of the project: not into whatever this machine's temporary files are in.
            (folder / "copy" / ".git").mkdir(parents=True)
            (folder / "copy" / "source").mkdir()
            archive = self._services.store.path(file.sha256)
            return _inside(package, unpack_source(archive, file.filename, folder / "copy" / "source"))

        return _Source(key, put, lambda _: key)

    def _repository(self, package: Package) -> _Source:
        from crossdock.sdists.repository import check_out

        source, base, services = package.source, self._project_lock.lock.path.parent, self._services
        commit = source.revision
        # The tags of a given bundle are anybody's, so what is built with them is not for builds without it.
        key: JSON = {
            "commit": commit,
            "subdirectory": source.subdirectory,
            "bundle": given_bundle(commit, services),
        }

        def put(folder: Path) -> Path:
            bundle, copy = find_bundle(commit, services), folder / "copy"
            root = check_out(source.location, commit, copy, base=base, offline=services.offline, bundle=bundle)
            return _inside(package, root)

        return _Source(key, put, lambda _: key)

    def _folder(self, package: Package) -> _Source:
        from crossdock.projects.backend import copy_project
        from crossdock.store.urls import local_path

        path = local_path(package.source.location)
        root = (self._project_lock.lock.path.parent / (path or "")).resolve()
        if path is None or not root.is_dir():
            raise BackendFailedError(
                f"The source of {package} is not there",
                why=f"{root} is not a folder",
                hint="put it where the lock says it is, or make the lock again",
            )
        with _readable(package, package.source.location):
            top = _inside(package, root)
            git = repository_state(top, hook_environment(os.environ), versioned=not _has_version(top))
            digest = None if git is None else source_digest(top)

        def key_of(folder: Path) -> JSON:
            return {"folder": source_digest(folder), "git": git}

        key: JSON = None if digest is None else {"folder": digest, "git": git}
        # The whole folder is the project; what is above a subdirectory is no more part of it than of any other.
        return _Source(key, lambda folder: copy_project(top, folder), key_of)

    def _check(self, package: Package, subject: Subject, path: Path) -> None:
        from crossdock.sdists.wheel import check_pure

        pure = check_pure(path, subject)
        if pure.name != package.name or (package.version and not _same(pure.version, package.version)):
            raise BackendFailedError(
                f"The build backend of {package} built {path.name}",
                why="that is another distribution, or another version than the locked one",
                hint="make the lock again, if its source was changed meanwhile",
            )


@contextmanager
def _workshop(project_lock: ProjectLock, services: Services, *, locked: bool) -> Iterator[_Workshop]:
    """Make a workshop whose temporary folder is only made when something has to be built."""
    from contextlib import ExitStack

    from crossdock.sdists.backend import Builds

    project, options = project_lock.project, project_lock.lock.index_options
    path = project.root / "crossdock.lock"
    lock = BuildLock(path, services, lambda: index_config(project, options), locked=locked)
    made: list[Builds] = []
    with ExitStack() as stack:

        def builds() -> Builds:
            if not made:
                made.append(Builds(lock, stack.enter_context(scratch_folder())))
            return made[0]

        yield _Workshop(project_lock, lock, builds)


def _distinct(selections: Iterable[Selection]) -> dict[tuple[str, ...], SourceChoice]:
    return {_identity(choice): choice for selection in selections for choice in selection.builds}


def _identity(choice: SourceChoice) -> tuple[str, ...]:
    source = choice.package.source
    sha256 = choice.file.sha256 if choice.file else ""
    return choice.package.name, sha256, source.location, source.revision, source.subdirectory


def _subject(package: Package) -> Subject:
    # The version of a folder may change with each release, and of what it is built with nothing does.
    version = None if package.source.kind == "directory" else package.version
    return Subject(name=package.name, version=version)


def _key(source: JSON, uses: LockedBuild | None) -> str:
    python = sys.version.split()[0]
    return action_key("source-build/1", source=source, python=python, uses=requirements_key(uses))


def _inside(package: Package, root: Path) -> Path:
    """Give the project's folder within its source."""
    top = Path(os.path.normpath(root / package.source.subdirectory))
    if not top.is_relative_to(root) or not top.is_dir():
        raise BackendFailedError(
            f"The source of {package} has no folder {package.source.subdirectory!r}",
            hint="make the lock again, if its source was changed meanwhile",
        )
    return top


@contextmanager
def _readable(package: object, location: object) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise BackendFailedError(
            f"The source of {package} cannot be read or copied",
            why=f"{error.filename or location}: {error.strerror or error}",
        ) from None


def _has_version(root: Path) -> bool:
    """Whether a project's version is in its pyproject.toml, and so does not come from git."""
    path = root / "pyproject.toml"
    try:
        if path.stat().st_size > _LARGEST_FILE:
            return False
        project = tomllib.loads(path.read_text(encoding="utf-8")).get("project", {})
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(project, dict) and isinstance(project.get("version"), str)


def _same(version: Version, locked: str) -> bool:
    try:
        return version == Version(locked)
    except InvalidVersion:
        return False


_WHAT = {"directory": "a folder", "vcs": "a repository"}


def _choice(source: SourceChoice, wheel: _Wheel, target: Target) -> Choice:
    """Give the wheel as what is chosen for a target."""
    package = source.package
    rank, tag = next(((rank, tag) for rank, tag in enumerate(target.tags, 1) if tag in wheel.tags), (0, None))
    if tag is None:
        raise ImpureSourceError(
            f"{wheel.filename}, built from the source of {package}, does not fit {target}",
            why=f"its tags are {', '.join(sorted(map(str, wheel.tags)))}",
            hint=f"build a wheel that does elsewhere and name it in [tool.crossdock.packages.{package.name}]",
        )
    what = _WHAT.get(package.source.kind, "its source distribution")
    return Choice(
        package=package if package.version else replace(package, version=str(wheel.version)),
        file=LockedFile(filename=wheel.filename, sha256=wheel.sha256),
        tag=tag,
        rank=rank,
        reason=f"built from {what}: {tag}",
        rejected=source.rejected,
        required_by=source.required_by,
    )
