"""The main job: one command turns a project and its lock into images for two machines, and both run.

The example is built once by the command line; then others judge it: a registry, skopeo, umoci, and podman, which runs
the image for the other machine under QEMU.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from packaging.requirements import Requirement
from tests.e2e import layouts
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, Umoci, require_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.engine, pytest.mark.network]

EXAMPLE = Path(__file__).parents[2] / "examples" / "hello_fastapi"
ARCHITECTURES = sorted(MACHINES)
# numpy and FastAPI take their time to be imported under QEMU.
START_SECONDS = 240


@dataclass(frozen=True, slots=True, kw_only=True)
class Build:
    """One run of ``crossdock image``."""

    layout: Path
    stdout: str
    stderr: str


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Build:
    """The example, built for both targets in a copy of its folder."""
    project = tmp_path_factory.mktemp("project") / "hello_fastapi"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns("dist", "uv.lock", "__pycache__", ".venv"))
    layout = project.parent / "layout"
    done = subprocess.run(
        [sys.executable, "-m", "crossdock", "image", str(project), "--output", str(layout)],
        capture_output=True,
        text=True,
        env={**os.environ, "CROSSDOCK_CACHE": str(shared_cache)},
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Build(layout=layout, stdout=done.stdout, stderr=done.stderr)


@pytest.fixture(scope="module")
def index(build: Build) -> layouts.Index:
    return layouts.read_index(build.layout)


@pytest.fixture(scope="module")
def repository(build: Build, skopeo: Skopeo, registry: Registry) -> str:
    """The repository that the build was copied to, under the tag ``built``."""
    name = f"{registry.address}/hello-fastapi"
    skopeo.copy_all(f"oci:{build.layout}", f"docker://{name}:built")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What the example said over HTTP, running in a container."""

    architecture: str
    greeting: dict[str, Any]
    machine: dict[str, Any]
    health: dict[str, Any]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def answers(request: pytest.FixtureRequest, repository: str, podman: Podman) -> Iterator[Answers]:
    """The example, pulled from the registry and run on one of the machines."""
    architecture: str = request.param
    require_machine(architecture)
    image = podman.pull(f"{repository}:built", architecture=architecture)
    with podman.serve(image) as container:
        container.await_http("/healthz", timeout=START_SECONDS)
        yield Answers(
            architecture=architecture,
            greeting=container.get_json("/"),
            machine=container.get_json("/machine"),
            health=container.get_json("/healthz"),
        )


def locked_versions(*, machine: str, python: str) -> dict[str, str]:
    """Read from the example's lock which versions a Linux machine must get."""
    environment = {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": python.rpartition(".")[0],
        "sys_platform": "linux",
    }
    text = (EXAMPLE / "requirements.txt").read_text().replace("\\\n", " ")
    lines = [re.sub(r"(^|\s)(#|--hash).*", "", line).strip() for line in text.splitlines()]
    requirements = [Requirement(line) for line in lines if line]
    return {
        requirement.name: str(requirement.specifier).removeprefix("==")
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate(environment)
    }


def test_stdout_is_the_reference_with_the_digest_of_the_index(build: Build, index: layouts.Index) -> None:
    (line,) = build.stdout.splitlines()

    assert line.endswith(f"@{index.digest}")


def test_the_index_has_one_image_for_each_target(index: layouts.Index) -> None:
    assert sorted(index.images) == ARCHITECTURES
    for architecture, image in index.images.items():
        assert image.descriptor["platform"]["os"] == "linux"
        assert (image.config["os"], image.config["architecture"]) == ("linux", architecture)


def test_the_registry_holds_the_index_and_images_byte_for_byte(
    index: layouts.Index, repository: str, skopeo: Skopeo
) -> None:
    assert skopeo.inspect_raw(f"docker://{repository}:built") == index.raw
    assert skopeo.inspect_raw(f"docker://{repository}@{index.digest}") == index.raw
    for image in index.images.values():
        assert skopeo.inspect_raw(f"docker://{repository}@{image.digest}") == image.raw
        assert skopeo.inspect_config(f"docker://{repository}@{image.digest}") == image.config


def test_every_layer_has_its_diff_id(index: layouts.Index) -> None:
    for image in index.images.values():
        assert len(image.layer_digests) == len(image.config["rootfs"]["diff_ids"]) > 1


def test_the_images_share_the_layers_of_pure_python_wheels(index: layouts.Index) -> None:
    amd64, arm64 = (set(index.images[architecture].layer_digests) for architecture in ARCHITECTURES)

    assert amd64 & arm64
    assert amd64 - arm64
    assert arm64 - amd64


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_umoci_unpacks_what_the_layers_hold(
    architecture: str, build: Build, index: layouts.Index, skopeo: Skopeo, umoci: Umoci, tmp_path: Path
) -> None:
    single = tmp_path / "single"
    skopeo.copy_platform(f"oci:{build.layout}", f"oci:{single}:image", architecture=architecture)
    (descriptor,) = json.loads((single / "index.json").read_bytes())["manifests"]
    assert descriptor["digest"] == index.images[architecture].digest

    root = umoci.unpack(f"{single}:image", tmp_path / "bundle")

    unpacked = layouts.members_of_folder(root)
    expected = layouts.members_of_layers(index.images[architecture])
    assert sorted(unpacked) == sorted(expected)
    assert {path: member for path, member in unpacked.items() if member != expected[path]} == {}


def test_the_image_answers_from_its_machine(answers: Answers) -> None:
    assert answers.machine["machine"] == MACHINES[answers.architecture]
    assert answers.greeting == {"message": "Hello, world!", "name": "world"}
    assert answers.health == {"status": "ok"}


def test_the_image_is_not_run_by_root(answers: Answers) -> None:
    assert answers.machine["uid"] > 0


def test_the_image_lists_each_locked_package_and_no_other(answers: Answers) -> None:
    python = answers.machine["python"]
    assert python.startswith("3.11.")
    locked = locked_versions(machine=MACHINES[answers.architecture], python=python)
    assert {"fastapi", "numpy", "pydantic-core", "uvicorn"} < set(locked)

    assert answers.machine["distributions"] == {**locked, "hello-fastapi": "0.1.0"}


def test_compiled_packages_are_those_of_the_machine_and_work(answers: Answers) -> None:
    compiled = answers.machine["compiled"]
    assert {"numpy", "pydantic-core"} <= set(compiled)
    modules = [path for package in compiled.values() for path in package["files"] if ".cpython-" in path]

    suffix = f".cpython-311-{MACHINES[answers.architecture]}-linux-gnu.so"
    assert [path for path in modules if not path.endswith(suffix)] == []
    assert all(path.startswith("/app/.venv/lib/python3.11/site-packages/") for path in modules)
    assert answers.machine["norm"] == 5.0


def test_crossdock_verifies_what_it_built(build: Build) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "crossdock", "verify", str(build.layout)],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
