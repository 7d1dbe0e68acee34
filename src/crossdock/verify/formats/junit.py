"""Reports as JUnit XML, which every CI system shows: a suite for each image, a case for each area of rules."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from crossdock.verify.codes import AREAS, area_of
from crossdock.verify.formats.telling import SEVERITIES, count, groups_of, platform_of, short, tell_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.verify.codes import Area
    from crossdock.verify.formats.telling import Group, Told
    from crossdock.verify.report import ImageReport, Report

__all__ = ["to_junit"]

# What an area is called where it may pass.
_NAMES: Final[Mapping[Area, str]] = {"unproved": "proof"}

_LONGEST_NAME: Final = 300
_LONGEST_LINE: Final = 1000
_MOST_GROUPS: Final = 100


def to_junit(reports: Sequence[Report]) -> str:
    """Return JUnit XML as the schema of Jenkins' xUnit plugin (junit-10.xsd) has it.

    Cases are there in every run, whether they pass or not, so that CI systems can follow them over time. A case has at
    most one ``failure``, with all errors of its area in it: most readers take the first alone. Warnings and notes are
    in ``system-out``.

    Args:
        reports: Of one or more artifacts.

    Returns:
        A document, for a file in UTF-8.

    Raises:
        ValueError: There is no report.
    """
    if not reports:
        raise ValueError("no report to tell of")
    root = ET.Element("testsuites", name="crossdock verify")
    for report in reports:
        told = list(tell_one(report))
        whole = [item for item in told if item.image is None]
        if whole:
            root.append(_suite(report, None, whole))
        for image in report.images:
            root.append(_suite(report, image, [item for item in told if item.image is image]))
    for name in ("tests", "failures", "errors"):
        root.set(name, str(sum(int(suite.get(name, "0")) for suite in root)))
    ET.indent(root)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document.decode() + "\n"


def _suite(report: Report, image: ImageReport | None, told: Sequence[Told]) -> ET.Element:
    name = short(" ".join(part for part in (report.subject, platform_of(image)) if part), _LONGEST_NAME) or "artifact"
    suite = ET.Element("testsuite", name=name)
    properties = ET.SubElement(suite, "properties")
    for key, value in _properties(report, image):
        ET.SubElement(properties, "property", name=key, value=value)
    areas = {area: [item for item in told if area_of(item.finding.code) == area] for area in AREAS}
    cases = [_case(name, area, items) for area, items in areas.items()]
    suite.extend(cases)
    failures = sum(1 for case in cases if case.find("failure") is not None)
    suite.attrib.update(tests=str(len(cases)), failures=str(failures), errors="0", skipped="0")
    return suite


def _properties(report: Report, image: ImageReport | None) -> list[tuple[str, str]]:
    values: list[tuple[str, object]] = [("subject", report.subject)]
    if image is None:
        values += [("not judged", f"{other.digest}: {other.reason}") for other in report.others]
    else:
        values += [
            ("platform", platform_of(image)),
            ("digest", image.digest),
            ("layers", image.layers),
            ("files", image.files),
            ("natives", image.natives),
            ("packages", image.packages),
        ]
    return [(key, short(str(value), _LONGEST_LINE)) for key, value in values]


def _case(suite: str, area: Area, told: Sequence[Told]) -> ET.Element:
    case = ET.Element("testcase", classname=suite, name=_NAMES.get(area, area))
    ordered = sorted(told, key=lambda item: SEVERITIES.index(item.finding.severity))
    errors = [item for item in ordered if item.finding.severity == "error"]
    if errors:
        message = short(f"{count(len(errors), 'error')}: {errors[0].finding.sentence}", _LONGEST_LINE)
        kinds = ", ".join(dict.fromkeys(item.finding.code for item in errors))
        failure = ET.SubElement(case, "failure", message=message, type=short(kinds, _LONGEST_NAME))
        failure.text = _text(errors)
    if len(ordered) > len(errors):
        ET.SubElement(case, "system-out").text = _text(ordered[len(errors) :])
    return case


def _text(told: Sequence[Told]) -> str:
    groups = groups_of(told)
    lines = [line for group in groups[:_MOST_GROUPS] for line in _lines(group)]
    rest = [item.finding.severity for group in groups[_MOST_GROUPS:] for item in group.told]
    lines += [f"and {count(len(list(items)), severity)} more" for severity, items in groupby(rest)]
    return "\n".join(lines)


def _lines(group: Group) -> list[str]:
    finding = group.first.finding
    return [
        f"{finding.severity} [{short(finding.code, _LONGEST_NAME)}] {line}" if number == 0 else f"    {line}"
        for number, line in enumerate(group.lines(_LONGEST_LINE))
    ]
