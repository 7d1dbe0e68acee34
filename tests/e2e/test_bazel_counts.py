"""How much Bazel does: every wheel's layer once, whatever the number of platforms and applications; nothing twice."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.e2e.bazelrun import Build, Spawn, Workspace

pytestmark = pytest.mark.network

LAYER = "CrossdockWheelLayer"
#: The folder of a wheel's repository (Bazel also has a file beside it, whose name begins with "@").
WHEEL_REPOSITORY = re.compile(r"(?!@).*[+~]whl_(.+)_[0-9a-f]{16}")
#: What belongs to an application alone; sources may be others for each platform.
OWN = {"CrossdockAppLayer": 2, "CrossdockImage": 2, "CrossdockIndex": 1}

SECOND = '''\
"""Another application with the dependencies of the server."""

load("@crossdock//bazel:defs.bzl", "multiplatform_image", "multiplatform_py_binary")

multiplatform_py_binary(
    name = "second",
    srcs = ["second.py"],
    deps = [
        "@pypi//fastapi",
        "@pypi//numpy",
        "@pypi//pydantic",
        "@pypi//uvicorn",
    ],
)

multiplatform_image(
    name = "second_image",
    binary_amd64 = ":second_linux_amd64",
    binary_arm64 = ":second_linux_arm64",
)
'''


def wheels_of(spawn: Spawn) -> list[str]:
    """Name the wheels that an action was given."""
    return [path.rpartition("/")[2] for path in spawn.inputs if path.endswith(".whl")]


def built_layers(build: Build) -> list[str]:
    """Name the wheel of each layer that was made."""
    return sorted(name for spawn in build.of(LAYER) for name in wheels_of(spawn))


def test_each_wheel_becomes_a_layer_once(built: Build) -> None:
    layers = built_layers(built)

    assert len(built.of(LAYER)) == len(layers), "each action has one wheel"
    assert len(layers) == len(set(layers))
    # Of compiled packages one for each platform; of pure ones one for all.
    for name, count in {"numpy": 2, "pydantic_core": 2, "pydantic": 1, "fastapi": 1, "idna": 1}.items():
        assert len([one for one in layers if one.startswith(f"{name}-")]) == count, (name, layers)


def test_nothing_of_a_target_is_executed(built: Build) -> None:
    """Programs are the system's own, Bazel's tools, or were built for the machine that builds; tests are their own."""
    assert built.spawns
    for spawn in built.spawns:
        program = spawn.arguments[0]
        if spawn.mnemonic == "TestRunner":
            assert program.startswith("external/bazel_tools/"), spawn.arguments
            continue
        allowed = program.startswith(("/bin/", "/usr/bin/", "external/")) or re.match(r"bazel-out/[^/]*-exec", program)
        assert allowed, (spawn.mnemonic, spawn.arguments[:3])


def test_python_starts_apart_from_its_surroundings(built: Build) -> None:
    """Every action of crossdock's runs the zipapp by an interpreter that reads no variables and no site of the user."""
    ours = [spawn for spawn in built.spawns if spawn.mnemonic.startswith("Crossdock")]
    running = [spawn for spawn in ours if any(word.endswith("crossdock.pyz") for word in spawn.arguments[1:6])]

    assert running
    assert {spawn.arguments[1] for spawn in running} == {"-I"}
    assert {spawn.mnemonic for spawn in ours if spawn not in running} <= {"CrossdockCore"}, "what makes the zipapp"


def test_manifests_are_made_without_blobs(built: Build) -> None:
    for spawn in built.of("CrossdockImage", "CrossdockIndex"):
        assert not [path for path in spawn.inputs if path.endswith((".tar.gz", ".whl", ".deb"))], spawn.target


def test_a_second_build_does_nothing(built: Build, monorepo: Workspace) -> None:
    again = monorepo.build("//...")

    assert again.counts == {}


def test_a_second_application_adds_only_its_own_layers(built: Build, monorepo: Workspace) -> None:
    monorepo.write("second/BUILD.bazel", SECOND)
    monorepo.write("second/second.py", "import fastapi\n\nprint(fastapi.__version__)\n")

    added = monorepo.build("//second:second_image").counts

    assert added == OWN


def test_an_edit_makes_no_wheel_again(built: Build, monorepo: Workspace) -> None:
    path = "demo/hello_worker/main.py"
    text = (monorepo.folder / path).read_text()
    monorepo.write(path, f"{text}\n    print('edited')\n")
    try:
        edited = monorepo.build("//demo/hello_worker:hello_worker_image").counts
    finally:
        monorepo.write(path, text)

    assert edited == OWN


def test_only_the_wheels_of_what_is_built_are_fetched(built: Build, monorepo: Workspace, tmp_path: Path) -> None:
    """A Bazel that has no repository yet makes the job's image, and has the repository of the one wheel it needs."""
    fresh = replace(monorepo, state=tmp_path, env={**monorepo.env, "BAZEL_WRITABLE": str(monorepo.state)})
    try:
        fresh.run("build", "//demo/hello_job:hello_job_image").checked()
        external = Path(fresh.run("info", "output_base").checked().stdout.strip()) / "external"
        repositories = [WHEEL_REPOSITORY.fullmatch(folder.name) for folder in external.iterdir()]
    finally:
        fresh.run("shutdown")

    assert len(built_layers(built)) > 10, "the monorepo has many"
    assert {found[1] for found in repositories if found} == {"idna"}
