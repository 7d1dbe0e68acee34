"""What an artifact claims by being for a target."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.utils import parse_wheel_filename

from crossdock.verify.claim import Claim
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.targets import Target
    from crossdock.verify.claim import ImageConfig, Subject

__all__ = ["claim_of"]


def claim_of(
    target: Target,
    subject: Subject,
    *,
    wheels: Iterable[str] | None = None,
    waived: Iterable[str] = (),
    config: ImageConfig | None = None,
) -> Claim:
    """Give the claim of an artifact that is built for a target.

    Args:
        target: What it is built for.
        subject: What kind of thing it is.
        wheels: File names of all wheels that are installed in it, and there may be no others; None if that is not said.
        waived: See `Claim`.
        config: How it is run, if it is an image.
    """
    oci = target.platform.oci
    return Claim(
        platform=Platform(os=oci["os"], architecture=oci["architecture"], variant=oci.get("variant", "")),
        subject=subject,
        targets=(target,),
        libc=target.platform.libc,
        macos=target.platform.macos,
        lock=None if wheels is None else dict(map(_name_and_version, wheels)),
        waived=frozenset(waived),
        config=config,
    )


def _name_and_version(filename: str) -> tuple[str, str]:
    name, version, _, _ = parse_wheel_filename(filename)
    return name, str(version)
