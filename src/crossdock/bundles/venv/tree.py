"""What of which wheel goes where in a tree, decided before anything is written."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.bundles.venv.paths import TreePaths
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from crossdock.bundles.venv.layout import Layout
    from crossdock.wheels.install import Placed
    from crossdock.wheels.member import Member

__all__ = ["Tree", "WheelInTree", "plan_tree"]


@dataclass(frozen=True, slots=True)
class WheelInTree:
    """What one wheel brings.

    Attributes:
        path: The wheel.
        filename: What it is called.
        folders: Folders that are no other wheel's, parents first.
        files: Its files, but for those that another wheel brings as well.
    """

    path: Path
    filename: str
    folders: tuple[str, ...]
    files: tuple[Placed, ...]

    def open(self) -> WheelArchive:
        """Open it."""
        return WheelArchive(self.path, self.filename)

    @property
    def size(self) -> int:
        """Bytes of its files."""
        return sum(item.member.size if item.member else len(item.content) for item in self.files)


@dataclass(frozen=True, slots=True)
class Tree:
    """All that is written.

    Attributes:
        layout: What there is beside packages.
        wheels: The packages, in the order they are installed.
    """

    layout: Layout
    wheels: tuple[WheelInTree, ...]


@dataclass(frozen=True, slots=True)
class _Closed:
    """A wheel that is opened only if it has to be: there may be more of them than files may be open."""

    path: Path
    filename: str

    def unpacked_pieces(self, member: Member) -> Iterator[bytes]:
        with WheelArchive(self.path, self.filename) as archive:
            yield from archive.unpacked_pieces(member)


def plan_tree(layout: Layout, wheels: Iterable[tuple[str, Path]]) -> Tree:
    """Decide where all files of some wheels go.

    Args:
        layout: What there is beside packages.
        wheels: File name and place of each, in the order they are to be installed.

    Raises:
        FileCollisionError: Two of them, or one and the environment, write one path.
        BundleError: The target's system can have no file of some name.
        WheelError: One is damaged, unsafe or not supported.
        LauncherError: There is no launcher for a script.
    """
    paths = TreePaths(layout)
    planned = []
    for filename, path in wheels:
        with WheelArchive(path, filename) as archive:
            placed = install(archive, layout.scheme)
        closed = _Closed(path, filename)
        folders: list[str] = []
        files = []
        for item in placed:
            new = paths.take(item, closed)
            if new is not None:
                folders += new
                files.append(item)
        planned.append(WheelInTree(path, filename, tuple(folders), tuple(files)))
    return Tree(layout, tuple(planned))
