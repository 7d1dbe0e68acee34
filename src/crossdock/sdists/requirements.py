"""What each build runs on: taken from ``crossdock.lock``, or resolved and recorded there."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from crossdock.errors import BuildRequirementsError, LockfileError, OfflineError
from crossdock.sdists.locked import LockedBuild, LockedRequirement, pool, with_build
from crossdock.sdists.needs import Unmet, close, parse_requirements
from crossdock.sdists.pip import Pip, ResolutionFailedError
from crossdock.sdists.wheelhouse import Wheelhouse
from crossdock.store.urls import local_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    from crossdock.bases.lockfile import Lockfile
    from crossdock.sdists.pip import BuildEnvironment
    from crossdock.services import Services
    from crossdock.store.actions import JSON
    from crossdock.store.config import IndexConfig

__all__ = ["BuildLock", "Settling", "Subject", "requirements_key"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is built, as ``crossdock.lock`` names it.

    Attributes:
        name: Normalised name.
        version: Its version; None for source trees, whose version may change from day to day.
    """

    name: str
    version: str | None = None

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name


def requirements_key(build: LockedBuild | None) -> JSON:
    """Give what tells one set of build requirements from others, as part of an action's key."""
    return [] if build is None else [[item.name, item.version, list(item.sha256s)] for item in build.uses]


class BuildLock:
    """The part of a ``crossdock.lock`` that says what builds run on.

    Args:
        path: The file; it is made if there is need of it.
        services: The store, and what it is filled by.
        index: Gives where packages are looked for.
        locked: Refuse to change the file instead.
    """

    def __init__(self, path: Path, services: Services, index: Callable[[], IndexConfig], *, locked: bool) -> None:
        self.path = path
        self.services = services
        self.locked = locked
        self.wheels = Wheelhouse(services, index)

    @classmethod
    def of_project(cls, root: Path, services: Services, *, locked: bool) -> BuildLock:
        """Give that of the project in a folder, with the indexes of the user's configuration."""
        from crossdock.store.config import load_index_config

        return cls(root / "crossdock.lock", services, lambda: load_index_config(root), locked=locked)

    def read(self) -> Lockfile:
        """Read the file as it is now.

        Raises:
            LockfileError: It cannot be read.
        """
        from crossdock.bases.lockfile import Lockfile, read_lockfile

        return read_lockfile(self.path) if self.path.exists() else Lockfile()

    def find(self, subject: Subject) -> LockedBuild | None:
        """Give what is recorded for a build.

        Raises:
            LockfileError: The file cannot be read.
        """
        return self.read().find_build(subject.name, subject.version)

    def write(self, build: LockedBuild) -> None:
        """Record a build in the file, unless it says the same already, or there is nothing to record.

        Raises:
            LockfileError: It cannot be read or written.
        """
        from crossdock.bases.lockfile import write_lockfile

        lockfile = self.read()
        before = lockfile.find_build(build.name, build.version)
        if before != build and (before is not None or build.uses):
            write_lockfile(self.path, replace(lockfile, builds=with_build(lockfile.builds, build)))


class Settling:
    """Settles what one build runs on, and installs it: first what pyproject.toml asks for, then what the backend does.

    Args:
        lock: What is recorded.
        subject: What is built.
        environment: Where it is built.
        pip: What resolves and installs.
    """

    def __init__(self, lock: BuildLock, subject: Subject, environment: BuildEnvironment, pip: Pip) -> None:
        self._lock = lock
        self._subject = subject
        self._environment = environment
        self._pip = pip
        self._asked: list[str] = []
        self._installed: set[LockedRequirement] = set()
        self._chosen: list[LockedRequirement] = []
        lockfile = lock.read()
        self._entry = lockfile.find_build(subject.name, subject.version)
        self._pool = pool(lockfile.builds)
        self._requires: tuple[str, ...] = ()

    def static(self, requirements: Iterable[str], folder: Path) -> None:
        """Install what pyproject.toml requires; errors as ``dynamic``."""
        self._requires = tuple(sorted(set(requirements)))
        if self._entry is not None and self._entry.requires != self._requires:
            self._entry = None
        self.dynamic(self._requires, folder)

    def dynamic(self, requirements: Iterable[str], folder: Path) -> None:
        """Install what the backend requires besides.

        Args:
            requirements: As in PEP 508.
            folder: For copies of the wheels.

        Raises:
            LockfileError: The record does not suffice, and may not be changed.
            BuildRequirementsError: They cannot be met.
            StoreError: A wheel cannot be fetched.
            OfflineError: One would have to be.
        """
        self._asked += sorted(set(requirements) - set(self._asked))
        parsed = parse_requirements(self._asked, str(self._subject))
        known = [*self._chosen, *(self._entry.uses if self._entry else ()), *self._pool]
        found = close(parsed, known, self._lock.wheels.describe)
        recorded = set(self._entry.uses if self._entry else ())
        if self._lock.locked and (isinstance(found, Unmet) or not recorded.issuperset(found)):
            raise self._not_locked(found)
        if isinstance(found, Unmet):
            found = close(parsed, self._resolve(known), self._lock.wheels.describe)
        if isinstance(found, Unmet):
            raise BuildRequirementsError(
                f"{found.requirement}, which the build of {self._subject} requires, cannot be had for this Python",
                why="no wheel on the configured indexes meets it",
                hint="name an index that has one in pip's or uv's configuration",
            )
        self._chosen = found
        self._install(folder)

    def record(self) -> LockedBuild:
        """Give what was used, and what the record says is used on other systems."""
        others = self._entry.uses if self._entry else ()
        names = {item.name for item in self._chosen}
        uses = (*self._chosen, *(item for item in others if item.name not in names))
        return LockedBuild(
            name=self._subject.name,
            version=self._subject.version,
            requires=self._requires,
            uses=tuple(sorted(uses, key=lambda item: item.name)),
        )

    def _install(self, folder: Path) -> None:
        new = [item for item in self._chosen if item not in self._installed]
        if not new:
            return
        folder.mkdir(parents=True, exist_ok=True)
        wheels = {}
        for item in new:
            filename, sha256 = self._lock.wheels.wheel(item)
            # A copy and not a link: what a backend does to it must not be done to the store.
            shutil.copyfile(self._lock.services.store.path(sha256), folder / filename)
            wheels[folder / filename] = sha256
        self._pip.install(self._environment, wheels)
        self._installed.update(new)

    def _resolve(self, known: Sequence[LockedRequirement]) -> list[LockedRequirement]:
        """Ask pip, which is to keep to what is known where that is possible."""
        settings = self._settings()
        parsed = parse_requirements(self._asked, str(self._subject))
        kept: dict[str, str] = {}
        for item in known:
            kept.setdefault(item.name, item.version)
        for requirement in parsed:
            name = canonicalize_name(requirement.name)
            if name in kept and not requirement.specifier.contains(kept[name], prereleases=True):
                del kept[name]
        constraints = [f"{name}=={version}" for name, version in kept.items()]
        for attempt in (constraints, []) if constraints else ([],):
            try:
                found = self._pip.resolve(self._environment, self._asked, attempt, settings)
                return [self._lock.wheels.lock(item.name, item.version, item.sha256) for item in found]
            except ResolutionFailedError as error:
                failure = error
        raise BuildRequirementsError(
            f"What the build of {self._subject} requires cannot be found: {', '.join(self._asked)}",
            why=str(failure),
            hint="only wheels count; name an index that has them in pip's or uv's configuration",
        )

    def _settings(self) -> dict[str, str]:
        """Give pip the same places to look in that everything else comes from."""
        config, offline = self._lock.wheels.config, self._lock.services.offline
        links = [link for link in config.find_links if not offline or local_path(link) is not None]
        if offline and not links:
            raise OfflineError(
                f"What the build of {self._subject} requires is not recorded in {self._lock.path.name}",
                why="finding it needs the network: " + ", ".join(self._asked),
                hint="run the command once without --offline, and commit crossdock.lock",
            )
        settings = {"PIP_FIND_LINKS": " ".join(links), "PIP_EXTRA_INDEX_URL": " ".join(config.extra_index_urls)}
        if config.index_url:
            settings["PIP_INDEX_URL"] = config.index_url
        if config.index_url == "" or offline:
            settings["PIP_NO_INDEX"] = "1"
        if config.keyring:
            settings["PIP_KEYRING_PROVIDER"] = "subprocess"
        return settings

    def _not_locked(self, found: Sequence[LockedRequirement] | Unmet) -> LockfileError:
        why = f"{found.requirement} is not met" if isinstance(found, Unmet) else "nothing is recorded for it"
        return LockfileError(
            f"{self._lock.path} does not cover what the build of {self._subject} requires",
            why=f"{why}, and with --locked the file may not be changed",
            hint="run the command without --locked and commit the file",
        )
