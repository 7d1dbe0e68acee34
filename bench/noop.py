"""``crossdock image`` when nothing changed: what a user waits for, again and again."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import CPU, WALL, Result, cost, figure, interleave, ratio
from bench.project import image, make_project, prepared_cache
from bench.wheelhouse import TARGETS

__all__ = ["run"]

_NOOP, _BARE = "image, nothing to do", "python that does nothing"


def run(repeats: int) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as folder:
        project = make_project(Path(folder) / "app")
        cache = prepared_cache(project, TARGETS)
        series = interleave(
            {
                _NOOP: lambda: cost(lambda: image(project, TARGETS, cache)),
                _BARE: lambda: cost(lambda: subprocess.run([sys.executable, "-c", "pass"], check=True)),
            },
            repeats,
        )
    return Result(
        name="noop",
        about=f"the seven packages for {' and '.join(TARGETS)}, as a whole process; nothing changed since the last run",
        series=series,
        comparisons=(
            figure(series, _NOOP, CPU, "under 0.5"),
            figure(series, _NOOP, WALL, ""),
            ratio(series, _NOOP, _BARE, CPU),
        ),
    )
