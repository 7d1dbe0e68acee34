"""The registry as the cache: which layers a pushed image has already, by what they are made of.

Every layer that is pushed says beside its digest what it is made of: the key of its recipe, which covers the version
of the scheme and the SHA-256 of every wheel, and what was seen in it. A build whose recipe has the same key names that
layer and need not make it. What is read here was written by whoever may push to that repository; docs/security.md says
what that means, and ``crossdock verify --deep`` makes every layer again and compares.
"""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock.errors import CrossdockError, OfflineError, RegistryNotFoundError
from crossdock.layers.cached import MadeLayer
from crossdock.oci.model import INDEX_TYPES, LAYER_GZIP, LAYER_ZSTD, MANIFEST_TYPES, Descriptor
from crossdock.steps.wheel_facts import WheelFacts
from crossdock.verify.summary import read_summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.oci.model import Blob
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Repository
    from crossdock.services import Services
    from crossdock.verify.scan import LayerFacts

__all__ = ["DIFF_ID", "FACTS", "KEY", "RECORD_TYPE", "SEEN", "KnownLayer", "RegistryCache", "read_registry_cache"]

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

_MOST_MANIFESTS = 32
_MOST_RECORDS = 16
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
class RegistryCache:
    """What is known from registries.

    Attributes:
        layers: By the key of the recipe.
        wheels: Facts by a wheel's SHA-256.
        notes: What bills of materials say of a wheel, by its SHA-256.
        own: What was recorded of the project's own wheel, by the key of what it was built from.
    """

    layers: Mapping[str, KnownLayer] = field(default_factory=dict)
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
        known = self.layers.get(key)
        if known is None or known.facts.media_type != media_type or dict(known.described) != dict(described):
            return None
        return known


def read_registry_cache(references: Sequence[Reference], services: Services) -> RegistryCache:
    """Read what images in registries say of their layers; the first that knows a layer wins.

    An image that is not there yet is no reason to complain; one that cannot be read is told and left out, as the build
    only takes longer without it. Layers that the registry no longer has do not count.
    """
    layers: dict[str, KnownLayer] = {}
    wheels: dict[str, WheelFacts] = {}
    notes: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for reference in references:
        try:
            repository = services.repository(reference)
            root = repository.manifest(reference.version)
            found = list(_read_image(repository, root, services.jobs))
            records = list(_records(repository, root.descriptor.digest))
        except (RegistryNotFoundError, OfflineError):
            continue
        except CrossdockError as error:
            reason = f"{error.what}: {error.why}" if error.why else error.what
            services.warn(f"{reference} is not used as a cache: {reason}")
            continue
        for item in found:
            layers.setdefault(item.key, item.layer)
            for sha256, facts in item.wheels.items():
                wheels.setdefault(sha256, facts)
        for recorded, noted in records:
            own = {**recorded, **own}
            notes = {**noted, **notes}
    return RegistryCache(layers=layers, wheels=wheels, notes=notes, own=own)


@dataclass(frozen=True, slots=True)
class _Entry:
    """One layer as a manifest describes it."""

    key: str
    layer: KnownLayer
    wheels: Mapping[str, WheelFacts]


def _records(repository: Repository, digest: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Read what is attached of own wheels, by the key of what they were built from, and the notes of all wheels."""
    for artifact in repository.referrers(digest, RECORD_TYPE)[:_MOST_RECORDS]:
        try:
            (layer,) = json.loads(repository.manifest(artifact.digest).data)["layers"]
            record = json.loads(repository.small_blob(Descriptor.from_json(layer)))
            yield dict(record["own"]), dict(record["notes"])
        except (KeyError, TypeError, ValueError, RecursionError):
            continue


def _read_image(repository: Repository, root: Blob, jobs: int) -> Iterator[_Entry]:
    if root.descriptor.media_type in INDEX_TYPES:
        children = [child for child in _children(json.loads(root.data)) if child.media_type in MANIFEST_TYPES]
        with ThreadPoolExecutor(max_workers=jobs) as pool:
            manifests = list(pool.map(lambda child: repository.manifest(child.digest).data, children[:_MOST_MANIFESTS]))
    else:
        manifests = [root.data]
    entries = {entry.layer.made.digest: entry for data in manifests for entry in _layers(data, repository)}
    with ThreadPoolExecutor(max_workers=jobs) as pool:
        there = list(pool.map(lambda entry: repository.has_blob(entry.layer.descriptor), entries.values()))
    yield from (entry for entry, is_there in zip(entries.values(), there, strict=True) if is_there)


def _children(index: Any) -> list[Descriptor]:  # noqa: ANN401
    items = index.get("manifests") if isinstance(index, dict) else None
    found = []
    for item in items if isinstance(items, list) else ():
        try:
            descriptor = Descriptor.from_json(item)
        except ValueError:
            continue
        if descriptor.platform is None or descriptor.platform.get("os") != "unknown":
            found.append(descriptor)
    return found


def _layers(data: bytes, repository: Repository) -> Iterator[_Entry]:
    """Read the layers of one manifest, as far as they say what they are made of and its config agrees."""
    manifest = json.loads(data)
    try:
        config = json.loads(repository.small_blob(Descriptor.from_json(manifest["config"])))
        layers = [Descriptor.from_json(item) for item in manifest["layers"]]
        diff_ids = config["rootfs"]["diff_ids"]
    except (KeyError, TypeError, ValueError):
        return
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers):
        return
    for layer, diff_id in zip(layers, diff_ids, strict=True):
        if layer.annotations.get(DIFF_ID) == diff_id and (entry := _entry(layer, repository)) is not None:
            yield entry


def _entry(layer: Descriptor, repository: Repository) -> _Entry | None:
    said = layer.annotations
    media_type = _MEDIA_TYPES.get(layer.media_type)
    if KEY not in said or SEEN not in said or media_type is None:
        return None
    made = MadeLayer(layer.sha256, layer.size, said[DIFF_ID].removeprefix("sha256:"))
    try:
        facts = read_summary(
            said[SEEN], media_type=media_type, digest=layer.digest, size=layer.size, diff_id=said[DIFF_ID]
        )
        about = json.loads(said.get(FACTS, "{}"))
        wheels = {str(sha256): WheelFacts.from_json(item) for sha256, item in about.items()}
    except (AttributeError, KeyError, TypeError, ValueError, RecursionError):
        return None
    described = {key: text for key, text in said.items() if key not in _OF_THE_RESULT}
    known = KnownLayer(made=made, facts=facts, described=described, repository=repository)
    return _Entry(said[KEY], known, wheels)
