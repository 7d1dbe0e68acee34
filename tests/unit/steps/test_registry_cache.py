"""The registry as the cache: which layers it offers, what of that is believed, and what comes of lies."""

from __future__ import annotations

import json
import subprocess
import tracemalloc
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.seen import summary_text
from tests.unit.steps.sampleplan import REFERENCE, Bench, Registry, RegistryServices, elf, make_bench

from crossdock.errors import ArtifactRefusedError, RegistryContentError, RegistryError
from crossdock.oci.model import INDEX, MANIFEST, Blob, Descriptor
from crossdock.steps.registry_cache import (
    DIFF_ID,
    FACTS,
    KEY,
    RECORD_TYPE,
    SEEN,
    RegistryCache,
    read_registry_cache,
)
from crossdock.steps.stack import MOST_LAYERS, LayerForm
from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
ALLOW = """
[[tool.crossdock.verify.exceptions]]
path = "*/pure/data/*"
reason = "data"
expires = "never"
"""
ALLOW_PURE = 'code = "tag-pure"\npackage = "pure"'
FUZZ = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=150)


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Path, str]:
    """A project, the layout of its image, and the image's digest."""
    bench = make_bench(tmp_path_factory.mktemp("cache"))
    built, path = bench.build("first")
    return bench, path, built.root.blob.descriptor.digest


@pytest.fixture
def bench(pushed: tuple[Bench, Path, str]) -> Bench:
    return pushed[0]


@pytest.fixture
def digest(pushed: tuple[Bench, Path, str]) -> str:
    return pushed[2]


@pytest.fixture
def registry(pushed: tuple[Bench, Path, str]) -> Registry:
    registry = Registry()
    registry.push(pushed[1])
    return registry


def read(registry: Registry) -> RegistryCache:
    services = RegistryServices(store=Store(Path("of-no-use")), warn=registry.warnings.append, held=registry)
    return read_registry_cache([REFERENCE], services)


def of_kind(registry: Registry, kind: str) -> list[dict[str, Any]]:
    return [layer for layer in registry.layers() if layer["annotations"]["dev.crossdock.layer"] == kind]


def annotated(name: str, value: Any) -> Callable[[dict[str, Any], dict[str, Any]], None]:
    """Give all layers an annotation; None takes it away."""

    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            layer["annotations"].pop(name)
            if value is not None:
                layer["annotations"][name] = value

    return change


# What honest images offer


def test_every_layer_of_a_pushed_image_is_known_by_its_key(registry: Registry) -> None:
    cache = read(registry)
    for layer in registry.layers():
        said = layer["annotations"]
        described = {key: text for key, text in said.items() if key not in {KEY, DIFF_ID, SEEN, FACTS}}
        known = cache.find(said[KEY], described, layer["mediaType"])
        assert known is not None
        assert known.descriptor.digest == layer["digest"]
        assert f"sha256:{known.made.diff_id}" == said[DIFF_ID]
    assert len(cache.wheels) == 4  # pure, demo, and native for two platforms


def test_a_machine_without_wheels_and_store_builds_the_same_image(
    bench: Bench, registry: Registry, digest: str
) -> None:
    hidden = bench.wheels.rename(bench.folder / "hidden")
    try:
        built, path = bench.build("second", registry)
    finally:
        hidden.rename(bench.wheels)
    assert built.root.blob.descriptor.digest == digest
    assert registry.warnings == []
    assert len(registry.fetched) == len(set(registry.fetched)) > 0
    again = Registry()
    again.push(path)
    assert again.blobs.keys() == registry.blobs.keys()


def test_some_layers_of_the_store_and_some_of_the_registry_make_the_same_image(
    bench: Bench, registry: Registry, digest: str
) -> None:
    bench.only("arm64").build("partly")
    built, _ = bench.build("partly", registry)
    assert built.root.blob.descriptor.digest == digest


def test_a_repository_around_the_project_changes_nothing_in_the_image(digest: str, tmp_path: Path) -> None:
    bench = make_bench(tmp_path)
    author = ("-c", "user.name=a", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q"), ("add", "."), (*author, "commit", "-q", "-m", "x"), ("tag", "v9.9")):
        subprocess.run(["git", *command], cwd=bench.folder / "project", check=True)
    built, _ = bench.build("first")
    assert built.root.blob.descriptor.digest == digest


def test_what_a_registry_says_does_not_become_what_the_store_says(bench: Bench, registry: Registry) -> None:
    bench.build("trusting", registry)
    store = Store(bench.folder / "trusting" / "store")
    for layer in of_kind(registry, "wheels"):
        # The blob is there, and no record says that it is what the recipe gives.
        assert store.find(layer["digest"].removeprefix("sha256:"))
        assert store.action(layer["annotations"][KEY]) is None


def test_zstd_layers_are_others_than_gzip_layers(bench: Bench, registry: Registry) -> None:
    built, path = bench.build("zstd", registry, form=LayerForm(compression="zstd"))
    assert registry.fetched == []
    pushed = Registry()
    pushed.push(path)
    again, _ = bench.build("zstd-again", pushed, form=LayerForm(compression="zstd"))
    assert again.root.blob.descriptor == built.root.blob.descriptor
    assert pushed.fetched


def test_a_layer_that_is_all_right_by_an_exception_only_is_not_offered(tmp_path: Path) -> None:
    # A program in a wheel that says it is for any machine, which on arm64 is one of another machine besides.
    bench = make_bench(tmp_path, {"pure/data/amd64.so": elf("amd64")}, settings=ALLOW)
    built, path = bench.build("first")
    registry = Registry()
    registry.push(path)
    keyed = [KEY in layer["annotations"] for layer in of_kind(registry, "wheels") if "pure" in str(layer)]
    assert keyed == [False, False]

    again, _ = bench.build("second", registry)

    assert again.root.blob.descriptor.digest == built.root.blob.descriptor.digest


def test_an_exception_for_one_path_does_not_let_another_in_by_way_of_the_registry(tmp_path: Path) -> None:
    # Summaries tell one path of a kind: here the one that is allowed.
    files = {"pure/data/a.so": elf("amd64"), "pure/other/b.so": elf("amd64")}
    bench = make_bench(tmp_path, files, settings=ALLOW + ALLOW.replace('path = "*/pure/data/*"', ALLOW_PURE))
    _, path = bench.only("amd64").build("first")
    registry = Registry()
    registry.push(path)
    with pytest.raises(ArtifactRefusedError, match="not what it claims"):
        bench.build("second", registry)


# What is missing, or no image


def test_an_image_that_is_not_there_yet_is_no_reason_to_complain() -> None:
    registry = Registry()
    assert read(registry) == RegistryCache()
    assert registry.warnings == []


def test_an_image_that_cannot_be_read_is_told_without_what_a_terminal_would_obey(registry: Registry) -> None:
    def refuse(version: str = "") -> Blob:
        raise RegistryContentError(f"cannot read {version}", why="it says \x1b[2J")

    registry.manifest = refuse  # type: ignore[method-assign]
    assert read(registry) == RegistryCache()
    assert registry.warnings == [f"{REFERENCE} is not used as a cache: cannot read 1.0: it says \\x1b[2J"]


def test_a_layer_that_the_registry_lost_is_made_again(bench: Bench, registry: Registry, digest: str) -> None:
    lost = of_kind(registry, "wheels")[0]
    del registry.blobs[lost["digest"]]
    cache = read(registry)
    assert lost["annotations"][KEY] not in cache.layers
    assert len(cache.layers) == 4
    built, _ = bench.build("lost", registry)
    assert built.root.blob.descriptor.digest == digest


def test_a_missing_platform_or_config_does_not_hide_the_others(registry: Registry) -> None:
    assert registry.root is not None
    first, second = registry.json(registry.root.digest)["manifests"]
    del registry.blobs[registry.json(second["digest"])["config"]["digest"]]
    assert {layer["annotations"][KEY] for layer in registry.json(first["digest"])["layers"]} == read(
        registry
    ).layers.keys()
    del registry.blobs[first["digest"]]
    assert read(registry).layers == {}
    assert registry.warnings == []


def test_what_is_attached_and_gone_does_not_hide_the_image(registry: Registry) -> None:
    registry.attach(RECORD_TYPE, {"own": {"a" * 64: 1}, "notes": {}})
    registry.attach(RECORD_TYPE, {"own": {"b" * 64: 2}, "notes": {"c": 3}})
    gone = registry.attached[0]
    del registry.blobs[gone.digest]
    cache = read(registry)
    assert (cache.own, cache.notes) == ({"b" * 64: 2}, {"c": 3})
    assert len(cache.layers) == 5


def test_a_registry_that_cannot_list_what_is_attached_still_has_layers(registry: Registry) -> None:
    def refuse(digest: str, artifact_type: str = "") -> list[Descriptor]:
        raise RegistryError(f"cannot list what refers to {digest}", why=artifact_type)

    registry.referrers = refuse  # type: ignore[method-assign]
    assert len(read(registry).layers) == 5
    assert registry.warnings[0].startswith("What is attached to registry.example/team/app:1.0 is not used: cannot list")


# Lies


@pytest.mark.parametrize(
    "value",
    [
        "sha256:" + "0" * 64,  # not the config's
        "sha256:short",
        "",
        None,
        7,
    ],
)
def test_a_layer_whose_diff_id_the_config_does_not_have_is_not_known(registry: Registry, value: Any) -> None:
    registry.change(annotated(DIFF_ID, value))
    assert read(registry).layers == {}


@pytest.mark.parametrize("diff_id", ["sha256:short", "short", "\x1b[2J", "sha512:" + "0" * 128])
def test_a_diff_id_that_is_no_digest_does_not_become_one_of_ours(registry: Registry, diff_id: str) -> None:
    def agree(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        annotated(DIFF_ID, diff_id)(manifest, config)
        config["rootfs"]["diff_ids"] = [diff_id] * len(manifest["layers"])

    registry.change(agree)
    assert read(registry).layers == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("dev.crossdock.scheme", "999"),
        ("dev.crossdock.wheels", "[]"),
        ("dev.crossdock.layer", "project"),
        ("dev.crossdock.more", "more"),
    ],
)
def test_a_layer_of_which_anything_else_is_said_is_made_again(
    bench: Bench, registry: Registry, digest: str, name: str, value: str
) -> None:
    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            if layer["annotations"]["dev.crossdock.layer"] == "wheels":
                layer["annotations"][name] = value

    registry.change(change)
    built, _ = bench.build(f"else-{name}", registry)
    assert built.root.blob.descriptor.digest == digest
    made = {layer["digest"] for layer in of_kind(registry, "wheels")}
    assert made.isdisjoint(registry.fetched)


def test_a_layer_with_other_bytes_than_its_diff_id_is_refused_when_it_is_brought(
    bench: Bench, registry: Registry
) -> None:
    def swap(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        own = manifest["layers"][-2]
        manifest["layers"][-2] = {**manifest["layers"][0], "annotations": own["annotations"]}

    registry.change(swap)
    with pytest.raises(RegistryContentError, match="is not what its image says") as caught:
        bench.build("swapped", registry)
    assert "--no-cache-from" in caught.value.hint


def test_a_size_that_a_registry_makes_up_is_found_out_when_the_wheel_comes(bench: Bench, registry: Registry) -> None:
    def lie(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            said = layer["annotations"]
            if FACTS in said:
                facts = {key: {**value, "size": 1} for key, value in json.loads(said[FACTS]).items()}
                said[FACTS] = json.dumps(facts)
            said[KEY] = "0" * 64  # so that all is made again, of wheels that are fetched

    registry.change(lie)
    with pytest.raises(RegistryContentError, match="bytes, and an image that is used as a cache says 1"):
        bench.build("sized", registry)


HOSTILE_SEEN = [
    {"machines": [["amd64"]]},
    {"machines": [None]},
    {"machines": {"a": []}},
    {"label": "\x1b[2J"},
    {"label": "\ud800"},
    {"label": "x" * 10_000},
    {"bits": []},
    {"bits": 64.0},
    {"hosted": "no"},
    {"managed": 1},
    {"os_abi": 3},
    {"format": []},
]


@pytest.mark.parametrize("change", HOSTILE_SEEN)
def test_programs_of_forms_that_none_has_are_not_believed(
    bench: Bench, registry: Registry, digest: str, change: dict[str, Any]
) -> None:
    program = {"format": "elf", "machines": ["amd64"], "label": "x86-64", "bits": 64, "os_abi": "sysv", **change}
    seen = {"version": 2, "files": 9, "packages": [], "programs": [["a.so", program]]}
    registry.change(annotated(SEEN, summary_text(seen)))
    built, _ = bench.build("hostile-seen", registry)
    assert built.root.blob.descriptor.digest == digest
    assert registry.fetched == []


@pytest.mark.parametrize("text", ["\ud800", "ok\udfff"])
def test_texts_that_cannot_be_written_are_not_believed(registry: Registry, text: str) -> None:
    facts = {"0" * 64: {"size": 1, "site_packages": "x", "scripts": [text], "places": []}}

    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            layer["annotations"][FACTS] = json.dumps(facts)

    registry.change(change)
    assert read(registry) == RegistryCache()


def test_a_record_of_an_own_wheel_with_a_name_that_is_none_is_not_believed(bench: Bench, registry: Registry) -> None:
    from crossdock.projects.firstparty import build_own_wheel

    services = bench.services("own", registry)
    key = build_own_wheel(bench.plan.project, services).key
    records = [
        ("demo-1.0-1\ud800-py3-none-any.whl", "demo"),
        ("demo-1.0-1/../x-py3-none-any.whl", "demo"),
        ("demo-1.0-py3-none-any.whl", "\ud800"),
        ("demo-1.0-py3-none-any.whl", "../../../bin/sh"),
        ("demo-1.0-py3-none-any.whl", 7),
        ("other-1.0-py3-none-any.whl", "demo"),
    ]
    for number, (name, script) in enumerate(records):
        record = {key: {"filename": name, "sha256": "0" * 64, "scripts": [script]}}
        fresh = bench.services(f"own-{number}", registry)
        built = build_own_wheel(bench.plan.project, fresh, known=record)
        assert fresh.store.find(built.sha256), (name, script)


# Images made to keep a machine busy


def test_json_that_is_nested_too_deeply_is_left_out(registry: Registry) -> None:
    deep = b'{"rootfs": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"

    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            layer["annotations"][SEEN] = "[" * 30_000
            layer["annotations"][FACTS] = "[" * 30_000

    registry.change(change)
    assert read(registry).layers == {}
    assert registry.root is not None
    entry = registry.json(registry.root.digest)["manifests"][0]
    manifest = {**registry.json(entry["digest"]), "config": registry.add(deep, "application/json")}
    registry.root = Descriptor.from_json(registry.add(manifest, MANIFEST))
    assert read(registry).layers == {}


def test_more_layers_than_engines_stack_are_no_cache(registry: Registry) -> None:
    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        manifest["layers"] *= MOST_LAYERS
        config["rootfs"]["diff_ids"] *= MOST_LAYERS

    registry.change(change)
    assert read(registry).layers == {}


def test_what_was_seen_is_read_only_where_it_is_wanted(registry: Registry) -> None:
    program = ["a.so", {"format": "elf", "machines": ["amd64"], "label": "x86-64"}]
    seen = summary_text({"version": 2, "files": 1_000_000, "packages": [], "programs": [program] * 20_000})

    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        layer, diff_id = manifest["layers"][0], config["rootfs"]["diff_ids"][0]
        manifest["layers"], config["rootfs"]["diff_ids"] = [], [diff_id] * MOST_LAYERS
        for number in range(MOST_LAYERS):
            said = {**layer["annotations"], SEEN: seen, KEY: f"{config['architecture']}{number}"}
            manifest["layers"].append({**layer, "annotations": said})

    registry.change(change)
    tracemalloc.start()
    cache = read(registry)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(cache.layers) == 2 * MOST_LAYERS
    # All of them read would be 2 * 127 lists of 100,000.
    assert peak < 20_000_000


def test_manifests_beyond_all_measure_are_not_read(registry: Registry) -> None:
    asked: list[str] = []
    real = registry.manifest

    def counting(version: str = "") -> Blob:
        asked.append(version)
        return real(version)

    registry.manifest = counting  # type: ignore[method-assign]
    entries = [{"mediaType": MANIFEST, "digest": f"sha256:{number:064x}", "size": 9} for number in range(20_000)]
    registry.root = Descriptor.from_json(registry.add({"manifests": entries}, INDEX))
    assert read(registry).layers == {}
    assert len(asked) < 50
    asked.clear()
    large = [{**entry, "size": 4 << 20} for entry in entries]
    registry.root = Descriptor.from_json(registry.add({"manifests": large}, INDEX))
    read(registry)
    assert len(asked) < 10


@pytest.mark.parametrize(
    "index",
    [
        {"manifests": None},
        {"manifests": {}},
        {"manifests": [None, 1, "x", [], {}, {"digest": 1}]},
        {"manifests": [{"mediaType": MANIFEST, "digest": "sha256:" + "0" * 64, "size": 10**400}]},
    ],
)
def test_an_index_of_anything_is_no_cache(registry: Registry, index: dict[str, Any]) -> None:
    registry.root = Descriptor.from_json(registry.add(index, INDEX))
    assert read(registry).layers == {}


@FUZZ
@given(value=JSON, place=st.sampled_from(["config", "layers", "annotations", "rootfs", "diff_ids", "descriptor"]))
def test_no_manifest_or_config_that_somebody_made_up_ends_a_build(
    pushed: tuple[Bench, Path, str], value: Any, place: str
) -> None:
    registry = Registry()
    registry.push(pushed[1])

    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        if place == "layers":
            manifest["layers"] = value
        elif place == "annotations":
            manifest["layers"][-1]["annotations"] = value
        elif place == "descriptor":
            manifest["layers"][-1] = value
        elif place == "rootfs":
            config["rootfs"] = value
        elif place == "diff_ids":
            config["rootfs"]["diff_ids"] = value

    registry.change(change)
    if place == "config":
        assert registry.root is not None
        entry = registry.json(registry.root.digest)["manifests"][0]
        manifest = {**registry.json(entry["digest"]), "config": value}
        registry.root = Descriptor.from_json(registry.add(manifest, MANIFEST))
    assert isinstance(read(registry), RegistryCache)


@FUZZ
@given(value=JSON, name=st.sampled_from([KEY, SEEN, FACTS, DIFF_ID]), raw=st.booleans())
def test_no_annotation_that_somebody_made_up_ends_a_build(
    pushed: tuple[Bench, Path, str], value: Any, name: str, raw: bool
) -> None:
    registry = Registry()
    registry.push(pushed[1])

    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        manifest["layers"][-1]["annotations"][name] = value if raw else json.dumps(value)

    registry.change(change)
    cache = read(registry)
    for layer in registry.layers():
        said = layer["annotations"]
        described = {key: text for key, text in said.items() if key not in {KEY, DIFF_ID, SEEN, FACTS}}
        cache.find(str(said[KEY]), described, layer["mediaType"])


@FUZZ
@given(value=JSON, key=st.sampled_from(["own", "notes", ""]))
def test_no_record_that_somebody_made_up_ends_a_build(pushed: tuple[Bench, Path, str], value: Any, key: str) -> None:
    from crossdock.supply.notes import WheelNotes

    registry = Registry()
    registry.push(pushed[1])
    registry.attach(RECORD_TYPE, {"own": {}, "notes": {}, key: value} if key else value)
    for item in read(registry).notes.values():
        try:
            WheelNotes.from_json(item)
        except ValueError:
            continue
