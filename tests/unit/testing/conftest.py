"""Folders of packages, as installers leave them, with programs for one machine or another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.elffiles import build_elf
from tests.support.wheelmaker import wheel_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

MACHINES = {"x86_64": 62, "aarch64": 183}


class Install:
    """Writes packages below a folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def __call__(self, name: str, files: Mapping[str, bytes], *, tag: str = "py3-none-any") -> Path:
        for path, content in wheel_files(name, "1.0", files, tag=tag).items():
            (self.root / path).parent.mkdir(parents=True, exist_ok=True)
            (self.root / path).write_bytes(content)
        return self.root

    def compiled(self, name: str, machine: str = "aarch64", *, tagged: str = "") -> Path:
        """Install a package with an extension module for a machine; its tag may be for another."""
        program = bytes(build_elf(machine=MACHINES[machine]).data)
        tag = f"cp312-cp312-manylinux_2_28_{tagged or machine}"
        return self(name, {f"{name}/_core.abi3.so": program, f"{name}/__init__.py": b""}, tag=tag)

    def pure(self, name: str) -> Path:
        return self(name, {f"{name}/__init__.py": b"NAME = 'pure'\n"})


@pytest.fixture
def install(tmp_path: Path, cache: Path) -> Install:
    return Install(tmp_path / "app")
