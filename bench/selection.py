"""Selecting a large lock's files for twelve targets, against uv, which answers for one target at a time."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from tests.support.stubwheels import make_stub

from bench.measure import CPU, WALL, Comparison, Result, cost, interleave, pick, ratio
from bench.wheelhouse import bench_cache

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["run"]

#: crossdock's spelling and uv's; none lacks a wheel of any of the packages, as uv answers only where all have one.
_PLATFORMS = {
    "linux/amd64+glibc2.28": "x86_64-manylinux_2_28",
    "linux/arm64+glibc2.28": "aarch64-manylinux_2_28",
    "darwin/arm64+macos14.0": "aarch64-apple-darwin",
    "windows/amd64": "x86_64-pc-windows-msvc",
}
_PYTHONS = ("3.11", "3.12", "3.13")
_AT_LEAST = 300
_REQUIREMENTS = """
    aiohttp alembic asyncpg azure-identity azure-storage-blob beautifulsoup4 boto3 celery[redis] click cryptography
    dask[complete] distributed django djangorestframework docker duckdb fastapi[standard] flask google-cloud-bigquery
    google-cloud-storage grpcio-tools gunicorn httpx hypothesis jupyter keyring kubernetes lxml matplotlib msgspec mypy
    networkx numpy openpyxl opentelemetry-distro opentelemetry-exporter-otlp opentelemetry-instrumentation-fastapi
    opentelemetry-instrumentation-requests orjson pandas paramiko pillow plotly polars psycopg[binary] pyarrow pyjwt
    pymongo pytest pytest-cov pytest-xdist redis requests rich ruff s3fs scikit-learn scipy seaborn sphinx
    sphinx-rtd-theme sqlalchemy starlette sympy textual tqdm typer
"""

_OURS, _PHASES = "crossdock, one process", "its parts"
_INDEX, _STUBS = "uv, its cache of the index", "uv, a folder of wheels"


def run(repeats: int) -> Result:
    """Measure."""
    folder = _lock_folder()
    lock = folder / "uv.lock"
    count = len(tomllib.loads(lock.read_text())["package"])
    with tempfile.TemporaryDirectory() as scratch:
        index = ["--offline"]
        stubs = ["--no-index", f"--find-links={_stubs(lock)}"]
        _uv(folder, Path(scratch), [])
        series = interleave(
            {
                _OURS: lambda: cost(lambda: _ours(lock)),
                _PHASES: lambda: _phases(lock),
                _INDEX: lambda: cost(lambda: _uv(folder, Path(scratch), index)),
                _STUBS: lambda: cost(lambda: _uv(folder, Path(scratch), stubs)),
            },
            repeats,
        )
    toml, whole = (pick(series, _PHASES, part) for part in ("reading the TOML", "reading the lock"))
    share = Comparison(
        label="reading the TOML / reading the lock (cpu s)",
        at_minimum=toml.minimum / whole.minimum,
        at_median=toml.median / whole.median,
        goal="more than half",
    )
    return Result(
        name="selection",
        about=f"a uv.lock of {count} packages ({lock.stat().st_size / 1e6:.1f} MB) for Python {', '.join(_PYTHONS)} "
        f"on each of {', '.join(_PLATFORMS)}; uv pip install --dry-run, once for each, with everything it needs cached",
        series=series,
        comparisons=(
            *(ratio(series, _OURS, peer, metric, "at most 1") for peer in (_INDEX, _STUBS) for metric in (WALL, CPU)),
            share,
        ),
    )


@cache
def _lock_folder() -> Path:
    """Give a project with its lock, made by uv if it is not there yet."""
    folder = bench_cache() / "selection"
    if not folder.exists():
        unfinished = folder.with_name("selection.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        listed = "".join(f'  "{requirement}",\n' for requirement in _REQUIREMENTS.split())
        project = '[project]\nname = "bench-selection"\nversion = "1"\nrequires-python = ">=3.11,<3.14"\n'
        (unfinished / "pyproject.toml").write_text(f"{project}dependencies = [\n{listed}]\n")
        subprocess.run(["uv", "lock", "--quiet"], cwd=unfinished, check=True)
        export = ["uv", "export", "--quiet", "--frozen", "--no-emit-project", "--no-hashes", "--no-annotate"]
        exported = subprocess.run(export, cwd=unfinished, check=True, stdout=subprocess.PIPE)
        (unfinished / "requirements.txt").write_bytes(exported.stdout)
        packages = len(tomllib.loads((unfinished / "uv.lock").read_text())["package"])
        if packages < _AT_LEAST:
            raise RuntimeError(f"the lock has {packages} packages only; add to the requirements in bench/selection.py")
        unfinished.rename(folder)
    return folder


@cache
def _stubs(lock: Path) -> Path:
    """Give a folder with an empty wheel for every name of a wheel in the lock."""
    folder = lock.parent / "stubs"
    if not folder.exists():
        unfinished = folder.with_name("stubs.tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir()
        for package in tomllib.loads(lock.read_text())["package"]:
            for wheel in package.get("wheels", ()):
                make_stub(unfinished, unquote(wheel["url"].rsplit("/", 1)[-1]))
        unfinished.rename(folder)
    return folder


def _child(lock: Path, *options: str) -> bytes:
    names = [f"{platform}@{python}" for platform in _PLATFORMS for python in _PYTHONS]
    command = [sys.executable, "-m", "bench.selection_child", str(lock), *names, *options]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout


def _ours(lock: Path) -> None:
    _child(lock)


def _phases(lock: Path) -> Mapping[str, float]:
    seconds: dict[str, float] = json.loads(_child(lock, "--phases"))
    return seconds


def _uv(folder: Path, scratch: Path, options: Sequence[str]) -> None:
    environ = {key: value for key, value in os.environ.items() if key != "UV_FIND_LINKS"}
    command = ["uv", "pip", "install", "--dry-run", "--quiet", "--no-config", "--no-deps", "--no-build"]
    command += [f"--requirement={folder / 'requirements.txt'}", f"--target={scratch / 'target'}", *options]
    for platform in _PLATFORMS.values():
        for python in _PYTHONS:
            told = [f"--python-platform={platform}", f"--python-version={python}"]
            subprocess.run([*command, *told], check=True, env={**environ, "MACOSX_DEPLOYMENT_TARGET": "14.0"})
