"""A project with the seven packages, and crossdock's command run on it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.wheelhouse import PACKAGES, PYTHON, bench_cache, lock_file
from crossdock.store.actions import decode_record

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["bundle", "image", "link_cache", "make_project", "prepared_cache", "without_parts"]

_PYPROJECT = f"""\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "bench-app"
version = "1.0"
requires-python = ">={PYTHON}"
dependencies = [{", ".join(f'"{name}"' for name in PACKAGES)}]

[project.scripts]
bench-app = "bench_app:main"

[tool.crossdock]
base = "debian:bookworm"
"""


def make_project(folder: Path) -> Path:
    """Write the project, with its lock and, if an earlier run left one, its ``crossdock.lock``."""
    package = folder / "src" / "bench_app"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("def main() -> None:\n    print('hello')\n")
    (folder / "pyproject.toml").write_text(_PYPROJECT)
    shutil.copy(lock_file(), folder / "requirements.txt")
    kept = bench_cache() / "crossdock.lock"
    if kept.exists():
        shutil.copy(kept, folder)
    return folder


def prepared_cache(project: Path, targets: Sequence[str]) -> Path:
    """Give a crossdock cache in which everything for the project is there, building it once."""
    cache = bench_cache() / "crossdock"
    image(project, targets, cache)
    shutil.copy(project / "crossdock.lock", bench_cache())
    return cache


def bundle(command: str, project: Path, target: str, cache: Path, *options: str) -> Path:
    """Run a command that makes a bundle for one target, and give what it made, in place of what was there."""
    arguments = [sys.executable, "-m", "crossdock", command, str(project), "--quiet", "--jobs=2", f"--target={target}"]
    arguments += [f"--output={project.with_name(command)}", *options]
    environ = {**os.environ, "CROSSDOCK_CACHE": str(cache)}
    made = subprocess.run(arguments, check=True, env=environ, stdout=subprocess.PIPE, text=True)
    (path,) = made.stdout.splitlines()
    return Path(path)


def link_cache(cache: Path, copy: Path) -> None:
    """Copy a cache by hard links: files in it are only ever replaced, never changed."""
    shutil.copytree(cache, copy, copy_function=os.link)


def without_parts(cache: Path, bare: Path, *, but: str = "") -> None:
    """Link a cache, leaving out the parts of archives, but for those that begin with a path."""
    link_cache(cache, bare)
    for path in (bare / "actions").rglob("*.json"):
        value = decode_record(path.read_bytes())
        if isinstance(value, dict) and {"digest", "directory", "contents"} <= value.keys():
            digest = value["digest"]
            blob = bare / "blobs" / "sha256" / digest[:2] / digest
            if blob.exists() and not (but and zipfile.ZipFile(blob).namelist()[0].startswith(but)):
                blob.unlink()


def image(project: Path, targets: Sequence[str], cache: Path, *, jobs: int = 2) -> None:
    """Run ``crossdock image``; its output goes beside the project, replacing what was there."""
    command = [sys.executable, "-m", "crossdock", "image", str(project), "--quiet", f"--jobs={jobs}"]
    command += [f"--output={project.with_name('image')}", *(f"--target={target}" for target in targets)]
    environ = {**os.environ, "CROSSDOCK_CACHE": str(cache)}
    subprocess.run(command, check=True, env=environ, stdout=subprocess.DEVNULL)
