"""What executables are called."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.bundles.exe.names import exe_names
from crossdock.errors import UsageError
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from crossdock.bundles.exe.names import NameStyle

TARGETS = [
    Target(parse_platform(text), parse_python("3.12"))
    for text in ("linux/amd64", "linux/arm64", "linux/arm64+musl1.2", "linux/amd64/v3")
]


@pytest.mark.parametrize(
    ("style", "names"),
    [
        ("suffix", ["app_linux_amd64", "app_linux_arm64", "app_linux_arm64_musl", "app_linux_amd64_v3"]),
        ("folder", ["linux_amd64/app", "linux_arm64/app", "linux_arm64_musl/app", "linux_amd64_v3/app"]),
    ],
)
def test_names_tell_the_target(style: NameStyle, names: list[str]) -> None:
    assert exe_names("app", TARGETS, style) == names
    assert [exe_names("app", [target], style)[0] for target in TARGETS] == names


def test_a_plain_name_is_for_one_target() -> None:
    assert exe_names("app", TARGETS[:1], "plain") == ["app"]
    with pytest.raises(UsageError, match="4 executables would have the name app"):
        exe_names("app", TARGETS, "plain")
