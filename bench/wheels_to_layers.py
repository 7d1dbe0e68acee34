"""Wheels to layers against the floor, and against what peers do for the same wheels."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZipFile

from bench.floor import floor, load, naive
from bench.layering import grouped, make_layers, one_each, run_parallel
from bench.measure import CPU, WALL, Result, cost, interleave, ratio
from bench.wheelhouse import PYTHON, bench_cache, wheels
from crossdock.store.blobs import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

__all__ = ["run"]

TARGET = "linux/arm64"


def run(repeats: int) -> Result:
    """Measure."""
    paths = wheels(TARGET)
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        for path in paths:
            with ZipFile(path) as archive:
                archive.extractall(tree)
        source = Store(Path(folder) / "store")
        cases = {**_ours(paths, source), **_peers(paths, tree)}
        series = interleave({name: partial(cost, work) for name, work in cases.items()}, repeats)
        unpacked = sum(path.stat().st_size for path in tree.rglob("*") if path.is_file())
    packed = sum(path.stat().st_size for path in paths)
    goal = "at most 2"
    comparisons = [
        ratio(series, f"layers, {kind}, {jobs}", f"floor, {jobs}", metric, goal)
        for kind in ("a wheel each", "grouped")
        for jobs, metric in (("1 thread", WALL), ("1 thread", CPU), ("2 threads", WALL))
    ]
    comparisons += [ratio(series, peer, "layers, grouped, 1 thread", WALL) for peer in cases if peer in _PEERS]
    return Result(
        name="wheels_to_layers",
        about=f"{len(paths)} wheels for {TARGET}, {packed / 1e6:.0f} MB, {unpacked / 1e6:.0f} MB unpacked",
        series=series,
        comparisons=tuple(comparisons),
    )


_PEERS = ("naive with zlib", "tar czf of the tree", "uv pip install, no layer")


def _ours(paths: Sequence[Path], source: Store) -> dict[str, Callable[[], object]]:
    loaded = [load(path) for path in paths]
    kinds = {"a wheel each": one_each(paths, source), "grouped": grouped(paths, source)}
    cases: dict[str, Callable[[], object]] = {}
    for jobs, threads in ((1, "1 thread"), (2, "2 threads")):
        cases[f"floor, {threads}"] = partial(run_parallel, floor, loaded, jobs)
        for kind, groups in kinds.items():
            cases[f"layers, {kind}, {threads}"] = partial(make_layers, groups, source, jobs)
    return cases


def _peers(paths: Sequence[Path], tree: Path) -> dict[str, Callable[[], object]]:
    packed = tree.with_suffix(".tar.gz")
    cases: dict[str, Callable[[], object]] = {
        _PEERS[0]: lambda: [naive(path) for path in paths],
        _PEERS[1]: lambda: subprocess.run(["tar", "-czf", packed, "-C", tree, "."], check=True),
    }
    if shutil.which("uv"):
        cases[_PEERS[2]] = lambda: _uv(paths, tree.with_name("uv"))
    return cases


def _uv(paths: Sequence[Path], where: Path) -> None:
    shutil.rmtree(where, ignore_errors=True)
    command = ["uv", "pip", "install", "--quiet", "--offline", "--no-index", "--no-deps", "--target", str(where)]
    command += [f"--python-version={PYTHON}", "--python-platform=aarch64-manylinux_2_28", *map(str, paths)]
    environ = {**os.environ, "UV_CACHE_DIR": str(bench_cache() / "uv")}
    subprocess.run(command, check=True, env=environ, cwd=where.parent)
