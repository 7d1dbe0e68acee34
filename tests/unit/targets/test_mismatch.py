"""Why a wheel does not fit, in words: every system, PyPy and free-threaded Pythons."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.tags import Tag

from crossdock.locks.mismatch import differences
from crossdock.targets import Target, parse_platform, parse_python

CASES = [
    # tag, platform, python, what is said
    ("cp311-cp311-win_amd64", "linux/amd64", "3.11", "is for Windows, the target is Linux"),
    ("cp311-cp311-macosx_11_0_arm64", "windows/arm64", "3.11", "is for macOS, the target is Windows"),
    ("cp311-cp311-manylinux_2_17_aarch64", "darwin/arm64", "3.11", "is for Linux, the target is macOS"),
    ("cp311-cp311-win32", "windows/amd64", "3.11", "is for x86, the target is amd64"),
    ("cp311-cp311-win_arm64", "windows/386", "3.11", "is for arm64, the target is x86"),
    ("cp311-cp311-macosx_11_0_x86_64", "darwin/arm64", "3.11", "is for x86_64, the target is arm64"),
    ("cp311-cp311-macosx_10_9_intel", "darwin/arm64", "3.11", "is for intel, the target is arm64"),
    ("cp311-cp311-macosx_11_0_arm64", "darwin/amd64", "3.11", "is for arm64, the target is x86_64"),
    (
        "cp311-cp311-macosx_13_0_arm64",
        "darwin/arm64",
        "3.11",
        "needs macOS 13.0 or newer, the target's floor is 11.0",
    ),
    (
        "cp311-cp311-macosx_14_0_universal2",
        "darwin/amd64+macos10.15",
        "3.11",
        "needs macOS 14.0 or newer, the target's floor is 10.15",
    ),
    (
        "cp311-cp311-macosx_12_3_arm64",
        "darwin/arm64+macos13.0",
        "3.11",
        "is tagged for macOS 12.3, and installers look for macOS 12.0 only",
    ),
    (
        "cp311-cp311-manylinux_2_34_s390x",
        "linux/s390x",
        "3.11",
        "needs glibc 2.34 or newer, the target's floor is glibc 2.17",
    ),
    (
        "cp39-abi3-win_amd64",
        "windows/amd64",
        "3.13t",
        "needs the stable ABI abi3 of Pythons with a global interpreter lock; cp313t takes abi3t only",
    ),
    (
        "cp315-abi3t-win_amd64",
        "windows/amd64",
        "3.15",
        "needs the stable ABI abi3t of free-threaded Pythons, the target has cp315",
    ),
    ("cp315-abi3t-win_amd64", "windows/amd64", "3.14t", "is for Python 3.15 or newer, the target has 3.14"),
    (
        "cp313-cp313-win_amd64",
        "windows/amd64",
        "3.13t",
        "needs the ABI cp313, the target is free-threaded and has cp313t",
    ),
    ("cp313-cp313t-win_amd64", "windows/amd64", "3.13", "needs the free-threaded ABI cp313t, the target has cp313"),
    ("pp311-pypy311_pp73-win_amd64", "windows/amd64", "3.11", "is for PyPy, the target runs CPython 3.11"),
    ("cp311-cp311-win_amd64", "windows/amd64", "pypy3.11", "is for CPython, the target runs PyPy 3.11"),
    ("cp39-abi3-win_amd64", "windows/amd64", "pypy3.11", "is for CPython, the target runs PyPy 3.11"),
    ("pp310-pypy310_pp73-win_amd64", "windows/amd64", "pypy3.11", "is for PyPy 3.10, the target has 3.11"),
    (
        "pp311-pypy311_pp73-win_amd64",
        "windows/amd64",
        "pypy3.11-8.0.1",
        "needs the ABI pypy311_pp73, the target has pypy311_pp80",
    ),
    ("py2-none-any", "windows/amd64", "pypy3.11", "is for Python 2, the target has 3.11"),
    (
        "graalpy311-graalpy240_311_native-win_amd64",
        "windows/amd64",
        "3.11",
        "is for graalpy311, the target runs CPython",
    ),
]


@pytest.mark.parametrize(("tag", "platform", "python", "said"), CASES)
def test_the_difference_is_named(tag: str, platform: str, python: str, said: str) -> None:
    found = differences(Tag(*tag.split("-")), Target(parse_platform(platform), parse_python(python)))

    assert len(found) == 1
    assert found[0][1].startswith(said)


@given(
    platform=st.sampled_from(
        ["linux/amd64+glibc2.28", "linux/arm+musl", "darwin/arm64+macos14.0", "darwin/amd64+macos10.13", "windows/386"]
    ),
    python=st.sampled_from(["3.9", "3.13t", "3.15t", "3.14", "pypy3.10", "pypy3.11-8.0.0"]),
    data=st.data(),
)
def test_a_tag_that_fits_has_no_difference(platform: str, python: str, data: st.DataObject) -> None:
    target = Target(parse_platform(platform), parse_python(python))
    tag = data.draw(st.sampled_from(target.tags))

    assert differences(tag, target) == ()
