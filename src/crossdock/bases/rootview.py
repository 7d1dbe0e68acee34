"""The file system of an image, merged from its layers in one pass over each, without unpacking anything.

Layers are hostile: each is read to its end with bounded memory, whatever is in it, and no path leads out of the root.
Of files only what `RootView.text` and `RootView.programs` give is kept.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crossdock.bases.layertar import open_layer_tar
from crossdock.bases.programs import read_program, role_of
from crossdock.bases.tree import Budget, Directory, Node, Place, follow, put_onto
from crossdock.errors import LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.tarwalk import TarWalker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from contextlib import AbstractContextManager

    from crossdock.layers.tarwalk import Member
    from crossdock.oci.content import Stream

__all__ = ["DEFAULT_LIMITS", "Layer", "RootLimits", "RootView", "read_root"]

#: A layer's media type, and what opens its blob.
Layer = tuple[str, "Callable[[], AbstractContextManager[Stream]]"]

# Files that are kept whole, by the end of their path; parents may be links, so no more of it is sure.
_TEXTS: Final = re.compile(
    r"(?:^|/)(?:os-release|etc/passwd|patchlevel\.h|dpkg/status|dpkg/status\.d/[^/]+|apk/db/installed)\Z"
)
_WHITEOUT: Final = ".wh."
_OPAQUE: Final = ".wh..wh..opq"
_AUFS: Final = ".wh..wh."
_TOO_MANY_PROGRAMS: Final = "the image has too many interpreters and C libraries, or too large ones"


@dataclass(frozen=True, slots=True, kw_only=True)
class RootLimits:
    """What an image may be at most.

    Attributes:
        layer_bytes: Uncompressed bytes of one layer.
        members: Members of one layer's archive, extended headers included.
        nodes: Files, directories and links of all layers together.
        names: Characters of all their names and links.
        steps: Steps along paths, of which a file takes one for each of its directories.
        text_bytes: Bytes of one file that is kept; a longer one is not.
        texts_bytes: Bytes of all files that are kept.
        programs: How many programs there may be that are searched.
        programs_bytes: Bytes of all of them.
    """

    layer_bytes: int = 64 << 30
    members: int = 2_000_000
    nodes: int = 1_000_000
    names: int = 128 << 20
    steps: int = 50_000_000
    text_bytes: int = 16 << 20
    texts_bytes: int = 64 << 20
    programs: int = 20_000
    programs_bytes: int = 4 << 30


DEFAULT_LIMITS: Final = RootLimits()
_LONGEST_PATH: Final = 4096  # as Linux


def read_root(layers: Iterable[Layer], *, name: str, limits: RootLimits = DEFAULT_LIMITS) -> RootView:
    """Read layers and put them onto each other.

    Args:
        layers: The lowest first. Each is opened when its turn comes, and read to its end.
        name: What to call the image in messages.
        limits: When to give up.

    Raises:
        LayerUnreadableError: A layer is damaged, unsafe, past the limits, or such that it cannot be unpacked.
        LayerUnsupportedError: A layer is of an unknown kind.
    """
    root = Directory(mode=0o755, layer=0)
    budget = Budget(nodes=limits.nodes, text=limits.names, steps=limits.steps)
    keeper = _Keeper(limits)
    for number, (media_type, opened) in enumerate(layers):
        try:
            with opened() as stream:
                chunks = open_layer_tar(stream, media_type, max_bytes=limits.layer_bytes)
                tree = _LayerTree(number, budget, keeper)
                tar = TarWalker(chunks, max_members=limits.members)
                for member in tar:
                    tree.add(member, tar)
            tree.settle(root)
            put_onto(root, tree.root, budget)
        except (LayerUnreadableError, LayerUnsupportedError) as error:
            raise type(error)(
                f"layer {number + 1} of {name} cannot be read: {error.what}", why=error.why, hint=error.hint
            ) from error
    return RootView(root, budget)


class RootView:
    """The files of an image."""

    def __init__(self, root: Directory, budget: Budget) -> None:
        self._root = root
        self._budget = budget

    def resolve(self, path: str) -> Place | None:
        """Follow a path with all links in it, never out of the root; None if it leads nowhere.

        Raises:
            LayerUnreadableError: The image's links make that take too long.
        """
        return follow(self._root, path, self._budget)

    def children(self, path: str) -> Mapping[str, Node]:
        """Give what is in a directory, by name; nothing if it is none."""
        place = self.resolve(path)
        return place.node.children if place and isinstance(place.node, Directory) else {}

    def text(self, path: str) -> bytes | None:
        """Give the content of a file of the few that are kept: os-release, passwd, patchlevel.h, package databases."""
        place = self.resolve(path)
        return place.node.text if place else None

    def programs(self) -> Iterator[Place]:
        """Give all programs that were looked at, each with `Node.program`; sorted within a directory."""
        for place in self.walk():
            if place.node.program is not None:
                yield place

    def walk(self) -> Iterator[Place]:
        """Give everything but the root and what has too long a path, directories before what is in them."""
        stack = [("", iter(sorted(self._root.children.items())))]
        while stack:
            above, rest = stack[-1]
            item = next(rest, None)
            if item is None:
                stack.pop()
                continue
            path, node = f"{above}/{item[0]}", item[1]
            yield Place(path, node)
            if isinstance(node, Directory) and len(path) < _LONGEST_PATH:
                stack.append((path, iter(sorted(node.children.items()))))


class _Keeper:
    """Takes out of files what facts need, within the limits."""

    def __init__(self, limits: RootLimits) -> None:
        self._limits = limits
        self._texts_left = limits.texts_bytes
        self._programs_left = limits.programs
        self._bytes_left = limits.programs_bytes

    def look(self, member: Member, tar: TarWalker, node: Node) -> None:
        """Read the content of a file if it is one that matters."""
        if _TEXTS.search(member.path):
            if member.size > self._limits.text_bytes:
                return
            self._texts_left -= member.size
            if self._texts_left < 0:
                raise LayerUnreadableError("the image has too many package databases and the like")
            node.text = tar.read(member.size)
        elif role := role_of(member.path.rpartition("/")[2]):
            node.program = read_program(lambda size: self._part(tar, size), role)
            self._programs_left -= node.program is not None
            if self._programs_left < 0:
                raise LayerUnreadableError(_TOO_MANY_PROGRAMS)

    def _part(self, tar: TarWalker, size: int) -> bytes:
        data = tar.read(size)
        self._bytes_left -= len(data)
        if self._bytes_left < 0:
            raise LayerUnreadableError(_TOO_MANY_PROGRAMS)
        return data


class _LayerTree:
    """One layer, as a tree of its own.

    Args:
        number: Of the layer, the lowest is 0.
        budget: Counts.
        keeper: Reads contents.
    """

    def __init__(self, number: int, budget: Budget, keeper: _Keeper) -> None:
        self.root = Directory(mode=0o755, layer=number, implied=True)
        self._number = number
        self._budget = budget
        self._keeper = keeper
        self._dangling: list[Node] = []
        self._above: tuple[str, Directory] = ("", self.root)

    def add(self, member: Member, tar: TarWalker) -> None:
        """Take in the next member of the archive."""
        if not member.path:
            if member.kind != "directory":
                raise LayerUnreadableError("the tar archive has something else than a directory as its root")
            self.root.implied, self.root.mode = False, member.mode
            return
        above, _, name = member.path.rpartition("/")
        directory = self._directory(above)
        if name.startswith(_WHITEOUT):
            self._hide(directory, name)
            return
        self._budget.add(name, member.linkname)
        there = directory.children.get(name)
        if member.kind == "directory" and isinstance(there, Directory):
            there.implied, there.mode = False, member.mode
            return
        if there is not None:
            self._above = ("", self.root)  # it may have led through what is replaced now
        directory.children[name] = self._node(member, tar)

    def settle(self, lower: Directory) -> None:
        """Find the other ends of hardlinks to files of lower layers."""
        for node in self._dangling:
            place = follow(lower, node.linkname, self._budget, last=False)
            if place is None or place.node.kind == "directory":
                raise LayerUnreadableError("a hardlink leads nowhere", why=f"there is no file {node.linkname[:200]!r}")
            node.become(place.node)

    def _node(self, member: Member, tar: TarWalker) -> Node:
        if member.kind == "directory":
            return Directory(mode=member.mode, layer=self._number)
        node = Node(member.kind, mode=member.mode, layer=self._number, size=member.size, linkname=member.linkname)
        if member.kind == "hardlink":
            place = follow(self.root, member.linkname, self._budget, last=False)
            if place is not None and place.node.kind != "directory":
                return place.node
            self._dangling.append(node)
        elif member.kind == "file":
            self._keeper.look(member, tar, node)
        return node

    def _hide(self, directory: Directory, name: str) -> None:
        if name == _OPAQUE:
            directory.opaque = True
        elif not name.startswith(_AUFS):  # what AUFS kept for itself
            hidden = name.removeprefix(_WHITEOUT)
            if hidden in {"", ".", ".."}:
                raise LayerUnreadableError("the layer has a malformed whiteout", why=f"it is named {name!r}")
            self._budget.add(hidden)
            if directory.hidden is None:
                directory.hidden = set()
            directory.hidden.add(hidden)

    def _directory(self, path: str) -> Directory:
        if path == self._above[0]:
            return self._above[1]
        place = follow(self.root, path, self._budget, make_in=self._number)
        if place is None or not isinstance(place.node, Directory):
            raise LayerUnreadableError(
                "the tar archive has a file in what is no directory",
                why=f"{path[:200]!r} is a file, or a loop of links",
            )
        self._above = (path, place.node)
        return place.node
