"""Extras, groups and workspace members that exclude each other: uv's conflicts, and the markers made of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.errors import ConflictingPackagesError
from crossdock.locks.markers import MarkerEvaluator

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from crossdock.locks.model import Dependency, Lock

__all__ = ["Asks", "check_conflicts"]


class Asks:
    """The extras and groups that conflict markers ask for, collected while edges are followed.

    Args:
        lock: The lock.
        environment: All eleven marker keys.
        extras: Extras of the project that are asked for.
        groups: Dependency groups that are asked for.
        target: Names the target in messages.
        include_project: Whether the project itself is needed.

    Attributes:
        evaluator: Decides markers by what was collected so far.
    """

    def __init__(
        self,
        lock: Lock,
        environment: Mapping[str, str],
        extras: Collection[str],
        groups: Collection[str],
        *,
        target: str,
        include_project: bool,
    ) -> None:
        self._environment = environment
        self._target = target
        self._groups = groups
        self._watched = frozenset(name for one in lock.conflicts for variable, name in one if variable == "extras")
        self._extras = {*extras}
        if lock.project is None:
            self._extras |= {name for name in self._watched if name.startswith("project ")}
        elif include_project:
            self._extras.add(f"project {lock.project}")
        self.evaluator = self._evaluator()

    @property
    def active(self) -> frozenset[tuple[str, str]]:
        """Give all, as ``Lock.conflicts`` names them."""
        return frozenset({("extras", name) for name in self._extras} | {("dependency_groups", g) for g in self._groups})

    def holds(self, dependency: Dependency, where: str) -> bool:
        """Decide an edge's marker; the extras that it asks for count for it already, and stay if it holds."""
        own = (extra if dependency.index is None else f"{dependency.name}[{extra}]" for extra in dependency.extras)
        new = self._watched.intersection(own) - self._extras
        if not new:
            return self.evaluator.holds(dependency.marker, where)
        before, evaluator = {*self._extras}, self.evaluator
        self._extras |= new
        self.evaluator = self._evaluator()
        if self.evaluator.holds(dependency.marker, where):
            return True
        self._extras, self.evaluator = before, evaluator
        return False

    def _evaluator(self) -> MarkerEvaluator:
        return MarkerEvaluator(self._environment, self._extras, self._groups, target=self._target)


def check_conflicts(lock: Lock, asks: Asks) -> None:
    """Refuse what the lock declares as conflicting.

    Raises:
        ConflictingPackagesError: Two of a set are active.
    """
    for one in lock.conflicts:
        both = sorted(one & asks.active)
        if len(both) > 1:
            words = [f"the group {name}" if variable != "extras" else _extra_in_words(name) for variable, name in both]
            raise ConflictingPackagesError(
                f"Asked for at once, but in conflict: {' and '.join(words)}",
                why=f"{lock.path} declares them as conflicts",
                hint="leave all but one of them away",
            )


def _extra_in_words(name: str) -> str:
    return name if "[" in name else f"the {name}" if name.startswith("project ") else f"the extra {name}"
