"""The layers of a base image: brought into the store, and as layers of the image that is built on it."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from crossdock.bases.spec import parse_base
from crossdock.errors import RegistryContentError
from crossdock.layers.cached import LayerRecipe
from crossdock.oci.model import LAYER_GZIP, LAYER_TAR, Descriptor
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from contextlib import AbstractContextManager

    from crossdock.bases.spec import BaseSpec
    from crossdock.layers.writer import Sink, Witness
    from crossdock.lockfile.images import LockedImageBase, LockedLayer
    from crossdock.oci.content import ImageSource, Stream
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation
    from crossdock.store.progress import Progress

__all__ = [
    "base_layer_recipe",
    "bring_layers",
    "brings_itself",
    "descriptor_of",
    "image_base_recipes",
    "is_held",
    "remember_layer",
    "stored_layer",
]

_PIECE = 1 << 20
_LEVEL = 6


@runtime_checkable
class _Fetching(Protocol):
    """A source that brings blobs into a store itself, taking up what broke off."""

    def fetch_blob(self, descriptor: Descriptor, store: Store, *, cancellation: Cancellation | None = None) -> None:
        """Bring a blob into the store, checked."""


def descriptor_of(layer: LockedLayer) -> Descriptor:
    """Give the descriptor by which a source finds a layer."""
    return Descriptor(media_type=layer.media_type, digest=layer.digest, size=layer.size)


def brings_itself(source: ImageSource) -> bool:
    """Say whether a source is far away, so that what is read in it is kept; a file on this machine is not copied."""
    return isinstance(source, _Fetching)


def bring_layers(
    source: ImageSource,
    layers: Iterable[LockedLayer],
    store: Store,
    *,
    jobs: int,
    progress: Progress | None = None,
) -> None:
    """Bring those layers into the store that it does not hold yet.

    Args:
        source: Where they are.
        layers: Wanted.
        store: Where they go.
        jobs: How many at once.
        progress: What draws how far it is.

    Raises:
        CrossdockError: One is not there, or not what its digest says.
    """
    from crossdock.store.parallel import run_parallel

    missing = {layer.digest: layer for layer in layers if not is_held(store, layer)}

    def bring(layer: LockedLayer, cancellation: Cancellation) -> None:
        if isinstance(source, _Fetching):
            source.fetch_blob(descriptor_of(layer), store, cancellation=cancellation)
        else:
            _copy(source, layer, store, cancellation)
        if progress is not None:
            progress.advance(layer.size)
            progress.file_done()

    if not missing:
        return
    if progress is not None:
        progress.start(len(missing), sum(layer.size for layer in missing.values()))
    try:
        run_parallel(bring, list(missing.values()), jobs=jobs)
    finally:
        if progress is not None:
            progress.close()


def _copy(source: ImageSource, layer: LockedLayer, store: Store, cancellation: Cancellation) -> None:
    with store.writer() as writer:
        for piece in _pieces_of(source.open_blob(descriptor_of(layer))):
            cancellation.check()
            writer.write(piece)
        writer.commit(layer.digest.removeprefix("sha256:"))


def is_held(store: Store, layer: LockedLayer) -> bool:
    """Say whether the store holds a layer's blob; one of another size was cut off, and is removed."""
    sha256 = layer.digest.removeprefix("sha256:")
    path = store.find(sha256)
    if path is None:
        return False
    if path.stat().st_size == layer.size:
        return True
    store.discard(sha256)
    return False


def image_base_recipes(
    locked: LockedImageBase, open_source: Callable[[BaseSpec], ImageSource], store: Store
) -> list[LayerRecipe]:
    """Give the recipes of a base image's layers, lowest first.

    The layers go into the image as they are, byte for byte; only one that is not compressed at all, as docker archives
    have them, is compressed.

    Args:
        locked: The base.
        open_source: Gives the place that has the layers; asked only if one has to be read.
        store: Where layers may be already.
    """
    return [base_layer_recipe(layer, locked.name, open_source, store) for layer in locked.layers]


def base_layer_recipe(
    layer: LockedLayer, name: str, open_source: Callable[[BaseSpec], ImageSource], store: Store
) -> LayerRecipe:
    """Give the recipe of one layer of a base; arguments are like those of `image_base_recipes`."""
    return LayerRecipe(
        _key(layer),
        partial(_write, layer, name, open_source, store),
        LAYER_GZIP if layer.media_type == LAYER_TAR else layer.media_type,
        witnessed=False,
    )


def remember_layer(store: Store, layer: LockedLayer) -> None:
    """Record that a layer whose blob is in the store is made already; one that is to be compressed is not."""
    if layer.media_type != LAYER_TAR and is_held(store, layer):
        digest, diff_id = layer.digest.removeprefix("sha256:"), layer.diff_id.removeprefix("sha256:")
        store.record(_key(layer), {"digest": digest, "size": layer.size, "diff_id": diff_id})


def _key(layer: LockedLayer) -> str:
    return action_key("base-layer/1", digest=layer.digest, diff_id=layer.diff_id, media_type=layer.media_type)


def _write(
    layer: LockedLayer,
    name: str,
    open_source: Callable[[BaseSpec], ImageSource],
    store: Store,
    sink: Sink,
    witness: Witness | None,
) -> str:
    del witness  # a blob is copied as it is: whoever wants to know what is in it reads it
    held = is_held(store, layer)
    if held:
        pieces = _pieces_of(stored_layer(store, layer))
    else:
        pieces = _pieces_of(open_source(parse_base(name)).open_blob(descriptor_of(layer)))
    digest = hashlib.sha256()
    if layer.media_type == LAYER_TAR:
        _compress(pieces, sink, digest.update)
    else:
        for piece in pieces:
            digest.update(piece)
            sink.write(piece)
    got = f"sha256:{digest.hexdigest()}"
    if got != layer.digest:
        if held:
            store.discard(layer.digest.removeprefix("sha256:"))
        raise RegistryContentError(
            f"A layer of {name} is not the one in crossdock.lock",
            why=f"its digest is {got}, and {layer.digest} is locked",
            hint="it was removed from the cache: run the same command again" if held else "run `crossdock lock`",
        )
    return layer.diff_id.removeprefix("sha256:")


def _compress(pieces: Iterable[bytes], sink: Sink, hashed: Callable[[bytes], object]) -> None:
    """Compress a tar by the one pinned encoder, in members of fixed size, so that the bytes depend on nothing else."""
    import deflate

    held = bytearray()
    for piece in pieces:
        hashed(piece)
        held += piece
        while len(held) >= _PIECE:
            sink.write(bytes(deflate.gzip_compress(bytes(held[:_PIECE]), _LEVEL)))
            del held[:_PIECE]
    if held:
        sink.write(bytes(deflate.gzip_compress(bytes(held), _LEVEL)))


@contextmanager
def stored_layer(store: Store, layer: LockedLayer) -> Iterator[Stream]:
    """Open a layer's blob in the store."""
    with store.path(layer.digest.removeprefix("sha256:")).open("rb") as file:
        yield file


def _pieces_of(opened: AbstractContextManager[Stream]) -> Iterator[bytes]:
    with opened as stream:
        yield from iter(lambda: stream.read(_PIECE), b"")
