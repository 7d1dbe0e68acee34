"""Reports as workflow commands of GitHub Actions, which shows them as annotations of the run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crossdock.verify.formats.telling import SEVERITIES, count, groups_of, platform_of, short, tell

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.verify.finding import Severity
    from crossdock.verify.formats.telling import Group, Told
    from crossdock.verify.report import Report

__all__ = ["to_github"]

_COMMANDS: Final[dict[Severity, str]] = {"error": "error", "warning": "warning", "note": "notice"}

# GitHub shows the first ten annotations of a kind in a step, and hides the others without a word.
_MOST_SHOWN: Final = 10
_LONGEST_TITLE: Final = 200
_LONGEST_LINE: Final = 600


def to_github(reports: Sequence[Report]) -> str:
    """Return ``::error``, ``::warning`` and ``::notice`` commands, one for each group of findings that are alike.

    They name no ``file=``: that would be one of the repository, and these are files of the artifact, which the
    messages name.

    Args:
        reports: Of one or more artifacts.

    Returns:
        Lines for standard output; empty if nothing was found.

    Raises:
        ValueError: There is no report.
    """
    told = tell(reports)
    lines: list[str] = []
    for severity in SEVERITIES:
        lines += _commands(severity, [item for item in told if item.finding.severity == severity], len(reports) > 1)
    return "".join(f"{line}\n" for line in lines)


def _commands(severity: Severity, told: Sequence[Told], several: bool) -> Iterator[str]:
    groups = groups_of(told)
    shown = groups if len(groups) <= _MOST_SHOWN else groups[: _MOST_SHOWN - 1]
    for group in shown:
        yield _command(severity, _title(group, several), "\n".join(group.lines(_LONGEST_LINE)))
    hidden = sum(len(group.told) for group in groups[len(shown) :])
    if hidden:
        yield _command(severity, "crossdock", f"and {count(hidden, severity)} more; the report lists all of them")


def _title(group: Group, several: bool) -> str:
    told = group.first
    where = " ".join(part for part in (told.report.subject if several else "", platform_of(told.image)) if part)
    return short(f"crossdock: {told.finding.code}" + (f" ({where})" if where else ""), _LONGEST_TITLE)


def _command(severity: Severity, title: str, message: str) -> str:
    return f"::{_COMMANDS[severity]} title={_escape(title, property_value=True)}::{_escape(message)}"


def _escape(text: str, *, property_value: bool = False) -> str:
    # The percent sign is first, as it is what escapes are made of.
    for char in "%\r\n" + (":," if property_value else ""):
        text = text.replace(char, f"%{ord(char):02X}")
    return text
