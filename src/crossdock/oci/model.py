"""The values that OCI images are made of (OCI image-spec 1.1: descriptor, manifest, index, config)."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONFIG", "INDEX", "LAYER_GZIP", "MANIFEST", "Blob", "Descriptor", "canonical_json", "json_blob"]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A reference to content, by its digest.

    Attributes:
        media_type: What the content is.
        digest: ``sha256:`` and 64 hexadecimal digits.
        size: Bytes.
        annotations: By key; left out of the JSON when empty.
        platform: The platform object of an index entry.
    """

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] | None = None

    def to_json(self) -> dict[str, Any]:
        """Give the object as the specification spells it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            value["platform"] = dict(self.platform)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        return value


@dataclass(frozen=True, slots=True)
class Blob:
    """Content small enough to be held, with its descriptor."""

    descriptor: Descriptor
    data: bytes


def canonical_json(value: object) -> bytes:
    """Write JSON in one way only: keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def json_blob(
    media_type: str,
    value: object,
    *,
    annotations: Mapping[str, str] | None = None,
    platform: Mapping[str, str] | None = None,
) -> Blob:
    """Make a blob of a JSON value; annotations and platform go on its descriptor."""
    data = canonical_json(value)
    descriptor = Descriptor(
        media_type=media_type,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        size=len(data),
        annotations=annotations or {},
        platform=platform,
    )
    return Blob(descriptor, data)
