"""Images are loaded into the engines that people have, and run there."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, link_cache
from tests.e2e.daemons import Daemon, containerd_daemon, docker_daemon, programs
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require, require_machine, run_tool
from tests.support.tinyimage import TinyImage, tiny_image

from crossdock.engines import Engine, Loaded, find_engine
from crossdock.errors import EngineLoadError
from crossdock.oci.docker_archive_writer import write_docker_archive
from crossdock.oci.layout import write_layout, write_layout_tar
from crossdock.oci.model import LAYER_GZIP, LAYER_ZSTD
from crossdock.oci.profile import DOCKER, LAMBDA, OCI, Profile
from crossdock.oci.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from tests.e2e.builds import Tiny

pytestmark = pytest.mark.engine

OWN, FOREIGN = sorted(MACHINES, key=lambda oci: MACHINES[oci] != os.uname().machine)
BOTH = ("amd64", "arm64")
REFERENCE = parse_reference("registry.example/team/tiny:1.0")
LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000")


@pytest.fixture(scope="module")
def docker() -> Iterator[Daemon]:
    require("docker", "dockerd", "containerd", "runc")
    with docker_daemon() as running:
        yield running


@pytest.fixture(scope="module")
def containerd() -> Iterator[Daemon]:
    require("ctr", "containerd", "runc")
    with containerd_daemon() as running:
        yield running


def environ(folder: Path, daemons: Mapping[str, str] | None = None, podman: Podman | None = None) -> dict[str, str]:
    """An environment in which the given engines, and no other, are found."""
    folder.mkdir()
    found = {"docker": None, "ctr": None} if daemons is not None else {}
    path = programs(folder, **found, **({"podman": podman.command} if podman else {}))
    dead = {"DOCKER_HOST": f"unix://{folder}/none", "CONTAINERD_ADDRESS": f"{folder}/none"}
    return {**os.environ, **dead, **(daemons or {}), "PATH": f"{path}:/usr/bin/nothing"}


def load(engine: Engine, tiny: TinyImage) -> Loaded:
    return engine.load(tiny.root, tiny.images, REFERENCE, tiny.blobs)


def config_of(tiny: TinyImage, architecture: str) -> str:
    return next(
        image.config.descriptor.digest
        for image in tiny.images
        if (image.manifest.descriptor.platform or {})["architecture"] == architecture
    )


KINDS = pytest.mark.parametrize(
    ("profile", "media_type"),
    [(OCI, LAYER_GZIP), (OCI, LAYER_ZSTD), (DOCKER, LAYER_GZIP)],
    ids=["oci", "zstd", "docker"],
)


@KINDS
def test_docker_holds_and_runs_the_platform_of_its_machine(
    tmp_path: Path, docker: Daemon, profile: Profile, media_type: str
) -> None:
    tiny = tiny_image(BOTH, profile=profile, media_type=media_type, text=f"{profile.name} {media_type[-4:]}")
    engine = find_engine(None, environ(tmp_path / "bin", docker.environ))
    assert load(engine, tiny) == Loaded(engine="docker", name=str(REFERENCE), platforms=(f"linux/{OWN}",))
    [held] = json.loads(docker.call("image", "inspect", str(REFERENCE)))
    assert (held["Id"], held["Architecture"]) == (config_of(tiny, OWN), OWN)
    said = docker.call("run", "--rm", "--network", "none", *LIMITS, str(REFERENCE))
    assert said == f"{profile.name} {media_type[-4:]} {OWN}\n"


def test_docker_holds_another_platform_if_it_is_the_only_one(tmp_path: Path, docker: Daemon) -> None:
    require_machine(FOREIGN)
    tiny = tiny_image([FOREIGN], profile=LAMBDA)
    assert load(find_engine("docker", environ(tmp_path / "bin", docker.environ)), tiny).platforms == (
        f"linux/{FOREIGN}",
    )
    said = docker.call("run", "--rm", "--network", "none", *LIMITS, "--platform", f"linux/{FOREIGN}", str(REFERENCE))
    assert said.endswith(f"hello from {FOREIGN}\n")


@KINDS
def test_podman_holds_its_platform_under_the_digest_of_the_registry(
    tmp_path: Path, podman: Podman, profile: Profile, media_type: str
) -> None:
    tiny = tiny_image(BOTH, profile=profile, media_type=media_type, text=f"{profile.name} {media_type[-4:]}")
    engine = find_engine(None, environ(tmp_path / "bin", podman=podman))
    assert load(engine, tiny) == Loaded(engine="podman", name=str(REFERENCE), platforms=(f"linux/{OWN}",))
    [held] = json.loads(podman.call("image", "inspect", str(REFERENCE)))
    assert "sha256:" + held["Id"] == config_of(tiny, OWN)
    assert held["Digest"] == tiny.images[BOTH.index(OWN)].manifest.descriptor.digest
    assert podman.run(str(REFERENCE)) == f"{profile.name} {media_type[-4:]} {OWN}\n"


def test_podman_runs_another_platform_if_it_is_the_only_one(tmp_path: Path, podman: Podman) -> None:
    require_machine(FOREIGN)
    load(find_engine("podman", environ(tmp_path / "bin", podman=podman)), tiny_image([FOREIGN]))
    assert podman.run(str(REFERENCE)) == f"hello from {FOREIGN}\n"


def test_podman_completes_a_short_name_and_the_report_has_it_so(tmp_path: Path, podman: Podman) -> None:
    tiny = tiny_image([OWN])
    engine = find_engine("podman", environ(tmp_path / "bin", podman=podman))
    loaded = engine.load(tiny.root, tiny.images, parse_reference("tiny"), tiny.blobs)
    assert loaded.name == "localhost/tiny:latest"
    assert podman.run(loaded.name) == f"hello from {OWN}\n"


@KINDS
def test_containerd_holds_the_index_with_all_platforms(
    tmp_path: Path, containerd: Daemon, profile: Profile, media_type: str
) -> None:
    tiny = tiny_image(BOTH, profile=profile, media_type=media_type, text=f"{profile.name} {media_type[-4:]}")
    place = {**containerd.environ, "CONTAINERD_NAMESPACE": f"test-{profile.name}-{media_type[-4:]}"}
    loaded = load(find_engine("containerd", environ(tmp_path / "bin", place)), tiny)
    assert loaded == Loaded(engine="containerd", name=str(REFERENCE), platforms=("linux/amd64", "linux/arm64"))
    ctr = replace(containerd, environ=place)
    listed = ctr.call("images", "ls", f"name=={REFERENCE}").splitlines()[1].split()
    assert listed[:3] == [str(REFERENCE), tiny.root.blob.descriptor.media_type, tiny.root.blob.descriptor.digest]
    assert set(tiny.blobs) <= set(ctr.call("content", "ls", "--quiet").split())
    assert ctr.call("run", "--rm", str(REFERENCE), "tiny") == f"{profile.name} {media_type[-4:]} {OWN}\n"


def test_containerd_holds_what_is_for_other_machines_only(tmp_path: Path, containerd: Daemon) -> None:
    place = {**containerd.environ, "CONTAINERD_NAMESPACE": "foreign"}
    tiny = tiny_image([FOREIGN])
    engine = find_engine("containerd", environ(tmp_path / "bin", place))
    assert (
        engine.load(tiny.root, tiny.images, parse_reference("tiny"), tiny.blobs).name == "docker.io/library/tiny:latest"
    )
    assert "docker.io/library/tiny:latest" in replace(containerd, environ=place).call("images", "ls", "--quiet")


def test_what_an_engine_refuses_is_told_in_its_words(tmp_path: Path, containerd: Daemon) -> None:
    place = {**containerd.environ, "CONTAINERD_NAMESPACE": "not a namespace"}
    engine = find_engine("containerd", environ(tmp_path / "bin", place))
    with pytest.raises(EngineLoadError, match="containerd refused the image") as caught:
        load(engine, tiny_image([OWN]))
    assert "not a namespace" in caught.value.why


def test_the_first_engine_that_answers_is_taken(
    tmp_path: Path, docker: Daemon, podman: Podman, containerd: Daemon
) -> None:
    everything = {**docker.environ, **containerd.environ}
    assert find_engine(None, environ(tmp_path / "1", everything, podman)).name == "docker"
    assert find_engine(None, environ(tmp_path / "2", containerd.environ, podman)).name == "podman"
    assert find_engine(None, environ(tmp_path / "3", containerd.environ)).name == "containerd"
    assert find_engine("containerd", environ(tmp_path / "4", everything, podman)).name == "containerd"


def test_engines_that_are_installed_but_do_not_run_do_not_count(tmp_path: Path) -> None:
    require("docker", "ctr")
    with pytest.raises(EngineLoadError, match="no container engine runs here") as caught:
        find_engine(None, environ(tmp_path / "bin", {}))
    assert "docker: Cannot connect to the Docker daemon" in caught.value.why
    assert "podman is not installed" in caught.value.why
    assert "ctr: " in caught.value.why
    assert "--output" in caught.value.hint


# The archive of --docker-archive


@pytest.mark.parametrize("media_type", [LAYER_GZIP, LAYER_ZSTD], ids=["gzip", "zstd"])
def test_a_docker_archive_is_read_by_all(
    tmp_path: Path, docker: Daemon, podman: Podman, skopeo: Skopeo, media_type: str
) -> None:
    tiny = tiny_image([OWN], text="archived", media_type=media_type)
    path = tmp_path / "tiny.tar"
    write_docker_archive(path, tiny.images[0], REFERENCE, tiny.blobs)
    assert f"Loaded image: {REFERENCE}" in docker.call("load", "--input", str(path)).splitlines()
    assert docker.call("run", "--rm", "--network", "none", *LIMITS, str(REFERENCE)) == f"archived {OWN}\n"
    podman.call("load", "--input", str(path))
    assert podman.run(str(REFERENCE)) == f"archived {OWN}\n"
    config = skopeo.inspect_config(f"docker-archive:{path}:{REFERENCE}")
    assert config == json.loads(tiny.images[0].config.data)
    assert config["config"]["StopSignal"] == "SIGINT"


# The profile docker


def test_docker_media_types_with_annotated_layers_go_through_registry_and_engines_unchanged(
    tmp_path: Path, docker: Daemon, podman: Podman, skopeo: Skopeo, registry: Registry
) -> None:
    tiny = tiny_image(BOTH, profile=DOCKER, text="pulled")
    root = tiny.root.blob.descriptor
    write_layout(tmp_path / "layout", root, tiny.blobs)
    reference = f"{registry.address}/docker-profile:1.0"
    skopeo.copy_all(f"oci:{tmp_path / 'layout'}", f"docker://{reference}")
    assert skopeo.inspect_raw(f"docker://{reference}") == tiny.root.blob.data
    manifest = tiny.images[BOTH.index(OWN)].manifest
    by_digest = f"docker://{registry.address}/docker-profile@{manifest.descriptor.digest}"
    raw = skopeo.inspect_raw(by_digest)
    assert raw == manifest.data
    assert json.loads(raw)["layers"][0]["annotations"] == {"dev.crossdock.layer": "project"}
    assert podman.run(podman.pull(reference, architecture=OWN)) == f"pulled {OWN}\n"
    docker.call("pull", reference)
    assert docker.call("run", "--rm", "--network", "none", *LIMITS, reference) == f"pulled {OWN}\n"
    [held] = json.loads(docker.call("image", "inspect", reference))
    assert held["RepoDigests"] == [f"{registry.address}/docker-profile@{root.digest}"]


def test_a_lambda_image_is_one_manifest_in_a_layout_too(tmp_path: Path, skopeo: Skopeo) -> None:
    tiny = tiny_image([OWN], profile=LAMBDA)
    write_layout_tar(tmp_path / "tiny.tar", tiny.root.blob.descriptor, tiny.blobs)
    assert skopeo.inspect_raw(f"oci-archive:{tmp_path / 'tiny.tar'}") == tiny.images[0].manifest.data
    run_tool(["skopeo", "inspect", f"oci-archive:{tmp_path / 'tiny.tar'}"])


# The command


@pytest.mark.network
def test_the_command_loads_what_it_built_into_each_engine(
    tmp_path: Path, tiny: Tiny, docker: Daemon, podman: Podman, containerd: Daemon
) -> None:
    place = {**containerd.environ, "CONTAINERD_NAMESPACE": "command"}
    path = environ(tmp_path / "bin", {**docker.environ, **place}, podman)
    cache = link_cache(tiny.built, tmp_path / "cache")
    names = {
        name: path[name] for name in ("DOCKER_HOST", "DOCKER_CONFIG", "CONTAINERD_ADDRESS", "CONTAINERD_NAMESPACE")
    }
    command = Command(cache=cache, env={**names, "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}"})
    project = tiny.copy(tmp_path / "tiny")
    for engine in ("docker", "podman", "containerd"):
        arguments = [f"--load={engine}", "--tag", "registry.example/tiny:command", "--compression", "zstd"]
        outcome = command.run("image", project, *arguments)
        assert outcome.code == 0, outcome
    limits = ("--rm", "--network", "none", *LIMITS)
    assert docker.call("run", *limits, "registry.example/tiny:command") == "tiny\n"
    assert podman.run("registry.example/tiny:command") == "tiny\n"
    ctr = replace(containerd, environ=place)
    assert ctr.call("run", "--rm", "registry.example/tiny:command", "command") == "tiny\n"
