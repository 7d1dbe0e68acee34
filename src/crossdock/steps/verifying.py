"""The proof of an artifact that lies there finished, by what it says, or its users say, it is for."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from crossdock.errors import LayoutUnreadableError, UsageError
from crossdock.steps.meant import Meant, meant_by_wheels
from crossdock.verify.claim import Claim
from crossdock.verify.distributions import read_distributions
from crossdock.verify.finding import Finding
from crossdock.verify.forms import architecture_of_deb
from crossdock.verify.image import verify_opened
from crossdock.verify.platforms import Platform
from crossdock.verify.proof import prove_bundle
from crossdock.verify.reading import read_artifact
from crossdock.verify.report import Report
from crossdock.verify.rules.machines import MACHINES
from crossdock.verify.wheelclaims import ANY, claims_of_wheel
from crossdock.verify.wheels import fitting

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.headers.binary import Binary
    from crossdock.steps.lock_claims import Wanted
    from crossdock.steps.subjects import ImageSubject
    from crossdock.targets.python import Python
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.reading import Artifact
    from crossdock.verify.report import ImageReport

__all__ = ["Question", "strict", "verify_artifact", "verify_image"]

#: A virtual environment's interpreter is that of the machine it is for.
_INTERPRETER: Final = re.compile(r"(^|/)bin/python[\d.]*$")
_MOST_LINKS: Final = 20
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
#: A tree with one of these brings its own system.
_OF_SYSTEMS: Final = ("etc/os-release", "usr/lib/os-release")
#: Where what has no program is judged.
_ANYWHERE: Final = Platform(os="linux", architecture="amd64")
_SYSTEMS: Final = {"elf": "linux", "macho": "darwin", "pe": "windows"}
#: Findings on programs that are for another platform than the one they are judged for.
_OF_OTHERS: Final = frozenset(
    {"elf", "macho", "pe", "elf-machine", "macho-machine", "pe-machine", "pe-launcher", "elf-float-abi"}
)
_DEBIAN: Final = {"armhf": "arm", "i386": "386", "ppc64el": "ppc64le"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of artifacts.

    Attributes:
        targets: What they are said to be for; empty to leave that to them.
        pythons: What they may run, where they tell the platform themselves.
        wanted: What they are compared with, if that is asked.
        allow: Exceptions to the rules.
    """

    targets: tuple[Meant, ...] = ()
    pythons: tuple[Python, ...] = ()
    wanted: Wanted | None = None
    allow: tuple[Allowance, ...] = field(default=())

    def compared(self, targets: Sequence[Meant]) -> list[Meant]:
        """Add what the lock has for each target."""
        return [self.wanted.claimed(target) for target in targets] if self.wanted else list(targets)

    def pardoned(self, report: ImageReport) -> ImageReport:
        """Leave out what is no fault though it differs from the lock."""
        return self.wanted.pardoned(report) if self.wanted and report.platform else report


def verify_image(image: ImageSubject, subject: str, question: Question) -> Report:
    """Prove all images of a layout; and that there is one for each target, if there are targets.

    Args:
        image: The layout.
        subject: Names it.
        question: What is asked.

    Raises:
        UsageError: It is to be compared with a lock, and no target was named.
        LayoutUnreadableError: Its index cannot be read.
    """
    if question.wanted and not question.targets:
        raise UsageError(
            "what a lock has for an image depends on its platform and its Python",
            hint="name both, as in --target linux/arm64 --python 3.12",
        )
    claims = [_of_image(target) for target in question.compared(question.targets)]
    report = verify_opened(
        image.layout, subject, scan_cache=image.cache, allow=question.allow, claims=claims, checked=image.checked
    )
    return replace(report, images=tuple(map(question.pardoned, report.images)))


def _of_image(target: Meant) -> Claim:
    """Give a claim for an image: where no version of a C library is named, that of the image's own system counts."""
    named = any(item.platform.libc_named for item in target.targets)
    return replace(target.claim, subject="image", libc=target.claim.libc if named else None)


def verify_artifact(path: Path, question: Question) -> Report:
    """Prove an artifact for each target it is said to be for, or says it is for.

    Each file has to fit each target; but of the wheels of a PEX, which boots with those that fit, only those that the
    target takes, and every wheel has to fit one.

    Args:
        path: A wheel, a Debian package, another zip or tar archive, or a folder: see `read_artifact`.
        question: What is asked.

    Raises:
        LayoutUnreadableError: It does not say what it is for, and nobody else did; or it is nothing that is proved.
        VerificationError: It cannot be read.
    """
    if path.is_file() and path.name.endswith(".whl"):
        return _verify_wheel(path, question)
    if path.is_file() and (architecture := architecture_of_deb(path)):
        return _verify_deb(path, architecture, question)
    artifact = read_artifact(path)
    targets = question.targets or tuple(meant_by_wheels(artifact, question.pythons))
    if not targets and artifact.contents.files:
        raise LayoutUnreadableError(
            f"{path} does not say what it is for",
            why="it is no image, and the wheels in it name no platform that all of them are for",
            hint="to prove a PEX, a zip or tar archive or a folder, say what it is for, as in --target linux/arm64",
        )
    strays = [name for name in artifact.wheels if not any(fitting(name, target.tags) for target in targets)]
    images = []
    for target in question.compared(targets):
        names = [name for name in artifact.wheels if name in strays or fitting(name, target.tags)]
        system = target.platform.os == "linux" and any(name in artifact.rest.texts for name in _OF_SYSTEMS)
        claim = replace(target.claim, subject="image", libc=_of_image(target).libc) if system else target.claim
        proved = prove_bundle(
            claim,
            [artifact.rest, *(artifact.wheels[name] for name in names)],
            digest=artifact.digest,
            allow=question.allow,
            wheels=names,
            tags=target.tags,
        )
        proved = replace(proved, findings=(*proved.findings, *_missing(artifact, names)))
        images.append(question.pardoned(proved))
    findings = _lost(artifact) if targets else [_empty()]
    return Report(subject=str(path), images=tuple(images), findings=(*findings, *_links(artifact)))


def _empty() -> Finding:
    return Finding(
        code="nothing-read",
        severity="error",
        found="no file was looked at",
        wanted="a proof that looked at nothing proves nothing",
    )


def _verify_wheel(path: Path, question: Question) -> Report:
    """Prove a wheel for what its own name says, or for the targets that are named."""
    if question.wanted:
        raise UsageError(f"{path} is a wheel, and locks are compared with what wheels are installed in")
    wanted: list[tuple[Claim, Meant | None]]
    if question.targets:
        wanted = [(replace(item.claim, subject="wheel", wheel=path.name), item) for item in question.targets]
    else:
        wanted = [(claim, None) for claim in claims_of_wheel(path.name)]
    artifact = read_artifact(path)
    images = []
    for claim, target in wanted:
        if claim.platform == ANY:
            images.append(_prove_pure(claim, artifact, question))
            continue
        images.append(
            prove_bundle(
                claim,
                [artifact.contents],
                digest=artifact.digest,
                allow=question.allow,
                wheels=[path.name] if target else (),
                tags=target.tags if target else (),
            )
        )
    return Report(subject=str(path), images=tuple(images), findings=tuple(_links(artifact)))


def _prove_pure(claim: Claim, artifact: Artifact, question: Question) -> ImageReport:
    """Prove a wheel for any machine: on each platform that it has programs for, or on any one if there are none.

    That a program is for one platform and not for another is no fault by itself: that there is one at all may be.
    """
    homes = {path: _homes(binary) for path, binary in artifact.contents.binaries}
    platforms = {home for found in homes.values() for home in found} or {_ANYWHERE}
    proved = [
        prove_bundle(
            replace(claim, platform=platform),
            [artifact.contents],
            digest=artifact.digest,
            allow=question.allow,
        )
        for platform in sorted(platforms, key=str)
    ]
    findings = [
        finding
        for report in proved
        for finding in report.findings
        if not (finding.code in _OF_OTHERS and homes.get(finding.path)) and finding.code != "allow-unused"
    ]
    # An exception helps nothing if it does so nowhere.
    unused = [{item for item in report.findings if item.code == "allow-unused"} for report in proved]
    findings += sorted(set.intersection(*unused), key=lambda item: item.found)
    return replace(proved[0], platform=ANY, findings=tuple(dict.fromkeys(findings)))


def _homes(binary: Binary) -> set[Platform]:
    """Give the platforms a program is for, of those that can be judged."""
    system = _SYSTEMS[binary.format]
    machines = binary.machines if binary.hosted and not binary.undecided else ()
    return {Platform(os=system, architecture=machine) for machine in machines if machine in MACHINES[system]}


def _verify_deb(path: Path, architecture: str, question: Question) -> Report:
    """Prove a Debian package as what it is: a layer of a system of its architecture."""
    if question.wanted:
        raise UsageError(f"{path} is a Debian package, which locks do not know")
    own = Platform(os="linux", architecture=_DEBIAN.get(architecture, architecture))
    claims = [replace(target.claim, subject="layer") for target in question.targets]
    if not claims:
        claims = [Claim(platform=own, subject="layer")]
    artifact = read_artifact(path)
    if architecture == "all" and not question.targets:
        homes = {home for _, binary in artifact.contents.binaries for home in _homes(binary)}
        linux = sorted((home for home in homes if home.os == "linux"), key=str)
        claims = [replace(claims[0], platform=linux[0] if linux else _ANYWHERE)]
    images = [
        prove_bundle(claim, [artifact.contents], digest=artifact.digest, allow=question.allow) for claim in claims
    ]
    return Report(subject=str(path), images=tuple(images))


def _missing(artifact: Artifact, names: Sequence[str]) -> list[Finding]:
    """Tell which packages of a PEX for several targets have no wheel for one of them.

    Those that others require are left to the rule on requirements, which knows under which markers they do.
    """
    there = {_project(name) for name in names} | _required(artifact)
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


def _lost(artifact: Artifact) -> list[Finding]:
    """Tell which wheels a PEX says it has, and has not; those that others require are left to the rule on that."""
    try:
        info = json.loads(artifact.rest.texts.get("PEX-INFO", "{}"))
        listed = list(info["distributions"])
    except (ValueError, RecursionError, LookupError, TypeError):
        return []
    there = {_project(name) for name in artifact.wheels} | _required(artifact)
    lost = sorted(name for name in listed if isinstance(name, str) and _project(name) not in there)
    return [
        Finding(
            code="package-missing",
            severity="error",
            package=" ".join((_project(name), *name.split("-")[1:2])),
            found="is not there",
            wanted="PEX-INFO lists it",
            hint="build the PEX again",
        )
        for name in lost[:_MOST_LINKS]
    ]


def _required(artifact: Artifact) -> set[str]:
    found: set[str] = set()
    for distribution in read_distributions(artifact.contents.texts):
        for text in distribution.requires:
            name, _, marker = text.partition(";")
            if "extra" not in marker and (match := _NAME.match(name)):
                found.add(canonicalize_name(match[0]))
    return found


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


def strict(report: Report, allow: Sequence[Allowance], today: dt.date) -> Report:
    """Make errors of all warnings that no exception is for."""

    def refused(finding: Finding) -> Finding:
        if finding.severity != "warning" or any(
            item.matches(finding) and (item.expires is None or today <= item.expires) for item in allow
        ):
            return finding
        return replace(finding, severity="error")

    return replace(
        report,
        images=tuple(replace(image, findings=tuple(map(refused, image.findings))) for image in report.images),
        findings=tuple(map(refused, report.findings)),
    )
