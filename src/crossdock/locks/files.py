"""What a package's files may be, and what their names say."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crossdock.errors import MalformedLockError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from packaging.tags import Tag
    from packaging.utils import BuildTag
    from packaging.version import Version

    from crossdock.locks.model import LockedFile

__all__ = ["WheelName", "distinct_files", "parse_wheel"]

WheelName = tuple[str, "Version", "BuildTag", "frozenset[Tag]"]

#: A compressed tag set multiplies its parts; real ones have a handful.
_MAX_TAG_SETS = 512


def distinct_files(files: Iterable[LockedFile], where: str) -> tuple[LockedFile, ...]:
    """Drop repetitions.

    Raises:
        MalformedLockError: One file name has two hashes.
    """
    known: dict[str, LockedFile] = {}
    for file in files:
        other = known.setdefault(file.filename, file)
        if other.sha256 != file.sha256:
            raise MalformedLockError(
                f"{where}: the file {file.filename} has two different hashes",
                why="one of them is not the file that was locked",
                hint="make the lock again, and find out which index gave the second",
            )
    return tuple(known.values())


@lru_cache(maxsize=65536)
def parse_wheel(filename: str) -> WheelName | None:
    """Parse a wheel's file name (binary distribution format), each once; None when it is none."""
    product = 1
    for part in filename.removesuffix(".whl").split("-")[-3:]:
        product *= part.count(".") + 1
    if product > _MAX_TAG_SETS:
        return None
    try:
        return parse_wheel_filename(filename)
    except (InvalidWheelFilename, ValueError):
        return None
