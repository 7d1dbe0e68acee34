"""The command line's arguments: what each command takes, and the function that runs it."""

from __future__ import annotations

import argparse
import sys
from typing import Any, NoReturn

from crossdock import __version__
from crossdock.cli.bazel import add_bazel
from crossdock.cli.diff import add_diff
from crossdock.cli.exe import add_exe
from crossdock.cli.lambda_ import add_lambda
from crossdock.cli.options import (
    add_cache,
    add_command,
    add_outputs,
    add_parts,
    add_project,
    add_targets,
    positive,
    positive_seconds,
)
from crossdock.cli.pex import add_pex
from crossdock.cli.test import add_test
from crossdock.cli.venv import add_venv
from crossdock.errors import UsageError

__all__ = ["make_parser"]


def _mistake(message: str, program: str) -> UsageError:
    return UsageError(message, hint=f"`{program} --help` lists what there is")


class _Parser(argparse.ArgumentParser):
    """An argument parser whose complaints are errors like all others."""

    def error(self, message: str) -> NoReturn:
        raise _mistake(message, self.prog)

    def parse_args(self, args: Any = None, namespace: Any = None) -> Any:  # noqa: ANN401  as argparse declares them
        options, unknown = self.parse_known_args(args, namespace)
        if unknown:
            raise _mistake(f"unrecognized arguments: {' '.join(unknown)}", f"{self.prog} {options.command}")
        return options

    def exit(self, status: int = 0, message: str | None = None) -> NoReturn:
        sys.stdout.flush()  # so that whoever closed the pipe is noticed here, not when Python ends
        super().exit(status, message)


def make_parser() -> argparse.ArgumentParser:
    """Make the parser of the whole command line; `run` in what it gives names the function to call."""
    parser = _Parser(
        prog="crossdock",
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        description="Build Python applications for other machines: from one lock file, for every target at once,\n"
        "without Docker, without emulation, and proved before it is handed over.",
        epilog="examples:\n"
        "  crossdock image                        amd64 and arm64 image of the project here\n"
        "  crossdock image app --target linux/arm64 --output app.tar --tag team/app:1.0\n"
        "  crossdock image app --push registry.example/team/app:1.0\n"
        "  crossdock pex --target linux/arm64     a PEX of it\n"
        "  crossdock lambda --target aws-lambda-python3.13/arm64\n"
        "  crossdock venv --target linux/arm64 --output dist/app.tar.gz\n"
        "  crossdock plan --json                  which wheel for which target, and why\n"
        "  crossdock check --target linux/arm64   is there a file of every package?\n"
        "  crossdock explain numpy                who needs it, and which file of it is taken\n"
        "  crossdock verify dist/app_image        prove what anybody built\n"
        "  crossdock test --junit report.xml      the test for CI: is all of it cross-compiled?\n\n"
        "The result is printed on standard output, everything else on standard error.",
    )
    parser.add_argument("--version", action="version", version=f"crossdock {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND", parser_class=_Parser)
    _add_image(commands)
    add_pex(commands)
    add_lambda(commands)
    add_venv(commands)
    add_exe(commands)
    _add_plan(commands)
    _add_check(commands)
    _add_explain(commands)
    _add_targets(commands)
    _add_lock(commands)
    _add_fetch(commands)
    _add_verify(commands)
    add_test(commands)
    add_diff(commands)
    _add_sbom(commands)
    add_bazel(commands)
    return parser


def _add_image(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "image",
        "crossdock.cli.image:image",
        "build an OCI image for every target",
        "Build an OCI image index with one image for each target, prove every file in it, and write, load or push it.\n"
        "Prints NAME@DIGEST of the index. Nothing of a target is executed, and no container engine is needed.\n\n"
        "Where crossdock.lock does not cover a target's base yet, it is completed and should be committed.",
    )
    add_project(parser)
    add_targets(parser)
    parser.add_argument("--base", metavar="BASE", help="base in place of the settings' one, as they spell it")
    add_outputs(parser)
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="layers made at a time (default: a core each, at most 4)"
    )
    add_cache(parser)
    add_parts(parser, only=False)


def _add_plan(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "plan",
        "crossdock.cli.commands:plan",
        "show which wheel goes where, and why",
        "Show what `crossdock image` would build: for every target its Python, its C library, and the file chosen\n"
        "for each package with the reason. Downloads no wheel.",
    )
    add_project(parser)
    add_targets(parser)
    parser.add_argument("--json", action="store_true", help="print the plan as JSON, with every rejected file")
    parser.add_argument(
        "--diff", metavar="OLD_JSON", help="show what changed since a plan that --json printed; with --json as JSON"
    )
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")
    add_cache(parser)
    add_parts(parser)


def _add_check(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "check",
        "crossdock.cli.check:check",
        "tell whether every target has a file of every package",
        "Show a table of packages and targets: wheel (for the platform), pure (a wheel for every platform), sdist\n"
        "(built from source), missing, or - (not needed there). What is missing is explained below the table, and\n"
        "then the exit code is 49. Downloads no wheel.",
    )
    add_project(parser)
    add_targets(parser)
    parser.add_argument("--json", action="store_true", help="print the answers as JSON")
    add_cache(parser)
    add_parts(parser)


def _add_explain(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "explain",
        "crossdock.cli.explain:explain",
        "tell why a package is there, and why as this file",
        "For every target: the ways from the project to the package, with each marker and whether it holds, and every\n"
        "file of it, best first, with the reason why it was taken or not. Downloads no wheel.",
    )
    parser.add_argument("name", metavar="PACKAGE", help="name of a package in the lock")
    parser.add_argument("--project", default=".", metavar="DIR", help="the project's folder (default: .)")
    parser.add_argument("--package", metavar="NAME", help="the member of the workspace that DIR is in")
    add_targets(parser)
    parser.add_argument("--json", action="store_true", help="print the explanation as JSON")
    add_cache(parser)
    add_parts(parser)


def _add_targets(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "targets",
        "crossdock.cli.targets:targets",
        "list the targets that are known",
        "List platforms, Pythons and named runtimes, with the C library and the Python of each.",
    )
    parser.add_argument("--json", action="store_true", help="print all facts with their sources as JSON")
    summary = "show what a target means"
    parser = add_command(commands, "target", "crossdock.cli.targets:target", summary, "Show what a target means.")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION", parser_class=_Parser)
    show = add_command(
        actions,
        "show",
        "crossdock.cli.targets:target",
        "print a target's wheel tags and markers",
        "Print the marker environment of a target and the wheel tags it accepts, best first.",
    )
    show.add_argument(
        "target",
        metavar="T",
        help="platform (linux/arm64+glibc2.28), runtime (aws-lambda-python3.12/arm64), or a complete platform's .json",
    )
    show.add_argument("--python", metavar="V", help="3.12, 3.14t, pypy3.11 (default: the target's own, or 3.12)")
    show.add_argument(
        "--libc-policy",
        choices=("newest", "lowest"),
        default="newest",
        help="which of several wheels is taken: that for the newest libc or macOS, as pip does, or for the oldest",
    )
    form = show.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print platform, Python, environment and tags as JSON")
    form.add_argument(
        "--complete-platform", action="store_true", help="print the file that pex's --complete-platform takes"
    )


def _add_lock(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "lock",
        "crossdock.cli.commands:lock",
        "pin the base's exact contents in crossdock.lock",
        "Choose the newest packages of the base from its signed index, or ask the registry which image its tag stands\n"
        "for, for every target, and write crossdock.lock: names, versions and hashes, and what was read in an image.\n"
        "Builds then use exactly these. Prints the file's path.",
    )
    add_project(parser)
    add_targets(parser, pythons=False)
    add_cache(parser)


def _add_fetch(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "fetch",
        "crossdock.cli.fetch:fetch",
        "bring everything here that builds need, or write it out",
        "Download the wheels, source distributions and bases that the named targets need, and nothing else.\n"
        "With --output they are written to a folder or tar file, from which a machine without a network builds with\n"
        "`crossdock image --offline --files DIR_OR_TAR`. Prints where the files are.",
    )
    add_project(parser)
    add_targets(parser)
    parser.add_argument("--all-targets", action="store_true", help="every target of the project's settings (default)")
    parser.add_argument("--output", metavar="DIR_OR_TAR", help="write the files to a folder, or a file ending in .tar")
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")
    add_cache(parser)
    add_parts(parser)


def _add_verify(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "verify",
        "crossdock.cli.verify:verify",
        "prove that an image, a wheel, a PEX or another bundle holds what it says",
        "Read every file of an image, a wheel, a PEX, a zip or tar archive, a Debian package, an executable or a\n"
        "folder, by whomever it was built, and report what does not fit what it claims to be: programs for another\n"
        "machine, needs that its system does not meet, packages that are missing or changed, and more. Exits with 0\n"
        "only if there is no error; docs/verify.md explains every finding.\n\n"
        "An image and a wheel say themselves what they are for; so does what holds wheels that agree. Anything else\n"
        "needs --target. With --lock or --project, packages are compared with a lock.\n\n"
        "With --deep, an image's layers are made again from the wheels they name and compared; with --project, all of\n"
        "them have to be those that the project's locks give.",
    )
    parser.add_argument(
        "image",
        nargs="+",
        metavar="ARTIFACT",
        help="file or folder; image in a registry; or, as skopeo spells them, oci:DIR, oci-archive:TAR, "
        "docker-archive:TAR, docker-daemon:IMAGE, containers-storage:IMAGE",
    )
    parser.add_argument("--lock", metavar="FILE", help="lock that its packages have to be those of")
    parser.add_argument("--project", metavar="DIR", help="project that it has to be built from: its targets and lock")
    parser.add_argument("--package", metavar="NAME", help="the member of the workspace that DIR is in")
    parser.add_argument("--deep", action="store_true", help="make the layers again from their wheels, and compare")
    _add_verify_more(parser)
    _add_verify_rules(parser)
    _add_verify_reports(parser)
    add_targets(
        parser,
        target_help="platform that it has to be for, such as linux/arm64+glibc2.28, or a runtime; an image may be for "
        "others as well; may be given several times",
        target_default="what it says itself; with --project, the settings'",
        python_default="any; with --project, the base's",
    )
    add_cache(parser)
    add_parts(parser, only=False)


def _add_verify_more(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("more than reading")
    group.add_argument(
        "--rebuild",
        nargs="?",
        const="image",
        metavar="COMMAND",
        help="build --project again, elsewhere and with nothing kept, and compare; COMMAND is what builds it, such as "
        "'pex --target linux/arm64' (default: image)",
    )
    group.add_argument(
        "--run",
        dest="code",
        metavar="CODE",
        help="run Python code in it, in a sandbox, under QEMU if need be; or: imports",
    )
    group.add_argument("--base", metavar="IMAGE", help="image to run it in, for what has no interpreter of its own")
    group.add_argument(
        "--run-timeout", type=positive_seconds, default=600, metavar="S", help="seconds it may run (default: 600)"
    )


def _add_verify_rules(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("exceptions")
    group.add_argument(
        "--allow",
        action="append",
        default=[],
        metavar="GLOB",
        help="path in it that may be as it is, whatever is found; may be given several times",
    )
    group.add_argument(
        "--policy",
        action="append",
        default=[],
        metavar="FILE",
        help="file of exceptions, each with its reason and its last day; may be given several times",
    )
    group.add_argument("--strict", action="store_true", help="refuse what is only warned of, too")


def _add_verify_reports(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("reports")
    group.add_argument("--json", action="store_true", help="print the report as JSON, of several artifacts a list")
    group.add_argument("--sarif", metavar="FILE", help="write SARIF 2.1.0, as code scanning takes it; - is stdout")
    group.add_argument("--junit", metavar="FILE", help="write JUnit XML, as test reports are read; - is stdout")
    group.add_argument("--markdown", metavar="FILE", help="write a summary in Markdown; - is stdout")
    group.add_argument("--github", action="store_true", help="print annotations for GitHub Actions as well")
    group.add_argument("--notes", action="store_true", help="tell also what is only worth a note")


def _add_sbom(commands: argparse._SubParsersAction[_Parser]) -> None:
    parser = add_command(
        commands,
        "sbom",
        "crossdock.cli.sbom:sbom",
        "print a bill of materials",
        "Print the bill of materials that is attached to an image in a registry or in a layout, or, for a project's\n"
        "folder, that of the image which would be built.",
    )
    parser.add_argument(
        "project",
        nargs="?",
        default=".",
        metavar="IMAGE_OR_PROJECT",
        help="a reference, a layout (oci:PATH), or a project's folder (default: .)",
    )
    parser.add_argument("--package", metavar="NAME", help="the member of the workspace that the project is in")
    parser.add_argument("--platform", metavar="P", help="of an image for several platforms: linux/arm64")
    parser.add_argument(
        "--format", choices=("spdx", "cyclonedx"), default="spdx", help="SPDX 2.3 (default) or CycloneDX, both as JSON"
    )
    parser.add_argument("--output", metavar="FILE", help="write it to a file")
    add_targets(parser)
    parser.add_argument("--locked", action="store_true", help="fail if crossdock.lock would have to change")
    add_cache(parser)
    add_parts(parser, only=False)
