"""Complete platforms: what a file must hold, and that what is written is read as the same target."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.errors import CompletePlatformError, TargetError
from crossdock.targets import MARKER_KEYS, Target, complete_platform, parse_platform, parse_python, parse_target
from crossdock.targets.complete import parse_complete_platform

if TYPE_CHECKING:
    from pathlib import Path

PLATFORMS = [
    "linux/amd64+glibc2.36",
    "linux/arm64+glibc2.17",
    "linux/arm+glibc2.31",
    "linux/386+glibc2.5",
    "linux/riscv64+musl1.2",
    "darwin/arm64+macos11.0",
    "darwin/arm64+macos26.0",
    "darwin/amd64+macos10.13",
    "windows/amd64",
    "windows/arm64",
    "windows/386",
]


def example(**changes: Any) -> dict[str, Any]:
    data: dict[str, Any] = {
        "path": "/usr/bin/python3.11",
        "marker_environment": {
            "implementation_name": "cpython",
            "platform_machine": "x86_64",
            "platform_release": None,
            "python_full_version": "3.11.7",
            "python_version": "3.11",
            "sys_platform": "linux",
        },
        "compatible_tags": ["cp311-cp311-manylinux_2_36_x86_64", "cp311-abi3-manylinux_2_36_x86_64", "py3-none-any"],
    }
    return {**data, **changes}


def with_markers(**markers: Any) -> dict[str, Any]:
    return example(marker_environment={**example()["marker_environment"], **markers})


def read(data: Any) -> Target:
    complete = parse_complete_platform(json.dumps(data).encode(), "there.json")
    return Target(complete.platform, complete.python, marker_values=complete.marker_values, given_tags=complete.tags)


@pytest.mark.parametrize("platform", PLATFORMS)
@pytest.mark.parametrize("python", ["3.9.2", "3.12.4", "3.15.0rc1", "3.14.1t", "pypy3.11-7.3.20", "pypy3.11-8.0.1"])
def test_what_is_written_is_read_as_the_same_target(platform: str, python: str, tmp_path: Path) -> None:
    target = Target(parse_platform(platform), parse_python(python))
    (tmp_path / "t.json").write_text(json.dumps(complete_platform(target)))

    again = parse_target("t.json", tmp_path).target()

    assert again.tags == target.tags
    assert again.environment == target.environment
    assert again.python == target.python
    if platform.startswith("darwin") or python.startswith("3"):
        assert again.platform.spelling == target.platform.spelling
    assert complete_platform(again) == complete_platform(target)


class TestMarkers:
    def test_values_that_are_missing_or_null_are_not_known(self) -> None:
        environment = read(example()).environment

        assert sorted(environment) == sorted(MARKER_KEYS)
        assert environment["python_full_version"] == "3.11.7"
        assert environment["os_name"] == environment["platform_release"] == ""

    def test_values_of_the_machine_it_was_made_on_are_kept(self) -> None:
        assert read(with_markers(platform_release="6.1.0-13")).environment["platform_release"] == "6.1.0-13"

    def test_a_python_between_releases_has_a_version_that_can_be_compared(self) -> None:
        assert read(with_markers(python_full_version="3.11.7+")).environment["python_full_version"] == "3.11.7+local"

    @pytest.mark.parametrize(
        ("platform_machine", "tag"),
        [
            ("aarch64", "cp311-cp311-linux_armv7l"),
            ("x86_64", "cp311-cp311-manylinux_2_17_i686"),
            ("hexagon", "cp311-cp311-linux_x86_64"),
        ],
    )
    def test_a_program_of_32_bits_may_see_a_machine_of_64(self, platform_machine: str, tag: str) -> None:
        data = with_markers(platform_machine=platform_machine)

        assert read({**data, "compatible_tags": [tag]}).environment["platform_machine"] == platform_machine


class TestTags:
    def test_their_order_is_kept_and_compressed_ones_are_expanded(self) -> None:
        tags = read(example(compatible_tags=["py2.py3-none-any", "cp311-cp311-win_amd64"]) | {"marker_environment": {}})

        assert list(map(str, tags.tags)) == ["py2-none-any", "py3-none-any", "cp311-cp311-win_amd64"]

    @pytest.mark.parametrize(
        ("tag", "platform", "python"),
        [
            ("cp311-cp311-manylinux2014_aarch64", "linux/arm64+glibc2.17", "3.11"),
            ("cp311-cp311-linux_aarch64", "linux/arm64", "3.11"),
            ("cp313-cp313t-musllinux_1_2_x86_64", "linux/amd64+musl1.2", "3.13t"),
            ("cp310-cp310-macosx_14_0_arm64", "darwin/arm64+macos14.0", "3.10"),
            ("pp310-pypy310_pp73-win_amd64", "windows/amd64", "pypy3.10"),
        ],
    )
    def test_without_markers_they_say_what_it_is(self, tag: str, platform: str, python: str) -> None:
        target = read({"marker_environment": {}, "compatible_tags": ["py3-none-any", tag]})

        assert (target.platform.spelling, target.python) == (platform, parse_python(python))
        assert set(target.environment.values()) == {""}


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "not a JSON object"),
        ({}, "marker_environment is missing"),
        (example(marker_environment=[]), "marker_environment"),
        (with_markers(extra="x"), "there is no marker 'extra'"),
        (with_markers(os_name=3), "os_name is not a short text"),
        (with_markers(os_name="\x1b[2J"), "os_name is not a short text"),
        (with_markers(os_name="x" * 5000), "os_name is not a short text"),
        (with_markers(python_version="three"), "python_version is 'three'"),
        (with_markers(python_full_version="3.11"), "python_full_version is '3.11'"),
        (with_markers(python_full_version="3.12.0"), "its tags are for 3.11"),
        (with_markers(python_version="3.12"), "python_version is '3.12', but its tags are for '3.11'"),
        (with_markers(sys_platform="darwin"), "sys_platform is 'darwin', but its tags are for 'linux'"),
        (with_markers(platform_machine="aarch64"), "platform_machine is 'aarch64', but its tags are for linux/amd64"),
        (with_markers(implementation_name="pypy"), "implementation_name"),
        (example(compatible_tags=[]), "compatible_tags is missing"),
        (example(compatible_tags="cp311-cp311-win32"), "compatible_tags is missing"),
        (example(compatible_tags=["cp311"]), "'cp311' is not a wheel tag"),
        (example(compatible_tags=[7]), "'7' is not a wheel tag"),
        (example(compatible_tags=["cp311-cp311-a..b"]), "is not a wheel tag"),
        (example(compatible_tags=["cp311-cp311-" + "x" * 300]), "is not a wheel tag"),
        (example(compatible_tags=[".".join("ab") * 20 + "-c.d-e.f"] * 20_000), "more than 50000 tags"),
        (example(compatible_tags=[f"py3-none-p{number}" for number in range(50_001)]), "more than 50000 tags"),
        (example(compatible_tags=["py3-none-any"]), "no tag says which Python"),
        (example(compatible_tags=["cp311-cp310-win32"]), "no tag says which Python"),
        (example(compatible_tags=["cp311-cp311-ios_13_0_arm64_iphoneos"]), "the platform of"),
        (example(compatible_tags=["cp311-cp311-manylinux_2_28_sparc"]), "architecture 'sparc'"),
        (example(compatible_tags=["cp38-cp38-manylinux_2_28_x86_64"]), "3.9 to 3.15"),
        (example(compatible_tags=["cp311-cp311-manylinux_3_0_x86_64"]), "there is no glibc 3.0"),
    ],
)
def test_what_is_none_says_why(data: Any, message: str) -> None:
    with pytest.raises(CompletePlatformError, match=message) as caught:
        read(data)

    assert "there.json" in caught.value.what
    assert "pex3 interpreter inspect" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\xfa", b"{", b"[" * 200_000, b"1" * 5000, b'{"a": NaN'])
def test_what_is_not_json(content: bytes) -> None:
    with pytest.raises(CompletePlatformError, match="not"):
        parse_complete_platform(content, "there.json")


@pytest.mark.parametrize("name", ["missing.json", "folder.json", "\0.json", "x" * 5000 + ".json"])
def test_a_file_that_cannot_be_read(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.json").mkdir()

    with pytest.raises(CompletePlatformError):
        parse_target(name, tmp_path)


def test_a_huge_file_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / "huge.json").open("wb") as file:
        file.truncate(1 << 40)

    with pytest.raises(CompletePlatformError, match="larger than 8 MiB"):
        parse_target("huge.json", tmp_path)


def test_its_python_cannot_be_changed(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text(json.dumps(example()))
    spec = parse_target("t.json", tmp_path)

    assert spec.target(parse_python("3.11.2")).environment["python_full_version"] == "3.11.7"
    with pytest.raises(TargetError, match=r"runs python3\.11, not python3\.12"):
        spec.target(parse_python("3.12"))


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)
_TAG = st.from_regex(r"\A(cp|pp|py)3[0-9]{0,2}-(cp3[0-9]{1,2}t?|pypy31[01]_pp73|none)-(any|win32|\w+_[0-9]_\w+)\Z")


@given(
    data=_JSON
    | st.builds(
        lambda markers, tags: {"marker_environment": markers, "compatible_tags": tags},
        st.dictionaries(st.sampled_from(MARKER_KEYS), st.none() | st.text(max_size=8), max_size=5) | _JSON,
        st.lists(_TAG | st.text(max_size=20), max_size=5) | _JSON,
    )
)
def test_nothing_else_than_a_clear_error(data: Any) -> None:
    try:
        target = read(data)
    except CompletePlatformError:
        return
    assert target.tags
    assert sorted(target.environment) == sorted(MARKER_KEYS)
