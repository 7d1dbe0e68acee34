"""``verify``: what a test runs to prove images and bundles; it needs neither an engine nor a network."""

from __future__ import annotations

import datetime as dt
import os
import sys
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

from packaging.utils import canonicalize_name

from crossdock.bazel.bundled.inputs import spelled_target
from crossdock.bazel.groups import add_groups, groups_of
from crossdock.bazel.handed.exceptions import read_exceptions
from crossdock.bazel.handed.imagefile import read_image
from crossdock.bazel.images.proving import linked_images, meant_by_image
from crossdock.errors import CrossdockError, UsageError
from crossdock.steps.meant import meant
from crossdock.steps.verify_outputs import Outputs, Result, exit_code, settled, unreadable
from crossdock.steps.verifying import Question, verify_artifact, verify_image
from crossdock.store.files import reported, whole_file
from crossdock.targets import parse_target
from crossdock.verify.exceptions import Allowance
from crossdock.verify.expecting import Expected, expect, platform_name
from crossdock.verify.finding import Finding
from crossdock.verify.formats import to_junit
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Sequence

    from crossdock.bazel.groups import Group
    from crossdock.steps.meant import Meant
    from crossdock.verify.report import Report

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_groups(parser, "--artifact", "--target", "--exceptions")
    parser.add_argument("--python", metavar="VERSION")
    parser.add_argument("--image", type=Path, action="append", default=[])
    parser.add_argument("--index")
    parser.add_argument("--blob", action="append", default=[])
    parser.add_argument("--expect-platform", dest="platforms", action="append", default=[])
    parser.add_argument("--package", "--native", dest="packages", action="append", default=[])
    parser.add_argument("--allow", action="append", default=[])
    parser.add_argument("--subject")


def run(options: argparse.Namespace) -> int:
    """Prove all that is given, tell of it, and give the exit code of the worst."""
    common, artifacts = groups_of(options)
    if not artifacts and not options.image:
        raise UsageError("nothing is given to be proved", hint="name --image files with their blobs, or --artifact")
    allow = [Allowance(path=pattern) for pattern in options.allow]
    allow += _exceptions(common)
    results = list(_results(options, common, artifacts, tuple(allow)))
    results = settled(results, allow, dt.datetime.now(dt.UTC).date(), refuse_warnings=False)
    results = _with_platforms(results, options, images=bool(options.image))
    _write_junit([result.report for result in results])
    Outputs().write(results)
    for result in results:
        for line in _natives(result.report):
            print(line)
    sys.stdout.flush()
    return exit_code(results)


def _results(
    options: argparse.Namespace, common: Group, artifacts: Sequence[Group], allow: tuple[Allowance, ...]
) -> Iterator[Result]:
    expected = Expected(named=tuple(canonicalize_name(name) for name in options.packages))
    if options.image:
        subject = options.subject or read_image(options.image[0]).name
        targets = [_meant(text, options.python) for text in common.of("--target")]
        targets = targets or [item for path in options.image if (item := meant_by_image(path)) is not None]
        own = {item for path in options.image for item in read_image(path).claim.allow}
        question = Question(targets=tuple(targets), allow=(*allow, *sorted(own, key=repr)))
        with linked_images(options.image, options.index, options.blob) as layout:
            yield _result(expect(verify_image(layout, subject, question), expected))
    for artifact in artifacts:
        targets = [_meant(text, options.python) for text in (*common.of("--target"), *artifact.of("--target"))]
        subject = options.subject if options.subject and not options.image else Path(artifact.name).name
        question = Question(targets=tuple(targets), allow=(*allow, *_exceptions(artifact)))
        try:
            report = verify_artifact(Path(artifact.name), question)
            yield _result(expect(replace(report, subject=subject), expected))
        except CrossdockError as error:
            # The others are proved all the same, and the test's report has them.
            if not 50 <= error.exit_code < 100:
                raise
            yield unreadable(subject, error)


def _exceptions(group: Group) -> tuple[Allowance, ...]:
    return read_exceptions(map(Path, group.of("--exceptions")))


def _result(report: Report) -> Result:
    return Result(report=report, exit_code=report.exit_code)


def _meant(text: str, python: str | None) -> Meant:
    spec, own = spelled_target(text, python)
    return meant(spec, () if own is None else (own,))


def _with_platforms(results: list[Result], options: argparse.Namespace, *, images: bool) -> list[Result]:
    """Refuse what is not for exactly the platforms that were named: the images, and all artifacts together."""
    if not options.platforms:
        return results
    wanted = {_platform(text) for text in options.platforms}
    groups = (results[:1], results[1:]) if images else ([], results)
    found: list[Result] = []
    for group in groups:
        there = {platform_name(image.platform) for result in group for image in result.report.images}
        findings = tuple(_differences(wanted, there))
        for number, result in enumerate(group):
            report = result.report
            if number == 0 and findings:
                report = replace(report, findings=(*report.findings, *findings))
            code = result.exit_code if result.error else report.exit_code
            found.append(replace(result, report=report, exit_code=code))
    return found


def _platform(text: str) -> str:
    oci = parse_target(text).platform.oci
    return platform_name(Platform(os=oci["os"], architecture=oci["architecture"], variant=oci.get("variant", "")))


def _differences(wanted: set[str], there: set[str]) -> Iterator[Finding]:
    for name in sorted(wanted - there):
        yield Finding(
            code="platform-missing",
            severity="error",
            found=f"there is nothing for {name}",
            wanted="it was asked for",
            hint="build it for that platform too, or do not name it",
        )
    for name in sorted(there - wanted):
        yield Finding(
            code="platform-mismatch",
            severity="error",
            found=f"it is for {name}, too" if wanted & there else f"it is for {name}",
            wanted=f"it was to be for {' and '.join(sorted(wanted))} alone",
            hint="name that platform too, or do not build for it",
        )


def _natives(report: Report) -> Iterator[str]:
    """Name the packages that have native files, with how many, so that a reader sees what was proved."""
    for image in report.images:
        named = ", ".join(f"{name} ({count})" for name, count in image.natives_by_package.items() if count)
        yield f"{platform_name(image.platform)}: native files of {named or 'no package'}"


def _write_junit(reports: Sequence[Report]) -> None:
    """Write the report that Bazel takes (test encyclopedia, "XML_OUTPUT_FILE"), beside those of a run before."""
    name = os.environ.get("XML_OUTPUT_FILE", "")
    if not name:
        return
    path, root = Path(name), ET.fromstring(to_junit(reports))  # noqa: S314  our own
    with suppress(OSError, ET.ParseError):
        before = ET.parse(path).getroot()  # noqa: S314  our own, too
        root[:0] = list(before)
        for key in ("tests", "failures", "errors"):
            root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ET.indent(root)
    with reported(path, option="XML_OUTPUT_FILE"), whole_file(path) as file:
        document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
        file.write(document + b"\n")
