"""An image of a registry as a layout: all of it, each thing once, and no more than an image has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.steps.sampleplan import REFERENCE, Bench, Registry, RegistryServices, make_bench

from crossdock.errors import CrossdockError, RegistryContentError, RegistryNotFoundError
from crossdock.oci.layout_files import read_file
from crossdock.oci.model import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Descriptor
from crossdock.steps.making import StoreScanCache
from crossdock.steps.pulled import PulledLayout, pull_layout, see_layers, stream_layout
from crossdock.store import Store
from crossdock.verify.exceptions import Allowance
from crossdock.verify.image import verify_opened

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.oci.model import Blob
    from crossdock.store.parallel import Cancellation
    from crossdock.verify.report import Report

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Path]:
    bench = make_bench(tmp_path_factory.mktemp("pulled"))
    return bench, bench.build("first")[1]


@pytest.fixture
def image(pushed: tuple[Bench, Path]) -> Registry:
    image = Registry()
    image.push(pushed[1])
    return image


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def pull(image: Registry, store: Store) -> PulledLayout:
    services = RegistryServices(store=store, warn=image.warnings.append, held=image)
    return pull_layout(REFERENCE, services)


def prove(layout: PulledLayout, **options: Any) -> Report:
    """The sample's base has no layers, and so no Python."""
    return verify_opened(layout, "image", allow=[Allowance(path="app/.venv/bin/python*")], **options)


def test_an_image_is_proved_like_one_on_disk(pushed: tuple[Bench, Path], image: Registry, store: Store) -> None:
    layout = pull(image, store)
    report = prove(layout, scan_cache=StoreScanCache(store))
    assert report.ok
    assert len(report.images) == 2
    assert report.images == prove(pull(image, store), scan_cache=StoreScanCache(store)).images
    assert len(image.fetched) == len(set(image.fetched))
    assert pushed[1].joinpath("oci-layout").exists()
    assert json.loads(read_file(layout, "oci-layout")) == {"imageLayoutVersion": "1.0.0"}


def test_what_is_in_the_store_is_not_fetched(image: Registry, store: Store) -> None:
    pull(image, store)
    image.fetched.clear()
    pull(image, store)
    assert image.fetched == []


def test_a_layout_has_only_what_belongs_to_the_image(image: Registry, store: Store) -> None:
    secret = store.add_bytes(b"something else in the store")
    layout = pull(image, store)
    assert layout.size(f"blobs/sha256/{secret}") is None
    assert layout.size("blobs/sha256/../../../secret") is None
    assert layout.size("secret") is None


def test_what_the_registry_has_not_is_told_and_found_missing(image: Registry, store: Store) -> None:
    lost = image.layers()[0]["digest"]
    del image.blobs[lost]
    report = prove(pull(image, store))
    assert not report.ok
    assert "blob-missing" in {finding.code for finding in report.all_findings}
    assert any(lost in warning for warning in image.warnings)


def test_an_image_that_is_not_there_is_an_error(store: Store) -> None:
    with pytest.raises(RegistryNotFoundError):
        pull(Registry(), store)


def test_warnings_hold_nothing_that_a_terminal_would_obey(image: Registry, store: Store) -> None:
    def refuse(descriptor: Descriptor, store: Store, *, cancellation: Cancellation | None = None) -> None:
        raise RegistryContentError("cannot read", why=f"\x1b[2J{store is None}{cancellation is None}{descriptor.size}")

    image.fetch_blob = refuse  # type: ignore[method-assign, assignment]
    pull(image, store)
    assert image.warnings
    assert all(warning.isprintable() for warning in image.warnings)


# Layers that only pass by


def look(image: Registry, store: Store) -> Report:
    services = RegistryServices(store=store, warn=image.warnings.append, held=image)
    layout, cache = stream_layout(REFERENCE, services), StoreScanCache(store)
    return prove(layout, scan_cache=cache, checked=see_layers(layout, cache, services))


def digests(image: Registry) -> set[str]:
    return {layer["digest"] for layer in image.layers()}


def test_layers_pass_by_once_and_are_not_kept(image: Registry, store: Store, tmp_path: Path) -> None:
    report = look(image, store)
    assert report.images == prove(pull(image, Store(tmp_path / "other"))).images
    seen = [digest for digest in image.fetched if digest in digests(image)]
    image.fetched.clear()
    assert look(image, store).images == report.images
    assert len(digests(image)) > 1
    assert set(seen) == digests(image)
    assert all(store.find(digest.removeprefix("sha256:")) is None for digest in digests(image))
    assert image.fetched == []


def test_a_layer_that_is_gone_is_missing_though_it_is_known(image: Registry, store: Store) -> None:
    assert look(image, store).ok
    del image.blobs[image.layers()[0]["digest"]]
    assert "blob-missing" in {finding.code for finding in look(image, store).all_findings}


@pytest.mark.parametrize("damage", [lambda data: data[:-1] + b"x", lambda data: data[:-20], lambda _: b"no layer"])
def test_a_layer_that_is_not_as_its_digest_says_is_found_every_time(
    damage: Callable[[bytes], bytes], image: Registry, store: Store
) -> None:
    digest = image.layers()[0]["digest"]
    image.blobs[digest] = damage(image.blobs[digest])
    for _ in range(2):
        report = look(image, store)
        assert {finding.code for finding in report.all_findings} & {"blob-digest", "blob-unreadable", "layer-digest"}
        assert not report.ok


# Images made to keep a machine busy


def counting(image: Registry) -> list[str]:
    asked: list[str] = []
    real = image.manifest

    def manifest(version: str = "") -> Blob:
        asked.append(version)
        return real(version)

    image.manifest = manifest  # type: ignore[method-assign]
    return asked


def test_what_is_named_over_and_over_is_asked_for_once(image: Registry, store: Store) -> None:
    # 300 to the third power of ways lead to the image.
    assert image.root is not None
    for _ in range(3):
        image.root = Descriptor.from_json(image.add({"manifests": [image.root.to_json()] * 300}, INDEX))
    asked = counting(image)
    assert prove(pull(image, store)).ok
    assert len(asked) == 1 + 3 + 2


def test_an_image_that_is_near_and_far_is_there_whole(image: Registry, store: Store) -> None:
    # The way through many indexes comes first, and ends before the image's own manifests.
    assert image.root is not None
    near = far = image.root
    for _ in range(4):
        far = Descriptor.from_json(image.add({"manifests": [far.to_json()]}, INDEX))
    image.root = Descriptor.from_json(image.add({"manifests": [far.to_json(), near.to_json()]}, INDEX))
    assert prove(pull(image, store)).ok


def test_indexes_without_end_are_left_off(image: Registry, store: Store) -> None:
    assert image.root is not None
    for _ in range(50):
        image.root = Descriptor.from_json(image.add({"manifests": [image.root.to_json()]}, INDEX))
    asked = counting(image)
    assert not prove(pull(image, store)).ok
    assert len(asked) < 10


def test_too_many_manifests_are_an_error(image: Registry, store: Store) -> None:
    entries = [image.add({"layers": [], "number": number}, MANIFEST) for number in range(1500)]
    image.root = Descriptor.from_json(image.add({"manifests": entries}, INDEX))
    with pytest.raises(RegistryContentError, match="more than 1,000 manifests"):
        pull(image, store)


def test_too_many_blobs_are_an_error_before_any_is_fetched(image: Registry, store: Store) -> None:
    layers = [{"mediaType": LAYER_GZIP, "digest": f"sha256:{number:064x}", "size": 1} for number in range(20_001)]
    image.root = Descriptor.from_json(image.add({"layers": layers}, MANIFEST))
    with pytest.raises(RegistryContentError, match="more than 20,000 blobs"):
        pull(image, store)
    assert image.fetched == []


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
@given(value=JSON, key=st.sampled_from(["manifests", "layers", "config"]))
def test_no_image_that_somebody_made_up_is_an_exception_of_another_kind(tmp_path: Path, value: Any, key: str) -> None:
    image = Registry()
    config = image.add({}, CONFIG)
    content = {"layers": [], "config": config, key: value} if key != "manifests" else {key: value}
    image.root = Descriptor.from_json(image.add(content, INDEX if key == "manifests" else MANIFEST))
    try:
        layout = pull(image, Store(tmp_path / "store"))
    except CrossdockError:
        return
    assert not prove(layout).ok
