"""Base images of other projects' making: Debian's files unpacked by mmdebstrap, written as an OCI layout by hand.

Nothing of crossdock is used, so that what it reads is not what it wrote.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import shutil
import tarfile
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.engines import require, run_tool

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["INDEX", "LayoutWriter", "Root", "debian_root", "file_layer"]

INDEX = "application/vnd.oci.image.index.v1+json"
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """Files of a base for one architecture.

    Attributes:
        architecture: OCI's name, which is Debian's as well.
        layers: Uncompressed tars, lowest first.
    """

    architecture: str
    layers: tuple[bytes, ...]


def debian_root(architecture: str, *packages: str, suite: str = "bookworm") -> Root:
    """Unpack Debian packages and all they need; none of their scripts is run, so any architecture will do."""
    require("mmdebstrap")
    options = [f"--arch={architecture}", "--variant=extract", f"--include={','.join(('base-files', *packages))}"]
    options += ["--hook-dir=/usr/share/mmdebstrap/hooks/merged-usr", "--format=tar"]
    options += [f"--dpkgopt=path-exclude={path}" for path in ("/usr/share/doc/*", "/usr/share/locale/*")]
    return Root(
        architecture=architecture,
        layers=(_without_devices(run_tool(["mmdebstrap", "--quiet", *options, suite, "-"])),),
    )


def _without_devices(tar: bytes) -> bytes:
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(tar)) as source,
        tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as kept,
    ):
        for entry in source:
            if not entry.isdev():
                kept.addfile(entry, source.extractfile(entry) if entry.isfile() else None)
    return out.getvalue()


def file_layer(files: Mapping[str, bytes], *, mode: int = 0o644) -> bytes:
    """Make a layer of some files; those that end in ``/`` are folders."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name.rstrip("/"))
            entry.mode = 0o755 if name.endswith("/") else mode
            entry.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


@dataclass(frozen=True, slots=True)
class LayoutWriter:
    """Writes an OCI layout blob by blob; descriptors are plain objects, so that a test can make wrong ones.

    Attributes:
        folder: The layout; made at the first blob.
        tagged: What ``index.json`` lists.
    """

    folder: Path
    tagged: list[dict[str, Any]] = field(default_factory=list)

    def blob(self, media_type: str, content: bytes | dict[str, Any]) -> dict[str, Any]:
        """Write a blob and give its descriptor."""
        data = json.dumps(content).encode() if isinstance(content, dict) else content
        encoded = hashlib.sha256(data).hexdigest()
        path = self.folder / "blobs" / "sha256" / encoded
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{encoded}", "size": len(data)}

    def image(self, root: Root, **settings: Any) -> dict[str, Any]:
        """Write an image and give its descriptor, with the platform.

        Args:
            root: Its files.
            settings: Members of the config's ``config``, such as ``Env``.
        """
        config = self.blob(
            _CONFIG,
            {
                "architecture": root.architecture,
                "os": "linux",
                "config": settings,
                "rootfs": {
                    "type": "layers",
                    "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}" for tar in root.layers],
                },
            },
        )
        layers = [self.blob(_LAYER, gzip.compress(tar, compresslevel=1, mtime=0)) for tar in root.layers]
        manifest = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": config, "layers": layers}
        platform = {"os": "linux", "architecture": root.architecture}
        return {**self.blob(_MANIFEST, manifest), "platform": platform}

    def attestation(self, image: dict[str, Any]) -> dict[str, Any]:
        """Write what BuildKit puts beside an image in its index, and give its descriptor."""
        statement = {"_type": "https://in-toto.io/Statement/v0.1", "predicateType": "https://slsa.dev/provenance/v0.2"}
        layer = self.blob("application/vnd.in-toto+json", statement)
        diff_ids = [layer["digest"]]
        config = {"architecture": "unknown", "os": "unknown", "rootfs": {"type": "layers", "diff_ids": diff_ids}}
        content = {"schemaVersion": 2, "mediaType": _MANIFEST, "config": self.blob(_CONFIG, config), "layers": [layer]}
        notes = {
            "vnd.docker.reference.digest": image["digest"],
            "vnd.docker.reference.type": "attestation-manifest",
        }
        platform = {"os": "unknown", "architecture": "unknown"}
        return {**self.blob(_MANIFEST, content), "platform": platform, "annotations": notes}

    def index(self, entries: Iterable[dict[str, Any]]) -> dict[str, Any]:
        """Write an index and give its descriptor."""
        return self.blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)})

    def tag(self, descriptor: dict[str, Any], name: str) -> str:
        """Give an image or index a name in the layout; what skopeo and crossdock call it is returned."""
        self.tagged.append({**descriptor, "annotations": {"org.opencontainers.image.ref.name": name}})
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.tagged}
        (self.folder / "index.json").write_text(json.dumps(index))
        (self.folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
        return f"oci:{self.folder}:{name}"

    def forget(self, descriptors: Sequence[dict[str, Any]]) -> None:
        """Take blobs away again."""
        for descriptor in descriptors:
            (self.folder / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).unlink()

    def copy(self, folder: Path) -> LayoutWriter:
        """Go on in another folder with all that is there."""
        shutil.copytree(self.folder, folder)
        return LayoutWriter(folder, list(self.tagged))
