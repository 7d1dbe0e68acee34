"""Layers are made and looked at once; what registries know is used only where it is as good as that."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.support.basemaker import Layer, tar_of
from tests.unit.steps.sampleplan import Registry, elf, target

from crossdock.errors import DamagedLayerError, LayerUnreadableError
from crossdock.layers.cached import LayerRecipe, MadeLayer
from crossdock.lockfile.images import LockedLayer
from crossdock.oci.model import LAYER_GZIP, LAYER_TAR, Descriptor
from crossdock.steps.making import StoreScanCache, known_layers, seen_in
from crossdock.steps.registry_cache import DIFF_ID, KEY, SEEN, OfferedLayer, RegistryCache
from crossdock.steps.stack import Part
from crossdock.store import Store
from crossdock.verify.contents import Contents
from crossdock.verify.scan import scan_layer_file
from crossdock.verify.summary import write_summary

if TYPE_CHECKING:
    from pathlib import Path

LAYER = Layer(tar_of({"a.so": elf("amd64"), "a.txt": b"text"}))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def made(store: Store, layer: Layer = LAYER) -> MadeLayer:
    sha256 = store.add_bytes(layer.packed)
    return MadeLayer(sha256, store.size(sha256), layer.diff_id.removeprefix("sha256:"))


def test_a_layer_is_looked_at_once(store: Store) -> None:
    layer = made(store)
    facts = seen_in(layer, LAYER_GZIP, store)
    assert (facts.diff_id, facts.contents.files, len(facts.contents.binaries)) == (LAYER.diff_id, 2, 1)
    store.discard(layer.digest)
    assert seen_in(layer, LAYER_GZIP, store) == facts


def test_what_was_seen_as_a_tar_says_nothing_of_what_is_in_a_gzip(store: Store) -> None:
    # Somebody may make bytes that are both, have one looked at, and use the other.
    layer = made(store)
    honest = seen_in(layer, LAYER_GZIP, store)
    store.record("0" * 64, None)
    lie = replace(honest, media_type=LAYER_TAR, contents=Contents(files=1), diff_id=honest.digest)
    StoreScanCache(store).put(honest.digest, lie)
    assert seen_in(layer, LAYER_GZIP, store) == honest
    assert seen_in(layer, LAYER_GZIP, store) == honest


@pytest.mark.parametrize("damage", [b"", b"\x1f\x8b", Layer(tar_of({"b": b"other"})).packed])
def test_a_layer_that_was_damaged_is_removed(store: Store, damage: bytes) -> None:
    layer = made(store)
    store.path(layer.digest).write_bytes(damage)
    with pytest.raises(DamagedLayerError, match=f"The layer sha256:{layer.digest} in the cache is damaged") as caught:
        seen_in(layer, LAYER_GZIP, store)
    assert "run the same command again" in caught.value.hint
    assert store.find(layer.digest) is None


def test_a_layer_that_is_whole_and_cannot_be_read_stays(store: Store) -> None:
    sha256 = store.add_bytes(b"no gzip at all")
    with pytest.raises(LayerUnreadableError):
        seen_in(MadeLayer(sha256, 14, sha256), LAYER_GZIP, store)
    assert store.find(sha256) is not None


# What registries know


def offered(tmp_path: Path, layer: Layer = LAYER) -> OfferedLayer:
    elsewhere = Store(tmp_path / "elsewhere")
    one = made(elsewhere, layer)
    facts = scan_layer_file(elsewhere.path(one.digest), LAYER_GZIP)
    said = {"a": "b", KEY: "k", DIFF_ID: layer.diff_id, SEEN: write_summary(facts) or ""}
    descriptor = Descriptor(media_type=LAYER_GZIP, digest=facts.digest, size=facts.size, annotations=said)
    return OfferedLayer(
        descriptor=descriptor,
        media_type=LAYER_GZIP,
        diff_id=layer.diff_id,
        repository=Registry(),  # type: ignore[arg-type]  # nothing is asked of it
    )


def part(key: str = "f" * 64, *, inputs: LockedLayer | None = None) -> Part:
    def write(*_: object) -> str:
        raise AssertionError("the layer was made")

    return Part(LayerRecipe(key, write), "made", {"a": "b"}, inputs=inputs)


AMD64, ARM64 = target("amd64"), target("arm64")


def test_a_layer_that_a_registry_has_is_known(store: Store, tmp_path: Path) -> None:
    cache = RegistryCache(layers={"f" * 64: offered(tmp_path)})
    known = known_layers([[part()]], [AMD64], cache, store)
    assert known["f" * 64].descriptor.digest == offered(tmp_path).descriptor.digest
    assert known_layers([[part("e" * 64)]], [AMD64], cache, store) == {}


def test_the_store_knows_better(store: Store, tmp_path: Path) -> None:
    cache = RegistryCache(layers={"f" * 64: offered(tmp_path)})
    layer = made(store)
    store.record("f" * 64, {"digest": layer.digest, "size": layer.size, "diff_id": layer.diff_id})
    assert known_layers([[part()]], [AMD64], cache, store) == {}
    store.path(layer.digest).write_bytes(b"cut")
    assert known_layers([[part()]], [AMD64], cache, store).keys() == {"f" * 64}


@pytest.mark.parametrize("targets", [[ARM64], [AMD64, ARM64], [ARM64, AMD64]])
def test_a_layer_that_one_of_its_targets_would_refuse_is_not_known(
    store: Store, tmp_path: Path, targets: list[object]
) -> None:
    cache = RegistryCache(layers={"f" * 64: offered(tmp_path)})
    assert known_layers([[part()]] * len(targets), targets, cache, store) == {}  # type: ignore[arg-type]


def test_a_base_layer_is_that_of_the_lock_or_none(store: Store, tmp_path: Path) -> None:
    one = offered(tmp_path)
    cache = RegistryCache(layers={"f" * 64: one})
    locked = LockedLayer(
        digest=one.descriptor.digest, size=one.descriptor.size, media_type=LAYER_GZIP, diff_id=one.diff_id
    )
    for layer, good in [
        (locked, True),
        (replace(locked, digest="sha256:" + "0" * 64), False),
        (replace(locked, diff_id="sha256:" + "0" * 64), False),
        # Compressed here, it has another digest; its content is the locked one.
        (replace(locked, media_type=LAYER_TAR, digest=one.diff_id), True),
        (replace(locked, media_type=LAYER_TAR, digest="sha256:" + "0" * 64, diff_id="sha256:" + "0" * 64), False),
    ]:
        assert bool(known_layers([[part(inputs=layer)]], [AMD64], cache, store)) == good
