"""What was seen in a layer, in short: judged and counted like the whole."""

from __future__ import annotations

import json
from typing import Any

import pytest

from crossdock.verify.binary import Binary
from crossdock.verify.findings import judge
from crossdock.verify.report import count_machines
from crossdock.verify.scan import LayerFacts
from crossdock.verify.summary import LONGEST_SUMMARY, read_summary, write_summary

X86 = Binary(format="elf", machines=("amd64",), label="x86-64", bits=64, os_abi="sysv")
ARM = Binary(format="elf", machines=("arm64",), label="aarch64", bits=64, os_abi="sysv")
DIGEST, DIFF_ID = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def layer(*binaries: tuple[str, Binary], files: int = 10) -> LayerFacts:
    return LayerFacts(
        media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID, tar_size=1024, files=files, binaries=binaries
    )


def again(facts: LayerFacts) -> LayerFacts:
    text = write_summary(facts)
    assert text is not None
    return read_summary(text, media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID)


def test_a_summary_counts_like_the_whole() -> None:
    facts = layer(("a.so", X86), ("b.so", ARM), ("c.so", X86))
    assert count_machines([again(facts)]) == count_machines([facts]) == {"x86-64 ELF": 2, "aarch64 ELF": 1}
    assert again(facts).files == 10
    assert again(layer()) == layer()


def test_a_summary_is_judged_like_the_whole() -> None:
    facts = layer(("a.so", X86), ("b.so", ARM))
    for arch in ("amd64", "arm64"):
        assert judge("linux", arch, "", [again(facts)], {}) == judge("linux", arch, "", [facts], {})


def test_a_layer_of_many_kinds_has_no_summary() -> None:
    odd = [(f"{number}.o", Binary(format="elf", machines=(), label=f"machine {number}")) for number in range(2000)]
    assert write_summary(layer(*odd, files=5000)) is None


def test_a_layer_of_too_many_programs_has_no_summary() -> None:
    many = tuple((f"{number}.so", X86) for number in range(100_001))
    assert write_summary(layer(*many[:-1], files=200_000)) is not None
    assert write_summary(layer(*many, files=200_000)) is None


GOOD = json.loads(write_summary(layer(("a.so", X86))) or "")


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2},
        {"files": -1},
        {"files": 10**9},
        {"files": True},
        {"tar_size": 1 << 60},
        {"programs": [["a.so", 10**12, {"format": "elf", "machines": [], "label": "x"}]]},
        {"programs": [["a.so", 11, {"format": "elf", "machines": [], "label": "x"}]]},
        {"programs": [["a.so", 1, {"format": "elf"}]]},
        {"programs": [["a.so", 1, {"format": "a.out", "machines": [], "label": "x"}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [], "label": 1}]]},
        {"programs": [["a.so", 1, {**GOOD["programs"][0][2], "unknown": 1}]]},
        {"files": 10**6, "programs": [["a.so", 10**6, {"format": "elf", "machines": [], "label": "x"}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [[]], "label": "x"}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [], "label": "\x1b[2J"}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [], "label": "x" * 300}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [], "label": "x", "bits": []}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [], "label": "x", "bits": True}]]},
        {"programs": [["a.so", 1, {"format": "elf", "machines": [], "label": "x", "hosted": 0}]]},
        {"programs": [["a.so"]]},
        {"programs": None},
    ],
)
def test_a_summary_that_somebody_made_up_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_summary(json.dumps({**GOOD, **change}), media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID)


@pytest.mark.parametrize("text", ["", "[]", "{}", "null", "[" * 30_000, " " * (LONGEST_SUMMARY + 1), '{"version": 1}'])
def test_text_that_is_no_summary_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_summary(text, media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID)
