"""Projects with real backends, fetched from the index: one layer, whatever machine built the wheel."""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import ImpureProjectError, ProjectBuildError
from crossdock.layers.cached import MadeLayer, wheel_recipe
from crossdock.projects.firstparty import OwnWheel, build_own_wheel
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store.blobs import Store
from crossdock.wheels.archive import WheelArchive
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
    return wheel_recipe(store, [(wheel.filename, wheel.sha256)], posix_venv("app/.venv", "3.11")).make(store)


def build(folder: Path, backend: str, monkeypatch: pytest.MonkeyPatch, *, umask: int, zone: str) -> MadeLayer:
    before = os.umask(umask)
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        project = load_project(write_project(folder / "project", backend, FILES))
        store = Store(folder / "store")
        return layer(store, build_own_wheel(project, Services(store=store)))
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
        build_own_wheel(load_project(root), Services(store=Store(tmp_path / "store")))


SETUPTOOLS_SCM = 'requires = ["setuptools", "setuptools-scm"]\nbuild-backend = "setuptools.build_meta"'
HATCH_VCS = 'requires = ["hatchling", "hatch-vcs"]\nbuild-backend = "hatchling.build"'
TOOL = {SETUPTOOLS_SCM: "[tool.setuptools_scm]", HATCH_VCS: '[tool.hatch.version]\nsource = "vcs"'}
TOOL_IN_REPOSITORY = {
    SETUPTOOLS_SCM: '[tool.setuptools_scm]\nroot = "../.."',
    HATCH_VCS: '[tool.hatch.version]\nsource = "vcs"\nraw-options = { root = "../.." }',
}


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


@pytest.mark.parametrize("where", [".", "apps/demo"])
@pytest.mark.parametrize("backend", [SETUPTOOLS_SCM, HATCH_VCS], ids=["setuptools-scm", "hatch-vcs"])
def test_a_version_from_git_is_the_one_of_the_commit_that_is_built(backend: str, where: str, tmp_path: Path) -> None:
    top, store = tmp_path / "repository", Store(tmp_path / "store")
    root = top / where
    tool = (TOOL if where == "." else TOOL_IN_REPOSITORY)[backend]
    text = f'[build-system]\n{backend}\n[project]\nname = "demo"\ndynamic = ["version"]\n{tool}\n'
    for name, content in {**FILES, "pyproject.toml": text, "crossdock.lock": "version = 1\n"}.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    git(top, "init", "--quiet")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", "one")
    git(top, "tag", "v1.5")
    project = load_project(root)
    wheel = build_own_wheel(project, Services(store=store))
    assert wheel.filename.startswith("demo-1.5-py")
    with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
        assert "demo/data.txt" in {member.name for member in archive.members}  # setuptools-scm takes what is tracked
    # The build changed crossdock.lock, which is tracked and no source: the work tree counts as clean.
    assert (root / "crossdock.lock").read_text() != "version = 1\n"
    assert build_own_wheel(project, Services(store=store)) == wheel
    git(top, "commit", "--quiet", "--allow-empty", "--message", "two")
    later = build_own_wheel(project, Services(store=store)).filename
    assert later.startswith("demo-1.6.dev1+g")
    assert ".d2" not in later


def test_a_version_from_git_without_git_is_an_error(tmp_path: Path) -> None:
    text = f'[build-system]\n{HATCH_VCS}\n[project]\nname = "demo"\ndynamic = ["version"]\n{TOOL[HATCH_VCS]}\n'
    root = write_project(tmp_path / "project", HATCHLING, FILES)
    (root / "pyproject.toml").write_text(text)
    with pytest.raises(ProjectBuildError, match="The build backend of demo failed") as caught:
        build_own_wheel(load_project(root), Services(store=Store(tmp_path / "store")))
    assert "name the version in [project]" in caught.value.hint


def test_a_module_that_was_deleted_is_not_built_from_what_is_left_of_it(tmp_path: Path) -> None:
    root = write_project(tmp_path / "project", SETUPTOOLS, {**FILES, "build/lib/demo/deleted.py": "x = 1\n"})
    store = Store(tmp_path / "store")
    wheel = build_own_wheel(load_project(root), Services(store=store))
    with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
        assert "demo/deleted.py" not in {member.name for member in archive.members}
    after = ["README.md", "build", "crossdock.lock", "pyproject.toml", "src"]
    assert sorted(path.name for path in root.iterdir()) == after
