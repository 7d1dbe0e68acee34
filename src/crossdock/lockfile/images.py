"""A base that is an image, as ``crossdock.lock`` keeps it: its layers by digest, and what was read in them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.bases.facts import BaseFacts

__all__ = ["LockedImageBase", "LockedLayer"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLayer:
    """One layer of a base image.

    Attributes:
        digest: ``sha256:…`` of the blob.
        size: Bytes of the blob.
        media_type: OCI's spelling of how it is compressed; Docker's is translated, the bytes are the same.
        diff_id: ``sha256:…`` of the uncompressed tar.
    """

    digest: str
    size: int
    media_type: str
    diff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImageBase:
    """A base image for one platform, pinned; one without a digest and layers is ``scratch``.

    Attributes:
        name: As in the configuration, such as ``python:3.12-slim``, ``oci:base`` or ``scratch``.
        architecture: OCI's name, such as ``arm64``.
        variant: OCI's variant as the image has it; empty without one.
        digest: ``sha256:…`` of the platform's manifest, which is how its layers are found again; empty for ``scratch``.
        index: ``sha256:…`` of what the name stood for when it was locked: an index, or the manifest itself.
        layers: Lowest first.
        facts: What was read in them, and in the image's config.
    """

    name: str
    architecture: str
    variant: str
    digest: str
    index: str
    layers: tuple[LockedLayer, ...]
    facts: BaseFacts
