"""From a lock and a target to one file per package, or one error that names every package without."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from crossdock.errors import NoWheelError
from crossdock.locks.activation import activate
from crossdock.locks.choice import Choice, Misfit, Rejection, choose
from crossdock.locks.missing import existing_tags, hints, nearest_file

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from crossdock.locks.activation import Activation, Active, Skipped
    from crossdock.locks.model import Lock, LockedFile, Package
    from crossdock.targets import Target

    Candidates = Callable[[Package], tuple[LockedFile, ...]]

__all__ = ["Selection", "SourceChoice", "Survey", "complete", "select", "survey"]

#: What is no file of an index but source to be built, in words.
_TREES = {"directory": "a folder of source code", "vcs": "a repository"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceChoice:
    """A package that has to be built from source, and must turn out to be pure Python.

    Attributes:
        package: The lock's entry.
        file: The source distribution; None for a folder or a repository, which ``package.source`` names.
        reason: Why it is built, one sentence.
        rejected: Every other file, in the lock's order.
        required_by: Names of those that need the package; the project is ``""``.
    """

    package: Package
    file: LockedFile | None
    reason: str
    rejected: tuple[Rejection, ...] = ()
    required_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Survey:
    """What a lock gives for a target, with what is missing.

    Attributes:
        target: The target.
        activation: Which packages are needed and which not, and why.
        choices: Packages with a fitting wheel, sorted by name.
        builds: Packages to be built from source, sorted by name.
        misfits: Packages with neither, sorted by name.
    """

    target: Target
    activation: Activation
    choices: tuple[Choice, ...]
    builds: tuple[SourceChoice, ...]
    misfits: tuple[Misfit, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What a lock gives for a target: every needed package is in ``choices`` or in ``builds``.

    Attributes:
        target: The target.
        choices: Packages with a fitting wheel, sorted by name.
        skipped: Packages that a false marker leaves out, sorted by name.
        builds: Packages to be built from source, sorted by name.
        active: All needed packages with who names them, sorted by name.
    """

    target: Target
    choices: tuple[Choice, ...]
    skipped: tuple[Skipped, ...]
    builds: tuple[SourceChoice, ...] = ()
    active: tuple[Active, ...] = ()


def select(
    lock: Lock,
    target: Target,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    *,
    candidates: Candidates | None = None,
) -> Selection:
    """Select the files of a lock for a target.

    Arguments and errors are those of ``survey``; beside these:

    Raises:
        NoWheelError: Packages that have no fitting wheel and cannot be built either, all of them.
    """
    return complete(survey(lock, target, extras, groups, candidates=candidates))


def complete(found: Survey) -> Selection:
    """Take a survey that misses nothing as the selection.

    Raises:
        NoWheelError: Packages that have no fitting wheel and cannot be built either, all of them.
    """
    if found.misfits:
        raise _no_wheel(found.misfits, found.target)
    return Selection(
        target=found.target,
        choices=found.choices,
        skipped=found.activation.skipped,
        builds=found.builds,
        active=found.activation.active,
    )


def survey(
    lock: Lock,
    target: Target,
    extras: Collection[str] = (),
    groups: Collection[str] | None = None,
    *,
    candidates: Candidates | None = None,
    include_project: bool = True,
) -> Survey:
    """Find a file of a lock for every package a target needs, and tell those that have none.

    Args:
        lock: The lock.
        target: The target; all markers and tags are its own, none the host's.
        extras: Extras of the project.
        groups: Dependency groups; None for the lock's default groups (in uv.lock none).
        candidates: Gives the index's files of a package that the lock knows by hashes alone. What has another hash
            is rejected here.
        include_project: Whether what the project itself needs counts, or its groups alone.

    Raises:
        SelectionError: See ``activate``.
        MalformedLockError: A wheel's name says another project or version.
    """
    activation = activate(lock, target.environment, extras, groups, target=str(target), include_project=include_project)
    choices: list[Choice] = []
    builds: list[SourceChoice] = []
    misfits: list[Misfit] = []
    for item in activation.active:
        if item.package.source.kind == "virtual":
            continue
        answer = _answer(item, target, candidates)
        if isinstance(answer, Choice):
            choices.append(answer)
        elif isinstance(answer, SourceChoice):
            builds.append(answer)
        else:
            misfits.append(answer)
    return Survey(
        target=target,
        activation=activation,
        choices=tuple(choices),
        builds=tuple(builds),
        misfits=tuple(misfits),
    )


def _answer(item: Active, target: Target, candidates: Candidates | None) -> Choice | SourceChoice | Misfit:
    package = item.package
    if package.source.kind in _TREES:
        reason = f"is {_TREES[package.source.kind]}, built here"
        return SourceChoice(package=package, file=None, reason=reason, required_by=item.required_by)
    files, foreign = _files(package, candidates)
    answer = choose(package, files, target)
    if isinstance(answer, Choice):
        return replace(answer, rejected=answer.rejected + foreign, required_by=item.required_by)
    source = _buildable(package, files, answer)
    if source is None:
        return replace(answer, rejected=answer.rejected + foreign, required_by=item.required_by)
    return SourceChoice(
        package=package,
        file=source,
        reason="no wheel fits; its source distribution is built, and has to be pure Python",
        rejected=tuple(item for item in answer.rejected if item.filename != source.filename) + foreign,
        required_by=item.required_by,
    )


def _buildable(package: Package, files: Iterable[LockedFile], misfit: Misfit) -> LockedFile | None:
    """Find the source distribution to build, if that can give what fits every target.

    A project that publishes wheels for platforms has compiled code, so building it here would give this machine's;
    only a setting lets that be tried.
    """
    sdist = next((file for file in files if not file.is_wheel), None)
    if package.from_source == "never":
        return None
    compiled = any(platform != "any" for platforms in misfit.tags.values() for platform in platforms)
    return sdist if package.from_source == "allow" or not compiled else None


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


def _no_wheel(misfits: Sequence[Misfit], target: Target) -> NoWheelError:
    names = ", ".join(str(misfit.package) for misfit in misfits)
    count = "One package has" if len(misfits) == 1 else f"{len(misfits)} packages have"
    return NoWheelError(
        f"{count} no wheel for {target}: {names}",
        why="\n       ".join(line for misfit in misfits for line in _lines(misfit)),
        hint="; ".join(hints(misfits)),
    )


def _lines(misfit: Misfit) -> Iterable[str]:
    yield f"{misfit.package}: {nearest_file(misfit)}"
    if misfit.nearest is not None:
        yield from (f"  {line}" for line in existing_tags(misfit))
