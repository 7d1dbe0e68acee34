"""Makes the mistake that a test of cross-compilation is for: an image whose layers are another machine's."""

from __future__ import annotations

import hashlib
import json
import shutil
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["mix"]


def mix(layout: Path, mixed: Path, *, wrong: str = "arm64", source: str = "amd64") -> Path:
    """Copy a layout, and give one image the packages of another: right in all but its contents.

    Digests, sizes, diff_ids and platforms are as they should be; the base stays that of the platform.

    Args:
        layout: Holds an index of images with a base layer and as many more.
        mixed: Where the copy goes.
        wrong: Architecture of the image that is changed.
        source: Architecture of the image its layers come from.
    """
    shutil.copytree(layout, mixed)
    top = json.loads((mixed / "index.json").read_bytes())
    index = _read(mixed, top["manifests"][0])
    entries = {entry["platform"]["architecture"]: entry for entry in index["manifests"]}
    manifests = {name: _read(mixed, entry) for name, entry in entries.items()}
    configs = {name: _read(mixed, manifest["config"]) for name, manifest in manifests.items()}
    manifest, config = manifests[wrong], configs[wrong]
    assert len(manifest["layers"]) == len(manifests[source]["layers"]) > 1
    manifest["layers"][1:] = manifests[source]["layers"][1:]
    config["rootfs"]["diff_ids"][1:] = configs[source]["rootfs"]["diff_ids"][1:]
    manifest["config"] |= _write(mixed, config)
    entries[wrong] |= _write(mixed, manifest)
    top["manifests"][0] |= _write(mixed, index)
    (mixed / "index.json").write_text(json.dumps(top))
    return mixed


def _read(layout: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(_blob(layout, descriptor["digest"]).read_bytes())
    return document


def _write(layout: Path, document: dict[str, Any]) -> dict[str, Any]:
    data = json.dumps(document).encode()
    digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    _blob(layout, digest).write_bytes(data)
    return {"digest": digest, "size": len(data)}


def _blob(layout: Path, digest: str) -> Path:
    return layout / "blobs" / "sha256" / digest.removeprefix("sha256:")
