"""The tree of files that layers make together, and how paths lead through it.

Layers are put onto each other as the OCI image-spec says ("Applying Changesets", "Whiteouts"). Each one is first read
into a tree of its own, which then goes onto those below it in one walk: what it hides does not depend on the order of
its members, and costs no more than they do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from crossdock.errors import LayerUnreadableError

if TYPE_CHECKING:
    from crossdock.bases.programs import Program

__all__ = ["Budget", "Directory", "Node", "Place", "follow", "put_onto", "shown"]

NodeKind = Literal["file", "directory", "symlink", "hardlink", "other"]

# As Linux: ELOOP after 40 links, ENAMETOOLONG past 4096 bytes.
_MOST_LINKS: Final = 40
_LONGEST_PATH: Final = 4096
_LONGEST_NAME: Final = 255
_LONGEST_SHOWN: Final = 200


class Node:
    """Something in the tree.

    Attributes:
        kind: What it is; a ``hardlink`` is one whose other end has not been found yet.
        mode: Permission bits.
        layer: Number of the layer it comes from, the lowest is 0.
        size: Bytes of content.
        linkname: What is written in a link.
        text: Its content, if that is one of the few that are kept.
        program: What was seen in it, if it is a program that is looked at.
    """

    __slots__ = ("kind", "layer", "linkname", "mode", "program", "size", "text")

    def __init__(self, kind: NodeKind, *, mode: int, layer: int, size: int = 0, linkname: str = "") -> None:
        self.kind: NodeKind = kind
        self.mode = mode
        self.layer = layer
        self.size = size
        self.linkname = linkname
        self.text: bytes | None = None
        self.program: Program | None = None

    def become(self, other: Node) -> None:
        """Turn into another name of what another node stands for."""
        self.kind, self.mode, self.size, self.linkname = other.kind, other.mode, other.size, other.linkname
        self.text, self.program = other.text, other.program


class Directory(Node):
    """A directory.

    Attributes:
        children: What is in it, by name.
        implied: Whether it is only there as the parent of something, without a member of its own.
        opaque: Whether its layer hides all that lower layers have in it.
        hidden: Names in it that its layer hides; None for none, of which there are many.
    """

    __slots__ = ("children", "hidden", "implied", "opaque")

    def __init__(self, *, mode: int, layer: int, implied: bool = False) -> None:
        super().__init__("directory", mode=mode, layer=layer)
        self.children: dict[str, Node] = {}
        self.implied = implied
        self.opaque = False
        self.hidden: set[str] | None = None


class Place(NamedTuple):
    """Where a path leads.

    Attributes:
        path: The absolute path without any link in it.
        node: What is there.
    """

    path: str
    node: Node


def shown(path: str) -> str:
    """Write a path for a message: what is in an image must not move the cursor of who reads it."""
    short = path if len(path) <= _LONGEST_SHOWN else f"{path[:_LONGEST_SHOWN]}…"
    return short if short.isprintable() else ascii(short)


class Budget:
    """Counts what a tree costs, so that a hostile one can fill no memory and keep no machine busy for ever.

    Args:
        nodes: How many nodes there may be, those included that later layers hide.
        text: How many characters their names and links may have together.
        steps: How many steps along paths may be taken.
    """

    def __init__(self, *, nodes: int, text: int, steps: int) -> None:
        self._nodes = nodes
        self._text = text
        self._steps = steps

    def step(self) -> None:
        """Take a step along a path.

        Raises:
            LayerUnreadableError: There were too many.
        """
        self._steps -= 1
        if self._steps < 0:
            raise LayerUnreadableError("the image's paths take too long to follow", why="its links multiply them")

    def add(self, *texts: str) -> None:
        """Take in a node with a name and perhaps a link.

        Raises:
            LayerUnreadableError: There are too many, or a text is longer than any Linux file system can hold.
        """
        self._nodes -= 1
        self._text -= sum(map(len, texts))
        if self._nodes < 0 or self._text < 0:
            raise LayerUnreadableError("the image has too many files, or too long names")
        if len(texts[0]) > _LONGEST_NAME or any(len(text) > _LONGEST_PATH for text in texts):
            raise LayerUnreadableError("the layer has a name that is too long", why=f"{texts[0][:80]!r}…")


def follow(
    root: Directory, path: str, budget: Budget, *, last: bool = True, make_in: int | None = None
) -> Place | None:
    """Go along a path, never out of the root.

    Args:
        root: Where absolute links start, and what ``..`` does not leave.
        path: "/"-separated, from the root.
        budget: Counts.
        last: Whether to follow a link at the path's very end, too.
        make_in: Number of a layer for which to make the directories that are missing.

    Returns:
        Where it leads; None if something on the way is missing, no directory, or too many links.

    Raises:
        LayerUnreadableError: There were too many steps.
    """
    trail: list[tuple[str, Node]] = [("", root)]
    todo = path.split("/")[::-1]
    links = length = 0
    while todo:
        part = todo.pop()
        budget.step()
        if part in {"", "."}:
            continue
        above = trail[-1][1]
        if not isinstance(above, Directory):
            return None
        if part == "..":
            length -= len(trail[-1][0]) + 1 if len(trail) > 1 else 0
            del trail[max(len(trail) - 1, 1) :]
            continue
        node = above.children.get(part)
        if node is None:
            if make_in is None:
                return None
            budget.add(part)
            node = above.children[part] = Directory(mode=0o755, layer=make_in, implied=True)
        if node.kind == "symlink" and (last or todo):
            links += 1
            if links > _MOST_LINKS or not node.linkname:
                return None
            if node.linkname.startswith("/"):
                del trail[1:]
                length = 0
            todo.extend(node.linkname.split("/")[::-1])
            continue
        length += len(part) + 1
        if length > _LONGEST_PATH:
            return None
        trail.append((part, node))
    return Place("/" + "/".join(name for name, _ in trail[1:]), trail[-1][1])


def put_onto(lower: Directory, upper: Directory, budget: Budget) -> None:
    """Put a layer's tree onto the tree of those below it, which takes over its nodes.

    A directory that the upper layer has without a member of its own follows a link of the lower layers to another
    directory, as containerd does it; with a member of its own it replaces the link.

    Args:
        lower: The root of the layers below; changed.
        upper: The root of the layer.
        budget: Counts.
    """
    pairs: list[tuple[Directory, Directory, _Names]] = [(lower, upper, ())]
    while pairs:
        below, above, names = pairs.pop()
        if above.opaque:
            below.children.clear()
        for name in above.hidden or ():
            below.children.pop(name, None)
        if not above.implied:
            below.mode, below.layer = above.mode, above.layer
        for name, child in above.children.items():
            under = below.children.get(name)
            if isinstance(child, Directory):
                if child.implied and under is not None and under.kind == "symlink":
                    place = follow(lower, _joined((names, name)), budget)
                    under = place.node if place else None
                if isinstance(under, Directory):
                    pairs.append((under, child, (names, name)))
                    continue
            below.children[name] = child


# A path as (the names before, the last name): whole strings for each of many deep directories would take much memory.
_Names = tuple[Any, ...]


def _joined(names: _Names) -> str:
    parts = []
    while names:
        names, name = names
        parts.append(name)
    return "/".join(parts[::-1])
