"""`crossdock verify` with exceptions, for several platforms and artifacts: one that helps any of them is of use."""

from __future__ import annotations

import datetime as dt

import pytest

from crossdock.steps.verify_outputs import Result, exit_code, settled
from crossdock.verify.exceptions import Allowance, apply_allowances
from crossdock.verify.finding import Finding
from crossdock.verify.platforms import Platform
from crossdock.verify.report import ImageReport, Report

TODAY = dt.date(2026, 1, 2)
STACK = Finding(code="executable-stack", severity="error", path="lib/a.so", package="old-solver 1.0", found="wants one")
EXCEPTION = Allowance(code="executable-stack", package="old-solver", reason="it is known", expires=None)


def result(*images: tuple[str, list[Finding]], name: str = "app") -> Result:
    """What came of an artifact, with the findings of each of its platforms."""
    reports = tuple(
        ImageReport(
            platform=Platform.parse(platform),
            digest="",
            layers=1,
            files=1,
            packages=1,
            machines={},
            findings=tuple(apply_allowances(findings, [EXCEPTION], TODAY)),
        )
        for platform, findings in images
    )
    report = Report(subject=name, images=reports)
    return Result(report=report, exit_code=report.exit_code)


def told(results: list[Result], *, strict: bool = True) -> list[list[str]]:
    found = settled(results, [EXCEPTION], TODAY, refuse_warnings=strict)
    return [[finding.code for finding in item.report.all_findings if finding.severity == "error"] for item in found]


def test_an_exception_for_one_platform_is_of_use() -> None:
    image = result(("linux/amd64", []), ("linux/arm64", [STACK]))
    assert told([image]) == [[]]
    (after,) = settled([image], [EXCEPTION], TODAY, refuse_warnings=True)
    assert exit_code([after]) == 0
    assert [finding.code for finding in after.report.all_findings] == ["executable-stack"]


def test_an_exception_for_one_artifact_is_of_use() -> None:
    assert told([result(("linux/amd64", []), name="a"), result(("linux/arm64", [STACK]), name="b")]) == [[], []]


@pytest.mark.parametrize("strict", [True, False])
def test_an_exception_that_helps_none_of_them_is_told(strict: bool) -> None:
    results = settled([result(("linux/amd64", []), ("linux/arm64", []))], [EXCEPTION], TODAY, refuse_warnings=strict)
    assert [finding.code for finding in results[0].report.all_findings] == ["allow-unused"] * 2
    assert exit_code(results) == (98 if strict else 0)
