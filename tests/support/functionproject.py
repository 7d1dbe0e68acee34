"""A small project for functions, with a backend of its own and a lock of wheels beside it: no network is needed."""

from __future__ import annotations

import hashlib
import zipfile
from typing import TYPE_CHECKING

from tests.support.wheelmaker import make_wheel
from tests.unit.steps.sampleplan import elf

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["FILES", "HANDLER", "entries", "two_machines_project", "write_project"]

_BACKEND = """
import base64, hashlib, os, zipfile
FILES = {files!r}
def build_wheel(folder, config_settings=None, metadata_directory=None):
    name = "shop-1.0-py3-none-any.whl"
    info = "shop-1.0.dist-info"
    files = {{
        **FILES,
        f"{{info}}/METADATA": "Metadata-Version: 2.1\\nName: shop\\nVersion: 1.0\\n" + {requires!r},
        f"{{info}}/WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
        f"{{info}}/entry_points.txt": "[console_scripts]\\nshop = shop.web:main\\n",
    }}
    def row(path, text):
        digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        return f"{{path}},sha256={{digest}},{{len(text.encode())}}\\n"
    files[f"{{info}}/RECORD"] = "".join(row(*item) for item in files.items()) + f"{{info}}/RECORD,,\\n"
    with zipfile.ZipFile(os.path.join(folder, name), "w") as archive:
        for path, content in files.items():
            archive.writestr(path, content)
    return name
"""
_PYPROJECT = """\
[build-system]
requires = []
build-backend = "backend"
backend-path = ["."]

[project]
name = "shop"
version = "1.0"
requires-python = "{python}"

{settings}
"""
#: Its settings, where a test does not say otherwise.
HANDLER = '[tool.crossdock.lambda]\nhandler = "shop.web.handler"\n'
#: What the project consists of, where a test does not say otherwise.
FILES: Mapping[str, str] = {
    "shop/__init__.py": "",
    "shop/web.py": "def handler(event, context):\n    return event\n\n\ndef main():\n    print('shop')\n",
}


def write_project(
    folder: Path,
    wheels: Sequence[Path] = (),
    *,
    files: Mapping[str, str] = FILES,
    settings: str = "",
    requires: Sequence[str] = (),
    python: str = ">=3.11",
) -> Path:
    """Write the project.

    Args:
        folder: Where.
        wheels: What its lock holds; they are moved beside the lock.
        files: What its wheel consists of.
        settings: Tables for its pyproject.toml.
        requires: What its wheel's metadata requires.
        python: Its requires-python.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"Requires-Dist: {item}\n" for item in requires)
    (folder / "backend.py").write_text(_BACKEND.format(files=dict(files), requires=lines))
    (folder / "pyproject.toml").write_text(_PYPROJECT.format(settings=settings, python=python))
    rows = ['lock-version = "1.0"', 'created-by = "tests"', *([] if wheels else ["packages = []"])]
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        moved = wheel.replace(folder / wheel.name)
        digest = hashlib.sha256(moved.read_bytes()).hexdigest()
        rows += ["[[packages]]", f'name = "{name.replace("_", "-").lower()}"', f'version = "{version}"']
        rows += ["[[packages.wheels]]", f'path = "{wheel.name}"', f'hashes = {{sha256 = "{digest}"}}']
    (folder / "pylock.toml").write_text("\n".join(rows) + "\n")
    return folder


def entries(path: str | Path) -> dict[str, tuple[int, bytes]]:
    """Give mode and content of each file in a zip; each is there once."""
    with zipfile.ZipFile(path) as archive:
        names = archive.namelist()
        assert len(names) == len(set(names))
        assert archive.testzip() is None
        return {info.filename: (info.external_attr >> 16, archive.read(info)) for info in archive.infolist()}


def two_machines_project(folder: Path, settings: str = HANDLER, files: Mapping[str, str] = FILES) -> Path:
    """Write a project with a pure wheel, and one for both architectures."""
    wheels = folder / "wheels"
    wheels.mkdir()
    pure = make_wheel(
        wheels,
        "pure",
        "1.0",
        {"pure/__init__.py": "x = 1\n", "pure/run.sh": "#!/bin/sh\n", "pure-1.0.data/data/share/pure.txt": "data"},
        executables=["pure/run.sh"],
        entry_points={"pure": "pure:main"},
    )
    arm = make_wheel(
        wheels, "fast", "2.0", {"fast/_fast.abi3.so": elf("arm64")}, tag="cp39-abi3-manylinux_2_17_aarch64"
    )
    amd = make_wheel(wheels, "fast", "2.0", {"fast/_fast.abi3.so": elf("amd64")}, tag="cp39-abi3-manylinux_2_17_x86_64")
    root = write_project(folder / "project", [pure, arm], files=files, settings=settings)
    moved = amd.replace(root / amd.name)
    lock = root / "pylock.toml"
    digest = hashlib.sha256(moved.read_bytes()).hexdigest()
    lock.write_text(lock.read_text() + f'[[packages.wheels]]\npath = "{amd.name}"\nhashes = {{sha256 = "{digest}"}}\n')
    return root
