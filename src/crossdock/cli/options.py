"""Arguments that several commands share, and what they mean in terms of the library."""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from crossdock.choosing.request import Request
    from crossdock.projects.project import Project
    from crossdock.services import Services

__all__ = [
    "add_building",
    "add_cache",
    "add_command",
    "add_outputs",
    "add_parts",
    "add_project",
    "add_targets",
    "positive",
    "positive_seconds",
    "project_of",
    "request_of",
    "services_of",
]

_TARGET_HELP = """\
platform to build for, such as linux/arm64 or linux/amd64+glibc2.28, a runtime that `crossdock targets` lists, or the
file of a complete platform; may be given several times"""
_TARGET_DEFAULT = "targets in [tool.crossdock], or else linux/amd64 and linux/arm64"
#: Each layer in the making takes memory, and past a few Python itself is what they wait for.
_MOST_JOBS = 4


def add_command(
    commands: argparse._SubParsersAction[Any], name: str, run: str, summary: str, description: str
) -> argparse.ArgumentParser:
    """Add a command.

    Args:
        commands: Those of the program.
        name: What it is called.
        run: The function that runs it, ``module:function``; imported only then.
        summary: What it does, for the list of commands.
        description: What it does, for its own help.
    """
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=summary,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run)
    return parser


def add_building(parser: argparse.ArgumentParser) -> None:
    """Add how something is built, to a command that builds a bundle."""
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="wheels handled at a time (default: a core each, at most 4)"
    )


def positive(text: str) -> int:
    """Read how much is done at once, for argparse."""
    number = int(text) if text.isascii() and text.isdigit() else 0
    if not 0 < number <= 256:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 256")
    return number


def positive_seconds(text: str) -> int:
    """Read how long something may take, for argparse."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0
    if not 0 < number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 1 to 86400")
    return number


def add_project(parser: argparse.ArgumentParser) -> None:
    """Add the project's folder, or its name in a workspace."""
    parser.add_argument("project", nargs="?", default=".", metavar="PROJECT", help="the project's folder (default: .)")
    parser.add_argument("--package", metavar="NAME", help="the member of the workspace that PROJECT is in")


def add_targets(
    parser: argparse.ArgumentParser,
    *,
    pythons: bool = True,
    target_help: str = _TARGET_HELP,
    target_default: str = _TARGET_DEFAULT,
    python_default: str = "the base's",
) -> None:
    """Add targets, and the Pythons to combine them with.

    Args:
        parser: The command's.
        pythons: Whether Pythons can be named.
        target_help: What a target is.
        target_default: Which there are if none is named.
        python_default: Likewise.
    """
    parser.add_argument(
        "--target", action="append", default=[], metavar="T", help=f"{target_help} (default: {target_default})"
    )
    if pythons:
        parser.add_argument(
            "--python",
            action="append",
            default=[],
            metavar="V",
            help="Python of the targets, such as 3.12 or 3.13t; may be given several times "
            f"(default: {python_default})",
        )


def add_parts(parser: argparse.ArgumentParser, *, only: bool = True) -> None:
    """Add which parts of the project and of its lock count."""
    group = parser.add_argument_group("parts of the project")
    group.add_argument("--extra", action="append", default=[], metavar="NAME", help="extra of the project to add")
    group.add_argument("--all-extras", action="store_true", help="add every extra")
    group.add_argument("--group", action="append", default=[], metavar="NAME", help="dependency group to add")
    group.add_argument("--all-groups", action="store_true", help="add every dependency group")
    group.add_argument("--no-group", action="append", default=[], metavar="NAME", help="dependency group to leave out")
    group.add_argument("--no-dev", action="store_true", help="leave the group dev out, like --no-group dev")
    group.add_argument("--no-default-groups", action="store_true", help="leave out the groups that settings name")
    if only:
        group.add_argument(
            "--only-group", action="append", default=[], metavar="NAME", help="this dependency group and nothing else"
        )
    group.add_argument(
        "--libc-policy",
        choices=("newest", "lowest"),
        default="newest",
        help="of several fitting wheels take the one for the newest C library, as pip does, or for the lowest",
    )
    group.add_argument("--frozen", action="store_true", help="take the lock even if pyproject.toml is newer")


def add_outputs(parser: argparse.ArgumentParser) -> None:
    """Add where an image goes, and in which form."""
    group = parser.add_argument_group("outputs")
    group.add_argument(
        "--push", metavar="REF", help="push to a registry, as in registry.example/team/app:1.0, with everything in it"
    )
    group.add_argument(
        "--tag",
        action="append",
        default=[],
        metavar="REF",
        help="name and tag to record, as in team/app:1.0 (default: NAME:latest); with --push, a further tag or "
        "reference to push to, and may be given several times",
    )
    group.add_argument(
        "--output",
        metavar="DIR_OR_TAR",
        help="folder of an OCI layout, or a file ending in .tar (default, unless it goes elsewhere: dist/NAME_image in "
        "the project)",
    )
    group.add_argument("--docker-archive", metavar="TAR", help="file as `docker save` writes it, for one target")
    group.add_argument(
        "--load",
        nargs="?",
        const="",
        metavar="ENGINE",
        help="load into docker, podman or containerd (default: the first that runs)",
    )
    group.add_argument("--image-refs", metavar="FILE", help="write each NAME@DIGEST to a file")
    group.add_argument("--metadata-file", metavar="FILE", help="write digests and descriptors to a file, as JSON")
    group.add_argument(
        "--profile",
        choices=("oci", "docker", "lambda"),
        default="oci",
        help="media types of OCI or of Docker; or what AWS Lambda takes: a manifest for one target, nothing attached",
    )
    group.add_argument(
        "--compression", choices=("gzip", "zstd"), help="of the layers that are made (default: the settings', or gzip)"
    )
    group.add_argument(
        "--layers",
        choices=("grouped", "wheel"),
        help="small wheels together, or each wheel in a layer of its own, which more images can share "
        "(default: the settings', or grouped)",
    )
    group.add_argument(
        "--compile",
        action=argparse.BooleanOptionalAction,
        help="add bytecode of all Python files, or do not (default: the settings')",
    )
    group.add_argument(
        "--cache-from",
        action="append",
        default=[],
        metavar="REF",
        help="image in a registry whose unchanged layers are taken as they are; may be given several times "
        "(default: what the tags being pushed to name now)",
    )
    group.add_argument("--no-cache-from", action="store_true", help="take no layer from a registry")
    group.add_argument(
        "--no-attachments", action="store_true", help="attach no bill of materials and no provenance to what is pushed"
    )


def add_cache(parser: argparse.ArgumentParser) -> None:
    """Add how files are come by, and what is printed on the way."""
    parser.add_argument(
        "--offline",
        action="store_true",
        default=_is_true(os.environ.get("CROSSDOCK_OFFLINE", "") or os.environ.get("UV_OFFLINE", "")),
        help="use no network (also CROSSDOCK_OFFLINE=1)",
    )
    parser.add_argument(
        "--files", metavar="DIR_OR_TAR", help="what `crossdock fetch --output` wrote: looked at before any network"
    )
    parser.add_argument("-q", "--quiet", action="store_true", help="no progress, and nothing but the result")


def project_of(options: argparse.Namespace) -> Project:
    """Load the project that is meant, with what the command line sets in place of its settings.

    Raises:
        ProjectError: There is none, it has a mistake, or the workspace has no such member.
    """
    from pathlib import Path

    from crossdock.projects.project import load_project

    folder = Path(options.project)
    if options.package:
        from crossdock.projects.workspace import find_member

        folder = find_member(folder, options.package)
    project = load_project(folder)
    if base := getattr(options, "base", None):
        return replace(project, config=replace(project.config, base=base))
    return project


def request_of(options: argparse.Namespace) -> Request:
    """Give what is asked for, beside the project's settings."""
    from crossdock.choosing.request import Request

    return Request(
        targets=tuple(options.target),
        pythons=tuple(getattr(options, "python", ())),
        extras=tuple(getattr(options, "extra", ())),
        all_extras=getattr(options, "all_extras", False),
        groups=tuple(getattr(options, "group", ())),
        all_groups=getattr(options, "all_groups", False),
        no_groups=(*getattr(options, "no_group", ()), *(("dev",) if getattr(options, "no_dev", False) else ())),
        only_groups=tuple(getattr(options, "only_group", ())),
        no_default_groups=getattr(options, "no_default_groups", False),
        libc_policy=getattr(options, "libc_policy", "newest"),
        frozen=getattr(options, "frozen", False),
        locked=getattr(options, "locked", False),
    )


def services_of(options: argparse.Namespace) -> Services:
    """Make what the command reaches out to."""
    from crossdock.services import Services
    from crossdock.store import Store, terminal_progress

    fetched = None
    if getattr(options, "files", None):
        from pathlib import Path

        from crossdock.steps.fetched import open_fetched

        fetched = open_fetched(Path(options.files))
    return Services(
        store=Store.default(),
        progress=None if options.quiet else terminal_progress(),
        jobs=getattr(options, "jobs", None) or min(os.cpu_count() or 1, _MOST_JOBS),
        offline=options.offline,
        fetched=fetched,
        warn=_warn,
    )


def _warn(text: str) -> None:
    from crossdock.verify.finding import printable

    print("\n".join(map(printable, f"warning: {text}".split("\n"))), file=sys.stderr)


def _is_true(text: str) -> bool:
    return text.strip().lower() not in {"", "0", "false", "no", "off"}
