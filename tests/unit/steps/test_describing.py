"""What is written beside a layer: all that another machine needs to use it unseen, or nothing about that."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from tests.support.seen import layer_facts
from tests.unit.steps.sampleplan import Bench, Registry, make_bench, target

from crossdock.headers.binary import Binary
from crossdock.layers.cached import MadeLayer, tree_recipe
from crossdock.oci.model import LAYER_GZIP
from crossdock.steps.describing import facts_text, is_clean, layer_of
from crossdock.steps.making import FinishedLayer
from crossdock.steps.preparing import Prepared, prepare
from crossdock.steps.registry_cache import DIFF_ID, FACTS, KEY, LONGEST_FACTS, SEEN, RegistryCache
from crossdock.steps.stack import LayerForm, Part
from crossdock.steps.wheel_facts import WheelFacts
from crossdock.verify.contents import Contents
from crossdock.verify.summary import read_summary

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.verify.scan import LayerFacts

AMD64, ARM64 = target("amd64"), target("arm64")
X86 = Binary(format="elf", machines=("amd64",), label="x86-64", bits=64, os_abi="sysv")
LAUNCHER = Binary(format="pe", machines=("amd64",), label="x86-64", bits=64)
MADE = MadeLayer("a" * 64, 5, "b" * 64)
OF_THE_RESULT = {KEY, DIFF_ID, SEEN, FACTS}


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    return make_bench(tmp_path_factory.mktemp("describing"))


@pytest.fixture(scope="module")
def ready(bench: Bench) -> Prepared:
    ready = prepare(bench.plan, LayerForm(), RegistryCache(), bench.services("here", Registry()))
    ready.wheels.bring(wheel.sha256 for parts in ready.stacks() for part in parts for wheel in part.wheels)
    return ready


def facts(*binaries: tuple[str, Binary]) -> LayerFacts:
    return layer_facts(
        *binaries,
        media_type=LAYER_GZIP,
        digest=f"sha256:{MADE.digest}",
        size=MADE.size,
        diff_id=f"sha256:{MADE.diff_id}",
    )


def of(parts: Iterable[Part], name: str) -> Part:
    return next(part for part in parts if any(wheel.name == name for wheel in part.wheels))


def test_all_that_another_machine_needs_is_said(ready: Prepared) -> None:
    part = of(ready.stacks()[0], "native")
    said = layer_of(part, FinishedLayer(MADE, facts(("a.so", X86)), LAYER_GZIP), ready.wheels, AMD64).annotations
    assert said.keys() == {*part.annotations, *OF_THE_RESULT}
    assert said[KEY] == part.recipe.key
    assert said[DIFF_ID] == f"sha256:{MADE.diff_id}"
    (wheel,) = part.wheels
    told = json.loads(said[FACTS])
    assert told.keys() == {wheel.sha256}
    assert WheelFacts.from_json(told[wheel.sha256]).scripts == ("native",)


def test_a_layer_without_wheels_has_no_facts_about_any(ready: Prepared) -> None:
    part = next(part for part in ready.stacks()[0] if not part.wheels)
    said = layer_of(part, FinishedLayer(MADE, facts(), LAYER_GZIP), ready.wheels, AMD64).annotations
    assert said.keys() == {*part.annotations, KEY, DIFF_ID, SEEN}


def test_it_is_the_same_whether_the_layer_was_looked_at_or_is_known(ready: Prepared) -> None:
    part = of(ready.stacks()[0], "native")
    seen = facts(("b.so", X86), ("a.so", X86), ("c.exe", replace(X86, hosted=False)))
    texts = {"lib/native-3.0.dist-info/METADATA": "Name: Native\nVersion: 3.0\nRequires-Dist: other\n"}
    seen = replace(seen, contents=replace(seen.contents, texts=texts))
    first = layer_of(part, FinishedLayer(MADE, seen, LAYER_GZIP), ready.wheels, AMD64)
    known = read_summary(
        first.annotations[SEEN], media_type=LAYER_GZIP, digest=seen.digest, size=seen.size, diff_id=seen.diff_id
    )
    assert layer_of(part, FinishedLayer(MADE, known, LAYER_GZIP), ready.wheels, AMD64) == first


def test_a_layer_that_does_not_fit_its_target_is_not_offered(ready: Prepared) -> None:
    part = of(ready.stacks()[1], "native")
    finished = FinishedLayer(MADE, facts(("a.so", X86)), LAYER_GZIP)
    assert layer_of(part, finished, ready.wheels, ARM64).annotations == part.annotations
    assert KEY in layer_of(part, finished, ready.wheels, AMD64).annotations


def test_a_layer_of_too_many_kinds_of_programs_is_not_offered(ready: Prepared) -> None:
    part = of(ready.stacks()[0], "native")
    odd = [(f"{number}.o", replace(X86, label=sha256(b"%d" % number).hexdigest())) for number in range(2000)]
    made = MadeLayer("c" * 64, 5, "d" * 64)  # another layer, as a verdict on one is kept
    said = layer_of(part, FinishedLayer(made, facts(*odd), LAYER_GZIP), ready.wheels, AMD64).annotations
    assert said == part.annotations


def test_a_layer_of_too_many_wheels_is_not_offered(ready: Prepared, monkeypatch: pytest.MonkeyPatch) -> None:
    part = of(ready.stacks()[0], "native")
    long = WheelFacts(size=1, site_packages="x", scripts=tuple("x" * 4000 for _ in range(40)), places=())
    assert len(json.dumps(long.to_json())) > LONGEST_FACTS
    monkeypatch.setattr(ready.wheels, "facts", lambda *_: long)
    assert facts_text(part, ready.wheels, AMD64) is None
    assert layer_of(part, FinishedLayer(MADE, facts(), LAYER_GZIP), ready.wheels, AMD64).annotations == part.annotations


def test_a_layer_of_a_wheel_of_which_nothing_is_known_is_not_offered(bench: Bench) -> None:
    sized = {
        item.file.sha256: WheelFacts(size=10, site_packages="another", scripts=(), places=())
        for part in bench.plan.targets
        for item in part.selection.choices
    }
    ready = prepare(bench.plan, LayerForm(), RegistryCache(wheels=sized), bench.services("elsewhere", Registry()))
    part = of(ready.stacks()[0], "native")
    assert facts_text(part, ready.wheels, AMD64) is None
    assert layer_of(part, FinishedLayer(MADE, facts(), LAYER_GZIP), ready.wheels, AMD64).annotations == part.annotations


def test_a_layer_without_files_is_clean() -> None:
    assert is_clean(replace(facts(), contents=Contents(files=0)), AMD64)


def test_what_is_only_a_warning_is_clean() -> None:
    assert is_clean(facts(("usr/lib/python3/dist-packages/distlib/t64.exe", LAUNCHER)), ARM64)
    assert not is_clean(facts(("usr/bin/t64.exe", LAUNCHER)), ARM64)


def test_the_key_is_a_function_of_what_the_layer_is_made_of_alone(ready: Prepared) -> None:
    recipe = tree_recipe("environment", ["3.12.8", "/usr/bin/python3"], list, encode=False)
    assert ready.stacks()[0][0].recipe.key == recipe.key
    # Known values: a change of them makes every cache in every registry worthless, and has to be meant.
    assert recipe.key == "4e2d6955d32a607515311bbd0e23ee69c40ab1ac80b64db6e92289e65b5dde87"
