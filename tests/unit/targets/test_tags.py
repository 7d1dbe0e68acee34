"""Wheel tags and marker environments, held against real interpreters found on this machine."""

from __future__ import annotations

import json
import os
import platform as host
import re
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import packaging
import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging import tags

from crossdock.targets import ARCHITECTURES, MARKER_KEYS, Libc, Target, parse_platform, parse_python, platform_tags

_PROBE = """
import json, platform, sys
from packaging import tags, markers, _manylinux
print(json.dumps({
  "version": platform.python_version(),
  "implementation": sys.implementation.name,
  "threaded": bool(__import__("sysconfig").get_config_var("Py_GIL_DISABLED")),
  "glibc": list(_manylinux._get_glibc_version()),
  "tags": [str(tag) for tag in tags.sys_tags()],
  "environment": markers.default_environment(),
}))
"""


def _interpreters() -> list[Path]:
    """Every CPython from 3.9 on: of pyenv, of the system, and the one that runs the tests."""
    places = [*Path.home().glob(".pyenv/versions/*/bin"), Path("/usr/bin"), Path("/usr/local/bin")]
    found = {Path(sys.executable).resolve(): Path(sys.executable)}
    for place in places:
        for path in place.glob("python3.*"):
            match = re.fullmatch(r"python3\.(\d+)", path.name)
            if match and int(match[1]) >= 9 and os.access(path, os.X_OK):
                found.setdefault(path.resolve(), path)
    return sorted(found.values())


@cache
def real(interpreter: Path) -> dict[str, Any]:
    library = str(Path(packaging.__file__).parent.parent)
    done = subprocess.run(
        [interpreter, "-S", "-c", _PROBE],
        env={"PYTHONPATH": library, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=True,
    )
    facts: dict[str, Any] = json.loads(done.stdout)
    return facts


def target_of(facts: dict[str, Any]) -> Target:
    platform = parse_platform(f"linux_{host.machine()}").with_libc(Libc("glibc", tuple(facts["glibc"])))
    threads = "t" if facts["threaded"] else ""
    return Target(platform, parse_python(facts["version"] + threads))


needs_glibc = pytest.mark.skipif(
    sys.platform != "linux" or host.libc_ver()[0] != "glibc", reason="the host is not Linux with glibc"
)


@needs_glibc
@pytest.mark.parametrize("interpreter", _interpreters(), ids=str)
class TestRealInterpreters:
    def test_tags_are_those_of_the_interpreter(self, interpreter: Path) -> None:
        facts = real(interpreter)

        assert [str(tag) for tag in target_of(facts).tags] == facts["tags"]

    def test_environment_is_that_of_the_interpreter_but_for_the_kernel(self, interpreter: Path) -> None:
        facts = real(interpreter)
        expected = {**facts["environment"], "platform_release": "", "platform_version": ""}

        assert target_of(facts).environment == expected


def platforms_of(spelling: str) -> list[str]:
    target = Target(parse_platform(spelling), parse_python("3.11"))
    return [tag.platform for tag in target.tags if (tag.interpreter, tag.abi) == ("cp311", "cp311")]


def names(platform: str, python: str) -> list[str]:
    return [str(tag) for tag in Target(parse_platform(platform), parse_python(python)).tags]


class TestPlatformTags:
    def test_legacy_names_follow_their_versions(self) -> None:
        found = platforms_of("linux/amd64+glibc2.18")

        assert found[:4] == ["linux_x86_64", "manylinux_2_18_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
        assert found[found.index("manylinux_2_12_x86_64") + 1] == "manylinux2010_x86_64"
        assert found[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]

    def test_other_architectures_start_at_glibc_2_17(self) -> None:
        assert platforms_of("linux/arm64") == ["linux_aarch64", "manylinux_2_17_aarch64", "manylinux2014_aarch64"]

    def test_musl_has_musllinux_only(self) -> None:
        assert platforms_of("linux/arm64+musl") == [
            "linux_aarch64",
            "musllinux_1_2_aarch64",
            "musllinux_1_1_aarch64",
            "musllinux_1_0_aarch64",
        ]

    @given(
        arch=st.sampled_from(sorted(ARCHITECTURES)),
        kind=st.sampled_from(["glibc", "musl"]),
        minors=st.tuples(st.integers(17, 60), st.integers(17, 60)),
        python=st.integers(9, 15),
    )
    def test_a_lower_floor_gives_a_part_of_the_tags_in_the_same_order(
        self, arch: str, kind: str, minors: tuple[int, int], python: int
    ) -> None:
        major = 2 if kind == "glibc" else 1
        low, high = (
            Target(parse_platform(f"linux/{arch}+{kind}{major}.{minor}"), parse_python(f"3.{python}")).tags
            for minor in sorted(minors)
        )

        assert len(set(high)) == len(high)
        assert set(low) <= set(high)
        kept = set(low)
        assert [tag for tag in high if tag in kept] == list(low)


MACOS = [("arm64", floor) for floor in ((11, 0), (12, 0), (13, 5), (15, 0), (26, 1))] + [
    ("amd64", floor) for floor in ((10, 9), (10, 15), (10, 16), (11, 0), (14, 2), (26, 0))
]


class TestMacos:
    @pytest.mark.parametrize(("arch", "floor"), MACOS)
    def test_platforms_are_those_of_packaging(self, arch: str, floor: tuple[int, int]) -> None:
        platform = parse_platform(f"darwin/{arch}+macos{floor[0]}.{floor[1]}")

        assert platform_tags(platform) == list(tags.mac_platforms(floor, platform.machine))

    def test_arm64_takes_its_own_and_universal2_wheels_from_11_on(self) -> None:
        assert platforms_of("darwin/arm64+macos12.0")[:5] == [
            "macosx_12_0_arm64",
            "macosx_12_0_universal2",
            "macosx_11_0_arm64",
            "macosx_11_0_universal2",
            "macosx_10_16_universal2",
        ]

    def test_amd64_takes_wheels_made_for_macos_10(self) -> None:
        platforms = platforms_of("darwin/amd64")

        assert platforms[0] == "macosx_11_0_x86_64"
        assert {"macosx_10_9_x86_64", "macosx_10_9_universal2", "macosx_10_9_intel"} <= set(platforms)
        assert "macosx_11_0_arm64" not in platforms


@pytest.mark.parametrize(
    ("platform", "tag"), [("windows/amd64", "win_amd64"), ("windows/arm64", "win_arm64"), ("windows/386", "win32")]
)
def test_windows_has_one_platform_tag(platform: str, tag: str) -> None:
    assert platforms_of(platform) == [tag]


class TestFreeThreaded:
    @pytest.mark.parametrize("minor", [13, 14, 15])
    def test_tags_are_those_of_packaging(self, minor: int) -> None:
        platform = parse_platform("linux/arm64+glibc2.28")
        platforms = platform_tags(platform)

        assert Target(platform, parse_python(f"3.{minor}t")).tags == (
            *tags.cpython_tags((3, minor), [f"cp3{minor}t"], platforms),
            *tags.compatible_tags((3, minor), f"cp3{minor}", platforms),
        )

    def test_abi3t_is_accepted_and_abi3_is_not(self) -> None:
        threaded = names("windows/amd64", "3.15t")

        assert threaded[:4] == [
            "cp315-cp315t-win_amd64",
            "cp315-abi3t-win_amd64",
            "cp315-none-win_amd64",
            "cp314-abi3t-win_amd64",
        ]
        assert not any("-abi3-" in tag or "-cp315-" in tag for tag in threaded)

    def test_a_python_with_a_lock_takes_abi3_and_not_abi3t(self) -> None:
        usual = names("windows/amd64", "3.15")

        assert usual[:4] == [
            "cp315-cp315-win_amd64",
            "cp315-abi3-win_amd64",
            "cp315-none-win_amd64",
            "cp314-abi3-win_amd64",
        ]
        assert not any("t-" in tag for tag in usual)


def test_pypy_tags() -> None:
    """As ``packaging.tags.sys_tags()`` printed them on PyPy 7.3.19 of Debian 13."""
    assert names("windows/amd64", "pypy3.11-7.3.19") == [
        "pp311-pypy311_pp73-win_amd64",
        "pp311-none-win_amd64",
        *(f"{python}-none-win_amd64" for python in ("py311", "py3", *(f"py3{minor}" for minor in range(10, -1, -1)))),
        "pp3-none-any",
        *(f"{python}-none-any" for python in ("py311", "py3", *(f"py3{minor}" for minor in range(10, -1, -1)))),
    ]
    assert names("windows/amd64", "pypy3.11-8.0.1")[0] == "pp311-pypy311_pp80-win_amd64"


class TestLowestLibc:
    @pytest.mark.parametrize(
        ("platform", "expected"),
        [
            (
                "linux/arm64+glibc2.19",
                [
                    "linux_aarch64",
                    "manylinux_2_17_aarch64",
                    "manylinux2014_aarch64",
                    "manylinux_2_18_aarch64",
                    "manylinux_2_19_aarch64",
                ],
            ),
            (
                "linux/arm64+musl1.2",
                ["linux_aarch64", "musllinux_1_0_aarch64", "musllinux_1_1_aarch64", "musllinux_1_2_aarch64"],
            ),
            ("windows/amd64", ["win_amd64"]),
        ],
    )
    def test_the_oldest_is_first_and_bare_linux_stays(self, platform: str, expected: list[str]) -> None:
        assert platform_tags(parse_platform(platform), "lowest") == expected

    def test_on_arm64_macs_nothing_is_older_than_11(self) -> None:
        platforms = platform_tags(parse_platform("darwin/arm64+macos12.0"), "lowest")

        assert platforms[0] == "macosx_11_0_arm64"
        assert platforms[1:3] == ["macosx_10_4_universal2", "macosx_10_5_universal2"]
        assert platforms[-3:] == ["macosx_11_0_universal2", "macosx_12_0_arm64", "macosx_12_0_universal2"]

    def test_on_amd64_macs_the_oldest_is_first(self) -> None:
        platforms = platform_tags(parse_platform("darwin/amd64+macos10.9"), "lowest")

        assert platforms[:2] == ["macosx_10_4_x86_64", "macosx_10_4_intel"]
        assert platforms[-6:] == list(tags.mac_platforms((10, 9), "x86_64"))[:6]

    @given(
        platform=st.sampled_from(["linux/amd64+glibc2.28", "linux/386+musl", "darwin/arm64+macos14.0", "win32"]),
        python=st.sampled_from(["3.9", "3.14t", "pypy3.10"]),
    )
    def test_only_the_order_of_one_family_changes(self, platform: str, python: str) -> None:
        newest = Target(parse_platform(platform), parse_python(python))
        lowest = Target(newest.platform, newest.python, libc_policy="lowest")
        given = Target(newest.platform, newest.python, given_tags=newest.tags, libc_policy="lowest")

        assert sorted(map(str, lowest.tags)) == sorted(map(str, newest.tags))
        assert [(t.interpreter, t.abi) for t in lowest.tags] == [(t.interpreter, t.abi) for t in newest.tags]
        # A complete platform's own list is ranked by the same rule; only abi3's order across Pythons is its own.
        assert sorted(map(str, given.tags)) == sorted(map(str, lowest.tags))
        assert given.tags[: len(platform_tags(newest.platform))] == lowest.tags[: len(platform_tags(newest.platform))]


ENVIRONMENTS = [
    # platform, os_name, platform_machine, platform_system, sys_platform
    ("linux/amd64", "posix", "x86_64", "Linux", "linux"),
    ("linux/arm64+musl", "posix", "aarch64", "Linux", "linux"),
    ("linux/arm", "posix", "armv7l", "Linux", "linux"),
    ("linux/386", "posix", "i686", "Linux", "linux"),
    ("linux/ppc64le", "posix", "ppc64le", "Linux", "linux"),
    ("darwin/arm64", "posix", "arm64", "Darwin", "darwin"),
    ("darwin/amd64", "posix", "x86_64", "Darwin", "darwin"),
    ("windows/amd64", "nt", "AMD64", "Windows", "win32"),
    ("windows/arm64", "nt", "ARM64", "Windows", "win32"),
    ("windows/386", "nt", "x86", "Windows", "win32"),
]


@pytest.mark.parametrize("expected", ENVIRONMENTS, ids=lambda row: row[0])
def test_system_markers_are_those_of_the_system(expected: tuple[str, ...]) -> None:
    environment = Target(parse_platform(expected[0]), parse_python("3.12")).environment
    keys = ("os_name", "platform_machine", "platform_system", "sys_platform")

    assert tuple(environment[key] for key in keys) == expected[1:]
    assert environment["platform_release"] == environment["platform_version"] == ""


def test_pypy_markers() -> None:
    """As PyPy 7.3.19 of Debian 13 prints them."""
    environment = Target(parse_platform("linux/amd64"), parse_python("pypy3.11-7.3.19")).environment

    assert environment == {
        "implementation_name": "pypy",
        "implementation_version": "7.3.19",
        "os_name": "posix",
        "platform_machine": "x86_64",
        "platform_python_implementation": "PyPy",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": "3.11.11",
        "python_version": "3.11",
        "sys_platform": "linux",
    }


def test_given_marker_values_replace_derived_ones() -> None:
    target = Target(parse_platform("linux/amd64"), parse_python("3.12"), marker_values=(("platform_release", "6.1"),))

    assert target.environment["platform_release"] == "6.1"
    assert target != Target(target.platform, target.python)
    assert len({target, Target(target.platform, target.python)}) == 2


def test_environments_have_all_keys_of_the_specification() -> None:
    for arch in ARCHITECTURES:
        environment = Target(parse_platform(f"linux/{arch}"), parse_python("3.12.4")).environment
        assert sorted(environment) == sorted(MARKER_KEYS)
        assert environment["platform_machine"] == ARCHITECTURES[arch].machine
        assert (environment["python_version"], environment["python_full_version"]) == ("3.12", "3.12.4")
