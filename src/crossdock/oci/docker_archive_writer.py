"""Writing an image as ``docker save`` does: one tar file that every engine loads (Docker image specification 1.2)."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, TYPE_CHECKING

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError
from crossdock.layers import tar
from crossdock.oci.model import DOCKER_LAYER_GZIP, LAYER_GZIP, LAYER_TAR, LAYER_ZSTD, canonical_json
from crossdock.oci.profile import DOCKER_LAYER_TAR
from crossdock.store.files import damaged, digest_of, reported, whole_file

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crossdock.oci.image import Image, Layer
    from crossdock.oci.reference import Reference

__all__ = ["write_docker_archive"]

_CHUNK = 256 * 1024


def write_docker_archive(
    path: Path,
    image: Image,
    reference: Reference,
    blobs: Mapping[str, bytes | Path],
    *,
    option: str = "--docker-archive",
) -> None:
    """Write one image as a tar file, which appears whole or not at all.

    Layers are unpacked on their way, as engines compare these files with the config's diff_ids. The same image gives
    the same bytes, whatever its layers were compressed with.

    Args:
        path: The file.
        image: For one platform; see `crossdock.oci.image.one_image`.
        reference: The name it gets when loaded; none without a tag, which engines want.
        blobs: Its layers by digest.
        option: Which option names the file.

    Raises:
        OutputError: It cannot be written.
        DamagedLayerError: A file does not have the digest it is said to have.
        LayerUnreadableError: A layer does not unpack to what the config says.
        LayerUnsupportedError: A layer is compressed in a way that cannot be read here.
    """
    config = f"{image.config.descriptor.sha256}.json"
    manifest = {
        "Config": config,
        "RepoTags": [f"{reference.name}:{reference.tag}"] if reference.tag else [],
        "Layers": [_name(layer) for layer in image.layers],
    }
    with reported(path, option=option), whole_file(path) as out:
        _small(out, "manifest.json", canonical_json([manifest]))
        _small(out, config, image.config.data)
        # One tar may be a layer twice.
        for layer in {layer.diff_id: layer for layer in image.layers}.values():
            _layer(out, layer, blobs[layer.descriptor.digest])
        out.write(bytes(tar.END))


def _name(layer: Layer) -> str:
    return f"{layer.diff_id}.tar"


def _small(out: IO[bytes], name: str, data: bytes) -> None:
    out.write(b"".join(tar.headers(name, size=len(data))) + data + bytes(tar.padding(len(data))))


def _layer(out: IO[bytes], layer: Layer, content: bytes | Path) -> None:
    """Write a layer's tar; its size is known when it was written, and goes into the header before it then."""
    start, guess = out.tell(), 0
    while True:
        header = b"".join(tar.headers(_name(layer), size=guess))
        out.write(header)
        size = _unpack(out, layer, content)
        final = b"".join(tar.headers(_name(layer), size=size))
        out.seek(start)
        if len(final) == len(header):
            break
        guess = size  # past 8 GiB a header is longer: once more, with room for it
    out.write(final)
    out.seek(size, 1)
    out.write(bytes(tar.padding(size)))


def _unpack(out: IO[bytes], layer: Layer, content: bytes | Path) -> int:
    blob, raw, size = hashlib.sha256(), hashlib.sha256(), 0
    digest = layer.descriptor.digest
    try:
        for piece in _unpacked(_hashed(content, blob), layer.media_type):
            raw.update(piece)
            size += out.write(piece)
    except LayerUnreadableError:
        # A file of the cache that was changed there is a matter of the cache.
        if isinstance(content, Path):
            found = digest_of(content)
            if found != digest:
                raise damaged(digest, content, found) from None
        raise
    if isinstance(content, Path) and blob.hexdigest() != layer.digest:
        raise damaged(digest, content, f"sha256:{blob.hexdigest()}")
    if raw.hexdigest() != layer.diff_id:
        raise LayerUnreadableError(
            f"the layer {digest} does not unpack to what the image's config says",
            why=f"its diff_id is sha256:{raw.hexdigest()} instead of sha256:{layer.diff_id}",
            hint="if it is of the base image, that image is broken: take another",
        )
    return size


def _hashed(content: bytes | Path, read: hashlib._Hash) -> Iterator[bytes]:
    if isinstance(content, bytes):
        read.update(content)
        yield content
        return
    with content.open("rb") as file:
        while piece := file.read(_CHUNK):
            read.update(piece)
            yield piece


def _unpacked(chunks: Iterable[bytes], media_type: str) -> Iterable[bytes]:
    if media_type in {LAYER_GZIP, DOCKER_LAYER_GZIP}:
        from crossdock.layers.gunzip import gunzip

        return gunzip(chunks)
    if media_type == LAYER_ZSTD:
        from crossdock.layers.zstd import unzstd

        return unzstd(chunks)
    if media_type in {LAYER_TAR, DOCKER_LAYER_TAR}:
        return chunks
    raise LayerUnsupportedError(f"a layer of media type {media_type[:200]!r} cannot be unpacked")
