"""What a wheel's tags promise, and whether its programs keep it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.verify.rules.loadtrees import GLIBC, claim, contents, distribution, found, judged, so

from crossdock.headers.linking import Linking
from crossdock.verify.rules.tags import expanded, judge_tags, promise_of

OLD = so("libc.so.6", versions=(("libc.so.6", "GLIBC_2.17"),))
NEW = so("libc.so.6", versions=(("libc.so.6", "GLIBC_2.28"),))
NEW_CXX = so("libstdc++.so.6", versions=(("libstdc++.so.6", "GLIBCXX_3.4.26"),))
MUSL_MODULE = so("libc.musl-x86_64.so.1")
BUNDLE = claim()


def wheel(linking: Linking | None, *tags: str, path: str = "m/core.so", **more: Any) -> Any:
    pure = more.pop("pure", False)
    natives = {path: linking} if linking else {}
    return contents(natives, texts=distribution("m", natives or ["m/__init__.py"], *tags, pure=pure), **more)


@pytest.mark.parametrize(
    ("linking", "tags", "codes"),
    [
        (OLD, ["cp312-cp312-manylinux_2_17_x86_64"], []),
        (NEW, ["cp312-cp312-manylinux_2_28_x86_64"], []),
        (NEW, ["cp312-cp312-manylinux_2_17_x86_64"], ["tag-lie"]),
        (NEW, ["cp312-cp312-manylinux2014_x86_64"], ["tag-lie"]),
        (NEW, ["cp312-cp312-manylinux1_x86_64", "cp312-cp312-manylinux_2_28_x86_64"], ["tag-lie"]),
        (NEW, ["cp312-cp312-linux_x86_64"], []),
        (NEW_CXX, ["cp312-cp312-manylinux_2_28_x86_64"], ["tag-lie"]),
        (NEW_CXX, ["cp312-cp312-manylinux_2_31_x86_64"], []),
        (MUSL_MODULE, ["cp312-cp312-musllinux_1_2_x86_64"], []),
        (MUSL_MODULE, ["cp312-cp312-manylinux_2_17_x86_64"], ["tag-lie"]),
        (OLD, ["cp312-cp312-musllinux_1_2_x86_64"], ["tag-lie"]),
        (OLD, ["py3-none-manylinux_2_17_x86_64", "py3-none-musllinux_1_1_x86_64"], ["tag-lie"]),
        (Linking(static=True), ["py3-none-manylinux_2_17_x86_64", "py3-none-musllinux_1_1_x86_64"], []),
        (OLD, ["cp312-cp312-manylinux_2_17_aarch64"], ["tag-lie"]),
        (OLD, ["cp312-cp312-win_amd64"], ["tag-lie"]),
        (OLD, ["py3-none-any"], ["tag-pure"]),
    ],
)
def test_programs_have_to_keep_what_tags_promise(linking: Linking, tags: list[str], codes: list[str]) -> None:
    result = judged(judge_tags, BUNDLE, wheel(linking, *tags))
    assert result == [(code, "error", "m/core.so") for code in codes]


def test_a_lie_is_told_in_the_users_words() -> None:
    [finding] = found(judge_tags, BUNDLE, wheel(NEW, "cp312-cp312-manylinux_2_17_x86_64"))
    assert finding.sentence == (
        "m 1.0: m/core.so needs GLIBC_2.28 of libc.so.6, but its wheel's tags say glibc 2.17 is enough"
    )


def test_what_is_too_new_for_the_target_is_not_told_of_twice() -> None:
    part = wheel(NEW, "cp312-cp312-manylinux_2_17_x86_64")
    assert judged(judge_tags, claim("linux/amd64+glibc2.24"), part) == []
    assert len(judged(judge_tags, claim("linux/amd64+glibc2.28"), part)) == 1
    assert judged(judge_tags, claim(libc=GLIBC), wheel(MUSL_MODULE, "cp312-cp312-manylinux_2_17_x86_64")) == []


def test_a_lie_about_several_files_is_one() -> None:
    paths = ["m/a.so", "m/b.so", "m/c.so"]
    part = contents(dict.fromkeys(paths, NEW), texts=distribution("m", paths, "cp312-cp312-manylinux1_x86_64"))
    [finding] = found(judge_tags, BUNDLE, part)
    assert "needs GLIBC_2.28 of libc.so.6, as do 2 more" in finding.found


@pytest.mark.parametrize(
    ("minimum", "tag", "machine", "codes"),
    [
        ("10.9", "cp312-cp312-macosx_10_9_x86_64", "amd64", []),
        ("10.13", "cp312-cp312-macosx_10_9_universal2", "amd64", ["tag-lie"]),
        ("11.0", "cp312-cp312-macosx_10_9_universal2", "arm64", []),
        ("12.0", "cp312-cp312-macosx_10_9_universal2", "arm64", ["tag-lie"]),
        ("12.3", "cp312-cp312-macosx_12_0_arm64", "arm64", []),
    ],
)
def test_the_macos_of_tags(minimum: str, tag: str, machine: str, codes: list[str]) -> None:
    part = wheel(Linking(minimum=minimum, system="macos"), tag, machine=machine, binary="macho")
    claimed = claim(f"darwin/{machine}", subject="wheel", wheel=f"m-1.0-{tag}.whl")
    assert [code for code, _, _ in judged(judge_tags, claimed, part)] == codes


@pytest.mark.parametrize(
    ("name", "inside", "severities"),
    [
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", ["cp312-cp312-manylinux2014_x86_64"], ["error"]),
        (
            "cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64",
            ["cp312-cp312-manylinux2014_x86_64", "cp312-cp312-manylinux_2_17_x86_64"],
            [],
        ),
        ("py2.py3-none-manylinux_2_17_x86_64", ["py2.py3-none-manylinux_2_17_x86_64"], []),
        ("cp312-cp312-manylinux_2_17_x86_64", ["cp311-cp311-manylinux_2_17_x86_64"], ["error"]),
        # What a name says less, or says of the C library where only Linux is said, is judged by itself.
        ("cp312-cp312-manylinux_2_17_x86_64", ["cp312-cp312-linux_x86_64"], ["warning"]),
        ("py3-none-manylinux_2_17_x86_64", ["py3-none-any"], ["warning"]),
        ("cp312-cp312-manylinux_2_17_x86_64", ["cp312-cp312-linux_aarch64"], ["error"]),
        ("cp312-cp312-manylinux_2_17_x86_64", [], ["error"]),
    ],
)
def test_a_file_name_and_the_file_inside_say_the_same(name: str, inside: list[str], severities: list[str]) -> None:
    claimed = claim(subject="wheel", wheel=f"m-1.0-{name}.whl")
    result = judged(judge_tags, claimed, wheel(OLD, *inside))
    assert result == [("tag-differs", severity, "m-1.0.dist-info/WHEEL") for severity in severities]


@pytest.mark.parametrize(
    ("path", "linking", "severities"),
    [
        ("m/core.so", OLD, ["error"]),
        ("m/bin/node", Linking(type="executable", interpreter="/lib64/ld-linux-x86-64.so.2"), ["warning"]),
    ],
)
def test_a_wheel_for_any_machine_holds_no_library(path: str, linking: Linking, severities: list[str]) -> None:
    result = judged(judge_tags, BUNDLE, wheel(linking, "py2-none-any", "py3-none-any", path=path, pure=True))
    assert result == [("tag-pure", severity, path) for severity in severities]


def test_a_wheel_with_programs_for_many_machines_knows_what_it_does() -> None:
    paths = ["m/a_amd64.so", "m/a_arm64.so"]
    texts = distribution("m", paths, "py3-none-any", pure=True)
    parts = contents({paths[0]: OLD}, texts=texts), contents({paths[1]: OLD}, machine="arm64")
    assert judged(judge_tags, BUNDLE, *parts) == [("tag-pure", "warning", paths[0])]


def test_what_record_leaves_out_belongs_to_the_wheel() -> None:
    claimed = claim(subject="wheel", wheel="m-1.0-py3-none-any.whl")
    part = contents({"m/core.so": OLD}, texts=distribution("m", ["m/__init__.py"], "py3-none-any", pure=True))
    assert judged(judge_tags, claimed, part) == [("tag-pure", "error", "m/core.so")]


def test_launchers_are_carried_as_data() -> None:
    part = wheel(Linking(type="executable"), "py3-none-any", path="setuptools/cli-64.exe", pure=True, binary="pe")
    assert judged(judge_tags, claim("windows/amd64"), part) == []


@pytest.mark.parametrize(
    ("tags", "pure", "codes"),
    [
        (["cp312-cp312-manylinux_2_17_x86_64"], False, ["native-missing"]),
        (["py3-none-manylinux_2_17_x86_64"], False, ["native-missing"]),
        # Some wheels choose their files by platform without compiling any.
        (["py3-none-manylinux_2_17_x86_64"], True, []),
        (["py3-none-any"], False, []),
    ],
)
def test_a_wheel_for_one_machine_holds_a_program(tags: list[str], pure: bool, codes: list[str]) -> None:
    part = wheel(None, *tags, pure=pure, files=["m/__init__.py"])
    assert judged(judge_tags, BUNDLE, part) == [(code, "error", "m-1.0.dist-info") for code in codes]


def test_a_program_that_record_lists_is_missed_by_others() -> None:
    texts = distribution("m", ["m/core.so"], "cp312-cp312-manylinux_2_17_x86_64")
    assert judged(judge_tags, BUNDLE, contents({}, texts=texts)) == []


def test_tags_are_taken_apart_within_bounds() -> None:
    assert expanded(["py2.py3-none-any"]) == frozenset({"py2-none-any", "py3-none-any"})
    assert expanded([".".join(["a"] * 100) + "-" + ".".join(["b"] * 100) + "-any"]) is None


def test_the_lowest_of_several_tags_counts() -> None:
    promise = promise_of(["manylinux_2_28_x86_64", "manylinux1_x86_64", "manylinux_2_17_aarch64"], "linux", "amd64")
    assert (promise.glibc, promise.musl, promise.here, promise.pure) == ((2, 5), False, True, False)
