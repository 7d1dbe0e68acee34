"""Paths that cannot be in one tree, by the rules of the system the tree is for."""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Final

from crossdock.errors import BundleError, FileCollisionError
from crossdock.layers.collisions import TakenPaths

if TYPE_CHECKING:
    from crossdock.bundles.venv.layout import Layout
    from crossdock.layers.collisions import WheelContents
    from crossdock.wheels.install import Placed

__all__ = ["TreePaths"]

_SYSTEMS: Final = {"darwin": "macOS", "windows": "Windows"}
_FORBIDDEN: Final = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]\Z')
#: Names of devices, with any ending (Microsoft, "Naming Files, Paths, and Namespaces").
_DEVICE: Final = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|com[1-9¹²³]|lpt[1-9¹²³])[ ]*(\..*)?", re.IGNORECASE)


class TreePaths:
    """Which paths of a tree are taken, where the target's system may take two of them for one.

    Args:
        layout: What is there already.
    """

    def __init__(self, layout: Layout) -> None:
        own = {entry.path: "a part of the environment" for entry in layout.entries if entry.kind != "directory"}
        if own:  # PEP 405: beside the executable it would come before the environment's own, which is one folder above
            own[f"{layout.scheme.scripts}/pyvenv.cfg"] = "where Python looks first for what environment it is in"
        self._taken = TakenPaths(own)
        self._os = layout.os
        self._folders = {entry.path for entry in layout.entries if entry.kind == "directory"}
        self._seen: dict[str, tuple[str, str]] = {}
        self._seen_folders = {self._folded(folder): folder for folder in self._folders}
        for path in own if layout.os in _SYSTEMS else ():
            self._seen[self._folded(path)] = (path, "the environment")

    def take(self, item: Placed, archive: WheelContents) -> list[str] | None:
        """Take the path of a wheel's file.

        Returns:
            The folders above it that are new, parents first; None if the same file is there already.

        Raises:
            FileCollisionError: It is taken, or the target's system cannot tell it from one that is.
            BundleError: There can be no file of that name there.
        """
        if item.path in self._folders:
            raise FileCollisionError(
                f"{archive.filename} has a file in the place of the folder {item.path}",
                why="it is a part of the environment",
                hint="do without the package, or leave the file out with [tool.crossdock.packages.NAME] exclude",
            )
        folders = self._taken.take(item, archive)
        if folders is None:
            return None
        if self._os in _SYSTEMS:
            self._check(item.path, folders, archive)
        return [folder for folder in folders if folder not in self._folders]

    def _check(self, path: str, folders: list[str], archive: WheelContents) -> None:
        if self._os == "windows":
            _check_name(path, archive)
        key = self._folded(path)
        other = self._seen.setdefault(key, (path, archive.filename))
        if other[0] != path:
            raise self._alike(path, archive.filename, *other)
        if key in self._seen_folders:
            raise self._alike(path, archive.filename, self._seen_folders[key], "a folder")
        for folder in folders:
            key = self._folded(folder)
            self._seen_folders.setdefault(key, folder)
            if key in self._seen:
                raise self._alike(folder, archive.filename, *self._seen[key])

    def _folded(self, path: str) -> str:
        return unicodedata.normalize("NFC", unicodedata.normalize("NFD", path).casefold())

    def _alike(self, path: str, owner: str, other: str, other_owner: str) -> FileCollisionError:
        return FileCollisionError(
            f"{path} and {other} cannot be in one tree on {_SYSTEMS[self._os]}",
            why=f"it takes them for one; they come from {owner} and {other_owner}",
            hint="drop one of the two packages, or leave the file out with [tool.crossdock.packages.NAME] exclude",
        )


def _check_name(path: str, archive: WheelContents) -> None:
    for part in path.split("/"):
        if _FORBIDDEN.search(part) or _DEVICE.fullmatch(part):
            raise BundleError(
                f"{archive.filename} has a file that cannot be on Windows: {path}",
                why=f"there can be no file called {part!r}",
                hint="leave it out with [tool.crossdock.packages.NAME] exclude, or tell its publisher",
            )
