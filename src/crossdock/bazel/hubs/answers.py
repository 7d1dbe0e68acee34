"""What the targets of a hub get of a lock: which entry of each name, which wheel of it or why none, and its needs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crossdock.bazel.hubs.activity import Activity
from crossdock.bazel.hubs.cycles import without_cycles
from crossdock.bazel.hubs.edges import in_all, locked_edges, said_edges, wheel_requires
from crossdock.bazel.hubs.lists import part_lists
from crossdock.bazel.hubs.missing import inactive_message
from crossdock.bazel.hubs.names import Names, name_entries
from crossdock.bazel.hubs.wheels import choose_wheels

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.bazel.hubs.edges import Edges
    from crossdock.bazel.hubs.files import Candidates
    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.bazel.hubs.keeping import Kept
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import LockedFile
    from crossdock.services import Services

__all__ = ["TargetAnswers", "answer", "answer_again"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetAnswers:
    """What one target gets.

    Attributes:
        target: The target.
        versions: The version of each node that counts there.
        files: The wheel of each node that has one.
        missing: Why a node has none; what is in neither has nothing to be installed.
        deps: The nodes that each node needs, those with an extra (``NAME[EXTRA]``) included.
        project: What an artifact of the project needs.
        extras: What each extra of the project adds.
        groups: What each dependency group adds.
    """

    target: HubTarget
    versions: Mapping[str, str | None] = field(hash=False)
    files: Mapping[str, LockedFile] = field(hash=False)
    missing: Mapping[str, str] = field(hash=False)
    deps: Mapping[str, tuple[str, ...]] = field(hash=False)
    project: tuple[str, ...]
    extras: Mapping[str, tuple[str, ...]] = field(hash=False)
    groups: Mapping[str, tuple[str, ...]] = field(hash=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Chosen:
    """What is known of a target before wheels are read, which tell the edges of locks that do not."""

    target: HubTarget
    activity: Activity
    names: Names
    files: Mapping[int, LockedFile] = field(hash=False)
    refused: Mapping[int, str] = field(hash=False)
    edges: Edges | None = field(hash=False)


def answer(
    inputs: Inputs, targets: Sequence[HubTarget], candidates: Candidates, services: Services
) -> list[TargetAnswers]:
    """Answer for all targets, in their order.

    Args:
        inputs: The lock and its parts.
        targets: The targets.
        candidates: Gives the files of a package that the lock knows by hashes alone.
        services: What wheels are read with, if the lock does not say what they need.

    Raises:
        SelectionError: The lock is not for a target at all, or its parts exclude each other.
        MalformedLockError: A wheel's name says another project or version.
        StoreError: A wheel that had to be read cannot be.
    """
    lock = inputs.lock
    chosen = [_choose(inputs, target, candidates) for target in targets]
    if inputs.graph:
        return [_answer(inputs, one, one.edges or {}) for one in chosen]
    requires = wheel_requires(inputs, (pair for one in chosen for pair in one.files.items()), services)
    said = in_all([said_edges(lock, one.target, one.activity, one.names, one.files, requires) for one in chosen])
    return [_answer(inputs, one, edges) for one, edges in zip(chosen, said, strict=True)]


def answer_again(inputs: Inputs, targets: Sequence[HubTarget], kept: Kept) -> list[TargetAnswers]:
    """Answer without an index, for a lock that does not tell everything, with the help of what was answered before.

    The names of files, and what wheels need where only they tell it, are what was kept; all else is found anew. So a
    wheel is again one that the lock has for its package, and of those that are kept the best for its target.

    Args:
        inputs: The lock and its parts, which are those that the hub was made from.
        targets: The targets.
        kept: What was answered.
    """
    found = []
    for target in targets:
        chosen = _choose(inputs, target, kept.candidates)
        edges: Edges = chosen.edges or {
            index: {extra: [] for extra in ("", *kept.extras(node, target.key))}
            for index, node in chosen.names.nodes.items()
        }
        one = _answer(inputs, chosen, edges)
        unnamed = {node for index, node in chosen.names.nodes.items() if inputs.lock.packages[index].hashes}
        texts = {node: kept.missing(node, target.key) if node in unnamed else None for node in one.missing}
        found.append(
            replace(
                one,
                missing={node: texts[node] or text for node, text in one.missing.items()},
                deps=one.deps if inputs.graph else {item: kept.needs(item, target.key) for item in one.deps},
            )
        )
    return found


def _choose(inputs: Inputs, target: HubTarget, candidates: Candidates) -> _Chosen:
    activity = Activity(inputs.lock, inputs.project_lock.parts, inputs.every, target.target)
    # Before wheels are chosen: what has an edge that cannot be decided gets none.
    edges = locked_edges(inputs.lock, activity) if inputs.graph else None
    files, refused = choose_wheels(inputs, target, activity, candidates)
    names = name_entries(inputs.lock.packages, activity)
    return _Chosen(target=target, activity=activity, names=names, files=files, refused=refused, edges=edges)


def _answer(inputs: Inputs, chosen: _Chosen, edges: Edges) -> TargetAnswers:
    lock, names, target = inputs.lock, chosen.names, chosen.target
    absent = sorted({package.name for package in lock.packages} - names.meant.keys())
    graph = _graph(names, edges)
    lists = part_lists(inputs, target, chosen.activity, names, edges, graph)
    return TargetAnswers(
        target=target,
        versions={node: lock.packages[index].version for index, node in names.nodes.items()},
        files={names.nodes[index]: file for index, file in chosen.files.items()},
        missing={
            **{name: inactive_message(name, lock, chosen.activity, target) for name in absent},
            **names.ambiguous(target),
            **{names.nodes[index]: text for index, text in chosen.refused.items()},
        },
        deps=without_cycles(graph),
        project=lists.project,
        extras=lists.extras,
        groups=lists.groups,
    )


def _graph(names: Names, edges: Edges) -> dict[str, tuple[str, ...]]:
    graph: dict[str, tuple[str, ...]] = {}
    for index, node in names.nodes.items():
        for extra, needs in edges[index].items():
            own = f"{node}[{extra}]" if extra else node
            found = {*names.items(needs, edges), node}
            graph[own] = tuple(sorted(found - {own}))
    return graph
