"""Complete platforms against pex itself: it accepts ours, and we read what it writes."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from crossdock.targets import complete_platform, parse_python, parse_target

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def pex(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install pex in an environment of its own; gives the environment's folder of programs."""
    folder = tmp_path_factory.mktemp("pex")
    subprocess.run(["uv", "venv", "--quiet", "--python", sys.executable, folder / "venv"], check=True)
    python = folder / "venv/bin/python"
    subprocess.run(["uv", "pip", "install", "--quiet", "--python", python, "pex>=2.100"], check=True)
    return folder / "venv/bin"


@pytest.mark.parametrize(
    ("target", "python", "wheels"),
    [
        ("linux/amd64+glibc2.36", "3.12.4", ["manylinux2014_x86_64"]),
        ("aws-lambda-python3.12/arm64", None, ["manylinux2014_aarch64"]),
        ("linux/arm64+musl", "3.12.4", ["musllinux_1_2_aarch64"]),
        ("darwin/arm64", "3.12.4", ["macosx_11_0_arm64"]),
        ("darwin/amd64+macos10.13", "3.12.4", ["universal2"]),
        ("windows/amd64", "3.12.4", ["colorama-0.4.6-py2.py3-none-any", "win_amd64"]),
        ("linux/amd64", "3.13.0t", ["cp313t-manylinux_2_17_x86_64.manylinux2014_x86_64"]),
    ],
)
def test_pex_builds_for_what_is_exported(
    target: str, python: str | None, wheels: list[str], pex: Path, tmp_path: Path
) -> None:
    made = parse_target(target).target(parse_python(python) if python else None)
    (tmp_path / "platform.json").write_text(json.dumps(complete_platform(made)))

    done = subprocess.run(
        [
            pex / "pex",
            *("--complete-platform", tmp_path / "platform.json", "--pex-root", tmp_path / "root"),
            *("markupsafe==3.0.2", "colorama==0.4.6; sys_platform == 'win32'", "--output-file", tmp_path / "app.pex"),
        ],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    with zipfile.ZipFile(tmp_path / "app.pex") as archive:
        found = sorted({name.split("/")[1] for name in archive.namelist() if name.startswith(".deps/")} - {""})
    assert len(found) == len(wheels)
    assert all(wheel in name for wheel, name in zip(wheels, sorted(found, key=str.lower), strict=True)), found


def test_what_pex_writes_is_read(pex: Path, tmp_path: Path) -> None:
    done = subprocess.run(
        [pex / "pex3", "interpreter", "inspect", "--markers", "--tags"], capture_output=True, text=True, check=True
    )
    (tmp_path / "here.json").write_text(done.stdout)
    written = json.loads(done.stdout)

    target = parse_target("here.json", tmp_path).target()

    assert target.environment == written["marker_environment"]
    assert [str(tag) for tag in target.tags] == written["compatible_tags"]
    assert complete_platform(target) == {key: written[key] for key in ("marker_environment", "compatible_tags")}
    assert target.python.version == sys.version_info[:2]
