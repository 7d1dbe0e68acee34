"""What is written beside a layer in its image's manifest, so that the registry can serve as a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.oci.image import Layer
from crossdock.oci.model import canonical_json
from crossdock.steps.registry_cache import DIFF_ID, FACTS, KEY, LONGEST_FACTS, SEEN
from crossdock.steps.stack import scheme_of
from crossdock.steps.verdicts import layer_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.steps.gathering import Wheels
    from crossdock.steps.making import FinishedLayer
    from crossdock.steps.stack import Part
    from crossdock.steps.wheel_facts import WheelFacts
    from crossdock.targets import Target
    from crossdock.verify.claim import Claim
    from crossdock.verify.scan import LayerFacts

__all__ = ["facts_of_wheels", "facts_text", "is_clean", "layer_of", "said_of", "seen_text"]


def layer_of(part: Part, finished: FinishedLayer, wheels: Wheels, target: Target) -> Layer:
    """Give a finished layer with what is said of it.

    A layer that is all right only by an exception for a path is not offered for reuse: what was seen in it is told by
    kind, and an exception is judged by path.
    """
    seen = layer_verdict(finished, target, wheels.store, _seen)
    facts = facts_text(part, wheels, target)
    said = said_of(part.annotations, part.recipe.key, finished.made.diff_id, seen, facts)
    return Layer(
        digest=finished.made.digest,
        size=finished.made.size,
        diff_id=finished.made.diff_id,
        created_by=part.created_by,
        annotations=said,
        media_type=part.recipe.media_type,
    )


def said_of(
    described: Mapping[str, str], key: str, diff_id: str, seen: str | None, facts: str | None
) -> dict[str, str]:
    """Give all annotations of a layer.

    Args:
        described: Those that say what it is made of.
        key: Of its recipe.
        diff_id: SHA-256 of the uncompressed tar, in hex.
        seen: What was seen in it; None if it is not to be offered for reuse.
        facts: What is known of its wheels, empty without any; None likewise.
    """
    if seen is None or facts is None:
        return dict(described)
    offered = {KEY: key, DIFF_ID: f"sha256:{diff_id}", SEEN: seen}
    return {**described, **offered, **({FACTS: facts} if facts else {})}


def _seen(finished: FinishedLayer, target: Target) -> str | None:
    from crossdock.verify.targets import claim_of

    return seen_text(finished.facts, claim_of(target, "layer"))


def seen_text(facts: LayerFacts, claim: Claim) -> str | None:
    """Write what was seen in a layer that fits a claim; None for one that does not, or if that is too long."""
    from crossdock.verify.summary import write_summary

    return write_summary(facts) if _fits(facts, claim) else None


def is_clean(facts: LayerFacts, target: Target) -> bool:
    """Say whether nothing in a layer is an error for a target, also without any exception for a path."""
    from crossdock.verify.targets import claim_of

    return _fits(facts, claim_of(target, "layer"))


def _fits(facts: LayerFacts, claim: Claim) -> bool:
    from crossdock.verify.judging import judge
    from crossdock.verify.tree import Tree

    if not facts.contents.files:
        return True
    found = judge(Tree([facts.contents]), claim)
    return all(finding.severity != "error" for finding in found)


def facts_text(part: Part, wheels: Wheels, target: Target) -> str | None:
    """Write what is known of a layer's wheels, empty without any; None if that is too long or not known."""
    about = {}
    for wheel in part.wheels:
        facts = wheels.facts(wheel.filename, wheel.sha256, scheme_of(target))
        if facts is None:
            return None
        about[wheel.sha256] = facts
    return facts_of_wheels(about)


def facts_of_wheels(facts: Mapping[str, WheelFacts]) -> str | None:
    """Write what is known of some wheels, by their SHA-256; empty without any, None if that is too long."""
    about = {sha256: item.to_json() for sha256, item in facts.items()}
    text = canonical_json(about).decode() if about else ""
    return text if len(text) <= LONGEST_FACTS else None
