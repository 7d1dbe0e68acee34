"""An image in a registry as a layout: what is in it is brought into the store, and then read as from a folder."""

from __future__ import annotations

import io
import json
from typing import TYPE_CHECKING, Any, BinaryIO

from crossdock.errors import RegistryContentError, RegistryNotFoundError
from crossdock.oci.model import INDEX_TYPES, MANIFEST_TYPES, Descriptor, canonical_json
from crossdock.store.parallel import run_parallel
from crossdock.verify.findings import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.oci.model import Blob
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Repository
    from crossdock.services import Services
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation

__all__ = ["PulledLayout", "pull_layout"]

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


def pull_layout(reference: Reference, services: Services) -> PulledLayout:
    """Bring an image into the store, all platforms of it, and nothing that is there already.

    A blob that the registry does not have, or has otherwise than its descriptor says, is left out: whoever reads the
    layout sees that it is missing.

    Raises:
        RegistryError: The registry cannot be read, or does not have the image.
    """
    repository = services.repository(reference)
    root = repository.manifest(reference.version)
    wanted: dict[str, Descriptor] = {}
    for blob in _manifests(root, repository):
        services.store.add_bytes(blob.data, expected=blob.descriptor.sha256)
        wanted[blob.descriptor.sha256] = blob.descriptor
        for descriptor in _parts(blob):
            wanted.setdefault(descriptor.sha256, descriptor)
        if len(wanted) > _MOST_BLOBS:
            raise _too_many(repository, _MOST_BLOBS, "blobs")

    def bring(descriptor: Descriptor, cancellation: Cancellation) -> None:
        try:
            repository.fetch_blob(descriptor, services.store, cancellation=cancellation)
        except (RegistryNotFoundError, RegistryContentError) as error:
            services.warn(printable(f"{error.what}: {error.why}" if error.why else error.what))

    missing = [item for sha256, item in wanted.items() if services.store.find(sha256) is None]
    run_parallel(bring, missing, jobs=services.jobs)
    return PulledLayout(services.store, root.descriptor, set(wanted))


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
        manifest = _object(blob)
        yield from _descriptors([manifest.get("config")])
        yield from _descriptors(manifest.get("layers"))


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
