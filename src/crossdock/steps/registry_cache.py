"""The registry as the cache: which layers a pushed image has already, by what they are made of.

Every layer that is pushed says beside its digest what it is made of: the key of its recipe, which covers the version
of the scheme and the SHA-256 of every wheel, and what was seen in it. A build whose recipe has the same key names that
layer and need not make it. What is read here was written by whoever may push to that repository; docs/security.md says
what that means, and ``crossdock verify --deep`` makes every layer again and compares.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock.errors import CrossdockError, OfflineError, RegistryContentError, RegistryNotFoundError
from crossdock.layers.cached import MadeLayer
from crossdock.oci.model import INDEX_TYPES, LAYER_GZIP, LAYER_ZSTD, MANIFEST_TYPES, Descriptor, is_digest
from crossdock.steps.stack import MOST_LAYERS
from crossdock.steps.wheel_facts import WheelFacts
from crossdock.store.parallel import run_parallel
from crossdock.verify.finding import printable
from crossdock.verify.summary import read_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.oci.model import Blob
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Repository
    from crossdock.services import Services
    from crossdock.verify.scan import LayerFacts

__all__ = [
    "DIFF_ID",
    "FACTS",
    "KEY",
    "LONGEST_FACTS",
    "RECORD_TYPE",
    "SEEN",
    "KnownLayer",
    "OfferedLayer",
    "RegistryCache",
    "described_by",
    "read_registry_cache",
]

#: Annotations of a layer's descriptor: its recipe's key; its diff_id, which the config has to confirm; what was seen in
#: it; and facts about its wheels by SHA-256.
KEY = "dev.crossdock.key"
DIFF_ID = "dev.crossdock.diff-id"
SEEN = "dev.crossdock.seen"
FACTS = "dev.crossdock.facts"
#: These are about this layer as it was made; all others are a function of what it is made of.
_OF_THE_RESULT = frozenset({KEY, DIFF_ID, SEEN, FACTS})
#: Kind of the artifact that says what an image's own wheel was built from, and what wheels say of themselves. It is
#: attached and no part of the image: the former hangs on the machine that built it, on its Python and on whether the
#: project is in a repository, and the latter is long.
RECORD_TYPE = "application/vnd.dev.crossdock.record.v1+json"

#: Characters of what is written about a layer's wheels: registries take manifests of 4 MiB, with all layers in them.
LONGEST_FACTS = 128 << 10

# What is read at most, for each image: values of JSON take some twenty times the memory of their text.
_MOST_MANIFESTS = 32
_MOST_MANIFEST_BYTES = 16 << 20
_MOST_RECORDS = 16
_MOST_RECORD_BYTES = 8 << 20
_MEDIA_TYPES = {
    LAYER_GZIP: LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.gzip": LAYER_GZIP,
    LAYER_ZSTD: LAYER_ZSTD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownLayer:
    """A layer that is in a registry.

    Attributes:
        made: Its digests.
        facts: What was seen in it when it was made.
        described: The annotations that say what it is made of.
        repository: Where it is.
    """

    made: MadeLayer
    facts: LayerFacts
    described: Mapping[str, str]
    repository: Repository

    @property
    def descriptor(self) -> Descriptor:
        """Its descriptor."""
        return Descriptor(media_type=self.facts.media_type, digest=f"sha256:{self.made.digest}", size=self.made.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferedLayer:
    """A layer as an image describes it; what was seen in it is read when it is wanted, as it may be much.

    Attributes:
        descriptor: As in the manifest.
        media_type: The same in OCI's spelling.
        diff_id: As both its annotation and the image's config have it.
        repository: Where it is.
    """

    descriptor: Descriptor
    media_type: str
    diff_id: str
    repository: Repository

    def known(self) -> KnownLayer | None:
        """Read what was seen in it; None if that is no such thing."""
        said, layer = self.descriptor.annotations, self.descriptor
        try:
            facts = read_summary(
                said[SEEN], media_type=self.media_type, digest=layer.digest, size=layer.size, diff_id=self.diff_id
            )
        except ValueError:
            return None
        made = MadeLayer(layer.sha256, layer.size, self.diff_id.removeprefix("sha256:"))
        return KnownLayer(made=made, facts=facts, described=described_by(said), repository=self.repository)


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistryCache:
    """What is known from registries.

    Attributes:
        layers: By the key of the recipe.
        wheels: Facts by a wheel's SHA-256.
        notes: What bills of materials say of a wheel, by its SHA-256.
        own: What was recorded of the project's own wheel, by the key of what it was built from.
    """

    layers: Mapping[str, OfferedLayer] = field(default_factory=dict)
    wheels: Mapping[str, WheelFacts] = field(default_factory=dict)
    notes: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, Any] = field(default_factory=dict)

    def find(self, key: str, described: Mapping[str, str], media_type: str) -> KnownLayer | None:
        """Give the layer that a recipe makes, if everything that is said of it agrees.

        Args:
            key: The recipe's.
            described: The annotations that this build would write: scheme version and wheels' hashes among them.
            media_type: As which the layer is wanted.
        """
        offered = self.layers.get(key)
        if offered is None or offered.media_type != media_type:
            return None
        return offered.known() if described_by(offered.descriptor.annotations) == dict(described) else None


def described_by(annotations: Mapping[str, str]) -> dict[str, str]:
    """Give the annotations that say what a layer is made of, without those about how it came out."""
    return {key: text for key, text in annotations.items() if key not in _OF_THE_RESULT}


def read_registry_cache(references: Sequence[Reference], services: Services) -> RegistryCache:
    """Read what images in registries say of their layers; the first that knows a layer wins.

    An image that is not there yet is no reason to complain; one that cannot be read is told and left out, as the build
    only takes longer without it. Layers that the registry no longer has do not count.
    """
    layers: dict[str, OfferedLayer] = {}
    wheels: dict[str, WheelFacts] = {}
    notes: dict[str, Any] = {}
    own: dict[str, Any] = {}
    read: set[tuple[str, str]] = set()
    for reference in references:
        try:
            repository = services.repository(reference)
            root = repository.manifest(reference.version)
        except (RegistryNotFoundError, OfflineError):
            continue
        except CrossdockError as error:
            _warn(services, f"{reference} is not used as a cache", error)
            continue
        if (repository.name, root.descriptor.digest) in read:
            continue  # several tags name one image, as a rule
        read.add((repository.name, root.descriptor.digest))
        try:
            found = list(_read_image(repository, root, services.jobs))
        except CrossdockError as error:
            _warn(services, f"{reference} is not used as a cache", error)
            continue
        for item in found:
            layers.setdefault(item.key, item.layer)
            for sha256, facts in item.wheels.items():
                wheels.setdefault(sha256, facts)
        try:
            for recorded, noted in _records(repository, root.descriptor.digest):
                own = {**recorded, **own}
                notes = {**noted, **notes}
        except CrossdockError as error:
            _warn(services, f"What is attached to {reference} is not used", error)
    return RegistryCache(layers=layers, wheels=wheels, notes=notes, own=own)


def _warn(services: Services, what: str, error: CrossdockError) -> None:
    services.warn(printable(f"{what}: {error.what}: {error.why}" if error.why else f"{what}: {error.what}"))


@dataclass(frozen=True, slots=True)
class _Entry:
    """One layer as a manifest describes it."""

    key: str
    layer: OfferedLayer
    wheels: Mapping[str, WheelFacts]


def _records(repository: Repository, digest: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Read what is attached of own wheels, by the key of what they were built from, and the notes of all wheels."""
    left = _MOST_RECORD_BYTES
    for artifact in repository.referrers(digest, RECORD_TYPE)[:_MOST_RECORDS]:
        try:
            (item,) = json.loads(repository.manifest(artifact.digest).data)["layers"]
            layer = Descriptor.from_json(item)
            if layer.size > left:
                continue
            left -= layer.size
            record = json.loads(repository.small_blob(layer))
            yield dict(record["own"]), dict(record["notes"])
        except (RegistryNotFoundError, RegistryContentError):
            continue  # a list of what is attached outlives what it lists
        except (KeyError, TypeError, ValueError, RecursionError):
            continue


def _read_image(repository: Repository, root: Blob, jobs: int) -> Iterator[_Entry]:
    """Read all manifests of an image; of layers, those that the registry has."""
    if root.descriptor.media_type in INDEX_TYPES:
        read = run_parallel(lambda child, _: _child(repository, child), _children(root.data), jobs=jobs)
        manifests = [data for data in read if data is not None]
    else:
        manifests = [root.data]
    found = (entry for data in manifests for entry in _layers(data, repository))
    entries = list({(entry.key, entry.layer.descriptor.digest): entry for entry in found}.values())
    layers = [entry.layer.descriptor for entry in entries]
    there = run_parallel(lambda layer, stop: repository.has_blob(layer, cancellation=stop), layers, jobs=jobs)
    yield from (entry for entry, is_there in zip(entries, there, strict=True) if is_there)


def _child(repository: Repository, child: Descriptor) -> bytes | None:
    try:
        data = repository.manifest(child.digest).data
    except RegistryNotFoundError:
        return None
    return data if len(data) == child.size else None


def _children(data: bytes) -> list[Descriptor]:
    """List the images of an index, as many as are worth reading."""
    index = _json(data)
    items = index.get("manifests") if isinstance(index, dict) else None
    found: list[Descriptor] = []
    left = _MOST_MANIFEST_BYTES
    for item in items if isinstance(items, list) else ():
        try:
            descriptor = Descriptor.from_json(item)
        except ValueError:
            continue
        if descriptor.media_type not in MANIFEST_TYPES or descriptor.size > left or len(found) == _MOST_MANIFESTS:
            continue
        if descriptor.platform is None or descriptor.platform.get("os") != "unknown":
            found.append(descriptor)
            left -= descriptor.size
    return found


def _layers(data: bytes, repository: Repository) -> Iterator[_Entry]:
    """Read the layers of one manifest, as far as they say what they are made of and its config agrees."""
    manifest = _json(data)
    try:
        layers = [Descriptor.from_json(item) for item in manifest["layers"]]
        config = _json(repository.small_blob(Descriptor.from_json(manifest["config"])))
        diff_ids = config["rootfs"]["diff_ids"]
    except (KeyError, TypeError, ValueError, RegistryNotFoundError):
        return
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers) or len(layers) > MOST_LAYERS:
        return
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        if layer.annotations.get(DIFF_ID, "") == diff_id and (entry := _entry(layer, repository)) is not None:
            yield entry


def _entry(layer: Descriptor, repository: Repository) -> _Entry | None:
    said = layer.annotations
    media_type = _MEDIA_TYPES.get(layer.media_type)
    about = said.get(FACTS, "{}")
    if KEY not in said or SEEN not in said or not is_digest(said[DIFF_ID]) or media_type is None:
        return None
    if len(about) > LONGEST_FACTS:
        return None
    try:
        wheels = {sha256: WheelFacts.from_json(item) for sha256, item in _json(about).items()}
    except (AttributeError, ValueError):
        return None
    offered = OfferedLayer(descriptor=layer, media_type=media_type, diff_id=said[DIFF_ID], repository=repository)
    return _Entry(said[KEY], offered, wheels)


def _json(text: str | bytes) -> Any:  # noqa: ANN401  it is whatever somebody wrote
    """Read JSON.

    Raises:
        ValueError: It is none, or nested too deeply.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("JSON is nested too deeply") from None
