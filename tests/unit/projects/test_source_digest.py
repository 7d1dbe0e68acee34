"""The digest of a project's sources: it changes with what a build reads, and with nothing else."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from crossdock.projects.sources import source_digest

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    (root / "src" / "demo" / "build").mkdir(parents=True)
    for name in ("pyproject.toml", "src/demo/__init__.py", "src/demo/b.py", "src/demo/build/__init__.py"):
        (root / name).write_text(name)
    return root


def add(path: Path, text: str = "x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def add_image(root: Path) -> None:
    add(root / "out/oci-layout")
    add(root / "out/blobs/sha256/x")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda root: add(root / "src/demo/b.py", "changed"),
    "new file": lambda root: add(root / "src/demo/c.py"),
    "removed file": lambda root: (root / "src/demo/b.py").unlink(),
    "renamed file": lambda root: (root / "src/demo/b.py").rename(root / "src/demo/c.py"),
    "moved file": lambda root: (root / "src/demo/b.py").rename(root / "b.py"),
    "executable": lambda root: (root / "src/demo/b.py").chmod(0o755),
    "pyproject": lambda root: add(root / "pyproject.toml", "x"),
    "which files a backend takes": lambda root: add(root / ".gitignore", "*.py"),
    "a package called build": lambda root: add(root / "src/demo/build/__init__.py", "changed"),
    "a package called dist": lambda root: add(root / "src/demo/dist/__init__.py"),
    "a name that is no UTF-8": lambda root: Path(os.fsdecode(os.fsencode(root) + b"/\xff.txt")).write_text("x"),
}

NO_CHANGES: dict[str, Callable[[Path], object]] = {
    "times": lambda root: os.utime(root / "src/demo/b.py", (1, 1)),
    "umask": lambda root: (root / "src/demo/b.py").chmod(0o600),
    "bytecode": lambda root: add(root / "src/demo/__pycache__/b.cpython-311.pyc"),
    "bytecode beside its source": lambda root: add(root / "src/demo/b.pyc"),
    "git": lambda root: add(root / ".git/HEAD"),
    "virtual environment": lambda root: add(root / ".venv/pyvenv.cfg"),
    "linter's cache": lambda root: add(root / "src/.mypy_cache/x"),
    "dist": lambda root: add(root / "dist/demo.whl"),
    "build": lambda root: add(root / "build/lib/demo.py"),
    "setuptools": lambda root: add(root / "src/demo.egg-info/PKG-INFO"),
    "crossdock.lock": lambda root: add(root / "crossdock.lock"),
    "an image": add_image,
    "an image as a tar": lambda root: add(root / "demo.oci.tar"),
}


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="needs POSIX modes and file names of any bytes")
@pytest.mark.parametrize("change", CHANGES)
def test_it_changes_with(root: Path, change: str) -> None:
    before = source_digest(root)
    CHANGES[change](root)
    assert source_digest(root) != before


@pytest.mark.parametrize("change", NO_CHANGES)
def test_it_does_not_change_with(root: Path, change: str) -> None:
    before = source_digest(root)
    NO_CHANGES[change](root)
    assert source_digest(root) == before


def test_it_does_not_change_with_the_place_or_the_order_of_creation(root: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for path in sorted((path for path in root.rglob("*") if path.is_file()), reverse=True):
        add(other / path.relative_to(root), path.read_text())
    assert source_digest(other) == source_digest(root)


def test_two_files_are_told_from_one_with_both_names(tmp_path: Path) -> None:
    for folder, names in (("a", ["ab"]), ("b", ["a", "b"])):
        for name in names:
            add(tmp_path / folder / name, "")
    assert source_digest(tmp_path / "a") != source_digest(tmp_path / "b")


def test_a_project_that_holds_a_file_called_oci_layout_is_still_read(root: Path) -> None:
    add(root / "oci-layout")
    before = source_digest(root)
    add(root / "src/demo/b.py", "changed")
    assert source_digest(root) != before
