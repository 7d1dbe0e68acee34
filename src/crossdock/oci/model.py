"""The values that OCI images are made of (OCI image-spec 1.1: descriptor, manifest, index, config)."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "CONFIG",
    "DOCKER_CONFIG",
    "DOCKER_INDEX",
    "DOCKER_LAYER_GZIP",
    "DOCKER_MANIFEST",
    "EMPTY",
    "INDEX",
    "INDEX_TYPES",
    "LAYER_GZIP",
    "LAYER_TAR",
    "LAYER_ZSTD",
    "MANIFEST",
    "MANIFEST_TYPES",
    "Blob",
    "Descriptor",
    "canonical_json",
    "is_digest",
    "json_blob",
]

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER_TAR = "application/vnd.oci.image.layer.v1.tar"
LAYER_GZIP = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYER_ZSTD = "application/vnd.oci.image.layer.v1.tar+zstd"
#: The content ``{}`` of artifacts that have no config (OCI image-spec, "Guidance for an Empty Descriptor").
EMPTY = "application/vnd.oci.empty.v1+json"

# Docker image manifest version 2, schema 2.
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER_GZIP = "application/vnd.docker.image.rootfs.diff.tar.gzip"

INDEX_TYPES = frozenset({INDEX, DOCKER_INDEX})
MANIFEST_TYPES = frozenset({MANIFEST, DOCKER_MANIFEST})

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Descriptor:
    """A reference to content, by its digest.

    Attributes:
        media_type: What the content is.
        digest: ``sha256:`` and 64 hexadecimal digits.
        size: Bytes.
        annotations: By key; left out of the JSON when empty.
        platform: The platform object of an index entry.
        artifact_type: Kind of the artifact that a manifest is; empty for images.
    """

    media_type: str
    digest: str
    size: int
    annotations: Mapping[str, str] = field(default_factory=dict)
    platform: Mapping[str, str] | None = None
    artifact_type: str = ""

    @property
    def sha256(self) -> str:
        """The digest's 64 hexadecimal digits."""
        return self.digest.removeprefix("sha256:")

    def to_json(self) -> dict[str, Any]:
        """Give the object as the specification spells it."""
        value: dict[str, Any] = {"mediaType": self.media_type, "digest": self.digest, "size": self.size}
        if self.platform:
            value["platform"] = dict(self.platform)
        if self.annotations:
            value["annotations"] = dict(self.annotations)
        if self.artifact_type:
            value["artifactType"] = self.artifact_type
        return value

    @classmethod
    def from_json(cls, value: object) -> Descriptor:
        """Read the object that somebody else wrote; what is not understood is left out.

        Raises:
            ValueError: It is no descriptor of content with a SHA-256 digest.
        """
        if not isinstance(value, dict):
            raise ValueError("a descriptor is no object")  # noqa: TRY004  one error for all that is malformed
        media_type, digest, size = (value.get(key) for key in ("mediaType", "digest", "size"))
        if not isinstance(media_type, str) or not isinstance(digest, str) or not is_digest(digest):
            raise ValueError(f"a descriptor has no media type, or no sha256 digest: {str(digest)[:100]!r}")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError(f"the descriptor of {digest} has no size")
        platform = value.get("platform")
        kind = value.get("artifactType")
        return cls(
            media_type=media_type,
            digest=digest,
            size=size,
            annotations=_texts(value.get("annotations")),
            platform=_texts(platform) if isinstance(platform, dict) else None,
            artifact_type=kind if isinstance(kind, str) else "",
        )


@dataclass(frozen=True, slots=True)
class Blob:
    """Content small enough to be held, with its descriptor."""

    descriptor: Descriptor
    data: bytes


def is_digest(text: str) -> bool:
    """Say whether a text is a SHA-256 digest (OCI image-spec, "Digests")."""
    return _DIGEST.fullmatch(text) is not None


def canonical_json(value: object) -> bytes:
    """Write JSON in one way only: keys sorted, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def json_blob(
    media_type: str,
    value: object,
    *,
    annotations: Mapping[str, str] | None = None,
    platform: Mapping[str, str] | None = None,
    artifact_type: str = "",
) -> Blob:
    """Make a blob of a JSON value; what else is given goes on its descriptor."""
    data = canonical_json(value)
    descriptor = Descriptor(
        media_type=media_type,
        digest=f"sha256:{hashlib.sha256(data).hexdigest()}",
        size=len(data),
        annotations=annotations or {},
        platform=platform,
        artifact_type=artifact_type,
    )
    return Blob(descriptor, data)


def _texts(value: object) -> dict[str, str]:
    items = value.items() if isinstance(value, dict) else ()
    return {key: item for key, item in items if isinstance(key, str) and isinstance(item, str)}
