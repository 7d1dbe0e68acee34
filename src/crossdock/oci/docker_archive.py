"""Images of an archive as ``docker save`` and ``podman save`` write it (Docker image specification 1.2, "save").

Such an archive has no manifests and mostly no compressed layers: ``manifest.json`` names a config and tar files for
each image. Here each image gets the manifest that says the same, always in the same bytes, so that it has a digest.
"""

from __future__ import annotations

import hashlib
import re
import tarfile
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, BinaryIO

from crossdock.errors import BaseImageError, CrossdockError
from crossdock.oci.checked import CheckedStream
from crossdock.oci.content import MANIFEST_LIMIT
from crossdock.oci.model import (
    CONFIG,
    INDEX,
    LAYER_GZIP,
    LAYER_TAR,
    LAYER_ZSTD,
    MANIFEST,
    Blob,
    Descriptor,
    canonical_json,
    is_digest,
    json_blob,
)
from crossdock.oci.tarfiles import TarFiles

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from crossdock.oci.content import Stream

__all__ = ["DockerArchiveSource", "SavedImage"]

_MOST_IMAGES = 100
_MOST_LAYERS = 1000
_LONGEST = 1024
#: How docker names blobs since it writes an OCI layout beside manifest.json.
_BLOB = re.compile(r"blobs/sha256/([0-9a-f]{64})")
_MAGICS = ((b"\x1f\x8b", LAYER_GZIP), (b"\x28\xb5\x2f\xfd", LAYER_ZSTD))
_HINT = "write it again with `docker save` or `podman save --format docker-archive`"
_AGAIN = "name one, as in docker-archive:PATH:NAME:TAG"


@dataclass(frozen=True, slots=True)
class _Listed:
    """An image as manifest.json has it: names of files in the archive."""

    config: str
    tags: tuple[str, ...]
    layers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SavedImage:
    """An image of the archive.

    Attributes:
        manifest: The manifest made for it.
        config: Its config.
        files: In which file of the archive each layer is, by digest.
    """

    manifest: Blob
    config: Blob
    files: Mapping[str, str]


class DockerArchiveSource:
    """A docker archive, opened when it is first asked for something.

    Args:
        path: The uncompressed tar file.
        name: What to call it in messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._lock = threading.RLock()
        self._known: dict[_Listed, SavedImage] = {}

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self._name

    def manifest(self, version: str = "") -> Blob:
        """Give the manifest made for an image: see `ImageSource`.

        Without a version it is the archive's only image, or an index of several for different platforms.

        Args:
            version: A tag (``1.0``), a whole name with its tag (``team/app:1.0``), or a digest.

        Raises:
            BaseImageError: There is none, several of which one must be named, or the archive cannot be read.
        """
        if is_digest(version):
            for image in self._images(self._listed):
                if image.manifest.descriptor.digest == version:
                    return image.manifest
            index = self._index(self._listed)
            if index is None or index.descriptor.digest != version:
                raise self._missing(version)
            return index
        listed = [item for item in self._listed if not version or _is_named(item, version)]
        if version and not listed:
            raise self._missing(version)
        images = {image.manifest.descriptor.digest: image.manifest for image in self._images(listed)}
        if len(images) == 1:
            return next(iter(images.values()))
        index = self._index(listed)
        if index is None:
            what = f"{self._name} holds {'several images' if images else 'no image'}"
            raise BaseImageError(what, why=self._tags(), hint=_AGAIN)
        return index

    def _index(self, listed: list[_Listed]) -> Blob | None:
        """Make an index of several images for different platforms; None if they are something else."""
        entries = [image.manifest.descriptor.to_json() for image in self._images(listed)]
        platforms = {canonical_json(entry.get("platform")) for entry in entries}
        if not entries or len(platforms) < len(entries):
            return None
        return json_blob(INDEX, {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries})

    def small_blob(self, descriptor: Descriptor) -> bytes:
        """Give a config: see `ImageSource`."""
        for image in self._images(self._listed):
            if image.config.descriptor.digest == descriptor.digest:
                return image.config.data
        if descriptor.size > MANIFEST_LIMIT:
            raise self._bad(descriptor.digest, f"it has {descriptor.size:,} bytes; at most {MANIFEST_LIMIT:,} are read")
        with self.open_blob(descriptor) as stream:
            return b"".join(iter(lambda: stream.read(MANIFEST_LIMIT), b""))

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Iterator[Stream]:
        """Open a layer for reading: see `ImageSource`."""
        places = (image.files.get(descriptor.digest) for image in self._images(self._listed))
        file = next((place for place in places if place is not None), None)
        if file is None:
            raise self._bad(descriptor.digest, "it is not there")
        with self._open(file) as stream:
            yield CheckedStream(stream, descriptor, lambda why: self._bad(f"{descriptor.digest} ({file[:200]})", why))

    def images(self) -> list[SavedImage]:
        """Give all images, in the archive's order.

        Raises:
            BaseImageError: The archive cannot be read.
        """
        return list(self._images(self._listed))

    def file_size(self, file: str) -> int | None:
        """Give the bytes of a file of the archive; None if there is no such file."""
        return self._files.size(file)

    def open_file(self, file: str) -> BinaryIO:
        """Open a file of the archive; nothing of it is checked.

        Raises:
            BaseImageError: The archive cannot be read.
        """
        return self._open(file)

    @cached_property
    def _files(self) -> TarFiles:
        try:
            return TarFiles(self._path, links=True)
        except FileNotFoundError:
            raise BaseImageError(f"there is no {self._path}", hint="correct the path after docker-archive:") from None
        except (tarfile.TarError, OSError) as error:
            raise BaseImageError(
                f"{self._path} is not an archive that docker or podman saved",
                why=str(error),
                hint=f"{_HINT}; a compressed one must be unpacked first",
            ) from None

    @cached_property
    def _listed(self) -> list[_Listed]:
        document = self._json("manifest.json")
        if not isinstance(document, list) or len(document) > _MOST_IMAGES:
            raise self._bad("manifest.json", f"it is not a list of at most {_MOST_IMAGES} images")
        return [self._read_listed(item) for item in document]

    def _read_listed(self, item: Any) -> _Listed:  # noqa: ANN401
        fields = _object(item)
        config, layers, tags = fields.get("Config"), fields.get("Layers"), fields.get("RepoTags") or []
        if not isinstance(layers, list) or not isinstance(tags, list):
            raise self._bad("manifest.json", "an image has no list of Layers, or RepoTags that are no list")
        texts = [config, *layers, *tags]
        if not all(isinstance(text, str) and len(text) <= _LONGEST for text in texts):
            raise self._bad("manifest.json", "an image has no Config, or names something by no text")
        if len(texts) > _MOST_LAYERS:
            raise self._bad("manifest.json", f"an image has more than {_MOST_LAYERS} layers")
        return _Listed(str(config), tuple(map(str, tags)), tuple(map(str, layers)))

    def _images(self, listed: list[_Listed]) -> Iterator[SavedImage]:
        for item in listed:
            with self._lock:
                if item not in self._known:
                    self._known[item] = self._read_image(item)
            yield self._known[item]

    def _read_image(self, listed: _Listed) -> SavedImage:
        data = self._small(listed.config)
        config = _object(self._parse(data, listed.config))
        diff_ids = _object(config.get("rootfs")).get("diff_ids", [])
        if not isinstance(diff_ids, list) or not all(isinstance(item, str) and is_digest(item) for item in diff_ids):
            raise self._bad(listed.config, "its rootfs has no list of diff_ids")
        if len(diff_ids) != len(listed.layers):
            why = f"it has {len(diff_ids)} diff_ids, and manifest.json has {len(listed.layers)} layers"
            raise self._bad(listed.config, why)
        layers = [self._layer(file, diff_id) for file, diff_id in zip(listed.layers, diff_ids, strict=True)]
        keys = ("architecture", "os", "variant")
        platform = {key: config[key] for key in keys if _is_plain(config.get(key))}
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
        own = Blob(Descriptor(media_type=CONFIG, digest=digest, size=len(data)), data)
        manifest = json_blob(
            MANIFEST,
            {
                "schemaVersion": 2,
                "mediaType": MANIFEST,
                "config": own.descriptor.to_json(),
                "layers": [layer.to_json() for layer in layers],
            },
            platform=platform,
        )
        files = {layer.digest: file for layer, file in zip(layers, listed.layers, strict=True)}
        return SavedImage(manifest, own, files)

    def _layer(self, file: str, diff_id: str) -> Descriptor:
        """Describe a layer: a plain tar's digest is its diff_id, which whoever reads it sees checked."""
        size = self._files.size(file)
        if size is None:
            raise self._bad(file, "manifest.json names it, and it is not there")
        with self._open(file) as stream:
            head = stream.read(4)
            media_type = next((kind for magic, kind in _MAGICS if head.startswith(magic)), LAYER_TAR)
            if media_type == LAYER_TAR:
                return Descriptor(media_type=LAYER_TAR, digest=diff_id, size=size)
            if named := _BLOB.fullmatch(self._files.resolve(file) or ""):
                return Descriptor(media_type=media_type, digest=f"sha256:{named[1]}", size=size)
            digest = hashlib.sha256(head)
            for piece in iter(lambda: stream.read(1 << 20), b""):
                digest.update(piece)
        return Descriptor(media_type=media_type, digest=f"sha256:{digest.hexdigest()}", size=size)

    def _small(self, file: str) -> bytes:
        size = self._files.size(file)
        if size is None:
            raise self._bad(file, "it is not there")
        if self._files.repeated & {file, self._files.resolve(file)}:
            raise self._bad(file, "it is there twice")
        if size > MANIFEST_LIMIT:
            raise self._bad(file, f"it has {size:,} bytes; at most {MANIFEST_LIMIT:,} are read")
        with self._open(file) as stream:
            return stream.read(size)

    def _json(self, file: str) -> Any:  # noqa: ANN401
        return self._parse(self._small(file), file)

    def _parse(self, data: bytes, file: str) -> Any:  # noqa: ANN401
        import json

        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self._bad(file, f"it is not JSON: {error}") from None

    def _open(self, file: str) -> BinaryIO:
        try:
            return self._files.open(file)
        except OSError as error:
            raise self._bad(file, error.strerror or str(error)) from None

    def _missing(self, version: str) -> BaseImageError:
        return BaseImageError(f"{self._name} holds no image {version[:200]!r}", why=self._tags(), hint=_AGAIN)

    def _tags(self) -> str:
        tags = sorted({tag[:200] for item in self._listed for tag in item.tags})
        return f"its images are {', '.join(tags)}" if tags else "its images have no names"

    def _bad(self, what: str, why: str) -> CrossdockError:
        return BaseImageError(f"{what[:300]} of {self._name} cannot be read", why=why, hint=_HINT)


def _is_named(listed: _Listed, version: str) -> bool:
    """Say whether an image has that tag or name; podman writes names with their registry, users leave it out."""
    for tag in listed.tags:
        if version in {tag, tag.rpartition("/")[2].rpartition(":")[2]} or tag.endswith(f"/{version}"):
            return True
    return False


def _object(value: Any) -> dict[str, Any]:  # noqa: ANN401
    return value if isinstance(value, dict) else {}


def _is_plain(value: object) -> bool:
    return isinstance(value, str) and bool(value) and value.isascii()
