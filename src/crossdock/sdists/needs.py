"""Which of the recorded wheels a build needs, decided without resolving anything: a record either suffices or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.errors import BuildRequirementsError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from crossdock.lockfile.builds import LockedRequirement

__all__ = ["Needs", "Unmet", "close", "parse_requirements"]


@dataclass(frozen=True, slots=True)
class Needs:
    """What a wheel needs to be installed with (``Requires-Dist``)."""

    requires: tuple[Requirement, ...]


@dataclass(frozen=True, slots=True)
class Unmet:
    """A requirement that no recorded wheel meets on this interpreter."""

    requirement: str


def parse_requirements(texts: Iterable[str], subject: str) -> list[Requirement]:
    """Read requirements (PEP 508) of a build, those for other systems included.

    Raises:
        BuildRequirementsError: One cannot be read, or names a file or a repository instead of versions.
    """
    found = []
    for text in texts:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as error:
            raise BuildRequirementsError(
                f"{text[:200]!r}, which the build of {subject} requires, cannot be read",
                why=str(error).splitlines()[0],
                hint="correct build-system.requires in its pyproject.toml",
            ) from None
        if requirement.url is not None:
            raise BuildRequirementsError(
                f"The build of {subject} requires {requirement.name} from a URL",
                why="what a build runs on has to be a released version, so that its hashes can be recorded",
                hint=f"build a wheel elsewhere and name it in [tool.crossdock.packages.{subject.split(maxsplit=1)[0]}]",
            )
        found.append(requirement)
    return found


def close(
    asked: Iterable[Requirement],
    known: Sequence[LockedRequirement],
    describe: Callable[[Sequence[LockedRequirement]], Mapping[LockedRequirement, Needs | None]],
) -> list[LockedRequirement] | Unmet:
    """Find all that is to be installed for some requirements, among what is recorded.

    Args:
        asked: The requirements; markers are those of this interpreter, on which the backend runs.
        known: What may be used; of several versions the first that fits is.
        describe: Gives what each needs itself, None where it has no wheel for this interpreter; asked for many at
            once.

    Returns:
        All of them sorted by name, or the first requirement that cannot be met.
    """
    chosen: dict[str, LockedRequirement] = {}
    seen: set[tuple[str, str]] = set()
    level = [requirement for requirement in asked if _applies(requirement, "")]
    while level:
        reached: list[tuple[str, str]] = []
        for requirement in level:
            name = str(canonicalize_name(requirement.name))
            found = _pick(requirement, _candidates(name, chosen, known))
            if found is None:
                return Unmet(str(requirement))
            chosen[name] = found
            reached += [(name, extra) for extra in ("", *sorted(map(canonicalize_name, requirement.extras)))]
        new = [item for item in dict.fromkeys(reached) if item not in seen]
        seen.update(new)
        described = describe([chosen[name] for name in dict.fromkeys(name for name, _ in new)])
        level = []
        for name, extra in new:
            needs = described[chosen[name]]
            if needs is None:
                return Unmet(str(chosen[name]))
            level += [requirement for requirement in needs.requires if _applies(requirement, extra)]
    return [chosen[name] for name in sorted(chosen)]


def _candidates(
    name: str, chosen: Mapping[str, LockedRequirement], known: Sequence[LockedRequirement]
) -> list[LockedRequirement]:
    return [chosen[name]] if name in chosen else [item for item in known if item.name == name]


def _pick(requirement: Requirement, candidates: Iterable[LockedRequirement]) -> LockedRequirement | None:
    fits = requirement.specifier.contains
    return next((item for item in candidates if fits(item.version, prereleases=True)), None)


def _applies(requirement: Requirement, extra: str) -> bool:
    # What an extra needs is what holds with it; what holds without it too is only looked at again.
    return requirement.marker is None or requirement.marker.evaluate({"extra": extra})
