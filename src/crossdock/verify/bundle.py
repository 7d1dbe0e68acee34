"""One bundle for one target, judged by all rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.verify.findings import judge, owners_of
from crossdock.verify.platforms import Platform
from crossdock.verify.report import ImageReport, count_machines
from crossdock.verify.wheels import judge_wheels

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from packaging.tags import Tag

    from crossdock.verify.findings import Seen

__all__ = ["prove_bundle"]


def prove_bundle(
    platform: Mapping[str, str],
    contents: Sequence[Seen],
    *,
    digest: str = "",
    allow: Sequence[str] = (),
    wheels: Collection[str] = (),
    tags: Collection[Tag] = (),
) -> ImageReport:
    """Judge what goes into a bundle by the platform it is for.

    Args:
        platform: Of the target, by OCI's names: ``os``, ``architecture``, ``variant``.
        contents: What was seen in each part.
        digest: ``sha256:…`` of the file, if it is one.
        allow: Paths that may hold programs for other machines: see `judge`.
        wheels: File names of the wheels in it.
        tags: Wheel tags that the target takes: each wheel must have one of them.
    """
    os, architecture, variant = platform["os"], platform["architecture"], platform.get("variant", "")
    findings = [
        *judge_wheels(wheels, tags),
        *judge(os, architecture, variant, contents, owners_of(contents), allow=allow),
    ]
    return ImageReport(
        platform=Platform(os=os, architecture=architecture, variant=variant),
        digest=digest,
        layers=len(contents),
        files=sum(part.files for part in contents),
        machines=count_machines(contents),
        findings=tuple(findings),
    )
