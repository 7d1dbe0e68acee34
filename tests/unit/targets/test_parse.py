"""How targets are spelled, what OCI calls them, and what is refused."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossdock.errors import TargetError, UnknownTargetError
from crossdock.targets import ARCHITECTURES, Libc, Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.mark.parametrize(
    ("text", "canonical", "libc"),
    [
        ("linux/amd64", "linux/amd64", "glibc2.17"),
        ("linux/arm64", "linux/arm64", "glibc2.17"),
        ("linux/arm64/v8", "linux/arm64", "glibc2.17"),
        ("linux_x86_64", "linux/amd64", "glibc2.17"),
        ("linux_amd64", "linux/amd64", "glibc2.17"),
        ("linux_arm64", "linux/arm64", "glibc2.17"),
        ("LINUX/AArch64", "linux/arm64", "glibc2.17"),
        ("aarch64-unknown-linux-gnu", "linux/arm64", "glibc2.17"),
        ("x86_64-pc-linux-gnu", "linux/amd64", "glibc2.17"),
        ("x86_64-unknown-linux-musl", "linux/amd64", "musl1.2"),
        ("aarch64-linux-gnu", "linux/arm64", "glibc2.17"),
        ("armv7-unknown-linux-gnueabihf", "linux/arm", "glibc2.17"),
        ("linux/arm/v7", "linux/arm", "glibc2.17"),
        ("linux/amd64/v3", "linux/amd64/v3", "glibc2.17"),
        ("linux/arm64+glibc2.28", "linux/arm64", "glibc2.28"),
        ("linux/amd64+musl", "linux/amd64", "musl1.2"),
        (" linux/386+musl1.1 ", "linux/386", "musl1.1"),
    ],
)
def test_spellings_of_one_platform(text: str, canonical: str, libc: str) -> None:
    platform = parse_platform(text)

    assert (str(platform), str(platform.libc)) == (canonical, libc)


@pytest.mark.parametrize(
    ("text", "oci"),
    [
        ("linux/amd64", {"os": "linux", "architecture": "amd64"}),
        ("linux/amd64/v3", {"os": "linux", "architecture": "amd64", "variant": "v3"}),
        ("linux/arm64", {"os": "linux", "architecture": "arm64", "variant": "v8"}),
        ("linux/arm", {"os": "linux", "architecture": "arm", "variant": "v7"}),
    ],
)
def test_oci_platform(text: str, oci: dict[str, str]) -> None:
    assert parse_platform(text).oci == oci


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not spelled"),
        ("arm64", "not spelled"),
        ("freebsd/amd64", "operating system 'freebsd'"),
        ("linux/sparc", "architecture 'sparc'"),
        ("linux/arm64/v9", "no variant 'v9', only v8"),
        ("linux/s390x/v1", "no variant 'v1'"),
        ("linux/arm64+glibc2.5", "starts at glibc 2.17"),
        ("linux/amd64+uclibc", "not spelled"),
        ("linux/amd64\nlinux/arm64", "not spelled"),
    ],
)
def test_what_is_no_platform_says_why(text: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        parse_platform(text)


@given(
    arch=st.sampled_from(sorted(ARCHITECTURES)),
    libc=st.one_of(
        st.builds(Libc, st.just("glibc"), st.tuples(st.just(2), st.integers(17, 99))),
        st.builds(Libc, st.just("musl"), st.tuples(st.just(1), st.integers(0, 9))),
    ),
    data=st.data(),
)
def test_what_is_printed_can_be_read_again(arch: str, libc: Libc, data: st.DataObject) -> None:
    variant = data.draw(st.sampled_from(["", *(f"/{name}" for name in ARCHITECTURES[arch].variants)]))
    platform = parse_platform(f"linux/{arch}{variant}+{libc}")

    assert parse_platform(f"{platform}+{platform.libc}") == platform


@pytest.mark.parametrize("parse", [parse_platform, parse_python])
@given(text=st.text(max_size=40))
def test_random_text_is_a_clear_error(parse: Callable[[str], object], text: str) -> None:
    assume(not re.search(r"[0-9]", text))  # every spelling of a Python or an architecture has a digit, but "arm"
    assume("arm" not in text.lower())

    with pytest.raises(UnknownTargetError, match="hint: "):
        parse(text)


@pytest.mark.parametrize(
    ("text", "full", "abi"),
    [
        ("3.11", "3.11.0", "cp311"),
        ("3.11.2", "3.11.2", "cp311"),
        ("cpython-3.9", "3.9.0", "cp39"),
        ("3.15.0rc1", "3.15.0rc1", "cp315"),
    ],
)
def test_pythons(text: str, full: str, abi: str) -> None:
    python = parse_python(text)

    assert (python.full_version, python.abi) == (full, abi)


@pytest.mark.parametrize("text", ["", "3", "2.7", "3.x", "3.11.2.1", "pypy3.10"])
def test_what_is_no_python(text: str) -> None:
    with pytest.raises(UnknownTargetError, match=r"write 3\.11"):
        parse_python(text)


def test_a_target_prints_all_that_decides() -> None:
    target = Target(parse_platform("linux/arm64+glibc2.28"), parse_python("3.11.2"))

    assert str(target) == "linux/arm64+glibc2.28 (cpython 3.11.2)"
