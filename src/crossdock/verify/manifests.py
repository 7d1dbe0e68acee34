"""What an image's manifest, config and index say, compared with each other and with its layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.verify.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.verify.platforms import Platform
    from crossdock.verify.scan import LayerFacts

__all__ = ["LayerClaim", "judge_layers", "judge_platforms"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerClaim:
    """What an image's manifest and config say of one layer.

    Attributes:
        digest: Of the blob, from the manifest.
        diff_id: Of the uncompressed tar, from the config.
    """

    digest: str
    diff_id: str


def judge_layers(claims: Sequence[LayerClaim], facts: Sequence[LayerFacts]) -> list[Finding]:
    """Compare what manifest and config say of the layers with what was read.

    Args:
        claims: One for each layer, lowest first.
        facts: Of the same layers, in the same order.

    Raises:
        ValueError: There are not as many of the one as of the other.
    """
    findings = []
    for number, (claim, layer) in enumerate(zip(claims, facts, strict=True), start=1):
        pairs = (("digest", claim.digest, layer.digest), ("diff_id", claim.diff_id, layer.diff_id))
        findings += [
            Finding(
                code=f"layer-{name.replace('_', '-')}",
                severity="error",
                found=f"layer {number} has the {name} {actual}",
                wanted=f"the {'config' if name == 'diff_id' else 'manifest'} says {claimed}",
                hint="the layer or what describes it was changed, or mixed up: build or fetch the image again",
            )
            for name, claimed, actual in pairs
            if claimed != actual
        ]
    return findings


def judge_platforms(entry: Platform | None, config: Platform) -> list[Finding]:
    """Compare the platform in an image's index entry, if it has one, with that in its config."""
    if entry is None or entry.same_machine(config):
        return []
    only_variant_missing = (entry.os, entry.architecture) == (config.os, config.architecture) and not config.variant
    return [
        Finding(
            code="platform-mismatch",
            severity="warning" if only_variant_missing else "error",
            found=f"the image's config says {config}",
            wanted=f"its entry in the index says {entry}",
            hint="build the index from images whose configs name their own platform",
        )
    ]
