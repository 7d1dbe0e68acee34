"""Targets as users name them: platforms, runtimes and files, and how a Python completes them."""

from __future__ import annotations

import subprocess
import sys

import pytest

from crossdock.errors import TargetError, UnknownTargetError
from crossdock.targets import Libc, parse_python, parse_target
from crossdock.targets.platform import ARCHITECTURES
from crossdock.targets.runtimes import parse_runtimes, runtimes

RUNTIME = """
[[runtime]]
name = "place-1"
family = "Place"
os = { value = "linux", source = "image place:1" }
architectures = { value = "amd64", source = "image place:1" }
libc = { value = "glibc2.28", source = "package libc6 2.28 of Place 1" }
python = { value = "3.11", source = "image place:1" }
"""


@pytest.mark.parametrize(
    ("text", "platform", "python", "name"),
    [
        ("linux/arm64", "linux/arm64+glibc2.17", None, ""),
        ("aarch64-apple-darwin", "darwin/arm64+macos11.0", None, ""),
        ("aws-lambda-python3.9/arm64", "linux/arm64+glibc2.26", "3.9", "aws-lambda-python3.9/arm64"),
        ("aws-lambda-python3.11/amd64", "linux/amd64+glibc2.26", "3.11", "aws-lambda-python3.11/amd64"),
        ("aws-lambda-python3.12/x86_64", "linux/amd64+glibc2.34", "3.12", "aws-lambda-python3.12/amd64"),
        (" AWS-Lambda-Python3.14/ARM64 ", "linux/arm64+glibc2.34", "3.14", "aws-lambda-python3.14/arm64"),
        ("lambda-python3.13/arm64", "linux/arm64+glibc2.34", "3.13", "aws-lambda-python3.13/arm64"),
        ("google-cloud-run-python312/amd64", "linux/amd64+glibc2.35", "3.12", "google-cloud-run-python312/amd64"),
        ("azure-functions-python3.12/amd64", "linux/amd64+glibc2.36", "3.12", "azure-functions-python3.12/amd64"),
        ("debian-12/arm64", "linux/arm64+glibc2.36", "3.11.2", "debian-12/arm64"),
        ("debian-trixie/riscv64", "linux/riscv64+glibc2.41", "3.13.5", "debian-13/riscv64"),
        ("debian-12/arm/v7", "linux/arm+glibc2.36", "3.11.2", "debian-12/arm"),
        ("ubuntu-20.04/amd64", "linux/amd64+glibc2.31", None, "ubuntu-20.04/amd64"),
        ("alpine-3.22/arm64", "linux/arm64+musl1.2", "3.12", "alpine-3.22/arm64"),
        ("ubi-9/s390x", "linux/s390x+glibc2.34", None, "ubi-9/s390x"),
        ("python-3.13-slim-trixie/amd64", "linux/amd64+glibc2.41", "3.13", "python-3.13-slim-trixie/amd64"),
    ],
)
def test_what_can_be_named(text: str, platform: str, python: str | None, name: str) -> None:
    spec = parse_target(text)

    assert (spec.platform.spelling, spec.name) == (platform, name)
    assert spec.python == (parse_python(python) if python else None)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("aws-lambda-python3.12", "hint: aws-lambda-python3.12/amd64 or aws-lambda-python3.12/arm64"),
        ("aws-lambda-python3.12/s390x", "does not run on 's390x'"),
        ("aws-lambda-python3.12/amd64+musl", "does not run on"),
        ("aws-lambda-python3.18/arm64", "similar runtimes: aws-lambda-python3.14"),
        ("debain-12/arm64", "similar runtimes: debian-12"),
        ("linux/sparc", "architecture 'sparc'"),
    ],
)
def test_what_cannot(text: str, message: str) -> None:
    with pytest.raises(UnknownTargetError, match=message):
        parse_target(text)


class TestCompletion:
    def test_a_platform_needs_a_python(self) -> None:
        with pytest.raises(TargetError, match="does not say which Python"):
            parse_target("linux/arm64").target()

    def test_a_platform_takes_any_python_and_the_libc_of_its_base(self) -> None:
        target = parse_target("linux/arm64").target(parse_python("3.14t"), libc=Libc("glibc", (2, 36)))

        assert str(target) == "linux/arm64+glibc2.36 (cpython 3.14.0t)"

    def test_a_libc_means_nothing_on_macos(self) -> None:
        target = parse_target("darwin/arm64").target(parse_python("3.12"), libc=Libc("glibc", (2, 36)))

        assert target.platform.libc is None

    def test_a_runtime_brings_its_python(self) -> None:
        target = parse_target("aws-lambda-python3.12/arm64").target()

        assert str(target) == "aws-lambda-python3.12/arm64 (cpython 3.12.0)"
        assert str(target.tags[1]) == "cp312-cp312-manylinux_2_34_aarch64"

    def test_an_exact_python_of_the_same_series_is_taken(self) -> None:
        target = parse_target("aws-lambda-python3.12/arm64").target(parse_python("3.12.7"))

        assert target.environment["python_full_version"] == "3.12.7"

    @pytest.mark.parametrize("python", ["3.11", "pypy3.11"])
    def test_another_python_is_refused(self, python: str) -> None:
        with pytest.raises(TargetError, match=r"runs python3.13, not .*\n.*\n.*linux/arm64\+glibc2.34"):
            parse_target("aws-lambda-python3.13/arm64").target(parse_python(python))

    def test_marker_values_and_policy_are_handed_on(self) -> None:
        spec = parse_target("linux/arm64")
        target = spec.target(
            parse_python("3.12"), libc_policy="lowest", marker_values=[("platform_release", "6.1"), ("os_name", "x")]
        )

        assert target.libc_policy == "lowest"
        assert (target.environment["platform_release"], target.environment["os_name"]) == ("6.1", "x")


class TestRuntimes:
    def test_every_fact_has_a_source_that_is_a_page_an_image_or_a_package(self) -> None:
        for runtime in runtimes().values():
            facts = (runtime.os, runtime.architectures, runtime.libc, *filter(None, [runtime.python]))
            for fact in facts:
                assert fact.source.startswith(("https://", "image ", "package ")), runtime.name

    def test_every_runtime_makes_targets_for_all_its_architectures(self) -> None:
        for runtime in runtimes().values():
            for arch in runtime.archs:
                spec = parse_target(f"{runtime.name}/{arch}")
                target = spec.target(spec.python or parse_python("3.12"))
                assert target.platform.libc
                assert target.platform.libc_named
                assert str(target.tags[0]).endswith(f"linux_{ARCHITECTURES[arch].machine}")

    def test_a_list_is_read(self) -> None:
        runtime = parse_runtimes(RUNTIME)["place-1"]

        assert (runtime.archs, runtime.libc.value) == (("amd64",), "glibc2.28")

    @pytest.mark.parametrize(
        ("old", "new", "message"),
        [
            ("[[runtime]]", "[[runtime", "damaged"),
            ('"amd64"', '"sparc"', "architectures"),
            ('"glibc2.28"', '"bionic1"', "damaged at 'place-1'"),
            ('"3.11"', '"3.8"', "3.8 is older"),
            ('"place-1"', '"linux"', "the name is taken, or no"),
            (', source = "package libc6 2.28 of Place 1"', "", "libc is not a value with its source"),
            ('family = "Place"', "", "its family"),
            ('family = "Place"', 'family = "Place"\\ncolour = "red"', "colour"),
        ],
    )
    def test_a_mistake_in_the_list_is_told(self, old: str, new: str, message: str) -> None:
        assert old in RUNTIME

        with pytest.raises(TargetError, match=message):
            parse_runtimes(RUNTIME.replace(old, new.replace("\\n", "\n")))


def test_importing_targets_reads_no_data_and_starts_no_json() -> None:
    code = (
        "import sys, crossdock.targets as t; t.parse_target('linux/arm64').target(t.parse_python('3.12')).environment;"
        "print({'tomllib', 'crossdock.targets.runtimes', 'difflib'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "set()"
