"""The example monorepo, built by Bazel: images pushed to a registry and run, PEX files run, all of it proved."""

from __future__ import annotations

import json
import shutil
import zipfile
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command
from tests.e2e.engines import MACHINES, Podman, Registry, require_machine

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.bazelrun import Build, Workspace
    from tests.e2e.machines import Machines

pytestmark = [pytest.mark.engine, pytest.mark.network]

ARCHITECTURES = sorted(MACHINES)
APPS = ("hello_fastapi", "hello_worker", "hello_job", "hello_go")
PLAIN = '''\
"""A binary as rules_python makes it, and its image."""

load("@crossdock//bazel:defs.bzl", "container_image")
load("@rules_python//python:defs.bzl", "py_binary")

py_binary(
    name = "plain",
    srcs = ["plain.py"],
    deps = ["@pypi//idna"],
)

container_image(
    name = "image",
    binary = ":plain",
    platform = "linux/arm64",
)
'''
START_SECONDS = 240


@pytest.fixture(scope="module")
def pushed(built: Build, monorepo: Workspace, registry: Registry) -> dict[str, str]:
    """Reference of each application's index, pushed to a registry by its ``_push`` target."""
    found = {}
    for app in APPS:
        repository = f"{registry.address}/demo-{app.replace('_', '-')}"
        label = f"//demo/{app}:{app}_image_push"
        said = monorepo.start(label, "--repository", repository, "--tag", "1.0").checked().stdout
        found[app] = f"{repository}:1.0"
        assert said.split()[-1].startswith(f"{repository}@sha256:"), said
    return found


def index_of(registry: Registry, reference: str) -> tuple[str, dict[str, Any]]:
    repository, _, tag = reference.removeprefix(f"{registry.address}/").partition(":")
    digest, raw = registry.manifest(repository, tag)
    return digest, json.loads(raw)


def image_of(registry: Registry, reference: str, architecture: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Give the manifest and the config of an index's one image for a machine."""
    repository = reference.removeprefix(f"{registry.address}/").partition(":")[0]
    _, index = index_of(registry, reference)
    (digest,) = [one["digest"] for one in index["manifests"] if one["platform"]["architecture"] == architecture]
    manifest = json.loads(registry.manifest(repository, digest)[1])
    _, _, config = registry.ask("GET", f"/v2/{repository}/blobs/{manifest['config']['digest']}")
    return manifest, json.loads(config)


def test_all_tests_of_the_monorepo_pass(built: Build) -> None:
    assert set(built.tests.values()) == {"PASSED"}
    assert {
        "//demo/hello_fastapi:hello_fastapi_cross_test",
        "//demo/hello_go:hello_go_cross_test",
        "//demo/hello_job:names_test",
        "//demo/hello_worker:hello_worker_function_test",
        "//demo/hello_worker:hello_worker_pex_test",
    } <= set(built.tests)


@pytest.mark.parametrize("app", APPS)
def test_an_index_has_one_image_for_each_platform_that_says_so_itself(
    app: str, pushed: dict[str, str], registry: Registry
) -> None:
    _, index = index_of(registry, pushed[app])

    platforms = [(one["platform"]["os"], one["platform"]["architecture"]) for one in index["manifests"]]
    assert platforms == [("linux", architecture) for architecture in ARCHITECTURES]
    for architecture in ARCHITECTURES:
        _, config = image_of(registry, pushed[app], architecture)
        assert (config["os"], config["architecture"]) == ("linux", architecture)


def test_each_image_stands_on_the_base_of_its_own_platform(pushed: dict[str, str], registry: Registry) -> None:
    bases = {}
    for architecture in ARCHITECTURES:
        layers = {app: image_of(registry, pushed[app], architecture)[0]["layers"] for app in APPS if app != "hello_go"}
        lowest = {app: [layer["digest"] for layer in found[:1]] for app, found in layers.items()}
        assert len({tuple(found) for found in lowest.values()}) == 1, "applications stand on one base"
        bases[architecture] = lowest["hello_job"]

    assert bases["amd64"] != bases["arm64"]


def test_pure_python_has_the_same_layers_for_every_platform(pushed: dict[str, str], registry: Registry) -> None:
    amd64, arm64 = (image_of(registry, pushed["hello_job"], architecture)[0] for architecture in ARCHITECTURES)
    wheels_and_code = [layer["digest"] for layer in amd64["layers"]][-2:]

    assert [layer["digest"] for layer in arm64["layers"]][-2:] == wheels_and_code


def test_the_command_line_proves_what_bazel_pushed(pushed: dict[str, str], shared_cache: Path) -> None:
    outcome = Command(cache=shared_cache).run("verify", *pushed.values())

    assert outcome.code == 0, outcome.stdout + outcome.stderr
    assert outcome.stdout.count("linux/arm64") >= len(APPS)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_images_run(architecture: str, pushed: dict[str, str], podman: Podman) -> None:
    require_machine(architecture)
    machine = MACHINES[architecture]

    def run(app: str, *arguments: str) -> str:
        return podman.run(podman.pull(pushed[app], architecture=architecture), *arguments).strip()

    fastapi = json.loads(run("hello_fastapi", "--once"))
    worker = run("hello_worker").splitlines()
    job = json.loads(run("hello_job"))

    assert fastapi["greeting"] == "Hello, you!"
    assert (fastapi["machine"], fastapi["norm"]) == (machine, 5.0)
    assert f"{machine}-linux-gnu" in fastapi["modules"]["pydantic_core._pydantic_core"]
    assert fastapi["executable"] == "/app/.venv/bin/python"
    assert worker[:2] == ["count: 6", "carry: 42"]
    assert json.loads(worker[2])["machine"] == machine
    assert (job["encoded"], job["machine"]) == ("xn--gre-6ka8i.example", machine)
    assert run("hello_go") == f"Hello from linux/{architecture}"


def test_the_server_serves(pushed: dict[str, str], podman: Podman) -> None:
    architecture = next(one for one in ARCHITECTURES if one == "amd64")
    require_machine(architecture)
    with podman.serve(podman.pull(pushed["hello_fastapi"], architecture=architecture)) as container:
        container.await_http("/health", timeout=START_SECONDS)

        assert container.get_json("/?name=Bazel") == {"message": "Hello, Bazel!", "name": "Bazel"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pex_files_run(architecture: str, built: Build, monorepo: Workspace, machines: Machines) -> None:
    (pex,) = [
        path
        for path in monorepo.files(f"//demo/hello_worker:hello_worker_pex_linux_{architecture}")
        if path.suffix == ".pex"
    ]

    said = machines[architecture].run(["/work/app.pex"], mounts={pex.resolve(): "/work/app.pex"}).output.splitlines()

    assert said[:2] == ["count: 6", "carry: 42"]
    assert json.loads(said[2])["machine"] == MACHINES[architecture]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_cquery_shows_the_wheel_of_the_platform(architecture: str, built: Build, monorepo: Workspace) -> None:
    other = next(machine for name, machine in MACHINES.items() if name != architecture)
    found = monorepo.query(f"deps(//demo/hello_fastapi:hello_fastapi_linux_{architecture})")
    wheels = [line for line in found if "pydantic_core" in line and ".whl" in line]

    assert wheels, "no wheel of pydantic_core among the dependencies"
    assert all(MACHINES[architecture] in line for line in wheels), wheels
    assert not any(other in line for line in found if ".whl" in line)


def test_go_has_one_target_for_both_images(built: Build, monorepo: Workspace) -> None:
    rules = monorepo.query("kind('go_program rule', //demo/hello_go:all)", command="query")
    compiled = {path for spawn in built.of("GoProgram") for path in spawn.outputs if "-exec-" not in path}

    assert rules == ["//demo/hello_go:hello_go"]
    # One for the machine that builds, where `//...` names the target itself, and one for each image.
    assert len(compiled) == 3


def test_what_takes_the_contents_of_layers_is_not_built_with_all_else(monorepo: Workspace) -> None:
    running = 'kind("^image_(load|push) rule", //...)'
    found = monorepo.query(running, command="query")
    assert {f"//demo/{app}:{app}_image_{verb}" for app in APPS for verb in ("load", "push")} <= set(found)
    assert monorepo.query(f'{running} except attr("tags", "manual", //...)', command="query") == []


def test_an_image_of_a_binary_that_knows_of_no_platforms(monorepo: Workspace) -> None:
    monorepo.write("plain/plain.py", "import idna\n")
    monorepo.write("plain/BUILD.bazel", PLAIN)
    built = monorepo.build("//plain:image")
    files = {path.name: path for path in monorepo.files("//plain:image")}
    shutil.rmtree(monorepo.folder / "plain")

    config = json.loads(files["image.config.json"].read_text())
    assert (config["os"], config["architecture"]) == ("linux", "arm64")
    assert config["config"]["Entrypoint"] == ["/app/.venv/bin/python", "/app/runfiles/_main/plain/plain.py"]
    assert built.counts["CrossdockImage"] == 1


def test_a_release_says_what_it_is(built: Build, monorepo: Workspace) -> None:
    (path,) = monorepo.files("//demo/hello_fastapi:hello_fastapi_metadata")
    metadata = json.loads(path.read_text())

    assert metadata["name"] == "hello_fastapi"
    assert metadata["language"] == "python"
    assert metadata["image_target"].endswith("hello_fastapi_image")
    assert metadata["port"] == 8000
    found = [json.loads(monorepo.file(f"//demo/{app}:{app}_metadata").read_text())["language"] for app in APPS]
    assert found == ["python", "python", "python", "go"]


def test_a_pex_gets_the_arguments_it_is_given(built: Build, monorepo: Workspace) -> None:
    """Whatever they begin with, each as one."""
    given = ["--workers=2", "@settings", "two words", "it's"]
    monorepo.write(
        "options/BUILD.bazel",
        'load("@crossdock//bazel:defs.bzl", "py_pex_binary")\n\n'
        'py_pex_binary(\n    name = "options",\n    binary = "//demo/hello_job:hello_job_linux_amd64",\n'
        f"    inject_args = {json.dumps(given)},\n"
        '    platform = "linux/amd64",\n)\n',
    )

    monorepo.build("//options")

    with zipfile.ZipFile(monorepo.file("//options")) as archive:
        assert json.loads(archive.read("PEX-INFO"))["inject_args"] == given
