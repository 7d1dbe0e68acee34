"""What has to be in an artifact beside what it proves of itself: packages with code for each of its machines."""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from crossdock.verify.codes import area_of
from crossdock.verify.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.verify.platforms import Platform
    from crossdock.verify.report import ImageReport, Report

__all__ = ["Expected", "expect", "platform_name"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What is expected of an artifact.

    Attributes:
        named: Normalised names of packages that have to have a native file for each platform; None if none were named.
        planned: Where none were named, the packages that the lock has a platform's wheel of, by platform. That such a
            package holds native files is asked by the rules on tags, which know of wheels with nothing but headers.
        something: Whether each platform has to have at least one native file that belongs to a package.
    """

    named: tuple[str, ...] | None = None
    planned: Mapping[Platform, frozenset[str]] = field(default_factory=dict)
    something: bool = False

    def packages(self, platform: Platform) -> tuple[str, ...]:
        """Name the packages that have to be there for a platform."""
        if self.named is not None:
            return self.named
        return tuple(
            sorted({name for own, names in self.planned.items() if own.same_machine(platform) for name in names})
        )


def platform_name(platform: Platform | None) -> str:
    """Name a platform as targets are spelled: ``linux/arm64``, without a variant that goes without saying."""
    if platform is None:
        return "unknown"
    plain = replace(platform, variant="")
    return str(plain if plain.same_machine(platform) else platform)


def expect(report: Report, expected: Expected) -> Report:
    """Add an error to a report for each package that is not there, or has no native file for the platform.

    Args:
        report: What the proof found.
        expected: What has to be there.
    """
    images = tuple(
        replace(image, findings=(*image.findings, *_judge(image, expected)))
        if image.platform and image.files
        else image
        for image in report.images
    )
    return replace(report, images=images)


def _judge(image: ImageReport, expected: Expected) -> Iterator[Finding]:
    assert image.platform is not None  # noqa: S101  `expect` saw to it
    there = image.natives_by_package
    for name in expected.packages(image.platform):
        if name not in there:
            yield _absent(name, image)
        elif not there[name] and expected.named is not None and not _is_refused(name, image):
            yield _pure(name, image)
    if expected.something and not any(there.values()) and not any(_is_refused(name, image) for name in there):
        yield _nothing(image)


def _is_refused(name: str, image: ImageReport) -> bool:
    """Say whether a package's native files are known to be for another machine already."""
    return any(
        finding.severity == "error"
        and area_of(finding.code) == "machines"
        and (finding.package or "").rpartition(" ")[0] == name
        for finding in image.findings
    )


def _absent(name: str, image: ImageReport) -> Finding:
    close = difflib.get_close_matches(name, image.natives_by_package, n=1)
    return Finding(
        code="package-missing",
        severity="error",
        package=name,
        found="is not there",
        wanted="it was asked for",
        hint=f"did you mean {close[0]!r}?"
        if close
        else "correct the name, or find out why it was not installed: an extra, a group or a marker leaves it out",
    )


def _pure(name: str, image: ImageReport) -> Finding:
    return Finding(
        code="native-missing",
        severity="error",
        package=name,
        found=f"has no native file for {platform_name(image.platform)}",
        wanted="it was named as one that is compiled",
        hint="if it is pure Python, do not name it; else its build left that out, or its RECORD does not list it",
    )


def _nothing(image: ImageReport) -> Finding:
    return Finding(
        code="native-missing",
        severity="error",
        found=f"no package has a native file for {platform_name(image.platform)}",
        wanted="a test of cross-compilation that saw nothing compiled shows nothing",
        hint="name the packages that have to be compiled; or none, as packages = [], if that is how it should be",
    )
