"""Bases that tests of images share, and an index that tests of hubs do."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.hubindex import Index, serving, sha256
from tests.unit.bazel.imagework import MACHINES, Work, base_layout, lock

from crossdock.bazel.main import main

if TYPE_CHECKING:
    from collections.abc import Iterator
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


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cache: Path) -> Iterator[Index]:
    """An index, which is the user's."""
    folder = tmp_path / "files"
    folder.mkdir()
    with serving(folder) as served:
        monkeypatch.setenv("CROSSDOCK_INDEX_URL", f"{served.url}/simple")
        monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
        yield served


@pytest.fixture
def flat_lock(tmp_path: Path, index: Index) -> Path:
    """A requirements file with hashes of all its wheels."""
    names = {"web": "", "core": "", "fast": "", "winonly": "; sys_platform == 'win32'"}
    path = tmp_path / "requirements.txt"
    lines = []
    for name, marker in names.items():
        hashes = [f"--hash=sha256:{sha256(file)}" for file in sorted(index.folder.glob(f"{name}-*"))]
        lines.append(f"{name}==1.0 {marker} {' '.join(hashes)}\n")
    path.write_text("".join(lines))
    return path
