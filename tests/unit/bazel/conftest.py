"""Bases that tests of images share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.imagework import MACHINES, Work, base_layout, lock

from crossdock.bazel.main import main

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def small_bases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What ``base`` wrote of a small base with Python 3.11, by architecture."""
    project = tmp_path_factory.mktemp("small-bases")
    base_layout(project / "base")
    with pytest.MonkeyPatch.context() as patch:
        locked = lock(project, project / "cache", patch)
        for architecture in MACHINES:
            where = ["--lock", str(locked), "--project", str(project / "pyproject.toml")]
            where += ["--platform", f"linux/{architecture}", "--out", str(project / architecture)]
            assert main(["base", *where]) == 0
    return {architecture: project / architecture for architecture in MACHINES}


@pytest.fixture
def work(tmp_path: Path, small_bases: dict[str, Path], capsys: pytest.CaptureFixture[str]) -> Work:
    """A folder for the commands of one test."""
    return Work(folder=tmp_path, base=small_bases, capture=capsys)
