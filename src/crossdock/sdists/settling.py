"""Settling what one build runs on: taken from ``crossdock.lock``, or resolved to be recorded there."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import Version

from crossdock.errors import BuildRequirementsError, LockfileError, OfflineError
from crossdock.lockfile.builds import LockedBuild, LockedRequirement, pool
from crossdock.sdists.needs import Unmet, close, parse_requirements
from crossdock.sdists.pip import Pip, ResolutionFailedError
from crossdock.store.urls import local_path

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from crossdock.sdists.pip import BuildEnvironment, Resolved
    from crossdock.sdists.requirements import BuildLock, Subject

__all__ = ["Settling"]


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
        self._outdated = False

    def static(self, requirements: Iterable[str], folder: Path) -> None:
        """Install what pyproject.toml requires; errors as ``dynamic``."""
        self._requires = tuple(sorted(set(requirements)))
        if self._entry is not None and self._entry.requires != self._requires:
            self._entry, self._outdated = None, True
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
                return [self._recorded(item, known) for item in found]
            except ResolutionFailedError as error:
                failure = error
        raise BuildRequirementsError(
            f"What the build of {self._subject} requires cannot be found: {', '.join(self._asked)}",
            why=str(failure),
            hint="only wheels count; name an index that has them in pip's or uv's configuration",
        )

    def _recorded(self, found: Resolved, known: Iterable[LockedRequirement]) -> LockedRequirement:
        """Give what is to be recorded of a version: what is recorded already stays, and nobody may replace a file."""
        name, version = canonicalize_name(found.name), Version(found.version)
        before = next((item for item in known if item.name == name and Version(item.version) == version), None)
        if before is not None and found.sha256 in before.sha256s:
            return before
        now = self._lock.wheels.lock(found.name, found.version, found.sha256)
        if before is not None and (gone := sorted(set(before.sha256s) - set(now.sha256s))):
            raise BuildRequirementsError(
                f"The wheels of {before}, which the build of {self._subject} requires, are not those that were locked",
                why=f"{self._lock.path.name} records the SHA-256 {gone[0]}, and the index has no such file",
                hint="find out why; if the files of today are to be trusted, run `crossdock lock`",
            )
        return now

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
        if config.ca_bundle:
            settings["PIP_CERT"] = config.ca_bundle
        if config.keyring:
            settings["PIP_KEYRING_PROVIDER"] = "subprocess"
        return settings

    def _not_locked(self, found: Sequence[LockedRequirement] | Unmet) -> LockfileError:
        why = "what it requires has changed since" if self._outdated else "nothing is recorded for it"
        if isinstance(found, Unmet):
            why = f"{found.requirement} is not met"
        return LockfileError(
            f"{self._lock.path} does not cover what the build of {self._subject} requires",
            why=f"{why}, and with --locked the file may not be changed",
            hint="run the command without --locked and commit the file",
        )
