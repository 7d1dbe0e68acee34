"""A small image of two platforms, or a large one, to be pushed to registries."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.oci.model import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Blob, Descriptor, json_blob
from crossdock.oci.registry import PushedBlob

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["SampleImage", "layer_file", "sample_image"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleImage:
    """An image.

    Attributes:
        index: Its index.
        manifests: One for each platform.
        blobs: Their configs, and layers; the first layer belongs to all platforms.
    """

    index: Blob
    manifests: list[Blob]
    blobs: list[PushedBlob]

    @property
    def layer(self) -> Descriptor:
        """The layer that all platforms share."""
        return self.blobs[0].descriptor


def layer_file(folder: Path, size: int, *, seed: int = 1) -> tuple[Descriptor, Path]:
    """Write a file of random bytes, the same every time, as if it were a layer."""
    path = folder / f"layer-{size}-{seed}"
    data = random.Random(seed).randbytes(size)
    path.write_bytes(data)
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    return Descriptor(media_type=LAYER_GZIP, digest=digest, size=size), path


def sample_image(folder: Path, *, size: int = 3 << 20, seed: int = 1) -> SampleImage:
    """Make an image whose shared layer has a size in bytes."""
    shared, path = layer_file(folder, size, seed=seed)
    blobs, manifests = [PushedBlob(shared, path)], []
    for number, architecture in enumerate(("amd64", "arm64")):
        own, own_path = layer_file(folder, 1000 + number, seed=seed)
        config = json_blob(CONFIG, {"architecture": architecture, "os": "linux", "seed": seed})
        layers = [shared.to_json(), own.to_json()]
        value = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor.to_json(),
            "layers": layers,
        }
        manifests.append(json_blob(MANIFEST, value, platform={"os": "linux", "architecture": architecture}))
        blobs += [PushedBlob(own, own_path), PushedBlob(config.descriptor, config.data)]
    entries = [manifest.descriptor.to_json() for manifest in manifests]
    index = json_blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})
    return SampleImage(index=index, manifests=manifests, blobs=blobs)
