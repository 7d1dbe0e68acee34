"""Environments as pip, uv and crossdock make them: nothing is wrong with them, until something is made wrong."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.seentree import found, make_case, read_folder, target
from tests.support.wheelmaker import make_wheel

from crossdock.bundles.venv.layout import environment
from crossdock.bundles.venv.tree import plan_tree
from crossdock.bundles.venv.write import write_folder
from crossdock.targets import Target, parse_platform, parse_python
from crossdock.verify.rules.hygiene import judge_host_paths, judge_permissions, judge_secrets
from crossdock.verify.rules.packages import judge_lock, judge_metadata, judge_requirements, judge_twice
from crossdock.verify.rules.record import judge_record
from crossdock.verify.rules.scripts import judge_foreign_scripts, judge_interpreters, judge_versions_of_python

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.verify.claim import Case

RULES = (
    judge_lock,
    judge_twice,
    judge_requirements,
    judge_metadata,
    judge_record,
    judge_foreign_scripts,
    judge_interpreters,
    judge_versions_of_python,
    judge_host_paths,
    judge_permissions,
    judge_secrets,
)
HERE = ".".join(map(str, sys.version_info[:2]))
LOCK = {"alpha": "1.0", "beta": "2.0"}


def judged(case: Case) -> set[tuple[str, str, str]]:
    return {item for rule in RULES for item in found(rule, case) if item[1] != "note"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("wheels")
    needs = "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\nRequires-Dist: beta>=2\n"
    files = {
        "alpha/__init__.py": "def main():\n    print('alpha')\n",
        "alpha/data/x.txt": "x",
        "alpha-1.0.dist-info/METADATA": needs,
        "alpha-1.0.data/scripts/alpha-old": "#!python\nprint('old')\n",
        "alpha-1.0.data/data/share/alpha/y.txt": "y",
    }
    return [
        make_wheel(folder, "alpha", "1.0", files, entry_points={"alpha": "alpha:main"}),
        make_wheel(folder, "beta", "2.0", {"beta/__init__.py": "", "beta/tests/test_b.py": ""}),
    ]


@pytest.fixture(scope="module", params=["pip", "uv", "uv-movable", "crossdock"])
def made(request: pytest.FixtureRequest, wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp(request.param) / "venv"
    uv = shutil.which("uv")
    if request.param == "pip":
        subprocess.run([sys.executable, "-m", "venv", root], check=True)
        install = [str(root / "bin" / "python"), "-m", "pip", "install", "--quiet", "--no-index", *map(str, wheels)]
        subprocess.run(install, check=True)
        subprocess.run([*install[:3], "uninstall", "--quiet", "--yes", "pip", "setuptools"], check=True)
    elif request.param == "crossdock":
        here = Target(parse_platform("linux/amd64"), parse_python(HERE))
        root.mkdir()
        write_folder(plan_tree(environment(here, prompt="x"), [(path.name, path) for path in wheels]), root, jobs=1)
    elif uv is None:
        pytest.skip("uv is not installed")
    else:
        movable = ["--relocatable"] if request.param == "uv-movable" else []
        subprocess.run([uv, "venv", "--quiet", *movable, "--python", sys.executable, root], check=True)
        install = [uv, "pip", "install", "--quiet", "--no-index", "--no-config", "--python", str(root / "bin/python")]
        subprocess.run([*install, *map(str, wheels)], check=True)
    return root


@pytest.mark.skipif(sys.platform != "linux", reason="the claim is for Linux")
def test_nothing_is_wrong_with_it(made: Path) -> None:
    case = make_case(read_folder(made), subject="bundle", lock=LOCK, targets=(target(python=HERE),))
    assert {item.name for item in case.tree.installed} >= {"alpha", "beta"}
    assert f"lib/python{HERE}/site-packages/alpha-1.0.dist-info/RECORD" in case.tree.texts
    assert case.tree.package_of("bin/alpha") == "alpha 1.0"
    assert judged(case) == set()


@pytest.mark.skipif(sys.platform != "linux", reason="the claim is for Linux")
def test_each_fault_is_one_finding(made: Path, tmp_path: Path) -> None:
    site = f"lib/python{HERE}/site-packages"

    def after(change: str) -> set[tuple[str, str, str]]:
        root = tmp_path / str(len(list(tmp_path.iterdir())))
        shutil.copytree(made, root, symlinks=True)
        folder = root / site
        match change:
            case "edited":
                (folder / "beta/__init__.py").write_text("x = 1\n")
            case "removed":
                (folder / "beta/__init__.py").unlink()
            case "slimmed":
                shutil.rmtree(folder / "beta/tests")
            case "uninstalled":
                shutil.rmtree(folder / "beta")
                shutil.rmtree(folder / "beta-2.0.dist-info")
            case "writable":
                (folder / "beta/__init__.py").chmod(0o666)
            case "downgraded":
                metadata = folder / "beta-2.0.dist-info/METADATA"
                metadata.write_text(metadata.read_text().replace("2.0", "1.0"))
        return judged(make_case(read_folder(root), subject="bundle", targets=(target(python=HERE),)))

    beta = f"{site}/beta"
    assert after("edited") == {("record-hash", "error", f"{beta}/__init__.py")}
    assert after("removed") == {("record-missing", "error", f"{beta}/__init__.py")}
    assert after("slimmed") == {("record-missing", "warning", f"{beta}/tests")}
    assert after("uninstalled") == {("requirement-missing", "error", f"{site}/alpha-1.0.dist-info")}
    assert after("writable") == {("world-writable", "error", f"{beta}/__init__.py")}
    assert ("requirement-missing", "error", f"{site}/alpha-1.0.dist-info") in after("downgraded")


@pytest.mark.skipif(sys.platform != "linux", reason="the claim is for Linux")
def test_in_an_image_it_needs_its_python(made: Path) -> None:
    case = make_case(read_folder(made, "srv/venv/"), lock=LOCK, targets=(target(python=HERE),))
    codes = {code for code, _, _ in judged(case)}
    assert codes
    assert codes <= {"interpreter-missing", "host-path"}
