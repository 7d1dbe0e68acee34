"""``crossdock lambda``: zips for AWS Lambda, Google Cloud Run functions and Azure Functions."""

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

    from crossdock.bundling.functions import FunctionOptions, Role
    from crossdock.projects.project import Project

__all__ = ["add_lambda", "build"]


def add_lambda(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "lambda",
        "crossdock.cli.lambda_:build",
        "build zips for functions of AWS, Google and Azure",
        "Build the zip of a function, or of a layer, for every runtime, prove every file in it, and write it.\n"
        "Prints the path of each. Nothing of a target is executed.\n\n"
        "Targets are runtimes that `crossdock targets` lists (aws-lambda-python3.13/arm64,\n"
        "google-cloud-run-python313/amd64, azure-functions-python3.12/amd64). A plain linux/amd64 or linux/arm64 is\n"
        "AWS Lambda there, with the Python of the project; without any target, both are built.",
    )
    add_project(parser)
    add_targets(
        parser,
        target_help="a runtime, such as aws-lambda-python3.13/arm64 (`crossdock targets` lists them), or linux/amd64 "
        "or linux/arm64 for AWS Lambda there; may be given several times",
        target_default="targets in [tool.crossdock.lambda], those of [tool.crossdock] that are such, or else "
        "linux/amd64 and linux/arm64",
        python_default="the runtime's, the project's, or else the newest of Lambda's that the project runs on",
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--layer", action="store_true", help="a layer with everything, in place of a function")
    what.add_argument(
        "--split",
        metavar="PARTS",
        help="deps,app: a layer of the dependencies, and a function of the project alone; or one of the two",
    )
    parser.add_argument(
        "--handler",
        metavar="MODULE.FUNCTION",
        help="what the runtime calls, as in app.main.handler; it has to be there (default: the settings')",
    )
    parser.add_argument(
        "--without-boto3",
        action="store_true",
        default=None,
        help="leave boto3 and what only it needs to the runtime, which has some version of it",
    )
    parser.add_argument(
        "--direct-upload",
        action="store_true",
        help="refuse a zip of more than 50 MB, which has to be uploaded through S3, in place of a warning",
    )
    parser.add_argument("--output", metavar="DIR", help="folder for the zips (default: dist in the project)")
    add_building(parser)
    add_cache(parser)
    add_parts(parser, only=False)


def build(options: argparse.Namespace) -> int:
    """Build zips."""
    from crossdock.bundles.functions.sizes import megabytes
    from crossdock.bundling.function_targets import function_targets
    from crossdock.bundling.functions import check_functions, make_functions
    from crossdock.plan import make_wheel_plan

    project = project_of(options)
    wanted = _options(options, project)
    request = request_of(options)
    targets = function_targets(project, request)
    check_functions(project, targets, wanted)
    services = services_of(options)
    made = make_functions(make_wheel_plan(project, request, services, targets=targets), services, wanted)
    if not options.quiet:
        print(made.report.to_text(), end="", file=sys.stderr)
        for item in made.zips:
            sizes = f"{megabytes(item.size)}, {megabytes(item.unpacked)} unpacked"
            print(f"written to {item.path}: {sizes}, for {item.target.name}", file=sys.stderr)
        for note in made.notes:
            print(note, file=sys.stderr)
    for item in made.zips:
        print(item.path)
    return 0


def _options(options: argparse.Namespace, project: Project) -> FunctionOptions:
    from crossdock.bundling.functions import FunctionOptions

    if options.output is not None and not options.output.strip():
        raise UsageError("--output is empty", hint="name a folder")
    return FunctionOptions(
        folder=project.root / "dist" if options.output is None else Path(options.output),
        roles=("layer",) if options.layer else _split(options.split),
        handler=options.handler,
        without_sdk=options.without_boto3,
        direct_upload=options.direct_upload,
    )


def _split(text: str | None) -> tuple[Role, ...]:
    if text is None:
        return ("function",)
    parts = [part.strip() for part in text.split(",")]
    roles: tuple[Role, ...] = ("deps", "app")
    if not set(parts) <= set(roles) or len(set(parts)) != len(parts):
        raise UsageError(f"--split cannot be {text!r}", hint="write deps,app, or deps, or app")
    return tuple(role for role in roles if role in parts)
