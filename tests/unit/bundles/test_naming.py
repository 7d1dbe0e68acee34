"""What the bundles of several targets are called."""

from __future__ import annotations

from dataclasses import replace

import pytest

from crossdock.bundles.naming import place_names
from crossdock.errors import UsageError
from crossdock.targets import Target, parse_platform, parse_python


def target(platform: str, python: str = "3.12", name: str = "") -> Target:
    return Target(parse_platform(platform), parse_python(python), name=name)


@pytest.mark.parametrize(
    ("targets", "names"),
    [
        ([target("linux/arm64")], ["linux_arm64"]),
        ([target("linux/amd64/v3"), target("win32")], ["linux_amd64_v3", "windows_386"]),
        ([target("linux/amd64"), target("linux/amd64+musl")], ["linux_amd64", "linux_amd64_musl"]),
        (
            [target("linux/amd64", "3.13"), target("linux/amd64", "3.13t"), target("darwin/arm64")],
            ["linux_amd64_python3.13", "linux_amd64_python3.13t", "darwin_arm64"],
        ),
        (
            [target("linux/amd64", "pypy3.11"), target("linux/amd64", "3.11")],
            ["linux_amd64_pypy3.11", "linux_amd64_python3.11"],
        ),
        (
            [target("linux/amd64+glibc2.28"), target("linux/amd64+glibc2.36"), target("linux/arm64")],
            ["linux_amd64_glibc2.28", "linux_amd64_glibc2.36", "linux_arm64"],
        ),
        (
            [target("darwin/arm64", "3.12.1"), target("darwin/arm64", "3.12.4")],
            ["darwin_arm64_python3.12.1", "darwin_arm64_python3.12.4"],
        ),
        (
            [target("linux/amd64", name="debian-12/amd64"), target("linux/amd64")],
            ["linux_amd64_debian-12_amd64", "linux_amd64_plain"],
        ),
    ],
)
def test_a_name_tells_as_much_of_a_target_as_it_has_to(targets: list[Target], names: list[str]) -> None:
    assert place_names(targets) == names


def test_targets_that_no_name_tells_apart_are_an_error() -> None:
    one = target("linux/amd64")
    with pytest.raises(UsageError, match="Two files would have the name linux_amd64"):
        place_names([one, replace(one, marker_values=(("platform_release", "6.1"),))])
