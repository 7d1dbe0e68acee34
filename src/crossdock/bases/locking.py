"""Taking bases from ``crossdock.lock``, and completing or renewing that file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from crossdock.bases.platforms import fitness, platform_of, wanted_platform
from crossdock.bases.spec import parse_base
from crossdock.errors import BaseImageError, LockfileError, MissingPlatformError, RegistryNotFoundError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.bases.spec import BaseSpec
    from crossdock.lockfile.bases import LockedDebianBase
    from crossdock.lockfile.file import Lockfile
    from crossdock.lockfile.images import LockedImageBase
    from crossdock.oci.content import ImageSource
    from crossdock.store.blobs import Store
    from crossdock.store.http import HttpClient
    from crossdock.store.progress import Progress
    from crossdock.targets import Platform
    from crossdock.verify.platforms import Platform as ImagePlatform

__all__ = ["BaseLocker", "LockedBase"]

#: A base as ``crossdock.lock`` has it.
LockedBase: TypeAlias = "LockedDebianBase | LockedImageBase"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseLocker:
    """A project's ``crossdock.lock``, and what is needed to write it.

    Attributes:
        path: The file.
        base: The project's base, such as ``debian:bookworm`` or ``python:3.12-slim``.
        packages: Debian packages beside those of every base.
        config: Settings for Debian archives.
        store: Where package lists and layers are kept.
        http: How the archive is read; None for a client made when there is need of it.
        progress: What draws how far downloads are.
        warn: Told what a user should know of how the lock was made.
        open_source: Gives the place where a base image is.
        keep: Names of further bases that the project has, an interpreter of Debian packages for one: they stay when
            the file is renewed. Until then all do, as whoever tries another base comes back to the one that is locked.
        jobs: How much is downloaded at once.
    """

    path: Path
    base: str
    packages: tuple[str, ...]
    config: DebianConfig
    store: Store
    http: HttpClient | None
    progress: Progress | None
    warn: Callable[[str], None]
    open_source: Callable[[BaseSpec], ImageSource]
    keep: tuple[str, ...] = ()
    jobs: int = 4

    def take(self, platforms: Iterable[Platform], *, locked: bool) -> dict[Platform, LockedBase]:
        """Give the base for each platform, locking those that the file does not cover yet.

        Args:
            platforms: What targets want; the C library in them counts for nothing here.
            locked: Refuse to change the file instead.

        Raises:
            LockfileError: The file cannot be read, or would have to change and may not.
            BaseError: The base cannot be locked.
            RegistryError: The base's registry cannot be read.
        """
        spec = parse_base(self.base)
        wanted = list(dict.fromkeys(platforms))
        lockfile = self._read()
        missing = [platform for platform in wanted if self._find(lockfile, spec, platform) is None]
        if missing and locked:
            names = dict.fromkeys("/".join(filter(None, (item.arch, item.variant))) for item in missing)
            raise LockfileError(
                f"{self.path} does not cover {self.base} for {', '.join(sorted(names))}",
                why="with --locked it may not be changed",
                hint="run `crossdock lock` and commit the file",
            )
        if missing:
            lockfile = self._lock(spec, missing, beside=lockfile)
        found = {platform: self._find(lockfile, spec, platform) for platform in wanted}
        return {platform: base for platform, base in found.items() if base is not None}

    def find(self, platform: Platform) -> LockedBase | None:
        """Give the base as it is locked for a platform, if it is.

        Raises:
            LockfileError: The file cannot be read.
            UnsupportedBaseError: The base is none.
        """
        return self._find(self._read(), parse_base(self.base), platform)

    def renew(self, platforms: Iterable[Platform]) -> None:
        """Lock the base for some platforms from the archive or the image as it is now, whatever the file says.

        Other architectures of the same base stay as they are; other bases go. What builds from source run on is
        forgotten, so that it is found anew when it is next needed. A file that cannot be read is replaced.

        Raises:
            BaseError: The base cannot be locked.
            RegistryError: The base's registry cannot be read.
        """
        self._lock(parse_base(self.base), list(dict.fromkeys(platforms)), beside=None)

    def _lock(self, spec: BaseSpec, platforms: list[Platform], *, beside: Lockfile | None) -> Lockfile:
        """Lock bases, then put them into the file as it is by then: another process may have written it meanwhile.

        Args:
            spec: The base.
            platforms: What targets want.
            beside: What they are added to, where what another process has locked meanwhile counts; None to renew.
        """
        from crossdock.lockfile.file import read_if_any, update_lockfile

        debian = self._lock_debian(spec, platforms) if spec.kind == "debian" else []
        images = self._lock_images(spec, platforms, beside) if spec.kind != "debian" else []

        def with_those(lockfile: Lockfile) -> Lockfile:
            for base in debian:
                found = lockfile.find(base.name, base.architecture)
                if beside is None or found is None or found.requested != base.requested:
                    lockfile = lockfile.with_base(base)
            if beside is None:
                lockfile = self._without_outdone(lockfile, zip(platforms, images, strict=False))
            for image in images:
                if beside is None or image.key not in {other.key for other in lockfile.images}:
                    lockfile = lockfile.with_image(image)
            return lockfile

        read = read_if_any if beside is not None else self._read_to_renew
        lockfile = update_lockfile(self.path, with_those, read=read)
        for warning in dict.fromkeys(warning for base in debian for warning in base.warnings):
            self.warn(warning)
        return lockfile

    def _without_outdone(self, lockfile: Lockfile, renewed: Iterable[tuple[Platform, LockedImageBase]]) -> Lockfile:
        """Leave out what would be taken in place of what was locked now: the same under another variant."""
        outdone = {
            other.key
            for platform, image in renewed
            for other in lockfile.images
            if other.name == image.name and _rank(other, platform) >= _rank(image, platform)
        }
        return replace(lockfile, images=tuple(image for image in lockfile.images if image.key not in outdone))

    def _lock_debian(self, spec: BaseSpec, platforms: list[Platform]) -> list[LockedDebianBase]:
        from crossdock.bases.debian.base import lock_debian

        return [
            lock_debian(
                spec.suite,
                architecture,
                packages=self.packages,
                config=self.config,
                store=self.store,
                http=self.http,
                progress=self.progress,
            )
            for architecture in sorted({platform.arch for platform in platforms})
        ]

    def _lock_images(self, spec: BaseSpec, platforms: list[Platform], beside: Lockfile | None) -> list[LockedImageBase]:
        from crossdock.bases.image_lock import lock_scratch

        if spec.kind == "scratch":
            return [lock_scratch(platform) for platform in platforms]
        source = self.open_source(spec)
        # All architectures are to be of one release, also where the tag has moved on since the first was locked.
        locked = {image.index for image in beside.images if image.name == self.base} if beside else set()
        pinned = next(iter(locked)) if len(locked) == 1 and not spec.digest else None
        return [self._lock_image(spec, source, platform, pinned) for platform in platforms]

    def _lock_image(
        self, spec: BaseSpec, source: ImageSource, platform: Platform, pinned: str | None
    ) -> LockedImageBase:
        from crossdock.bases.image_lock import lock_image_base

        lock = partial(
            lock_image_base,
            spec,
            source,
            platform,
            self.store,
            jobs=self.jobs,
            progress=self.progress,
            warn=self.warn,
        )
        if pinned is not None:
            try:
                return lock(version=pinned)
            except (BaseImageError, MissingPlatformError, RegistryNotFoundError):
                self.warn(f"{self.base} for {platform} is locked as it is now: {pinned} is gone, or not for it")
        return lock()

    def _find(self, lockfile: Lockfile, spec: BaseSpec, platform: Platform) -> LockedBase | None:
        """A base that was locked with other extra packages does not count."""
        if spec.kind == "debian":
            found = lockfile.find(self.base, platform.arch)
            return found if found is not None and found.requested == tuple(sorted(set(self.packages))) else None
        wanted = wanted_platform(platform)
        ranked = [
            (rank, image)
            for image in lockfile.images
            if image.name == self.base and (rank := fitness(_platform(image), wanted)) is not None
        ]
        if not ranked:
            return None
        best = max(ranked, key=lambda item: item[0])[1]
        if spec.digest and spec.digest != best.index:
            raise LockfileError(
                f"{self.path} contradicts the name of the base {self.base}",
                why=f"it has {best.index} for {platform}",
                hint="run `crossdock lock` to make it again",
            )
        return best

    def _read_to_renew(self, path: Path) -> Lockfile:
        from crossdock.lockfile.file import Lockfile, read_if_any

        try:
            lockfile = read_if_any(path)
        except LockfileError as error:
            self.warn(f"{error.what}; it is replaced")
            return Lockfile()
        kept = {self.base, *self.keep}
        return replace(
            lockfile,
            bases=tuple(base for base in lockfile.bases if base.name in kept),
            images=tuple(image for image in lockfile.images if image.name in kept),
            builds=(),
        )

    def _read(self) -> Lockfile:
        from crossdock.lockfile.file import read_if_any

        return read_if_any(self.path)


def _rank(image: LockedImageBase, platform: Platform) -> tuple[int, int]:
    """Say how well a base serves a target: (-1, -1) for not at all."""
    return fitness(_platform(image), wanted_platform(platform)) or (-1, -1)


def _platform(image: LockedImageBase) -> ImagePlatform:
    found = platform_of({"os": "linux", "architecture": image.architecture, "variant": image.variant})
    assert found is not None  # noqa: S101  both fields are there
    return found
