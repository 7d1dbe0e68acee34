"""The rules: what is an error, what a warning, and the sentence a user reads."""

from __future__ import annotations

import datetime as dt
import io
from dataclasses import replace
from typing import Any

import pytest
from tests.support.elffiles import build_elf
from tests.support.seentree import contents, dist

from crossdock.verify.claim import Claim
from crossdock.verify.exceptions import Allowance, apply_allowances
from crossdock.verify.finding import Finding
from crossdock.verify.judging import judge
from crossdock.verify.manifests import LayerClaim, judge_layers, judge_platforms
from crossdock.verify.platforms import Platform
from crossdock.verify.proof import prove_bundle
from crossdock.verify.scan import LayerFacts, scan_layer
from crossdock.verify.tree import Tree

TODAY = dt.date(2026, 6, 1)
SITE = "app/.venv/lib/python3.12/site-packages"


@pytest.fixture
def facts_of(make: Any) -> Any:
    def facts_of(files: dict[str, bytes]) -> list[LayerFacts]:
        return [scan_layer(io.BytesIO(make.tar(files)), media_type=make.tar_type)]

    return facts_of


def judged(facts: list[LayerFacts], arch: str = "arm64", variant: str = "", os: str = "linux") -> list[Finding]:
    """Judge the programs of an image."""
    claim = Claim(platform=Platform(os=os, architecture=arch, variant=variant), subject="image")
    return judge(Tree([layer.contents for layer in facts]), claim)


def check(
    facts: list[LayerFacts], arch: str = "arm64", variant: str = "", allow: tuple[str, ...] = ()
) -> list[tuple[str, str]]:
    found = apply_allowances(judged(facts, arch, variant), [Allowance(path=item) for item in allow], TODAY)
    return [(finding.code, finding.severity) for finding in found]


def test_a_wrong_machine_is_told_in_the_users_words(make: Any, facts_of: Any) -> None:
    info = f"{SITE}/numpy-2.1.0.dist-info"
    files = {f"{SITE}/numpy/_core.so": make.elf(62), f"{info}/RECORD": b"numpy/_core.so,,", f"{info}/WHEEL": b""}
    [finding] = judged(facts_of({**files, f"{info}/METADATA": b"Name: numpy\nVersion: 2.1.0\n"}))
    assert finding.sentence == (
        f"numpy 2.1.0: {SITE}/numpy/_core.so is an x86-64 ELF file, but the target linux/arm64 needs aarch64"
    )
    assert finding.hint
    assert finding.to_json()["package"] == "numpy 2.1.0"


@pytest.mark.parametrize(
    ("elf", "arch", "expected"),
    [
        ({"machine": 183}, "arm64", []),
        ({"machine": 62}, "amd64", []),
        ({"machine": 62, "bits": 32}, "amd64", ["elf-machine"]),
        ({"machine": 183, "big": True}, "arm64", ["elf-machine"]),
        ({"machine": 3, "bits": 32}, "amd64", ["elf-machine"]),
        ({"machine": 21, "big": True}, "ppc64le", ["elf-machine"]),
        ({"machine": 22, "big": True}, "s390x", []),
        ({"machine": 247}, "arm64", []),
        ({"machine": 62, "os_abi": 3}, "amd64", []),
        ({"machine": 62, "os_abi": 9}, "amd64", ["elf-os"]),
    ],
)
def test_elf_rules(make: Any, facts_of: Any, elf: dict[str, Any], arch: str, expected: list[str]) -> None:
    assert check(facts_of({"a.so": make.elf(**elf)}), arch) == [(code, "error") for code in expected]


@pytest.mark.parametrize(
    ("variant", "flags", "warned"), [("v7", 0x5000200, True), ("v7", 0x5000400, False), ("v5", 0x5000400, True)]
)
def test_the_float_abi_of_arm(make: Any, facts_of: Any, variant: str, flags: int, warned: bool) -> None:
    facts = facts_of({"a.so": make.elf(40, bits=32, flags=flags)})
    assert check(facts, "arm", variant) == ([("elf-float-abi", "warning")] if warned else [])


@pytest.mark.parametrize(
    ("path", "managed", "expected"),
    [
        (f"{SITE}/setuptools/cli-64.exe", False, ("pe-launcher", "note")),
        (f"{SITE}/numpy/core.pyd", False, ("pe", "error")),
        ("usr/bin/tool.exe", False, ("pe", "error")),
        (f"{SITE}/pythonnet/Runtime.dll", True, ("pe-managed", "warning")),
    ],
)
def test_windows_files(make: Any, facts_of: Any, path: str, managed: bool, expected: tuple[str, str]) -> None:
    assert check(facts_of({path: make.pe(managed=managed)})) == [expected]


def test_macho_and_damaged_elf_are_errors(facts_of: Any) -> None:
    macho = b"\xcf\xfa\xed\xfe\x0c\0\0\x01" + bytes(24)
    assert check(facts_of({"a.so": macho, "b.so": b"\x7fELF\x02"})) == [("macho", "error"), ("elf-undecided", "error")]


def test_a_proof_that_looked_at_nothing_fails(facts_of: Any) -> None:
    assert check(facts_of({})) == [("nothing-read", "error")]
    assert check([]) == [("nothing-read", "error")]


@pytest.mark.parametrize(("os", "arch"), [("linux", "pdp11"), ("darwin", "386"), ("freebsd", "amd64")])
def test_a_platform_without_rules_fails(make: Any, facts_of: Any, os: str, arch: str) -> None:
    [finding] = judged(facts_of({"a": b""}), arch, os=os)
    assert (finding.code, finding.severity) == ("platform-unsupported", "error")


def test_named_exceptions(make: Any, facts_of: Any) -> None:
    facts = facts_of({f"{SITE}/debugpy/attach_x86.so": make.elf(3, bits=32), f"{SITE}/other.so": make.elf(62)})
    assert check(facts, allow=("*/debugpy/*",)) == [("elf-machine", "warning"), ("elf-machine", "error")]
    assert check(facts_of({"a.so": make.elf(183)}), allow=("*/nothing/*",)) == [("allow-unused", "warning")]


def test_lying_digests(facts_of: Any) -> None:
    [facts] = facts_of({"a": b"x"})
    assert judge_layers([LayerClaim(digest=facts.digest, diff_id=facts.diff_id)], [facts]) == []
    found = judge_layers([LayerClaim(digest="sha256:1", diff_id="sha256:2")], [facts])
    assert [finding.code for finding in found] == ["layer-digest", "layer-diff-id"]


@pytest.mark.parametrize(
    ("entry", "config", "severity"),
    [
        (("linux", "arm64", "v8"), ("linux", "arm64", ""), None),
        (("linux", "arm64", ""), ("linux", "amd64", ""), "error"),
        (("linux", "arm", "v7"), ("linux", "arm", "v6"), "error"),
        (("linux", "arm", "v6"), ("linux", "arm", ""), "warning"),
        (("windows", "amd64", ""), ("linux", "amd64", ""), "error"),
    ],
)
def test_index_entry_against_config(
    entry: tuple[str, str, str], config: tuple[str, str, str], severity: str | None
) -> None:
    platforms = [Platform(os=os, architecture=arch, variant=variant) for os, arch, variant in (entry, config)]
    assert [finding.severity for finding in judge_platforms(*platforms)] == ([severity] if severity else [])


def test_a_hostile_path_cannot_drive_the_terminal() -> None:
    finding = Finding(code="x", severity="error", path="a\x1b[2J\udcff\n", found="is odd")
    assert finding.sentence == r"a\x1b[2J\udcff\n is odd"


def test_what_an_upper_layer_replaces_or_hides_is_not_judged(make: Any, facts_of: Any) -> None:
    wrong, right = make.elf(62), make.elf(183)
    lower = facts_of({"app/a.so": wrong, "app/b/c.so": wrong, "app/d.so": wrong, "app/e/f.so": wrong})
    upper = facts_of({"app/a.so": right, "app/b/.wh..wh..opq": b"", "app/.wh.d.so": b"", "app/.wh.e": b""})
    assert [code for code, _ in check(lower)] == ["elf-machine"] * 4
    assert check([*lower, *upper]) == []


def test_a_damaged_file_is_one_finding(make: Any, facts_of: Any) -> None:
    elf = bytearray(make.elf(183))
    elf[54:58] = (56).to_bytes(2, "little") + (9).to_bytes(2, "little")  # nine program headers that are not there
    elf[32:40] = (64).to_bytes(8, "little")
    assert check(facts_of({"a.so": bytes(elf)})) == [("header-damaged", "error")]


def exception(**given: Any) -> Allowance:
    return Allowance(**{"reason": "seen to work", "expires": dt.date(2026, 6, 1), **given})


WRONG = Finding(code="tag-lie", severity="error", path="lib/a.so", package="some-pkg 1.0", found="is odd")


@pytest.mark.parametrize(
    ("given", "helps"),
    [
        ({"code": "tag-lie", "package": "some-pkg"}, True),
        ({"package": "some-pkg"}, True),
        ({"code": "tag-lie", "path": "lib/*"}, True),
        ({"code": "tag-pure", "package": "some-pkg"}, False),
        ({"code": "tag-lie", "package": "other"}, False),
        ({"code": "tag-lie", "path": "bin/*"}, False),
    ],
)
def test_a_named_exception_helps_what_it_names(given: dict[str, str], helps: bool) -> None:
    first, *more = apply_allowances([WRONG], [exception(**given)], TODAY)
    assert (first.severity, "seen to work" in first.hint) == (("warning", True) if helps else ("error", False))
    assert [finding.code for finding in more] == ([] if helps else ["allow-unused"])


def test_an_exception_ends_with_its_last_day() -> None:
    allowance = exception(package="some-pkg")
    [first] = apply_allowances([WRONG], [allowance], TODAY)
    assert first.severity == "warning"
    first, told = apply_allowances([WRONG], [allowance], TODAY + dt.timedelta(days=1))
    assert (first.severity, told.code, told.severity) == ("error", "exception-expired", "warning")
    assert "2026-06-01" in told.found


def test_an_exception_for_a_path_has_to_match_every_file_of_a_finding() -> None:
    wrong = replace(WRONG, others=("lib/b.so", "lib/core/c.so"))
    for path, severity in (("lib/a.so", "error"), ("lib/?.so", "error"), ("lib/*", "warning")):
        assert apply_allowances([wrong], [exception(path=path)], TODAY)[0].severity == severity
    assert apply_allowances([wrong], [exception(package="some-pkg")], TODAY)[0].severity == "warning"
    assert Finding.from_json(wrong.to_json()) == WRONG


def test_no_path_allows_what_is_about_no_file() -> None:
    about_all = replace(WRONG, path="", code="nothing-read")
    assert apply_allowances([about_all], [exception(path="*")], TODAY)[0].severity == "error"


CHANGED = dist(
    "alpha",
    files={"alpha/x.so": b"the program that was recorded", "alpha/__init__.py": ""},
    tag="cp312-abi3-linux_x86_64",
)
PROGRAM = f"{SITE}/alpha/x.so"


def proved(program: bytes, *allow: Allowance) -> list[tuple[str, str]]:
    claim = Claim(platform=Platform(os="linux", architecture="amd64"), subject="bundle")
    report = prove_bundle(claim, [contents({**CHANGED, PROGRAM: program})], allow=allow)
    return [(item.code, item.severity) for item in report.findings if item.path == PROGRAM]


def test_another_program_in_the_place_of_the_recorded_one_is_one_fault(make: Any) -> None:
    assert proved(make.elf(183)) == [("elf-machine", "error")]


def test_what_refuses_nothing_hides_no_change(make: Any) -> None:
    """A note or warning on a program, or an exception for its other fault, says nothing of what RECORD says."""
    changed = ("record-hash", "error")
    tolerated = bytes(build_elf(needed=["libc.so.6"], stack=7).data)
    assert proved(tolerated) == [("executable-stack", "warning"), changed]
    allowed = exception(code="elf-machine", path="*", expires=None)
    assert proved(make.elf(183), allowed) == [("elf-machine", "warning"), changed]


def test_a_bundle_has_no_whiteouts(make: Any) -> None:
    claim = Claim(platform=Platform(os="linux", architecture="amd64"), subject="bundle")
    parts = [contents({"a/x.so": make.elf(183)}), contents({"a/.wh..wh..opq": "", "a/.wh.x.so": ""})]
    assert [finding.code for finding in prove_bundle(claim, parts).findings] == ["elf-machine"]
    hidden = prove_bundle(replace(claim, subject="image"), parts).findings
    assert "elf-machine" not in [finding.code for finding in hidden]


def test_an_exception_without_an_end_holds() -> None:
    [first] = apply_allowances([WRONG], [exception(package="some-pkg", expires=None)], dt.date(9999, 12, 31))
    assert first.severity == "warning"
