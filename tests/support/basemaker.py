"""Small base images, made by hand with Python's own tarfile, gzip and json: as layouts and as docker archives."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = TAR + "+gzip"
DOCKER_INDEX = "application/vnd.docker.distribution.manifest.list.v2+json"
DOCKER_MANIFEST = "application/vnd.docker.distribution.manifest.v2+json"
DOCKER_CONFIG = "application/vnd.docker.container.image.v1+json"
DOCKER_LAYER = "application/vnd.docker.image.rootfs.diff.tar.gzip"

Json = dict[str, Any]


def digest_of(data: bytes) -> str:
    """Give the digest of content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def tar_of(files: dict[str, bytes]) -> bytes:
    """Make a tar archive of files."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class Layer:
    """A layer as it is uncompressed."""

    tar: bytes

    @property
    def diff_id(self) -> str:
        return digest_of(self.tar)

    @property
    def packed(self) -> bytes:
        return gzip.compress(self.tar, mtime=0)


def layer(**files: bytes) -> Layer:
    """Make a layer of files at the root."""
    return Layer(tar_of(dict(files)))


def config_of(layers: tuple[Layer, ...], architecture: str, **fields: Any) -> Json:
    """Make a config."""
    rootfs = {"type": "layers", "diff_ids": [item.diff_id for item in layers]}
    return {"architecture": architecture, "os": "linux", "rootfs": rootfs, **fields}


class LayoutMaker:
    """Writes an OCI image layout, right in all parts unless a test makes one wrong."""

    def __init__(self, path: Path, *, docker: bool = False) -> None:
        self.path = path
        self.docker = docker
        (path / "blobs" / "sha256").mkdir(parents=True)
        (path / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')

    def blob(self, data: bytes, media_type: str) -> Json:
        digest = digest_of(data)
        self.file(digest).write_bytes(data)
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def file(self, digest: str) -> Path:
        return self.path / "blobs" / "sha256" / digest.removeprefix("sha256:")

    def json(self, value: Any, media_type: str) -> Json:
        return self.blob(json.dumps(value).encode(), media_type)

    def image(self, architecture: str, *layers: Layer, platform: Json | None = None, **config: Any) -> Json:
        """Write an image; its descriptor has the platform of an index entry."""
        manifest_type, config_type, layer_type = MANIFEST, CONFIG, GZIP
        if self.docker:
            manifest_type, config_type, layer_type = DOCKER_MANIFEST, DOCKER_CONFIG, DOCKER_LAYER
        manifest = {
            "schemaVersion": 2,
            "mediaType": manifest_type,
            "config": self.json(config_of(layers, architecture, **config), config_type),
            "layers": [self.blob(item.packed, layer_type) for item in layers],
        }
        named = {"os": "linux", "architecture": architecture} if platform is None else platform
        return {**self.json(manifest, manifest_type), "platform": named}

    def index(self, *entries: Json) -> Json:
        media_type = DOCKER_INDEX if self.docker else INDEX
        return self.json({"schemaVersion": 2, "mediaType": media_type, "manifests": list(entries)}, media_type)

    def finish(self, *entries: Json) -> Path:
        (self.path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": list(entries)}))
        return self.path

    def archive(self, path: Path) -> Path:
        """Write the layout as one tar file too."""
        with tarfile.open(path, "w") as archive:
            archive.add(self.path, arcname=".")
        return path


class ArchiveMaker:
    """Writes what ``docker save`` writes, in one of the forms of its long history."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members: list[tuple[str, bytes, str]] = []
        self.listed: list[Json] = []

    def add(self, name: str, content: bytes = b"", *, link: str = "") -> str:
        self.members.append((name, content, link))
        return name

    def image(
        self,
        architecture: str,
        *layers: Layer,
        tags: list[str] | None = None,
        names: list[str] | None = None,
        **config: Any,
    ) -> None:
        """Add an image; ``names`` are files of layers that are there already."""
        data = json.dumps(config_of(layers, architecture, **config)).encode()
        if names is None:
            names = [self.add(f"{item.diff_id[7:]}.tar", item.tar) for item in layers]
        file = self.add(f"{digest_of(data)[7:]}.json", data)
        self.listed.append({"Config": file, "RepoTags": tags, "Layers": names})

    def finish(self) -> Path:
        document = json.dumps(self.listed).encode()
        with tarfile.open(self.path, "w") as archive:
            for name, content, link in (*self.members, ("manifest.json", document, "")):
                info = tarfile.TarInfo(name)
                if link:
                    info.type, info.linkname = tarfile.SYMTYPE, link
                else:
                    info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        return self.path
