"""``crossdock exe``: one file for each target that brings its own Python."""

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

if TYPE_CHECKING:
    import argparse

__all__ = ["add_exe", "build"]


def add_exe(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "exe",
        "crossdock.cli.exe:build",
        "build one self-extracting file for every target, with its own Python",
        "Build an executable for each target: the application, its packages and a standalone Python in one file.\n"
        "It needs nothing of its machine but a shell, tar and gzip. Packages are chosen for that Python's version.\n"
        "Prints the path of each.",
    )
    add_project(parser)
    add_targets(parser, pythons=False)
    parser.add_argument(
        "--interpreter",
        action="append",
        default=[],
        metavar="[T=]ARCHIVE",
        help="archive of a standalone Python (install_only.tar.gz), with the target it is for, as in linux/arm64=FILE, "
        "where there are several; may be given several times (default: [tool.crossdock.interpreter])",
    )
    entry = parser.add_mutually_exclusive_group()
    entry.add_argument("--entry-point", metavar="MODULE[:FUNCTION]", help="module or function that it starts")
    entry.add_argument(
        "--script",
        metavar="NAME",
        help="console script that it starts (default: the settings' entrypoint, or the project's only console script)",
    )
    parser.add_argument("--output", metavar="DIR", help="folder for the executables (default: dist in the project)")
    parser.add_argument(
        "--name-style",
        choices=("suffix", "folder", "plain"),
        default="suffix",
        help="NAME_linux_arm64 (default), linux_arm64/NAME, or NAME for one target",
    )
    add_building(parser)
    add_cache(parser)
    add_parts(parser, only=False)


def build(options: argparse.Namespace) -> int:
    """Build executables."""
    from dataclasses import replace

    from crossdock.bundling.exes import ExeOptions, build_exes

    project = project_of(options)
    if (entry := _entry(options)) is not None:
        project = replace(project, config=replace(project.config, entrypoint=entry))
    wanted = ExeOptions(
        output=Path(options.output) if options.output is not None else project.root / "dist",
        interpreters=tuple(options.interpreter),
        style=options.name_style,
    )
    made = build_exes(project, request_of(options), wanted, services_of(options))
    if not options.quiet:
        print(made.report.to_text(), end="", file=sys.stderr)
    for path in made.paths:
        print(path)
    return 0


def _entry(options: argparse.Namespace) -> str | tuple[str, ...] | None:
    """Give what to start, as the settings would have it.

    Raises:
        UsageError: It is no name.
    """
    from crossdock.errors import UsageError

    if options.script is not None:
        if not options.script.strip():
            raise UsageError("--script names nothing", hint="name a console script of the project or of a package")
        return str(options.script)
    if options.entry_point is None:
        return None
    module, colon, function = options.entry_point.partition(":")
    names = [module, function] if colon else [module]
    if not all(word.isidentifier() for name in names for word in name.split(".")):
        raise UsageError(
            f"--entry-point cannot be {options.entry_point!r}",
            why="it is a module or a function",
            hint="write app.main or app.main:run; a console script is named with --script",
        )
    return str(options.entry_point) if colon else ("python", "-m", module)
