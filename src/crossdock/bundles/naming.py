"""What the bundles of several targets are called."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

from crossdock.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.targets import Target

__all__ = ["place_names"]

#: What else of a target tells it from others, the most telling first.
_MORE: Final[tuple[Callable[[Target], str], ...]] = (
    lambda target: target.python.command,
    lambda target: target.platform.floor or target.platform.os,
    lambda target: f"python{target.python.spelling}".replace("pythonpypy", "pypy"),
    lambda target: target.name.replace("/", "_") or "plain",
)


def place_names(targets: Sequence[Target]) -> list[str]:
    """Name targets for file names: ``linux_arm64``, ``linux_arm64_musl``, and more only where two would be alike.

    Args:
        targets: All different.

    Raises:
        UsageError: Two differ in nothing that a name tells, as in the value of a marker.
    """
    names = [_place(target) for target in targets]
    for more in _MORE:
        alike = {name for name, count in Counter(names).items() if count > 1}
        told = {
            name: {more(target) for other, target in zip(names, targets, strict=True) if other == name}
            for name in alike
        }
        names = [
            f"{name}_{more(target)}" if len(told.get(name, ())) > 1 else name
            for name, target in zip(names, targets, strict=True)
        ]
    for number, name in enumerate(names):
        if name in names[:number]:
            raise UsageError(
                f"Two files would have the name {name}",
                why=f"{targets[names.index(name)]} and {targets[number]} differ in nothing that a name tells",
                hint="build them one by one, with --output for each",
            )
    return names


def _place(target: Target) -> str:
    libc = target.platform.libc
    return str(target.platform).replace("/", "_") + ("_musl" if libc and libc.kind == "musl" else "")
