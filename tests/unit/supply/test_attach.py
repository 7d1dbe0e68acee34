"""Artifacts that refer to an image, as the OCI image specification 1.1 has them."""

from __future__ import annotations

import hashlib
import json

from crossdock.oci.model import INDEX, MANIFEST, Descriptor
from crossdock.supply.attach import artifact_manifest
from crossdock.supply.spdx import SPDX

SUBJECT = Descriptor(
    media_type=INDEX, digest="sha256:" + "1" * 64, size=7, annotations={"a": "b"}, platform={"os": "linux"}
)


def test_an_artifact_is_a_manifest_with_a_subject_and_an_empty_config() -> None:
    made = artifact_manifest(SUBJECT, SPDX, b"{}\n", annotations={"org.opencontainers.image.created": "x"})
    assert json.loads(made.manifest.data) == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": SPDX,
        "config": {
            "mediaType": "application/vnd.oci.empty.v1+json",
            # As printed in the specification.
            "digest": "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            "size": 2,
        },
        "layers": [
            {"mediaType": SPDX, "digest": f"sha256:{hashlib.sha256(b'{}' + bytes([10])).hexdigest()}", "size": 3}
        ],
        "subject": {"mediaType": INDEX, "digest": SUBJECT.digest, "size": 7},
        "annotations": {"org.opencontainers.image.created": "x"},
    }
    assert made.config.data == b"{}"
    assert made.payload.data == b"{}\n"
    assert [blob.descriptor.digest for blob in made.blobs] == [
        f"sha256:{hashlib.sha256(blob.data).hexdigest()}" for blob in made.blobs
    ]


def test_its_descriptor_says_what_a_list_of_referrers_has_to() -> None:
    made = artifact_manifest(SUBJECT, SPDX, b"{}", "application/json", {"k": "v"})
    descriptor = made.manifest.descriptor
    assert (descriptor.media_type, descriptor.artifact_type, descriptor.annotations) == (MANIFEST, SPDX, {"k": "v"})
    assert descriptor.size == len(made.manifest.data)
    assert made.payload.descriptor.media_type == "application/json"
