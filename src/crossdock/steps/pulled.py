"""An image in a registry as a layout: what is in it is brought into the store, or read as it comes in.

Whoever needs the layers again, to make something of them, brings them into the store. Whoever wants to know what is in
them looks at each once, on its way past, and keeps what was seen: then nothing of it is fetched a second time.
"""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO, Self, cast

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError, RegistryContentError, RegistryNotFoundError
from crossdock.oci.model import INDEX_TYPES, MANIFEST_TYPES, Descriptor, canonical_json
from crossdock.store.parallel import run_parallel
from crossdock.verify.finding import printable
from crossdock.verify.scan import scan_layer

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.oci.content import Stream
    from crossdock.oci.model import Blob
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Repository
    from crossdock.services import Services
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation
    from crossdock.verify.image import ScanCache

__all__ = ["PassingLayout", "PulledLayout", "pull_layout", "see_layers", "stream_layout"]

_BLOBS = "blobs/sha256/"
#: Manifests, configs and layers of one image, all platforms together.
_MOST_BLOBS = 20_000
#: Of those, manifests and indexes: a level of them is held at once.
_MOST_MANIFESTS = 1000
_DEEPEST = 4


class PulledLayout:
    """A layout (`crossdock.oci.layout_files.Layout`) whose blobs are in the store.

    Args:
        store: Holds the blobs.
        root: What its ``index.json`` names.
        wanted: SHA-256 of every blob that belongs to it; one the registry did not have is not in the store.
    """

    def __init__(self, store: Store, root: Descriptor, wanted: set[str]) -> None:
        self._store = store
        self._wanted = wanted
        self._files = {
            "oci-layout": canonical_json({"imageLayoutVersion": "1.0.0"}),
            "index.json": canonical_json({"schemaVersion": 2, "manifests": [root.to_json()]}),
        }

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if there is no such file."""
        if name in self._files:
            return len(self._files[name])
        sha256 = name.removeprefix(_BLOBS)
        if sha256 not in self._wanted or self._store.find(sha256) is None:
            return None
        return self._store.size(sha256)

    def open(self, name: str) -> BinaryIO:
        """Open a file that `size` knows."""
        if name in self._files:
            return io.BytesIO(self._files[name])
        return self._store.path(name.removeprefix(_BLOBS)).open("rb")


class PassingLayout(PulledLayout):
    """A layout whose manifests and configs are in the store, and whose layers are read from the registry.

    Args:
        store: Holds manifests and configs, and layers that happen to be there.
        root: What its ``index.json`` names.
        wanted: SHA-256 of every blob that belongs to it.
        repository: Has the layers.
        layers: Descriptors of these by their SHA-256.
    """

    def __init__(
        self,
        store: Store,
        root: Descriptor,
        wanted: set[str],
        repository: Repository,
        layers: Mapping[str, Descriptor],
    ) -> None:
        super().__init__(store, root, wanted)
        self._repository = repository
        self._layers = layers

    @property
    def layers(self) -> list[Descriptor]:
        """All layers, each once."""
        return list(self._layers.values())

    def has(self, layer: Descriptor) -> bool:
        """Say whether a layer is in the store or in the registry."""
        return self._store.find(layer.sha256) is not None or self._repository.has_blob(layer)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if there is no such file."""
        layer = self._layers.get(name.removeprefix(_BLOBS))
        if layer is None or self._store.find(layer.sha256) is not None:
            return super().size(name)
        return layer.size if self._repository.has_blob(layer) else None

    def open(self, name: str) -> BinaryIO:
        """Open a file that `size` knows."""
        layer = self._layers.get(name.removeprefix(_BLOBS))
        if layer is None or self._store.find(layer.sha256) is not None:
            return super().open(name)
        return cast("BinaryIO", _Passing(self._repository, layer))


class _Passing:
    """A layer on its way from the registry; what is wrong with its content is an `OSError`, as with a file on disk."""

    def __init__(self, repository: Repository, layer: Descriptor) -> None:
        self._context = repository.open_blob(layer)
        self._stream: Stream | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._stream is not None:
            self._context.__exit__(None, None, None)

    def read(self, size: int = -1) -> bytes:
        try:
            if self._stream is None:
                self._stream = self._context.__enter__()
            return self._stream.read(size)
        except (RegistryNotFoundError, RegistryContentError) as error:
            raise OSError(f"{error.what}: {error.why}" if error.why else error.what) from None


def pull_layout(reference: Reference, services: Services) -> PulledLayout:
    """Bring an image into the store, all platforms of it, and nothing that is there already.

    A blob that the registry does not have, or has otherwise than its descriptor says, is left out: whoever reads the
    layout sees that it is missing.

    Raises:
        RegistryError: The registry cannot be read, or does not have the image.
    """
    repository = services.repository(reference)
    root, wanted, _ = _described(reference, repository, services)

    def bring(descriptor: Descriptor, cancellation: Cancellation) -> None:
        try:
            repository.fetch_blob(descriptor, services.store, cancellation=cancellation)
        except (RegistryNotFoundError, RegistryContentError) as error:
            services.warn(printable(f"{error.what}: {error.why}" if error.why else error.what))

    missing = [item for sha256, item in wanted.items() if services.store.find(sha256) is None]
    run_parallel(bring, missing, jobs=services.jobs)
    return PulledLayout(services.store, root.descriptor, set(wanted))


def stream_layout(reference: Reference, services: Services) -> PassingLayout:
    """Open an image where it is, all platforms of it: only manifests and configs are brought into the store.

    Raises:
        RegistryError: The registry cannot be read, or does not have the image.
    """
    repository = services.repository(reference)
    root, wanted, layers = _described(reference, repository, services)
    for sha256 in wanted.keys() - layers.keys():
        if services.store.find(sha256) is None:
            try:
                repository.fetch_blob(wanted[sha256], services.store)
            except (RegistryNotFoundError, RegistryContentError) as error:
                services.warn(printable(f"{error.what}: {error.why}" if error.why else error.what))
    return PassingLayout(services.store, root.descriptor, set(wanted), repository, layers)


def see_layers(layout: PassingLayout, cache: ScanCache, services: Services) -> set[str]:
    """Look at all layers of an image that nothing is known of, several at a time, each once as it comes in.

    Args:
        layout: The image.
        cache: Keeps what was seen.
        services: Says how many at a time.

    Returns:
        Digests of the layers that are as they should be. Of others it is told when the image is proved.

    Raises:
        RegistryError: The registry cannot be read.
    """

    def look(layer: Descriptor, cancellation: Cancellation) -> str | None:
        cancellation.check()
        known = cache.get(layer.digest)
        if known is not None and known.media_type == layer.media_type:
            return layer.digest if layout.has(layer) else None
        try:
            with layout.open(_BLOBS + layer.sha256) as stream:
                facts = scan_layer(stream, media_type=layer.media_type)
        except (OSError, LayerUnreadableError, LayerUnsupportedError):
            return None
        if (facts.digest, facts.size) != (layer.digest, layer.size):
            return None
        cache.put(layer.digest, facts)
        return layer.digest

    return {digest for digest in run_parallel(look, layout.layers, jobs=services.jobs) if digest is not None}


def _described(
    reference: Reference, repository: Repository, services: Services
) -> tuple[Blob, dict[str, Descriptor], dict[str, Descriptor]]:
    """Bring the manifests of an image into the store; give the root, all blobs, and those that are layers."""
    root = repository.manifest(reference.version)
    wanted: dict[str, Descriptor] = {}
    layers: dict[str, Descriptor] = {}
    for blob in _manifests(root, repository):
        services.store.add_bytes(blob.data, expected=blob.descriptor.sha256)
        wanted[blob.descriptor.sha256] = blob.descriptor
        for descriptor in _parts(blob):
            wanted.setdefault(descriptor.sha256, descriptor)
        for descriptor in _layers(blob):
            layers.setdefault(descriptor.sha256, descriptor)
        if len(wanted) > _MOST_BLOBS:
            raise _too_many(repository, _MOST_BLOBS, "blobs")
    return root, wanted, layers


def _manifests(root: Blob, repository: Repository) -> Iterator[Blob]:
    """Give all manifests and indexes of an image, each once however often it is named, the nearest first."""
    level, seen = [root], {root.descriptor.digest}
    for _ in range(_DEEPEST + 1):
        children: list[Blob] = []
        for blob in level:
            yield blob
            for child in _children(blob):
                if child.digest in seen:
                    continue
                seen.add(child.digest)
                try:
                    children.append(repository.manifest(child.digest))
                except (RegistryNotFoundError, RegistryContentError):
                    continue  # seen to be missing when the layout is read
                if len(seen) > _MOST_MANIFESTS:
                    raise _too_many(repository, _MOST_MANIFESTS, "manifests")
        level = children


def _children(blob: Blob) -> Iterator[Descriptor]:
    if blob.descriptor.media_type in INDEX_TYPES:
        for child in _descriptors(_object(blob).get("manifests")):
            if child.media_type in INDEX_TYPES | MANIFEST_TYPES:
                yield child


def _parts(blob: Blob) -> Iterator[Descriptor]:
    if blob.descriptor.media_type in MANIFEST_TYPES:
        yield from _descriptors([_object(blob).get("config")])
        yield from _layers(blob)


def _layers(blob: Blob) -> Iterator[Descriptor]:
    if blob.descriptor.media_type in MANIFEST_TYPES:
        yield from _descriptors(_object(blob).get("layers"))


def _object(blob: Blob) -> dict[str, Any]:
    try:
        value = json.loads(blob.data)
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _descriptors(items: object) -> Iterator[Descriptor]:
    for item in items if isinstance(items, list) else ():
        try:
            yield Descriptor.from_json(item)
        except ValueError:
            continue


def _too_many(repository: Repository, most: int, what: str) -> RegistryContentError:
    return RegistryContentError(
        f"{repository.name} has an image of more than {most:,} {what}", why="no image that is meant to run has so many"
    )
