"""Locking a base image: its manifest and config first, then its layers, read once."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from crossdock.bases.image_layers import (
    bring_layers,
    brings_itself,
    descriptor_of,
    is_held,
    remember_layer,
    stored_layer,
)
from crossdock.bases.images import ResolvedImage, resolve_image
from crossdock.bases.tree import shown
from crossdock.errors import BaseImageError, CrossdockError, LockfileError
from crossdock.lockfile.facts import facts_from_table, facts_to_table
from crossdock.lockfile.images import LockedImageBase, check_locked_image
from crossdock.oci.model import LAYER_TAR
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crossdock.bases.spec import BaseSpec
    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.lockfile.images import LockedLayer
    from crossdock.oci.content import ImageSource, Stream
    from crossdock.store.blobs import Store
    from crossdock.store.progress import Progress
    from crossdock.targets import Platform

__all__ = ["lock_image_base", "lock_scratch"]

#: Raised whenever other facts are read in the same layers.
_FACTS_VERSION = 2
#: Who runs in a base that names nobody: no user of any system.
_NOBODY = "65532:65532"
_MOST_BYTES = 64 << 30


def lock_scratch(platform: Platform) -> LockedImageBase:
    """Give the base that holds nothing."""
    from crossdock.lockfile.basefacts import BaseFacts

    facts = BaseFacts(libc=None, libc_version=(0, 0), python_version="", python_path="", user=_NOBODY, home="")
    return LockedImageBase(
        name="scratch",
        architecture=platform.arch,
        variant=platform.oci.get("variant", ""),
        digest="",
        index="",
        layers=(),
        facts=facts,
    )


def lock_image_base(
    spec: BaseSpec,
    source: ImageSource,
    platform: Platform,
    store: Store,
    *,
    version: str | None = None,
    jobs: int = 4,
    progress: Progress | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> LockedImageBase:
    """Find what a base image is now, and read what it brings.

    Args:
        spec: The base; one with a digest stays what it is.
        source: Where it is.
        platform: What a target wants.
        store: Takes the layers of a registry, and remembers what was read in them.
        version: Digest to take in place of what the name stands for now.
        jobs: How many layers are downloaded at once.
        progress: What draws how far downloads are.
        warn: Told what a user should know of how the base was read.

    Raises:
        MissingPlatformError: It has no image for the platform.
        BaseImageError: It is malformed, or of a kind that is not understood.
        BaseMismatchError: It holds programs of another machine.
        TooManyLayersError: It has more layers than engines can stack.
        LayerUnreadableError: A layer is damaged or unsafe.
        CrossdockError: The source cannot be read.
    """
    resolved = resolve_image(source, version or spec.wanted, platform)
    key = action_key(
        "base-facts",
        version=_FACTS_VERSION,
        config=resolved.config_digest,
        layers=[layer.digest for layer in resolved.layers],
    )
    facts = _remembered(store.action(key))
    if facts is None:
        if brings_itself(source):
            bring_layers(source, resolved.layers, store, jobs=jobs, progress=progress)
        facts = _read(resolved, source, store, warn)
    locked = LockedImageBase(
        name=spec.text,
        architecture=resolved.architecture,
        variant=resolved.variant,
        digest=resolved.manifest.digest,
        index=resolved.index,
        layers=resolved.layers,
        facts=facts,
    )
    try:
        check_locked_image(locked)
    except LockfileError as error:
        raise BaseImageError(
            f"{spec.text} says of itself what cannot be", why=error.what, hint="name another base"
        ) from None
    store.record(key, facts_to_table(facts))
    return locked


def _read(resolved: ResolvedImage, source: ImageSource, store: Store, warn: Callable[[str], None]) -> BaseFacts:
    from crossdock.bases.reading import read_base

    layers = [(LAYER_TAR, partial(_opened, layer, number, source, store)) for number, layer in _numbered(resolved)]
    try:
        reading = read_base(resolved.config, layers, architecture=resolved.architecture, name=resolved.name)
    except CrossdockError:
        _discard_damaged(resolved.layers, store)
        raise
    for layer in resolved.layers:
        remember_layer(store, layer)
    if reading.notes:
        path = reading.facts.python_path
        what = f"has {shown(path)} as its Python" if path else "has no Python that can be used"
        warn(f"{resolved.name} {what}: {'; '.join(reading.notes)}"[:1000])
    return reading.facts


def _numbered(resolved: ResolvedImage) -> Iterator[tuple[int, LockedLayer]]:
    return enumerate(resolved.layers, start=1)


def _remembered(record: Any) -> BaseFacts | None:  # noqa: ANN401
    if not isinstance(record, dict):
        return None
    try:
        return facts_from_table(record, "the cache")
    except LockfileError:
        return None


@contextmanager
def _opened(layer: LockedLayer, number: int, source: ImageSource, store: Store) -> Iterator[Stream]:
    """Open a layer as the tar in it, which is proved to be the one that the config names."""
    from crossdock.bases.layertar import open_layer_tar

    blob = stored_layer(store, layer) if is_held(store, layer) else source.open_blob(descriptor_of(layer))
    with blob as stream:
        tar = _HashedTar(open_layer_tar(stream, layer.media_type, max_bytes=_MOST_BYTES))
        yield tar
        while tar.read(1 << 20):
            pass
        # A blob's own digest is checked with its last byte.
        while stream.read(1 << 20):
            pass
    if tar.digest != layer.diff_id:
        raise BaseImageError(
            f"Layer {number} of {source.name} is not the one that its config names",
            why=f"the diff_id of {layer.digest} is {tar.digest}, and {layer.diff_id} is said",
            hint="name another base: this one was put together wrongly",
        )


class _HashedTar:
    """Pieces as a stream, hashed on their way."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._hash = hashlib.sha256()
        self._left = memoryview(b"")

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most ``size`` and no more than a piece; none at the end."""
        if not self._left:
            piece = next(self._pieces, b"")
            self._hash.update(piece)
            self._left = memoryview(piece)
        count = len(self._left) if size < 0 else size
        data, self._left = bytes(self._left[:count]), self._left[count:]
        return data

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _discard_damaged(layers: tuple[LockedLayer, ...], store: Store) -> None:
    """Remove what was spoilt in the cache, so that the next run fetches it again."""
    for layer in layers:
        sha256 = layer.digest.removeprefix("sha256:")
        path = store.find(sha256)
        if path is not None:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != sha256:
                store.discard(sha256)
