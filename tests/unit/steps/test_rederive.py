"""An image's layers made once more from what they say they are made of: every kind of lie is found."""

from __future__ import annotations

import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.basemaker import tar_of
from tests.support.seen import summary_text
from tests.unit.steps.sampleplan import ALLOWED, Bench, Registry, make_bench

from crossdock.errors import CrossdockError, LayoutUnreadableError
from crossdock.oci.layout_files import open_layout
from crossdock.oci.model import INDEX, Descriptor
from crossdock.steps.rederive import Rederived, rederive
from crossdock.steps.registry_cache import DIFF_ID, FACTS, KEY, SEEN
from crossdock.steps.stack import LayerForm
from crossdock.verify.image import verify_opened
from crossdock.wheels.scheme import SCHEME_VERSION

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Change = Callable[[dict[str, Any], dict[str, Any]], None]

OTHER = b"print('planted')\n"


@pytest.fixture(scope="module")
def pushed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bench, Path]:
    bench = make_bench(tmp_path_factory.mktemp("rederive"))
    return bench, bench.build("first")[1]


@pytest.fixture
def bench(pushed: tuple[Bench, Path], monkeypatch: pytest.MonkeyPatch) -> Bench:
    """The project; its wheels are what the index of this machine has."""
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(pushed[0].wheels))
    return pushed[0]


@pytest.fixture
def image(pushed: tuple[Bench, Path]) -> Registry:
    image = Registry()
    image.push(pushed[1])
    return image


class Deep:
    """Makes the layers of an image again, on a machine of its own."""

    def __init__(self, bench: Bench, folder: Path) -> None:
        self._bench, self._folder = bench, folder

    def __call__(self, image: Registry, *, planned: bool = False) -> Rederived:
        layout = open_layout(image.pull(self._folder / f"layout-{len(list(self._folder.iterdir()))}"))
        # Only what the proof lets pass comes here.
        assert verify_opened(layout, "image", allow=ALLOWED).ok
        services = self._bench.services("verifier", Registry())
        return rederive(layout, services, self._bench.plan if planned else None)


@pytest.fixture
def deep(bench: Bench, tmp_path: Path) -> Deep:
    return Deep(bench, tmp_path)


def digests(image: Registry, *kinds: str) -> set[str]:
    return {layer["digest"] for layer in image.layers() if layer["annotations"]["dev.crossdock.layer"] in kinds}


def codes(result: Rederived) -> set[str]:
    return {finding.code for finding in result.findings}


def wheel_layers(manifest: dict[str, Any]) -> list[dict[str, Any]]:
    return [layer for layer in manifest["layers"] if layer["annotations"]["dev.crossdock.layer"] == "wheels"]


def planted(image: Registry, position: int, content: dict[str, bytes]) -> Change:
    """Put another layer in the place of one, with its diff_id wherever there is one."""
    tar = tar_of(content)
    diff_id = f"sha256:{hashlib.sha256(tar).hexdigest()}"

    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        layer = manifest["layers"][position]
        config["rootfs"]["diff_ids"][position] = diff_id
        said = {**layer["annotations"], DIFF_ID: diff_id}
        manifest["layers"][position] = image.add(gzip.compress(tar, mtime=0), layer["mediaType"], annotations=said)

    return change


def saying(name: str, value: str, *, first_only: bool = False) -> Change:
    """Change one annotation of the layers of wheels."""
    done: list[str] = []

    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        if not (first_only and done):
            for layer in wheel_layers(manifest):
                layer["annotations"][name] = value
        done.append(config["architecture"])

    return change


# Honest images


def test_layers_of_wheels_come_out_the_same_without_the_project(image: Registry, deep: Deep) -> None:
    result = deep(image)
    assert set(result.same) == digests(image, "wheels")
    assert result.others.keys() == digests(image, "environment", "project")
    assert result.findings == ()
    reasons = set(result.others.values())
    assert "it is a layer of the kind 'environment', not made of wheels alone" in reasons
    assert "demo 1.0 is on no index by the hash it names" in reasons


def test_every_layer_comes_out_the_same_with_the_project(image: Registry, deep: Deep) -> None:
    result = deep(image, planned=True)
    assert set(result.same) == digests(image, "wheels", "environment", "project")
    assert (result.others, result.findings) == ({}, ())


def test_zstd_layers_come_out_the_same(bench: Bench, deep: Deep) -> None:
    image = Registry()
    image.push(bench.build("zstd", form=LayerForm(compression="zstd"))[1])
    for planned in (True, False):
        result = deep(image, planned=planned)
        assert digests(image, "wheels") <= set(result.same)
        assert result.findings == ()


def test_a_layer_that_is_not_offered_is_one_of_the_projects_all_the_same(image: Registry, deep: Deep) -> None:
    # As it is where an exception for a path was needed, or where there is too much to tell.
    def silent(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in manifest["layers"]:
            for name in (KEY, DIFF_ID, SEEN, FACTS):
                layer["annotations"].pop(name, None)

    image.change(silent)
    result = deep(image, planned=True)
    assert (result.others, result.findings) == ({}, ())


def test_attestations_and_artifacts_beside_an_image_are_none_of_its_layers(image: Registry, deep: Deep) -> None:
    assert image.root is not None
    index = image.json(image.root.digest)
    entry = index["manifests"][0]
    artifact = {
        "schemaVersion": 2,
        "mediaType": entry["mediaType"],
        "config": image.add(b"no JSON at all", "application/x"),
        "layers": [image.add(b"x", "application/x")],
    }
    unknown = {"os": "unknown", "architecture": "unknown"}
    index["manifests"] += [
        image.add(artifact, entry["mediaType"]),
        image.add({**artifact, "annotations": {"a": "b"}}, entry["mediaType"], platform=unknown),
    ]
    image.root = Descriptor.from_json(image.add(index, INDEX))
    result = deep(image, planned=True)
    assert (result.others, result.findings) == ({}, ())


# Other content than is said


@pytest.mark.parametrize("planned", [False, True])
def test_another_layer_in_the_place_of_a_wheels_is_found(image: Registry, deep: Deep, planned: bool) -> None:
    position = next(
        number for number, layer in enumerate(image.layers()) if layer["annotations"]["dev.crossdock.layer"] == "wheels"
    )
    image.change(planted(image, position, {"app/planted.py": OTHER}))
    result = deep(image, planned=planned)
    assert "layer-rederived" in codes(result)
    (finding,) = {item for item in result.findings if item.code == "layer-rederived"}
    assert image.layers()[position]["digest"] in finding.found
    assert image.layers()[position]["digest"] not in result.same


@pytest.mark.parametrize("name", ["environment", "project"])
def test_another_layer_in_the_place_of_the_projects_own_is_found_with_the_project(
    image: Registry, deep: Deep, name: str
) -> None:
    kinds = [layer["annotations"]["dev.crossdock.layer"] for layer in image.layers()]
    # What scripts need stays: their interpreter is missed by every proof.
    image.change(planted(image, kinds.index(name), {"app/planted.py": OTHER, "app/.venv/bin/python": b""}))
    assert codes(deep(image, planned=True)) == {"layer-rederived"}


def test_a_layer_of_another_wheel_is_none_of_the_projects(
    deep: Deep, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It is just what it says, and any index has it; but no lock of the project names it.
    other = make_bench(tmp_path_factory.mktemp("other"), {"pure/more.py": b"more = 1\n"})
    evil = Registry()
    evil.push(other.build("evil")[1])
    monkeypatch.setenv("UV_FIND_LINKS", str(other.wheels))
    assert digests(evil, "wheels") == set(deep(evil).same)
    result = deep(evil, planned=True)
    assert "layer-unplanned" in codes(result)
    pure = next(layer for layer in evil.layers() if '"pure"' in layer["annotations"].get("dev.crossdock.wheels", ""))
    assert any(pure["digest"] in finding.found for finding in result.findings)
    assert pure["digest"] not in result.same


def test_a_layer_that_says_nothing_is_none_of_the_projects(image: Registry, deep: Deep) -> None:
    def add(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        tar = tar_of({"app/more.py": OTHER})
        manifest["layers"].append(image.add(gzip.compress(tar, mtime=0), manifest["layers"][0]["mediaType"]))
        config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(tar).hexdigest()}")

    image.change(add)
    assert "layer-unplanned" in codes(deep(image, planned=True))
    result = deep(image)
    assert "it is nothing that says what it is made of, not made of wheels alone" in result.others.values()


def test_a_proof_that_made_nothing_again_is_none(image: Registry, deep: Deep, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("UV_FIND_LINKS", "")
    assert codes(deep(image)) == {"nothing-rederived"}


# Lies in annotations


LIES = [
    (KEY, "0" * 64),
    (SEEN, summary_text({"files": 9, "programs": [], "packages": [], "version": 2})),
    (FACTS, "{}"),
]


@pytest.mark.parametrize(("name", "value"), LIES)
@pytest.mark.parametrize("first_only", [False, True])
def test_an_annotation_that_lies_is_found_with_the_project(
    image: Registry, deep: Deep, name: str, value: str, first_only: bool
) -> None:
    # Also in one manifest alone: the layers that platforms share are named by several.
    image.change(saying(name, value, first_only=first_only))
    result = deep(image, planned=True)
    assert "layer-annotation" in codes(result)
    assert any(name in finding.found for finding in result.findings)


@pytest.mark.parametrize(("name", "value"), LIES[:2])
@pytest.mark.parametrize("first_only", [False, True])
def test_an_annotation_that_lies_is_found_without_the_project(
    image: Registry, deep: Deep, name: str, value: str, first_only: bool
) -> None:
    image.change(saying(name, value, first_only=first_only))
    result = deep(image)
    assert codes(result) == {"layer-annotation"}
    assert any(name in finding.found for finding in result.findings)


@pytest.mark.parametrize("planned", [False, True])
@pytest.mark.parametrize(
    "lie",
    [
        {"size": 1},
        {"scripts": ["python"]},
        {"places": []},
        {"places": None},
    ],
)
def test_facts_of_a_wheel_that_lie_are_found(image: Registry, deep: Deep, lie: dict[str, Any], planned: bool) -> None:
    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in wheel_layers(manifest):
            facts = json.loads(layer["annotations"][FACTS])
            facts = {sha256: {**about, **lie} for sha256, about in facts.items()}
            layer["annotations"][FACTS] = json.dumps(facts, sort_keys=True, separators=(",", ":"))

    image.change(change)
    result = deep(image, planned=planned)
    assert codes(result) == {"layer-annotation"}
    assert not set(result.same) & digests(image, "wheels")


@pytest.mark.parametrize("planned", [False, True])
def test_facts_of_wheels_that_are_not_in_the_layer_are_found(image: Registry, deep: Deep, planned: bool) -> None:
    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        for layer in wheel_layers(manifest):
            facts = json.loads(layer["annotations"][FACTS])
            facts["0" * 64] = next(iter(facts.values()))
            layer["annotations"][FACTS] = json.dumps(facts, sort_keys=True, separators=(",", ":"))

    image.change(change)
    assert codes(deep(image, planned=planned)) == {"layer-annotation"}


def test_what_a_layer_says_it_is_made_of_is_compared_with_the_project(image: Registry, deep: Deep) -> None:
    image.change(saying("dev.crossdock.wheels", "[]"))
    assert codes(deep(image, planned=True)) == {"layer-annotation"}


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("dev.crossdock.scheme", "999", "it was made by scheme '999'"),
        ("dev.crossdock.wheels", "[" * 100_000, "cannot be read"),
        ("dev.crossdock.wheels", "[1]", "cannot be read"),
        ("dev.crossdock.wheels", '[{"name": [], "version": {}, "sha256": 1}]', "does not say which wheels"),
        ("dev.crossdock.wheels", "[]", "does not say which wheels"),
        (
            "dev.crossdock.wheels",
            json.dumps([{"name": "pure", "version": "9" * 5000, "sha256": "0" * 64}]),
            "does not say which wheels",
        ),
        (FACTS, "[" * 100_000, "cannot be read"),
        (FACTS, "{}", "for which Python"),
        ("dev.crossdock.bytecode", "[1]", "its bytecode is of another interpreter"),
    ],
)
def test_what_cannot_be_made_again_is_told_with_its_reason(
    image: Registry, deep: Deep, name: str, value: str, reason: str
) -> None:
    image.change(saying(name, value))
    result = deep(image)
    assert result.others.keys() >= digests(image, "wheels")
    told = {result.others[digest] for digest in digests(image, "wheels")}
    assert all(reason in text or "there is no python3.12" in text for text in told)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(
    name=st.text(max_size=8) | st.sampled_from(["../../etc", "https://x/", "pure", "-r"]),
    version=st.text(max_size=8) | st.sampled_from(["2.0", "1!0+x", "9" * 5000]),
    sha256=st.text(max_size=8) | st.just("0" * 64),
    python=st.sampled_from(["3.12", "3.99", "3." + "9" * 5000, "2.7", "3.12/../.."]),
)
def test_no_wheel_that_somebody_made_up_is_an_exception_of_another_kind(
    pushed: tuple[Bench, Path], bench: Bench, name: str, version: str, sha256: str, python: str
) -> None:
    said = {
        "dev.crossdock.layer": "wheels",
        "dev.crossdock.scheme": str(SCHEME_VERSION),
        "dev.crossdock.wheels": json.dumps([{"name": name, "version": version, "sha256": sha256}]),
        "dev.crossdock.bytecode": "[]",
        FACTS: json.dumps(
            {
                sha256: {
                    "size": 1,
                    "site_packages": f"app/.venv/lib/python{python}/site-packages",
                    "scripts": [],
                    "places": [],
                }
            }
        ),
    }
    image = Registry()
    image.push(pushed[1])

    def change(manifest: dict[str, Any], _: dict[str, Any]) -> None:
        manifest["layers"] = [{**layer, "annotations": said} for layer in manifest["layers"]]

    image.change(change)
    services = bench.services("verifier", Registry())
    result = rederive(_Memory(image), services)
    assert not result.same
    assert result.others


# Layouts that the proof lets pass and that are no good


class _Memory:
    """A layout of what is in a registry."""

    def __init__(self, image: Registry) -> None:
        assert image.root is not None
        self._files = {f"blobs/sha256/{digest.removeprefix('sha256:')}": data for digest, data in image.blobs.items()}
        self._files["index.json"] = json.dumps({"manifests": [image.root.to_json()]}).encode()

    def size(self, name: str) -> int | None:
        return len(self._files[name]) if name in self._files else None

    def open(self, name: str) -> Any:
        import io

        return io.BytesIO(self._files[name])


def test_layers_below_many_indexes_are_looked_at_too(image: Registry, deep: Deep) -> None:
    image.change(saying(SEEN, "{}"))
    assert image.root is not None
    for _ in range(6):
        image.root = Descriptor.from_json(image.add({"manifests": [image.root.to_json()]}, INDEX))
    assert codes(deep(image)) == {"layer-annotation"}


def test_an_index_that_names_one_image_over_and_over_is_read_once(image: Registry, deep: Deep) -> None:
    assert image.root is not None
    for _ in range(6):
        image.root = Descriptor.from_json(image.add({"manifests": [image.root.to_json()] * 300}, INDEX))
    assert deep(image).findings == ()


def test_an_entry_that_is_only_half_unknown_is_an_image(image: Registry, bench: Bench) -> None:
    # Platforms that no engine takes are looked at, unless the whole is the mark of an attestation.
    image.change(saying(SEEN, "{}"))
    assert image.root is not None
    index = image.json(image.root.digest)
    for entry in index["manifests"]:
        entry["platform"] = {"os": "unknown", "architecture": entry["platform"]["architecture"]}
    image.root = Descriptor.from_json(image.add(index, INDEX))
    assert codes(rederive(_Memory(image), bench.services("verifier", Registry()))) == {"layer-annotation"}


def test_an_entry_without_a_media_type_is_no_way_around(image: Registry, bench: Bench) -> None:
    image.change(saying(SEEN, "{}"))
    assert image.root is not None
    index = image.json(image.root.digest)
    for entry in index["manifests"]:
        del entry["mediaType"]
    image.root = Descriptor.from_json(image.add(index, INDEX))
    assert codes(rederive(_Memory(image), bench.services("verifier", Registry()))) == {"layer-annotation"}


def malformed(kind: str) -> Change:
    def change(manifest: dict[str, Any], config: dict[str, Any]) -> None:
        layer = manifest["layers"][0]
        match kind:
            case "no diff_ids":
                del config["rootfs"]["diff_ids"]
            case "no rootfs":
                config["rootfs"] = "none"
            case "one diff_id less":
                config["rootfs"]["diff_ids"].pop()
            case "a number":
                manifest["layers"][0] = 1
            case "no media type":
                del layer["mediaType"]
            case "size true":
                layer["size"] = True
            case "no list":
                manifest["layers"] = {"a": 1}

    return change


@pytest.mark.parametrize(
    "kind", ["no diff_ids", "no rootfs", "one diff_id less", "a number", "no media type", "size true", "no list"]
)
def test_a_malformed_image_is_an_error_with_a_message(image: Registry, bench: Bench, kind: str) -> None:
    image.change(malformed(kind))
    with pytest.raises(LayoutUnreadableError) as caught:
        rederive(_Memory(image), bench.services("verifier", Registry()))
    assert isinstance(caught.value, CrossdockError)
