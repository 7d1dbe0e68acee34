"""Artifacts that refer to an image: manifests with a ``subject`` (OCI image-spec 1.1, "Guidelines for Artifact Usage").

They are found by the image's digest and are no part of it: an index never lists them, so no engine takes one for an
image, and an image's digest does not depend on what is said of it.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.oci.model import EMPTY, MANIFEST, Blob, Descriptor, json_blob

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Artifact", "artifact_manifest"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """An artifact, ready to be attached.

    Attributes:
        manifest: Its manifest; the descriptor has its kind and annotations, as lists of referrers need them.
        config: The empty config.
        payload: What it carries.
    """

    manifest: Blob
    config: Blob
    payload: Blob

    @property
    def blobs(self) -> tuple[Blob, Blob]:
        """What has to be there before the manifest."""
        return self.config, self.payload


def artifact_manifest(
    subject: Descriptor,
    artifact_type: str,
    payload: bytes,
    media_type: str = "",
    annotations: Mapping[str, str] | None = None,
) -> Artifact:
    """Make an artifact that refers to a manifest or index.

    Args:
        subject: What it is about.
        artifact_type: Its kind, a media type.
        payload: What it carries.
        media_type: The payload's; the artifact's kind by default.
        annotations: Of the artifact.
    """
    config = json_blob(EMPTY, {})
    content = Blob(
        Descriptor(
            media_type=media_type or artifact_type,
            digest=f"sha256:{hashlib.sha256(payload).hexdigest()}",
            size=len(payload),
        ),
        payload,
    )
    # Platform and annotations of the subject are its index's business.
    plain = Descriptor(media_type=subject.media_type, digest=subject.digest, size=subject.size)
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": config.descriptor.to_json(),
        "layers": [content.descriptor.to_json()],
        "subject": plain.to_json(),
    }
    if annotations:
        value["annotations"] = dict(annotations)
    manifest = json_blob(MANIFEST, value, annotations=annotations, artifact_type=artifact_type)
    return Artifact(manifest=manifest, config=config, payload=content)
