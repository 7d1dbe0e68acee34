"""Which packages of a lock are needed for a target: a walk of the dependency graph."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from crossdock.errors import ConflictingPackagesError, TargetNotLockedError, UnknownExtraError
from crossdock.locks.fields import project_name
from crossdock.locks.markers import MarkerEvaluator

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from crossdock.locks.model import Dependency, Lock, Package

__all__ = ["Activation", "Active", "Skipped", "activate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Active:
    """A package that is needed.

    Attributes:
        package: The lock's entry.
        required_by: Names of those that need it, sorted; the project is ``""``.
        extras: Its extras that are asked for, sorted.
    """

    package: Package
    required_by: tuple[str, ...]
    extras: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """A package that something needed names, but not for this target.

    Attributes:
        package: The lock's entry.
        markers: The markers that were false, sorted.
    """

    package: Package
    markers: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Activation:
    """The answer of ``activate``; both parts sorted by name.

    Attributes:
        active: What is needed.
        skipped: What a false marker leaves out, and nothing else brings in.
    """

    active: tuple[Active, ...]
    skipped: tuple[Skipped, ...]

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
) -> Activation:
    """Find the packages that a marker environment needs.

    Args:
        lock: The lock.
        environment: All eleven marker keys.
        extras: Extras of the project.
        groups: Dependency groups; None for the lock's default groups.
        target: Names the target in messages.

    Raises:
        UnknownExtraError: The lock has no such extra or group.
        TargetNotLockedError: The lock is not for that Python or environment.
        ConflictingPackagesError: Two entries of one name are needed.
        UndecidedMarkerError: A marker hangs on what is not known of the target.
    """
    asked_extras = _known("extra", extras, lock.optional, lock)
    asked_groups = _known("dependency group", lock.default_groups if groups is None else groups, lock.groups, lock)
    evaluator = MarkerEvaluator(environment, asked_extras, asked_groups, target=target)
    _check_environment(lock, environment, evaluator, target)
    walk = _Walk(lock, evaluator)
    walk.follow("", lock.roots)
    for extra in asked_extras:
        walk.follow_own_extra(extra)
    for group in asked_groups:
        walk.follow("", lock.groups[group])
    walk.run()
    return walk.result(environment["python_full_version"], target)


def _known(
    noun: str, names: Collection[str], known: Mapping[str, tuple[Dependency, ...]], lock: Lock
) -> tuple[str, ...]:
    asked = sorted({project_name(name, f"{noun} {name[:40]!r}") for name in names})
    for name in asked:
        if name not in known:
            has = f"it has {', '.join(sorted(known))}" if known else "it has none"
            raise UnknownExtraError(
                f"{lock.path} has no {noun} {name!r}",
                why=has,
                hint="add it to the project and lock again, or ask for one that is there",
            )
    return tuple(asked)


def _check_environment(lock: Lock, environment: Mapping[str, str], evaluator: MarkerEvaluator, target: str) -> None:
    python = environment["python_full_version"]
    if lock.requires_python and not _admits(lock.requires_python, python):
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


def _admits(specifiers: str, python: str) -> bool:
    return SpecifierSet(specifiers).contains(python, prereleases=True)


class _Walk:
    """Breadth first over (package, extra) pairs; each is expanded once."""

    def __init__(self, lock: Lock, evaluator: MarkerEvaluator) -> None:
        self._lock = lock
        self._evaluator = evaluator
        self._extras: dict[int, set[str]] = {}
        self._required_by: dict[int, set[str]] = {}
        self._false: dict[int, set[str]] = {}
        self._own_extras: set[str] = set()
        self._queue: deque[tuple[str, tuple[Dependency, ...]]] = deque()

    def follow(self, parent: str, dependencies: tuple[Dependency, ...]) -> None:
        self._queue.append((parent, dependencies))

    def follow_own_extra(self, extra: str) -> None:
        if extra not in self._own_extras:
            self._own_extras.add(extra)
            self.follow("", self._lock.optional.get(extra, ()))

    def run(self) -> None:
        while self._queue:
            parent, dependencies = self._queue.popleft()
            for dependency in dependencies:
                self._edge(parent, dependency)

    def _edge(self, parent: str, dependency: Dependency) -> None:
        holds = self._evaluator.holds(dependency.marker, f"{self._lock.path}: dependency {dependency.name}")
        if dependency.index is None:
            for extra in dependency.extras if holds else ():
                self.follow_own_extra(extra)
            return
        if not holds:
            self._false.setdefault(dependency.index, set()).add(dependency.marker or "")
            return
        package = self._lock.packages[dependency.index]
        if dependency.index not in self._extras:
            self._extras[dependency.index] = set()
            self.follow(package.name, package.dependencies)
        self._required_by.setdefault(dependency.index, set()).add(parent)
        for extra in set(dependency.extras) - self._extras[dependency.index]:
            self._extras[dependency.index].add(extra)
            # An extra that the package does not have adds nothing, as in every installer.
            self.follow(package.name, package.extras.get(extra, ()))

    def result(self, python: str, target: str) -> Activation:
        packages = self._lock.packages
        active = [
            Active(
                package=packages[index],
                required_by=tuple(sorted(self._required_by[index])),
                extras=tuple(sorted(extras)),
            )
            for index, extras in self._extras.items()
        ]
        active.sort(key=lambda item: (item.package.name, item.package.version or "", item.package.source.location))
        _check_distinct(active, self._lock, target)
        _check_pythons(active, python, target, self._lock)
        skipped = [
            Skipped(package=packages[index], markers=tuple(sorted(markers)))
            for index, markers in self._false.items()
            if index not in self._extras
        ]
        skipped.sort(key=lambda item: (item.package.name, item.package.version or ""))
        return Activation(active=tuple(active), skipped=tuple(skipped))


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
        if needed and not _admits(needed, python):
            raise TargetNotLockedError(
                f"{item.package} is not for Python {python} of {target}",
                why=f"{lock.path} says that it requires Python {needed}",
                hint="choose another Python for the target, or lock again for it",
            )
