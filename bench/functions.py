"""A zip for AWS Lambda, against installing into a folder and zipping that."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from bench.measure import CPU, WALL, Result, cost, interleave, ratio
from bench.project import bundle, link_cache, make_project, prepared_cache, without_parts
from bench.wheelhouse import TARGETS

__all__ = ["run"]

_PYTHON = "3.13"
_RUNTIME = f"aws-lambda-python{_PYTHON}/arm64"
_GLIBCS = (5, 12, 17, 24, 26, 27, 28, 31, 34)
_AGAIN, _FIRST = "crossdock lambda, again", "crossdock lambda, wheels cached"
_UV, _PIP = "uv pip install + zip -r", "pip install + zip -r"


def run(repeats: int) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(folder / "app")
        cache = prepared_cache(project, TARGETS)
        made = bundle("lambda", project, _RUNTIME, cache)
        bare = folder / "bare"
        without_parts(cache, bare)
        subprocess.run(["uv", "build", "--quiet", "--wheel", f"--out-dir={folder / 'own'}", str(project)], check=True)
        pip = [found] if (found := shutil.which("pip")) else [sys.executable, "-m", "pip"]
        files = _wheels_of(made, project, cache, folder / "own")

        def first() -> dict[str, float]:
            fresh = folder / "fresh"
            link_cache(bare, fresh)
            try:
                return cost(lambda: bundle("lambda", project, _RUNTIME, fresh))
            finally:
                shutil.rmtree(fresh)

        series = interleave(
            {
                _AGAIN: lambda: cost(lambda: bundle("lambda", project, _RUNTIME, cache)),
                _FIRST: first,
                _UV: lambda: _installed(folder, ["uv", "pip", "install", "--quiet", "--offline", "--no-deps"], files),
                _PIP: lambda: _installed(folder, [*pip, "install", "--quiet", "--no-deps"], files),
            },
            repeats,
        )
        size = made.stat().st_size
    return Result(
        name="functions",
        about=f"the seven packages for {_RUNTIME}, a zip of {size / 1e6:.0f} MB, as a whole process; uv and pip get the"
        " wheels as files, and zip compresses at its default level",
        series=series,
        comparisons=tuple(
            ratio(series, other, ours, metric, "at least 5" if metric == WALL else "")
            for ours in (_AGAIN, _FIRST)
            for other in (_UV, _PIP)
            for metric in (WALL, CPU)
        ),
    )


def _wheels_of(made: Path, project: Path, cache: Path, own: Path) -> list[Path]:
    """Give the wheels that a zip was made of, in the folder where the project's own is."""
    fetched = project.with_name("fetched")
    command = [sys.executable, "-m", "crossdock", "fetch", str(project), f"--target={_RUNTIME}", f"--output={fetched}"]
    environ = {**os.environ, "CROSSDOCK_CACHE": str(cache)}
    subprocess.run([*command, "--quiet"], check=True, env=environ, stdout=subprocess.DEVNULL)
    # What the project's build backend runs on is fetched as well, and is no part of the zip.
    inside = {name.partition("/")[0].removesuffix(".dist-info") for name in zipfile.ZipFile(made).namelist()}
    for path in fetched.rglob("*.whl"):
        if "-".join(path.name.split("-")[:2]) in inside:
            path.rename(own / path.name)
    return list(own.glob("*.whl"))


def _installed(folder: Path, command: list[str], files: list[Path]) -> dict[str, float]:
    tree, out = folder / "tree", folder / "theirs.zip"
    shutil.rmtree(tree, ignore_errors=True)
    out.unlink(missing_ok=True)
    links, names = files[0].parent, ["==".join(file.name.split("-")[:2]) for file in files]
    options = [f"--target={tree}", f"--python-version={_PYTHON}", "--no-index", f"--find-links={links}"]
    if command[0] == "uv":
        options += ["--python-platform=aarch64-manylinux_2_34"]
    else:
        options += [
            "--only-binary=:all:",
            "--no-compile",
            "--ignore-requires-python",
            "--implementation=cp",
            "--abi=cp313",
            "--abi=abi3",
            "--abi=none",
        ]
        options += [f"--platform=manylinux_2_{minor}_aarch64" for minor in _GLIBCS]
        options += ["--platform=manylinux2014_aarch64"]

    def work() -> None:
        subprocess.run([*command, *options, *names], check=True, stdout=sys.stderr)
        subprocess.run(["zip", "-r", "-q", str(out), "."], check=True, cwd=tree)

    return cost(work)
