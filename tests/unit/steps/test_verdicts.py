"""Verdicts that are kept: taken again for the same question only."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.layers.cached import MadeLayer
from crossdock.oci.model import LAYER_GZIP, LAYER_ZSTD
from crossdock.steps.making import FinishedLayer
from crossdock.steps.verdicts import image_verdict, layer_verdict
from crossdock.store.blobs import Store
from crossdock.targets import Target, parse_platform, parse_python
from crossdock.verify.claim import ImageConfig
from crossdock.verify.exceptions import Allowance
from crossdock.verify.report import ImageReport
from crossdock.verify.targets import claim_of

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.verify.claim import Claim

MADE = MadeLayer("a" * 64, 5, "b" * 64)


def layer(media_type: str = LAYER_GZIP, *, remote: Any = None) -> FinishedLayer:
    def facts() -> Any:
        raise AssertionError("nobody asks for them")

    return FinishedLayer(MADE, facts, media_type, remote)


def target(platform: str = "linux/amd64", python: str = "3.12") -> Target:
    return Target(parse_platform(platform), parse_python(python))


def claim(platform: str = "linux/amd64", **changed: Any) -> Claim:
    config = ImageConfig(entrypoint=("app",))
    return replace(claim_of(target(platform), "image", wheels=["a-1-py3-none-any.whl"], config=config), **changed)


REPORT = ImageReport(
    platform=claim().platform,
    digest="sha256:1",
    layers=1,
    files=2,
    packages=1,
    machines={"x86-64 ELF": 2},
    findings=(),
    natives_by_package={"a": 2},
)


class Asked:
    """Asks for a verdict, and tells whether anything was judged for it."""

    def __init__(self, path: Path) -> None:
        self._store = Store(path)
        self.report = REPORT

    def image(self, said: Claim, *layers: FinishedLayer, allow: tuple[Allowance, ...] = ()) -> bool:
        judged = []

        def prove() -> ImageReport:
            judged.append(1)
            return self.report

        layers = layers or (layer(),)
        assert image_verdict(said, layers, "sha256:1", allow, self._store, prove) == self.report
        return bool(judged)

    def layer(self, of: FinishedLayer, wanted: Target) -> bool:
        judged = []

        def decide(_layer: FinishedLayer, _target: Target) -> str | None:
            judged.append(1)
            return "seen"

        assert layer_verdict(of, wanted, self._store, decide) == "seen"
        return bool(judged)


@pytest.fixture
def asked(tmp_path: Path) -> Asked:
    return Asked(tmp_path)


def test_the_same_is_judged_once_and_told_whole(asked: Asked) -> None:
    assert asked.image(claim())
    assert not asked.image(claim())
    assert asked.layer(layer(), target())
    assert not asked.layer(layer(), target())


@pytest.mark.parametrize(
    "other",
    [
        claim("linux/amd64+glibc2.17"),  # as the default, but asked for: what is newer is refused then
        claim("linux/amd64+musl"),
        claim("linux/arm64"),
        claim(lock=None),
        claim(lock={"a": "2"}),
        claim(waived=frozenset({"b"})),
        claim(config=ImageConfig(entrypoint=("app",), user="0")),
        claim(config=None),
        claim(subject="layer"),
        claim(targets=(replace(target(), marker_values=(("platform_release", "6"),)),)),
        claim(targets=(target(python="3.12.1"),)),
        claim(targets=(target(python="3.13t"),)),
    ],
    ids=range(12),
)
def test_another_claim_is_another_question(asked: Asked, other: Claim) -> None:
    assert asked.image(claim())
    assert asked.image(other)
    assert not asked.image(claim())


def test_so_is_another_exception_or_one_that_ended(asked: Asked) -> None:
    today = dt.datetime.now(dt.UTC).date()
    one = Allowance(path="*.so", reason="seen", expires=today)
    assert asked.image(claim())
    assert asked.image(claim(), allow=(one,))
    assert not asked.image(claim(), allow=(one,))
    assert asked.image(claim(), allow=(replace(one, expires=today - dt.timedelta(days=1)),))
    assert asked.image(claim(), allow=(replace(one, code="tag-lie"),))


@pytest.mark.parametrize("name", ["FACTS_VERSION", "RULES_VERSION"])
def test_so_is_what_newer_rules_say_and_what_newer_readers_see(
    asked: Asked, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (asked.image(claim()), asked.layer(layer(), target())) == (True, True)
    monkeypatch.setattr(f"crossdock.steps.verdicts.{name}", 1_000)
    assert (asked.image(claim()), asked.layer(layer(), target())) == (True, True)


def test_a_layers_verdict_is_for_a_target_and_a_way_to_read_it(asked: Asked) -> None:
    assert asked.layer(layer(), target())
    assert asked.layer(layer(LAYER_ZSTD), target())
    assert asked.layer(layer(), target("linux/amd64+glibc2.17"))
    assert asked.layer(layer(), target(python="3.13"))


def test_what_a_registry_says_is_judged_each_time(asked: Asked) -> None:
    for _ in range(2):
        assert asked.image(claim(), layer(remote=object()))
        assert asked.layer(layer(remote=object()), target())
