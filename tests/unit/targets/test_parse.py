"""How targets are spelled, what OCI calls them, and what is refused."""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from crossdock.errors import CrossdockError, TargetError, UnknownTargetError
from crossdock.targets import ARCHITECTURES, Libc, Target, parse_platform, parse_python, parse_target

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
        ("darwin/arm64", {"os": "darwin", "architecture": "arm64"}),
        ("windows/arm64", {"os": "windows", "architecture": "arm64"}),
        ("windows/386", {"os": "windows", "architecture": "386"}),
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
        ("linux/amd64+", "not spelled"),
        ("linux/amd64+2.28", "glibc or musl"),
        ("linux/amd64+glibc3.0", "there is no glibc 3.0"),
        ("linux/amd64+glibc2.999", "there is no glibc 2.999"),
        ("linux/amd64+musl2.0", "there is no musl 2.0"),
        ("linux/amd64+macos11.0", "glibc or musl"),
        ("linux/amd64+glibc2." + "9" * 5000, "not spelled"),
        ("darwin/386", "darwin runs on arm64, amd64"),
        ("darwin/arm64+macos10.15", "starts at macOS 11.0"),
        ("darwin/amd64+macos10.6", "starts at macOS 10.9"),
        ("darwin/amd64+macos10.17", "there is no macOS 10.17"),
        ("darwin/arm64+macos16.0", "there is no macOS 16.0"),
        ("darwin/arm64+glibc2.28", "macOS has no glibc"),
        ("windows/riscv64", "windows runs on amd64, arm64, 386"),
        ("windows/amd64+glibc2.28", "Windows has no floor"),
        ("windows/amd64+10.0", "Windows has no floor"),
        ("x86_64-unknown-linux-msvc", "another ABI"),
        ("x86_64-apple-darwin-gnu", "another ABI"),
    ],
)
def test_what_is_no_platform_says_why(text: str, message: str) -> None:
    with pytest.raises(TargetError, match=message):
        parse_platform(text)


@pytest.mark.parametrize(
    ("text", "spelling"),
    [
        ("darwin/arm64", "darwin/arm64+macos11.0"),
        ("macos/arm64", "darwin/arm64+macos11.0"),
        ("macosx_arm64", "darwin/arm64+macos11.0"),
        ("darwin/arm64/v8", "darwin/arm64+macos11.0"),
        ("darwin/x86_64", "darwin/amd64+macos11.0"),
        ("macos/arm64+12.0", "darwin/arm64+macos12.0"),
        ("macos/arm64+macos12.0", "darwin/arm64+macos12.0"),
        ("darwin/arm64+macosx26.1", "darwin/arm64+macos26.1"),
        ("darwin/amd64+macos10.13", "darwin/amd64+macos10.13"),
        ("aarch64-apple-darwin", "darwin/arm64+macos11.0"),
        ("x86_64-apple-darwin", "darwin/amd64+macos11.0"),
        ("windows/amd64", "windows/amd64"),
        ("win_amd64", "windows/amd64"),
        ("win-arm64", "windows/arm64"),
        ("win32", "windows/386"),
        ("windows/x86", "windows/386"),
        ("x86_64-pc-windows-msvc", "windows/amd64"),
        ("i686-pc-windows-msvc", "windows/386"),
        ("aarch64-pc-windows-msvc", "windows/arm64"),
    ],
)
def test_spellings_of_macos_and_windows(text: str, spelling: str) -> None:
    platform = parse_platform(text)

    assert platform.spelling == spelling
    assert parse_platform(platform.spelling) == platform
    assert platform.libc is None


@pytest.mark.parametrize(
    ("text", "machine", "bits"),
    [
        ("linux/amd64", "x86_64", 64),
        ("linux/arm64", "aarch64", 64),
        ("linux/arm", "armv7l", 32),
        ("linux/386", "i686", 32),
        ("darwin/arm64", "arm64", 64),
        ("darwin/amd64", "x86_64", 64),
        ("windows/amd64", "AMD64", 64),
        ("windows/arm64", "ARM64", 64),
        ("windows/386", "x86", 32),
    ],
)
def test_machine_is_what_that_system_calls_it(text: str, machine: str, bits: int) -> None:
    platform = parse_platform(text)

    assert (platform.machine, platform.bits) == (machine, bits)


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
        ("python3.14", "3.14.0", "cp314"),
        ("3.13t", "3.13.0", "cp313t"),
        ("3.14.2t", "3.14.2", "cp314t"),
        ("3.15.0rc1t", "3.15.0rc1", "cp315t"),
        ("cpython-3.14.1+freethreaded-linux-x86_64-gnu", "3.14.1", "cp314t"),
        ("pypy3.10", "3.10.12", "pypy310_pp73"),
        ("pypy3.11", "3.11.11", "pypy311_pp73"),
        ("pypy3.11-8.0.1", "3.11.17", "pypy311_pp80"),
        ("pypy3.11-v7.3.20", "3.11.13", "pypy311_pp73"),
        ("pypy3.11.13", "3.11.13", "pypy311_pp73"),
        ("pypy-3.11.15-linux-x86_64-gnu", "3.11.15", "pypy311_pp73"),
        ("pypy3.11.14-7.3.21", "3.11.14", "pypy311_pp73"),
    ],
)
def test_pythons(text: str, full: str, abi: str) -> None:
    python = parse_python(text)

    assert (python.full_version, python.abi) == (full, abi)
    assert parse_python(python.spelling) == python


@pytest.mark.parametrize(
    ("text", "free_threaded", "command", "implementation_version", "interpreter"),
    [
        ("3.11.2", False, "python3.11", "3.11.2", "cp311"),
        ("3.13t", True, "python3.13t", "3.13.0", "cp313"),
        ("pypy3.11-7.3.19", False, "pypy3.11", "7.3.19", "pp311"),
    ],
)
def test_what_a_python_says_of_itself(
    text: str, free_threaded: bool, command: str, implementation_version: str, interpreter: str
) -> None:
    python = parse_python(text)

    assert (python.free_threaded, python.command) == (free_threaded, command)
    assert (python.implementation_version, python.interpreter) == (implementation_version, interpreter)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("3.6", "3.6 is older than the Pythons that are known, 3.9 to 3.15"),
        ("3.8.20", "3.8 is older"),
        ("3.27", "3.27 is newer"),
        ("3.12t", "no free-threaded Python 3.12"),
        ("pypy3.9", "known are pypy3.10, pypy3.11"),
        ("pypy3.11-7.3.2", "the releases 7.3.18"),
        ("pypy3.11.99", "write both versions"),
    ],
)
def test_pythons_that_are_not_known(text: str, message: str) -> None:
    with pytest.raises(UnknownTargetError, match=message):
        parse_python(text)


@pytest.mark.parametrize(
    "text", ["", "3", "2.7", "3.x", "3.11.2.1", "3.\N{ARABIC-INDIC DIGIT NINE}", "3." + "1" * 5000]
)
def test_what_is_no_python(text: str) -> None:
    with pytest.raises(UnknownTargetError, match=r"write 3\.11"):
        parse_python(text)


_WORDS = "linux darwin macos windows win32 amd64 arm64 arm 386 v7 v8 glibc musl apple pc gnu msvc unknown json"
_MORE_WORDS = "cpython pypy 2 3 10 11 13 17 99999 t rc1 debian-12 aws-lambda-python3.12 / _ - + . .."
_PIECES = st.sampled_from([*_WORDS.split(), *_MORE_WORDS.split(), "\0", "\N{SUPERSCRIPT TWO}"])


@pytest.mark.parametrize("parse", [parse_platform, parse_python, parse_target])
@given(text=st.one_of(st.text(max_size=60), st.lists(_PIECES, max_size=9).map("".join)))
def test_nothing_but_clear_errors(parse: Callable[[str], object], text: str) -> None:
    with contextlib.suppress(CrossdockError):
        parse(text)


def test_a_target_prints_all_that_decides() -> None:
    target = Target(parse_platform("linux/arm64+glibc2.28"), parse_python("3.11.2"))

    assert str(target) == "linux/arm64+glibc2.28 (cpython 3.11.2)"
