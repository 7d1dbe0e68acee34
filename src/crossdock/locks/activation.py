"""Which packages of a lock are needed for a target: a walk of the dependency graph."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from crossdock.errors import (
    ConflictingPackagesError,
    TargetNotLockedError,
    UndecidedMarkerError,
    UnknownExtraError,
    UnsupportedLockError,
)
from crossdock.locks.conflicts import Asks, check_conflicts
from crossdock.locks.markers import MarkerEvaluator

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from crossdock.locks.model import Dependency, Lock, Package

__all__ = ["FLAT_FORMATS", "Activation", "Active", "Skipped", "activate"]


#: One row of a flat format is one package with its marker; what is the project's and what a group's is not told.
FLAT_FORMATS = frozenset({"pylock.toml", "requirements.txt"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """A package that is needed.

    Attributes:
        package: The lock's entry.
        required_by: Names of those that need it, sorted; the project is ``""``.
        extras: Its extras that are asked for, sorted.
        because: Every edge that led to it: who needs it, and the marker that held (``""`` for none), sorted.
    """

    package: Package
    required_by: tuple[str, ...]
    extras: tuple[str, ...]
    because: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A package that something needed names, but not for this target.

    Attributes:
        package: The lock's entry.
        markers: The markers that were false, sorted.
        by: Who names it, and the marker that was false, sorted; the project is ``""``.
    """

    package: Package
    markers: tuple[str, ...]
    by: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """The answer of ``activate``; both parts sorted by name.

    Attributes:
        active: What is needed.
        skipped: What a false marker leaves out, and nothing else brings in.
        project: Whether the project itself is needed: always, but where its groups alone are asked for.
        marker_extras: The names that markers found in ``extras``.
        marker_groups: The names that markers found in ``dependency_groups``.
    """

    active: tuple[Active, ...]
    skipped: tuple[Skipped, ...]
    project: bool = True
    marker_extras: frozenset[str] = frozenset()
    marker_groups: frozenset[str] = frozenset()

    @property
    def packages(self) -> tuple[Package, ...]:
        """The needed packages alone."""
        return tuple(active.package for active in self.active)


def activate(
    lock: Lock,
    environment: Mapping[str, str],
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    *,
    target: str = "the target",
    include_project: bool = True,
) -> Activation:
    """Find the packages that a marker environment needs.

    Args:
        lock: The lock.
        environment: All eleven marker keys.
        extras: Extras of the project.
        groups: Dependency groups; None for the lock's default groups.
        target: Names the target in messages.
        include_project: Whether the project and its extras count; else the groups alone, as with uv's
            ``--only-group``, and the project only if a group names it.

    Raises:
        UnknownExtraError: The lock has no such extra or group.
        TargetNotLockedError: The lock is not for that Python or environment.
        ConflictingPackagesError: Two entries of one name are needed, or extras and groups that exclude each other.
        UndecidedMarkerError: A marker hangs on what is not known of the target.
        UnsupportedLockError: The groups alone are asked of a lock that does not tell them from the project.
    """
    asked_extras = _known("extra", extras, lock.optional, lock)
    asked_groups = _known("dependency group", lock.default_groups if groups is None else groups, lock.groups, lock)
    if not include_project:
        _check_groups_apart(lock)
        asked_extras = ()
    evaluator = MarkerEvaluator(environment, asked_extras, asked_groups, target=target)
    _check_environment(lock, environment, evaluator, target)

    def walk_with(evaluator: MarkerEvaluator, asks: Asks | None) -> _Walk:
        walk = _Walk(lock, evaluator, asks)
        if include_project:
            walk.follow_project()
        for extra in asked_extras:
            walk.follow_own_extra(extra)
        for group in asked_groups:
            walk.follow("", lock.groups[group])
        walk.run()
        return walk

    if not lock.conflicts:
        return walk_with(evaluator, None).result(environment["python_full_version"], target)
    # Markers of conflicts ask which extras are active anywhere, so these are collected first, as uv does.
    asks = Asks(lock, environment, asked_extras, asked_groups, target=target, include_project=include_project)
    walk_with(evaluator, asks)
    check_conflicts(lock, asks)
    return walk_with(asks.evaluator, None).result(environment["python_full_version"], target)


def _check_groups_apart(lock: Lock) -> None:
    if lock.format in FLAT_FORMATS:
        raise UnsupportedLockError(
            f"{lock.path} does not tell the project's own dependencies from those of its groups",
            why=f"{lock.format} lists packages, not who needs them",
            hint="export one for the group alone: uv export --only-group NAME",
        )


def _known(
    noun: str, names: Collection[str], known: Mapping[str, tuple[Dependency, ...]], lock: Lock
) -> tuple[str, ...]:
    asked = sorted({canonicalize_name(name) for name in names})
    for name in asked:
        if name not in known:
            has = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise UnknownExtraError(
                f"{lock.path} has no {noun} {name[:100]!r}",
                why=has,
                hint=_unknown_hint(noun, lock),
            )
    return tuple(asked)


def _unknown_hint(noun: str, lock: Lock) -> str:
    flag = "--extra" if noun == "extra" else "--group"
    if lock.format not in FLAT_FORMATS or (lock.optional if noun == "extra" else lock.groups):
        return "add it to the project and lock again, or ask for one that is there"
    return (
        f"an export holds what was chosen when it was made: export it with {flag} NAME or --all-{flag[2:]}s and ask "
        f"for none here, or use a lock that declares its {flag[2:]}s"
    )


def _check_environment(lock: Lock, environment: Mapping[str, str], evaluator: MarkerEvaluator, target: str) -> None:
    python = environment["python_full_version"]
    if lock.requires_python and not _admits(lock.requires_python, python, str(lock.path), target):
        raise TargetNotLockedError(
            f"{lock.path} is not for Python {python} of {target}",
            why=f"it requires Python {lock.requires_python}",
            hint="choose another Python for the target, or widen requires-python and lock again",
        )
    where = str(lock.path)
    if lock.environments and not any(evaluator.holds(marker, where) for marker in lock.environments):
        raise TargetNotLockedError(
            f"{lock.path} is not for {target}",
            why=f"it is made for {' or '.join(lock.environments)}"[:400],
            hint="add the target to the environments of the lock, and lock again",
        )


def _admits(specifiers: str, python: str, what: str, target: str) -> bool:
    if not python:
        raise UndecidedMarkerError(
            f"{what} requires Python {specifiers}, and {target} does not tell which one it has",
            why="python_full_version is not known",
            hint='set it in pyproject.toml: [tool.crossdock.markers] python_full_version = "..."',
        )
    try:
        return SpecifierSet(specifiers).contains(python, prereleases=True)
    except ValueError:
        return False  # a version with thousands of digits: no Python has it


class _Walk:
    """Breadth first over (package, extra) pairs; each is expanded once.

    Args:
        lock: The lock.
        evaluator: Decides markers.
        asks: Decides them instead, where what is asked for has to be collected first.
    """

    def __init__(self, lock: Lock, evaluator: MarkerEvaluator, asks: Asks | None) -> None:
        self._lock = lock
        self._evaluator = evaluator
        self._asks = asks
        # In flat formats "dependencies" only inform: they are not followed (PEP 751).
        self._flat = lock.format in FLAT_FORMATS
        self._extras: dict[int, set[str]] = {}
        self._because: dict[int, set[tuple[str, str]]] = {}
        self._false: dict[int, set[tuple[str, str]]] = {}
        self._own_extras: set[str] = set()
        self._project = False
        self._queue: deque[tuple[str, tuple[Dependency, ...]]] = deque()

    def follow(self, parent: str, dependencies: tuple[Dependency, ...]) -> None:
        self._queue.append((parent, dependencies))

    def follow_project(self) -> None:
        if not self._project:
            self._project = True
            self.follow("", self._lock.roots)

    def follow_own_extra(self, extra: str) -> None:
        if extra not in self._own_extras:
            self._own_extras.add(extra)
            self.follow("", self._lock.optional.get(extra, ()))

    def run(self) -> None:
        while self._queue:
            parent, dependencies = self._queue.popleft()
            for dependency in dependencies:
                self._edge(parent, dependency)

    def _holds(self, parent: str, dependency: Dependency) -> bool:
        if dependency.marker is None and self._asks is None:
            return True
        where = f"{self._lock.path}: dependency {dependency.name}{' of ' + parent if parent else ''}"
        return (self._asks.holds if self._asks else self._decided)(dependency, where)

    def _decided(self, dependency: Dependency, where: str) -> bool:
        return self._evaluator.holds(dependency.marker, where)

    def _edge(self, parent: str, dependency: Dependency) -> None:
        holds = self._holds(parent, dependency)
        index = dependency.index
        if index is None:
            if holds:
                self.follow_project()
                for extra in dependency.extras:
                    self.follow_own_extra(extra)
            return
        edge = (parent, dependency.marker or "")
        if not holds:
            self._false.setdefault(index, set()).add(edge)
            return
        package = self._lock.packages[index]
        if index not in self._extras:
            self._extras[index] = set()
            if not self._flat:
                self.follow(package.name, package.dependencies)
        self._because.setdefault(index, set()).add(edge)
        for extra in set(dependency.extras) - self._extras[index]:
            self._extras[index].add(extra)
            # An extra that the package does not have adds nothing, as in every installer.
            self.follow(package.name, package.extras.get(extra, ()))

    def result(self, python: str, target: str) -> Activation:
        packages = self._lock.packages
        if self._flat:
            self._name_parents()
        active = [
            Active(
                package=packages[index],
                required_by=tuple(sorted({parent for parent, _ in self._because[index]})),
                extras=tuple(sorted(extras)),
                because=tuple(sorted(self._because[index])),
            )
            for index, extras in self._extras.items()
        ]
        active.sort(key=lambda item: (item.package.name, item.package.version or "", item.package.source.location))
        _check_distinct(active, self._lock, target)
        _check_pythons(active, python, target, self._lock)
        skipped = [
            Skipped(package=packages[index], markers=tuple(sorted({m for _, m in by})), by=tuple(sorted(by)))
            for index, by in self._false.items()
            if index not in self._extras
        ]
        skipped.sort(key=lambda item: (item.package.name, item.package.version or "", item.package.source.location))
        return Activation(
            active=tuple(active),
            skipped=tuple(skipped),
            project=self._project,
            marker_extras=self._evaluator.extras,
            marker_groups=self._evaluator.groups,
        )

    def _name_parents(self) -> None:
        """Put those that list a package among their dependencies in the project's place, where there are any."""
        named: dict[int, set[str]] = {}
        for index in self._extras:
            for dependency in self._lock.packages[index].dependencies:
                if dependency.index is not None and dependency.index in self._extras:
                    named.setdefault(dependency.index, set()).add(self._lock.packages[index].name)
        for index, parents in named.items():
            markers = {marker for _, marker in self._because[index]}
            self._because[index] = {(parent, marker) for parent in parents for marker in markers}


def _check_distinct(active: Iterable[Active], lock: Lock, target: str) -> None:
    seen: dict[str, Active] = {}
    for item in active:
        other = seen.setdefault(item.package.name, item)
        if other is not item:
            raise ConflictingPackagesError(
                f"{item.package.name} is needed twice for {target}: {_entry(other)} and {_entry(item)}",
                why=f"one environment can hold one of them only, and {lock.path} has both active",
                hint="leave one of the conflicting extras or groups away, or correct the markers and lock again",
            )


def _entry(item: Active) -> str:
    needers = ", ".join(name or "the project" for name in item.required_by)
    source = item.package.source.kind
    return f"{item.package.version or source} (required by {needers})"


def _check_pythons(active: Iterable[Active], python: str, target: str, lock: Lock) -> None:
    for item in active:
        needed = item.package.requires_python
        if needed and not _admits(needed, python, str(item.package), target):
            raise TargetNotLockedError(
                f"{item.package} is not for Python {python} of {target}",
                why=f"{lock.path} says that it requires Python {needed}",
                hint="choose another Python for the target, or lock again for it",
            )
