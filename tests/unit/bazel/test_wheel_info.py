"""What the rule of a wheel's repository is told."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.bazel.commands.wheel_info import wheel_info
from crossdock.bazel.main import main
from crossdock.errors import BadWheelError, HashMismatchError

if TYPE_CHECKING:
    from pathlib import Path


def test_what_a_wheel_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {"a.py": "", "My_Tool-1.2.data/scripts/run.sh": "#!/bin/sh\n", "My_Tool-1.2.data/data/share/x": ""}
    path = make_wheel(tmp_path, "My_Tool", "1.2", files, entry_points={"tool": "a:main", "another": "a.b:c.d"})
    assert main(["wheel-info", str(path)]) == 0
    out = capsys.readouterr().out
    assert json.loads(out) == {
        "name": "my-tool",
        "version": "1.2",
        "filename": "My_Tool-1.2-py3-none-any.whl",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "size": path.stat().st_size,
        "pure": True,
        "scripts": ["another", "run.sh", "tool"],
    }
    assert str(tmp_path) not in out


def test_a_wheel_that_is_another_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = make_wheel(tmp_path, "a", "1", {})
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert main(["wheel-info", str(path), "--sha256", digest]) == 0
    path.write_bytes(path.read_bytes() + b"more")
    assert main(["wheel-info", str(path), "--sha256", digest]) == HashMismatchError.exit_code
    assert f"and {digest} is wanted" in capsys.readouterr().err


def test_a_wheel_for_a_platform(tmp_path: Path) -> None:
    path = make_wheel(tmp_path, "a", "1", {}, tag="cp311-cp311-manylinux_2_17_aarch64")
    assert wheel_info(path)["pure"] is False
    assert wheel_info(path)["scripts"] == []


def test_a_wheel_is_pure_by_its_name_whatever_it_says(tmp_path: Path) -> None:
    said = {"a-1.dist-info/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-win_amd64\n"}
    assert wheel_info(make_wheel(tmp_path, "a", "1", said, tag="py3-none-win_amd64"))["pure"] is False


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 not a wheel"])
def test_what_is_no_wheel(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(content)
    assert main(["wheel-info", str(path)]) == BadWheelError.exit_code
    assert "a-1-py3-none-any.whl is not a readable wheel" in capsys.readouterr().err


def test_what_is_not_there_or_not_named_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["wheel-info", str(tmp_path / "none-1-py3-none-any.whl")]) == BadWheelError.exit_code
    path = make_wheel(tmp_path, "a", "1", {}).rename(tmp_path / "download")
    assert main(["wheel-info", str(path)]) == BadWheelError.exit_code
    assert "is not named as a wheel" in capsys.readouterr().err
