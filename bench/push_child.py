"""Pushes the one index of an OCI layout, all by itself, so that the whole process can be measured.

Prints its peak of memory in bytes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.peak import peak_bytes
from crossdock.oci.model import INDEX_TYPES, Blob, Descriptor
from crossdock.oci.reference import parse_reference
from crossdock.oci.registry import PushedBlob, Registries, push_image

if TYPE_CHECKING:
    from collections.abc import Iterator


def main(layout: Path, reference: str) -> None:
    (listed,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    root = _blob(layout, listed)
    document = json.loads(root.data)
    manifests = [_blob(layout, item) for item in document.get("manifests", [])]
    images = manifests if root.descriptor.media_type in INDEX_TYPES else [root]
    blobs = {item.descriptor.digest: item for image in images for item in _contents(layout, json.loads(image.data))}
    parsed = parse_reference(reference)
    repository = Registries().repository(parsed)
    push_image(repository, root, manifests, blobs.values(), tags=[parsed.tag])
    print(peak_bytes())


def _contents(layout: Path, manifest: dict[str, Any]) -> Iterator[PushedBlob]:
    for item in (manifest["config"], *manifest["layers"]):
        descriptor = Descriptor.from_json(item)
        yield PushedBlob(descriptor, _path(layout, descriptor))


def _blob(layout: Path, item: dict[str, Any]) -> Blob:
    descriptor = Descriptor.from_json(item)
    return Blob(descriptor, _path(layout, descriptor).read_bytes())


def _path(layout: Path, descriptor: Descriptor) -> Path:
    return layout / "blobs" / "sha256" / descriptor.sha256


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
