"""What the entries of a lock are called in a hub, for one target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from crossdock.bazel.hubs.activity import Activity
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Dependency, Package

__all__ = ["Names", "name_entries"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """The names of the entries that count for a target.

    Attributes:
        meant: By project the entry that its name alone means; None if several are equally near.
        nodes: By entry what it is called: the project's name, or for all but the one that is meant
            ``torch@2.6.0+cpu``.
    """

    meant: Mapping[str, int | None] = field(hash=False)
    nodes: Mapping[int, str] = field(hash=False)

    def ambiguous(self, target: HubTarget) -> dict[str, str]:
        """Say of each name that means no entry which ones it may."""
        found = {}
        for name, index in self.meant.items():
            if index is None:
                nodes = sorted(node for node in self.nodes.values() if node.startswith(f"{name}@"))
                found[name] = (
                    f"{name} is in the lock more than once for {target.key}: {' and '.join(nodes)}\n"
                    "  why: nothing tells which of them is meant\n"
                    f"  hint: depend on {' or '.join(nodes)}, or name the project that is meant for the hub"
                )
        return found

    def items(self, edges: Iterable[Dependency], extras: Mapping[int, Iterable[str]]) -> tuple[str, ...]:
        """Name what edges lead to.

        Args:
            edges: Edges that hold; what they lead to and does not count is left out.
            extras: The extras that entries have; one that there is not adds nothing, as in every installer.
        """
        found = set()
        for edge in edges:
            node = self.nodes.get(edge.index) if edge.index is not None else None
            if node is not None and edge.index is not None:
                found.add(node)
                has = extras.get(edge.index, ())
                found |= {f"{node}[{extra}]" for extra in edge.extras if extra in has}
        return tuple(sorted(found))


def name_entries(packages: Sequence[Package], activity: Activity) -> Names:
    """Name the entries that count: of several of one project, the nearest has the name to itself."""
    by_name: dict[str, list[int]] = {}
    for index in sorted(activity.nearness):
        by_name.setdefault(packages[index].name, []).append(index)
    meant: dict[str, int | None] = {}
    nodes: dict[int, str] = {}
    for name, indexes in by_name.items():
        nearest = min(activity.nearness[index] for index in indexes)
        near = [index for index in indexes if activity.nearness[index] == nearest]
        meant[name] = near[0] if len(near) == 1 else None
        nodes |= {index: name if meant[name] == index else _apart(packages, index) for index in indexes}
    return Names(meant=meant, nodes=nodes)


def _apart(packages: Sequence[Package], index: int) -> str:
    """Name an entry by its version, and for the same version from another source by a number as well."""
    package = packages[index]
    same = [other for other in packages[:index] if (other.name, other.version) == (package.name, package.version)]
    return f"{package.name}@{package.version or package.source.kind}{f'~{len(same)}' if same else ''}"
