"""What a project needs for a target by itself, and what each of its extras and groups adds."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crossdock.locks import activate
from crossdock.locks.activation import FLAT_FORMATS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.bazel.hubs.activity import Activity
    from crossdock.bazel.hubs.edges import Edges
    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.bazel.hubs.names import Names
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Dependency

__all__ = ["PartLists", "part_lists"]

_Graph = dict[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLists:
    """Nodes, by part of the project.

    Attributes:
        project: What an artifact of the project needs, as its settings have it.
        extras: What each extra adds to that.
        groups: What each dependency group adds.
    """

    project: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]] = field(hash=False)
    groups: Mapping[str, tuple[str, ...]] = field(hash=False)


def part_lists(
    inputs: Inputs, target: HubTarget, activity: Activity, names: Names, edges: Edges, graph: _Graph
) -> PartLists:
    """Name what the parts of a project need.

    Args:
        inputs: The lock, and which parts count.
        target: The target.
        activity: What counts for it.
        names: What that is called.
        edges: What entries need.
        graph: The same by name.
    """
    lock, own, every = inputs.lock, inputs.project_lock.parts, inputs.every
    if lock.format in FLAT_FORMATS:
        # Each entry says by its own marker with which extras and groups it is installed.
        return PartLists(
            project=names.items(activity.own(lock.roots), edges),
            extras={name: names.items(activity.held_with(lock.roots, [name], ()), edges) for name in every.extras},
            groups={name: names.items(activity.held_with(lock.roots, (), [name]), edges) for name in every.groups},
        )
    project = activity.own(lock.roots)
    extras = {
        extra: [
            *activity.held(activity.expanded(lock.optional[extra], project=False)),
            # Some formats tell by the markers of roots what an extra adds.
            *(
                edge
                for edge in activity.held_with(lock.roots, [*own.extras, extra], own.groups)
                if edge not in project and "extra" in (edge.marker or "")
            ),
        ]
        for extra in every.extras
    }
    groups = {group: activity.held(activity.expanded(lock.groups[group])) for group in every.groups}
    project += [edge for extra in own.extras for edge in extras[extra]]
    project += [edge for group in own.groups for edge in groups[group]]

    def items(found: Iterable[Dependency], extra: str = "", group: str = "") -> tuple[str, ...]:
        named = names.items(found, edges)
        if lock.format != "poetry.lock":
            return named
        asked = ([*own.extras, *filter(None, [extra])], [*own.groups, *filter(None, [group])])
        return _exact(inputs, target, asked, (list(found), project), names, edges, graph) or named

    return PartLists(
        project=items(project),
        extras={extra: items(found, extra=extra) for extra, found in extras.items()},
        groups={group: items(found, group=group) for group, found in groups.items()},
    )


def _exact(
    inputs: Inputs,
    target: HubTarget,
    asked: tuple[list[str], list[str]],
    found: tuple[list[Dependency], list[Dependency]],
    names: Names,
    edges: Edges,
    graph: _Graph,
) -> tuple[str, ...] | None:
    """Name packages without their extras, where these are named themselves: None if that would miss some.

    Since its version 2, Poetry names for each part all that it needs. Which extras of them it asks for is not told, and
    those that other parts ask for could bring what this one does not need.
    """
    plain, whole = (
        names.items((replace(edge, extras=()) for edge in some), edges) for some in (found[0], [*found[0], *found[1]])
    )
    environment = target.target.environment
    needed = activate(inputs.lock, environment, *asked, target=str(target.target)).packages
    reached: set[str] = set()
    queue = deque(whole)
    while queue:
        node = queue.popleft()
        if node not in reached:
            reached.add(node)
            queue.extend(graph.get(node, ()))
    return plain if {package.name for package in needed} <= {node.partition("@")[0] for node in reached} else None
