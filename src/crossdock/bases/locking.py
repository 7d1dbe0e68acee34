"""Taking bases from ``crossdock.lock``, and completing or renewing that file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossdock.bases.choose import check_base
from crossdock.errors import LockfileError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.lockfile.file import Lockfile
    from crossdock.store.blobs import Store
    from crossdock.store.http import HttpClient
    from crossdock.store.progress import Progress

__all__ = ["BaseLocker"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLocker:
    """A project's ``crossdock.lock``, and what is needed to write it.

    Attributes:
        path: The file.
        base: The project's base, such as ``debian:bookworm``.
        packages: Debian packages beside those of every base.
        config: Settings for Debian archives.
        store: Where package lists are kept.
        http: How the archive is read; None for a client made when there is need of it.
        progress: What draws how far downloads are.
        warn: Told what a user should know of how the lock was made.
    """

    path: Path
    base: str
    packages: tuple[str, ...]
    config: DebianConfig
    store: Store
    http: HttpClient | None
    progress: Progress | None
    warn: Callable[[str], None]

    def take(self, architectures: Iterable[str], *, locked: bool) -> dict[str, LockedDebianBase]:
        """Give the base for each architecture, locking those that the file does not cover yet.

        Args:
            architectures: OCI's names.
            locked: Refuse to change the file instead.

        Raises:
            LockfileError: The file cannot be read, or would have to change and may not.
            BaseError: The base cannot be locked.
        """
        check_base(self.base)
        wanted = sorted(set(architectures))
        lockfile = self._read()
        missing = [architecture for architecture in wanted if self._find(lockfile, architecture) is None]
        if missing and locked:
            raise LockfileError(
                f"{self.path} does not cover {self.base} for {', '.join(missing)}",
                why="with --locked it may not be changed",
                hint="run `crossdock lock` and commit the file",
            )
        if missing:
            lockfile = self._lock(missing, self._read)
        found = {architecture: self._find(lockfile, architecture) for architecture in wanted}
        return {architecture: base for architecture, base in found.items() if base is not None}

    def find(self, architecture: str) -> LockedDebianBase | None:
        """Give the base as it is locked for an OCI architecture, if it is.

        Raises:
            LockfileError: The file cannot be read.
        """
        check_base(self.base)
        return self._find(self._read(), architecture)

    def renew(self, architectures: Iterable[str]) -> None:
        """Lock the base for some architectures from the archive as it is now, whatever the file says.

        Other architectures of the same base stay as they are. What builds from source run on is forgotten, so that it
        is found anew when it is next needed. A file that cannot be read is replaced.

        Raises:
            BaseError: The base cannot be locked.
        """
        self._lock(architectures, self._read_to_renew)

    def _lock(self, architectures: Iterable[str], read: Callable[[], Lockfile]) -> Lockfile:
        """Lock bases, then put them into the file as it is by then: another process may have written it meanwhile."""
        from crossdock.bases.debian.base import lock_debian
        from crossdock.lockfile.file import write_lockfile

        suite = check_base(self.base)
        bases = [
            lock_debian(
                suite,
                architecture,
                packages=self.packages,
                config=self.config,
                store=self.store,
                http=self.http,
                progress=self.progress,
            )
            for architecture in sorted(set(architectures))
        ]
        lockfile = read()
        # What was locked for a base the project has no longer goes.
        lockfile = replace(lockfile, bases=tuple(base for base in lockfile.bases if base.name == self.base))
        for base in bases:
            lockfile = lockfile.with_base(base)
        write_lockfile(self.path, lockfile)
        for warning in dict.fromkeys(warning for base in bases for warning in base.warnings):
            self.warn(warning)
        return lockfile

    def _find(self, lockfile: Lockfile, architecture: str) -> LockedDebianBase | None:
        """A base that was locked with other extra packages does not count."""
        found = lockfile.find(self.base, architecture)
        return found if found is not None and found.requested == tuple(sorted(set(self.packages))) else None

    def _read_to_renew(self) -> Lockfile:
        from crossdock.lockfile.file import Lockfile

        try:
            return replace(self._read(), builds=())
        except LockfileError as error:
            self.warn(f"{error.what}; it is replaced")
            return Lockfile()

    def _read(self) -> Lockfile:
        from crossdock.lockfile.file import Lockfile, read_lockfile

        return read_lockfile(self.path) if self.path.exists() else Lockfile()
