"""Peak memory of a layer made of a very large wheel, and of the proof that reads it, against a small one."""

from __future__ import annotations

import random
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from bench.measure import Result, figure, interleave, ratio

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["run"]

_MB = 1_000_000
_METRIC = "peak MB"
#: Sizes of the members unpacked, in MB; the last one of each is stored.
_SMALL = (5, 4, 3)
_LARGE = (600, 200, 120, *[31] * 8, 100)
_MAX_REPEATS = 3


def run(repeats: int) -> Result:
    """Measure; the peak hardly varies, so a few repetitions do."""
    with tempfile.TemporaryDirectory() as folder:
        small = _make_wheel(Path(folder), "small", _SMALL)
        large = _make_wheel(Path(folder), "large", _LARGE)
        sizes = [path.stat().st_size / _MB for path in (small, large)]
        cases = {
            "imports only": (),
            "small wheel": (small,),
            "large wheel": (large,),
            "large wheel, two threads": (large, large),
        }
        series = interleave(
            {name: partial(_peak, paths) for name, paths in cases.items()},
            min(repeats, _MAX_REPEATS),
        )
    return Result(
        name="memory",
        about=f"wheels of {sizes[0]:.0f} MB and {sizes[1]:.0f} MB ({sum(_LARGE)} MB unpacked, one member of 600 MB), "
        "each made a layer and scanned by a process of its own; in the last case twice at once",
        series=series,
        comparisons=(
            figure(series, "large wheel", _METRIC, "at most about 200"),
            figure(series, "large wheel, two threads", _METRIC, "at most about 200"),
            ratio(series, "large wheel", "small wheel", _METRIC),
        ),
    )


def _peak(paths: Iterable[Path]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-m", "bench.memory_child", *map(str, paths)], check=True, stdout=subprocess.PIPE
    )
    return {_METRIC: int(done.stdout) / _MB}


def _make_wheel(folder: Path, name: str, megabytes: Iterable[int]) -> Path:
    """Write a wheel whose members shrink by a quarter: enough to be worth copying, not enough to look like a bomb."""
    path = folder / f"{name}-1.0-py3-none-any.whl"
    info = f"{name}-1.0.dist-info"
    piece = b"".join(random.Random(seed).randbytes(3000) + bytes(1000) for seed in range(_MB // 4000))
    sizes = list(megabytes)
    with ZipFile(path, "w", ZIP_DEFLATED, compresslevel=1) as wheel:
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", "")
        for number, size in enumerate(sizes):
            member = ZipInfo(f"{name}/data{number:02}.bin")
            member.compress_type = ZIP_STORED if number == len(sizes) - 1 else ZIP_DEFLATED
            with wheel.open(member, "w") as out:
                for _ in range(size):
                    out.write(piece)
    return path
