"""Making the layers of all images, each once, and looking at every file in them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from crossdock.errors import DamagedLayerError, LayerUnreadableError, RegistryContentError
from crossdock.lockfile.images import LockedLayer
from crossdock.oci.layout_files import sha256_of
from crossdock.oci.model import LAYER_TAR
from crossdock.steps.describing import is_clean
from crossdock.steps.stack import Part
from crossdock.store.actions import action_key
from crossdock.store.parallel import run_parallel
from crossdock.verify.version import FACTS_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from crossdock.layers.cached import LayerRecipe, MadeLayer
    from crossdock.services import Services
    from crossdock.steps.registry_cache import KnownLayer, RegistryCache
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation
    from crossdock.targets import Target
    from crossdock.verify.scan import LayerFacts

__all__ = [
    "FinishedLayer",
    "StoreScanCache",
    "finished_layer",
    "known_layers",
    "make_and_see",
    "make_layers",
    "seen_in",
]


class FinishedLayer:
    """A layer, and what was seen in it.

    Args:
        made: Its digests.
        facts: What was seen; or what gives that when somebody asks, as it is much.
        media_type: How it is compressed.
        remote: Where it is, if it is not in the store.
    """

    def __init__(
        self,
        made: MadeLayer,
        facts: LayerFacts | Callable[[], LayerFacts],
        media_type: str,
        remote: KnownLayer | None = None,
    ) -> None:
        self.made = made
        self.media_type = media_type
        self.remote = remote
        self._facts = facts

    @property
    def facts(self) -> LayerFacts:
        """What was seen in it.

        Raises:
            DamagedLayerError: It is not known any more, and the layer is damaged.
        """
        if callable(self._facts):
            self._facts = self._facts()
        return self._facts


class StoreScanCache:
    """Remembers what was seen in a layer, by its digest, so that it is read once."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def knows(self, digest: str) -> bool:
        """Say whether something is known of a layer, without reading it."""
        return self._store.has_action(_key(digest))

    def get(self, digest: str) -> LayerFacts | None:
        """Give what is known of a layer."""
        from crossdock.verify.scan import LayerFacts

        record = self._store.action(_key(digest))
        try:
            return LayerFacts.from_json(record) if record is not None else None
        except ValueError:
            return None

    def put(self, digest: str, facts: LayerFacts) -> None:
        """Remember it."""
        self._store.record(_key(digest), facts.to_json())


def _key(digest: str) -> str:
    return action_key("layer-facts", version=FACTS_VERSION, digest=digest)


def known_layers(
    images: Sequence[Sequence[Part]], targets: Sequence[Target], cache: RegistryCache, store: Store
) -> dict[str, KnownLayer]:
    """Give the layers that need not be made as a registry has them, by the keys of their recipes.

    What is in the store is better: it is not in what this gives. Nor is a layer that one of its targets takes only by
    an exception for a path: the registry knows few of the paths in it.

    Args:
        images: The layers of each image.
        targets: Of each image.
        cache: What registries know.
        store: What need not come from there.
    """
    found: dict[str, KnownLayer | None] = {}
    for parts, target in zip(images, targets, strict=True):
        for part in parts:
            key, recipe = part.recipe.key, part.recipe
            if key not in found:
                here = recipe.find(store) is not None
                found[key] = None if here else cache.find(key, part.annotations, recipe.media_type)
            layer = found[key]
            if layer is not None and not (_is_as_locked(layer, part) and is_clean(layer.facts, target)):
                found[key] = None
    return {key: layer for key, layer in found.items() if layer is not None}


def _is_as_locked(layer: KnownLayer, part: Part) -> bool:
    """Say whether a base's layer is the one in ``crossdock.lock``: that knows better than any registry."""
    locked = part.inputs
    if not isinstance(locked, LockedLayer):
        return True
    same_blob = locked.media_type == LAYER_TAR or locked.digest == layer.descriptor.digest
    return same_blob and locked.diff_id == f"sha256:{layer.made.diff_id}"


def make_layers(
    images: Sequence[Sequence[Part]],
    known: Mapping[str, KnownLayer],
    services: Services,
    *,
    bring: Callable[[KnownLayer], bool],
    checks: Iterable[Callable[[], None]],
) -> dict[str, FinishedLayer]:
    """Make and read every distinct layer once, several at a time.

    Args:
        images: The layers of each image.
        known: Those that are in a registry.
        services: The store, and how much is done at once.
        bring: Whether a layer in a registry is wanted here.
        checks: What else has to be in order; done at the same time.

    Returns:
        The layers by the keys of their recipes.

    Raises:
        CrossdockError: A layer cannot be made, or a check fails.
    """
    # The largest first: one that is begun last would leave the other workers idle.
    parts = sorted((part for image in images for part in image), key=lambda part: -part.weight)
    distinct = {part.recipe.key: part for part in parts}

    def finish(part: Part, cancellation: Cancellation) -> FinishedLayer:
        remote = known.get(part.recipe.key)
        if remote is None:
            return finished_layer(part.recipe, services.store, cancellation.check)
        if not bring(remote):
            return FinishedLayer(remote.made, remote.facts, part.recipe.media_type, remote)
        facts = _brought(part, remote, services.store, cancellation)
        return FinishedLayer(remote.made, facts, part.recipe.media_type)

    def work(item: Part | Callable[[], None], cancellation: Cancellation) -> FinishedLayer | None:
        return finish(item, cancellation) if isinstance(item, Part) else item()

    items: list[Part | Callable[[], None]] = [*checks, *distinct.values()]
    results = run_parallel(work, items, jobs=services.jobs)
    layers = [result for result in results if result is not None]
    return dict(zip(distinct, layers, strict=True))


def finished_layer(recipe: LayerRecipe, store: Store, check: Callable[[], object] = lambda: None) -> FinishedLayer:
    """Make a layer, if it is not there; what was seen in one that is known is not read yet.

    Args:
        recipe: Of the layer.
        store: Where it goes.
        check: Called again and again meanwhile; what it raises ends that.
    """
    made = recipe.find(store)
    if made is not None and StoreScanCache(store).knows(f"sha256:{made.digest}"):
        return FinishedLayer(made, partial(seen_in, made, recipe.media_type, store), recipe.media_type)
    return FinishedLayer(*make_and_see(recipe, store, check), recipe.media_type)


def make_and_see(
    recipe: LayerRecipe, store: Store, check: Callable[[], object] = lambda: None
) -> tuple[MadeLayer, LayerFacts]:
    """Make a layer, if it is not there, and say what is in it.

    What is seen of a layer that is made here is what was written into it; every other one is read.

    Args:
        recipe: Of the layer.
        store: Where it goes.
        check: Called again and again meanwhile; what it raises ends that.
    """
    from crossdock.verify.looking import ContentsReader
    from crossdock.verify.scan import LayerFacts

    reader = ContentsReader()
    made = recipe.make(store, check, reader)
    if not reader.files:
        return made, seen_in(made, recipe.media_type, store)
    facts = LayerFacts(
        media_type=recipe.media_type,
        digest=f"sha256:{made.digest}",
        size=made.size,
        diff_id=f"sha256:{made.diff_id}",
        contents=reader.contents(),
    )
    StoreScanCache(store).put(facts.digest, facts)
    return made, facts


def seen_in(made: MadeLayer, media_type: str, store: Store) -> LayerFacts:
    """Look at every file of a layer in the store, or remember what was seen.

    Raises:
        LayerUnreadableError: It is dangerous, or no such layer.
        LayerUnsupportedError: It is compressed in a way that cannot be read here.
        DamagedLayerError: It is not what it was any more; it was removed from the store.
    """
    cache, digest = StoreScanCache(store), f"sha256:{made.digest}"
    facts = cache.get(digest)
    # The same bytes may be something else to who takes them for a tar than to who takes them for gzip.
    if facts is not None and (facts.digest, facts.media_type) == (digest, media_type):
        return facts
    from crossdock.verify.scan import scan_layer_file

    path = store.path(made.digest)
    try:
        facts = scan_layer_file(path, media_type)
        actual = facts.digest
    except LayerUnreadableError:
        with path.open("rb") as stream:
            actual = sha256_of(stream)
        if actual == digest:
            raise
    if facts is None or actual != digest:
        store.discard(made.digest)
        raise DamagedLayerError(
            f"The layer {digest} in the cache is damaged",
            why=f"its digest is {actual}",
            hint="it was removed: run the same command again",
            digest=digest,
        )
    cache.put(digest, facts)
    return facts


def _brought(part: Part, remote: KnownLayer, store: Store, cancellation: Cancellation) -> LayerFacts:
    """Bring a layer here; now that its bytes are, what was said of it can be seen to be so."""
    remote.repository.fetch_blob(remote.descriptor, store, cancellation=cancellation)
    facts = seen_in(remote.made, part.recipe.media_type, store)
    if facts.diff_id != f"sha256:{remote.made.diff_id}":
        raise RegistryContentError(
            f"The layer {remote.descriptor.digest} of {remote.repository.name} is not what its image says",
            why=f"its diff_id is {facts.diff_id}, not sha256:{remote.made.diff_id}",
            hint="build with --no-cache-from, and find out who pushed that image",
        )
    # It is not recorded as what the recipe makes: a build that trusts no registry makes the layer itself.
    return facts
