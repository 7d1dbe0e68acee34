"""Dependencies that go in circles, which locks may have and Bazel's targets may not."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ALONE", "without_cycles"]

#: What the name of a wheel starts with that is meant without what it needs.
ALONE = "="


def without_cycles(graph: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Give the same graph without circles: each node still leads to the same wheels.

    The members of a circle all need what any of them needs. Each gets what the others need outside of the circle,
    and the others' wheels by themselves.

    Args:
        graph: What each node needs; one with an extra is called ``NAME[EXTRA]``.
    """
    found = dict(graph)
    for circle in _circles(graph):
        inside = set(circle)
        outside = {item for node in circle for item in graph[node]} - inside
        wheels = {node.partition("[")[0] for node in circle}
        for node in circle:
            others = {f"{ALONE}{name}" for name in wheels - {node}}
            found[node] = tuple(sorted(outside | others))
    return found


def _circles(graph: Mapping[str, tuple[str, ...]]) -> list[list[str]]:
    """Find the strongly connected components of more than one node (Tarjan's algorithm, without recursion)."""
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    on_stack: set[str] = set()
    circles: list[list[str]] = []
    for start in graph:
        if start in order:
            continue
        order[start] = lowest[start] = len(order)
        stack.append(start)
        on_stack.add(start)
        work = [(start, iter(graph[start]))]
        while work:
            node, needs = work[-1]
            for item in needs:
                if item not in order:
                    order[item] = lowest[item] = len(order)
                    stack.append(item)
                    on_stack.add(item)
                    work.append((item, iter(graph[item])))
                    break
                if item in on_stack:
                    lowest[node] = min(lowest[node], order[item])
            else:
                work.pop()
                if work:
                    lowest[work[-1][0]] = min(lowest[work[-1][0]], lowest[node])
                if lowest[node] == order[node]:
                    circle = stack[stack.index(node) :]
                    del stack[len(stack) - len(circle) :]
                    on_stack.difference_update(circle)
                    if len(circle) > 1:
                        circles.append(sorted(circle))
    return circles
