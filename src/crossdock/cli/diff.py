"""``crossdock diff``: where two artifacts differ, and why their digests do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.cli.options import add_cache, add_command, services_of

if TYPE_CHECKING:
    import argparse

__all__ = ["add_diff", "diff"]


def add_diff(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "diff",
        "crossdock.cli.diff:diff",
        "tell where two artifacts differ",
        "Compare two images, on disk or in registries, or two bundles: layers, packages, files, configuration, sizes,\n"
        "and say why digests differ. That they differ is no failure, unless --exit-code is given.",
    )
    parser.add_argument("old", metavar="A", help="an image layout, a docker archive, a registry reference, or a bundle")
    parser.add_argument("new", metavar="B", help="the other one, of the same kind")
    parser.add_argument("--all", action="store_true", help="tell every change, and not the first few of a kind")
    parser.add_argument("--exit-code", action="store_true", help="end with 1 if they differ")
    parser.add_argument("--json", action="store_true", help="print it as JSON")
    add_cache(parser)


def diff(options: argparse.Namespace) -> int:
    """Compare two artifacts."""
    import json

    from crossdock.reports.artifact_diff import diff_json, diff_text
    from crossdock.steps.diffing import compare_sides, read_side
    from crossdock.steps.subjects import open_subject

    services = services_of(options)
    with open_subject(options.old, services, whole=True) as old, open_subject(options.new, services, whole=True) as new:
        found = compare_sides(read_side(old, options.old), read_side(new, options.new))
        if options.json:
            print(json.dumps(diff_json(options.old, options.new, found), indent=2))
        else:
            print("\n".join(diff_text(options.old, options.new, found, every=options.all)))
    return int(options.exit_code and not all(difference.same for difference in found))
