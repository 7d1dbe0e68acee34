"""What is written beside a layer in its image's manifest, so that the registry can serve as a cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.oci.image import Layer
from crossdock.oci.model import canonical_json
from crossdock.steps.registry_cache import DIFF_ID, FACTS, KEY, LONGEST_FACTS, SEEN
from crossdock.steps.stack import scheme_of
from crossdock.steps.verdicts import layer_verdict

if TYPE_CHECKING:
    from crossdock.steps.gathering import Wheels
    from crossdock.steps.making import FinishedLayer
    from crossdock.steps.stack import Part
    from crossdock.targets import Target
    from crossdock.verify.scan import LayerFacts

__all__ = ["facts_text", "is_clean", "layer_of"]


def layer_of(part: Part, finished: FinishedLayer, wheels: Wheels, target: Target) -> Layer:
    """Give a finished layer with what is said of it.

    A layer that is all right only by an exception for a path is not offered for reuse: what was seen in it is told by
    kind, and an exception is judged by path.
    """
    said = dict(part.annotations)
    seen = layer_verdict(finished, target, wheels.store, _seen)
    facts = facts_text(part, wheels, target)
    if seen is not None and facts is not None:
        said |= {KEY: part.recipe.key, DIFF_ID: f"sha256:{finished.made.diff_id}", SEEN: seen}
        said |= {FACTS: facts} if facts else {}
    return Layer(
        digest=finished.made.digest,
        size=finished.made.size,
        diff_id=finished.made.diff_id,
        created_by=part.created_by,
        annotations=said,
        media_type=part.recipe.media_type,
    )


def _seen(finished: FinishedLayer, target: Target) -> str | None:
    """Write what was seen in a layer that fits its target; None for one that does not, or if that is too long."""
    from crossdock.verify.summary import write_summary

    return write_summary(finished.facts) if is_clean(finished.facts, target) else None


def is_clean(facts: LayerFacts, target: Target) -> bool:
    """Say whether nothing in a layer is an error for a target, also without any exception for a path."""
    from crossdock.verify.judging import judge
    from crossdock.verify.targets import claim_of
    from crossdock.verify.tree import Tree

    if not facts.contents.files:
        return True
    found = judge(Tree([facts.contents]), claim_of(target, "layer"))
    return all(finding.severity != "error" for finding in found)


def facts_text(part: Part, wheels: Wheels, target: Target) -> str | None:
    """Write what is known of a layer's wheels, empty without any; None if that is too long or not known."""
    about = {}
    for wheel in part.wheels:
        facts = wheels.facts(wheel.filename, wheel.sha256, scheme_of(target))
        if facts is None:
            return None
        about[wheel.sha256] = facts.to_json()
    text = canonical_json(about).decode() if about else ""
    return text if len(text) <= LONGEST_FACTS else None
