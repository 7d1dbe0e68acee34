"""What was seen in a layer, in short: judged and counted like the whole."""

from __future__ import annotations

import base64
import bz2
import json
from typing import Any

import pytest
from tests.support.seen import DIFF_ID, DIGEST, layer_facts, summary_text

from crossdock.headers.binary import Binary
from crossdock.headers.linking import Linking
from crossdock.verify.claim import Claim
from crossdock.verify.contents import Contents
from crossdock.verify.judging import judge
from crossdock.verify.platforms import Platform
from crossdock.verify.scan import LayerFacts
from crossdock.verify.summary import LONGEST_SUMMARY, read_summary, write_summary
from crossdock.verify.tree import Tree

NEEDS = Linking(type="shared", needed=("libc.so.6",), versions=(("libc.so.6", "GLIBC_2.34"),), executable_stack=True)
X86 = Binary(format="elf", machines=("amd64",), label="x86-64", bits=64, os_abi="sysv", linking=(NEEDS,))
ARM = Binary(format="elf", machines=("arm64",), label="aarch64", bits=64, os_abi="sysv")


def again(facts: LayerFacts) -> LayerFacts:
    text = write_summary(facts)
    assert text is not None
    return read_summary(text, media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID)


def test_a_summary_keeps_every_program_and_what_it_needs() -> None:
    facts = layer_facts(("a.so", X86), ("b.so", ARM), ("c.so", X86))
    assert again(facts).contents.binaries == facts.contents.binaries
    assert again(facts).contents.files == 10
    assert not again(facts).contents.whole


def test_a_summary_names_the_distributions() -> None:
    texts = {"lib/a-1.dist-info/METADATA": "Name: A\nVersion: 1.0\nRequires-Dist: b\n", "lib/a-1.dist-info/RECORD": ""}
    facts = LayerFacts(media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID, contents=Contents(files=2, texts=texts))
    [distribution] = Tree([again(facts).contents]).distributions
    assert (distribution.label, distribution.requires, distribution.record) == ("a 1.0", (), None)


def test_a_summary_is_judged_like_the_whole() -> None:
    facts = layer_facts(("a.so", X86), ("b.so", ARM))
    for arch in ("amd64", "arm64"):
        claim = Claim(platform=Platform(os="linux", architecture=arch), subject="layer")
        found = judge(Tree([facts.contents]), claim)
        assert found
        assert judge(Tree([again(facts).contents]), claim) == found


def test_a_layer_of_too_many_different_programs_has_no_summary() -> None:
    odd = [
        (f"{number * 7919:x}.o", Binary(format="elf", machines=(), label=f"{number * 104729:x}"))
        for number in range(20_000)
    ]
    assert write_summary(layer_facts(*odd, files=50_000)) is None


def test_a_layer_of_too_many_programs_has_no_summary() -> None:
    many = tuple(("a.so", ARM) for _ in range(20_001))
    assert write_summary(layer_facts(*many[:-1], files=200_000)) is not None
    assert write_summary(layer_facts(*many, files=200_000)) is None


GOOD = json.loads(bz2.decompress(base64.b64decode(write_summary(layer_facts(("a.so", X86))) or "")))
PROGRAM = {"format": "elf", "machines": ["amd64"], "label": "x86-64"}


@pytest.mark.parametrize(
    "change",
    [
        {"version": 1},
        {"files": -1},
        {"files": 10**9},
        {"files": True},
        {"files": 0},
        {"programs": [["a.so", {"format": "elf"}]]},
        {"programs": [["a.so", {**PROGRAM, "os": "x"}]]},
        {"programs": [["a.so", {**PROGRAM, "format": "x"}]]},
        {"programs": [["a.so", {**PROGRAM, "machines": 3}]]},
        {"programs": [["a.so", {**PROGRAM, "linking": [{"needed": ["\x1b[2J"]}]}]]},
        {"programs": [["a.so", {**PROGRAM, "linking": [{"needed": "libc.so.6"}]}]]},
        {"programs": [["a.so", {**PROGRAM, "linking": [{"versions": [["libc.so.6"]]}]}]]},
        {"programs": [["a.so", {**PROGRAM, "linking": [{"executable_stack": 1}]}]]},
        {"programs": [["a.so", {**PROGRAM, "linking": [{"minimum": None}]}]]},
        {"programs": [["a\nb.so", PROGRAM]]},
        {"programs": [[3, PROGRAM]]},
        {"programs": 3},
        {"packages": [["a", "b"]]},
        {"packages": [["a", "b\nRequires-Dist: c", "1"]]},
        {"packages": None},
    ],
)
def test_what_is_no_summary_is_refused(change: dict[str, Any]) -> None:
    text = summary_text({**GOOD, **change})
    with pytest.raises(ValueError, match=r".+"):
        read_summary(text, media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{}",
        "é",
        "x" * (LONGEST_SUMMARY + 1),
        base64.b64encode(bz2.compress(json.dumps(GOOD).encode())[:-3]).decode(),
        base64.b64encode(bz2.compress(json.dumps(GOOD).encode()) + b"x").decode(),
        base64.b64encode(bz2.compress(b"[" * 100_000)).decode(),
        base64.b64encode(bz2.compress(b'"' + bytes(16 << 20))).decode(),
        base64.b64encode(bz2.compress(b"\xff")).decode(),
    ],
)
def test_what_cannot_be_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_summary(text, media_type="t", digest=DIGEST, size=5, diff_id=DIFF_ID)
