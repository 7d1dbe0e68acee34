"""Choosing one file of a package for a target, and saying why (PEP 425; ranked as pip does)."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.version import Version

from crossdock.errors import MalformedLockError
from crossdock.locks.files import WheelName, parse_wheel
from crossdock.locks.mismatch import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from packaging.tags import Tag

    from crossdock.locks.model import LockedFile, Package
    from crossdock.targets import Target

__all__ = ["Choice", "Misfit", "Rejection", "choose"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """A file that was not chosen.

    Attributes:
        filename: The file.
        reason: Why, as the end of a sentence that starts with the file's name.
        rank: Position of its best tag among the target's, from 1; None if it does not fit.
    """

    filename: str
    reason: str
    rank: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """The file that a package is taken from.

    Attributes:
        package: The lock's entry.
        file: The chosen wheel.
        tag: The best of its tags.
        rank: Position of that tag among the target's, from 1.
        reason: Why it was chosen, one sentence.
        rejected: Every other file, in the lock's order.
        required_by: Names of those that need the package; the project is ``""``.
    """

    package: Package
    file: LockedFile
    tag: Tag
    rank: int
    reason: str
    rejected: tuple[Rejection, ...]
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Misfit:
    """A package without a wheel for the target.

    Attributes:
        package: The lock's entry.
        tags: Tags of the wheels that exist: interpreter and ABI, to platforms.
        nearest: The wheel that misses by least and what differs; None without wheels.
        has_sdist: Whether there is a source distribution.
        rejected: Every file and why.
        required_by: Names of those that need the package; the project is ``""``.
    """

    package: Package
    tags: Mapping[str, tuple[str, ...]]
    nearest: Rejection | None
    has_sdist: bool
    rejected: tuple[Rejection, ...]
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    rank: int
    build: tuple[int, str]
    filename: str
    tag: Tag
    file: LockedFile

    @property
    def order(self) -> tuple[int, int, list[int], str]:
        """Best first: earliest tag, then highest build, then by name so that order in the lock does not matter."""
        return self.rank, -self.build[0], [*(-ord(char) for char in self.build[1]), 1], self.filename


@lru_cache(maxsize=64)
def _ranks(target: Target) -> Mapping[Tag, int]:
    return {tag: rank for rank, tag in enumerate(target.tags, 1)}


def choose(package: Package, files: tuple[LockedFile, ...], target: Target) -> Choice | Misfit:
    """Choose the best wheel among files.

    Args:
        package: What the files are of.
        files: Its files; for formats that hold only hashes, what the index has by these hashes.
        target: The target.

    Raises:
        MalformedLockError: A wheel's name says another project or version.
    """
    ranks = _ranks(target)
    candidates: list[_Candidate] = []
    misses: list[tuple[LockedFile, WheelName | None]] = []
    for file in files:
        wheel = parse_wheel(file.filename) if file.is_wheel else None
        if wheel is not None:
            _check_name(package, file, wheel)
        fitting = [(ranks[tag], str(tag), tag) for tag in wheel[3] if tag in ranks] if wheel else []
        if wheel and fitting:
            rank, _, tag = min(fitting, key=lambda item: item[:2])
            candidates.append(_Candidate(rank, wheel[2] or (-1, ""), file.filename, tag, file))
        else:
            misses.append((file, wheel))
    if not candidates:
        return _misfit(package, misses, target)
    return _choice(package, files, candidates, misses, target)


@lru_cache(maxsize=8192)
def _version(text: str) -> Version:
    """Parse a version once, not for each wheel and target."""
    return Version(text)


def _check_name(package: Package, file: LockedFile, wheel: WheelName) -> None:
    if wheel[0] != package.name or (package.version and wheel[1] != _version(package.version)):
        raise MalformedLockError(
            f"{file.filename} is not a wheel of {package}",
            why=f"its name says {wheel[0]} {wheel[1]}",
            hint="make the lock again; if it says the same, the index is wrong",
        )


def _choice(
    package: Package,
    files: tuple[LockedFile, ...],
    candidates: list[_Candidate],
    misses: list[tuple[LockedFile, WheelName | None]],
    target: Target,
) -> Choice:
    candidates.sort(key=lambda candidate: candidate.order)
    best = candidates[0]
    reasons = {file.filename: _miss(file, wheel, target)[1] for file, wheel in misses}
    for other in candidates[1:]:
        if other.rank > best.rank:
            reasons[other.filename] = f"fits too, but its tag {other.tag} is the target's {_nth(other.rank)}"
        elif other.build < best.build:
            reasons[other.filename] = "fits as well, but its build tag is lower"
        else:
            reasons[other.filename] = "fits as well; of equals the first by name is taken"
    ranks = {other.filename: other.rank for other in candidates}
    wheels = sum(file.is_wheel for file in files)
    among = "the only wheel" if wheels == 1 else f"best of {wheels} wheels"
    return Choice(
        package=package,
        file=best.file,
        tag=best.tag,
        rank=best.rank,
        reason=f"{among}: {best.tag} is the target's {_nth(best.rank)} tag",
        rejected=tuple(
            Rejection(filename=file.filename, reason=reasons[file.filename], rank=ranks.get(file.filename))
            for file in files
            if file is not best.file
        ),
    )


def _nth(number: int) -> str:
    suffix = "th" if 10 <= number % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{suffix}"


def _miss(file: LockedFile, wheel: WheelName | None, target: Target) -> tuple[int, str]:
    """How far a file misses the target, and why."""
    if not file.is_wheel:
        return 1000, "is a source distribution"
    if wheel is None:
        return 900, "has a name that is no wheel's"
    return _miss_by_tags(wheel[3], target)


@lru_cache(maxsize=65536)
def _miss_by_tags(tags: frozenset[Tag], target: Target) -> tuple[int, str]:
    """How far tags miss the target, and why; wheels of all packages share a few hundred sets of tags."""
    found = nearest(tags, target)
    if found is None or not found[2]:
        return 100, "has no tag among the target's"
    return found[0], " and ".join(text for _, text in found[2])


def _misfit(package: Package, misses: list[tuple[LockedFile, WheelName | None]], target: Target) -> Misfit:
    reasons = [(file, *_miss(file, wheel, target)) for file, wheel in misses]
    wheels = [item for item in reasons if item[0].is_wheel]
    best = min(wheels, key=lambda item: (item[1], item[0].filename), default=None)
    tags: dict[str, set[str]] = {}
    for _, wheel in misses:
        for tag in wheel[3] if wheel else ():
            tags.setdefault(f"{tag.interpreter}-{tag.abi}", set()).add(tag.platform)
    return Misfit(
        package=package,
        tags={key: tuple(sorted(platforms)) for key, platforms in sorted(tags.items())},
        nearest=Rejection(filename=best[0].filename, reason=best[2]) if best else None,
        has_sdist=any(not file.is_wheel for file, _ in misses),
        rejected=tuple(Rejection(filename=file.filename, reason=reason) for file, _, reason in reasons),
    )
