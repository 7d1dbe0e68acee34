"""What builds run on, as ``crossdock.lock`` records it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from crossdock.lockfile.builds import with_build

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.lockfile.builds import LockedBuild
    from crossdock.lockfile.file import Lockfile
    from crossdock.sdists.wheelhouse import Wheelhouse
    from crossdock.services import Services
    from crossdock.store.actions import JSON
    from crossdock.store.config import IndexConfig

__all__ = ["BuildLock", "Subject", "requirements_key"]


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
        self._index = index

    @cached_property
    def wheels(self) -> Wheelhouse:
        """The wheels that builds use."""
        from crossdock.sdists.wheelhouse import Wheelhouse

        return Wheelhouse(self.services, self._index)

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
        from crossdock.lockfile.file import read_if_any

        return read_if_any(self.path)

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
        from crossdock.lockfile.file import update_lockfile

        before = self.read().find_build(build.name, build.version)
        if before != build and (before is not None or build.uses):
            update_lockfile(self.path, lambda lockfile: replace(lockfile, builds=with_build(lockfile.builds, build)))
