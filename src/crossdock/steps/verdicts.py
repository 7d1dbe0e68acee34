"""What the rules said of layers and images, kept, so that nothing is judged twice.

A verdict is a function of what is in the layers, which their digests name, of what is claimed, and of the rules. It is
kept only where the layers were looked at here: what a registry says of a layer is judged anew each time.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any, Final

from crossdock.store.actions import action_key
from crossdock.verify.report import ImageReport
from crossdock.verify.version import FACTS_VERSION, RULES_VERSION, SUMMARY_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from crossdock.steps.making import FinishedLayer
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.targets import Target
    from crossdock.verify.claim import Claim
    from crossdock.verify.exceptions import Allowance

__all__ = ["image_verdict", "layer_verdict"]

_SEEN: Final = "seen"


def layer_verdict(
    layer: FinishedLayer, target: Target, store: Store, decide: Callable[[FinishedLayer, Target], str | None]
) -> str | None:
    """Give what is to be said of a layer that is made for a target; nothing if it does not fit it.

    Args:
        layer: The layer.
        target: Whom it is for.
        store: Keeps verdicts.
        decide: Judges the layer.
    """
    if layer.remote is not None:
        return decide(layer, target)
    key = action_key(
        "layer-verdict/1",
        versions=[FACTS_VERSION, RULES_VERSION, SUMMARY_VERSION],
        digest=layer.made.digest,
        target=_target(target),
        type=layer.media_type,
    )
    known = store.action(key)
    if isinstance(known, dict) and isinstance(known.get(_SEEN), (str, type(None))):
        seen: str | None = known[_SEEN]
        return seen
    said = decide(layer, target)
    store.record(key, {_SEEN: said})
    return said


def image_verdict(
    claim: Claim,
    layers: Sequence[FinishedLayer],
    digest: str,
    allow: Sequence[Allowance],
    store: Store,
    prove: Callable[[], ImageReport],
) -> ImageReport:
    """Give the report on an image.

    Args:
        claim: What the image is.
        layers: Lowest first.
        digest: Of its manifest.
        allow: Exceptions.
        store: Keeps verdicts.
        prove: Judges the image.
    """
    if any(layer.remote is not None for layer in layers):
        return prove()
    key = action_key(
        "image-verdict/1",
        versions=[FACTS_VERSION, RULES_VERSION],
        image=digest,
        layers=[[layer.made.digest, layer.media_type] for layer in layers],
        claim=_claim(claim),
        allow=[[item.code, item.path, item.package, item.reason, _counts(item)] for item in allow],
    )
    try:
        return ImageReport.from_json(store.action(key))
    except ValueError:
        report = prove()
        store.record(key, {**report.to_json(), "natives_by_package": dict(report.natives_by_package)})
        return report


def _counts(item: Allowance) -> str:
    """Say until when an exception counts, and whether it does today."""
    today = dt.datetime.now(dt.UTC).date()
    return "" if item.expires is None else f"{item.expires} {today <= item.expires}"


def _claim(claim: Claim) -> dict[str, JSON]:
    config: Any = None
    if claim.config is not None:
        run = claim.config
        config = [dict(run.env), list(run.entrypoint), run.user, run.working_dir]
    return {
        "platform": str(claim.platform),
        "subject": claim.subject,
        "targets": [_target(target) for target in claim.targets],
        "floor": [repr(claim.libc), str(claim.macos)],
        "wheel": claim.wheel,
        "lock": None if claim.lock is None else dict(claim.lock),
        "waived": sorted(claim.waived),
        "config": config,
    }


def _target(target: Target) -> list[JSON]:
    tags = None if target.given_tags is None else [str(tag) for tag in target.given_tags]
    markers: list[JSON] = [list(pair) for pair in target.marker_values]
    # All of both is told apart: that a floor was named is in no spelling.
    return [target.name, repr(target.platform), repr(target.python), markers, tags]
