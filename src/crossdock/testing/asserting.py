"""`assert_cross_compiled`: an artifact is what it says, and its packages hold code for each of its machines."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import CrossdockError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from crossdock.services import Services
    from crossdock.testing.building import BuiltArtifact
    from crossdock.verify.expecting import Expected
    from crossdock.verify.report import Report

__all__ = ["CrossCompiled", "assert_cross_compiled", "default_services", "readable"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrossCompiled:
    """What was looked at.

    Attributes:
        files: How many files.
        natives: How many programs and libraries there are for each platform, by ``linux/arm64``.
        packages: How many of them each package has that was asked for, by platform; without any being asked for, each
            package that has some.
        report: All that was seen.
    """

    files: int
    natives: Mapping[str, int]
    packages: Mapping[str, Mapping[str, int]]
    report: Report


def assert_cross_compiled(
    artifact: BuiltArtifact | Path | str,
    *,
    package: str | None = None,
    packages: Sequence[str] | None = None,
    targets: Sequence[str] | None = None,
    allow: Sequence[str] = (),
    services: Services | None = None,
) -> CrossCompiled:
    """Assert that an artifact is what it says, and that packages in it are compiled for each of its platforms.

    Nothing is executed, and no container engine is needed. All files are read: see docs/verify.md for what is proved.

    Args:
        artifact: What the fixture ``crossdock_build`` gave; a path of an OCI layout, a docker archive, a PEX, a zip, a
            wheel or a virtual environment; or a reference of an image in a registry, as text.
        package: A package that has to be there, with at least one native file for each platform.
        packages: Several such packages. Without any, those that the lock has wheels of for one platform have to be
            there, if the artifact was just built; and at least one package has to have native files. An empty list
            says that none needs any.
        targets: Platforms that it has to be for, such as ``linux/arm64``; by default those it names itself.
        allow: Patterns of paths in it that may be as they are, whatever is found.
        services: The cache and the network; the user's own by default.

    Returns:
        What was looked at.

    Raises:
        AssertionError: It is not what it says, a package is not there or not compiled, or it cannot be read at all.
        CrossdockError: The targets or packages cannot be understood.
    """
    __tracebackhide__ = True
    from crossdock.testing.examining import examine, targets_as_written
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.expecting import Expected, expect

    named = _names(package, packages)
    meant = targets_as_written((targets,) if isinstance(targets, str) else targets or ())
    planned = {} if isinstance(artifact, (str, os.PathLike)) else artifact.planned
    expected = Expected(named=named, planned=planned, something=named is None)
    allowances = [Allowance(path=pattern) for pattern in allow]
    failure = ""
    try:
        report = examine(artifact, services or default_services(), targets=meant, allow=allowances)
        report = expect(report, expected)
        if not report.ok:
            failure = report.to_text()
    except CrossdockError as error:
        failure = readable(str(error))
    if failure:
        raise AssertionError(failure)
    return _seen(report, expected)


def _names(package: str | None, packages: Sequence[str] | None) -> tuple[str, ...] | None:
    from packaging.utils import InvalidName, canonicalize_name

    from crossdock.errors import UsageError

    if package is None and packages is None:
        return None
    given = [
        *([package] if package is not None else ()),
        *((packages,) if isinstance(packages, str) else packages or ()),
    ]
    try:
        return tuple(dict.fromkeys(canonicalize_name(name, validate=True) for name in given))
    except InvalidName as error:
        raise UsageError(
            f"there can be no such package: {error}", hint='write names as the lock has them, as in "pydantic-core"'
        ) from None


def _seen(report: Report, expected: Expected) -> CrossCompiled:
    from crossdock.testing.telling import packages_seen
    from crossdock.verify.expecting import platform_name

    natives: dict[str, int] = {}
    for image in report.images:
        name = platform_name(image.platform)
        natives[name] = natives.get(name, 0) + image.natives
    return CrossCompiled(
        files=sum(image.files for image in report.images),
        natives=natives,
        packages=packages_seen(report, expected),
        report=report,
    )


def default_services() -> Services:
    """Give the user's own cache, and the network unless the environment forbids it."""
    from crossdock.services import Services
    from crossdock.store import Store

    text = os.environ.get("CROSSDOCK_OFFLINE", "") or os.environ.get("UV_OFFLINE", "")
    return Services(
        store=Store.default(),
        jobs=min(os.cpu_count() or 1, 4),
        offline=text.strip().lower() not in {"", "0", "false", "no", "off"},
    )


def readable(text: str) -> str:
    """Escape what does not belong on a terminal, line by line."""
    from crossdock.verify.finding import printable

    return "\n".join(map(printable, text.split("\n")))
