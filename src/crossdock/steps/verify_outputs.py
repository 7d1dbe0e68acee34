"""Where the reports of ``crossdock verify`` go: to people, and to programs in their own formats."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError, UsageError
from crossdock.verify.codes import AREAS, area_of
from crossdock.verify.finding import Finding, printable
from crossdock.verify.report import Report

if TYPE_CHECKING:
    import argparse
    import datetime as dt
    from collections.abc import Sequence

    from crossdock.errors import CrossdockError
    from crossdock.steps.rederive import Rederived
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.report import ImageReport

__all__ = ["Outputs", "Result", "exit_code", "settled", "tell_rederived", "unreadable"]

_STDOUT: Final = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What came of one artifact.

    Attributes:
        report: What was seen.
        exit_code: What that makes of the command, taken by itself.
        error: Why it could not be looked at, if it could not.
        deep: Which of its layers were made again, if that was asked.
    """

    report: Report
    exit_code: int
    error: CrossdockError | None = None
    deep: Rederived | None = None


def unreadable(name: str, error: CrossdockError) -> Result:
    """Make a result of an error, for a report on several artifacts: what was not looked at is not proved."""
    kinds = ((LayerUnreadableError, "layer-unreadable"), (LayerUnsupportedError, "layer-unsupported"))
    code = next((code for kind, code in kinds if isinstance(error, kind)), "nothing-read")
    found = f"{error.what}: {error.why}" if error.why else error.what
    finding = Finding(code=code, severity="error", found=printable(found), hint=printable(error.hint))
    return Result(report=Report(subject=name, images=(), findings=(finding,)), exit_code=error.exit_code, error=error)


def exit_code(results: Sequence[Result]) -> int:
    """Give the exit code of the artifact that is worst, by the area of its findings (`crossdock.verify.codes`)."""
    wrong = [result for result in results if result.exit_code]
    return min(wrong, key=_weight).exit_code if wrong else 0


def settled(
    results: Sequence[Result], allow: Sequence[Allowance], today: dt.date, *, refuse_warnings: bool
) -> list[Result]:
    """Say of an exception that it helps nothing only if it helps no artifact and no platform of it.

    Args:
        results: Of all artifacts.
        allow: The exceptions.
        today: The date they are judged by.
        refuse_warnings: Make errors of all warnings that no exception is for.
    """
    from crossdock.steps.verifying import strict

    told = [set(_unused(image)) for result in results for image in result.report.images]
    everywhere = set.intersection(*told) if told else set()
    reports = [_without(result.report, everywhere) for result in results]
    if refuse_warnings:
        reports = [strict(report, allow, today) for report in reports]
    return [
        replace(result, report=report, exit_code=result.exit_code if result.error else report.exit_code)
        for result, report in zip(results, reports, strict=True)
    ]


def _unused(image: ImageReport) -> list[Finding]:
    return [finding for finding in image.findings if finding.code == "allow-unused"]


def _without(report: Report, everywhere: set[Finding]) -> Report:
    images = []
    for image in report.images:
        of_use = set(_unused(image)) - everywhere
        images.append(replace(image, findings=tuple(item for item in image.findings if item not in of_use)))
    return replace(report, images=tuple(images))


def _weight(result: Result) -> int:
    areas = {area_of(finding.code) for finding in result.report.all_findings if finding.severity == "error"}
    return min((AREAS.index(area) for area in areas), default=len(AREAS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """Which reports are wanted.

    Attributes:
        json: JSON on stdout.
        files: Formats and the paths they go to; ``-`` is stdout.
        github: Commands for GitHub's runner, on stdout, beside the table.
        notes: Whether the table has notes.
    """

    json: bool = False
    files: tuple[tuple[str, str], ...] = ()
    github: bool = False
    notes: bool = False

    @classmethod
    def of(cls, options: argparse.Namespace) -> Outputs:
        """Read the options.

        Raises:
            UsageError: Two of them want stdout.
        """
        named = (("sarif", options.sarif), ("junit", options.junit), ("markdown", options.markdown))
        files = tuple((kind, path) for kind, path in named if path)
        alone = [f"--{kind} -" for kind, path in files if path == _STDOUT] + ["--json"] * options.json
        alone += ["--github"] * (options.github and bool(alone))
        if len(alone) > 1:
            raise UsageError(f"{' and '.join(alone)} both print to stdout", hint="name a file for one of them")
        return cls(json=options.json, files=files, github=options.github, notes=options.notes)

    def wants_all(self, artifacts: int) -> bool:
        """Say whether what cannot be looked at has to be in the reports, instead of ending the command."""
        return artifacts > 1 or bool(self.files) or self.github

    def write(self, results: Sequence[Result]) -> None:
        """Write all reports: files first, so that nobody who reads stdout misses them.

        Raises:
            OutputError: A file cannot be written.
        """
        reports = [result.report for result in results]
        printed = [_formatted(kind, reports) for kind, path in self.files if path == _STDOUT]
        for kind, path in self.files:
            if path != _STDOUT:
                _write(Path(path), _formatted(kind, reports), f"--{kind}")
        if self.json:
            values = [_json(result) for result in results]
            printed.append(json.dumps(values[0] if len(values) == 1 else values, indent=2) + "\n")
        if printed:
            sys.stdout.write(printed[0])
            return
        for result in results:
            self._tell(result)
        if self.github:
            from crossdock.verify.formats import to_github
            from crossdock.verify.report import without_notes

            sys.stdout.write(to_github(reports if self.notes else [without_notes(report) for report in reports]))

    def _tell(self, result: Result) -> None:
        if result.error is not None:
            print(f"error: {printable(result.report.subject)}: {result.report.findings[0].sentence}", file=sys.stderr)
            return
        print(result.report.to_text(notes=self.notes), end="")
        if result.deep is not None:
            tell_rederived(result.deep)


def _formatted(kind: str, reports: Sequence[Report]) -> str:
    from crossdock.verify.formats import to_junit, to_markdown, to_sarif

    if kind == "sarif":
        return json.dumps(to_sarif(reports), indent=2) + "\n"
    return to_junit(reports) if kind == "junit" else to_markdown(reports)


def _write(path: Path, text: str, option: str) -> None:
    from crossdock.store.files import reported, whole_file

    with reported(path, option=option), whole_file(path) as file:
        file.write(text.encode("utf-8", "backslashreplace"))


def _json(result: Result) -> dict[str, Any]:
    deep = result.deep
    again = {} if deep is None else {"rederived": {"same": list(deep.same), "not_made_again": dict(deep.others)}}
    return {**result.report.to_json(), **again}


def tell_rederived(deep: Rederived) -> None:
    """Tell which layers were made again."""
    wrong = len(deep.findings)
    print(f"made again: {len(deep.same)} layers, the same" + (f"; {wrong} findings" if wrong else ""))
    for digest, reason in deep.others.items():
        print(f"not made again: {digest[:19]}: {printable(reason)}", file=sys.stderr)
