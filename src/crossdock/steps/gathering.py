"""What is known of a plan's wheels, and which of them have to be here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.errors import RegistryContentError
from crossdock.steps.collisions import reserved_paths
from crossdock.steps.fetching import fetch_wanted, needed_files
from crossdock.steps.stack import scheme_of
from crossdock.steps.wheel_facts import meeting_wheels, read_wheel_facts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.plan import Plan, TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.services import Services
    from crossdock.steps.registry_cache import RegistryCache
    from crossdock.steps.wheel_facts import WheelFacts
    from crossdock.store.blobs import Store
    from crossdock.supply.notes import WheelNotes
    from crossdock.wheels.scheme import Scheme

__all__ = ["Wheels"]


class Wheels:
    """The wheels of a plan: facts about them, wherever those are to be had, and the files, where nothing else will do.

    Args:
        plan: Every package of it is a wheel.
        services: The store, and what it is filled by.
        cache: What registries know.
    """

    def __init__(self, plan: Plan, services: Services, cache: RegistryCache) -> None:
        self._plan = plan
        self._services = services
        self._cache = cache
        self._needed = needed_files(part.selection for part in plan.targets)
        self._read: dict[tuple[str, str], WheelFacts] = {}
        self._notes: dict[str, WheelNotes] = {}
        self._believed: dict[str, int] = {}

    @property
    def store(self) -> Store:
        """Where they are."""
        return self._services.store

    def bring(self, sha256s: Iterable[str]) -> None:
        """Bring wheels into the store; those that are no wheels of the plan are left to others.

        Raises:
            StoreError: One cannot be had, or is not the one that was locked.
            OfflineError: Some would have to be downloaded, and may not.
            RegistryContentError: One has another size than a registry said.
        """
        wanted = set(sha256s)
        files = {file: package for file, package in self._needed.items() if file.sha256 in wanted}
        fetch_wanted(self._plan.project_lock, files, self._services)
        for file in files:
            size = self._services.store.size(file.sha256)
            if (said := self._believed.get(file.sha256, size)) != size:
                raise RegistryContentError(
                    f"{file.filename} has {size:,} bytes, and an image that is used as a cache says {said:,}",
                    why="which wheels share a layer was decided by that",
                    hint="build with --no-cache-from, and find out who pushed that image",
                )

    def sizes(self) -> dict[str, int]:
        """Give the bytes of every wheel, downloading those of which they are not known.

        A size in a lock or a registry is as good as the file's own: a download that differs from it is refused.
        """
        known = {file.sha256: size for file in self._needed if (size := self._size(file.sha256, file.size)) is not None}
        unknown = {file.sha256 for file in self._needed} - known.keys()
        self.bring(unknown)
        return known | {sha256: self._services.store.size(sha256) for sha256 in unknown}

    def facts(self, filename: str, sha256: str, scheme: Scheme) -> WheelFacts | None:
        """Give what is known of a wheel; None if it has to be here for that."""
        key = (sha256, scheme.site_packages)
        if key not in self._read:
            facts = read_wheel_facts(self._services.store, filename, sha256, scheme)
            if facts is None:
                facts = self._cache.wheels.get(sha256)
            if facts is None or facts.site_packages != scheme.site_packages:
                return None
            self._read[key] = facts
        return self._read[key]

    def notes(self, filename: str, sha256: str) -> WheelNotes | None:
        """Give what a wheel says of itself, for bills of materials; None if it has to be here for that."""
        from crossdock.supply.notes import WheelNotes, find_notes

        if sha256 not in self._notes:
            found = find_notes(self._services.store, filename, sha256)
            if found is None:
                try:
                    found = WheelNotes.from_json(self._cache.notes.get(sha256))
                except ValueError:
                    return None
            self._notes[sha256] = found
        return self._notes[sha256]

    def all_notes(self, own: OwnWheel) -> dict[str, WheelNotes]:
        """Give what all wheels of which it is known say of themselves, by SHA-256."""
        wheels = dict(wheel[::-1] for part in self._plan.targets for wheel in self.of(part, own))
        found = {sha256: self.notes(filename, sha256) for sha256, filename in wheels.items()}
        return {sha256: notes for sha256, notes in found.items() if notes is not None}

    def of(self, part: TargetPlan, own: OwnWheel) -> list[tuple[str, str]]:
        """List file name and SHA-256 of every wheel of a target, the project's own last."""
        files = [(choice.file.filename, choice.file.sha256) for choice in part.selection.choices]
        return [*files, (own.filename, own.sha256)]

    def unknown(self, own: OwnWheel, *, noted: bool) -> set[str]:
        """Name the wheels that have to be here for enough to be known of them, by SHA-256.

        Args:
            own: The project's own wheel.
            noted: Whether what they say of themselves has to be known too.
        """
        return {
            sha256
            for part in self._plan.targets
            for filename, sha256 in self.of(part, own)
            if self.facts(filename, sha256, scheme_of(part.target)) is None
            or (noted and self.notes(filename, sha256) is None)
        }

    def meeting(self, part: TargetPlan, own: OwnWheel) -> list[tuple[str, str]]:
        """List those wheels of a target that may write a path of another one, or of the environment."""
        wheels = self.of(part, own)
        places = {sha256: self._places(filename, sha256, part) for filename, sha256 in wheels}
        meeting = meeting_wheels(places, reserved_paths(part))
        return [wheel for wheel in wheels if wheel[1] in meeting]

    def scripts(self, part: TargetPlan) -> set[str]:
        """Give the names of the console scripts of a target's dependencies."""
        found = [
            self.facts(choice.file.filename, choice.file.sha256, scheme_of(part.target))
            for choice in part.selection.choices
        ]
        return {name for facts in found if facts is not None for name in facts.scripts}

    def _places(self, filename: str, sha256: str, part: TargetPlan) -> tuple[str, ...] | None:
        facts = self.facts(filename, sha256, scheme_of(part.target))
        return None if facts is None else facts.places

    def _size(self, sha256: str, locked: int | None) -> int | None:
        if self._services.store.find(sha256) is not None:
            return self._services.store.size(sha256)
        known = self._cache.wheels.get(sha256)
        if locked is not None or known is None:
            return locked
        self._believed[sha256] = known.size
        return known.size
