"""Prints the images of an OCI layout folder: platforms, layers, sizes and what the images share."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

_TITLE_WIDTH = 64


def _read(layout: Path, descriptor: dict[str, Any]) -> dict[str, Any]:
    algorithm, _, encoded = descriptor["digest"].partition(":")
    document: dict[str, Any] = json.loads((layout / "blobs" / algorithm / encoded).read_bytes())
    return document


def _manifests(layout: Path, document: dict[str, Any]) -> list[tuple[str, str, dict[str, Any], list[str]]]:
    """Find the images of an index and of indexes inside it: platform, digest, manifest, and what each layer is."""
    found = []
    for descriptor in document["manifests"]:
        inner = _read(layout, descriptor)
        if "manifests" in inner:
            found += _manifests(layout, inner)
        else:
            config = _read(layout, inner["config"])
            platform = "/".join(filter(None, (config["os"], config["architecture"], config.get("variant"))))
            history = [entry.get("created_by", "") for entry in config["history"] if not entry.get("empty_layer")]
            found.append((platform, descriptor["digest"], inner, history))
    return found


def _short(text: str) -> str:
    return text if len(text) <= _TITLE_WIDTH else text[: _TITLE_WIDTH - 1] + "…"


def main(layout: Path) -> None:
    """Print the layout, a section for each image."""
    images = _manifests(layout, json.loads((layout / "index.json").read_bytes()))
    uses: dict[str, int] = {}
    for _, _, manifest, _ in images:
        for layer in manifest["layers"]:
            uses[layer["digest"]] = uses.get(layer["digest"], 0) + 1
    for platform, digest, manifest, history in images:
        size = sum(layer["size"] for layer in manifest["layers"])
        print(f"{platform}  {digest}  {len(manifest['layers'])} layers, {size / 1e6:.1f} MB")
        for layer, title in zip(manifest["layers"], history, strict=True):
            shared = "shared" if uses[layer["digest"]] > 1 else ""
            print(f"  {layer['digest'][7:19]}  {layer['size'] / 1e6:7.2f} MB  {shared:6}  {_short(title)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
