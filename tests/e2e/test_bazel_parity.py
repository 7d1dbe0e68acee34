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

load("@crossdock//bazel:defs.bzl", "multiplatform_image", "py_lambda_zip", "py_project")

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

py_lambda_zip(
    name = "function",
    binary = ":hello",
    handler = "hello_fastapi.server.run",
    platform = "linux/amd64",
    runtime = "google-cloud-run-python311",
)
'''


@pytest.fixture(scope="module")
def digest_of_the_command_line(monorepo: Workspace, shared_cache: Path) -> str:
    """The index that ``crossdock image`` makes of the project in the monorepo."""
    folder = monorepo.folder / "hello"
    shutil.copytree(PROJECT, folder, ignore=shutil.ignore_patterns("dist", "uv.lock", "__pycache__", ".venv"))
    return by_command_line(monorepo, shared_cache)


def by_command_line(monorepo: Workspace, cache: Path) -> str:
    outcome = Command(cache=cache).run("image", monorepo.folder / "hello", "--output", monorepo.state / "parity")
    shutil.rmtree(monorepo.state / "parity", ignore_errors=True)
    return outcome.digest


def by_bazel(monorepo: Workspace) -> str:
    monorepo.build("//hello:hello_image")
    (index,) = [path for path in monorepo.files("//hello:hello_image") if path.name.endswith(".index.json")]
    return f"sha256:{hashlib.sha256(index.read_bytes()).hexdigest()}"


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

    assert by_bazel(monorepo) == digest_of_the_command_line


def test_they_are_with_a_layer_for_each_wheel(
    digest_of_the_command_line: str, monorepo: Workspace, shared_cache: Path
) -> None:
    """The rule has to be told, since it cannot read the project's settings; if it is not, that is said."""
    pyproject = (monorepo.folder / "hello" / "pyproject.toml").read_text()
    assert "\n[tool.crossdock]\n" in pyproject
    changed = pyproject.replace("\n[tool.crossdock]\n", '\n[tool.crossdock]\nlayers = "wheel"\n')
    monorepo.write("hello/pyproject.toml", changed)
    digest = by_command_line(monorepo, shared_cache)
    assert digest != digest_of_the_command_line

    refused = monorepo.run("build", "//hello:hello_image")
    assert refused.code != 0
    assert 'give the rule layers = "wheel", too' in refused.stderr, refused.stderr

    monorepo.write(
        "hello/BUILD.bazel",
        BUILD.replace('    binary = ":hello",\n', '    binary = ":hello",\n    layers = "wheel",\n', 1),
    )
    assert by_bazel(monorepo) == digest


def test_a_zip_has_what_the_settings_include(
    digest_of_the_command_line: str, monorepo: Workspace, shared_cache: Path
) -> None:
    assert digest_of_the_command_line  # the project is there
    pyproject = (PROJECT / "pyproject.toml").read_text() + '\n[tool.crossdock.lambda]\ninclude = ["README.md"]\n'
    monorepo.write("hello/pyproject.toml", pyproject)
    options = ("--target", "google-cloud-run-python311/amd64", "--handler", "hello_fastapi.server.run")
    folder = monorepo.state / "parity-zip"
    made = Command(cache=shared_cache).run("lambda", monorepo.folder / "hello", *options, "--output", folder)
    assert made.code == 0, made.stderr
    (theirs,) = (path.read_bytes() for path in folder.iterdir())
    shutil.rmtree(folder)
    assert b"README.md" in theirs

    monorepo.build("//hello:function")
    assert monorepo.file("//hello:function").read_bytes() == theirs
