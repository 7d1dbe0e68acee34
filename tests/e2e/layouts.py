"""An independent reader of OCI layouts: nothing of crossdock is used to judge what crossdock wrote."""

from __future__ import annotations

import hashlib
import json
import stat
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """One platform's image in a layout, with the descriptor that the index has of it."""

    layout: Path
    descriptor: dict[str, Any]
    raw: bytes

    @property
    def digest(self) -> str:
        """The manifest's digest."""
        return str(self.descriptor["digest"])

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest, read from its bytes."""
        document: dict[str, Any] = json.loads(self.raw)
        return document

    @property
    def config(self) -> dict[str, Any]:
        """The config, read from its bytes."""
        document: dict[str, Any] = json.loads(read_blob(self.layout, self.manifest["config"]))
        return document

    @property
    def layer_digests(self) -> list[str]:
        """The layers, lowest first."""
        return [layer["digest"] for layer in self.manifest["layers"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """The image index of a layout that holds one."""

    digest: str
    raw: bytes
    images: dict[str, Image]


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """What a file of an image is, whoever unpacked it; times and owners left out."""

    kind: str
    mode: int
    content: str


def read_blob(layout: Path, descriptor: dict[str, Any]) -> bytes:
    """Read a blob, and check it against its descriptor."""
    algorithm, _, encoded = descriptor["digest"].partition(":")
    content: bytes = (layout / "blobs" / algorithm / encoded).read_bytes()
    assert hashlib.new(algorithm, content).hexdigest() == encoded
    assert len(content) == descriptor["size"]
    return content


def read_index(layout: Path) -> Index:
    """Read the one image index that ``index.json`` names; its images by OCI architecture."""
    assert json.loads((layout / "oci-layout").read_bytes()) == {"imageLayoutVersion": "1.0.0"}
    (descriptor,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    assert descriptor["mediaType"] == INDEX
    raw = read_blob(layout, descriptor)
    images = {
        inner["platform"]["architecture"]: Image(layout=layout, descriptor=inner, raw=read_blob(layout, inner))
        for inner in json.loads(raw)["manifests"]
    }
    return Index(digest=descriptor["digest"], raw=raw, images=images)


def members_of_layers(image: Image) -> dict[str, Member]:
    """List what the layers hold, one laid over the other, by path."""
    members: dict[str, Member] = {}
    for layer in image.manifest["layers"]:
        read_blob(image.layout, layer)
        algorithm, _, encoded = layer["digest"].partition(":")
        with tarfile.open(image.layout / "blobs" / algorithm / encoded, "r:gz") as archive:
            for entry in archive:
                path = entry.name.removeprefix("./").strip("/")
                assert not Path(path).name.startswith(".wh."), f"a whiteout nobody asked for: {path}"
                if path:
                    members[path] = _member_of_tar(archive, entry, members)
    return members


def _member_of_tar(archive: tarfile.TarFile, entry: tarfile.TarInfo, below: dict[str, Member]) -> Member:
    if entry.isdir():
        return Member(kind="directory", mode=entry.mode, content="")
    if entry.issym():
        return Member(kind="symlink", mode=0, content=entry.linkname)
    if entry.islnk():
        return below[entry.linkname.removeprefix("./").strip("/")]
    assert entry.isfile(), f"neither file, directory nor link: {entry.name}"
    reader = archive.extractfile(entry)
    assert reader is not None
    return Member(kind="file", mode=entry.mode, content=hashlib.sha256(reader.read()).hexdigest())


def members_of_folder(root: Path) -> dict[str, Member]:
    """List what a folder holds, by path; the folder itself left out."""
    return {path.relative_to(root).as_posix(): _member_of_path(path) for path in root.rglob("*")}


def _member_of_path(path: Path) -> Member:
    status = path.lstat()
    if stat.S_ISLNK(status.st_mode):
        return Member(kind="symlink", mode=0, content=str(path.readlink()))
    mode = stat.S_IMODE(status.st_mode)
    if stat.S_ISDIR(status.st_mode):
        return Member(kind="directory", mode=mode, content="")
    assert stat.S_ISREG(status.st_mode), f"neither file, directory nor link: {path}"
    with path.open("rb") as reader:
        return Member(kind="file", mode=mode, content=hashlib.file_digest(reader, "sha256").hexdigest())
