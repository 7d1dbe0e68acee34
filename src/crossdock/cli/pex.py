"""``crossdock pex``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bundling.pex_options import add_entry, add_run, add_start, behaviour, entry_of
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
    from crossdock.bundling.pexes import PexWish
    from crossdock.projects.project import Project

__all__ = ["add_pex", "build"]


def add_pex(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "pex",
        "crossdock.cli.pex:build",
        "build PEX files",
        "Build a PEX for every target, by pex's own runtime, prove every file in it, and write it.\n"
        "Prints the path of each. Nothing of a target is executed.\n\n"
        "Options stand in place of what [tool.crossdock.pex] sets.",
    )
    add_project(parser)
    add_targets(parser)
    parser.add_argument(
        "--output",
        metavar="DIR_OR_PEX",
        help="folder for the PEX files, or a name ending in .pex for the only one (default: dist in the project)",
    )
    _add_form(parser)
    add_entry(parser)
    add_start(parser)
    add_run(parser)
    add_building(parser)
    add_cache(parser)
    add_parts(parser, only=False)


def _add_form(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("form")
    group.add_argument(
        "--multi-platform", action=argparse.BooleanOptionalAction, help="one PEX for all targets, or one for each"
    )
    group.add_argument(
        "--layout",
        choices=("zipapp", "packed", "loose"),
        help="one file, a folder with an archive of each wheel, or a folder of files",
    )
    group.add_argument(
        "--pre-install-wheels",
        action=argparse.BooleanOptionalAction,
        help="hold wheels as they are when installed, or as files that are installed at first start",
    )
    group.add_argument(
        "--include-tools", action=argparse.BooleanOptionalAction, help="include pex's tools, for PEX_TOOLS=1"
    )
    group.add_argument("--clear", action="store_true", help="replace a folder that already holds something")


def build(options: argparse.Namespace) -> int:
    """Build PEX files."""
    from crossdock.bundling.pexes import make_pexes
    from crossdock.plan import make_wheel_plan

    project = project_of(options)
    wish = _wish(options, project)
    services = services_of(options)
    made = make_pexes(make_wheel_plan(project, request_of(options), services), services, wish)
    for pex in made if not options.quiet else ():
        print(pex.report.to_text(), end="", file=sys.stderr)
        print(f"written to {pex.path}: {pex.size / 1e6:.1f} MB", file=sys.stderr)
    for pex in made:
        print(pex.path)
    return 0


def _wish(options: argparse.Namespace, project: Project) -> PexWish:
    from crossdock.bundling.pexes import PexWish

    settings = project.config.pex
    output = project.root / "dist" if options.output is None else Path(options.output)
    if options.output is not None and not options.output.strip():
        raise UsageError("--output is empty", hint="name a folder, or a file ending in .pex")
    single = options.output is not None and output.suffix == ".pex"
    return PexWish(
        folder=output.parent if single else output,
        file=output.name if single else "",
        layout=options.layout or settings.layout,
        multi_platform=settings.multi_platform if options.multi_platform is None else options.multi_platform,
        options=behaviour(options, settings.options),
        entry=entry_of(options, project),
        clear=options.clear,
    )
