"""Which entries of a lock count for a target, for any part of a repository that may use them.

An artifact of a project needs what its dependencies lead to; a hub serves many applications, each of which uses some
packages of the lock. So the walk starts everywhere: at the project, its extras and groups, at every other member of
the workspace, and at what nothing leads to. An entry counts unless every way to it has a false marker.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from crossdock.errors import UndecidedMarkerError
from crossdock.locks.activation import FLAT_FORMATS
from crossdock.locks.conflicts import Asks, check_conflicts
from crossdock.locks.markers import MarkerEvaluator

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crossdock.choosing.request import Parts
    from crossdock.locks import Dependency, Lock
    from crossdock.targets import Target

__all__ = ["Activity"]

#: How near an entry is to the project: of several entries of one name, the nearest is meant by the name alone.
_PROJECT, _PARTS, _MEMBERS, _REST = range(4)


class Activity:
    """What counts for a target, and which edges hold there.

    Args:
        lock: The lock.
        own: The parts of it that an artifact of the project has.
        every: All parts that can be used together.
        target: The target.

    Attributes:
        nearness: How near each entry that counts is, by its position in the lock.
        false: Who names each entry that may not count, and the marker that is false; the project is ``""``.
        undecided: For entries that depend on something by a marker that cannot be decided: why not.

    Raises:
        ConflictingPackagesError: The parts exclude each other.
        UndecidedMarkerError: A marker of the project's own dependencies hangs on what is not known of the target.
    """

    def __init__(self, lock: Lock, own: Parts, every: Parts, target: Target) -> None:
        self._lock = lock
        self._flat = lock.format in FLAT_FORMATS
        self._target = target
        self.nearness: dict[int, int] = {}
        self.false: dict[int, set[tuple[str, str]]] = {}
        self.undecided: dict[int, str] = {}
        self._extras: set[tuple[int, str]] = set()
        self._evaluator = self._decide(every)
        self._own = self._decide(own)
        self._reach(self.own(lock.roots), _PROJECT)
        for extra in own.extras:
            self._reach(self.expanded(lock.optional.get(extra, ())), _PROJECT)
        for group in own.groups:
            self._reach(self.expanded(lock.groups[group]), _PROJECT)
        for edges in (lock.roots, *(lock.optional[name] for name in every.extras if name in lock.optional)):
            self._reach(self.expanded(edges), _PARTS)
        for group in every.groups:
            self._reach(self.expanded(lock.groups[group]), _PARTS)
        self._reach_members()
        self._reach_rest()

    def held(self, edges: Iterable[Dependency], owner: int | None = None) -> list[Dependency]:
        """Give those edges that hold.

        Args:
            edges: Edges of one entry, or of the project.
            owner: Position of that entry.
        """
        found = []
        for edge in edges:
            try:
                holds = self._evaluator.holds(edge.marker, f"{self._lock.path.name}: dependency {edge.name}")
            except UndecidedMarkerError as error:
                if owner is None:
                    raise
                self.undecided[owner] = str(error)
                continue
            if holds:
                found.append(edge)
            elif edge.index is not None:
                name = "" if owner is None else self._lock.packages[owner].name
                self.false.setdefault(edge.index, set()).add((name, edge.marker or ""))
        return found

    def expanded(self, edges: Iterable[Dependency], *, project: bool = True) -> list[Dependency]:
        """Put in the place of an edge to the project itself what it stands for, wherever that holds.

        Args:
            edges: The edges.
            project: Whether what the project needs without any extra is part of that.
        """
        found: dict[Dependency, None] = {}
        queue = deque(edges)
        seen: set[str] = set()
        while queue:
            edge = queue.popleft()
            if edge.index is not None:
                found[edge] = None
            elif self.held([edge]):
                for part in (*([""] if project else []), *edge.extras):
                    if part not in seen:
                        seen.add(part)
                        queue.extend(self._lock.optional.get(part, ()) if part else self._lock.roots)
        return list(found)

    def own(self, edges: Iterable[Dependency]) -> list[Dependency]:
        """Give those edges of the project that hold for an artifact of it."""
        return [edge for edge in self.expanded(edges) if self._own.holds(edge.marker, self._lock.path.name)]

    def held_with(self, edges: Iterable[Dependency], extras: Sequence[str], groups: Sequence[str]) -> list[Dependency]:
        """Give those edges of the project that hold with some extras and groups and no others."""
        evaluator = MarkerEvaluator(self._target.environment, extras, groups, target=str(self._target))
        return [edge for edge in edges if evaluator.holds(edge.marker, self._lock.path.name)]

    def _decide(self, every: Parts) -> MarkerEvaluator:
        """Give what decides markers; those of conflicts ask which extras are used anywhere, so these come first."""
        lock, environment, name = self._lock, self._target.environment, str(self._target)
        if not lock.conflicts:
            return MarkerEvaluator(environment, every.extras, every.groups, target=name)
        asks = Asks(lock, environment, every.extras, every.groups, target=name, include_project=True)
        parts = [lock.roots, *(lock.optional.get(extra, ()) for extra in every.extras)]
        queue = deque([*parts, *(lock.groups[group] for group in every.groups)])
        seen: set[tuple[int, str]] = set()
        while queue:
            for edge in queue.popleft():
                if not asks.holds(edge, lock.path.name) or edge.index is None:
                    continue
                package = lock.packages[edge.index]
                for extra in ("", *edge.extras):
                    if (edge.index, extra) not in seen:
                        seen.add((edge.index, extra))
                        queue.append(package.extras.get(extra, ()) if extra else package.dependencies)
        check_conflicts(lock, asks)
        return asks.evaluator

    def _reach(self, edges: Iterable[Dependency], nearness: int, owner: int | None = None) -> None:
        queue = deque([(owner, tuple(edges))])
        while queue:
            parent, some = queue.popleft()
            for edge in self.held(some, parent):
                if edge.index is None:
                    continue
                package = self._lock.packages[edge.index]
                if edge.index not in self.nearness:
                    self.nearness[edge.index] = nearness
                    if not self._flat:
                        queue.append((edge.index, package.dependencies))
                for extra in edge.extras:
                    if (edge.index, extra) not in self._extras:
                        self._extras.add((edge.index, extra))
                        queue.append((edge.index, package.extras.get(extra, ())))

    def _reach_members(self) -> None:
        """Start at folders of source code, too: members of a workspace are built, needed by the project or not."""
        for index, package in enumerate(self._lock.packages):
            if package.source.kind not in {"directory", "virtual"}:
                continue
            if index not in self.nearness and index not in self.false:
                self.nearness[index] = _MEMBERS
                self._reach(package.dependencies, _MEMBERS, index)
            for edges in package.extras.values():
                self._reach(edges, _MEMBERS, index)

    def _reach_rest(self) -> None:
        """Let count what nothing names, such as what only a group of another member needs."""
        for index, package in enumerate(self._lock.packages):
            if index not in self.nearness and index not in self.false:
                self.nearness[index] = _REST
                if not self._flat:
                    self._reach(package.dependencies, _REST, index)
