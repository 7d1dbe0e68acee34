"""The project's own wheel. The backends here lie in the projects themselves, so that nothing is fetched."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import wheel_files

from crossdock.errors import ImpureProjectError, NoBackendError, ProjectBuildError
from crossdock.projects.firstparty import _check_pure, build_own_wheel
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store.blobs import Store
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.projects.project import Project

PYPROJECT = """
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]
[project]
name = "demo"
version = "1.0"
"""
BACKEND = """
import os, zipfile
FILES = {files!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    print("the backend talks")
    {first}
    with zipfile.ZipFile(os.path.join(folder, {name!r}), "w") as archive:
        for path, content in FILES.items():
            archive.writestr(path, content)
    return {name!r}
"""


def write_project(root: Path, *, name: str = "demo-1.0-py3-none-any.whl", first: str = "") -> Project:
    root.mkdir(exist_ok=True)
    (root / "pyproject.toml").write_text(PYPROJECT)
    files = wheel_files("demo", "1.0", {"demo/__init__.py": "x = 1\n"})
    (root / "backend.py").write_text(BACKEND.format(files=files, name=name, first=first))
    return load_project(root)


def clocks(runs: Path) -> list[str]:
    """What the backend saw as SOURCE_DATE_EPOCH, once for every run of it."""
    return runs.read_text().splitlines()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def test_a_wheel_is_built_once_for_each_state_of_the_sources(
    tmp_path: Path, store: Store, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
    runs = tmp_path / "runs"
    first = f"open({str(runs)!r}, 'a').write(os.environ['SOURCE_DATE_EPOCH'] + '\\n')"
    project = write_project(tmp_path / "project", first=first)
    wheel = build_own_wheel(project, Services(store=store))
    assert wheel.filename == "demo-1.0-py3-none-any.whl"
    with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
        assert "demo/__init__.py" in {member.name for member in archive.members}
    assert build_own_wheel(project, Services(store=store)) == wheel
    assert clocks(runs) == ["315532800"] * 1
    store.path(wheel.sha256).unlink()
    assert store.find(build_own_wheel(project, Services(store=store)).sha256)
    assert clocks(runs) == ["315532800"] * 2
    (project.root / "demo.txt").write_text("a change")
    build_own_wheel(project, Services(store=store))
    assert clocks(runs) == ["315532800"] * 3
    assert capfd.readouterr() == ("", "")
    assert sorted(path.name for path in project.root.iterdir()) == ["backend.py", "demo.txt", "pyproject.toml"]


def test_a_failing_backend_is_an_error_in_its_own_words(tmp_path: Path, store: Store) -> None:
    project = write_project(tmp_path / "project", first="raise SystemExit('README.md is missing')")
    with pytest.raises(ProjectBuildError, match="The build backend of demo failed") as caught:
        build_own_wheel(project, Services(store=store))
    assert "README.md is missing" in caught.value.why
    assert "python -m build --wheel" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "error", "words"),
    [
        ("demo-1.0-cp311-cp311-linux_x86_64.whl", ImpureProjectError, "which is for this machine only"),
        ("demo-1.0-cp311-abi3-any.whl", ImpureProjectError, "which is for this machine only"),
        ("other-1.0-py3-none-any.whl", ProjectBuildError, "another distribution"),
        ("demo.whl", ProjectBuildError, "built no wheel"),
    ],
)
def test_only_the_projects_own_pure_wheel_is_taken(
    tmp_path: Path, name: str, error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        _check_pure(write_project(tmp_path / "project"), name)


@pytest.mark.parametrize("name", ["demo-1.0-py3-none-any.whl", "Demo-2-py2.py3-none-any.whl"])
def test_a_pure_wheel_may_be_for_any_python(tmp_path: Path, name: str) -> None:
    _check_pure(write_project(tmp_path / "project"), name)


def test_a_refused_wheel_is_not_kept(tmp_path: Path, store: Store) -> None:
    project = write_project(tmp_path / "project", name="demo-1.0-cp311-cp311-linux_x86_64.whl")
    with pytest.raises(ImpureProjectError) as caught:
        build_own_wheel(project, Services(store=store))
    assert "wheels for every target" in caught.value.hint
    assert not (store.root / "blobs").exists()


def test_a_project_without_a_backend_is_told_what_to_add(tmp_path: Path, store: Store) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "demo"')
    with pytest.raises(NoBackendError, match="has no \\[build-system\\]") as caught:
        build_own_wheel(load_project(tmp_path), Services(store=store))
    assert 'build-backend = "hatchling.build"' in caught.value.hint
