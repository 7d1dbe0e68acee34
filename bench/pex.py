"""A PEX for another machine, against the pex command line and against copying the same bytes."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path

from bench.measure import CPU, WALL, Result, cost, interleave, ratio
from bench.pexcli import pack_wheels, resolve_and_pack
from bench.project import bundle, link_cache, make_project, prepared_cache, without_parts
from bench.wheelhouse import TARGETS

__all__ = ["run"]

_TARGET = "linux/arm64"
_AGAIN, _FIRST, _FRESH = "crossdock pex, again", "crossdock pex, wheels cached", "crossdock pex, and no runtime"
_PEX, _PACKED = "pex --complete-platform", "pex, wheels given"
_COPY = "cp of the same file"


def run(repeats: int) -> Result:
    """Measure."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        project = make_project(folder / "app")
        cache = prepared_cache(project, TARGETS)
        made = bundle("pex", project, _TARGET, cache)
        wheels, nothing = folder / "wheels", folder / "nothing"
        without_parts(cache, wheels, but=".bootstrap/")
        without_parts(cache, nothing)
        own = folder / "own"
        subprocess.run(["uv", "build", "--quiet", "--wheel", f"--out-dir={own}", str(project)], check=True)
        (own_wheel,) = own.glob("*.whl")

        def first(state: Path) -> dict[str, float]:
            fresh = folder / "fresh"
            link_cache(state, fresh)
            try:
                return cost(lambda: bundle("pex", project, _TARGET, fresh))
            finally:
                shutil.rmtree(fresh)

        series = interleave(
            {
                _AGAIN: lambda: cost(lambda: bundle("pex", project, _TARGET, cache)),
                _FIRST: lambda: first(wheels),
                _FRESH: lambda: first(nothing),
                _PEX: lambda: cost(lambda: resolve_and_pack(project, _TARGET, folder / "theirs.pex")),
                _PACKED: lambda: cost(lambda: pack_wheels(own_wheel, _TARGET, folder / "packed.pex")),
                _COPY: lambda: cost(lambda: subprocess.run(["cp", str(made), str(folder / "copy.pex")], check=True)),
            },
            repeats,
        )
        size = made.stat().st_size
    return Result(
        name="pex",
        about=f"the seven packages for {_TARGET}, a zipapp of {size / 1e6:.0f} MB, as a whole process. *Again*: with"
        " every part made; *wheels cached*: with nothing made of the wheels yet; *no runtime*: nor what a PEX boots by;"
        " *wheels given*: pex resolves nothing",
        series=series,
        comparisons=(
            ratio(series, _PEX, _AGAIN, WALL, "at least 15"),
            ratio(series, _PEX, _FIRST, WALL, "at least 15"),
            ratio(series, _PEX, _FRESH, WALL),
            ratio(series, _PACKED, _FIRST, WALL),
            ratio(series, _AGAIN, _COPY, WALL, "at most 2"),
            ratio(series, _FIRST, _COPY, WALL, "at most 2"),
            ratio(series, _PEX, _FIRST, CPU),
        ),
    )
