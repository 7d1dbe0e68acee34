"""What the proof costs: in a build of two targets, and alone on an image of a gigabyte."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

from bench.measure import CPU, WALL, Result, cost, figure, interleave, ratio
from bench.project import link_cache, make_project, prepared_cache
from bench.targets import without_made_layers
from bench.wheelhouse import TARGETS, bench_cache, wheels
from crossdock.layers.cached import wheel_recipe
from crossdock.oci.image import Layer, RunConfig, make_image
from crossdock.oci.layout import write_layout
from crossdock.store.blobs import Store
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["run"]

_BYTES = 1 << 30
_LIBRARY = 400 << 20
_PEAK = "peak MB"


def run(repeats: int) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        layout, about = _large_image(folder)
        project = make_project(folder / "app")
        cache = prepared_cache(project, TARGETS)
        downloads = without_made_layers(project, cache, folder / "downloads")
        cases = {
            f"build of two targets, {case}": partial(_build, project, downloads, folder / "fresh", module)
            for case, module in (("proved", "crossdock"), ("not proved", "bench.unproved"))
        }
        cases |= {case: partial(_child, case, layout) for case in ("verify", "inflate only", "inflate and hash")}
        series = interleave(cases, repeats)
    return Result(
        name="proof",
        about=f"the seven packages for {' and '.join(TARGETS)}, from downloads; and {about}",
        series=series,
        comparisons=(
            ratio(series, "build of two targets, proved", "build of two targets, not proved", WALL, "at most 1.1"),
            ratio(series, "build of two targets, proved", "build of two targets, not proved", CPU),
            ratio(series, "verify", "inflate only", WALL, "at most 1.67: 60 % of the speed of inflating"),
            ratio(series, "verify", "inflate and hash", WALL),
            figure(series, "verify", _PEAK, "flat: not the image's size"),
        ),
    )


def _build(project: Path, state: Path, fresh: Path, module: str) -> Mapping[str, float]:
    link_cache(state, fresh)
    command = [sys.executable, "-m", module, "image", str(project), "--quiet", "--jobs=2"]
    command += [f"--output={project.with_name('image')}", *(f"--target={target}" for target in TARGETS)]
    environ = {**os.environ, "CROSSDOCK_CACHE": str(fresh)}
    try:
        return cost(lambda: subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL))
    finally:
        shutil.rmtree(fresh)


def _child(case: str, layout: Path) -> Mapping[str, float]:
    printed: list[str] = []

    def work() -> None:
        command = [sys.executable, "-m", "bench.proof_child", case, str(layout)]
        printed.append(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    return {**cost(work), _PEAK: int(printed[0]) / 1_000_000}


def _large_image(folder: Path) -> tuple[Path, str]:
    """Write an image of the size that torch brings, of real files: one large library, and many of usual sizes."""
    wheel = _large_wheel(folder)
    store = Store(folder / "store")
    scheme = posix_venv("app/.venv", "3.11")
    made = wheel_recipe(store, [(wheel.name, store.add_file(wheel))], scheme).make(store)
    layout = folder / "large"
    layer = Layer(
        digest=made.digest,
        size=made.size,
        diff_id=made.diff_id,
        created_by="bench",
        annotations={},
        media_type="application/vnd.oci.image.layer.v1.tar+gzip",
    )
    run = RunConfig(entrypoint=(), env={}, labels={}, ports=(), user="", working_dir="/")
    image = make_image({"os": "linux", "architecture": "arm64"}, [layer], run, epoch=0, annotations={})
    blobs: dict[str, bytes | Path] = {blob.descriptor.digest: blob.data for blob in (image.manifest, image.config)}
    write_layout(layout, image.manifest.descriptor, {**blobs, f"sha256:{made.digest}": store.path(made.digest)})
    about = f"an image of {_BYTES / 1e9:.2f} GB in a layer of {made.size / 1e6:.0f} MB, one library of 0.42 GB in it"
    return layout, about


def _large_wheel(folder: Path) -> Path:
    path = bench_cache() / "torchlike-1.0-cp311-cp311-manylinux_2_28_aarch64.whl"
    if not path.exists():
        members = _members(wheels(TARGETS[1]))
        unfinished = folder / path.name
        _write_wheel(unfinished, members)
        shutil.move(unfinished, path)
    return path


def _members(paths: Sequence[Path]) -> dict[str, bytes]:
    found = {}
    for path in paths:
        with ZipFile(path) as wheel:
            found.update({name: wheel.read(name) for name in wheel.namelist() if ".dist-info/" not in name})
    return found


def _write_wheel(path: Path, members: Mapping[str, bytes]) -> None:
    natives = [content for content in members.values() if content.startswith(b"\x7fELF")]
    library = max(natives, key=len)
    code = b"".join(natives)
    info = "torchlike-1.0.dist-info"
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=6) as wheel:
        wheel.writestr(f"{info}/METADATA", "Metadata-Version: 2.1\nName: torchlike\nVersion: 1.0\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux_2_28_aarch64\n"
        )
        wheel.writestr(f"{info}/RECORD", "")
        whole = (library + code * (_LIBRARY // len(code) + 1))[:_LIBRARY]
        wheel.writestr("torchlike/lib/libtorchlike.so", whole)
        written, copy = _LIBRARY, 0
        while written < _BYTES:
            for name, content in members.items():
                wheel.writestr(f"torchlike/copy{copy}/{name}", content)
                written += len(content)
                if written >= _BYTES:
                    break
            copy += 1
