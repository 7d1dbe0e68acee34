"""``crossdock bazel lock``: what Bazel's rules take from a lock, written into the repository."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.cli.options import add_cache, add_command, add_project, project_of, services_of

if TYPE_CHECKING:
    import argparse

    from crossdock.projects.project import Project

__all__ = ["add_bazel", "lock"]

_NAME = "crossdock.hub.json"


def add_bazel(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command to a program's."""
    summary = "keep what Bazel takes from a lock in the repository"
    parser = add_command(commands, "bazel", "crossdock.cli.bazel:lock", summary, "For builds with Bazel.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=type(parser))
    own = add_command(
        actions,
        "lock",
        "crossdock.cli.bazel:lock",
        "write which wheel each target takes, as JSON",
        "Write which wheel of the lock each target takes and what every package needs there, as JSON. Bazel then\n"
        'reads that in place of the lock: crossdock.lock(name = ..., json = "//:crossdock.hub.json").\n'
        "With --check nothing is written, and the exit code is 37 if the file is out of date.",
    )
    add_project(own)
    own.add_argument("--lock", metavar="FILE", help="lock file (default: the project's); needs no pyproject.toml")
    own.add_argument(
        "--target",
        action="append",
        default=[],
        metavar="T",
        help="platform and Python, such as 'linux/arm64+glibc2.28 3.12', or a runtime; may be given several times; "
        "left out, "
        "they are glibc2.28, musl1.2 or macos14.0, and the project's Python or 3.11 "
        "(default: those of the file that is there, or else targets in [tool.crossdock])",
    )
    help_of = "%s that counts, of those that exclude each other (all others count anyway)"
    own.add_argument("--extra", action="append", default=[], metavar="NAME", help=help_of % "extra of the project")
    own.add_argument("--group", action="append", default=[], metavar="NAME", help=help_of % "dependency group")
    own.add_argument("--output", metavar="FILE", help=f"where it is written (default: {_NAME} beside the lock)")
    own.add_argument("--check", action="store_true", help="write nothing, and fail if the file is out of date")
    own.add_argument("--frozen", action="store_true", help="take the lock even if pyproject.toml is newer")
    add_cache(own)


def lock(options: argparse.Namespace) -> int:
    """Write a hub's JSON, or tell whether it is current."""
    from crossdock.bazel.commands.hub import hub_text, make_hub
    from crossdock.bazel.hubs.checking import check_hub
    from crossdock.bazel.hubs.keeping import Kept, read_hub
    from crossdock.choosing.survey import find_project_lock
    from crossdock.errors import StaleHubError
    from crossdock.store.files import reported, write_whole

    project = _project(options)
    path = Path(options.lock) if options.lock else find_project_lock(project)
    output = Path(options.output) if options.output else path.parent / _NAME
    kept = Kept({})
    # One that cannot be read is written anew, if it is known otherwise what for.
    with contextlib.suppress(*() if options.check else (StaleHubError,)):
        kept = read_hub(output)
    made = make_hub(
        path,
        project,
        options.target or kept.targets or project.config.targets or (),
        services_of(options),
        extras=options.extra or kept.parts("extras"),
        groups=options.group or kept.parts("groups"),
        frozen=options.frozen,
        kept=kept if options.check else None,
    )
    if options.check:
        check_hub(output, kept.document, made, path)
        return 0
    with reported(output):
        write_whole(output, hub_text(made).encode())
    print(output)
    return 0


def _project(options: argparse.Namespace) -> Project:
    """Load the project, or the settings of a workspace without one; a lock that is named does without both."""
    from crossdock.bazel.hubs.inputs import project_for

    pyproject = Path(options.project) / "pyproject.toml"
    if options.package or (not options.lock and not pyproject.is_file()):
        return project_of(options)
    return project_for(Path(options.lock or pyproject), pyproject if pyproject.is_file() else None)
