"""What ``crossdock.lock`` records of builds from source: the exact wheels that each backend runs on."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from crossdock.errors import LockfileError

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["LockedBuild", "LockedRequirement", "check_locked_build", "check_locked_requirement", "pool", "with_build"]

_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedRequirement:
    """A version of a distribution that builds use.

    Attributes:
        name: Normalised name.
        version: As its wheels have it.
        sha256s: Of each of its wheels, for all systems, sorted.
    """

    name: str
    version: str
    sha256s: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedBuild:
    """What is used to build one distribution.

    Attributes:
        name: Its normalised name.
        version: Its version; None for source trees, whose version may change from day to day.
        requires: What its pyproject.toml asks for (PEP 518), as written, sorted.
        uses: What was found for that, and for what the backend asked for itself, sorted by name.
    """

    name: str
    version: str | None
    requires: tuple[str, ...]
    uses: tuple[LockedRequirement, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name

    @property
    def key(self) -> tuple[str, str]:
        """What tells it from others, and sorts."""
        return self.name, self.version or ""


def with_build(builds: Iterable[LockedBuild], build: LockedBuild) -> tuple[LockedBuild, ...]:
    """Give builds, sorted, in which ``build`` takes the place of the one for the same name and version."""
    others = (other for other in builds if other.key != build.key)
    return tuple(sorted((*others, build), key=lambda item: item.key))


def pool(builds: Iterable[LockedBuild]) -> list[LockedRequirement]:
    """List all that builds use, each once: by name, the newest version first."""
    every = {(item.name, item.version): item for build in builds for item in build.uses}
    newest = sorted(every.values(), key=lambda item: Version(item.version), reverse=True)
    return sorted(newest, key=lambda item: item.name)


def check_locked_requirement(item: LockedRequirement) -> None:
    """Check what a file says, before it becomes part of a path or a URL.

    Raises:
        LockfileError: It is nothing that this version writes.
    """
    _check_name_and_version(item.name, item.version)
    if (
        not item.sha256s
        or not all(map(_SHA256.fullmatch, item.sha256s))
        or list(item.sha256s) != sorted(set(item.sha256s))
    ):
        raise LockfileError(f"the hashes of {item.name!r} are not a sorted list of SHA-256")


def check_locked_build(build: LockedBuild) -> None:
    """Check what a file says of a build, other than what it uses.

    Raises:
        LockfileError: It is nothing that this version writes.
    """
    _check_name_and_version(build.name, build.version)
    names = [item.name for item in build.uses]
    if names != sorted(set(names)):
        raise LockfileError(f"what {build} uses is not sorted by name, or something is there twice")


def _check_name_and_version(name: str, version: str | None) -> None:
    try:
        normalised = canonicalize_name(name, validate=True)
        Version(version or "0")
    except (InvalidName, InvalidVersion) as error:
        raise LockfileError(str(error)) from None
    if normalised != name:
        raise LockfileError(f"{name!r} is not a normalised name")
