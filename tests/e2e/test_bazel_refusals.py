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


def test_a_platform_that_the_base_does_not_have(lacking: Workspace) -> None:
    platform = "@crossdock//platforms:linux_arm64_musl"
    image = f'container_image(name = "%s", %sbinary = "//demo/hello_go", platform = "{platform}")'
    images = [image % ("default", ""), image % ("asked", 'base = "@debian_bookworm//:base", ')]
    load = 'load("@crossdock//bazel:defs.bzl", "container_image")'
    lacking.write("musl/BUILD.bazel", "\n".join([load, *images, ""]))

    # That of the flag is for Python; a program in Go stands on nothing unless it asks for more.
    lacking.run("build", "--nobuild", "//musl:default").checked()
    refused = lacking.run("build", "--nobuild", "//musl:asked")
    shutil.rmtree(lacking.folder / "musl")

    assert refused.code != 0
    for word in ("//musl:asked: @debian_bookworm//:base has nothing for linux/arm64+musl", "linux/amd64, linux/arm64"):
        assert word in refused.stderr, refused.stderr


def test_a_python_that_the_base_does_not_have(lacking: Workspace) -> None:
    refused = lacking.run(
        "build", "//demo/hello_job:hello_job_image_arm64", "--@crossdock//bazel/config:python_version=3.13"
    )

    assert refused.code != 0
    assert "laid out for Python 3.13" in refused.stderr


@pytest.mark.parametrize(
    ("call", "words"),
    [
        ('multiplatform_py_binary(name = "app", srcs = ["a.py", "b.py"])', ("app", "main", "a.py", "b.py")),
        (
            'multiplatform_py_binary(name = "app", srcs = ["a.py"], main = "a.py", main_module = "a")',
            ("main and main_module are both given",),
        ),
        (
            'release_app(name = "app", binary_target = "//demo/hello_job", domain = "demo")',
            ("language is not given", "is in another package", 'language = "python"'),
        ),
        ('release_app(name = "app", language = "go")', ("domain is missing",)),
        (
            'py_pex_binary(name = "app", binary = ":a", platform = "linux/arm64", platforms = ["linux/amd64"])',
            ("platform and platforms are both given",),
        ),
        (
            'py_lambda_zip(name = "app", binary = ":a", platforms = ["linux/mips"])',
            ("there is no platform", "linux_arm64"),
        ),
    ],
)
def test_macros_say_what_they_cannot_do(lacking: Workspace, call: str, words: tuple[str, ...]) -> None:
    macro = call.partition("(")[0]
    lacking.write("unclear/BUILD.bazel", f'load("@crossdock//bazel:defs.bzl", "{macro}")\n\n{call}\n')

    refused = lacking.run("query", "//unclear:all")
    shutil.rmtree(lacking.folder / "unclear")

    assert refused.code != 0
    for word in (f'{macro}(name = "app") in //unclear', *words):
        assert word in refused.stderr, refused.stderr
