"""Which wheels share a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["LARGE", "MAX_LARGE_LAYERS", "Group", "Grouping", "SizedWheel", "group_wheels"]

#: Small wheels together, for few layers; or each in a layer of its own, for many images that share them.
Grouping = Literal["grouped", "wheel"]

#: A wheel of this many bytes or more is worth a layer of its own.
LARGE = 1 << 20
#: How many wheels get one. With base, two shared groups, environment and project that stays far below the 127 layers
#: at which containerd stops, and leaves room for a base of many layers.
MAX_LARGE_LAYERS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class SizedWheel:
    """What grouping needs to know of a wheel.

    Attributes:
        name: Normalised distribution name.
        version: Its version.
        filename: Its file name.
        sha256: Its content.
        size: Bytes of the wheel.
        pure: Whether it is the same for every platform.
    """

    name: str
    version: str
    filename: str
    sha256: str
    size: int
    pure: bool


@dataclass(frozen=True, slots=True)
class Group:
    """Wheels that become one layer, sorted by name."""

    wheels: tuple[SizedWheel, ...]


def group_wheels(wheels: Sequence[SizedWheel], grouping: Grouping = "grouped") -> list[Group]:
    """Divide wheels into layers, lowest first.

    Each large wheel is a layer; then come all small pure ones together, then all small ones of the platform. What
    group a wheel is in hangs on that wheel alone, as long as there are not too many large ones, so adding or
    updating a small wheel changes one layer, and pure layers are the same for all platforms. Where each wheel is to
    be a layer, all count as large.
    """
    least = LARGE if grouping == "grouped" else 0
    by_size = sorted((wheel for wheel in wheels if wheel.size >= least), key=lambda wheel: (-wheel.size, wheel.name))
    large = set(by_size[:MAX_LARGE_LAYERS])
    by_name = sorted(wheels, key=lambda wheel: wheel.name)
    groups = [Group((wheel,)) for wheel in by_name if wheel in large]
    for pure in (True, False):
        shared = tuple(wheel for wheel in by_name if wheel not in large and wheel.pure is pure)
        if shared:
            groups.append(Group(shared))
    return groups
