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

from crossdock.targets import ARCHITECTURES, MARKER_KEYS, Libc, Target, parse_platform, parse_python

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
    return Target(platform, parse_python(facts["version"]))


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


class TestPlatformTags:
    def test_legacy_names_follow_their_versions(self) -> None:
        tags = platforms_of("linux/amd64+glibc2.18")

        assert tags[:4] == ["linux_x86_64", "manylinux_2_18_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64"]
        assert tags[tags.index("manylinux_2_12_x86_64") + 1] == "manylinux2010_x86_64"
        assert tags[-2:] == ["manylinux_2_5_x86_64", "manylinux1_x86_64"]

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


def test_environments_have_all_keys_of_the_specification() -> None:
    for arch in ARCHITECTURES:
        environment = Target(parse_platform(f"linux/{arch}"), parse_python("3.12.4")).environment
        assert sorted(environment) == sorted(MARKER_KEYS)
        assert environment["platform_machine"] == ARCHITECTURES[arch].machine
        assert (environment["python_version"], environment["python_full_version"]) == ("3.12", "3.12.4")
