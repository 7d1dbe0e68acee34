"""Two targets against one, when everything is downloaded and no wheel is a layer yet."""

from __future__ import annotations

import json
import shutil
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.layering import grouped, make_layers
from bench.measure import CPU, WALL, Result, cost, interleave, ratio
from bench.project import image, link_cache, make_project, prepared_cache
from bench.wheelhouse import TARGETS, wheels
from crossdock.store.actions import decode_record
from crossdock.store.blobs import Store

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

__all__ = ["run", "without_made_layers"]

_CASES = {"linux/amd64": TARGETS[:1], "linux/arm64": TARGETS[1:], "both": TARGETS}
_MADE_OF_WHEELS = ("wheels", "project")
_ALL = ("base", "environment", *_MADE_OF_WHEELS)


def run(repeats: int) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(folder / "app")
        cache = prepared_cache(project, TARGETS)
        bare = folder / "bare"
        layout = project.with_name("image")
        _without_layers(cache, _layers(layout, _MADE_OF_WHEELS), bare)
        downloads = without_made_layers(project, cache, folder / "downloads")
        source = Store(folder / "wheels")
        groups = {target: grouped(wheels(target), source) for target in TARGETS}

        def whole(state: Path, targets: Sequence[str]) -> dict[str, float]:
            fresh = folder / "fresh"
            link_cache(state, fresh)
            try:
                return cost(lambda: image(project, targets, fresh))
            finally:
                shutil.rmtree(fresh)

        def layers(targets: Sequence[str]) -> dict[str, float]:
            wanted = [group for target in targets for group in groups[target]]
            return cost(lambda: make_layers(wanted, source, jobs=2))

        cases = {f"from downloads, {case}": partial(whole, downloads, targets) for case, targets in _CASES.items()}
        cases |= {f"image, {case}": partial(whole, bare, targets) for case, targets in _CASES.items()}
        cases |= {f"layers, {case}": partial(layers, targets) for case, targets in _CASES.items()}
        series = interleave(cases, repeats)
    return Result(
        name="targets",
        about="2 jobs; *from downloads*: the whole command when only wheels and packages are cached; *image*: when the"
        " base's layers and the project's own wheel are there as well; *layers*: the making of wheels' layers alone",
        series=series,
        comparisons=tuple(
            ratio(series, f"{what}, both", f"{what}, {target}", metric, "at most 1.6")
            for what in ("from downloads", "image", "layers")
            for target in TARGETS
            for metric in (WALL, CPU)
        ),
    )


def without_made_layers(project: Path, cache: Path, downloads: Path) -> Path:
    """Link a cache in which everything for a project is there, but for what was made of the downloads."""
    _without_layers(cache, _layers(project.with_name("image"), _ALL), downloads)
    _without_own_wheel(downloads)
    return downloads


def _layers(layout: Path, kinds: Collection[str]) -> set[str]:
    """Find the digests of an image's layers of some kinds."""

    def blob(descriptor: dict[str, Any]) -> dict[str, Any]:
        content: dict[str, Any] = json.loads((layout / "blobs" / descriptor["digest"].replace(":", "/")).read_bytes())
        return content

    index = blob(json.loads((layout / "index.json").read_bytes())["manifests"][0])
    return {
        layer["digest"].removeprefix("sha256:")
        for descriptor in index["manifests"]
        for layer in blob(descriptor)["layers"]
        if layer.get("annotations", {}).get("dev.crossdock.layer") in kinds
    }


def _without_layers(cache: Path, digests: set[str], bare: Path) -> None:
    """Link a cache, leaving out some layers and every record about them."""
    link_cache(cache, bare)
    for digest in digests:
        (bare / "blobs" / "sha256" / digest[:2] / digest).unlink(missing_ok=True)
    for path in (bare / "actions").rglob("*.json"):
        value = decode_record(path.read_bytes())
        if isinstance(value, dict) and str(value.get("digest", "")).removeprefix("sha256:") in digests:
            path.unlink()


def _without_own_wheel(cache: Path) -> None:
    """Forget the project's own wheel."""
    for path in (cache / "actions").rglob("*.json"):
        value = decode_record(path.read_bytes())
        if isinstance(value, dict) and "scripts" in value:
            path.unlink()
