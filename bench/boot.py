"""How long a PEX takes to start: crossdock's against one that the pex command line made with the same options."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.measure import CPU, WALL, Result, cost, interleave, ratio
from bench.pexcli import pack_wheels
from bench.project import bundle, make_project, prepared_cache
from bench.wheelhouse import TARGETS

__all__ = ["run"]

_TARGETS = {"x86_64": "linux/amd64", "aarch64": "linux/arm64"}
#: As both spell them.
_OPTIONS = {"zipapp": (), "venv": ("--venv",), "sh-boot": ("--venv", "--sh-boot")}


def run(repeats: int) -> Result:
    """Measure."""
    target = _TARGETS[platform.machine()]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(folder / "app")
        cache = prepared_cache(project, TARGETS)
        subprocess.run(["uv", "build", "--quiet", "--wheel", f"--out-dir={folder / 'own'}", str(project)], check=True)
        (own,) = (folder / "own").glob("*.whl")
        cases = {}
        for kind, options in _OPTIONS.items():
            ours, theirs = folder / f"{kind}-ours.pex", folder / f"{kind}-theirs.pex"
            shutil.copy2(bundle("pex", project, target, cache, *options), ours)
            pack_wheels(own, target, theirs, *options)
            for who, path in (("crossdock", ours), ("pex", theirs)):
                root = folder / f"{kind}-{who}-root"
                cases[f"{kind}, {who}, first boot"] = partial(_first, path, root)
                cases[f"{kind}, {who}"] = partial(_later, path, root)
        series = interleave(cases, repeats)
    return Result(
        name="boot",
        about=f"a PEX of the seven packages that prints one line, on {target}; *first boot* has an empty PEX_ROOT",
        series=series,
        comparisons=tuple(
            ratio(series, f"{kind}, crossdock{when}", f"{kind}, pex{when}", metric, "at most 1")
            for kind in _OPTIONS
            for when in (", first boot", "")
            for metric in (WALL, CPU)
        ),
    )


def _first(path: Path, root: Path) -> dict[str, float]:
    shutil.rmtree(root, ignore_errors=True)
    return cost(lambda: _boot(path, root))


def _later(path: Path, root: Path) -> dict[str, float]:
    return cost(lambda: _boot(path, root))


def _boot(path: Path, root: Path) -> None:
    # A PEX that is started by a shell finds its interpreter on PATH: it has to be the same one.
    start = [str(path)] if path.read_bytes()[:9] == b"#!/bin/sh" else [sys.executable, str(path)]
    environ = {"PEX_ROOT": str(root), "HOME": str(root), "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(start, check=True, env=environ, stdout=subprocess.PIPE)
    if done.stdout != b"hello\n":
        raise RuntimeError(f"{path} printed {done.stdout[:100]!r}")
