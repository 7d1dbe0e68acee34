"""``crossdock test``: build what the settings name, or take what is there, and prove that it is cross-compiled."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.cli.options import add_cache, add_command, positive, services_of
from crossdock.errors import UsageError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crossdock.testing.cases import CaseResult
    from crossdock.verify.report import Report

__all__ = ["add_test", "test"]

_MOST_JOBS = 4


def add_test(commands: argparse._SubParsersAction[Any]) -> None:
    """Add the command."""
    parser = add_command(
        commands,
        "test",
        "crossdock.cli.test:test",
        "test that artifacts are cross-compiled, for CI",
        "Build what [[tool.crossdock.test.cases]] in pyproject.toml names, or take artifacts that are there, prove\n"
        "every file of them, and see that the named packages are there with native files for every platform. A\n"
        "project without cases is tested as an image. Nothing is executed, and no container engine is needed.\n\n"
        "Exits with 0 only if every case passes, else with the code of the worst.",
    )
    parser.add_argument(
        "project", nargs="*", default=["."], metavar="PROJECT", help="folders with a pyproject.toml (default: .)"
    )
    parser.add_argument("--keep", metavar="DIR", help="keep what is built there, each case in a folder of its own")
    parser.add_argument("--locked", action="store_true", help="fail if a crossdock.lock would have to change")
    parser.add_argument(
        "--jobs", type=positive, metavar="N", help="cases run at a time (default: a core each, at most 4)"
    )
    group = parser.add_argument_group("reports")
    group.add_argument("--json", action="store_true", help="print the results as JSON")
    group.add_argument("--junit", metavar="FILE", help="write JUnit XML, as test reports are read")
    group.add_argument("--markdown", metavar="FILE", help="write a summary in Markdown")
    group.add_argument("--github", action="store_true", help="print annotations for GitHub Actions as well")
    add_cache(parser)


def test(options: argparse.Namespace) -> int:
    """Run all cases."""
    from crossdock.testing.cases import exit_code, find_cases, run_cases
    from crossdock.testing.telling import line_of, table_of, to_json

    _check(options)
    cases = find_cases(map(Path, options.project))

    def tell(result: CaseResult) -> None:
        for text in result.warnings:
            print(_printable(f"warning: {result.case.name}: {text}"), file=sys.stderr)
        print(line_of(result), file=sys.stderr, flush=True)

    results = run_cases(
        cases,
        services_of(options),
        jobs=options.jobs or min(os.cpu_count() or 1, _MOST_JOBS),
        keep=None if options.keep is None else Path(options.keep),
        locked=options.locked,
        **({} if options.quiet else {"tell": tell}),
    )
    code = exit_code(results)
    _write(options, [result.report for result in results])
    if options.json:
        import json

        print(json.dumps(to_json(results, code), indent=2))
    else:
        print(table_of(results), end="")
    if options.github:
        from crossdock.verify.formats import to_github

        sys.stdout.write(to_github([result.report for result in results]))
    return code


def _check(options: argparse.Namespace) -> None:
    if options.json and options.github:
        raise UsageError("--json and --github both print to stdout", hint="leave one of them away")
    for option in ("junit", "markdown", "keep"):
        value = getattr(options, option)
        if value is not None and value.strip() in {"", "-"}:
            raise UsageError(
                f"--{option} cannot be {value!r}", hint="name a file" if option != "keep" else "name a folder"
            )


def _write(options: argparse.Namespace, reports: Sequence[Report]) -> None:
    from crossdock.store.files import reported, whole_file
    from crossdock.verify.formats import to_junit, to_markdown

    for option, formatted in (("junit", to_junit), ("markdown", to_markdown)):
        if (path := getattr(options, option)) is not None:
            with reported(Path(path), option=f"--{option}"), whole_file(Path(path)) as file:
                file.write(formatted(reports).encode("utf-8", "backslashreplace"))


def _printable(text: str) -> str:
    from crossdock.verify.finding import printable

    return "\n".join(map(printable, text.split("\n")))
