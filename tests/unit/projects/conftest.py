"""Projects for tests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.projects.project import Project, load_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


@pytest.fixture
def make_project(tmp_path: Path) -> Callable[[str], Project]:
    """Write a pyproject.toml, and read it."""

    def make(text: str) -> Project:
        folder = tmp_path / "project"
        folder.mkdir(exist_ok=True)
        (folder / "pyproject.toml").write_text(text, encoding="utf-8")
        return load_project(folder)

    return make
