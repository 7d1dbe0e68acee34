"""Which Python and C library a target gets where a question needs no base."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crossdock.bases.choose import assumed_facts
from crossdock.choosing.request import Request
from crossdock.choosing.targeting import image_target, plain_targets, takes_base
from crossdock.errors import (
    BaseMismatchError,
    NoPythonInBaseError,
    PythonChoiceError,
    UnknownTargetError,
    UnsupportedBaseError,
)
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.projects.project import Project, load_project
from crossdock.targets import parse_target

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.targets import Platform

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
        ("aws-lambda-python3.12/arm64", ("3.12.7",), "aws-lambda-python3.12/arm64 (cpython 3.12.7)"),
        ("aws-lambda-python3.12/arm64", ("3.11.2",), "aws-lambda-python3.12/arm64 (cpython 3.12.0)"),
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


MUSL = replace(BASE, libc="musl", libc_version=(1, 2), python_version="3.12.8")
NOTHING = replace(BASE, libc=None, libc_version=(0, 0), python_version="", python_path="")


def complete(
    project: Project, target: str, facts: BaseFacts, base: str = "python:3.12", pythons: tuple[str, ...] = ()
) -> str:
    return str(image_target(project, Request(pythons=pythons), parse_target(target), base, facts))


@pytest.mark.parametrize(
    ("target", "facts", "found"),
    [
        ("linux/arm64", MUSL, "linux/arm64+musl1.2 (cpython 3.12.8)"),
        ("linux/arm64+musl", MUSL, "linux/arm64+musl1.2 (cpython 3.12.8)"),
        ("linux/arm64+musl1.1", MUSL, "linux/arm64+musl1.1 (cpython 3.12.8)"),
        ("aarch64-unknown-linux-musl", MUSL, "linux/arm64+musl1.2 (cpython 3.12.8)"),
        ("linux/arm64+glibc", BASE, "linux/arm64+glibc2.36 (cpython 3.11.2)"),
        ("aarch64-unknown-linux-gnu", BASE, "linux/arm64+glibc2.36 (cpython 3.11.2)"),
        ("linux/arm64+glibc2.28", BASE, "linux/arm64+glibc2.28 (cpython 3.11.2)"),
        ("linux/arm/v7", BASE, "linux/arm+glibc2.36 (cpython 3.11.2)"),
        ("linux/s390x", MUSL, "linux/s390x+musl1.2 (cpython 3.12.8)"),
        ("linux/amd64/v3", BASE, "linux/amd64/v3+glibc2.36 (cpython 3.11.2)"),
    ],
)
def test_an_image_gets_wheels_for_the_c_library_of_its_base(
    project: Project, target: str, facts: BaseFacts, found: str
) -> None:
    assert complete(project, target, facts) == found


@pytest.mark.parametrize(
    ("target", "facts", "message"),
    [
        ("linux/arm64+glibc2.28", MUSL, "asks for glibc2.28, but python:3.12 has musl1.2"),
        ("linux/arm64+glibc", MUSL, "asks for glibc, but python:3.12 has musl1.2"),
        ("aarch64-unknown-linux-gnu", MUSL, "asks for glibc, but"),
        ("linux/arm64+musl", BASE, "asks for musl, but python:3.12 has glibc2.36"),
        ("linux/arm64+musl1.2", BASE, "asks for musl1.2, but"),
        ("linux/arm64+glibc2.40", BASE, "asks for glibc2.40, but python:3.12 has glibc2.36"),
        ("linux/arm64", replace(BASE, libc=None), "has no C library"),
    ],
)
def test_a_base_with_another_c_library_is_refused(
    project: Project, target: str, facts: BaseFacts, message: str
) -> None:
    with pytest.raises(BaseMismatchError) as caught:
        complete(project, target, facts)
    assert message in caught.value.what
    assert caught.value.hint


def test_a_base_without_python_is_refused(project: Project) -> None:
    with pytest.raises(NoPythonInBaseError) as caught:
        complete(project, "linux/arm64", NOTHING, "scratch")
    assert "interpreter" in caught.value.hint


def test_a_python_that_is_another_or_unknown_is_refused(project: Project) -> None:
    for facts, pythons in ((BASE, ("3.12",)), (replace(BASE, python_version="3.6.15"), ())):
        with pytest.raises(PythonChoiceError, match=r"python:3\.12 has Python 3"):
            complete(project, "linux/arm64", facts, pythons=pythons)


@pytest.mark.parametrize(
    ("target", "base", "takes"),
    [
        ("linux/amd64", "debian:bookworm", True),
        ("linux/s390x", "debian:bookworm", False),
        ("linux/amd64+musl", "debian:bookworm", False),
        ("linux/s390x", "python:3.12", True),
        ("linux/amd64+musl", "python:3.12", True),
        ("linux/arm/v7", "oci:base", True),
        ("darwin/arm64", "python:3.12", False),
        ("aws-lambda-python3.12/arm64", "python:3.12", False),
    ],
)
def test_what_can_stand_on_a_base(target: str, base: str, takes: bool) -> None:
    assert takes_base(parse_target(target), base) == takes


def unknown(_: Platform) -> BaseFacts:
    return assumed_facts("python:3.12")


@pytest.mark.parametrize(
    ("target", "pythons", "found"),
    [
        ("linux/arm64", (), "linux/arm64+musl1.2 (cpython 3.12.8)"),
        ("linux/s390x", ("3.13",), "linux/s390x+musl1.2 (cpython 3.13.0)"),
        ("linux/arm64+glibc2.28", (), "linux/arm64+glibc2.28 (cpython 3.12.8)"),
        ("windows/arm64", (), "windows/arm64 (cpython 3.12.8)"),
    ],
)
def test_questions_are_answered_for_the_image_that_is_locked(
    project: Project, target: str, pythons: tuple[str, ...], found: str
) -> None:
    request = Request(targets=(target,), pythons=pythons)
    (answer,) = plain_targets(project, request, "python:3.12", lambda _: MUSL)
    assert str(answer) == found


def test_an_image_that_is_not_locked_yet_has_an_answer_for_a_named_python_only(project: Project) -> None:
    request = Request(targets=("linux/arm64", "windows/amd64"))
    with pytest.raises(UnsupportedBaseError, match=r"crossdock\.lock does not have this base yet"):
        plain_targets(project, request, "python:3.12", unknown)
    named = replace(request, pythons=("3.12",))
    linux, windows = plain_targets(project, named, "python:3.12", unknown)
    assert (str(linux), str(windows)) == ("linux/arm64+glibc2.17 (cpython 3.12.0)", "windows/amd64 (cpython 3.12.0)")


def test_other_systems_get_the_python_of_the_platforms_an_image_is_locked_for(project: Project) -> None:
    request = Request(targets=("windows/amd64", "linux/s390x"))
    windows, _ = plain_targets(
        project, request, "python:3.12", lambda platform: MUSL if platform.arch == "s390x" else unknown(platform)
    )
    assert str(windows) == "windows/amd64 (cpython 3.12.8)"
