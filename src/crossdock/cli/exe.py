"""``crossdock exe``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.cli.options import add_building, add_cache, add_command, add_parts, add_project, add_targets

if TYPE_CHECKING:
    import argparse

__all__ = ["add_exe"]


def add_exe(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(commands, "exe", "crossdock.cli.exe:build", "", "")
    add_project(parser)
    add_targets(parser)
    add_building(parser)
    add_cache(parser)
    add_parts(parser, only=False)
