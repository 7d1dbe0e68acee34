"""Zips for Google and Azure, loaded by what their runtimes load functions with: functions-framework, azure-functions.

The clouds themselves are not here; what their builds and hosts do around that was not run.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, lock_with_uv, write_files
from tests.e2e.test_lambda import unpack

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machines import Machines

pytestmark = [pytest.mark.engine, pytest.mark.network]

PYPROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.2.6", {dependency}]

[tool.hatch.build.targets.wheel]
packages = ["src/shop"]

[tool.crossdock.lambda]
{handler}
"""


def function_zip(folder: Path, cache: Path, target: str, files: dict[str, str]) -> Path:
    """Build a function, and unpack it."""
    root = lock_with_uv(write_files(folder / "project", files), folder / "locked")
    (root / "pylock.toml").unlink()
    (root / "requirements.txt").unlink()
    outcome = Command(cache=cache).run("lambda", root, "--target", target, "--output", folder / "out")
    assert outcome.code == 0, outcome.stderr
    return unpack(folder / "out" / outcome.stdout.strip().rpartition("/")[2], folder / "unpacked")


def test_googles_functions_framework_serves_the_function(
    machines: Machines, shared_cache: Path, tmp_path: Path
) -> None:
    files = {
        "pyproject.toml": PYPROJECT.format(dependency='"idna==3.10"', handler='handler = "shop.web.hello"'),
        "src/shop/__init__.py": "",
        "src/shop/web.py": "import numpy\n\n\ndef hello(request):\n    return {'sum': int(numpy.arange(4).sum())}\n",
    }
    workspace = function_zip(tmp_path, shared_cache, "google-cloud-run-python311/amd64", files)
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:", "--python-version", "3.11"]
    framework = ["--python-platform", "x86_64-manylinux_2_28", "--target", str(tmp_path / "framework")]
    done = subprocess.run([*uv, *framework, "functions-framework==3.8.3"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr

    code = (
        "import functions_framework\n"
        "app = functions_framework.create_app('hello', '/workspace/main.py')\n"
        "print(app.test_client().get('/').get_data(as_text=True))\n"
    )
    run = machines["amd64"].run(
        ["python3", "-c", code],
        mounts={workspace: "/workspace", tmp_path / "framework": "/framework"},
        env={"PYTHONPATH": "/framework", "PYTHONDONTWRITEBYTECODE": "1"},
        cwd="/workspace",
    )

    assert json.loads(run.output.strip().splitlines()[-1]) == {"sum": 6}


def test_azures_library_finds_the_functions(machines: Machines, shared_cache: Path, tmp_path: Path) -> None:
    files = {
        "pyproject.toml": PYPROJECT.format(dependency='"azure-functions==1.21.3"', handler=""),
        "src/shop/__init__.py": "",
        "src/shop/web.py": "import numpy\n\n\ndef total():\n    return int(numpy.arange(4).sum())\n",
        "host.json": '{"version": "2.0"}\n',
        "function_app.py": """\
import azure.functions as func
from shop.web import total

app = func.FunctionApp()


@app.route(route="hello")
def hello(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(str(total()))
""",
    }
    wwwroot = function_zip(tmp_path, shared_cache, "azure-functions-python3.11/amd64", files)
    assert sorted(path.name for path in wwwroot.iterdir()) == [".python_packages", "function_app.py", "host.json"]

    # The worker puts both folders on sys.path, imports function_app and asks its app for the functions.
    code = (
        "import function_app\n"
        "(function,) = function_app.app.get_functions()\n"
        "import azure.functions as func\n"
        "request = func.HttpRequest('GET', '/hello', body=b'')\n"
        "print(function.get_function_name(), function.get_user_function()(request).get_body().decode())\n"
    )
    run = machines["amd64"].run(
        ["python3", "-c", code],
        mounts={wwwroot: "/home/site/wwwroot"},
        env={
            "PYTHONPATH": "/home/site/wwwroot/.python_packages/lib/site-packages:/home/site/wwwroot",
            "PYTHONDONTWRITEBYTECODE": "1",
        },
    )

    assert run.output == "hello 6\n"
