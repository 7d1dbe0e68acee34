"""Where files are, in words that may be written down and mean the same for everybody."""

from __future__ import annotations

import os
from pathlib import Path

from crossdock.store.urls import split_credentials

__all__ = ["relative_path", "shown_url"]


def shown_url(url: str | None) -> str | None:
    """Give a URL without user and password, which `url` finds again."""
    return None if url is None else split_credentials(url)[0]


def relative_path(path: str | None, lock: Path) -> str | None:
    """Give a path relative to the lock's folder, as no absolute one is the same for everybody."""
    if path is None:
        return None
    folder, place = lock.absolute().parent, Path(path)
    if place.is_absolute():
        # Of what settings name: their folder is known without links, and the lock's may be reached by one.
        folder, place = folder.resolve(), place.parent.resolve() / place.name
    return Path(os.path.relpath(folder / place, folder)).as_posix()
