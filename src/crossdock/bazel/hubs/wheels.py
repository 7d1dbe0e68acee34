"""The wheel of every entry of a lock that counts for a target, by the functions that the command line asks."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from crossdock.bazel.hubs.missing import build_message, misfit_message, python_message, setting_message
from crossdock.locks import Dependency, survey

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.bazel.hubs.activity import Activity
    from crossdock.bazel.hubs.files import Candidates
    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Lock, LockedFile

__all__ = ["choose_wheels"]


def choose_wheels(
    inputs: Inputs, target: HubTarget, activity: Activity, candidates: Candidates
) -> tuple[dict[int, LockedFile], dict[int, str]]:
    """Find wheels.

    Args:
        inputs: The lock.
        target: The target.
        activity: What counts for it.
        candidates: Gives the files of a package that the lock knows by hashes alone.

    Returns:
        By position in the lock the wheels, and why others have none; one in neither has nothing to be installed.

    Raises:
        TargetNotLockedError: The lock is not for the target at all.
        MalformedLockError: A wheel's name says another project or version.
    """
    lock = inputs.lock
    files: dict[int, LockedFile] = {}
    refused = dict(activity.undecided)
    wanted = []
    for index in sorted(activity.nearness.keys() - refused.keys()):
        package = lock.packages[index]
        if (text := setting_message(inputs.project, package)) is not None:
            refused[index] = text
        elif not _admitted(package.requires_python, target.target.environment["python_full_version"]):
            refused[index] = python_message(package, lock, target)
        else:
            wanted.append(index)
    for one in _rounds(lock, wanted):
        roots = tuple(Dependency(name=name, index=index) for name, index in one.items())
        # In the form of a flat lock, so that these entries are answered for and no others.
        asked = replace(
            lock, format="requirements.txt", roots=roots, optional={}, groups={}, default_groups=(), conflicts=()
        )
        found = survey(asked, target.target, candidates=candidates)
        files |= {one[choice.package.name]: choice.file for choice in found.choices}
        refused |= {one[item.package.name]: misfit_message(item, target) for item in found.misfits}
        refused |= {one[item.package.name]: build_message(item, target) for item in found.builds}
    return files, refused


def _rounds(lock: Lock, indexes: Iterable[int]) -> list[dict[str, int]]:
    """Divide entries so that no name is twice in one survey; there is one, so that the lock itself is checked."""
    rounds: list[dict[str, int]] = [{}]
    for index in indexes:
        name = lock.packages[index].name
        place = next((one for one in rounds if name not in one), None)
        if place is None:
            place = {}
            rounds.append(place)
        place[name] = index
    return rounds


@lru_cache(maxsize=8192)
def _admitted(specifiers: str | None, python: str) -> bool:
    try:
        return specifiers is None or SpecifierSet(specifiers).contains(python, prereleases=True)
    except ValueError:
        return False
