"""What executables are called: by their own target alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.exe.names import exe_names
from crossdock.errors import UsageError

if TYPE_CHECKING:
    from crossdock.bundles.exe.names import NameStyle

TARGETS = [("linux/amd64", "glibc"), ("linux/arm64", "glibc"), ("linux/arm64", "musl"), ("linux/amd64/v3", "glibc")]


@pytest.mark.parametrize(
    ("style", "names"),
    [
        ("suffix", ["app_linux_amd64", "app_linux_arm64", "app_linux_arm64_musl", "app_linux_amd64_v3"]),
        ("folder", ["linux_amd64/app", "linux_arm64/app", "linux_arm64_musl/app", "linux_amd64_v3/app"]),
    ],
)
def test_names(style: NameStyle, names: list[str]) -> None:
    assert exe_names("app", TARGETS, style) == names
    assert [exe_names("app", [target], style)[0] for target in TARGETS] == names


def test_a_plain_name_is_for_one_target() -> None:
    assert exe_names("app", TARGETS[:1], "plain") == ["app"]
    with pytest.raises(UsageError, match="two executables would have the name app"):
        exe_names("app", TARGETS, "plain")


def test_two_floors_cannot_be_told_apart() -> None:
    with pytest.raises(UsageError, match="app_linux_amd64"):
        exe_names("app", [TARGETS[0], TARGETS[0]], "suffix")
