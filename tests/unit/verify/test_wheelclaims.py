"""What a wheel's file name claims: every machine and C library in its tags, each with the oldest that is said."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import LayoutUnreadableError
from crossdock.verify.wheelclaims import claims_of_wheel, platforms_of_tags


@pytest.mark.parametrize(
    ("tags", "claims"),
    [
        ("cp312-cp312-manylinux_2_17_x86_64.manylinux2014_x86_64", ["linux/amd64 glibc2.17"]),
        ("cp38-abi3-manylinux_2_27_aarch64.manylinux_2_28_aarch64", ["linux/arm64 glibc2.27"]),
        ("cp39-cp39-manylinux1_i686", ["linux/386 glibc2.5"]),
        ("cp312-cp312-musllinux_1_2_armv7l", ["linux/arm musl1.2"]),
        ("cp312-cp312-linux_x86_64", ["linux/amd64"]),
        ("cp312-cp312-macosx_11_0_arm64", ["darwin/arm64 macos11.0"]),
        ("cp312-cp312-macosx_10_13_universal2", ["darwin/amd64 macos10.13", "darwin/arm64 macos10.13"]),
        (
            "py3-none-macosx_10_9_x86_64.macosx_11_0_arm64.macosx_10_9_universal2",
            ["darwin/amd64 macos10.9", "darwin/arm64 macos10.9"],
        ),
        ("cp312-cp312-win_amd64", ["windows/amd64"]),
        ("cp312-cp312-win32", ["windows/386"]),
        (
            "py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.musllinux_1_1_x86_64",
            ["linux/amd64 glibc2.17", "linux/amd64 musl1.1"],
        ),
        ("py2.py3-none-any", ["any"]),
        ("cp312-cp312-pyodide_2024_0_wasm32", ["pyodide/2024_0_wasm32"]),
    ],
)
def test_a_wheel_claims_what_its_tags_say(tags: str, claims: list[str]) -> None:
    name = f"a_b-1.0-{tags}.whl"
    found = claims_of_wheel(name)
    told = [
        " ".join(filter(None, (str(item.platform), str(item.libc or ""), "macos{}.{}".format(*item.macos or ("", "")))))
        .removesuffix("macos.")
        .strip()
        for item in found
    ]
    assert told == claims
    assert {(item.subject, item.wheel, item.targets) for item in found} == {("wheel", name, ())}


@pytest.mark.parametrize("name", ["a.whl", "a-1.0.whl", "a-1.0-py3-none.whl", f"{'a' * 500}-1.0-py3-none-any.whl"])
def test_what_is_no_name_of_a_wheel_is_told(name: str) -> None:
    with pytest.raises(LayoutUnreadableError, match="is not the file name of a wheel"):
        claims_of_wheel(name)


def test_a_name_for_very_many_tags_is_not_taken_apart() -> None:
    with pytest.raises(LayoutUnreadableError):
        claims_of_wheel(f"a-1.0-py3-none-{'.'.join(f'p{n}' for n in range(100))}.whl")


@given(st.lists(st.text(max_size=30), max_size=5))
def test_whatever_a_tag_is_it_promises_something_or_nothing(tags: list[str]) -> None:
    assert len(platforms_of_tags(tags)) <= 2 * len(tags)
