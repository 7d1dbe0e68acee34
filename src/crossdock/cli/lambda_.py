"""``crossdock lambda``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.cli.options import add_building, add_cache, add_command, add_parts, add_project, add_targets

if TYPE_CHECKING:
    import argparse

__all__ = ["add_lambda"]


def add_lambda(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(commands, "lambda", "crossdock.cli.lambda_:build", "", "")
    add_project(parser)
    add_targets(parser)
    add_building(parser)
    add_cache(parser)
    add_parts(parser, only=False)
