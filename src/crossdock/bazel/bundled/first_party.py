"""The first party of a bundle: a project with its own wheel, or files as they lie in Bazel's runfiles."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.bundled.app_wheel import distribution_name
from crossdock.bazel.bundled.inputs import member_of, only_wheel, stored_wheel
from crossdock.bazel.handed.exceptions import read_exceptions, undated
from crossdock.bazel.handed.sourcefiles import add_files, listed_files
from crossdock.bazel.hubs.metadata import requires_of
from crossdock.bazel.needs import check_needs
from crossdock.bundling.ready import BundleInputs
from crossdock.errors import UsageError
from crossdock.projects.firstparty import OwnWheel, check_fits
from crossdock.projects.project import Project, load_project

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crossdock.bazel.handed.sourcefiles import SourceFile
    from crossdock.bundling.ready import WheelFile
    from crossdock.store.blobs import Store
    from crossdock.targets import Target
    from crossdock.verify.exceptions import Allowance

__all__ = ["FirstParty", "add_first_party", "first_party", "inputs_of", "own_wheel_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstParty:
    """What was given.

    Attributes:
        project: The project; without one, what stands for it.
        own: The project's own wheel; None if there are files instead.
        files: The files; those of the project's folder, if there is a project.
        imports: Folders in runfiles that are on ``sys.path``.
    """

    project: Project
    own: Path | None = None
    files: tuple[SourceFile, ...] = ()
    imports: tuple[str, ...] = ()


def add_first_party(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("--project", metavar="PYPROJECT")
    parser.add_argument("--own-wheel", metavar="FILE_OR_DIR")
    parser.add_argument("--name")
    parser.add_argument("--import", dest="imports", metavar="FOLDER", action="append", default=[])
    parser.add_argument("--exceptions", metavar="FILE", action="append", default=[], type=Path)
    add_files(parser)


def first_party(options: argparse.Namespace, *, with_files: bool = False) -> FirstParty:
    """Read the options.

    Args:
        options: What `add_first_party` added.
        with_files: Whether a project may have files beside its wheel, which are those of its folder.

    Raises:
        UsageError: Both kinds are given, or neither.
        ProjectError: The project cannot be read.
    """
    files, allow = tuple(listed_files(options)), read_exceptions(options.exceptions)
    if (options.project is None) != (options.own_wheel is None):
        raise UsageError("--project and --own-wheel are given together", hint="name both, or --name and files")
    if options.project is None:
        if not options.name:
            raise UsageError("neither --project nor --name is given", hint="name a project, or the application")
        name = distribution_name(options.name)
        return FirstParty(
            project=_allowing(Project.without_sources(name, Path.cwd()), allow),
            files=files,
            imports=tuple(options.imports),
        )
    if options.name or options.imports or (files and not with_files):
        raise UsageError("--project is given with --name, --file, --files or --import", why="its wheel has its files")
    project = _allowing(load_project(Path(options.project)), allow)
    return FirstParty(project=project, own=only_wheel(options.own_wheel), files=files)


def _allowing(project: Project, allow: Sequence[Allowance]) -> Project:
    """Give a project with exceptions added to its own, none of which ends in an action."""
    allowed = tuple(dict.fromkeys(undated((*project.config.allow, *allow))))
    return replace(project, config=replace(project.config, allow=allowed))


def own_wheel_of(party: FirstParty, store: Store) -> WheelFile:
    """Let the store hold the project's own wheel.

    Raises:
        UsageError: It is another project's.
        WheelError: It cannot be read.
    """
    assert party.own is not None  # noqa: S101  the caller asked
    own = stored_wheel(store, party.own, own=True)
    if own.name != party.project.name:
        raise UsageError(f"{own.filename} is not the wheel of {party.project.name}", hint="build it by own-wheel")
    return own


def inputs_of(
    project: Project, targets: Sequence[tuple[Target, Sequence[WheelFile]]], own: WheelFile, store: Store
) -> BundleInputs:
    """Give what a bundle is made of.

    Raises:
        BazelInputError: What the own wheel requires is not there.
        UsageError: Two wheels are of one distribution.
        ImpureProjectError: The own wheel does not fit a target.
    """
    for target, _ in targets:
        check_fits(OwnWheel(filename=own.filename, sha256=own.sha256, scripts=()), target)
    members = tuple(member_of(target, wheels, own) for target, wheels in targets)
    requires = requires_of(store.path(own.sha256), own.filename)
    for member in members:
        check_needs(project, requires, (wheel.name for wheel in member.wheels), member.target)
    return BundleInputs(project=project, members=members)
