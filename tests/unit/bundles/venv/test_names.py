"""Names of environments, and forms of archives."""

from __future__ import annotations

from pathlib import Path

import pytest

from crossdock.bundles.venv.names import names, tar_form
from crossdock.errors import UsageError
from crossdock.targets import Target, parse_platform, parse_python


def target(platform: str, python: str = "3.12") -> Target:
    return Target(parse_platform(platform), parse_python(python))


@pytest.mark.parametrize(
    ("name", "form"),
    [
        ("env.tar", "tar"),
        ("ENV.TAR.GZ", "tar+gzip"),
        ("env.tgz", "tar+gzip"),
        ("env.tar.zst", "tar+zstd"),
        ("env.tzst", "tar+zstd"),
        ("env", None),
        ("env.d", None),
        ("env-1.0", None),
        (".venv", None),
    ],
)
def test_the_form_follows_from_the_name(name: str, form: str | None) -> None:
    assert tar_form(Path("out") / name) == form


@pytest.mark.parametrize(
    "name", ["env.zip", "env.tar.xz", "env.tar.lz4", "env.Tar.Z", "env.gz", "env.zst", "env.whl", "env.rar"]
)
def test_archives_of_other_kinds_are_not_taken_for_folders(name: str) -> None:
    with pytest.raises(UsageError, match="archive of a kind that is not written") as error:
        tar_form(Path(name))
    assert ".tar.gz" in error.value.hint


@pytest.mark.parametrize(
    ("targets", "expected"),
    [
        ([target("linux/arm64")], ["app_linux_arm64"]),
        ([target("linux/amd64"), target("linux/amd64+musl")], ["app_linux_amd64", "app_linux_amd64_musl"]),
        ([target("linux/amd64/v3"), target("win32")], ["app_linux_amd64_v3", "app_windows_386"]),
        (
            [target("linux/amd64", "3.13"), target("linux/amd64", "3.13t"), target("darwin/arm64")],
            ["app_linux_amd64_python3.13", "app_linux_amd64_python3.13t", "app_darwin_arm64"],
        ),
    ],
)
def test_a_name_tells_the_target(targets: list[Target], expected: list[str]) -> None:
    assert names("app", targets) == expected


def test_targets_that_no_name_tells_apart_are_an_error() -> None:
    with pytest.raises(UsageError, match=r"two environments would have the name app_linux_amd64_python3\.12"):
        names("app", [target("linux/amd64+glibc2.28"), target("linux/amd64+glibc2.36")])
