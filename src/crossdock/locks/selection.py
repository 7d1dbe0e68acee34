"""From a lock and a target to one file per package, or one error that names every package without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossdock.errors import NoWheelError, UnsupportedSourceError
from crossdock.locks.activation import Skipped, activate
from crossdock.locks.choice import Choice, Misfit, Rejection, choose

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from crossdock.locks.model import Lock, LockedFile, Package
    from crossdock.targets import Target

    Candidates = Callable[[Package], tuple[LockedFile, ...]]

__all__ = ["Selection", "select"]

#: So that a package with hundreds of wheels still gives a message one can read.
_MAX_GROUPS, _MAX_PLATFORMS = 12, 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a lock gives for a target.

    Attributes:
        target: The target.
        choices: One per package, sorted by name.
        skipped: Packages that a false marker leaves out, sorted by name.
    """

    target: Target
    choices: tuple[Choice, ...]
    skipped: tuple[Skipped, ...]


def select(
    lock: Lock,
    target: Target,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    *,
    candidates: Candidates | None = None,
) -> Selection:
    """Select the files of a lock for a target.

    Args:
        lock: The lock.
        target: The target; all markers and tags are its own, none the host's.
        extras: Extras of the project.
        groups: Dependency groups; None for the lock's default groups (in uv.lock none).
        candidates: Gives the index's files of a package that the lock knows by hashes alone. What has another hash
            is rejected here.

    Raises:
        NoWheelError: Packages without a fitting wheel, all of them.
        UnsupportedSourceError: Packages that are source trees or in repositories, all of them.
        SelectionError: See ``activate``.
        MalformedLockError: A wheel's name says another project or version.
    """
    activation = activate(lock, target.environment, extras, groups, target=str(target))
    needed = [item for item in activation.active if item.package.source.kind != "virtual"]
    _check_sources([item.package for item in needed], lock, target)
    choices: list[Choice] = []
    misfits: list[Misfit] = []
    for item in needed:
        files, foreign = _files(item.package, candidates)
        answer = choose(item.package, files, target)
        if isinstance(answer, Misfit):
            misfits.append(replace(answer, rejected=answer.rejected + foreign))
        else:
            choices.append(replace(answer, rejected=answer.rejected + foreign, required_by=item.required_by))
    if misfits:
        raise _no_wheel(misfits, target)
    return Selection(target=target, choices=tuple(choices), skipped=activation.skipped)


def _files(package: Package, candidates: Candidates | None) -> tuple[tuple[LockedFile, ...], tuple[Rejection, ...]]:
    """A package's files, and those the index has beyond what was locked."""
    if not package.hashes:
        return package.files, ()
    if candidates is None:
        raise ValueError(f"{package} is known by hashes alone; its files are to be had from an index")
    offered = candidates(package)
    permitted = tuple(file for file in offered if file.sha256 in package.hashes)
    foreign = tuple(
        Rejection(filename=file.filename, reason="has a hash that is not in the lock")
        for file in offered
        if file.sha256 not in package.hashes
    )
    return permitted, foreign


def _check_sources(packages: Iterable[Package], lock: Lock, target: Target) -> None:
    what = {"directory": "a folder of source code", "vcs": "a repository"}
    bad = [package for package in packages if package.source.kind in what]
    if bad:
        listed = ", ".join(f"{package} is {what[package.source.kind]}" for package in bad)
        raise UnsupportedSourceError(
            f"{target} needs packages that have no wheel to fetch: {listed}",
            why=f"{lock.path} locks them by where their source is, and building them is not supported yet",
            hint="build a wheel of each, put it beside the project and depend on the wheel; then lock again",
        )


def _no_wheel(misfits: list[Misfit], target: Target) -> NoWheelError:
    names = ", ".join(str(misfit.package) for misfit in misfits)
    count = "One package has" if len(misfits) == 1 else f"{len(misfits)} packages have"
    hints = ["choose a newer version that has such a wheel, or another Python or libc floor for the target"]
    if any(misfit.has_sdist for misfit in misfits):
        hints.append("a source distribution exists, but building one is not supported yet: build its wheel yourself")
    return NoWheelError(
        f"{count} no wheel for {target}: {names}",
        why="\n       ".join(line for misfit in misfits for line in _lines(misfit)),
        hint="; ".join(hints),
    )


def _lines(misfit: Misfit) -> Iterable[str]:
    package = misfit.package
    if misfit.nearest is None:
        exists = "only a source distribution" if misfit.has_sdist else "no file at all"
        if package.hashes and not misfit.has_sdist:
            exists = "on the index no file with one of the locked hashes"
        yield f"{package}: there is {exists}"
        return
    yield f"{package}: nearest is {misfit.nearest.filename}, which {misfit.nearest.reason}"
    groups = list(misfit.tags.items())
    for key, platforms in groups[:_MAX_GROUPS]:
        more = f" and {len(platforms) - _MAX_PLATFORMS} more" if len(platforms) > _MAX_PLATFORMS else ""
        yield f"  {key}: {', '.join(platforms[:_MAX_PLATFORMS])}{more}"
    if len(groups) > _MAX_GROUPS:
        yield f"  and {len(groups) - _MAX_GROUPS} more kinds"
