"""Reports as Markdown (GitHub's): a summary for a pull request, or for the page of a run (``GITHUB_STEP_SUMMARY``)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crossdock.verify.formats.telling import SEVERITIES, count, groups_of, platform_of, short, tell

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.verify.formats.telling import Group
    from crossdock.verify.report import ImageReport, Report

__all__ = ["to_markdown"]

# A comment on GitHub has room for 65,536 characters, and what is longer is refused as a whole.
_ROOM_IMAGES: Final = 16_000
_ROOM_FINDINGS: Final = 20_000
_ROOM_DETAILS: Final = 24_000
_LONGEST_CELL: Final = 200
_LONGEST_LINE: Final = 600


def to_markdown(reports: Sequence[Report]) -> str:
    """Return a table of the images, a table of the findings, and all that is known of them, folded.

    Whatever may come from an artifact stands in code spans or code blocks, where GitHub makes no link, mention or
    picture of it, and which it cannot end: backticks, pipes and all that does not print are escaped.

    Args:
        reports: Of one or more artifacts.

    Returns:
        Lines of Markdown, at most 65,000 characters.

    Raises:
        ValueError: There is no report.
    """
    groups = groups_of(tell(reports))
    ok = all(report.ok for report in reports)
    rows = sum(max(1, len(report.images)) + len(report.others) for report in reports)
    lines = [f"### crossdock verify: {'ok' if ok else 'refused'}", ""]
    lines += _table(_images(reports), rows, _ROOM_IMAGES, "other image")
    if groups:
        findings = _findings(groups, several=len(reports) > 1)
        lines += ["", *_table(findings, len(groups), _ROOM_FINDINGS, "other group"), "", *_details(groups)]
    return "\n".join(lines) + "\n"


def _images(reports: Sequence[Report]) -> Iterator[list[str]]:
    yield ["Artifact", "Platform", "Digest", "Result", "Files", "Natives", "Packages"]
    yield ["---", "---", "---", "---", "---:", "---:", "---:"]
    for report in reports:
        for image in report.images:
            numbers = [f"{number:,}" for number in (image.files, image.natives, image.packages)]
            yield [_code(report.subject), _code(platform_of(image)), _digest(image.digest), _result(image), *numbers]
        for other in report.others:
            reason = f"not judged: {_code(other.reason)}"
            yield [_code(report.subject), "-", _digest(other.digest), reason, "-", "-", "-"]
        if not report.images:
            yield [_code(report.subject), "-", "-", f"**{'ok' if report.ok else 'refused'}**", "-", "-", "-"]


def _findings(groups: Iterable[Group], *, several: bool) -> Iterator[list[str]]:
    first = ["Artifact"] if several else []
    yield ["", *first, "Platform", "Rule", "Package", "File", "Found", "Times"]
    yield ["---", *["---" for _ in first], "---", "---", "---", "---", "---", "---:"]
    for group in groups:
        told, finding = group.first, group.first.finding
        found = f"{finding.found}, but {finding.wanted}" if finding.wanted else finding.found
        where = [_code(told.report.subject)] if several else []
        texts = (platform_of(told.image), finding.code, finding.package or "", finding.path, found)
        severity = f"**{finding.severity}**" if finding.severity == "error" else finding.severity
        yield [severity, *where, *(_code(text) for text in texts), f"{len(group.told):,}"]


def _details(groups: Sequence[Group]) -> list[str]:
    kept = _within((_block(group) for group in groups), _ROOM_DETAILS)
    if len(kept) < len(groups):
        kept.append(f"and {count(len(groups) - len(kept), 'other group')}")
    counts = ((severity, _number(groups, severity)) for severity in SEVERITIES)
    summary = ", ".join(count(number, severity) for severity, number in counts if number)
    return ["<details>", f"<summary>{summary}</summary>", "", "```text", *kept, "```", "", "</details>"]


def _block(group: Group) -> str:
    # No line can begin with the fence that would end the block: it begins with a severity, or is indented.
    told = group.first
    where = " ".join(part for part in (told.report.subject, platform_of(told.image)) if part)
    head = f"{told.finding.severity} [{short(told.finding.code, _LONGEST_CELL)}] {short(where, _LONGEST_CELL)}"
    return "\n".join([head, *(f"  {line}" for line in group.lines(_LONGEST_LINE))]).replace("`", "\\x60")


def _number(groups: Iterable[Group], severity: str) -> int:
    return sum(len(group.told) for group in groups if group.first.finding.severity == severity)


def _table(rows: Iterable[Sequence[str]], number: int, room: int, noun: str) -> list[str]:
    """Return two rows of heading, and as many of a number of others as there is room for."""
    kept = _within((f"| {' | '.join(cells)} |" for cells in rows), room)
    left_out = number + 2 - len(kept)
    return [*kept, "", f"and {count(left_out, noun)}"] if left_out else kept


def _within(texts: Iterable[str], room: int) -> list[str]:
    """Return as many of the first texts as there is room for; no more of them than that are made."""
    kept = []
    for text in texts:
        room -= len(text) + 1
        if room < 0:
            break
        kept.append(text)
    return kept


def _result(image: ImageReport) -> str:
    counts = ((severity, sum(1 for item in image.findings if item.severity == severity)) for severity in SEVERITIES)
    told = ", ".join(count(number, severity) for severity, number in counts if number)
    result = "ok" if image.ok else "**refused**"
    return f"{result}: {told}" if told else result


def _digest(digest: str) -> str:
    algorithm, colon, value = digest.partition(":")
    return _code(f"{algorithm}{colon}{value[:12]}")


def _code(text: str) -> str:
    # Renderers differ in how a table's cell is unescaped (think of a backslash before a pipe), so nothing is left that
    # any of them would take for the end of a cell or of a code span.
    safe = short(text, _LONGEST_CELL).replace("`", "\\x60").replace("|", "\\x7c")
    return f"`{safe}`" if safe.strip() else "-"
