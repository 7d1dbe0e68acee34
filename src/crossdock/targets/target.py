"""The one value that decides everything about an artifact."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.targets.environment import marker_environment
from crossdock.targets.tags import wheel_tags

if TYPE_CHECKING:
    from packaging.tags import Tag

    from crossdock.targets.platform import Platform
    from crossdock.targets.python import Python

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A platform and a Python on it.

    Wheels, markers, interpreter paths, OCI fields and names are all functions of this value, never of the machine
    that builds.

    Attributes:
        platform: Operating system, architecture, C library or macOS floor.
        python: Implementation, version and ABI.
    """

    platform: Platform
    python: Python

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Wheel tags that fit, best first (PEP 425)."""
        return wheel_tags(self.platform, self.python)

    @property
    def environment(self) -> dict[str, str]:
        """The complete marker environment (PEP 508): eleven keys."""
        return marker_environment(self.platform, self.python)

    def __str__(self) -> str:
        floor = f"+{self.platform.libc}" if self.platform.libc else ""
        return f"{self.platform}{floor} ({self.python})"
