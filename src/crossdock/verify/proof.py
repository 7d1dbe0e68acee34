"""One image, judged by all rules: what both a build and ``crossdock verify`` come down to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.verify.findings import judge, judge_layers, judge_platforms, owners_of
from crossdock.verify.report import ImageReport, count_machines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.verify.findings import LayerClaim
    from crossdock.verify.platforms import Platform
    from crossdock.verify.scan import LayerFacts

__all__ = ["prove_image"]


def prove_image(
    platform: Platform,
    facts: Sequence[LayerFacts],
    *,
    claims: Sequence[LayerClaim],
    entry: Platform | None = None,
    digest: str = "",
    owners: Mapping[str, str] | None = None,
    allow: Sequence[str] = (),
) -> ImageReport:
    """Judge an image by what its layers hold and what its manifest, config and index entry say.

    Args:
        platform: From its config.
        facts: Of its layers, lowest first.
        claims: What manifest and config say of the same layers.
        entry: From its entry in an index, if it has one with a platform.
        digest: Of its manifest.
        owners: Paths to distributions, in addition to what the layers say themselves.
        allow: Paths that may hold programs for other machines: see `judge`.

    Raises:
        ValueError: There are not as many claims as facts.
    """
    known = {**owners_of(facts), **(owners or {})}
    findings = [
        *judge_platforms(entry, platform),
        *judge_layers(claims, facts),
        *judge(platform.os, platform.architecture, platform.variant, facts, known, allow=allow, image=True),
    ]
    return ImageReport(
        platform=platform,
        digest=digest,
        layers=len(facts),
        files=sum(layer.files for layer in facts),
        machines=count_machines(facts),
        findings=tuple(findings),
    )
