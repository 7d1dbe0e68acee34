"""Opens a layer's blob as the tar archive in it, whatever it is compressed with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.oci.content import Stream

__all__ = ["open_layer_tar"]

_CHUNK: Final = 256 * 1024

# OCI image-spec, "Image Layer Filesystem Changeset" and "Non-Distributable Layers"; Docker image manifest version 2.
_FAMILIES: Final = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.nondistributable.v1.tar",
    "application/vnd.docker.image.rootfs.diff.tar",
    "application/vnd.docker.image.rootfs.foreign.diff.tar",
)
# After the family comes OCI's "+gzip" or Docker's ".gzip".
_COMPRESSIONS: Final = {"": "", "+gzip": "gzip", ".gzip": "gzip", "+zstd": "zstd", ".zstd": "zstd"}


def open_layer_tar(stream: Stream, media_type: str, *, max_bytes: int) -> Iterator[bytes]:
    """Give the uncompressed bytes of a layer, with memory that does not depend on its size.

    Args:
        stream: The blob; read to its end when the last piece has been given.
        media_type: Of an OCI or Docker layer.
        max_bytes: How many uncompressed bytes to give before giving up.

    Yields:
        Pieces, none empty and none large.

    Raises:
        LayerUnsupportedError: It is no layer, or compressed in an unknown way, or by zstd and the package for that is
            not installed.
        LayerUnreadableError: It is damaged, or larger than that.
    """
    return _bounded(_decompressed(stream, _compression(media_type)), max_bytes)


def _compression(media_type: str) -> str:
    for family in _FAMILIES:
        if media_type.startswith(family) and media_type[len(family) :] in _COMPRESSIONS:
            return _COMPRESSIONS[media_type[len(family) :]]
    raise LayerUnsupportedError(
        f"a layer of media type {media_type[:200]!r} cannot be read",
        hint="convert the image, for example with `skopeo copy --dest-compress-format gzip`",
    )


def _decompressed(stream: Stream, compression: str) -> Iterator[bytes]:
    if compression == "gzip":
        from crossdock.layers.gunzip import gunzip

        return gunzip(_chunks(stream))
    if compression == "zstd":
        from crossdock.layers.zstd import unzstd

        return unzstd(_chunks(stream))
    return _chunks(stream)


def _chunks(stream: Stream) -> Iterator[bytes]:
    return iter(lambda: stream.read(_CHUNK), b"")


def _bounded(chunks: Iterator[bytes], max_bytes: int) -> Iterator[bytes]:
    left = max_bytes
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise LayerUnreadableError(
                "the layer is too large", why=f"it holds more than {max_bytes:,} bytes when uncompressed"
            )
        yield chunk
