"""Reports as SARIF 2.1.0 (OASIS), which GitHub's code scanning and other viewers of findings read."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from importlib.metadata import PackageNotFoundError, metadata
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote

from crossdock import __version__
from crossdock.verify.codes import CODES, area_of
from crossdock.verify.finding import printable
from crossdock.verify.formats.telling import platform_of, short, tell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.verify.formats.telling import Told
    from crossdock.verify.report import ImageReport, Report

__all__ = ["to_sarif"]

_SCHEMA: Final = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"

# GitHub refuses a file with more results in a run.
_MOST_RESULTS: Final = 25_000
_LONGEST_TEXT: Final = 1_000
_LONGEST_URI: Final = 2_000

# GitHub refuses results without a region; all of the file is meant, which has no lines.
_REGION: Final = {"startLine": 1, "startColumn": 1, "endLine": 1, "endColumn": 1}

# What differs from build to build of one image: its digest, and its tag.
_VERSION_OF_IMAGE: Final = re.compile(r"(?::[\w][\w.-]{0,127})?(?:@[\w+.-]+:[0-9a-fA-F]+)?\Z")


def to_sarif(reports: Sequence[Report]) -> dict[str, Any]:
    """Return a SARIF log of one run, for the ``json`` module.

    One finding is one result; the same one on two images of an index is two. Fingerprints name the artifact without
    its tag or digest, the platform, the package without its version, the file and the rule, so that the same fault
    keeps its history from build to build.

    Args:
        reports: Of one or more artifacts.

    Raises:
        ValueError: There is no report.
    """
    told = tell(reports)
    codes = sorted({*CODES, *(item.finding.code for item in told)})
    indexes = {code: index for index, code in enumerate(codes)}
    seen: Counter[str] = Counter()
    results = [_result(item, indexes, seen) for item in told[:_MOST_RESULTS]]
    notifications = [
        _notification("note", f"{other.digest} in {report.subject} was not judged: {other.reason}")
        for report in reports
        for other in report.others
    ]
    if len(told) > len(results):
        notifications.append(_notification("warning", f"{len(told) - len(results):,} more findings are left out"))
    artifacts = dict.fromkeys(_uri_of_subject(report) for report in reports)
    run = {
        "tool": {"driver": _driver(codes)},
        "invocations": [{"executionSuccessful": True, "toolExecutionNotifications": notifications}],
        "artifacts": [{"location": {"uri": uri}, "roles": ["analysisTarget"]} for uri in artifacts],
        "results": results,
        "properties": {"images": [_looked_at(report, image) for report in reports for image in report.images]},
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _driver(codes: Sequence[str]) -> dict[str, Any]:
    home = _homepage()
    about = {"informationUri": home} if home else {}
    return {"name": "crossdock", "version": __version__, **about, "rules": [_rule(code) for code in codes]}


def _homepage() -> str:
    """Return the first address of the project in its metadata; empty if it has none, or is not installed."""
    try:
        entries = metadata("crossdock").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    return next((address.strip() for _, _, address in (str(entry).partition(",") for entry in entries)), "")


def _rule(code: str) -> dict[str, Any]:
    known = CODES.get(code)
    summary = known.summary if known else f"A finding of the kind {printable(code)}."
    level = known.severity if known else "error"
    return {
        "id": printable(code),
        "shortDescription": {"text": summary},
        "fullDescription": {"text": summary},
        "help": {"text": f"{summary} The result says what was found, what should be, and what to do."},
        "defaultConfiguration": {"level": level},
        "properties": {"tags": [area_of(code)]},
    }


def _result(told: Told, indexes: Mapping[str, int], seen: Counter[str]) -> dict[str, Any]:
    finding, platform = told.finding, platform_of(told.image)
    fingerprint = _fingerprint(told)
    seen[fingerprint] += 1
    identity = f"{fingerprint}:{seen[fingerprint]}"
    sentence = f"{platform}: {finding.sentence}" if platform else finding.sentence
    return {
        "ruleId": printable(finding.code),
        "ruleIndex": indexes[finding.code],
        "level": finding.severity,
        "message": {"text": "\n".join(_message(text) for text in (sentence, finding.hint) if text)},
        "locations": [_location(told)],
        # GitHub reads the second name alone.
        "partialFingerprints": {"crossdockFinding/v1": identity, "primaryLocationLineHash": identity},
        "properties": {
            "subject": short(told.report.subject, _LONGEST_TEXT),
            **({"digest": short(told.image.digest, _LONGEST_TEXT)} if told.image else {}),
            **({"path": short(finding.path, _LONGEST_TEXT)} if finding.path else {}),
            "found": short(finding.found, _LONGEST_TEXT),
            "wanted": short(finding.wanted, _LONGEST_TEXT),
        },
    }


def _message(text: str) -> str:
    """Write a text as a message string (SARIF 2.1.0, 3.11.5 and 3.11.6): no placeholder, no link."""
    return short(text, _LONGEST_TEXT).replace("{", "{{").replace("}", "}}").replace("](", "] (")


def _location(told: Told) -> dict[str, Any]:
    uri = _uri(told.finding.path) or _uri_of_subject(told.report)
    names = (("platform", platform_of(told.image)), ("package", told.finding.package or ""))
    logical = [{"name": short(name, _LONGEST_TEXT), "kind": kind} for kind, name in names if name]
    physical = {"artifactLocation": {"uri": uri}, "region": dict(_REGION)}
    return {"physicalLocation": physical, **({"logicalLocations": logical} if logical else {})}


def _uri_of_subject(report: Report) -> str:
    parts = (part for part in report.subject.replace("\\", "/").split("/") if part.strip("."))
    return _uri("/".join(parts)) or "artifact"


def _uri(path: str) -> str:
    """Return a path as a relative reference (RFC 3986, 4.2); empty if there is none that stays where it is."""
    path = path.strip("/")
    # Encoding dots does not help: they mean the same, and consumers may take them away (RFC 3986, 6.2.2.2 and 3).
    if len(path) > _LONGEST_URI or any(part in ("", ".", "..") for part in path.split("/")):
        return ""
    uri = quote(_encoded(path), safe="/")
    return uri if len(uri) <= _LONGEST_URI else ""


def _encoded(path: str) -> bytes:
    try:
        # A name that is not UTF-8 comes as what tarfile makes of it, and leaves as the bytes it was.
        return path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return path.encode("utf-8", "surrogatepass")


def _fingerprint(told: Told) -> str:
    subject = _VERSION_OF_IMAGE.sub("", told.report.subject, count=1)
    package = (told.finding.package or "").partition(" ")[0]
    parts = (subject, platform_of(told.image), package, told.finding.path, told.finding.code)
    return hashlib.sha256("\0".join(printable(part) for part in parts).encode()).hexdigest()[:32]


def _looked_at(report: Report, image: ImageReport) -> dict[str, Any]:
    return {
        "subject": short(report.subject, _LONGEST_TEXT),
        "platform": platform_of(image),
        "digest": short(image.digest, _LONGEST_TEXT),
        "ok": image.ok,
        "files": image.files,
        "natives": image.natives,
        "packages": image.packages,
    }


def _notification(level: str, text: str) -> dict[str, Any]:
    return {"level": level, "message": {"text": _message(text)}}
