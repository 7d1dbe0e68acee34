"""Wheels of one image that write one path differently, or over a file of the environment."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from crossdock.layers.collisions import TakenPaths
from crossdock.steps.environment import environment_entries
from crossdock.steps.stack import scheme_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.plan import TargetPlan
    from crossdock.store.blobs import Store

__all__ = ["check_paths", "reserved_paths"]


def reserved_paths(part: TargetPlan) -> dict[str, str]:
    """Give the paths no wheel may write, with what they are."""
    entries = environment_entries(part.target.python, part.facts)
    return {entry.path: "a part of the environment" for entry in entries if entry.kind != "directory"}


def check_paths(part: TargetPlan, wheels: Iterable[tuple[str, str]], store: Store) -> None:
    """Refuse wheels that cannot be in one image.

    Layers are made one by one, and which wheels share one is a question of size; so this looks at all that may meet.

    Args:
        part: The target.
        wheels: File name and SHA-256 of those that may write a path of another one; they are in the store.
        store: Holds them.

    Raises:
        FileCollisionError: There is a path that two write differently.
        WheelError: A wheel cannot be read.
    """
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.install import install

    scheme = scheme_of(part.target)
    taken = TakenPaths(reserved_paths(part))
    with ExitStack() as stack:
        for filename, sha256 in wheels:
            archive = stack.enter_context(WheelArchive(store.path(sha256), filename))
            for item in install(archive, scheme):
                taken.take(item, archive)
