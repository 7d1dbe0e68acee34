"""The one value that decides everything about an artifact."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from crossdock.targets.environment import marker_environment
from crossdock.targets.tags import oldest_first, wheel_tags

if TYPE_CHECKING:
    from packaging.tags import Tag

    from crossdock.targets.platform import Platform
    from crossdock.targets.python import Python
    from crossdock.targets.tags import LibcPolicy

__all__ = ["Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """A platform and a Python on it.

    Wheels, markers, interpreter paths, OCI fields and names are all functions of this value, never of the machine
    that builds.

    Attributes:
        platform: Operating system, architecture, C library or macOS floor.
        python: Implementation, version and ABI.
        libc_policy: Of wheels that differ only in the libc or macOS they need: take that for the newest, as pip does,
            or that for the oldest.
        marker_values: Markers and values that replace what is derived; an empty value is one that is not known.
        given_tags: Wheel tags, best first, that replace those derived: a complete platform brings its own.
        name: The runtime or file the target was named by; empty for a spelled platform.
    """

    platform: Platform
    python: Python
    libc_policy: LibcPolicy = field(default="newest", kw_only=True)
    marker_values: tuple[tuple[str, str], ...] = field(default=(), kw_only=True)
    given_tags: tuple[Tag, ...] | None = field(default=None, kw_only=True)
    name: str = field(default="", kw_only=True)

    @property
    def tags(self) -> tuple[Tag, ...]:
        """Wheel tags that fit, best first (PEP 425)."""
        if self.given_tags is None:
            return wheel_tags(self.platform, self.python, self.libc_policy)
        return self.given_tags if self.libc_policy == "newest" else _oldest_first(self.given_tags)

    @property
    def environment(self) -> dict[str, str]:
        """The complete marker environment (PEP 508): eleven keys."""
        return {**marker_environment(self.platform, self.python), **dict(self.marker_values)}

    def __str__(self) -> str:
        return f"{self.name or self.platform.spelling} ({self.python})"


@lru_cache(maxsize=64)
def _oldest_first(tags: tuple[Tag, ...]) -> tuple[Tag, ...]:
    from packaging.tags import Tag

    groups: dict[tuple[str, str], list[int]] = {}
    for place, tag in enumerate(tags):
        groups.setdefault((tag.interpreter, tag.abi), []).append(place)
    ranked = list(tags)
    for (interpreter, abi), places in groups.items():
        platforms = oldest_first([tags[place].platform for place in places])
        for place, platform in zip(places, platforms, strict=True):
            ranked[place] = Tag(interpreter, abi, platform)
    return tuple(ranked)
