"""The seven packages everything is measured with: locked and downloaded once, into a folder outside the tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

__all__ = ["PYTHON", "TARGETS", "bench_cache", "lock_file", "wheels"]

PACKAGES = ("cryptography", "fastapi", "numpy", "pandas", "pillow", "pydantic", "uvicorn")
PYTHON = "3.11"
TARGETS = ("linux/amd64", "linux/arm64")

_CACHE_VARIABLE = "CROSSDOCK_BENCH_CACHE"
_MACHINES = {"linux/amd64": "x86_64", "linux/arm64": "aarch64"}
_GLIBCS = (5, 12, 17, 24, 26, 27, 28)


def bench_cache() -> Path:
    """Give the folder for what is downloaded: ``CROSSDOCK_BENCH_CACHE``, else one below the home folder."""
    folder = Path(os.environ.get(_CACHE_VARIABLE) or Path.home() / ".cache" / "crossdock-bench").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@cache
def lock_file() -> Path:
    """Give the requirements file with hashes for all platforms, made by uv if it is not there yet."""
    path = bench_cache() / "requirements.txt"
    if not path.exists():
        _write(path, _compile("\n".join(PACKAGES), "--universal"))
    return path


@cache
def wheels(target: str) -> tuple[Path, ...]:
    """Give a target's wheels, sorted by name, downloaded by pip if they are not there yet."""
    machine = _MACHINES[target]
    folder = bench_cache() / f"wheels-{machine}"
    if not folder.exists():
        # pip decides markers for the machine it runs on, so it gets a list that has none left.
        listed = folder.with_suffix(".txt")
        _write(listed, _compile(lock_file().read_text(), f"--python-platform={machine}-manylinux_2_28", "--no-deps"))
        unfinished = folder.with_suffix(".tmp")
        shutil.rmtree(unfinished, ignore_errors=True)
        _download(listed, machine, unfinished)
        unfinished.rename(folder)
    return tuple(sorted(folder.glob("*.whl")))


def _compile(requirements: str, *options: str) -> str:
    command = ["uv", "pip", "compile", "-", "--quiet", "--generate-hashes", f"--python-version={PYTHON}", *options]
    command += ["--no-annotate", "--no-header", "--no-emit-index-url", "--no-emit-find-links"]
    made = subprocess.run(command, input=requirements, text=True, stdout=subprocess.PIPE, check=True, cwd=bench_cache())
    return made.stdout


def _download(listed: Path, machine: str, folder: Path) -> None:
    pip = shutil.which("pip")
    command = [pip] if pip else [sys.executable, "-m", "pip"]
    command += ["download", "--quiet", "--no-deps", "--only-binary=:all:", f"--dest={folder}"]
    command += ["--require-hashes", f"--requirement={listed}"]
    command += ["--implementation=cp", f"--python-version={PYTHON}", "--abi=cp311", "--abi=abi3", "--abi=none"]
    command += [f"--platform=manylinux_2_{minor}_{machine}" for minor in _GLIBCS]
    command += [f"--platform=manylinux2014_{machine}"]
    subprocess.run(command, check=True, stdout=sys.stderr)


def _write(path: Path, text: str) -> None:
    unfinished = path.with_name(path.name + ".tmp")
    unfinished.write_text(text)
    unfinished.rename(path)
