"""Bazel and the command line give the same images of the same project, lock and base."""

from __future__ import annotations

import hashlib
import shutil
import tomllib
from typing import TYPE_CHECKING

import pytest
from tests.e2e.bazelrun import REPOSITORY
from tests.e2e.builds import Command

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.bazelrun import Workspace

pytestmark = pytest.mark.network

PROJECT = REPOSITORY / "examples" / "hello_fastapi"

MODULE = """
crossdock.lock(
    name = "pypi_hello",
    lock = "//hello:requirements.txt",
    project = "//hello:pyproject.toml",
    targets = [
        "linux/amd64+glibc2.28 3.11",
        "linux/arm64+glibc2.28 3.11",
    ],
)
crossdock.base(
    name = "hello_base",
    lock = "//hello:crossdock.lock",
    platforms = [
        "linux/amd64",
        "linux/arm64",
    ],
    project = "//hello:pyproject.toml",
)
crossdock.lock(
    name = "pypi_build",
    lock = "//hello:build-requirements.txt",
    targets = ["linux/amd64 3.11"],
)
use_repo(crossdock, "hello_base", "pypi_build", "pypi_hello")
"""

BUILD = '''\
"""The example of the command line, as a part of a monorepo."""

load("@crossdock//bazel:defs.bzl", "multiplatform_image", "py_project")

exports_files([
    "build-requirements.txt",
    "crossdock.lock",
    "pyproject.toml",
    "requirements.txt",
])

py_project(
    name = "hello",
    srcs = glob([
        "README.md",
        "src/**/*.py",
    ]),
    build_deps = ["@pypi_build//hatchling"],
    lock = "crossdock.lock",
    deps = [
        "@pypi_hello//fastapi",
        "@pypi_hello//numpy",
        "@pypi_hello//pydantic",
        "@pypi_hello//uvicorn",
    ],
)

multiplatform_image(
    name = "hello_image",
    base = "@hello_base//:base",
    binary = ":hello",
)
'''


@pytest.fixture(scope="module")
def digest_of_the_command_line(monorepo: Workspace, shared_cache: Path) -> str:
    """The index that ``crossdock image`` makes of the project in the monorepo."""
    folder = monorepo.folder / "hello"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("dist", "uv.lock", "__pycache__", ".venv"))
    outcome = Command(cache=shared_cache).run("image", folder, "--output", monorepo.state / "parity")
    shutil.rmtree(monorepo.state / "parity", ignore_errors=True)
    return outcome.digest


def build_requirements(lock: str) -> str:
    """Write what crossdock.lock pins of the project's backend as requirements, for a hub of their own."""
    pinned = tomllib.loads(lock)["build-requirement"]
    lines = [
        (f"{item['name']}=={item['version']}", *(f"--hash=sha256:{one}" for one in item["sha256"])) for item in pinned
    ]
    return "".join(" ".join(line) + "\n" for line in lines)


def test_the_digests_are_equal(digest_of_the_command_line: str, monorepo: Workspace) -> None:
    lock = (monorepo.folder / "hello" / "crossdock.lock").read_text()
    monorepo.write("hello/build-requirements.txt", build_requirements(lock))
    monorepo.write("hello/BUILD.bazel", BUILD)
    module = (monorepo.folder / "MODULE.bazel").read_text()
    monorepo.write("MODULE.bazel", module + MODULE)

    monorepo.build("//hello:hello_image")

    (index,) = [path for path in monorepo.files("//hello:hello_image") if path.name.endswith(".index.json")]
    assert f"sha256:{hashlib.sha256(index.read_bytes()).hexdigest()}" == digest_of_the_command_line
