"""Why a package is what it is for a target: who asks for it, under which markers, and what each of its files lacks."""

from __future__ import annotations

import difflib
import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from crossdock.errors import UndecidedMarkerError, UnknownPackageError
from crossdock.locks.activation import FLAT_FORMATS
from crossdock.locks.choice import Choice, Misfit
from crossdock.locks.files import parse_wheel
from crossdock.locks.markers import MarkerEvaluator
from crossdock.locks.mismatch import nearest
from crossdock.locks.missing import existing_tags, hints, nearest_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.choosing.request import Parts
    from crossdock.locks import Dependency, Lock, Package, Rejection, SourceChoice, Survey
    from crossdock.targets import Target

__all__ = [
    "Chain",
    "Entry",
    "FileAnswer",
    "Status",
    "Step",
    "TargetExplanation",
    "explain",
    "find_package",
    "status_of",
]

Status = Literal["wheel", "pure", "sdist", "missing", "virtual", "skipped"]

#: Ways to one package that are told; a lock in which everything needs everything has one for each of its packages.
_MAX_CHAINS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One edge on the way from the project to a package.

    Attributes:
        parent: Who names it, as in ``pandas 2.2``; the project is ``""``.
        via: The parent's extra or group that names it, as in ``extra fast``; empty for what it always needs.
        asked: Whether that extra or group, or else the parent itself, is asked for on this way.
        package: What is named, with its version.
        extras: Extras of it that are asked for.
        marker: The marker on the edge, or None for always.
        holds: Whether the marker does; None if that cannot be decided for the target.
    """

    parent: str
    via: str
    asked: bool
    package: str
    extras: tuple[str, ...]
    marker: str | None
    holds: bool | None

    @property
    def open(self) -> bool:
        """Whether this edge brings its package in."""
        return self.asked and self.holds is True


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """A way from the project to a package.

    Attributes:
        steps: Its edges, from the project on.
    """

    steps: tuple[Step, ...]

    @property
    def open(self) -> bool:
        """Whether every edge holds, so that the package is needed."""
        return all(step.open for step in self.steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """What became of a file.

    Attributes:
        filename: The file.
        taken: Whether it is the one.
        rank: Position of its best tag among the target's, from 1; None if it does not fit.
        reason: Why it was taken or not.
    """

    filename: str
    taken: bool
    rank: int | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one entry of the lock is for a target.

    Attributes:
        package: The entry.
        status: ``pure`` is a wheel for every platform, ``sdist`` is built from source, ``virtual`` has nothing to be
            installed, and ``skipped`` is not needed.
        extras: Extras of it that are asked for.
        required_by: Names of those that need it; the project is ``""``.
        chains: Ways to it, those that hold first and shortest first. In flat formats, which list packages and not who
            needs them, the one from the project.
        more_chains: How many more there are than told.
        files: Every file, best first; empty if it is not needed.
        missing: For ``missing``, what is nearest and what exists, in lines.
        hints: For ``missing``, what can be done.
    """

    package: Package
    status: Status
    extras: tuple[str, ...] = ()
    required_by: tuple[str, ...] = ()
    chains: tuple[Chain, ...] = ()
    more_chains: int = 0
    files: tuple[FileAnswer, ...] = ()
    missing: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()

    @property
    def needed(self) -> bool:
        """Whether the target needs it."""
        return self.status != "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetExplanation:
    """What a package is for one target.

    Attributes:
        target: The target.
        entries: One for each of the lock's entries of that name, needed ones first.
    """

    target: Target
    entries: tuple[Entry, ...]


def find_package(lock: Lock, name: str) -> str:
    """Give the normalised name of a package of the lock.

    Raises:
        UnknownPackageError: It has none of that name.
    """
    wanted = canonicalize_name(name)
    names = sorted({package.name for package in lock.packages})
    if wanted in names:
        return wanted
    shown = name if name.isprintable() and 0 < len(name) <= 100 else ascii(name[:100])
    if wanted == lock.project:
        raise UnknownPackageError(
            f"{shown} is the project itself, which is never taken from {lock.path}",
            hint="name one of its dependencies",
        )
    close = difflib.get_close_matches(wanted, names, n=3)
    raise UnknownPackageError(
        f"{lock.path} has no package {shown}",
        why=f"it has {len(names)} others" if names else "it has no package at all",
        hint=f"did you mean {' or '.join(close)}?"
        if close
        else "add it to the project and lock again, if it is needed",
    )


def explain(lock: Lock, parts: Parts, surveys: Sequence[Survey], name: str) -> tuple[TargetExplanation, ...]:
    """Explain a package for every target that was surveyed.

    Args:
        lock: The lock.
        parts: Extras and groups that the surveys were made with.
        surveys: What the lock gives, for each target.
        name: The package, in any spelling.

    Raises:
        UnknownPackageError: The lock has none of that name.
    """
    wanted = find_package(lock, name)
    indices = [index for index, package in enumerate(lock.packages) if package.name == wanted]
    return tuple(_for_target(lock, parts, found, indices) for found in surveys)


def _for_target(lock: Lock, parts: Parts, found: Survey, indices: Sequence[int]) -> TargetExplanation:
    entries = []
    for index in indices:
        package = lock.packages[index]
        active = next((item for item in found.activation.active if item.package is package), None)
        chains = sorted(_Ways(lock, parts, found, index).chains(), key=_chain_order)
        answer = _answer_for(found, package)
        misfit = answer if isinstance(answer, Misfit) else None
        entries.append(
            Entry(
                package=package,
                status="skipped" if active is None else status_of(answer),
                extras=active.extras if active else (),
                required_by=active.required_by if active else (),
                chains=tuple(chains[:_MAX_CHAINS]),
                more_chains=max(len(chains) - _MAX_CHAINS, 0),
                files=tuple(_files(answer, found.target)) if answer else (),
                missing=(nearest_file(misfit), *existing_tags(misfit)) if misfit else (),
                hints=tuple(hints([misfit])) if misfit else (),
            )
        )
    return TargetExplanation(target=found.target, entries=tuple(sorted(entries, key=lambda entry: not entry.needed)))


def _answer_for(found: Survey, package: Package) -> Choice | SourceChoice | Misfit | None:
    answers: Iterable[Choice | SourceChoice | Misfit] = (*found.choices, *found.builds, *found.misfits)
    # Not by name: a lock may have one version from two sources.
    return next((item for item in answers if item.package is package), None)


def status_of(answer: Choice | SourceChoice | Misfit | None) -> Status:
    """Say in one word what a needed package is taken from; None is an entry that has nothing to install."""
    if answer is None:
        return "virtual"
    if isinstance(answer, Choice):
        return "pure" if answer.tag.platform == "any" else "wheel"
    return "missing" if isinstance(answer, Misfit) else "sdist"


def _chain_order(chain: Chain) -> tuple[bool, int, list[str], list[str]]:
    steps = chain.steps
    return not chain.open, len(steps), [step.package for step in steps], [step.marker or "" for step in steps]


# Files.


def _files(answer: Choice | SourceChoice | Misfit, target: Target) -> Iterator[FileAnswer]:
    """List the taken file, then those that would do as well, then the rest with the nearest first."""
    if isinstance(answer, Choice):
        yield FileAnswer(filename=answer.file.filename, taken=True, rank=answer.rank, reason=answer.reason)
    elif not isinstance(answer, Misfit) and answer.file is not None:
        yield FileAnswer(filename=answer.file.filename, taken=True, rank=None, reason=answer.reason)
    for item in sorted(answer.rejected, key=lambda item: _file_order(item, target)):
        yield FileAnswer(filename=item.filename, taken=False, rank=item.rank, reason=item.reason)


def _file_order(item: Rejection, target: Target) -> tuple[int, int, int, str]:
    wheel = parse_wheel(item.filename) if item.filename.endswith(".whl") else None
    if wheel is None:
        return 2, 0, 0, item.filename
    if item.rank is not None:
        return 0, item.rank, -wheel[2][0] if wheel[2] else 1, item.filename
    found = nearest(wheel[3], target)
    return 1, found[0] if found else 0, 0, item.filename


# Ways from the project. A node is an entry of the lock or one of its extras; the project is the entry None.

_Node = tuple[int | None, str]
_PROJECT: _Node = (None, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Arrival:
    """How a node is come to: from which, over which edge (none inside one package), and asked for or not."""

    before: _Node | None
    step: Step | None
    asked: bool


class _Ways:
    """The best way from the project to everything but one package, and from there the last edges to that package.

    Best is the one with the fewest edges that do not hold, and then the shortest (Dijkstra's algorithm). The package
    itself is never walked through, as a way that comes back to it explains nothing.
    """

    def __init__(self, lock: Lock, parts: Parts, found: Survey, goal: int) -> None:
        self._lock = lock
        self._goal = goal
        self._project = found.activation.project
        self._extras = {canonicalize_name(name) for name in parts.extras}
        self._groups = {canonicalize_name(name) for name in parts.groups}
        # In flat formats "dependencies" only inform (PEP 751).
        self._flat = lock.format in FLAT_FORMATS
        seen = found.activation
        self._evaluator = MarkerEvaluator(
            found.target.environment, seen.marker_extras, seen.marker_groups, target=str(found.target)
        )
        self._best: dict[_Node, _Arrival] = {}
        self._walk()

    def chains(self) -> Iterator[Chain]:
        """Give one way for each edge that names the package, equal ones once."""
        seen: dict[tuple[Step, ...], None] = {}
        for node in self._best:
            for dependency in self._dependencies(node):
                if dependency.index == self._goal:
                    seen[(*self._steps_to(node), self._step(node, dependency))] = None
        return (Chain(steps=steps) for steps in seen)

    def _walk(self) -> None:
        start = _Arrival(before=None, step=None, asked=self._project)
        queue: list[tuple[tuple[int, int], int, _Node, _Arrival]] = [((0, 0), 0, _PROJECT, start)]
        pushed = 0  # of equal ways the one found first is best
        while queue:
            cost, _, node, arrival = heapq.heappop(queue)
            if node in self._best:
                continue
            self._best[node] = arrival
            for to, onward, closed in self._edges(node):
                if to not in self._best:
                    pushed += 1
                    length = cost[1] + (onward.step is not None)
                    heapq.heappush(queue, ((cost[0] + closed, length), pushed, to, onward))

    def _edges(self, node: _Node) -> Iterator[tuple[_Node, _Arrival, bool]]:
        """Give every node one edge away, how it is come to, and whether that edge does not hold."""
        index, part = node
        if not part:
            for name in self._parts_of(index):
                asked = index is None and self._is_asked_for(name)
                yield (index, name), _Arrival(before=node, step=None, asked=asked), not asked
        for dependency in self._dependencies(node):
            if dependency.index == self._goal:
                continue
            if dependency.index is None:  # an extra of the project that includes another
                asked = self._best[node].asked and self._holds(dependency) is True
                for name in dependency.extras:
                    yield (None, f"extra {name}"), _Arrival(before=node, step=None, asked=asked), not asked
                continue
            step = self._step(node, dependency)
            # That an extra is not asked for was counted on the way to it.
            closed = step.holds is not True or (node == _PROJECT and not step.asked)
            for name in ("", *(f"extra {name}" for name in dependency.extras)):
                yield (dependency.index, name), _Arrival(before=node, step=step, asked=True), closed

    def _parts_of(self, index: int | None) -> Iterator[str]:
        extras = self._lock.optional if index is None else self._lock.packages[index].extras
        yield from (f"extra {name}" for name in extras)
        if index is None:
            yield from (f"group {name}" for name in self._lock.groups)

    def _is_asked_for(self, part: str) -> bool:
        kind, _, name = part.partition(" ")
        return name in (self._extras if kind == "extra" else self._groups)

    def _dependencies(self, node: _Node) -> Sequence[Dependency]:
        index, part = node
        kind, _, name = part.partition(" ")
        if index is not None:
            package = self._lock.packages[index]
            always = () if self._flat else package.dependencies
            return package.extras.get(name, ()) if part else always
        if not part:
            return self._lock.roots
        return (self._lock.optional if kind == "extra" else self._lock.groups).get(name, ())

    def _step(self, node: _Node, dependency: Dependency) -> Step:
        index, part = node
        return Step(
            parent="" if index is None else str(self._lock.packages[index]),
            via=part,
            asked=self._best[node].asked,
            package=dependency.name if dependency.index is None else str(self._lock.packages[dependency.index]),
            extras=dependency.extras,
            marker=dependency.marker,
            holds=self._holds(dependency),
        )

    def _holds(self, dependency: Dependency) -> bool | None:
        try:
            return self._evaluator.holds(dependency.marker, f"{self._lock.path}: dependency {dependency.name}")
        except UndecidedMarkerError:
            return None

    def _steps_to(self, node: _Node) -> list[Step]:
        steps = []
        current: _Node | None = node
        while current is not None:
            arrival = self._best[current]
            if arrival.step is not None:
                steps.append(arrival.step)
            current = arrival.before
        return steps[::-1]
