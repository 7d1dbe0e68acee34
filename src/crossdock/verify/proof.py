"""One image or bundle, proved: what both a build and ``crossdock verify`` come down to."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from crossdock.verify.claim import Case
from crossdock.verify.exceptions import apply_allowances
from crossdock.verify.judging import judge, without_consequences
from crossdock.verify.manifests import judge_layers, judge_platforms
from crossdock.verify.report import ImageReport
from crossdock.verify.tree import Tree
from crossdock.verify.wheels import judge_wheels

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from packaging.tags import Tag

    from crossdock.verify.claim import Claim
    from crossdock.verify.contents import Contents
    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.finding import Finding
    from crossdock.verify.manifests import LayerClaim
    from crossdock.verify.platforms import Platform
    from crossdock.verify.scan import LayerFacts

__all__ = ["prove_bundle", "prove_image"]


def prove_image(
    claim: Claim,
    facts: Sequence[LayerFacts],
    *,
    claims: Sequence[LayerClaim],
    entry: Platform | None = None,
    digest: str = "",
    allow: Sequence[Allowance] = (),
) -> ImageReport:
    """Judge an image by what its layers hold and what its manifest, config and index entry say.

    Args:
        claim: What it is; its platform is that of the config.
        facts: Of its layers, lowest first.
        claims: What manifest and config say of the same layers.
        entry: The platform in its entry in an index, if it has one.
        digest: Of its manifest.
        allow: Exceptions.

    Raises:
        ValueError: There are not as many claims as facts.
    """
    before = [*judge_platforms(entry, claim.platform), *judge_layers(claims, facts)]
    contents = [layer.contents for layer in facts]
    report = _proved(claim, contents, before, digest, allow)
    if entry is not None and not report.ok and _machine(entry) != _machine(claim.platform):
        # What is in it tells which of the two is wrong: the one finding on that is enough.
        other = _proved(replace(claim, platform=entry), contents, before, digest, allow)
        if other.errors < report.errors:
            return replace(other, platform=claim.platform)
    return report


def prove_bundle(
    claim: Claim,
    contents: Sequence[Contents],
    *,
    digest: str = "",
    allow: Sequence[Allowance] = (),
    wheels: Collection[str] = (),
    tags: Collection[Tag] = (),
) -> ImageReport:
    """Judge what goes into a bundle by what it is for.

    Args:
        claim: What it is for.
        contents: What was seen in each part.
        digest: ``sha256:…`` of the file, if it is one.
        allow: Exceptions.
        wheels: File names of the wheels in it.
        tags: Wheel tags that the target takes: each wheel must have one of them.
    """
    return _proved(claim, contents, judge_wheels(wheels, tags), digest, allow)


def _machine(platform: Platform) -> tuple[str, str]:
    return platform.os, platform.architecture


def _proved(
    claim: Claim, contents: Sequence[Contents], before: Sequence[Finding], digest: str, allow: Sequence[Allowance]
) -> ImageReport:
    tree = Tree(contents, whiteouts=claim.subject in {"image", "layer"})
    judged = apply_allowances([*before, *judge(tree, claim)], allow, dt.datetime.now(dt.UTC).date())
    findings = without_consequences(judged)
    return ImageReport(
        platform=claim.platform,
        digest=digest,
        layers=len(contents),
        files=tree.files,
        packages=len({(item.name, item.version) for item in tree.distributions}),
        machines=dict(Counter(binary.kind for part in contents for _, binary in part.binaries)),
        findings=tuple(findings),
        natives_by_package=_natives_by_package(Case(tree, claim)),
    )


def _natives_by_package(case: Case) -> dict[str, int]:
    """Count the programs of each installed distribution; one without any is there with 0."""
    found = {item.name: 0 for item in case.tree.installed}
    folders = {item.folder for item in case.tree.installed}
    for path in case.natives:
        owner = case.tree.owners.get(path)
        if owner is not None and owner.folder in folders:
            found[owner.name] += 1
    return dict(sorted(found.items()))
