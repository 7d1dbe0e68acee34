"""Layers compressed by zstd: smaller and much faster to unpack than gzip (RFC 8878; OCI image-spec 1.1, "layer").

The encoder is one exact version of libzstd, bundled by the package ``zstandard``, and used with a single thread: its
output then is the same on every host. Python 3.14 has zstd too, but with whatever libzstd the host has.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import CompressionError, DamagedLayerError, LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.gunzip import gunzip
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from _typeshed import SupportsRead

    from crossdock.layers.cached import LayerRecipe, MadeLayer
    from crossdock.layers.writer import Sink, Witness
    from crossdock.store.blobs import Store

__all__ = ["LAYER_ZSTD", "LEVEL", "ZstdReader", "ZstdSink", "decompressed", "unzstd", "zstd_recipe"]

#: As in ``crossdock.oci.model``, which layers know nothing of.
LAYER_ZSTD: Final = "application/vnd.oci.image.layer.v1.tar+zstd"

#: Compression level: the last one that keeps up with a disk; see docs/outputs.md for the measurements.
LEVEL: Final = 9
#: Version of libzstd whose bytes are ours.
_LIBZSTD: Final = (1, 5, 7)
#: Bytes a decoder may have to hold: libzstd's own bound (``ZSTD_WINDOWLOG_LIMIT_DEFAULT``), which ``--ultra`` reaches.
_MAX_WINDOW: Final = 128 << 20
# A block of four bytes may stand for 128 KiB. Fed so little at once, one step's output stays below 32 MiB.
_FEED: Final = 1024
_PIECE: Final = 256 * 1024
_INSTALL: Final = "install it with crossdock: pip install 'crossdock[zstd]'"


def zstd_recipe(recipe: LayerRecipe, store: Store) -> LayerRecipe:
    """Give the recipe of the same layer, compressed by zstd instead of gzip; its diff_id is the same.

    Args:
        recipe: Of the gzip layer, which is made first and kept, too.
        store: Where it is made.

    Raises:
        CompressionError: The encoder is not there, or another version than the one whose bytes are known.
    """
    _encoder()
    version = ".".join(str(part) for part in _LIBZSTD)
    key = action_key("zstd-layer/1", layer=recipe.key, encoder=f"libzstd {version}", level=LEVEL)

    def write(sink: Sink, witness: Witness | None) -> str:
        del witness  # the gzip layer may be there already: what comes out is looked at instead
        made = recipe.make(store)
        try:
            diff_id = _compress(made, store, sink)
        except LayerUnreadableError:
            diff_id = ""
        if diff_id != made.diff_id:
            store.discard(made.digest)
            raise DamagedLayerError(
                f"The layer sha256:{made.digest} in the cache is damaged",
                why="it does not unpack to what it was made of",
                hint="it was removed: run the same command again",
                digest=f"sha256:{made.digest}",
            )
        return diff_id

    return replace(recipe, key=key, write=write, media_type=LAYER_ZSTD, witnessed=False)


def _compress(made: MadeLayer, store: Store, sink: Sink) -> str:
    # A new one for each layer: an encoder that was used before may keep something of it.
    encoder = _encoder().ZstdCompressor(level=LEVEL).compressobj()
    raw = hashlib.sha256()
    with store.path(made.digest).open("rb") as layer:
        for piece in gunzip(iter(lambda: layer.read(_PIECE), b"")):
            raw.update(piece)
            sink.write(encoder.compress(piece))
    sink.write(encoder.flush())
    return raw.hexdigest()


class ZstdSink:
    """Compresses what is written to it, in one frame.

    Args:
        sink: Takes the compressed bytes.

    Raises:
        CompressionError: The encoder is not there, or another version than the one whose bytes are known.
    """

    _BLOCK = 1 << 20

    def __init__(self, sink: Sink) -> None:
        self._encoder = _encoder().ZstdCompressor(level=LEVEL).compressobj()
        self._sink = sink
        self._held = bytearray()

    def write(self, data: bytes | bytearray) -> None:
        """Compress bytes; how they are divided into pieces does not matter."""
        self._held += data
        while len(self._held) >= self._BLOCK:
            self._sink.write(self._encoder.compress(bytes(self._held[: self._BLOCK])))
            del self._held[: self._BLOCK]

    def finish(self) -> None:
        """End the frame."""
        self._sink.write(self._encoder.compress(bytes(self._held)))
        self._sink.write(self._encoder.flush())


def _encoder() -> Any:  # noqa: ANN401  a module, which need not be there
    try:
        import zstandard
    except ImportError:
        raise CompressionError(
            "layers cannot be compressed by zstd here", why="the package zstandard is not installed", hint=_INSTALL
        ) from None
    if zstandard.ZSTD_VERSION != _LIBZSTD:
        found, wanted = (".".join(str(part) for part in version) for version in (zstandard.ZSTD_VERSION, _LIBZSTD))
        raise CompressionError(
            "layers cannot be compressed by zstd here",
            why=f"zstandard brings libzstd {found}, and only {wanted} gives the same bytes as everywhere else",
            hint=_INSTALL,
        )
    return zstandard


def unzstd(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Decompress zstd data of one or many frames.

    Args:
        chunks: The compressed bytes, in pieces of any size.

    Yields:
        The uncompressed bytes, in pieces of at most 256 KiB, frames joined. How many come is for the caller to limit.

    Raises:
        LayerUnreadableError: The data is damaged, cut short, followed by something else, or needs too large a window.
        LayerUnsupportedError: The package that decompresses is not installed.
    """
    try:
        import zstandard
    except ImportError:
        raise LayerUnsupportedError(
            "a layer compressed by zstd cannot be read here",
            why="the package zstandard is not installed",
            hint=_INSTALL,
        ) from None
    decoder = zstandard.ZstdDecompressor(max_window_size=_MAX_WINDOW)
    frame = None
    frames = 0
    for piece in _pieces(chunks):
        left = piece
        while left:
            if frame is None:
                frame, frames = decoder.decompressobj(), frames + 1
            try:
                raw = frame.decompress(left)
            except zstandard.ZstdError as error:
                raise _unreadable(str(error), frames) from None
            for at in range(0, len(raw), _PIECE):
                yield raw[at : at + _PIECE]
            left = b""
            if frame.eof:
                left = frame.unused_data
                frame = None
    if frame is not None or not frames:
        why = f"it ends inside frame {frames}" if frames else "it is empty"
        raise LayerUnreadableError("the zstd data is cut short", why=why)


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    for chunk in chunks:
        for at in range(0, len(chunk), _FEED):
            yield chunk[at : at + _FEED]


def _unreadable(reason: str, frames: int) -> LayerUnreadableError:
    reason = reason.rpartition(": ")[2]
    if "too much memory" in reason:
        reason = f"it needs a window of more than {_MAX_WINDOW >> 20} MiB"
    elif "Unknown frame" in reason and frames > 1:
        return LayerUnreadableError(
            "there is something after the end of the zstd data", why=f"behind frame {frames - 1}"
        )
    elif "Unknown frame" in reason:
        return LayerUnreadableError("it is not zstd data", why="it does not start as such")
    return LayerUnreadableError("the zstd data is damaged", why=f"frame {frames}: {reason}")


class ZstdReader:
    """Reads what zstd data unpacks to, holding little of it at any time.

    Args:
        stream: The compressed bytes, read from where they are to their end.
    """

    def __init__(self, stream: SupportsRead[bytes]) -> None:
        self._pieces = unzstd(iter(lambda: stream.read(_PIECE), b""))
        self._held = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most ``size``, or all if it is negative; none at the end. Errors as `unzstd`."""
        if size < 0:
            held, self._held = bytes(self._held), memoryview(b"")
            return held + b"".join(self._pieces)
        if not self._held and size:
            self._held = memoryview(next(self._pieces, b""))
        given, self._held = bytes(self._held[:size]), self._held[size:]
        return given


def decompressed(stream: SupportsRead[bytes]) -> ZstdReader:
    """Give a stream of what a zstd stream unpacks to; errors as `unzstd`, when it is read."""
    return ZstdReader(stream)
