"""Which C library a program is for, and how new everything it needs has to be."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.verify.rules.loadtrees import (
    ALPINE,
    ALPINE_LINKS,
    GLIBC,
    LIB,
    MUSL,
    SITE,
    claim,
    contents,
    distribution,
    found,
    image,
    judged,
    so,
)

from crossdock.headers.linking import Linking
from crossdock.targets import parse_platform
from crossdock.verify.loader import libc_kinds
from crossdock.verify.rules.abi import judge_libc, judge_macos, judge_versions, needs_of, wants_above
from crossdock.verify.systems import cxx_runtime_with

GLIBC_MODULE = so("libc.so.6", versions=(("libc.so.6", "GLIBC_2.17"),))
MUSL_MODULE = so("libc.musl-x86_64.so.1")


@pytest.mark.parametrize(
    ("linking", "kinds"),
    [
        (GLIBC_MODULE, {"glibc"}),
        (MUSL_MODULE, {"musl"}),
        (so("libc.so"), {"musl"}),
        (so("libc.so", versions=(("libc.so", "LIBC"),)), {"bionic"}),
        (Linking(interpreter="/lib64/ld-linux-x86-64.so.2"), {"glibc"}),
        (Linking(interpreter="/lib/ld-musl-aarch64.so.1"), {"musl"}),
        (Linking(interpreter="/lib64/ld64.so.2"), {"glibc"}),
        (Linking(static=True), set()),
        (so(), set()),
        # libgcc_s has a version of this name with either C library.
        (so("libgcc_s-2d945d6c.so.1", "libc.so", versions=(("libgcc_s-2d945d6c.so.1", "GLIBC_2.0"),)), {"musl"}),
    ],
)
def test_a_program_shows_its_c_library(linking: Linking, kinds: set[str]) -> None:
    assert libc_kinds(linking) == kinds


@pytest.mark.parametrize(
    ("linking", "libc", "codes"),
    [
        (GLIBC_MODULE, GLIBC, []),
        (MUSL_MODULE, MUSL, []),
        (GLIBC_MODULE, MUSL, ["libc-kind"]),
        (MUSL_MODULE, GLIBC, ["libc-kind"]),
        (Linking(type="executable", static=True), MUSL, []),
        (GLIBC_MODULE, None, []),
    ],
)
def test_the_c_library_of_a_bundle_is_the_targets(linking: Linking, libc: Any, codes: list[str]) -> None:
    part = contents({"a.so": linking})
    assert [code for code, _, _ in judged(judge_libc, claim(libc=libc), part)] == codes
    # One fault brings one finding.
    assert judged(judge_versions, claim(libc=libc), part) == []


def test_the_c_library_of_an_image_is_that_of_its_own_system() -> None:
    alpine = contents({**ALPINE, f"{SITE}/a.so": GLIBC_MODULE, f"{SITE}/b.so": MUSL_MODULE}, links=ALPINE_LINKS)
    [finding] = found(judge_libc, claim(subject="image"), alpine)
    assert finding.sentence == f"{SITE}/a.so needs glibc, but the base has musl"
    debian = image({f"{SITE}/a.so": GLIBC_MODULE, f"{SITE}/b.so": MUSL_MODULE})
    assert judged(judge_libc, claim(subject="image"), debian) == [("libc-kind", "error", f"{SITE}/b.so")]


def test_a_program_may_be_started_by_either_loader_where_both_are() -> None:
    both = image({**ALPINE, "opt/tool": Linking(interpreter="/lib/ld-musl-x86_64.so.1")}, links=ALPINE_LINKS)
    assert judged(judge_libc, claim(subject="image"), both) == []


def needing(*symbols: str, library: str = "libc.so.6") -> Linking:
    return so(library, versions=tuple((library, symbol) for symbol in symbols))


@pytest.mark.parametrize(
    ("linking", "codes"),
    [
        (needing("GLIBC_2.2.5", "GLIBC_2.28"), []),
        (needing("GLIBC_2.29"), ["glibc-floor"]),
        (needing("GLIBC_2.4", "GLIBC_2.34", library="libm.so.6"), ["glibc-floor"]),
        (needing("GLIBC_ABI_DT_RELR"), ["glibc-floor"]),
        (needing("GLIBCXX_3.4.24", "CXXABI_1.3.11", library="libstdc++.so.6"), []),
        (needing("GLIBCXX_3.4.26", library="libstdc++.so.6"), ["libstdcxx-floor"]),
        (needing("CXXABI_1.3.13", library="libstdc++.so.6"), ["libstdcxx-floor"]),
        (needing("GCC_12.0.0", library="libgcc_s.so.1"), ["libstdcxx-floor"]),
        (needing("CXXABI_FLOAT128", library="libstdc++.so.6"), []),
    ],
)
def test_a_bundle_may_need_what_all_systems_with_the_targets_glibc_have(linking: Linking, codes: list[str]) -> None:
    part = contents({"a.so": linking})
    assert [code for code, _, _ in judged(judge_versions, claim("linux/amd64+glibc2.28"), part)] == codes


def test_a_newer_glibc_and_libstdcxx_are_one_fault() -> None:
    part = contents(
        {"a/one.so": needing("GLIBC_2.34"), "a/two.so": needing("GLIBCXX_3.4.30", library="libstdc++.so.6")},
        texts=distribution("a", ["a/one.so", "a/two.so"], "cp312-cp312-manylinux_2_34_x86_64"),
    )
    [finding] = found(judge_versions, claim("linux/amd64+glibc2.28"), part)
    assert finding.sentence == (
        "a 1.0: a/one.so needs glibc 2.34 (GLIBC_2.34 of libc.so.6), but the target has glibc 2.28"
    )


def test_a_libstdcxx_that_is_brought_along_counts_and_not_the_systems() -> None:
    own = so(name="libstdc++.so.6", defines=("GLIBCXX_3.4.33",))
    module = so("libstdc++.so.6", rpath=("$ORIGIN/../a.libs",), versions=(("libstdc++.so.6", "GLIBCXX_3.4.33"),))
    part = contents({"a/one.so": module, "a.libs/libstdc++.so.6": own})
    assert judged(judge_versions, claim("linux/amd64+glibc2.17"), part) == []


@pytest.mark.parametrize(
    ("linking", "codes"),
    [
        (needing("GLIBC_2.36"), []),
        (needing("GLIBC_PRIVATE", "GLIBC_ABI_DT_RELR"), []),
        (needing("GLIBC_2.38"), ["glibc-floor"]),
        (needing("GLIBCXX_3.4.30", library="libstdc++.so.6"), []),
        (needing("GLIBCXX_3.4.32", library="libstdc++.so.6"), ["libstdcxx-floor"]),
    ],
)
def test_an_image_has_what_its_own_libraries_define(linking: Linking, codes: list[str]) -> None:
    part = image({f"{SITE}/a.so": linking})
    assert [code for code, _, _ in judged(judge_versions, claim(subject="image"), part)] == codes


def test_the_floor_of_an_image_counts_once_somebody_named_it() -> None:
    part = image({f"{SITE}/a.so": needing("GLIBC_2.34"), f"{LIB}/libz.so.1": needing("GLIBC_2.34")})
    assert judged(judge_versions, claim("linux/amd64", "3.12", subject="image"), part) == []
    assert judged(judge_versions, claim("linux/amd64+glibc2.28", "3.12", subject="image"), part) == [
        ("glibc-floor", "error", f"{SITE}/a.so")
    ]


def test_a_version_that_the_library_found_lacks_is_an_error() -> None:
    natives = {
        "a/one.so": so("libx.so.1", rpath=("$ORIGIN",), versions=(("libx.so.1", "X_2"), ("libx.so.1", "X_1"))),
        "a/libx.so.1": so(name="libx.so.1", defines=("X_1",)),
        "b/two.so": so("liby.so.1", rpath=("$ORIGIN",), versions=(("liby.so.1", "Y_1"),)),
        "b/liby.so.1": so(name="liby.so.1"),
    }
    [finding] = found(judge_versions, claim(), contents(natives))
    assert finding.code == "symbol-version"
    assert finding.sentence == "a/one.so needs X_2 of libx.so.1, but the library that it finds there lacks that"


def test_a_summary_of_a_base_is_enough_for_its_versions() -> None:
    base = contents({f"{LIB}/libc.so.6": so(name="libc.so.6", defines=("GLIBC_2.2.5", "GLIBC_2.31"))}, whole=False)
    app = contents({f"{SITE}/a.so": needing("GLIBC_2.34")})
    [finding] = found(judge_versions, claim(subject="image"), base, app)
    assert finding.wanted == "the base has glibc 2.31"


@pytest.mark.parametrize(
    ("glibc", "machine", "glibcxx"),
    [
        ((2, 5), "amd64", (3, 4, 8)),
        ((2, 17), "arm64", (3, 4, 19)),
        ((2, 26), "amd64", (3, 4, 22)),
        ((2, 26), "arm64", (3, 4, 24)),
        ((2, 30), "amd64", (3, 4, 24)),
        ((2, 36), "amd64", (3, 4, 30)),
    ],
)
def test_a_glibc_comes_with_a_libstdcxx(glibc: tuple[int, int], machine: str, glibcxx: tuple[int, ...]) -> None:
    runtime = cxx_runtime_with(glibc, machine)
    assert runtime is not None
    assert runtime.glibcxx == glibcxx


def test_nothing_is_said_of_glibcs_that_there_are_no_facts_about() -> None:
    assert cxx_runtime_with((2, 4), "amd64") is None
    assert cxx_runtime_with((2, 60), "amd64") is None


def test_centos_7_has_a_symbol_of_2_18_on_arm64_only() -> None:
    versions = [("libc.so.6", "GLIBC_2.18")]
    assert wants_above(versions, (2, 17), "arm64") == (None, None)
    need, _ = wants_above(versions, (2, 17), "amd64")
    assert need is not None
    assert need.symbol == "GLIBC_2.18"


def test_versions_are_compared_as_numbers() -> None:
    assert needs_of([("libc.so.6", "GLIBC_2.9"), ("libc.so.6", "GLIBC_2.17")])["GLIBC"].symbol == "GLIBC_2.17"
    assert needs_of([("libx.so", "GLIBC_x"), ("libx.so", "X_1")]) == {}


@pytest.mark.parametrize(
    ("minimum", "platform", "expected"),
    [
        ("10.9", "darwin/amd64+macos10.12", []),
        ("10.13", "darwin/amd64+macos10.12", ["error"]),
        ("10.9", "darwin/arm64+macos11.0", []),
        ("14.0", "darwin/arm64+macos13.0", ["error"]),
        # Tags and installers tell major versions only.
        ("12.3", "darwin/arm64+macos12.0", ["note"]),
        ("", "darwin/arm64+macos11.0", []),
    ],
)
def test_the_floor_of_macos(minimum: str, platform: str, expected: list[str]) -> None:
    machine = parse_platform(platform).arch
    part = contents({"a.so": Linking(minimum=minimum, system="macos")}, machine=machine, binary="macho")
    assert judged(judge_macos, claim(platform), part) == [("macos-floor", severity, "a.so") for severity in expected]


def test_code_for_another_system_of_apples_is_refused() -> None:
    part = contents({"a.so": Linking(system="ios", minimum="17.0")}, machine="arm64", binary="macho")
    assert judged(judge_macos, claim("darwin/arm64+macos11.0"), part) == [("macho-system", "error", "a.so")]
