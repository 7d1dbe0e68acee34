"""An environment for this very machine: real, wherever it lies, and the same as one that uv installs."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, lock_with_uv, write_files
from tests.support.venvproject import PROJECT, check_records

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = [
    pytest.mark.network,
    pytest.mark.skipif(sys.platform != "linux", reason="builds for Linux, and runs it"),
]

SHORT = f"{sys.version_info[0]}.{sys.version_info[1]}"
SITE = f"lib/python{SHORT}/site-packages"
#: The real interpreter, not that of the environment the tests run in.
BASE = Path(sys.base_prefix) / "bin" / f"python{SHORT}"
#: This machine as a target: uv installs for nothing else here.
HERE = f"linux/{platform.machine()}+glibc{platform.libc_ver()[1]}"
ANSWER = [10, 7, True, "text"]
#: What installers write for themselves: INSTALLER names the tool, REQUESTED and direct_url.json say what was on its
#: command line, and the last two are uv's own; RECORD lists these, and scripts.
OF_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was built.

    Attributes:
        project: The project, locked.
        root: The environment, moved to where it was not made.
        archive: The same as a tar.gz.
        command: What built it.
    """

    project: Path
    root: Path
    archive: Path
    command: Command


def run(*command: str | Path, cwd: Path | None = None, **env: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("VIRTUAL_ENV", "PYTHON"))}
    return subprocess.run(command, cwd=cwd, env={**kept, **env}, capture_output=True, text=True, timeout=300)


def output(*command: str | Path, cwd: Path | None = None, **env: str) -> str:
    done = run(*command, cwd=cwd, **env)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Made:
    folder = tmp_path_factory.mktemp("venv")
    project = lock_with_uv(write_files(folder / "source", PROJECT), folder / "project")
    (project / "requirements.txt").rename(folder / "requirements.txt")  # one lock is enough
    (project / "pylock.toml").unlink()
    command = Command(cache=shared_cache)
    options: list[str | Path] = ["--target", HERE, "--python", SHORT, "--interpreter", BASE, "--quiet"]
    for name in ("made", "made.tar.gz"):
        outcome = command.run("venv", project, *options, "--output", folder / name)
        assert (outcome.code, outcome.stdout, outcome.stderr) == (0, f"{folder / name}\n", "")
    (folder / "another place").mkdir()
    root = (folder / "made").rename(folder / "another place" / "the environment")
    return Made(project=project, root=root, archive=folder / "made.tar.gz", command=command)


def test_the_moved_environment_is_one(made: Made) -> None:
    code = "import json, sys; print(json.dumps([sys.prefix, sys.base_prefix, sys.flags.no_user_site, sys.path[-1]]))"
    prefix, base, no_user_site, last = json.loads(output(made.root / "bin" / "python", "-c", code, cwd=Path("/")))
    assert (prefix, base) == (str(made.root), sys.base_prefix)
    assert last == str(made.root / SITE)
    assert no_user_site in (0, 1)


@pytest.mark.parametrize("name", ["shelf", "shelf-window"])
def test_its_scripts_run_by_path_by_name_and_through_a_link(name: str, made: Made, tmp_path: Path) -> None:
    script = made.root / "bin" / name
    (tmp_path / "link").symlink_to(script)
    (tmp_path / "relative").symlink_to(os.path.relpath(script, tmp_path))
    search = f"{made.root / 'bin'}:{os.environ['PATH']}"
    for command in (script, name, tmp_path / "link", tmp_path / "relative"):
        done = run(command, "a b", "", cwd=tmp_path, PATH=search)
        assert (done.returncode, done.stderr) == (3, "")
        assert json.loads(done.stdout) == [str(made.root), ["a b", ""], *ANSWER]
    assert "Lexer" in output(made.root / "bin" / "pygmentize", "-L", "lexers")


def test_every_file_is_listed_with_its_hash(made: Made) -> None:
    listed = check_records(made.root / SITE)
    files = {path.resolve() for path in (made.root / SITE).rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert files <= listed
    assert (made.root / "bin" / "shelf").resolve() in listed


def test_the_tools_of_users_see_every_distribution(made: Made, tmp_path: Path) -> None:
    python = made.root / "bin" / "python"
    code = "import importlib.metadata as m, json; print(json.dumps({d.name: d.version for d in m.distributions()}))"
    expected = json.loads(output(python, "-c", code))
    plain = {(name.lower().replace("_", "-"), version) for name, version in expected.items()}
    assert {name for name, _ in plain} > {"shelf", "numpy", "pydantic", "pydantic-core", "cryptography", "pygments"}
    uv: list[str | Path] = [sys.executable, "-m", "uv", "pip"]
    checked = run(*uv, "check", "--python", python)
    assert checked.returncode == 0, checked.stderr
    assert f"Checked {len(expected)} packages" in checked.stderr
    listed = json.loads(output(*uv, "list", "--format=json", "--python", python))
    assert {(item["name"], item["version"]) for item in listed} == plain
    output(*uv, "install", "--quiet", "--target", tmp_path / "pip", "pip")
    pip: list[str | Path] = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--python", python]
    listed = json.loads(output(*pip, "list", "--format=json", PYTHONPATH=str(tmp_path / "pip")))
    found = {(item["name"].lower().replace("_", "-"), item["version"]) for item in listed if item["name"] != "pip"}
    assert found == plain
    assert "No broken requirements" in output(*pip, "check", PYTHONPATH=str(tmp_path / "pip"))


def contents(root: Path) -> dict[str, tuple[bytes, bool]]:
    return {
        path.relative_to(root).as_posix(): (path.read_bytes(), bool(path.stat().st_mode & 0o111))
        for path in root.rglob("*")
        if path.is_file() and path.suffix != ".pyc"
    }


def without_installers(files: Mapping[str, tuple[bytes, bool]]) -> dict[str, tuple[bytes, bool]]:
    return {
        path: item
        for path, item in files.items()
        if not (".dist-info/" in path and path.rpartition("/")[2] in OF_INSTALLERS)
        and path not in (".lock", "_virtualenv.py", "_virtualenv.pth")
    }


def test_packages_and_scripts_are_those_that_uv_installs(made: Made, tmp_path: Path) -> None:
    uv: list[str | Path] = [sys.executable, "-m", "uv"]
    output(*uv, "venv", "--quiet", "--relocatable", "--python", BASE, tmp_path / "theirs")
    python = tmp_path / "theirs" / "bin" / "python"
    install = [*uv, "pip", "install", "--quiet", "--no-deps", "--link-mode", "copy", "--python", python]
    output(*install, "-r", made.archive.parent / "requirements.txt")
    output(*install, made.project)
    ours, theirs = (contents(root / SITE) for root in (made.root, tmp_path / "theirs"))
    kept = without_installers(ours)
    assert len(kept) > 1500
    assert kept == without_installers(theirs)
    for path in set(ours) - set(kept):
        assert path.endswith(("/RECORD", "/INSTALLER"))
    names = [{path.name for path in (root / "bin").iterdir()} for root in (made.root, tmp_path / "theirs")]
    scripts = [{name for name in found if "activate" not in name.lower() and name != "pydoc.bat"} for found in names]
    assert scripts[0] == scripts[1] >= {"python", "shelf", "shelf-window", "pygmentize", "f2py"}


def test_the_archive_holds_the_same_environment(made: Made, tmp_path: Path) -> None:
    root = tmp_path / "un packed"
    root.mkdir()
    with tarfile.open(made.archive) as archive:
        archive.extractall(root, filter="tar")
    assert {path: item for path, item in contents(root).items() if "/lib64/" not in path} == {
        path: item for path, item in contents(made.root).items() if "/lib64/" not in path
    }
    assert json.loads(run(root / "bin" / "shelf").stdout)[0] == str(root)


def test_another_interpreter_is_a_matter_of_one_link_and_one_line(made: Made, tmp_path: Path) -> None:
    """As docs/venv.md says."""
    root = tmp_path / "copy"
    shutil.copytree(made.root, root, symlinks=True)
    other = tmp_path / "other"
    other.mkdir()
    (other / f"python{SHORT}").symlink_to(BASE)
    (root / "bin" / "python").unlink()
    (root / "bin" / "python").symlink_to(other / f"python{SHORT}")
    config = (root / "pyvenv.cfg").read_text()
    (root / "pyvenv.cfg").write_text(config.replace(f"home = {BASE.parent}\n", f"home = {other}\n"))
    assert json.loads(run(root / "bin" / "shelf").stdout)[0] == str(root)


def test_a_flat_folder_runs_by_path_and_by_its_scripts(made: Made, tmp_path: Path) -> None:
    options: list[str | Path] = ["--target", HERE, "--python", SHORT, "--layout", "flat", "--interpreter", BASE]
    outcome = made.command.run("venv", made.project, *options, "--output", tmp_path / "flat")
    assert outcome.code == 0, outcome.stderr
    flat = (tmp_path / "flat").rename(tmp_path / "moved flat")
    done = run(BASE, "-m", "pygments", "-V", PYTHONPATH=str(flat))
    assert "Pygments version 2.19.2" in done.stdout
    done = run(flat / "bin" / "shelf", "x", cwd=Path("/"))
    assert (done.returncode, done.stderr) == (3, "")
    assert json.loads(done.stdout)[1:] == [["x"], *ANSWER]
    check_records(flat)
