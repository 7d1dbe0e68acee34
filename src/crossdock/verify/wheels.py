"""The wheels of an artifact, judged by their file names: what pip asks before it installs one (PEP 425, PEP 427)."""

from __future__ import annotations

from math import prod
from typing import TYPE_CHECKING, Final

from crossdock.verify.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from packaging.tags import Tag

__all__ = ["fitting", "judge_wheels"]

#: Any name may stand for many tags; no real one is as long, or for as many.
_LONGEST_NAME: Final = 400
_MOST_TAGS: Final = 2_000
_REMEDY: Final = "take a wheel that is for the target, or name the target and its Python as the artifact was built for"


def judge_wheels(filenames: Iterable[str], tags: Collection[Tag]) -> list[Finding]:
    """Judge wheels by the tags in their file names, one of which must be among those that the target takes.

    Args:
        filenames: Of the wheels, without folders.
        tags: All that the target takes.

    Returns:
        A finding for each wheel that pip would refuse there, by order of file names.
    """
    taken = frozenset(tags)
    return [finding for name in sorted(set(filenames)) if (finding := _judge(name, taken)) is not None]


def fitting(filename: str, tags: Collection[Tag]) -> bool:
    """Say whether a target takes a wheel, by the tags in its file name."""
    return _judge(filename, frozenset(tags)) is None


def _judge(filename: str, tags: frozenset[Tag]) -> Finding | None:
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    finding = Finding(
        code="wheel-tags",
        severity="error",
        path=filename[:_LONGEST_NAME],
        found="is not the file name of a wheel",
        wanted="what a wheel is for is told by its name",
        hint=_REMEDY,
    )
    try:
        tag_parts = filename[:_LONGEST_NAME].rsplit("-", 3)[1:]
        if len(filename) > _LONGEST_NAME or prod(part.count(".") + 1 for part in tag_parts) > _MOST_TAGS:
            return finding
        name, version, _, own = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return finding
    if not own.isdisjoint(tags):
        return None
    return Finding(
        code="wheel-tags",
        severity="error",
        path=filename,
        package=f"{name} {version}",
        found=f"is for {', '.join(sorted(map(str, own))[:4])}{', …' * (len(own) > 4)}",
        wanted="the target takes none of these tags",
        hint=_REMEDY,
    )
