"""A function's zip on a machine like its runtime: called by AWS's own client of the runtime, on arm64 under QEMU.

The machine has the runtime's Python minor version; its glibc is newer than the runtime's, so that the floor is checked
in the files themselves. Lambda's service is a small HTTP server with the runtime API, on the machine too.
"""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.gnuversions import GNUVerNeedSection
from tests.e2e.builds import Command, lock_with_uv, write_files
from tests.e2e.layouts import read_blob

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machines import Machine, Machines

TARGET = "aws-lambda-python3.11/arm64"
FLOOR = (2, 26)  # of Amazon Linux 2, which that runtime is made of
RIC = "awslambdaric==4.2.2"
PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "shop"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["numpy==2.2.6", "pydantic==2.11.7", "cryptography==44.0.3", "idna==3.10"]

[tool.crossdock.lambda]
handler = "shop/web.handler"
include = ["greeting.txt"]
""",
    "greeting.txt": "groß\n",
    "src/shop/__init__.py": "",
    "src/shop/web.py": """\
import importlib.metadata
import os
import platform
from pathlib import Path

import idna
import numpy
from cryptography.fernet import Fernet
from pydantic import BaseModel


class Event(BaseModel):
    numbers: list[int]


def handler(event, context):
    numbers = Event.model_validate(event).numbers
    fernet = Fernet(Fernet.generate_key())
    return {
        "sum": int(numpy.array(numbers).sum()),
        "secret": fernet.decrypt(fernet.encrypt(b"secret")).decode(),
        "domain": idna.encode("größe.example").decode(),
        "greeting": Path(os.environ["LAMBDA_TASK_ROOT"], "greeting.txt").read_text("utf-8").strip(),
        "numpy": [numpy.__file__, importlib.metadata.version("numpy")],
        "request": context.aws_request_id,
        "machine": [platform.machine(), platform.python_version_tuple()[1]],
    }
""",
}
#: Lambda's service as far as a runtime sees it (docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html): hands out
#: events, takes answers, and ends the runtime when there is no event left.
SERVICE = """\
import json, os, subprocess, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

events, answers, done = json.load(sys.stdin), [], threading.Event()
waiting = [(f"request-{number}", event) for number, event in enumerate(events)]


class Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        assert self.path == "/2018-06-01/runtime/invocation/next", self.path
        if not waiting:
            done.set()
            threading.Event().wait()
        request, event = waiting.pop(0)
        body = json.dumps(event).encode()
        self.send_response(200)
        self.send_header("Lambda-Runtime-Aws-Request-Id", request)
        self.send_header("Lambda-Runtime-Deadline-Ms", "4102444800000")
        self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:eu-1:1:function:shop")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        if self.headers.get("Transfer-Encoding") == "chunked":
            body = b""
            while size := int(self.rfile.readline(), 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            body = self.rfile.read(int(self.headers["Content-Length"]))
        answers.append([self.path, json.loads(body)])
        self.send_response(202)
        self.send_header("Content-Length", "0")
        self.end_headers()
        if "/error" in self.path and "/init/" in self.path:
            done.set()

    def log_message(self, *args):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Api)
threading.Thread(target=server.serve_forever, daemon=True).start()
runtime = subprocess.Popen(
    sys.argv[1:],
    env={**os.environ, "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{server.server_port}"},
    stdin=subprocess.DEVNULL,
    stdout=sys.stderr,
)
threading.Thread(target=lambda: (runtime.wait(), done.set()), daemon=True).start()
done.wait(240)
runtime.kill()
print(json.dumps(answers))
sys.stdout.flush()
os._exit(0)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """Zips of the project, and what runs them.

    Attributes:
        function: Everything in one zip.
        deps: A layer of the dependencies.
        app: The function that goes with it.
        ric: The client of the runtime, installed by uv for the machine.
    """

    function: Path
    deps: Path
    app: Path
    ric: Path


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Built:
    folder = tmp_path_factory.mktemp("function")
    root = lock_with_uv(write_files(folder / "project", PROJECT), folder / "locked")
    (root / "pylock.toml").unlink()
    (root / "requirements.txt").unlink()
    command = Command(cache=shared_cache)
    paths = []
    for arguments in ([], ["--split", "deps,app"]):
        outcome = command.run("lambda", root, "--target", TARGET, "--output", folder / "out", *arguments)
        assert outcome.code == 0, outcome.stderr
        paths += [root / line for line in outcome.stdout.splitlines()]
    uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:", "--python-version", "3.11"]
    platform = ["--python-platform", "aarch64-manylinux2014"]
    done = subprocess.run([*uv, *platform, "--target", folder / "ric", RIC], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    function, deps, app = paths
    return Built(function=function, deps=deps, app=app, ric=folder / "ric")


def unpack(path: Path, folder: Path) -> Path:
    """Unpack a zip as Lambda does: with the modes that it says."""
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            written = archive.extract(info, folder)
            os.chmod(written, stat.S_IMODE(info.external_attr >> 16))  # noqa: PTH101
    return folder


def call(
    machines: Machines, folder: Path, ric: Path, events: list[Any], *, task: Path, layer: Path | None = None
) -> list[Any]:
    """Have a runtime like Lambda's answer events; gives its answers."""
    for place in ("task", "runtime"):
        (folder / "var" / place).mkdir(parents=True, exist_ok=True)
    mounts = {folder / "var": "/var", task: "/var/task", ric: "/var/runtime"} | ({layer: "/opt"} if layer else {})
    # The order of Lambda's own sys.path.
    path = {"PYTHONPATH": "/var/task:/opt/python:/var/runtime", "LAMBDA_TASK_ROOT": "/var/task"}
    command = ["python3", "-m", "awslambdaric", "shop/web.handler"]
    return serve(machines["arm64"], folder, command, events, mounts=mounts, env=path, cwd="/var/task")


def serve(
    machine: Machine,
    folder: Path,
    command: list[str],
    events: list[Any],
    *,
    mounts: dict[Path, str],
    env: dict[str, str],
    cwd: str,
) -> list[Any]:
    """Run the service with a runtime on a machine, and give the answers."""
    service = folder / "service.py"
    service.write_text(SERVICE)
    variables = {
        "AWS_LAMBDA_FUNCTION_NAME": "shop",
        "AWS_LAMBDA_FUNCTION_VERSION": "1",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "128",
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    done = machine.run(
        ["python3", "/srv/service.py", *command],
        mounts={service: "/srv/service.py", **mounts},
        env={**variables, **env},
        cwd=cwd,
        input=json.dumps(events),
    )
    answers = json.loads(done.output)
    assert len(answers) == len(events), done.stderr
    return list(answers)


@pytest.mark.engine
@pytest.mark.network
def test_the_function_answers_on_arm64(built: Built, machines: Machines, tmp_path: Path) -> None:
    task = unpack(built.function, tmp_path / "task")

    answers = call(machines, tmp_path, built.ric, [{"numbers": [1, 2, 3]}, {"numbers": "none"}], task=task)

    path, answer = answers[0]
    assert path == "/2018-06-01/runtime/invocation/request-0/response"
    assert answer == {
        "sum": 6,
        "secret": "secret",
        "domain": "xn--gre-6ka8i.example",
        "greeting": "groß",
        "numpy": ["/var/task/numpy/__init__.py", "2.2.6"],
        "request": "request-0",
        "machine": ["aarch64", "11"],
    }
    path, answer = answers[1]
    assert path == "/2018-06-01/runtime/invocation/request-1/error"
    assert answer["errorType"] == "ValidationError"


@pytest.mark.engine
@pytest.mark.network
def test_the_small_function_answers_with_its_layer(built: Built, machines: Machines, tmp_path: Path) -> None:
    layer, task = unpack(built.deps, tmp_path / "layer"), unpack(built.app, tmp_path / "task")
    assert sorted(path.name for path in layer.iterdir()) == ["python"]
    assert sorted(path.name for path in task.iterdir()) == ["greeting.txt", "shop", "shop-1.0.dist-info"]

    ((path, answer),) = call(machines, tmp_path, built.ric, [{"numbers": [4, 5]}], task=task, layer=layer)

    assert path.endswith("/response")
    assert (answer["sum"], answer["secret"], answer["greeting"]) == (9, "secret", "groß")
    assert answer["numpy"] == ["/opt/python/numpy/__init__.py", "2.2.6"]
    # The layer is what makes it work.
    path, answer = call(machines, tmp_path, built.ric, [{"numbers": []}], task=task)[0]
    assert path == "/2018-06-01/runtime/init/error"
    assert "No module named 'idna'" in answer["errorMessage"]


@pytest.mark.engine
@pytest.mark.network
def test_the_container_image_answers_by_its_own_entry_point(
    machines: Machines, shared_cache: Path, tmp_path: Path
) -> None:
    entrypoint = '["python", "-m", "awslambdaric", "shop.web.handler"]'
    settings = f'[tool.crossdock]\nbase = "debian:bookworm"\nentrypoint = {entrypoint}\n'
    code = "import platform\n\n\ndef handler(event, context):\n    return [event, platform.machine()]\n"
    text = PROJECT["pyproject.toml"].partition("dependencies")[0] + f'dependencies = ["{RIC}"]\n{settings}'
    files = {"pyproject.toml": text, "src/shop/__init__.py": "", "src/shop/web.py": code}
    root = lock_with_uv(write_files(tmp_path / "project", files), tmp_path / "locked")
    (root / "pylock.toml").unlink()
    (root / "requirements.txt").unlink()
    layout = tmp_path / "layout"
    arguments = ["--target", "linux/arm64", "--profile", "lambda", "--output", str(layout)]
    outcome = Command(cache=shared_cache).run("image", root, *arguments)
    assert outcome.code == 0, outcome.stderr

    config = unpack_image(layout, tmp_path / "image")
    assert config["Entrypoint"] == ["/app/.venv/bin/python", "-m", "awslambdaric", "shop.web.handler"]
    unpacked = replace(machines["arm64"], root=tmp_path / "image")
    mounts = {tmp_path / "image" / "app": "/app"}
    answers = serve(unpacked, tmp_path, config["Entrypoint"], [{"a": 1}], mounts=mounts, env={}, cwd="/app")

    assert answers == [["/2018-06-01/runtime/invocation/request-0/response", [{"a": 1}, "aarch64"]]]


def unpack_image(layout: Path, folder: Path) -> dict[str, Any]:
    """Unpack the one image of a layout, and give what its config says of running it."""
    (descriptor,) = json.loads((layout / "index.json").read_bytes())["manifests"]
    manifest = json.loads(read_blob(layout, descriptor))
    for layer in manifest["layers"]:
        with tarfile.open(fileobj=io.BytesIO(read_blob(layout, layer)), mode="r:gz") as archive:
            archive.extractall(folder, filter="tar")
    config: dict[str, Any] = json.loads(read_blob(layout, manifest["config"]))["config"]
    return config


@pytest.mark.network
def test_every_program_needs_no_newer_glibc_than_the_runtime_has(built: Built) -> None:
    needed = {}
    with zipfile.ZipFile(built.function) as archive:
        for name in archive.namelist():
            content = archive.read(name)
            if content.startswith(b"\x7fELF"):
                elf = ELFFile(io.BytesIO(content))
                assert elf["e_machine"] == "EM_AARCH64", name
                needed[name] = _glibc(elf)

    assert len(needed) > 15
    assert max(needed.values()) > (2, 0)
    assert {name: version for name, version in needed.items() if version > FLOOR} == {}


def _glibc(elf: ELFFile) -> tuple[int, ...]:
    versions = [
        tuple(int(part) for part in needed.name.removeprefix("GLIBC_").split("."))
        for section in elf.iter_sections()
        if isinstance(section, GNUVerNeedSection)
        for _, items in section.iter_versions()
        for needed in items
        if needed.name.startswith("GLIBC_")
    ]
    return max(versions, default=(0,))


@pytest.mark.network
def test_every_file_is_open_to_the_user_that_lambda_runs(built: Built) -> None:
    for path in (built.function, built.deps, built.app):
        with zipfile.ZipFile(path) as archive:
            modes = {info.external_attr >> 16 for info in archive.infolist()}
        assert modes <= {0o100644, 0o100755}
