"""What executables are called."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from crossdock.bundles.naming import place_names
from crossdock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.targets import Target

__all__ = ["NAME_STYLES", "NameStyle", "exe_names"]

NameStyle = Literal["suffix", "folder", "plain"]

#: ``app_linux_arm64``, ``linux_arm64/app``, or ``app`` alone.
NAME_STYLES: Final[tuple[NameStyle, ...]] = ("suffix", "folder", "plain")


def exe_names(name: str, targets: Sequence[Target], style: NameStyle) -> list[str]:
    """Give the path of each executable below the output folder.

    Args:
        name: Of the application.
        targets: What they are for.
        style: The form of the names.

    Raises:
        UsageError: Two would have the same name.
    """
    if style == "plain":
        if len(targets) > 1:
            raise UsageError(
                f"{len(targets)} executables would have the name {name}",
                why="--name-style plain does not tell their targets apart",
                hint="name one target, or --name-style suffix",
            )
        return [name]
    return [f"{name}_{place}" if style == "suffix" else f"{place}/{name}" for place in place_names(targets)]
