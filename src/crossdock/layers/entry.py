"""One member of a file tree that becomes a layer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Entry", "directory", "file", "symlink"]

Kind = Literal["file", "directory", "symlink", "hardlink"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file, directory or link, by its path inside the image.

    Attributes:
        path: Relative to the root, "/"-separated, without a leading or trailing slash, ``.`` or ``..``.
        kind: What it is.
        mode: Permission bits, such as ``0o644``; set-id and sticky bits included where wanted.
        content: A file's bytes; empty for everything else.
        linkname: Where a symlink points, as written in it; for a hardlink, the path of the other entry.
        uid: Numeric owner.
        gid: Numeric group.
    """

    path: str
    kind: Kind = "file"
    mode: int = 0o644
    content: bytes = b""
    linkname: str = ""
    uid: int = 0
    gid: int = 0


def directory(path: str, *, mode: int = 0o755) -> Entry:
    """Make a directory entry."""
    return Entry(path=path, kind="directory", mode=mode)


def file(path: str, content: bytes, *, mode: int = 0o644) -> Entry:
    """Make a regular file entry."""
    return Entry(path=path, content=content, mode=mode)


def symlink(path: str, linkname: str) -> Entry:
    """Make a symbolic link entry."""
    return Entry(path=path, kind="symlink", mode=0o777, linkname=linkname)
