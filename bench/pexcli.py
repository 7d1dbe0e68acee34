"""The pex command line, doing what crossdock does."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.wheelhouse import PYTHON, bench_cache, wheels

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pack_wheels", "resolve_and_pack", "run_pex"]


def resolve_and_pack(project: Path, target: str, out: Path, *options: str) -> None:
    """Resolve the project's locked requirements for a target and pack them, as its users do."""
    requirements = project / "requirements.txt"
    run_pex(
        f"--requirement={requirements}",
        f"--sources-directory={project / 'src'}",
        "--entry-point=bench_app:main",
        f"--complete-platform={_complete_platform(target)}",
        f"--output-file={out}",
        *options,
    )


def pack_wheels(own: Path, target: str, out: Path, *options: str) -> None:
    """Pack wheels that are there, without any resolution.

    Args:
        own: The project's own wheel.
        target: Whose wheels.
        out: The PEX.
        *options: Further options of pex.
    """
    dists = [f"--pre-resolved-dist={path}" for path in (*wheels(target), own)]
    platform = f"--complete-platform={_complete_platform(target)}"
    run_pex("bench-app", *dists, "--console-script=bench-app", platform, f"--output-file={out}", *options)


def run_pex(*arguments: str) -> None:
    """Run pex, with a cache of the benchmarks' own."""
    environ = {key: value for key, value in os.environ.items() if not key.startswith("PEX_")}
    environ["PEX_ROOT"] = str(bench_cache() / "pex-root")
    subprocess.run([sys.executable, "-m", "pex", *arguments], check=True, env=environ, stdout=sys.stderr)


def _complete_platform(target: str) -> Path:
    path = bench_cache() / f"{target.replace('/', '-')}.json"
    if not path.exists():
        command = [sys.executable, "-m", "crossdock", "target", "show", f"{target}+glibc2.36", f"--python={PYTHON}"]
        shown = subprocess.run([*command, "--complete-platform"], check=True, stdout=subprocess.PIPE, text=True).stdout
        json.loads(shown)
        unfinished = path.with_suffix(".tmp")
        unfinished.write_text(shown)
        shutil.move(unfinished, path)
    return path
