"""The proof of an artifact that lies there finished, by what its users say it is for."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from crossdock.targets.platform import Libc
from crossdock.targets.python import FIRST_PYTHON, LAST_PYTHON, PYPY_RELEASES, parse_python
from crossdock.verify.bundle import prove_bundle
from crossdock.verify.finding import Finding
from crossdock.verify.reading import read_artifact
from crossdock.verify.report import Report
from crossdock.verify.wheels import fitting

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from packaging.tags import Tag

    from crossdock.targets.python import Python
    from crossdock.targets.spec import TargetSpec
    from crossdock.verify.reading import Artifact

__all__ = ["Meant", "meant", "verify_artifact"]

#: Above any version of a C library there is.
_ANY_MINOR: Final = 99
#: A virtual environment's interpreter is that of the machine it is for.
_INTERPRETER: Final = re.compile(r"(^|/)bin/python[\d.]*$")
_MOST_LINKS: Final = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What an artifact is said to be for.

    Attributes:
        platform: By OCI's names: ``os``, ``architecture``, ``variant``.
        tags: Wheel tags that are taken there.
    """

    platform: Mapping[str, str]
    tags: frozenset[Tag]


def meant(spec: TargetSpec, pythons: Sequence[Python] = ()) -> Meant:
    """Say what a target means for an artifact that was built already.

    Args:
        spec: The target; where it names no C library's version, wheels may need any.
        pythons: What it may run where it names none itself; without any, all that are known.
    """
    platform = spec.platform
    libc = Libc(platform.libc.kind, (platform.libc.version[0], _ANY_MINOR)) if platform.libc else None
    floor = None if platform.libc_named else libc
    asked: Sequence[Python | None] = (None,) if spec.python else pythons or _all_pythons()
    targets = [spec.target(python, libc=floor) for python in asked]
    return Meant(platform=platform.oci, tags=frozenset(tag for target in targets for tag in target.tags))


def verify_artifact(path: Path, targets: Sequence[Meant], *, allow: Sequence[str] = ()) -> Report:
    """Prove an artifact for each target it is said to be for.

    Each file has to fit each target; but of the wheels of a PEX, which boots with those that fit, only those that the
    target takes, and every wheel has to fit one.

    Args:
        path: A zip archive, a folder or a tar archive: see `read_artifact`.
        targets: What it is for.
        allow: Paths that may hold programs for other machines: see `crossdock.verify.findings.judge`.

    Raises:
        VerificationError: It cannot be read.
    """
    artifact = read_artifact(path)
    own = [path.name] if path.name.endswith(".whl") and path.is_file() else []
    strays = {name for name in artifact.wheels if not any(fitting(name, target.tags) for target in targets)}
    images = []
    for target in targets:
        names = [name for name in artifact.wheels if name in strays or fitting(name, target.tags)]
        proved = prove_bundle(
            target.platform,
            [artifact.rest, *(artifact.wheels[name] for name in names)],
            digest=artifact.digest,
            allow=allow,
            wheels=[*own, *names],
            tags=target.tags,
        )
        images.append(replace(proved, findings=(*proved.findings, *_missing(artifact, names))))
    return Report(subject=str(path), images=tuple(images), findings=tuple(_links(artifact)))


def _missing(artifact: Artifact, names: Sequence[str]) -> list[Finding]:
    """Tell which packages of a PEX for several targets have no wheel for one of them."""
    there = {_project(name) for name in names}
    return [
        Finding(
            code="wheel-missing",
            severity="warning",
            package=project,
            found="has no wheel that the target takes",
            wanted="it has one for another target",
            hint="all is well if its markers leave it out here",
        )
        for project in sorted({_project(name) for name in artifact.wheels} - there)
    ]


def _project(filename: str) -> str:
    return canonicalize_name(filename.partition("-")[0])


def _links(artifact: Artifact) -> list[Finding]:
    """Tell which links were not followed, so that nobody thinks what is behind them was proved."""
    leading = [(name, there) for name, there in artifact.leads_out if not _INTERPRETER.search(name)]
    return [
        Finding(
            code="link-outside",
            severity="warning",
            path=name,
            found=f"leads out of the artifact, to {there}",
            wanted="only what is in it was looked at",
            hint="copy what it leads to into it, if it belongs to the artifact",
        )
        for name, there in leading[:_MOST_LINKS]
    ]


def _all_pythons() -> list[Python]:
    minors = range(FIRST_PYTHON[1], LAST_PYTHON[1] + 1)
    names = [f"3.{minor}" for minor in minors] + [f"3.{minor}t" for minor in minors if minor >= 13]
    return [parse_python(name) for name in (*names, *(f"pypy{major}.{minor}" for major, minor in PYPY_RELEASES))]
