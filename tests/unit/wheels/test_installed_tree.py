"""Our tree is the one that others install: the same files, runnable, and readable by importlib.metadata."""

from __future__ import annotations

import importlib.metadata
import io
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from tests.support.wheelmaker import make_wheel
from uv import find_uv_bin

from crossdock.layers.wheels import write_wheels
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.scheme import Scheme, posix_venv

VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"
FILES: dict[str, str | bytes] = {
    "demo/__init__.py": "import sys\ndef main():\n    print('demo', *sys.argv[1:])\n    return 3\n",
    "demo/classes.py": "class Tool:\n    @staticmethod\n    def run():\n        print('Tool.run')\n",
    'demo/résumé, "quoted".txt': "x" * 500,
    "demo/native.so": b"\x7fELF" + bytes(3000),
    "demo/helper.sh": "#!/bin/sh\n",
    "demo-1.0.data/purelib/demo/pure.py": "pure = 1\n",
    "demo-1.0.data/platlib/demo/plat.py": "plat = 1\n",
    "demo-1.0.data/scripts/old-style": "#!python\nimport demo\nprint('old-style')\n",
    "demo-1.0.data/scripts/shell": "#!/bin/sh\necho shell\n",
    "demo-1.0.data/data/share/demo/help.txt": "help\n",
    "demo-1.0.data/headers/demo.h": "#define DEMO\n",
}
POINTS = {"demo": "demo:main", "demo-class": "demo.classes:Tool.run"}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    return make_wheel(folder, "demo", "1.0", FILES, entry_points=POINTS, executables=["demo/helper.sh"])


def make_venv(folder: Path) -> Path:
    uv("venv", "--python", sys.executable, str(folder))
    return folder


def uv(*arguments: str) -> None:
    environment = {**os.environ, "UV_OFFLINE": "1", "UV_NO_CACHE": "1", "UV_NO_CONFIG": "1"}
    done = subprocess.run([find_uv_bin(), *arguments], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def ours(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment into which our layer was unpacked."""
    venv = make_venv(tmp_path_factory.mktemp("ours") / "v")
    unpack(wheel, posix_venv(str(venv).lstrip("/"), VERSION))
    return venv


@pytest.fixture(scope="module")
def theirs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One into which uv installed the wheel."""
    venv = make_venv(tmp_path_factory.mktemp("theirs") / "v")
    uv("pip", "install", "--python", str(venv), "--no-index", "--no-deps", "--link-mode=copy", str(wheel))
    return venv


def unpack(wheel: Path, scheme: Scheme) -> None:
    layer = io.BytesIO()
    with WheelArchive(wheel, wheel.name) as archive:
        write_wheels([archive], scheme, layer)
    layer.seek(0)
    with tarfile.open(fileobj=layer, mode="r:gz") as tar:
        for member in tar:
            path = Path("/", member.name)
            assert path.is_relative_to("/" + scheme.prefix) or member.isdir()
            if member.isdir():
                path.mkdir(exist_ok=True, parents=True)
                continue
            content = tar.extractfile(member)
            assert content is not None
            path.write_bytes(content.read())
            path.chmod(member.mode)


def tree(venv: Path) -> dict[str, tuple[bytes, bool]]:
    """Contents and executable bits of the files of the distribution, by path in the environment."""
    site = venv / "lib" / f"python{VERSION}" / "site-packages"
    (info,) = site.glob("demo-1.0.dist-info")
    paths = [
        Path(os.path.normpath(site / row.rsplit(",", 2)[0].strip('"').replace('""', '"')))
        for row in (info / "RECORD").read_text().splitlines()
    ]
    return {str(path.relative_to(venv)): (path.read_bytes(), os.access(path, os.X_OK)) for path in paths}


def test_the_same_files_as_uv_installs(ours: Path, theirs: Path) -> None:
    mine, other = tree(ours), tree(theirs)
    info = f"lib/python{VERSION}/site-packages/demo-1.0.dist-info"
    by_installer = {
        f"{info}/{name}"
        for name in ("RECORD", "INSTALLER", "REQUESTED", "direct_url.json", "uv_cache.json", "uv_build.json")
    }
    generated = {"bin/demo", "bin/demo-class"}
    assert set(mine) - by_installer == set(other) - by_installer
    for path in set(mine) - by_installer - generated - {"bin/old-style"}:
        assert mine[path][0] == other[path][0], path
    for path in {"bin/shell", "bin/old-style", *generated}:
        assert mine[path][1]
        assert other[path][1]
    assert mine["bin/old-style"][0] == b"#!%s/bin/python\nimport demo\nprint('old-style')\n" % str(ours).encode()


@pytest.mark.parametrize(
    ("command", "output", "code"),
    [
        (["demo", "one", "two"], "demo one two\n", 3),
        (["demo-class"], "Tool.run\n", 0),
        (["old-style"], "old-style\n", 0),
        (["shell"], "shell\n", 0),
    ],
)
def test_scripts_run(ours: Path, command: list[str], output: str, code: int) -> None:
    script = ours / "bin" / command[0]
    done = subprocess.run([script, *command[1:]], capture_output=True, text=True, cwd="/")
    assert (done.stdout, done.returncode) == (output, code), done.stderr


def test_importlib_metadata_finds_the_distribution(ours: Path) -> None:
    site = str(ours / "lib" / f"python{VERSION}" / "site-packages")
    (found,) = importlib.metadata.distributions(path=[site], name="demo")
    assert (found.version, found.read_text("INSTALLER")) == ("1.0", "crossdock\n")
    assert {point.name: point.value for point in found.entry_points} == POINTS
    assert found.files is not None
    assert all(file.locate().exists() for file in found.files)  # type: ignore[attr-defined]
    assert all(file.hash is not None or file.name == "RECORD" for file in found.files)


def test_uv_sees_it_and_removes_it_without_a_trace(wheel: Path, tmp_path: Path) -> None:
    venv = make_venv(tmp_path / "v")
    before = {path for path in venv.rglob("*") if path.is_file()}
    unpack(wheel, posix_venv(str(venv).lstrip("/"), VERSION))
    assert {path for path in venv.rglob("*") if path.is_file()} > before
    uv("pip", "check", "--python", str(venv))
    uv("pip", "uninstall", "--python", str(venv), "demo")
    assert {path for path in venv.rglob("*") if path.is_file()} - {venv / ".lock"} == before  # uv's own lock
