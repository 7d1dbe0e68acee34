"""A function's zip is the same to the byte, wherever and by whatever it is built."""

from __future__ import annotations

import stat
import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command
from tests.e2e.pythons import installed_pythons, python_with_crossdock
from tests.support.functionproject import write_project
from tests.support.wheelmaker import make_wheel

if TYPE_CHECKING:
    from pathlib import Path

TARGET = "aws-lambda-python3.11/arm64"


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Command, dict[str, bytes]]:
    """A project that needs no network, with what was built of it."""
    folder = tmp_path_factory.mktemp("small")
    wheels = [
        make_wheel(folder, "pure", "1.0", {"pure/__init__.py": "x = 1\n" * 5000}, entry_points={"pure": "pure:main"}),
        make_wheel(folder, "twin", "1.0", {"pure/more.py": "y = 1\n" * 5000}),
    ]
    settings = '[tool.crossdock.lambda]\nhandler = "shop.web.handler"\ninclude = ["data/**"]\n'
    root = write_project(folder / "project", wheels, settings=settings)
    (root / "data").mkdir()
    (root / "data" / "größe.txt").write_text("".join(f"{number}\n" for number in range(20_000)), encoding="utf-8")
    command = Command(cache=folder / "cache")
    return root, command, _built(command, root, folder / "out")


def _built(command: Command, root: Path, out: Path, *arguments: str) -> dict[str, bytes]:
    for options in (["--target", TARGET], ["--target", TARGET, "--split", "deps,app"]):
        outcome = command.run("lambda", root, "--output", out, *options, *arguments)
        assert outcome.code == 0, outcome.stderr
    return {path.name: path.read_bytes() for path in out.iterdir()}


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o000])
def test_another_folder_umask_and_cache_give_the_same_bytes(
    umask: int, small: tuple[Path, Command, dict[str, bytes]], tmp_path: Path
) -> None:
    root, command, files = small
    elsewhere = tmp_path / "Ein anderer Ort"
    subprocess.run(["cp", "-r", root, elsewhere], check=True, umask=umask)
    other = replace(command, cache=tmp_path / "cache", umask=umask, env={"TZ": "Asia/Tokyo", "LC_ALL": "C"})

    assert sorted(files) == [f"shop_{kind}_linux_arm64.zip" for kind in ("app", "deps", "lambda")]
    assert _built(other, elsewhere, tmp_path / "out", "--jobs", "7") == files
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "out").iterdir()} == {0o644}


@pytest.mark.network
@pytest.mark.parametrize("version", installed_pythons())
def test_another_python_gives_the_same_bytes(
    version: str, small: tuple[Path, Command, dict[str, bytes]], shared_cache: Path, tmp_path: Path
) -> None:
    root, command, files = small
    python = python_with_crossdock(version, shared_cache / "pythons")
    other = replace(command, cache=tmp_path / "cache", python=python)

    assert _built(other, root, tmp_path / "out", "--jobs", "1") == files
