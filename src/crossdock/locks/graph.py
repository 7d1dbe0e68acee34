"""From dependencies as declared to the entries of a lock: which version of a name an edge means, and when."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.version import Version

from crossdock.locks.constraints import Constraint
from crossdock.locks.fields import malformed
from crossdock.locks.marker_logic import NEVER, all_of, any_of, negated, python_marker
from crossdock.locks.model import Dependency, Package, Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from crossdock.locks.declared import Wanted
    from crossdock.locks.model import LockedFile

__all__ = ["Entry", "Graph"]

#: A name has one version in most locks, a few in some; more is not a lock's.
_MOST_VERSIONS = 16
#: Characters of all markers that telling versions apart may take.
_LONGEST_MARKERS = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An entry of a lock before its edges are settled.

    Attributes:
        name: Normalised project name.
        version: As locked.
        source: Where it comes from.
        index_name: Name of the index it comes from, where the lock says it.
        python: Pythons it is for.
        needs: What it always wants.
        extras: What each of its extras wants.
        condition: In flat locks, when it is needed: the lock's own answer, as a marker.
        files: Its files.
        hashes: Its hashes, where the lock has no file names.
    """

    name: str
    version: str | None
    source: Source
    index_name: str = ""
    python: Constraint = field(default_factory=Constraint)
    needs: tuple[Wanted, ...] = ()
    extras: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict, hash=False)
    condition: str | None = None
    files: tuple[LockedFile, ...] = ()
    hashes: frozenset[str] = frozenset()


class Graph:
    """Settles edges.

    A flat lock says of each entry when it is needed, so an edge leads to all entries that fit and holds when its
    entry does. In other locks the tool resolves again among the locked versions, so the edge's versions are told
    apart: those that another dependency rules out are left, then the newest that is for the target's Python is taken.

    Args:
        entries: The lock's entries.
        project: Normalised name of the project; edges to it ask for its own extras.
        roots: What the project always needs.
        flat: Whether the entries' conditions decide.
        ignored: Names that are not installed.
        where: Names the lock in messages.
    """

    def __init__(
        self,
        entries: Sequence[Entry],
        *,
        project: str,
        roots: Sequence[Wanted],
        flat: bool,
        where: str,
        ignored: frozenset[str] = frozenset(),
    ) -> None:
        self._entries = list(entries)
        self._project = project
        self._flat = flat
        self._where = where
        self._ignored = ignored
        self._by_name: dict[str, list[int]] = {}
        self._absent: dict[str, int] = {}
        self._edges: dict[Wanted, tuple[Dependency, ...]] = {}
        self._length = 0
        for index, entry in enumerate(entries):
            self._by_name.setdefault(entry.name, []).append(index)
        for name, indexes in self._by_name.items():
            if len(indexes) > _MOST_VERSIONS:
                raise malformed(where, f"{len(indexes)} entries are called {name}")
        self._fitting: dict[tuple[str, Constraint, str, str], tuple[int, ...]] = {}
        self._limits = {} if flat else self._find_limits(roots)

    def packages(self) -> tuple[Package, ...]:
        """Return the lock's packages, their edges settled; to be called after all other edges are."""
        settled = [
            (entry, self.edges(entry.needs), {extra: self.edges(wants) for extra, wants in entry.extras.items()})
            for entry in self._entries
        ]
        found = [
            Package(
                name=entry.name,
                version=entry.version,
                source=entry.source,
                files=entry.files,
                hashes=entry.hashes,
                requires_python=entry.python.specifiers() or None,
                dependencies=needs,
                extras=extras,
            )
            for entry, needs, extras in settled
        ]
        return (*found, *(Package(name=name, version=None, source=Source(kind="registry")) for name in self._absent))

    def edges(self, wants: Iterable[Wanted]) -> tuple[Dependency, ...]:
        """Settle dependencies."""
        found: list[Dependency] = []
        for wanted in wants:
            if wanted not in self._edges:
                self._edges[wanted] = tuple(self._settle(wanted))
            found += self._edges[wanted]
        return tuple(found)

    def _settle(self, wanted: Wanted) -> Iterable[Dependency]:
        if wanted.marker == NEVER or wanted.name in self._ignored:
            return
        if self._project and wanted.name == self._project:
            yield Dependency(name=wanted.name, index=None, marker=wanted.marker, extras=wanted.extras)
            return
        fitting = self._fits(wanted)
        if not fitting:
            if not self._flat:
                # Tools leave the entry out where the marker can hold in no environment they locked for; should it
                # hold after all, this entry without files is what the user is told of.
                index = len(self._entries) + self._absent.setdefault(wanted.name, len(self._absent))
                yield Dependency(name=wanted.name, index=index, marker=wanted.marker, extras=wanted.extras)
            return
        for index, condition in self._conditions(wanted.name, fitting):
            marker = all_of([wanted.marker, condition])
            self._length += len(marker or "")
            if self._length > _LONGEST_MARKERS:
                raise malformed(self._where, "it has too many versions of the same projects")
            yield Dependency(name=wanted.name, index=index, marker=marker, extras=wanted.extras)

    def _fits(self, wanted: Wanted) -> tuple[int, ...]:
        key = (wanted.name, wanted.constraint, wanted.origin, wanted.index)
        if key not in self._fitting:
            named = self._by_name.get(wanted.name, [])
            best = named
            for test in (
                lambda entry: wanted.constraint.admits(entry.version),
                lambda entry: not wanted.origin or entry.source.location == wanted.origin,
                lambda entry: not wanted.index or entry.index_name.lower() == wanted.index.lower(),
            ):
                # What no entry fulfils was overridden when locking.
                best = [index for index in best if test(self._entries[index])] or best
            self._fitting[key] = tuple(best)
        return self._fitting[key]

    def _conditions(self, name: str, fitting: tuple[int, ...]) -> Iterable[tuple[int, str | None]]:
        """Say when each of the entries that fit is meant."""
        if self._flat:
            return [(index, self._entries[index].condition) for index in fitting]
        limits = self._limits.get(name, ())
        ruled_out = {index: [marker for marker, kept in limits if index not in kept] for index in fitting}
        possible = [index for index in fitting if None not in ruled_out[index]] or list(fitting)
        possible.sort(key=lambda index: Version(self._entries[index].version or "0"), reverse=True)
        found: list[tuple[int, str | None]] = []
        before: list[str | None] = []
        for index in possible:
            python = self._entries[index].python
            own = None if python.is_any else python_marker(python.alternatives)
            against = [marker for marker in ruled_out[index] if marker is not None]
            if index == possible[-1]:
                # The last takes what is left; if it is not for the target's Python, that is an error and no gap.
                found.append((index, all_of(before)))
                break
            allowed = [own, *(negated(marker, self._where) for marker in against)]
            found.append((index, all_of([*before, *allowed])))
            before.append(any_of([negated(own, self._where), *against]))
        return found

    def _find_limits(self, roots: Sequence[Wanted]) -> dict[str, tuple[tuple[str | None, tuple[int, ...]], ...]]:
        """Find what rules versions out: dependencies of the project and of what it needs in every environment."""
        limits: dict[str, dict[tuple[str | None, tuple[int, ...]], None]] = {}
        queue = deque([tuple(roots)])
        seen: set[tuple[int, tuple[str, ...]]] = set()
        while queue:
            for wanted in queue.popleft():
                fitting = self._fits(wanted)
                named = self._by_name.get(wanted.name, [])
                if fitting and len(fitting) < len(named):
                    limits.setdefault(wanted.name, {})[(wanted.marker, fitting)] = None
                if wanted.marker is None and len(named) == 1 and (named[0], wanted.extras) not in seen:
                    seen.add((named[0], wanted.extras))
                    entry = self._entries[named[0]]
                    queue.append(entry.needs)
                    queue.extend(entry.extras.get(extra, ()) for extra in wanted.extras)
        return {name: tuple(found) for name, found in limits.items()}
