"""Settings for packages, in real images: what was changed is changed there, and every RECORD says what is there."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import posixpath
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, write_files
from tests.support.wheelmaker import make_wheel

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.network

SITE = "app/.venv/lib/python3.11/site-packages"
PROJECT = """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "changed"
version = "1.0"
requires-python = ">=3.11"
dependencies = [
  "numpy==2.2.6", "idna==3.10", "six==1.17.0", "jinja2==3.1.6", "colorama==0.4.6; sys_platform == 'win32'",
]

[project.scripts]
changed = "changed:main"

[tool.crossdock]
base = "debian:bookworm"
targets = ["linux/amd64", "linux/arm64"]
"""
SETTINGS = """
[tool.crossdock.packages.NumPy]
exclude = ["numpy/**/tests/**", "numpy/**/*.pyi"]

[tool.crossdock.packages.idna]
patches = ["patches/version.patch"]
dependencies = ["colorama; sys_platform == 'linux'"]

[tool.crossdock.packages.six]
wheel = "wheels/six-1.17.0+ours.1-py3-none-any.whl"

[tool.crossdock.packages.jinja2]
ignore-dependencies = ["MarkupSafe"]
"""
PATCH = """\
diff --git a/idna/package_data.py b/idna/package_data.py
--- a/idna/package_data.py
+++ b/idna/package_data.py
@@ -1 +1 @@
-__version__ = "3.10"
+__version__ = "3.10 of ours"
diff --git a/idna/ours.py b/idna/ours.py
new file mode 100644
--- /dev/null
+++ b/idna/ours.py
@@ -0,0 +1 @@
+OURS = True
"""


def write_project(folder: Path, settings: str = SETTINGS) -> Path:
    write_files(
        folder,
        {
            "pyproject.toml": PROJECT + settings,
            "src/changed/__init__.py": "def main():\n    pass\n",
            "patches/version.patch": PATCH,
        },
    )
    (folder / "wheels").mkdir()
    make_wheel(folder / "wheels", "six", "1.17.0+ours.1", {"six.py": "OURS = True\n"})
    uv = [sys.executable, "-m", "uv", "lock", "--quiet", "--python", sys.executable]
    subprocess.run(uv, cwd=folder, check=True, capture_output=True)
    return folder


def images(layout: Path) -> dict[str, dict[str, bytes]]:
    """Give the files of each image, as its layers leave them, by architecture."""

    def blob(descriptor: Mapping[str, str]) -> Path:
        return layout / "blobs" / "sha256" / descriptor["digest"].removeprefix("sha256:")

    (root,) = json.loads((layout / "index.json").read_text())["manifests"]
    found = {}
    for descriptor in json.loads(blob(root).read_text())["manifests"]:
        files: dict[str, bytes] = {}
        for layer in json.loads(blob(descriptor).read_text())["layers"]:
            with tarfile.open(blob(layer)) as tar:
                for member in tar:
                    if member.isfile() and member.name.startswith("app/") and (file := tar.extractfile(member)):
                        files[member.name] = file.read()
        found[descriptor["platform"]["architecture"]] = files
    return found


def check_records(files: Mapping[str, bytes]) -> set[str]:
    """Check every hash and size in every RECORD; give the names of the distributions."""
    names = set()
    listed = set()
    for path in [name for name in files if name.endswith(".dist-info/RECORD")]:
        names.add(path.removeprefix(SITE + "/").partition("-")[0])
        for name, digest, size in csv.reader(io.StringIO(files[path].decode())):
            place = posixpath.normpath(f"{SITE}/{name}")
            listed.add(place)
            if place != path:
                content = files[place]
                expected = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
                assert (digest, size) == (f"sha256={expected}", str(len(content))), place
    assert {name for name in files if name.startswith(SITE) and name not in listed} == set()
    return names


def test_what_is_set_is_what_is_in_the_images(tmp_path: Path, shared_cache: Path) -> None:
    project, layout = write_project(tmp_path / "project"), tmp_path / "layout"
    command = Command(cache=shared_cache)
    first = command.run("image", project, "--output", layout)
    assert first.code == 0, first.stderr
    # What the project leaves out is missing for everybody who does not know of its settings.
    assert command.run("verify", layout).code == 97
    proof = command.run("verify", layout, "--project", project)
    assert proof.code == 0, proof.stdout + proof.stderr
    found = images(layout)
    assert sorted(found) == ["amd64", "arm64"]
    for files in found.values():
        assert check_records(files) == {"changed", "colorama", "idna", "jinja2", "numpy", "six"}
        numpy = [name for name in files if name.startswith(f"{SITE}/numpy/")]
        assert not [name for name in numpy if "/tests/" in name or name.endswith(".pyi")]
        assert f"{SITE}/numpy/testing/__init__.py" in numpy
        assert files[f"{SITE}/idna/package_data.py"] == b'__version__ = "3.10 of ours"\n'
        assert files[f"{SITE}/idna/ours.py"] == b"OURS = True\n"
        assert files[f"{SITE}/six.py"] == b"OURS = True\n"
    # The same again, from another folder: nothing of where the files were is in the image.
    (tmp_path / "elsewhere").mkdir()
    again = command.run("image", project.rename(tmp_path / "elsewhere" / "project"), "--output", tmp_path / "again.tar")
    assert again.digest == first.digest


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('[tool.crossdock.packages.numpy]\nexclude = ["numpy/Tests/**"]', "exclude: 'numpy/Tests/**' matches no file"),
        (
            '[tool.crossdock.packages.six]\npatches = ["patches/version.patch"]',
            "patches/version.patch does not apply to six-1.17.0-py2.py3-none-any.whl",
        ),
        ('[tool.crossdock.packages.markupsafe]\nindex = "https://index.example/simple"', "index applies to nothing"),
        ('[tool.crossdock.packages.absent]\nexclude = ["x"]', "packages.absent] applies to nothing in uv.lock"),
        (
            '[tool.crossdock.packages.idna]\nwheel = "wheels/six-1.17.0+ours.1-py3-none-any.whl"',
            "six-1.17.0+ours.1-py3-none-any.whl is a wheel of six",
        ),
    ],
)
def test_what_applies_to_nothing_stops_the_build(settings: str, words: str, tmp_path: Path, shared_cache: Path) -> None:
    project = write_project(tmp_path / "project", settings)
    outcome = Command(cache=shared_cache).run("image", project, "--output", tmp_path / "image")
    assert outcome.code == 47, outcome.stderr
    assert words in outcome.stderr
    assert not (tmp_path / "image").exists()
