"""Which layers an image is a stack of: their order, what is said of them, and how many there may be."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.steps.sampleplan import FACTS, Bench, choice, make_bench

from crossdock.bases.image_layers import base_layer_recipe
from crossdock.bases.sources import open_source
from crossdock.errors import TooManyLayersError
from crossdock.layers.zstd import zstd_recipe
from crossdock.lockfile.bases import LockedDebianBase, LockedPackage
from crossdock.lockfile.images import LockedImageBase, LockedLayer
from crossdock.lockfile.interpreters import LockedInterpreter
from crossdock.locks import LockedFile
from crossdock.oci.model import LAYER_GZIP, LAYER_TAR, LAYER_ZSTD
from crossdock.projects.firstparty import OwnWheel
from crossdock.steps.stack import MOST_LAYERS, LayerOptions, Part, stack
from crossdock.store import Store
from crossdock.wheels.bytecode import CompilerSpec

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.plan import TargetPlan

OWN = OwnWheel(filename="demo-1.0-py3-none-any.whl", sha256="0" * 64, scripts=())
PYTHON = LockedInterpreter(
    name="https://downloads.example/python.tar.gz",
    architecture="amd64",
    sha256="5" * 64,
    size=7,
    python_version="3.12.8",
    python_path="/opt/python/bin/python3.12",
    libc="glibc",
    libc_version=(2, 17),
)
DEBIAN = LockedDebianBase(
    name="debian:bookworm",
    architecture="amd64",
    requested=(),
    packages=(
        LockedPackage(
            name="python3",
            version="3.11",
            architecture="amd64",
            archive="debian",
            filename="pool/python3.deb",
            size=3,
            sha256="7" * 64,
        ),
    ),
)
COMPILER = CompilerSpec(path="/usr/bin/python3.12", version="3.12.8", magic="cb0d0d0a", cache_tag="cpython-312")


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("stack"))


@pytest.fixture
def part(bench: Bench) -> TargetPlan:
    return bench.plan.targets[0]


def base_of(count: int, media_type: str = LAYER_GZIP) -> LockedImageBase:
    layers = [
        LockedLayer(
            digest=f"sha256:{number:064x}",
            size=10,
            media_type=media_type,
            diff_id=f"sha256:{number if media_type == LAYER_TAR else 1000 + number:064x}",
        )
        for number in range(count)
    ]
    return LockedImageBase(
        name="python:3.12-slim",
        architecture="amd64",
        variant="",
        digest="sha256:" + "a" * 64,
        index="sha256:" + "b" * 64,
        layers=tuple(layers),
        facts=FACTS,
    )


def options_for(folder: Path, part: TargetPlan, **more: Any) -> LayerOptions:
    store = Store(folder / "store")

    def image_base(locked: LockedImageBase) -> list[Any]:
        def source(spec: Any) -> Any:
            return open_source(spec, folder, no_registry)

        return [base_layer_recipe(layer, locked.name, source, store) for layer in locked.layers]

    sizes = {item.file.sha256: item.file.size or 1000 for item in part.selection.choices}
    return LayerOptions(store=store, size_of=sizes, image_base=image_base, compilers={}, **{"warn": print, **more})


def no_registry(reference: object) -> Any:
    raise AssertionError(f"{reference} was asked for")


def kinds(parts: list[Part]) -> list[str]:
    return [part.annotations["dev.crossdock.layer"] for part in parts]


def with_wheels(part: TargetPlan, *sizes: int) -> TargetPlan:
    """The same target with wheels of other sizes, none of which is there."""
    files = [
        LockedFile(filename=f"wheel{number}-1.0-py3-none-any.whl", sha256=f"{number:064x}", size=size)
        for number, size in enumerate(sizes)
    ]
    return replace(part, selection=replace(part.selection, choices=tuple(choice(file) for file in files)))


def test_layers_are_ordered_by_how_seldom_they_change(part: TargetPlan, tmp_path: Path) -> None:
    based = replace(part, base=base_of(2), interpreter=PYTHON)
    parts = stack(based, OWN, options_for(tmp_path, based))
    assert kinds(parts) == ["base", "base", "interpreter", "environment", "wheels", "wheels", "project"]
    names = [
        [wheel["name"] for wheel in json.loads(part.annotations["dev.crossdock.wheels"])]
        for part in parts
        if "dev.crossdock.wheels" in part.annotations
    ]
    assert names == [["pure"], ["native"], ["demo"]]


def test_where_a_base_lies_on_this_machine_is_not_told(part: TargetPlan, tmp_path: Path) -> None:
    based = replace(part, base=replace(base_of(1), name="oci:/home/somebody/base:1.0"))
    bottom = stack(based, OWN, options_for(tmp_path, based))[0]
    assert bottom.annotations["dev.crossdock.base"] == "oci:base:1.0"
    assert "somebody" not in bottom.created_by


def test_layers_of_a_base_are_as_they_are(part: TargetPlan, tmp_path: Path) -> None:
    based = replace(part, base=base_of(2, LAYER_ZSTD))
    store = Store(tmp_path / "store")
    options = options_for(tmp_path, based, recompress=lambda recipe: zstd_recipe(recipe, store))
    first, second, *rest = stack(based, OWN, options)
    assert {item.recipe.media_type for item in (first, second, *rest)} == {LAYER_ZSTD}
    assert first.annotations == {"dev.crossdock.layer": "base", "dev.crossdock.base": "python:3.12-slim"}
    assert first.created_by == "crossdock: layer 1 of python:3.12-slim"
    assert [item.inputs for item in (first, second)] == list(base_of(2, LAYER_ZSTD).layers)


def test_only_what_is_made_here_is_compressed_otherwise(part: TargetPlan, tmp_path: Path) -> None:
    based = replace(part, base=base_of(1), interpreter=PYTHON)
    store = Store(tmp_path / "store")
    plain = stack(based, OWN, options_for(tmp_path, based))
    zstd = stack(based, OWN, options_for(tmp_path, based, recompress=lambda recipe: zstd_recipe(recipe, store)))
    assert [item.recipe.media_type for item in plain] == [LAYER_GZIP] * len(plain)
    assert [item.recipe.media_type for item in zstd] == [LAYER_GZIP] + [LAYER_ZSTD] * (len(zstd) - 1)
    assert [item.annotations for item in zstd] == [item.annotations for item in plain]
    assert {item.recipe.key for item in zstd} & {item.recipe.key for item in plain} == {plain[0].recipe.key}


def test_an_interpreter_is_one_layer_whatever_it_is_laid_over(part: TargetPlan, tmp_path: Path) -> None:
    over = [replace(part, base=base, interpreter=PYTHON) for base in (base_of(1), base_of(3))]
    found = [
        next(item for item in stack(one, OWN, options_for(tmp_path, one)) if item.inputs is PYTHON) for one in over
    ]
    assert found[0].recipe.key == found[1].recipe.key
    assert found[0].annotations == {"dev.crossdock.layer": "interpreter", "dev.crossdock.interpreter": "5" * 64}
    assert "downloads.example" not in found[0].created_by


def test_debians_packages_over_another_base_are_its_interpreter(part: TargetPlan, tmp_path: Path) -> None:
    over = replace(part, base=base_of(1), interpreter=DEBIAN)
    parts = stack(over, OWN, options_for(tmp_path, over))
    assert kinds(parts)[:3] == ["base", "interpreter", "environment"]
    alone = stack(replace(part, base=DEBIAN), OWN, options_for(tmp_path, part))
    assert kinds(alone)[:2] == ["base", "environment"]
    assert alone[0].inputs is parts[1].inputs is DEBIAN
    # A whole system, and what is laid over another one, are not the same files.
    assert alone[0].recipe.key != parts[1].recipe.key


def test_pure_layers_are_the_same_for_every_platform(bench: Bench, tmp_path: Path) -> None:
    stacks = [stack(part, OWN, options_for(tmp_path, part)) for part in bench.plan.targets]
    keys = [[item.recipe.key for item in parts] for parts in stacks]
    same = [one == other for one, other in zip(*keys, strict=True)]
    assert list(zip(kinds(stacks[0]), same, strict=True)) == [
        ("environment", True),
        ("wheels", True),
        ("wheels", False),
        ("project", True),
    ]


def test_bytecode_makes_other_layers_of_wheels_and_says_so(part: TargetPlan, tmp_path: Path) -> None:
    plain = stack(part, OWN, options_for(tmp_path, part))
    compiled = stack(part, OWN, replace(options_for(tmp_path, part), compilers={"3.12": COMPILER}))
    for one, other in zip(plain, compiled, strict=True):
        is_of_wheels = one.annotations["dev.crossdock.layer"] in {"wheels", "project"}
        assert (one.recipe.key != other.recipe.key) == is_of_wheels
        assert ("dev.crossdock.bytecode" in other.annotations) == is_of_wheels
    # Where the interpreter is on this machine is no business of the image.
    assert not any("/usr/bin" in text for item in compiled for text in item.annotations.values())


@pytest.mark.parametrize("media_type", [LAYER_GZIP, LAYER_TAR])
def test_a_base_with_too_many_layers_is_refused(part: TargetPlan, tmp_path: Path, media_type: str) -> None:
    own = len(stack(part, OWN, options_for(tmp_path, part)))
    fits = replace(part, base=base_of(MOST_LAYERS - own, media_type))
    assert len(stack(fits, OWN, options_for(tmp_path, fits))) == MOST_LAYERS == 127
    more = replace(part, base=base_of(MOST_LAYERS - own + 1, media_type))
    with pytest.raises(TooManyLayersError) as caught:
        stack(more, OWN, options_for(tmp_path, more))
    assert caught.value.what == "The image for linux/amd64 would have 128 layers"
    assert f"{MOST_LAYERS - own + 1} of them are those of the base" in caught.value.why
    assert "squash" in caught.value.hint


def test_hundreds_of_large_wheels_do_not_make_too_many_layers(part: TargetPlan, tmp_path: Path) -> None:
    many = with_wheels(part, *[50 << 20] * 400)
    parts = stack(many, OWN, options_for(tmp_path, many))
    assert len(parts) < MOST_LAYERS
    assert sum(len(item.wheels) for item in parts) == 401


def test_a_target_of_another_python_has_other_layers(part: TargetPlan, tmp_path: Path) -> None:
    from crossdock.targets import parse_python

    other = replace(part, target=replace(part.target, python=parse_python("3.13.1")))
    keys = {item.recipe.key for item in stack(part, OWN, options_for(tmp_path, part))}
    assert keys.isdisjoint(item.recipe.key for item in stack(other, OWN, options_for(tmp_path, other)))
