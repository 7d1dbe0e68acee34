"""What all formats tell: every finding with the artifact and the image it concerns, and findings that are alike."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crossdock.verify.finding import Finding, printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.verify.finding import Severity
    from crossdock.verify.report import ImageReport, Report

__all__ = ["SEVERITIES", "Group", "Told", "count", "groups_of", "platform_of", "short", "tell", "tell_one"]

#: What weighs more comes first.
SEVERITIES: Final[tuple[Severity, ...]] = ("error", "warning", "note")

_MOST_ALIKE: Final = 3
_LONGEST_PLATFORM: Final = 100
_LONGEST_SUBJECT: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """A finding and where it belongs.

    Attributes:
        report: Of the artifact.
        image: The image of it; None if the finding concerns no single one.
        finding: What is wrong.
    """

    report: Report
    image: ImageReport | None
    finding: Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Findings on one image that differ by the file, or by what was wanted, alone.

    Attributes:
        told: All of them; at least one.
    """

    told: tuple[Told, ...]

    @property
    def first(self) -> Told:
        """The one to show if only one can be."""
        return self.told[0]

    def lines(self, longest: int) -> list[str]:
        """Return a few of the sentences, how many more there are, and what to do.

        Args:
            longest: How many characters of each to keep.
        """
        lines = [short(told.finding.sentence, longest) for told in self.told[:_MOST_ALIKE]]
        if len(self.told) > _MOST_ALIKE:
            lines.append(f"… and {len(self.told) - _MOST_ALIKE:,} more like it")
        hint = self.first.finding.hint
        return [*lines, f"hint: {short(hint, longest)}"] if hint else lines


def tell(reports: Sequence[Report]) -> list[Told]:
    """List the findings of reports: what weighs more first, otherwise in the reports' order.

    Raises:
        ValueError: There is no report: that would tell of no error where nothing was proved.
    """
    if not reports:
        raise ValueError("no report to tell of")
    told = [item for report in reports for item in tell_one(report)]
    return sorted(told, key=lambda item: SEVERITIES.index(item.finding.severity))


def tell_one(report: Report) -> Iterator[Told]:
    """List the findings of one report: those on the whole, then those on each image.

    A report that is not all right although no finding says so has one made for it: programs that count errors must
    not take it for a good one.
    """
    errors = any(finding.severity == "error" for finding in report.all_findings)
    if not report.ok and not errors:
        yield Told(report=report, image=None, finding=_unproved(report))
    for finding in report.findings:
        yield Told(report=report, image=None, finding=finding)
    for image in report.images:
        for finding in image.findings:
            yield Told(report=report, image=image, finding=finding)


def groups_of(told: Iterable[Told]) -> list[Group]:
    """Put findings together that are alike, in the order of the first of each."""
    # Two images may be equal values, so they are told apart by what they are.
    groups: dict[tuple[object, ...], list[Told]] = {}
    for item in told:
        finding = item.finding
        key = (id(item.report), id(item.image), finding.severity, finding.code, finding.package, finding.found)
        groups.setdefault(key, []).append(item)
    return [Group(told=tuple(items)) for items in groups.values()]


def platform_of(image: ImageReport | None) -> str:
    """Return an image's platform for people; empty if there is no image."""
    if image is None:
        return ""
    return short(str(image.platform), _LONGEST_PLATFORM) if image.platform else "unknown platform"


def short(text: str, longest: int) -> str:
    """Return a text that is safe to print, and no longer than a reader can bear."""
    # A name of a million characters need not be escaped to its end.
    text = printable(text[: longest + 1])
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: ``1 error``, ``2,000 errors``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _unproved(report: Report) -> Finding:
    return Finding(
        code="nothing-read" if report.images else "no-image",
        severity="error",
        found=f"{short(report.subject, _LONGEST_SUBJECT)} {'was not proved' if report.images else 'holds no image'}",
        wanted="a proof that looked at nothing proves nothing",
        hint="check that it is the artifact that was meant",
    )
