"""A function's zip holds what pip and uv install into a folder from the same wheels: names, contents and modes."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import lock_with_uv, write_files

from crossdock.bundling.function_targets import function_targets
from crossdock.bundling.functions import FunctionOptions, make_functions
from crossdock.bundling.ready import ready_wheels
from crossdock.choosing.request import Request
from crossdock.plan import make_wheel_plan
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store.blobs import Store

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.network

TARGET = "aws-lambda-python3.11/arm64"
PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.2.6", "pydantic==2.11.7", "cryptography==44.0.3", "markupsafe==3.0.2", "idna==3.10"]

[project.scripts]
shop = "shop.web:main"

[tool.crossdock.lambda]
handler = "shop.web.handler"
""",
    "src/shop/__init__.py": "",
    "src/shop/web.py": "def handler(event, context):\n    return event\n\n\ndef main():\n    print('shop')\n",
    "src/shop/größe.txt": "groß\n",
}
#: What installers write for themselves. RECORD lists it, INSTALLER names the tool, REQUESTED and direct_url.json say
#: what was on its command line; uv_cache.json and .lock are uv's own.
OF_INSTALLERS = ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json")
UV = ["uv", "pip", "install", "--python-platform", "aarch64-manylinux2014", "--python-version", "3.11"]
PIP = [
    *("uv", "tool", "run", "--quiet", "--from", "pip==25.3"),
    *("pip", "--disable-pip-version-check", "install", "--no-compile", "--implementation", "cp", "--abi", "cp311"),
    *("--abi", "abi3", "--abi", "none", "--only-binary", ":all:", "--python-version", "3.11"),
    *("--platform", "manylinux_2_17_aarch64", "--platform", "manylinux2014_aarch64"),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """What was built.

    Attributes:
        files: Of the zip: whether each may be executed, and its bytes.
        modes: All modes in it.
        wheels: The wheels it was made of, under their own names.
    """

    files: Mapping[str, tuple[bool, bytes]]
    modes: set[int]
    wheels: list[Path]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Made:
    folder = tmp_path_factory.mktemp("function")
    root = lock_with_uv(write_files(folder / "project", PROJECT), folder / "locked")
    (root / "pylock.toml").unlink()
    (root / "requirements.txt").unlink()
    services = Services(store=Store(shared_cache))
    project, request = load_project(root), Request(targets=(TARGET,))
    plan = make_wheel_plan(project, request, services, targets=function_targets(project, request))
    done = make_functions(plan, services, FunctionOptions(folder=folder / "out"))
    links = folder / "wheels"
    links.mkdir()
    ready = ready_wheels(plan, services)
    for wheel in ready.of(ready.plan.targets[0]):
        (links / wheel.filename).symlink_to(services.store.path(wheel.sha256))
    with zipfile.ZipFile(done.zips[0].path) as archive:
        entries = archive.infolist()
        files = {item.filename: (bool(item.external_attr >> 16 & 0o111), archive.read(item)) for item in entries}
    return Made(files=files, modes={item.external_attr >> 16 for item in entries}, wheels=sorted(links.iterdir()))


@pytest.mark.parametrize("installer", [UV, PIP], ids=["uv", "pip"])
def test_the_zip_equals_an_installed_folder(installer: list[str], made: Made, tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        *installer,
        "--quiet",
        "--no-deps",
        "--target",
        str(tmp_path / "there"),
        *map(str, made.wheels),
    ]
    done = subprocess.run(command, capture_output=True, text=True, umask=0o022, env=_environment())
    assert done.returncode == 0, done.stderr

    there = {
        path.relative_to(tmp_path / "there").as_posix(): (os.access(path, os.X_OK), path.read_bytes())
        for path in (tmp_path / "there").rglob("*")
        if path.is_file()
    }
    there.pop(".lock", None)

    # Scripts name the interpreter that is to run them: an installer's own, or the first one on PATH.
    assert {path for path in made.files if path.startswith("bin/")} == {
        path for path in there if path.startswith("bin/")
    }
    assert _comparable(made.files) == _comparable(there)
    assert len(_comparable(there)) > 800


def _comparable(files: Mapping[str, tuple[bool, bytes]]) -> dict[str, tuple[bool, bytes]]:
    return {
        path: entry
        for path, entry in files.items()
        if not path.startswith("bin/") and not path.endswith(tuple(f".dist-info/{name}" for name in OF_INSTALLERS))
    }


def test_every_file_can_be_read_by_everyone(made: Made) -> None:
    assert made.modes == {0o100644, 0o100755}


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
