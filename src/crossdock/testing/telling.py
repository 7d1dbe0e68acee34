"""What `crossdock test` says of its cases: a line for each, a table of all, and JSON for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crossdock.verify.expecting import platform_name
from crossdock.verify.finding import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.testing.cases import CaseResult
    from crossdock.verify.expecting import Expected
    from crossdock.verify.report import Report

__all__ = ["line_of", "packages_seen", "table_of", "to_json"]

#: What `to_json` follows; docs/testing.md describes it.
SCHEMA: Final = "crossdock.test/1"
_MOST_NAMED: Final = 4


def packages_seen(report: Report, expected: Expected) -> dict[str, dict[str, int]]:
    """Count the native files of packages, by platform and name.

    Args:
        report: What was seen.
        expected: The packages that were asked for; without any, those that have native files count.
    """
    found: dict[str, dict[str, int]] = {}
    for image in report.images:
        if image.platform is None:
            continue
        there = image.natives_by_package
        names = expected.packages(image.platform) or [name for name, count in there.items() if count]
        own = found.setdefault(platform_name(image.platform), {})
        for name in names:
            own[name] = own.get(name, 0) + there.get(name, 0)
    return found


def line_of(result: CaseResult) -> str:
    """Tell in one line how a case went."""
    return printable(f"{_verdict(result)}: {result.case.name} ({result.seconds:.1f} s): {_summary(result)}")


def table_of(results: Sequence[CaseResult]) -> str:
    """Return the reports of cases that went wrong, then a table of all cases."""
    lines = []
    for result in results:
        if result.error is not None:
            text = f"{_verdict(result)}: {result.case.name}\n{result.error}"
            lines += [*(printable(line) for line in text.split("\n")), ""]
        elif not result.ok:
            lines += [*result.report.to_text().rstrip("\n").split("\n"), ""]
    rows = [("CASE", "ARTIFACT", "PLATFORMS", "FILES", "PROGRAMS", "PACKAGES", "RESULT"), *map(_row, results)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
        lines.append("  ".join([*cells, row[-1]]))
    wrong = sum(1 for result in results if not result.ok)
    number = f"{len(results)} case{'' if len(results) == 1 else 's'}"
    lines.append(f"{number}: {f'{wrong} failed' if wrong else 'all passed'}")
    return "\n".join(lines) + "\n"


def to_json(results: Sequence[CaseResult], exit_code: int) -> dict[str, Any]:
    """Return values that the ``json`` module writes."""
    return {"schema": SCHEMA, "ok": exit_code == 0, "exit_code": exit_code, "cases": [_case(item) for item in results]}


def _case(result: CaseResult) -> dict[str, Any]:
    settings, error = result.case.settings, result.error
    return {
        "name": result.case.name,
        "project": None if settings.artifact is not None else str(result.case.project),
        "kind": None if settings.artifact is not None else settings.kind,
        "artifact": settings.artifact,
        "ok": result.ok,
        "exit_code": result.exit_code,
        "seconds": round(result.seconds, 3),
        "packages": packages_seen(result.report, result.expected),
        "warnings": list(result.warnings),
        "error": None if error is None else {"what": error.what, "why": error.why, "hint": error.hint},
        "report": result.report.to_json(),
    }


def _verdict(result: CaseResult) -> str:
    if result.ok:
        return "ok"
    return "REFUSED" if result.error is None else "ERROR"


def _summary(result: CaseResult) -> str:
    report = result.report
    if result.error is not None:
        return result.error.what.split("\n")[0]
    errors = [finding for finding in report.all_findings if finding.severity == "error"]
    if not result.ok:
        more = f", and {len(errors) - 1} more" if len(errors) > 1 else ""
        return f"{errors[0].sentence}{more}" if errors else "nothing was proved"
    return f"{_platforms(report)}; {_told(packages_seen(report, result.expected))}"


def _told(packages: Mapping[str, Mapping[str, int]]) -> str:
    """Name the packages that have native files somewhere."""
    names = list(dict.fromkeys(name for own in packages.values() for name, count in own.items() if count))
    if not names:
        return "no package is compiled"
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return f"native files of {', '.join(names[:_MOST_NAMED])}{more}"


def _platforms(report: Report) -> str:
    return ", ".join(dict.fromkeys(platform_name(image.platform) for image in report.images))


def _row(result: CaseResult) -> tuple[str, ...]:
    report, settings = result.report, result.case.settings
    packages = packages_seen(report, result.expected)
    cells = (
        result.case.name,
        settings.kind if settings.artifact is None else settings.artifact,
        _platforms(report) or "-",
        f"{sum(image.files for image in report.images):,}",
        f"{sum(image.natives for image in report.images):,}",
        f"{len({name for own in packages.values() for name, count in own.items() if count}):,}",
        _outcome(result),
    )
    return tuple(map(printable, cells))


def _outcome(result: CaseResult) -> str:
    severities = [finding.severity for finding in result.report.all_findings]
    counts = [(severities.count(name), name) for name in ("error", "warning")]
    told = ", ".join(f"{count:,} {name}{'' if count == 1 else 's'}" for count, name in counts if count)
    return f"{_verdict(result)} ({told})" if told else _verdict(result)
