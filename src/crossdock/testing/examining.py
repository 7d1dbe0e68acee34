"""The whole proof of what is tested, wherever it is and whoever built it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.steps.making import StoreScanCache
from crossdock.steps.meant import Meant, meant
from crossdock.steps.subjects import ImageSubject, open_subject
from crossdock.steps.verifying import Question, verify_artifact, verify_image
from crossdock.targets import parse_target
from crossdock.testing.building import BuiltArtifact
from crossdock.verify.report import Report
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from crossdock.services import Services
    from crossdock.targets import Target
    from crossdock.testing.building import BuiltPart
    from crossdock.verify.exceptions import Allowance

__all__ = ["examine", "targets_as_written"]


def targets_as_written(texts: Sequence[str], root: Path | None = None) -> tuple[Meant, ...]:
    """Read targets as users spell them.

    Args:
        texts: The targets.
        root: The folder that paths of complete platforms are relative to.

    Raises:
        TargetError: A spelling names no target.
    """
    return tuple(meant(parse_target(text, root) if root else parse_target(text)) for text in texts)


def examine(
    artifact: BuiltArtifact | Path | str,
    services: Services,
    *,
    targets: Sequence[Meant] = (),
    allow: Sequence[Allowance] = (),
) -> Report:
    """Prove an artifact.

    Args:
        artifact: What was built, or a path, or what else `crossdock verify` takes.
        services: The store and registries.
        targets: What it has to be for; empty for what it says itself, or was built for.
        allow: Exceptions to the rules.

    Raises:
        VerificationError: It cannot be read.
        CrossdockError: It cannot be reached.
    """
    if isinstance(artifact, BuiltArtifact):
        parts = [_part(part, artifact, services, targets, allow) for part in artifact.parts]
        return Report(
            subject=artifact.name,
            images=tuple(image for report in parts for image in report.images),
            others=tuple(other for report in parts for other in report.others),
            findings=tuple(finding for report in parts for finding in report.findings),
        )
    question = Question(targets=tuple(targets), allow=tuple(allow))
    name = os.fspath(artifact)
    # A path is one even where it is spelled like a reference.
    named = Path(name).absolute() if isinstance(artifact, Path) else name
    with open_subject(str(named), services) as subject:
        if isinstance(subject, ImageSubject):
            return verify_image(subject, name, question)
        return replace(verify_artifact(subject, question), subject=name)


def _part(
    part: BuiltPart,
    artifact: BuiltArtifact,
    services: Services,
    targets: Sequence[Meant],
    allow: Sequence[Allowance],
) -> Report:
    question = Question(targets=tuple(targets) or tuple(map(_built_for, part.targets)), allow=(*artifact.allow, *allow))
    with open_subject(str(part.path.absolute()), services) as subject:
        if not isinstance(subject, ImageSubject):
            return verify_artifact(subject, question)
        # What was seen of its layers while they were made holds, as long as they are still those.
        known = replace(subject, cache=StoreScanCache(services.store))
        return verify_image(known, artifact.name, question)


def _built_for(target: Target) -> Meant:
    return Meant(claim=claim_of(target, "bundle"), targets=(target,), tags=frozenset(target.tags))
