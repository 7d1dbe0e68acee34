"""Images are proved wherever people have them: in an engine's storage, in archives of engines, in a registry."""

from __future__ import annotations

import json
import os
import subprocess
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.daemons import Daemon, docker_daemon, programs
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require, run_tool
from tests.support.tinyimage import TinyImage, tiny_image

from crossdock.cli.main import main
from crossdock.engines import find_engine
from crossdock.oci.layout import write_layout
from crossdock.oci.model import LAYER_GZIP, LAYER_ZSTD
from crossdock.oci.reference import parse_reference

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

pytestmark = pytest.mark.engine

OWN = next(oci for oci, machine in MACHINES.items() if machine == os.uname().machine)
BOTH = ("amd64", "arm64")
REFERENCE = parse_reference("registry.example/team/tiny:1.0")


@pytest.fixture(scope="module")
def docker() -> Iterator[Daemon]:
    require("docker", "dockerd", "containerd", "runc")
    with docker_daemon() as running:
        yield running


@pytest.fixture
def layout(tmp_path: Path) -> Path:
    """A layout of an index for both machines, with a program for each."""
    return write_tiny(tmp_path / "layout", tiny_image(BOTH))


def write_tiny(path: Path, tiny: TinyImage) -> Path:
    write_layout(path, tiny.root.blob.descriptor, tiny.blobs)
    return path


def verify(
    capsys: pytest.CaptureFixture[str], *arguments: str | Path
) -> tuple[int, list[tuple[str, int, list[str]]], list[str]]:
    """Give the exit code; platform, number of programs and codes of findings of each image; and codes of the whole."""
    capsys.readouterr()
    code = main(["verify", "--quiet", "--json", *map(str, arguments)])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    images = [
        (image["platform"], image["natives"], sorted(item["code"] for item in image["findings"]))
        for image in report["images"]
    ]
    return code, images, [item["code"] for item in report["findings"]]


def use(monkeypatch: pytest.MonkeyPatch, environ: Mapping[str, str]) -> None:
    for name, value in environ.items():
        monkeypatch.setenv(name, value)


def environ_of(folder: Path, podman: Podman) -> dict[str, str]:
    folder.mkdir()
    return {"PATH": f"{programs(folder, podman=podman.command)}:{os.environ['PATH']}"}


def in_podman(folder: Path, podman: Podman, tiny: TinyImage) -> dict[str, str]:
    environ = environ_of(folder, podman)
    find_engine("podman", {**os.environ, **environ}).load(tiny.root, tiny.images, REFERENCE, tiny.blobs)
    return environ


@pytest.mark.parametrize("media_type", [LAYER_GZIP, LAYER_ZSTD])
@pytest.mark.parametrize("transport", ["containers-storage:", "podman://"])
def test_an_image_in_podmans_storage(
    transport: str,
    media_type: str,
    tmp_path: Path,
    podman: Podman,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, in_podman(tmp_path / "bin", podman, tiny_image(BOTH, media_type=media_type)))
    code, images, findings = verify(capsys, f"{transport}{REFERENCE}")
    assert [(platform.split("/")[1], programs) for platform, programs, _ in images] == [(OWN, 1)]
    assert (code, findings) == (0, [])
    assert main(["verify", f"{transport}registry.example/none:1"]) == 75
    assert "podman does not give the image registry.example/none:1" in capsys.readouterr().err


def test_an_image_in_dockers_storage(
    tmp_path: Path, docker: Daemon, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, docker.environ)
    tiny = tiny_image(BOTH)
    find_engine("docker", {**os.environ, **docker.environ}).load(tiny.root, tiny.images, REFERENCE, tiny.blobs)
    code, images, findings = verify(capsys, f"docker-daemon:{REFERENCE}")
    assert [(platform.split("/")[1], programs) for platform, programs, _ in images] == [(OWN, 1)]
    assert (code, findings) == (0, [])

    saved = tmp_path / "saved.tar"
    docker.call("save", "--output", str(saved), str(REFERENCE))
    subprocess.run(["gzip", "--keep", saved], check=True)
    for archive in (saved, tmp_path / "saved.tar.gz", f"docker-archive:{saved}"):
        assert verify(capsys, archive) == (0, images, [])


def test_archives_that_podman_and_skopeo_write(
    tmp_path: Path,
    podman: Podman,
    layout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    use(monkeypatch, in_podman(tmp_path / "bin", podman, tiny_image(BOTH)))
    for form in ("docker-archive", "oci-archive"):
        archive = tmp_path / f"{form}.tar"
        podman.call("save", "--quiet", "--format", form, "--output", str(archive), str(REFERENCE))
        code, images, _ = verify(capsys, archive)
        assert (code, [programs for _, programs, _ in images]) == (0, [1])
    foreign = next(name for name in BOTH if name != OWN)
    options = ["--insecure-policy", "--override-arch", foreign, "copy", "--quiet"]
    run_tool(["skopeo", *options, f"oci:{layout}", f"docker-archive:{tmp_path}/skopeo.tar"])
    code, images, _ = verify(capsys, tmp_path / "skopeo.tar")
    assert (code, [platform.split("/")[1] for platform, _, _ in images]) == (0, [foreign])


def test_an_archive_with_a_changed_layer_is_refused(
    tmp_path: Path, podman: Podman, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    use(monkeypatch, in_podman(tmp_path / "bin", podman, tiny_image(BOTH)))
    archive = tmp_path / "saved.tar"
    podman.call("save", "--quiet", "--format", "docker-archive", "--output", str(archive), str(REFERENCE))
    data = archive.read_bytes()
    assert data.count(b"hello from") == 1
    archive.write_bytes(data.replace(b"hello from", b"jello from"))
    code, images, _ = verify(capsys, archive)
    assert code == 99
    assert "layer-diff-id" in images[0][2]


def test_all_platforms_of_a_registrys_image_are_streamed(
    layout: Path,
    registry: Registry,
    skopeo: Skopeo,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    reference = f"{registry.address}/verify/tiny:1.0"
    skopeo.copy_all(f"oci:{layout}", f"docker://{reference}")
    monkeypatch.setenv("CROSSDOCK_CACHE", str(tmp_path / "cache"))
    for name in (reference, f"docker://{reference}"):
        code, images, findings = verify(capsys, name)
        assert (code, findings) == (0, [])
        assert [(platform.split("/")[1], programs) for platform, programs, _ in images] == [(name, 1) for name in BOTH]
    layers = {
        layer["digest"].removeprefix("sha256:")
        for manifest in json.loads((layout / "index.json").read_text())["manifests"]
        for layer in layers_of(layout, manifest)
    }
    kept = {path.name for path in (tmp_path / "cache").rglob("*") if path.is_file()}
    manifests = {
        item["digest"].removeprefix("sha256:") for item in json.loads((layout / "index.json").read_text())["manifests"]
    }
    assert len(layers) == 2
    assert manifests <= kept
    assert not layers & kept

    code, images, findings = verify(capsys, reference, "--target", "linux/arm64", "--target", "linux/s390x")
    assert (code, findings) == (91, ["platform-missing"])


def layers_of(layout: Path, descriptor: dict[str, Any]) -> list[dict[str, Any]]:
    content = json.loads((layout / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")).read_bytes())
    nested = [layer for child in content.get("manifests", ()) for layer in layers_of(layout, child)]
    return nested or content.get("layers", [])
