"""Which Python and C library a target gets where a question needs no base."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.bases.facts import BaseFacts
from crossdock.choosing.request import Request
from crossdock.choosing.targeting import plain_targets
from crossdock.errors import UnknownTargetError
from crossdock.projects.project import Project, load_project

if TYPE_CHECKING:
    from pathlib import Path

BASE = BaseFacts(
    libc="glibc",
    libc_version=(2, 36),
    python_version="3.11.2",
    python_path="/usr/bin/python3.11",
    user="65532:65532",
    home="/home/nonroot",
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"\nversion = "1"\nrequires-python = ">=3.9"\n')
    return load_project(tmp_path)


@pytest.mark.parametrize(
    ("target", "pythons", "found"),
    [
        ("linux/amd64", (), "linux/amd64+glibc2.36 (cpython 3.11.2)"),
        ("linux/amd64", ("3.13",), "linux/amd64+glibc2.36 (cpython 3.13.0)"),
        ("linux/amd64+glibc2.28", (), "linux/amd64+glibc2.28 (cpython 3.11.2)"),
        ("linux/amd64+glibc2.40", (), "linux/amd64+glibc2.40 (cpython 3.11.2)"),
        ("linux/amd64+glibc2.40", ("3.13",), "linux/amd64+glibc2.40 (cpython 3.13.0)"),
        ("linux/amd64+musl", (), "linux/amd64+musl1.2 (cpython 3.11.2)"),
        ("linux/s390x", (), "linux/s390x+glibc2.17 (cpython 3.11.2)"),
        ("windows/arm64", (), "windows/arm64 (cpython 3.11.2)"),
        ("aws-lambda-python3.12/arm64", (), "aws-lambda-python3.12/arm64 (cpython 3.12.0)"),
    ],
)
def test_what_is_named_counts_and_the_base_has_the_rest(
    project: Project, target: str, pythons: tuple[str, ...], found: str
) -> None:
    request = Request(targets=(target,), pythons=pythons)

    (answer,) = plain_targets(project, request, "debian:bookworm", lambda _: BASE)

    assert str(answer) == found


MARKERS = """\
[project]
name = "demo"
version = "1"
[tool.crossdock.markers]
platform_release = "6.1"
[tool.crossdock.markers."linux/aarch64"]
platform_release = "6.6"
platform_version = "own"
"""


def test_settings_supply_what_nobody_knows_of_a_target(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(MARKERS)
    request = Request(targets=("linux/amd64", "linux/arm64"))

    amd64, arm64 = plain_targets(load_project(tmp_path), request, "debian:bookworm", lambda _: BASE)

    assert (amd64.environment["platform_release"], amd64.environment["platform_version"]) == ("6.1", "")
    assert (arm64.environment["platform_release"], arm64.environment["platform_version"]) == ("6.6", "own")


def test_markers_for_a_target_that_does_not_exist_are_refused(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(MARKERS.replace("aarch64", "arm46"))

    with pytest.raises(UnknownTargetError, match="linux/arm46"):
        plain_targets(load_project(tmp_path), Request(), "debian:bookworm", lambda _: BASE)
