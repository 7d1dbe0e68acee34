"""Paths inside a folder of unpacked files, as they lead once that folder is the root of a file system."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["follow", "place_file", "place_folder"]

# As Linux: ELOOP after 40 links.
_MOST_LINKS: Final = 40
_MOST_STEPS: Final = 10_000


def follow(root: Path, path: str, *, make: bool = False, last: bool = True) -> Path | None:
    """Go along a path with all links in it, never out of the root.

    Args:
        root: The folder; links that are absolute start there, and ``..`` does not leave it.
        path: "/"-separated, from the root.
        make: Whether to make folders that are missing.
        last: Whether to follow a link at the path's very end, too.

    Returns:
        Where it leads, a path below the root with no link in it but perhaps at its end; None if something on the way is
        missing, no folder, or too many links.
    """
    trail: list[str] = []
    todo = path.split("/")[::-1]
    links = steps = 0
    while todo:
        part = todo.pop()
        steps += 1
        if part in {"", "."}:
            continue
        if part == "..":
            del trail[-1:]
            continue
        here = root.joinpath(*trail, part)
        try:
            mode = here.lstat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            if not make:
                return None
            here.mkdir()
            here.chmod(0o755)
            mode = stat.S_IFDIR
        if stat.S_ISLNK(mode) and (last or any(rest not in {"", "."} for rest in todo)):
            links += 1
            target = os.readlink(here)  # noqa: PTH115  a Path would drop what makes it absolute twice
            if links > _MOST_LINKS or steps > _MOST_STEPS:
                return None
            if target.startswith("/"):
                trail.clear()
            todo.extend(target.split("/")[::-1])
            continue
        trail.append(part)
        if not stat.S_ISDIR(mode) and any(rest not in {"", "."} for rest in todo):
            return None
    return root.joinpath(*trail)


def place_folder(root: Path, path: str) -> str | None:
    """Make sure of a folder to mount something on.

    Args:
        root: The folder that will be the root.
        path: Where it should be: links on the way are followed inside the root.

    Returns:
        Its absolute path there without any link, or None if something else is in the way.
    """
    found = follow(root, path, make=True)
    if found is None or not found.is_dir():
        return None
    return "/" + found.relative_to(root).as_posix()


def place_file(root: Path, path: str) -> str | None:
    """Make sure of an empty file to mount another one on; like `place_folder`."""
    above, _, name = path.rpartition("/")
    folder = place_folder(root, above)
    if folder is None:
        return None
    place = root / folder.lstrip("/") / name
    if place.is_symlink() or not place.exists():
        place.unlink(missing_ok=True)
        place.touch()
    return f"{folder.rstrip('/')}/{name}" if place.is_file() else None
