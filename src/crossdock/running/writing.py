"""Writes what archives hold below a folder, so that nothing of it can reach anything outside.

Layers are put onto each other as the OCI image-spec says ("Applying Changesets", "Whiteouts"). Owners are not kept,
devices and pipes are left out, and of modes only the nine permission bits are taken.
"""

from __future__ import annotations

import os
import shutil
import stat
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayerUnreadableError
from crossdock.running.paths import follow

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from crossdock.running.limits import RunLimits

__all__ = ["FolderWriter"]

_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_AUFS: Final = ".wh..wh."
_LONGEST_PATH: Final = 4096


class FolderWriter:
    """Writes files, folders and links, one layer after the other.

    Args:
        root: An empty folder that nobody else can write to.
        limits: When to give up.
        layered: Whether the archives are layers, whose whiteouts are obeyed and not written.
        owner: Whose all of it is to be; None for whoever runs this.
    """

    def __init__(self, root: Path, limits: RunLimits, *, layered: bool = False, owner: int | None = None) -> None:
        self._root = root
        self._layered = layered
        self._owner = owner
        self._bytes_left = limits.unpacked
        self._members_left = limits.members
        self._folders: dict[str, Path] = {}
        self._made: set[Path] = set()

    def next_layer(self) -> None:
        """Begin another layer: its whiteouts hide what was written before, not what it has itself."""
        self._made = set()
        self._folders.clear()

    def folder(self, path: str, mode: int) -> None:
        """Write a folder; one that is there is kept, with what is in it."""
        if not path:
            return
        place = self._place(path)
        if place is None:
            return
        if not place.is_dir() or place.is_symlink():
            self._remove(place)
            place.mkdir()
        self._own(place)
        # Whoever unpacks must be able to write into it, and to remove it.
        place.chmod(mode & 0o777 | 0o700)

    def file(self, path: str, mode: int, pieces: Iterable[bytes]) -> None:
        """Write a file in place of whatever is there."""
        place = self._place(path)
        if place is None:
            return
        self._remove(place)
        number = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with open(number, "wb", buffering=0) as out:  # noqa: PTH123  a descriptor, no path
            for piece in self._counted(pieces):
                view = memoryview(piece)
                while view:
                    view = view[out.write(view) :]
            self._own(place)
            os.fchmod(number, mode & 0o777 | 0o400)

    def symlink(self, path: str, target: str) -> None:
        """Write a symbolic link, which leads nowhere but within the root once that is a root."""
        place = self._place(path)
        if place is None:
            return
        self._remove(place)
        if not target or "\0" in target or len(os.fsencode(target)) >= _LONGEST_PATH:
            raise LayerUnreadableError("a symbolic link cannot be made", why=f"{path[:200]!r} leads to {target[:80]!r}")
        place.symlink_to(target)

    def hardlink(self, path: str, other: str) -> None:
        """Write another name of a file."""
        source = follow(self._root, other, last=False)
        place = self._place(path)
        if place is None:
            return
        if source is None or not (source.is_symlink() or source.is_file()):
            raise LayerUnreadableError("a hardlink leads nowhere", why=f"there is no file {other[:200]!r}")
        if source == place:
            return
        self._remove(place)
        os.link(source, place, follow_symlinks=False)

    def _own(self, place: Path) -> None:
        if self._owner is not None:
            os.chown(place, self._owner, self._owner, follow_symlinks=False)

    def _place(self, path: str) -> Path | None:
        """Give where a member goes, its folders made; None if it was a whiteout, which is obeyed."""
        self._members_left -= 1
        if self._members_left < 0:
            raise LayerUnreadableError("the artifact has too many files to be run")
        above, _, name = path.rpartition("/")
        if name in {"", ".", ".."}:
            raise LayerUnreadableError("an archive has a file without a name", why=f"{path[:200]!r}")
        folder = self._folders.get(above)
        if folder is None:
            folder = self._folder(above)
        if self._layered and name.startswith(_WHITEOUT):
            self._hide(folder, name)
            return None
        place = folder / name
        self._made.add(place)
        return place

    def _folder(self, path: str) -> Path:
        found = follow(self._root, path, make=True)
        if found is None or not found.is_dir():
            raise LayerUnreadableError("an archive has a file in what is no folder", why=f"{path[:200]!r}")
        self._folders[path] = found
        # What lies in a folder that this layer has made is not to be hidden with it.
        self._made.update(above for above in (found, *found.parents) if above != self._root)
        return found

    def _hide(self, folder: Path, name: str) -> None:
        if name == _OPAQUE:
            for child in list(folder.iterdir()):
                self._clear(child)
        elif not name.startswith(_AUFS):  # what AUFS kept for itself
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise LayerUnreadableError("the layer has a malformed whiteout", why=f"it is named {name!r}")
            self._clear(folder / hidden)

    def _clear(self, place: Path) -> None:
        """Remove something of the layers below, but not what this layer has put into it."""
        if place not in self._made:
            self._remove(place)
        elif place.is_dir() and not place.is_symlink():
            for child in list(place.iterdir()):
                self._clear(child)

    def _remove(self, place: Path) -> None:
        try:
            mode = place.lstat().st_mode
        except FileNotFoundError:
            return
        if stat.S_ISDIR(mode):
            shutil.rmtree(place)
        else:
            place.unlink()
        if not stat.S_ISREG(mode):
            self._folders.clear()  # paths may have led through it

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise LayerUnreadableError("the artifact is too large to be run")
            yield piece
