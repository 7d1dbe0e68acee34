"""A project's own wheel in an action: of the files that are given, as the command line builds it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.support.functionproject import write_project
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.bundlework import Bundles

from crossdock.projects.firstparty import build_own_wheel
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store.blobs import Store

if TYPE_CHECKING:
    from pathlib import Path

#: Needs a package that only an action's wheels bring.
BACKEND = """\
import pathlib, runpy
import tool
inner = runpy.run_path(str(pathlib.Path(__file__).with_name("inner.py")))
def build_wheel(folder, *more):
    assert tool.NAME == "tool"
    assert pathlib.Path("data.txt").read_text() == "data"
    return inner["build_wheel"](folder, *more)
"""


@pytest.fixture
def bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bundles:
    return Bundles(tmp_path, capsys)


def build(bundles: Bundles, root: Path, *more: object, files: tuple[str, ...] = ("backend.py",), code: int = 0) -> str:
    rows = [item for name in files for item in ("--file", f"{name}\t{root / name}")]
    given = ("--pyproject", root / "pyproject.toml", *rows, *more, "--out", bundles.folder / "out")
    return bundles.run("own-wheel", *given, code=code)[1]


def test_it_is_the_one_that_the_command_line_builds(bundles: Bundles) -> None:
    root = write_project(bundles.folder / "shop")
    store = Store(bundles.folder / "store")
    theirs = build_own_wheel(load_project(root), Services(store=store))
    build(bundles, root)
    (wheel,) = (bundles.folder / "out").iterdir()
    assert wheel.name == theirs.filename
    assert wheel.read_bytes() == store.read_bytes(theirs.sha256)


def locked_project(bundles: Bundles, tag: str = "py3-none-any") -> tuple[Path, Path, Path]:
    """A project whose backend runs on a wheel, which its crossdock.lock pins."""
    import hashlib

    root = write_project(bundles.folder / "shop")
    (root / "backend.py").rename(root / "inner.py")
    (root / "backend.py").write_text(BACKEND)
    (root / "data.txt").write_text("data")
    text = (root / "pyproject.toml").read_text().replace("requires = []", 'requires = ["tool"]')
    (root / "pyproject.toml").write_text(text)
    wheel = make_wheel(bundles.folder, "tool", "1.0", {"tool.py": "NAME = 'tool'\n"}, tag=tag)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    lock = root / "crossdock.lock"
    lock.write_text(
        'version = 1\nbase = []\n[[build]]\nname = "shop"\nrequires = ["tool"]\nuses = ["tool==1.0"]\n'
        f'[[build-requirement]]\nname = "tool"\nversion = "1.0"\nsha256 = ["{digest}"]\n'
    )
    return root, lock, wheel


def test_its_backend_runs_on_the_wheels_that_the_lock_pins(bundles: Bundles) -> None:
    root, lock, wheel = locked_project(bundles)
    folder = bundles.folder / "wheels"
    folder.mkdir()
    wheel.rename(folder / wheel.name)
    build(bundles, root, "--lock", lock, "--build-wheel", folder, files=("backend.py", "inner.py", "data.txt"))
    with zipfile.ZipFile(next((bundles.folder / "out").iterdir())) as archive:
        assert "shop/web.py" in archive.namelist()


def test_wheels_of_another_python_are_refused(bundles: Bundles) -> None:
    root, lock, wheel = locked_project(bundles, "cp34-cp34m-manylinux1_x86_64")
    files = ("backend.py", "inner.py", "data.txt")
    told = build(bundles, root, "--lock", lock, "--build-wheel", wheel, files=files, code=103)
    assert "tool-1.0-cp34-cp34m-manylinux1_x86_64.whl cannot be used by it" in told
    assert not (bundles.folder / "out").exists()


def test_what_is_not_pinned_or_not_given_is_not_looked_for(bundles: Bundles) -> None:
    root, lock, wheel = locked_project(bundles)
    files = ("backend.py", "inner.py", "data.txt")
    told = build(bundles, root, "--build-wheel", wheel, files=files, code=85)
    assert "py_project has no `lock`, and none is among its srcs; tool is not met" in told
    assert "--locked" not in told
    assert str(lock.parent.parent) not in told
    other = bundles.folder / "other.lock"
    other.write_text("version = 1\nbase = []\n")
    told = build(bundles, root, "--lock", other, "--build-wheel", wheel, files=files, code=85)
    assert "why: tool is not met\n" in told
    other.write_text("nonsense")
    assert "crossdock.lock" in build(bundles, root, "--lock", other, "--build-wheel", wheel, files=files, code=85)
    assert "tool" in build(bundles, root, "--lock", lock, files=files, code=103)
    assert not (bundles.folder / "out").exists()


def test_a_file_that_is_not_given_is_not_there(bundles: Bundles) -> None:
    root, lock, wheel = locked_project(bundles)
    said = build(bundles, root, "--lock", lock, "--build-wheel", wheel, files=("backend.py", "inner.py"), code=16)
    assert "data.txt" in said


@pytest.mark.parametrize(
    ("requires", "more", "named"),
    [
        ('["setuptools", "setuptools_scm[toml]>=8"]', "", "setuptools-scm"),
        ('["hatchling", "hatch-vcs"]', "", "hatch-vcs"),
        ('["pdm-backend"]', '[tool.pdm.version]\nsource = "scm"\n', "pdm-backend"),
    ],
)
def test_a_version_of_version_control_is_refused(bundles: Bundles, requires: str, more: str, named: str) -> None:
    bundles.file(
        "shop/pyproject.toml",
        f'[build-system]\nrequires = {requires}\nbuild-backend = "b"\n'
        f'[project]\nname = "shop"\ndynamic = ["version"]\n{more}',
    )
    said = build(bundles, bundles.folder / "shop", files=(), code=107)
    assert f"comes from version control, by {named}" in said


def test_a_version_in_a_file_is_none_of_version_control(bundles: Bundles) -> None:
    root = write_project(bundles.folder / "shop")
    text = (root / "pyproject.toml").read_text().replace('version = "1.0"\n', 'dynamic = ["version"]\n')
    (root / "pyproject.toml").write_text(text)
    build(bundles, root)
    assert (bundles.folder / "out" / "shop-1.0-py3-none-any.whl").exists()
