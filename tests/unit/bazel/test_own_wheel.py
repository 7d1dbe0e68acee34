"""A project's own wheel in an action: of the files that are given, as the command line builds it."""

from __future__ import annotations

import json
import zipfile
from typing import TYPE_CHECKING, Any

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
    outputs = ("--out", bundles.folder / "out", "--metadata", bundles.folder / "own.json")
    return bundles.run("own-wheel", "--pyproject", root / "pyproject.toml", *rows, *more, *outputs, code=code)[1]


def own(bundles: Bundles) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((bundles.folder / "own.json").read_text())
    return found


def test_it_is_the_one_that_the_command_line_builds(bundles: Bundles) -> None:
    settings = '[tool.crossdock]\nentrypoint = ["shop", "--port"]\nenv = {A = "b"}\nports = [80]\n'
    root = write_project(bundles.folder / "shop", settings=settings)
    store = Store(bundles.folder / "store")
    theirs = build_own_wheel(load_project(root), Services(store=store))
    build(bundles, root)
    told = own(bundles)
    assert [path.name for path in (bundles.folder / "out").iterdir()] == [told["filename"]]
    assert (bundles.folder / "out" / told["filename"]).read_bytes() == store.read_bytes(theirs.sha256)
    assert (told["filename"], told["sha256"], told["scripts"]) == (theirs.filename, theirs.sha256, ["shop"])
    assert told["config"]["entrypoint"] == ["shop", "--port"]
    assert (told["config"]["env"], told["config"]["ports"]) == ({"A": "b"}, ["80/tcp"])
    assert (told["project"]["name"], told["project"]["version"]) == ("shop", "1.0")


def locked_project(bundles: Bundles) -> tuple[Path, Path, Path]:
    """A project whose backend runs on a wheel, which its crossdock.lock pins."""
    import hashlib

    root = write_project(bundles.folder / "shop")
    (root / "backend.py").rename(root / "inner.py")
    (root / "backend.py").write_text(BACKEND)
    (root / "data.txt").write_text("data")
    text = (root / "pyproject.toml").read_text().replace("requires = []", 'requires = ["tool"]')
    (root / "pyproject.toml").write_text(text)
    wheel = make_wheel(bundles.folder, "tool", "1.0", {"tool.py": "NAME = 'tool'\n"})
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
    with zipfile.ZipFile(bundles.folder / "out" / own(bundles)["filename"]) as archive:
        assert "shop/web.py" in archive.namelist()


def test_what_is_not_pinned_or_not_given_is_not_looked_for(bundles: Bundles) -> None:
    root, lock, wheel = locked_project(bundles)
    files = ("backend.py", "inner.py", "data.txt")
    assert "tool" in build(bundles, root, "--build-wheel", wheel, files=files, code=85)
    assert "tool" in build(bundles, root, "--lock", lock, files=files, code=110)
    assert not (bundles.folder / "own.json").exists()


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
    assert own(bundles)["filename"] == "shop-1.0-py3-none-any.whl"
