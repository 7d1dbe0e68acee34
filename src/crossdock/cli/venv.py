"""``crossdock venv``: virtual environments, and folders of packages, for other machines."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.cli.options import (
    add_building,
    add_cache,
    add_command,
    add_parts,
    add_project,
    add_targets,
    project_of,
    request_of,
    services_of,
)
from crossdock.errors import UsageError

if TYPE_CHECKING:
    import argparse

    from crossdock.bundling.venvs import VenvOptions

__all__ = ["add_venv", "build"]


def add_venv(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "venv",
        "crossdock.cli.venv:build",
        "build virtual environments",
        "Build a virtual environment for every target, prove every file in it, and write it as a folder or an\n"
        "archive. Prints the path of each. Nothing of a target is executed, and no Python of a target is needed.\n\n"
        "An environment may be moved: its scripts find their Python beside themselves. That one is a link to the\n"
        "target's own Python, by the path that --interpreter names.",
    )
    add_project(parser)
    add_targets(parser)
    parser.add_argument(
        "--output",
        metavar="DIR_OR_TAR",
        help="folder, or file ending in .tar, .tar.gz, .tgz, .tar.zst or .tzst; with several targets a folder, in "
        "which each gets one of its own (default: dist in the project, with one for each target, such as "
        "dist/NAME_linux_arm64)",
    )
    parser.add_argument(
        "--layout",
        choices=("venv", "flat"),
        default="venv",
        help="an environment, or a folder of packages for PYTHONPATH, as `pip install --target` fills it",
    )
    parser.add_argument(
        "--interpreter",
        metavar="PATH",
        help="Python on the target, which need not exist here (default: /usr/bin/python3.X, or where the installers "
        "of python.org put it on macOS and Windows; with --layout flat the first on PATH)",
    )
    parser.add_argument(
        "--prompt", metavar="TEXT", help="what a shell shows while it is active (default: the project's name)"
    )
    parser.add_argument("--clear", action="store_true", help="replace a folder that already holds something")
    add_building(parser)
    add_cache(parser)
    add_parts(parser, only=False)


def build(options: argparse.Namespace) -> int:
    """Build environments."""
    from crossdock.bundling.venvs import check_venvs, make_venvs
    from crossdock.plan import make_wheel_plan
    from crossdock.verify.report import Report

    project = project_of(options)
    wanted = _options(options)
    check_venvs(wanted)
    services = services_of(options)
    made = make_venvs(make_wheel_plan(project, request_of(options), services), services, wanted)
    if not options.quiet:
        report = Report(subject=project.name, images=tuple(item.report for item in made))
        print(report.to_text(), end="", file=sys.stderr)
        for item in made:
            print(f"written to {item.path}: for {item.target}", file=sys.stderr)
    for item in made:
        print(item.path)
    return 0


def _options(options: argparse.Namespace) -> VenvOptions:
    from crossdock.bundling.venvs import VenvOptions

    if options.output is not None and not options.output.strip():
        raise UsageError("--output is empty", hint="name a folder, or a file ending in .tar.gz")
    return VenvOptions(
        output=None if options.output is None else Path(options.output),
        layout=options.layout,
        interpreter=options.interpreter,
        prompt=options.prompt,
        clear=options.clear,
    )
