"""Layers of wheels: the bytes of the core, and all that manifests have to know."""

from __future__ import annotations

import hashlib
import json
import resource
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.imagework import members

from crossdock.bazel.handed.layerfile import read_layer
from crossdock.bazel.images.making import write_blob
from crossdock.errors import BazelInputError, OutputError
from crossdock.layers.cached import wheel_recipe
from crossdock.steps.making import make_and_see
from crossdock.steps.wheel_facts import read_wheel_facts
from crossdock.store import Store
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bazel.imagework import Work

    from crossdock.layers.writer import Sink, Witness

SCHEME = posix_venv("app/.venv", "3.11")


@pytest.fixture
def wheels(tmp_path: Path) -> list[Path]:
    return [
        make_wheel(tmp_path, "Second_One", "1.0", {"second/__init__.py": "2\n"}, entry_points={"second": "second:f"}),
        make_wheel(tmp_path, "first", "1.0.0", {"first/__init__.py": "1\n" * 500}),
    ]


def test_the_layer_is_that_of_the_core(work: Work, wheels: list[Path], tmp_path: Path) -> None:
    layer = read_layer(work.layer("both", *wheels))

    store = Store(tmp_path / "store")
    by_name = [(path.name, store.add_file(path)) for path in reversed(wheels)]
    recipe = wheel_recipe(store, by_name, SCHEME)
    made, facts = make_and_see(recipe, store)
    assert (layer.made, layer.facts, layer.key) == (made, facts, recipe.key)
    assert (work.folder / "both.tar.gz").read_bytes() == store.path(made.digest).read_bytes()
    assert [wheel.facts for wheel in layer.wheels] == [read_wheel_facts(store, *item, SCHEME) for item in by_name]
    assert (layer.kind, layer.python, layer.title) == ("wheels", "3.11", "crossdock: first 1.0.0, second-one 1.0")


def test_the_names_are_those_of_the_lock(work: Work, wheels: list[Path]) -> None:
    listed = [item for path in wheels for item in ("--wheel", path)]
    said = ["--distribution", "second.one==1", "--distribution", "first==1.0"]
    outputs = ("--out", work.folder / "l.tar.gz", "--metadata", work.folder / "l.json")
    work.run("layer", "--python", "3.11", *listed, *said, *outputs)
    described = read_layer(work.folder / "l.json").described
    assert [(item["name"], item["version"]) for item in json.loads(described["dev.crossdock.wheels"])] == [
        ("first", "1.0"),
        ("second-one", "1"),
    ]
    # In the other order they are those of other wheels.
    swapped = work.run("layer", "--python", "3.11", *listed, *reversed(said[1::2]), *outputs, code=2)
    assert "unrecognized arguments" in swapped
    wrong = ["--distribution", "first==1.0", "--distribution", "second.one==1"]
    assert "no wheel of 'first==1.0'" in work.run("layer", "--python", "3.11", *listed, *wrong, *outputs, code=2)
    assert "2 wheels and 1 distributions" in work.run("layer", "--python", "3.11", *listed, *said[:2], *outputs, code=2)


def test_a_projects_own_wheel_is_described_as_such(work: Work, wheels: list[Path]) -> None:
    layer = read_layer(work.layer("own", wheels[0], kind="project"))
    sha256 = hashlib.sha256(wheels[0].read_bytes()).hexdigest()
    assert layer.described["dev.crossdock.layer"] == "project"
    assert json.loads(layer.described["dev.crossdock.wheels"]) == [
        {"name": "Second_One", "version": "1.0", "sha256": sha256}
    ]
    assert layer.title == f"crossdock: {wheels[0].name}"
    assert layer.wheels[0].facts.scripts == ("second",)
    assert members(work.folder / "own.tar.gz")["app/.venv/bin/second"][0].mode == 0o755
    work.layer("two", *wheels, kind="project", code=2)


def test_what_is_no_wheel_is_refused_and_nothing_left(work: Work, tmp_path: Path) -> None:
    broken = tmp_path / "broken-1-py3-none-any.whl"
    broken.write_bytes(b"PK")
    work.layer("broken", broken, code=61)
    work.layer("gone", tmp_path / "gone-1-py3-none-any.whl", code=106)
    work.layer("named", tmp_path / "named.zip", code=106)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {broken.name}


def test_what_is_handed_on_is_read_strictly(work: Work, wheels: list[Path]) -> None:
    path = work.layer("first", wheels[1])
    whole = json.loads(path.read_text())
    changes: list[dict[str, object]] = [
        {"version": 2},
        {"kind": "other"},
        {"digest": "md5:1"},
        {"digest": "sha256:" + "0" * 64},
        {"digest": "sha256:" + "F" * 64},
        {"diff_id": "sha256:" + "0" * 64},
        {"diff_id": 5},
        {"size": -1},
        {"size": whole["size"] + 1},
        {"media_type": "other"},
        {"wheels": [{**whole["wheels"][0], "sha256": "../../x"}]},
        {"facts": {}},
        {"wheels": 5},
    ]
    for change in changes:
        path.write_text(json.dumps({**whole, **change}))
        with pytest.raises(BazelInputError, match=r"first\.json is not what it must be"):
            read_layer(path)
    with path.open("wb") as file:
        file.truncate((256 << 20) + 1)
    with pytest.raises(BazelInputError, match="has more than 268,435,456 bytes"):
        read_layer(path)
    path.write_text("{")
    with pytest.raises(BazelInputError, match="is not what it must be"):
        read_layer(path)


def test_who_is_to_blame_for_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    def reading(sink: Sink, _: Witness | None) -> str:
        sink.write(b"some of it")
        return (tmp_path / "gone").read_text()

    with pytest.raises(BazelInputError, match=r"What out\.tar\.gz is made of cannot be read") as caught:
        write_blob(tmp_path / "out.tar.gz", reading)
    assert str(tmp_path / "gone") in caught.value.why
    assert not list(tmp_path.iterdir())

    def writing(sink: Sink, _: Witness | None) -> str:
        sink.write(bytes(1 << 20))
        return "0" * 64

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 10, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"out\.tar\.gz cannot be written") as full:
            write_blob(tmp_path / "out.tar.gz", writing)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "too large" in full.value.why
