"""What cannot be built is refused where it is used, by an error that helps; what does not need it is built."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.e2e.bazelrun import Workspace

pytestmark = pytest.mark.network

MODULE = """
crossdock.lock(
    name = "pypi_lacking",
    lock = "//lacking:pdm.lock",
    targets = [
        "linux/amd64+glibc2.28 3.11",
        "linux/arm64+glibc2.28 3.11",
    ],
)
use_repo(crossdock, "pypi_lacking")
"""
LOCK = """\
[metadata]
groups = ["default"]
strategy = ["inherit_metadata"]
lock_version = "4.5.1"
content_hash = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

[[metadata.targets]]
requires_python = ">=3.11"

[[package]]
name = "lacking"
version = "1.5"
groups = ["default"]
files = [
    {file = "lacking-1.5-cp311-cp311-manylinux_2_17_x86_64.whl", hash = "sha256:%s"},
]
"""
BUILD = '''\
"""An application whose dependency has no wheel for one of its platforms."""

load("@crossdock//bazel:defs.bzl", "multiplatform_py_binary")

exports_files(["pdm.lock"])

multiplatform_py_binary(
    name = "app",
    srcs = ["app.py"],
    deps = ["@pypi_lacking//lacking"],
)

multiplatform_py_binary(
    name = "other",
    srcs = ["app.py"],
    main = "app.py",
)
'''


@pytest.fixture(scope="module")
def lacking(monorepo: Workspace) -> Iterator[Workspace]:
    """The monorepo with a package that lacks a wheel for arm64."""
    module = (monorepo.folder / "MODULE.bazel").read_text()
    monorepo.write("MODULE.bazel", module + MODULE)
    monorepo.write("lacking/pdm.lock", LOCK % ("0" * 63 + "1"))
    monorepo.write("lacking/BUILD.bazel", BUILD)
    monorepo.write("lacking/app.py", "print('app')\n")
    yield monorepo
    monorepo.write("MODULE.bazel", module)


def test_a_missing_wheel_is_told_where_it_is_used(lacking: Workspace) -> None:
    refused = lacking.run("build", "--nobuild", "//lacking:app_linux_arm64")

    assert refused.code != 0
    for word in ("lacking", "1.5", "linux/arm64", "manylinux_2_17_x86_64"):
        assert word in refused.stderr, refused.stderr


def test_what_does_not_use_it_is_built(lacking: Workspace) -> None:
    lacking.run("query", "@pypi_lacking//...").checked()
    lacking.run("build", "--nobuild", "//lacking:other_linux_arm64").checked()


def test_a_platform_that_the_hub_has_no_target_for(lacking: Workspace) -> None:
    refused = lacking.run(
        "build", "--nobuild", "//demo/hello_job:names", "--platforms=@crossdock//platforms:macos_arm64"
    )

    assert refused.code != 0
    for word in ("idna", "linux/amd64", "linux/arm64"):
        assert word in refused.stderr, refused.stderr


def test_a_python_that_the_base_does_not_have(lacking: Workspace) -> None:
    refused = lacking.run(
        "build", "//demo/hello_job:hello_job_image_arm64", "--@crossdock//bazel/config:python_version=3.13"
    )

    assert refused.code != 0
    assert "laid out for Python 3.13" in refused.stderr


def test_a_main_that_cannot_be_guessed(lacking: Workspace) -> None:
    lacking.write(
        "unclear/BUILD.bazel",
        'load("@crossdock//bazel:defs.bzl", "multiplatform_py_binary")\n\n'
        'multiplatform_py_binary(\n    name = "unclear",\n    srcs = ["a.py", "b.py"],\n)\n',
    )

    refused = lacking.run("query", "//unclear:all")
    shutil.rmtree(lacking.folder / "unclear")

    assert refused.code != 0
    for word in ("unclear", "main", "a.py", "b.py"):
        assert word in refused.stderr, refused.stderr
