"""Projects with real backends, fetched from the index: one layer, whatever machine built the wheel."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import ImpureProjectError
from crossdock.layers.cached import MadeLayer, wheel_recipe
from crossdock.projects.firstparty import OwnWheel, build_own_wheel
from crossdock.projects.project import load_project
from crossdock.store.blobs import Store
from crossdock.wheels.scheme import posix_venv

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

HATCHLING = 'requires = ["hatchling"]\nbuild-backend = "hatchling.build"'
SETUPTOOLS = 'requires = ["setuptools"]\nbuild-backend = "setuptools.build_meta"'
FILES = {
    "src/demo/__init__.py": "def main():\n    print('hello')\n" * 200,
    "src/demo/data.txt": "data " * 2000,
    "README.md": "# Demo\n",
}


def write_project(root: Path, backend: str, files: dict[str, str]) -> Path:
    text = (
        f'[build-system]\n{backend}\n[project]\nname = "demo"\nversion = "1.0"\n[project.scripts]\ndemo = "demo:main"\n'
    )
    for name, content in {"pyproject.toml": text, **files}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    return root


def layer(store: Store, wheel: OwnWheel) -> MadeLayer:
    recipe = wheel_recipe(store, [(wheel.filename, wheel.sha256)], posix_venv("app/.venv", "3.11"), copy_streams=False)
    return recipe.make(store)


def build(folder: Path, backend: str, monkeypatch: pytest.MonkeyPatch, *, umask: int, zone: str) -> MadeLayer:
    before = os.umask(umask)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        project = load_project(write_project(folder / "project", backend, FILES))
        store = Store(folder / "store")
        return layer(store, build_own_wheel(project, store))
    finally:
        os.umask(before)
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("backend", [HATCHLING, SETUPTOOLS], ids=["hatchling", "setuptools"])
def test_umask_time_zone_and_folder_do_not_reach_the_layer(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build(tmp_path / "a", backend, monkeypatch, umask=0o022, zone="UTC")
    second = build(tmp_path / "b" / "deeper", backend, monkeypatch, umask=0o077, zone="Asia/Tokyo")
    assert first == second


def test_a_compiled_project_is_refused(tmp_path: Path) -> None:
    setup = (
        'from setuptools import Extension, setup\nsetup(ext_modules=[Extension("demo._x", ["x.c"], optional=True)])\n'
    )
    root = write_project(tmp_path / "project", SETUPTOOLS, {**FILES, "setup.py": setup, "x.c": "not C"})
    with pytest.raises(ImpureProjectError, match="for this machine only"):
        build_own_wheel(load_project(root), Store(tmp_path / "store"))
