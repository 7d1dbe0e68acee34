"""An image layout whose parts are changed one at a time; what names them by digest is made right again."""

from __future__ import annotations

import hashlib
import json
import os
from typing import TYPE_CHECKING, Any

from tests.support.treefiles import TreeFiles

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["MutantImage"]

_OCI = "application/vnd.oci.image"


class MutantImage:
    """A copy of an image layout, whose files are hard links to those of the first.

    Attributes:
        folder: Its folder.
    """

    def __init__(self, clean: Path, folder: Path) -> None:
        self.folder = folder
        self._clean = clean
        for path in sorted(clean.rglob("*")):
            if path.is_file():
                place = folder / path.relative_to(clean)
                place.parent.mkdir(parents=True, exist_ok=True)
                os.link(path, place)
        (entry,) = self._read(folder / "index.json")["manifests"]
        self.index: dict[str, Any] = self._json(entry)

    @property
    def unchanged(self) -> frozenset[str]:
        """The digests of the blobs that are those of the clean image."""
        found = self._clean / "blobs" / "sha256"
        there = self.folder / "blobs" / "sha256"
        return frozenset(
            f"sha256:{path.name}"
            for path in found.iterdir()
            if (there / path.name).exists() and (there / path.name).samefile(path)
        )

    def blob(self, digest: str) -> Path:
        """Give the path of a blob."""
        return self.folder / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def overwrite(self, digest: str, data: bytes) -> None:
        """Put other bytes where a blob is."""
        self.blob(digest).unlink()
        self.blob(digest).write_bytes(data)

    def entry(self, architecture: str = "amd64") -> dict[str, Any]:
        """Give the entry in the index of one platform's image; what is changed in it counts once it is written."""
        return next(item for item in self.index["manifests"] if item["platform"]["architecture"] == architecture)

    def manifest(self, architecture: str = "amd64") -> dict[str, Any]:
        """Give an image's manifest."""
        return self._json(self.entry(architecture))

    def config(self, architecture: str = "amd64") -> dict[str, Any]:
        """Give an image's config."""
        return self._json(self.manifest(architecture)["config"])

    def only(self, architecture: str) -> None:
        """Leave one platform in the index."""
        self.index["manifests"] = [self.entry(architecture)]
        self.write_index()

    def write_index(self, *, top: Callable[[dict[str, Any]], object] | None = None) -> None:
        """Write the index, and what names it."""
        descriptor = self.put(json.dumps(self.index).encode(), f"{_OCI}.index.v1+json")
        layout = {"schemaVersion": 2, "manifests": [descriptor]}
        if top:
            top(layout)
        place = self.folder / "index.json"
        place.unlink()
        place.write_text(json.dumps(layout))

    def put(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Add a blob; gives its descriptor."""
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if not self.blob(digest).exists():
            self.blob(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def put_manifest(self, manifest: object, architecture: str = "amd64") -> None:
        """Give a platform another manifest."""
        self._replace(self.entry(architecture), self.put(json.dumps(manifest).encode(), f"{_OCI}.manifest.v1+json"))
        self.write_index()

    def put_config(self, config: object, architecture: str = "amd64") -> None:
        """Give a platform's image another config."""
        manifest = self.manifest(architecture)
        self._replace(manifest["config"], self.put(json.dumps(config).encode(), f"{_OCI}.config.v1+json"))
        self.put_manifest(manifest, architecture)

    def edit_config(self, change: Callable[[dict[str, Any]], object], architecture: str = "amd64") -> None:
        """Change an image's config."""
        config = self.config(architecture)
        change(config)
        self.put_config(config, architecture)

    def edit_manifest(self, change: Callable[[dict[str, Any]], object], architecture: str = "amd64") -> None:
        """Change an image's manifest."""
        manifest = self.manifest(architecture)
        change(manifest)
        self.put_manifest(manifest, architecture)

    def layer_of(self, kind: str, architecture: str = "amd64") -> int:
        """Give the number of the layer that the config's history says was made of something."""
        lines = [item["created_by"] for item in self.config(architecture)["history"]]
        (found,) = (number for number, line in enumerate(lines) if kind in line)
        return found

    def put_layer(self, number: int, data: bytes, diff_id: str, architecture: str = "amd64") -> None:
        """Give an image another layer."""
        config, manifest = self.config(architecture), self.manifest(architecture)
        config["rootfs"]["diff_ids"][number] = diff_id
        manifest["layers"][number] = self.put(data, f"{_OCI}.layer.v1.tar+gzip")
        manifest["config"] = self.put(json.dumps(config).encode(), f"{_OCI}.config.v1+json")
        self.put_manifest(manifest, architecture)

    def edit_layer(self, kind: str, change: Callable[[TreeFiles], object], architecture: str = "amd64") -> None:
        """Change the files of a layer."""
        number = self.layer_of(kind, architecture)
        files = TreeFiles.of_tar(self.blob(self.manifest(architecture)["layers"][number]["digest"]))
        change(files)
        self.put_layer(number, *files.to_layer(), architecture)

    def _json(self, descriptor: dict[str, Any]) -> dict[str, Any]:
        return self._read(self.blob(descriptor["digest"]))

    def _read(self, path: Path) -> dict[str, Any]:
        value: dict[str, Any] = json.loads(path.read_bytes())
        return value

    def _replace(self, old: dict[str, Any], new: dict[str, Any]) -> None:
        old.update({"digest": new["digest"], "size": new["size"]})
