"""Pushing an image to a registry on this machine, against other programs that push the same layout."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.e2e.engines import Podman, podman_storage, run_tool
from tests.e2e.newer import Newer, newer_root
from tests.support.registries import Registry, running_registry

from bench.measure import WALL, Result, cost, figure, interleave, ratio
from bench.project import image, make_project, prepared_cache
from bench.wheelhouse import TARGETS, bench_cache
from crossdock.oci.model import CONFIG, INDEX, LAYER_GZIP, MANIFEST, json_blob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from bench.measure import Series
    from crossdock.oci.model import Blob

__all__ = ["run"]

_OURS = "crossdock"
_SECOND = "second machine, image --push"
_PEAK = "peak MB"
_MB = 1_000_000
_SIZES = {"layer of 10 MB": 10, "layer of 1 GB": 1000}
_MAX_REPEATS = 3


def run(repeats: int) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as name, podman_storage() as podman:
        folder = Path(name)
        project = make_project(folder / "app")
        cache = prepared_cache(project, TARGETS)
        image(project, TARGETS, cache)
        layout = project.with_name("image")
        size = sum(path.stat().st_size for path in (layout / "blobs").rglob("*") if path.is_file())
        (folder / "registry").mkdir()
        with running_registry(folder / "registry") as registry:
            cases = _peers(layout, folder, registry, podman)
            cases = {_OURS: partial(_child, layout, _reference(registry)), **cases}
            series = interleave({case: partial(_fresh, registry, work) for case, work in cases.items()}, repeats)
            series += _memory(folder, registry, repeats)
            series += _second_machine(project, cache, registry, repeats)
    return Result(
        name="push",
        about=f"the seven packages for both targets, {size / _MB:.0f} MB, as an OCI layout on disk, pushed to an empty "
        "docker-registry here, start-up included; podman pushes from its own storage, where layers are unpacked",
        series=series,
        comparisons=(
            *(ratio(series, _OURS, peer, WALL, "at most 1") for peer in cases if peer != _OURS),
            *(figure(series, case, _PEAK, "") for case in _SIZES),
            ratio(series, "layer of 1 GB", "layer of 10 MB", _PEAK, "about 1"),
            figure(series, _SECOND, WALL, "under 2"),
        ),
    )


def _reference(registry: Registry) -> str:
    return f"{registry.address}/bench/app:1"


def _fresh(registry: Registry, work: Callable[[], object]) -> dict[str, float]:
    """Do something with a registry that holds nothing, and check that it holds the image afterwards."""
    registry.empty()
    measured = cost(work)
    registry.manifest("bench/app", "1")
    return measured


def _child(layout: Path, reference: str) -> int:
    command = [sys.executable, "-m", "bench.push_child", str(layout), reference]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)


def _peers(layout: Path, folder: Path, registry: Registry, podman: Podman) -> dict[str, Callable[[], object]]:
    reference = _reference(registry)
    skopeo = ["--insecure-policy", "copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"]
    skopeo += [f"oci:{layout}", f"docker://{reference}"]
    peers: dict[str, Callable[[], object]] = {
        f"skopeo copy, {_version('skopeo')}": partial(run_tool, ["skopeo", *skopeo]),
        "podman manifest push": partial(_podman_push, podman, _podman_load(podman, layout), reference),
    }
    if (newer_root() / ".ready").exists():
        home = folder / "home"
        home.mkdir()
        newer = Newer(root=newer_root(), home=home)
        folders = (folder,)
        version = newer.run("skopeo", "--version").decode().split()[-1]
        peers[f"skopeo copy, {version}"] = partial(newer.run, "skopeo", *skopeo, folders=folders)
        crane = ("push", "--insecure", "--index", str(layout), reference)
        peers["crane push"] = partial(newer.run, "crane", *crane, folders=folders)
        oras = ("cp", "--recursive", "--no-tty", "--to-plain-http", "--from-oci-layout")
        tag = _tag(layout)
        peers["oras cp"] = partial(newer.run, "oras", *oras, f"{layout}:{tag}", reference, folders=folders)
    return peers


def _version(program: str) -> str:
    return run_tool([program, "--version"]).decode().split()[-1]


def _tag(layout: Path) -> str:
    (listed,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    name = listed.get("annotations", {}).get("org.opencontainers.image.ref.name")
    return str(name or listed["digest"])


def _podman_load(podman: Podman, layout: Path) -> str:
    """Bring the layout into podman's storage, which is not measured."""
    name = "localhost/bench:1"
    podman.call("manifest", "create", name)
    for target in TARGETS:
        architecture = target.rpartition("/")[2]
        said = podman.call("pull", "--quiet", "--os", "linux", "--arch", architecture, f"oci:{layout}")
        podman.call("manifest", "add", name, f"containers-storage:{said.decode().split()[-1]}")
    return name


def _podman_push(podman: Podman, name: str, reference: str) -> None:
    podman.call("manifest", "push", "--all", "--tls-verify=false", name, f"docker://{reference}")


def _memory(folder: Path, registry: Registry, repeats: int) -> tuple[Series, ...]:
    layouts = {case: _one_layer(folder / f"layer-{size}", size) for case, size in _SIZES.items()}

    def peak(layout: Path) -> dict[str, float]:
        registry.empty()
        return {_PEAK: _child(layout, _reference(registry)) / _MB}

    series = interleave({case: partial(peak, layout) for case, layout in layouts.items()}, min(repeats, _MAX_REPEATS))
    for layout in layouts.values():
        shutil.rmtree(layout)
    registry.empty()
    return series


def _one_layer(layout: Path, megabytes: int) -> Path:
    """Write a layout with an image of one layer, whose bytes no program that only pushes looks into."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    noise = random.Random(megabytes)
    digest = sha256()
    unfinished = layout / "layer"
    with unfinished.open("wb") as out:
        for piece in (noise.randbytes(_MB) for _ in range(megabytes)):
            out.write(piece)
            digest.update(piece)
    unfinished.rename(blobs / digest.hexdigest())
    layer = {"mediaType": LAYER_GZIP, "digest": f"sha256:{digest.hexdigest()}", "size": megabytes * _MB}
    rootfs = {"type": "layers", "diff_ids": [layer["digest"]]}
    config = json_blob(CONFIG, {"architecture": "amd64", "os": "linux", "rootfs": rootfs})
    manifest = _manifest(config, layer)
    for blob in (config, manifest):
        (blobs / blob.descriptor.sha256).write_bytes(blob.data)
    listed = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [manifest.descriptor.to_json()]}
    (layout / "index.json").write_text(json.dumps(listed))
    (layout / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return layout


def _manifest(config: Blob, layer: Mapping[str, Any]) -> Blob:
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": config.descriptor.to_json(),
        "layers": [layer],
    }
    return json_blob(MANIFEST, value)


def _second_machine(project: Path, cache: Path, registry: Registry, repeats: int) -> tuple[Series, ...]:
    """Push once with everything cached, then from empty caches: only the registry knows the layers."""
    registry.empty()
    (project / "requirements.txt").unlink()
    shutil.copy(_uv_lock(project), project / "uv.lock")
    _push(project, cache, registry)
    fresh = project.with_name("fresh")

    def once() -> dict[str, float]:
        shutil.rmtree(fresh, ignore_errors=True)
        return cost(lambda: _push(project, fresh, registry))

    return interleave({_SECOND: once}, repeats)


def _push(project: Path, cache: Path, registry: Registry) -> None:
    command = [sys.executable, "-m", "crossdock", "image", str(project), "--quiet", "--push", _reference(registry)]
    command += [f"--target={target}" for target in TARGETS]
    environ = {**os.environ, "CROSSDOCK_CACHE": str(cache)}
    subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL)


def _uv_lock(project: Path) -> Path:
    """Have uv lock the project, once: its lock names files by URL, so no page of the index has to be read."""
    kept = bench_cache() / "uv.lock"
    if not kept.exists():
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(project / "pyproject.toml", folder)
            subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet"], check=True, cwd=folder)
            shutil.copy(Path(folder, "uv.lock"), kept)
    return kept
