"""A wheel as a folder that this machine imports from."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from tests.support.rawzip import deflated, write_zip
from tests.unit.bazel.bundlework import Bundles, helper

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def bundles(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Bundles:
    return Bundles(tmp_path, capsys)


def test_it_is_imported_and_its_script_runs_from_wherever_it_lies(bundles: Bundles) -> None:
    bundles.run("unpack", "--wheel", helper(bundles.folder), "--out", bundles.folder / "tree")
    moved = (bundles.folder / "tree").rename(bundles.folder / "moved")
    code = "import helper, importlib.metadata as m; print(helper.NAME, m.version('helper'))"
    done = subprocess.run(
        [sys.executable, "-c", code], env={"PYTHONPATH": str(moved)}, capture_output=True, text=True, check=True
    )
    assert done.stdout == "helper 1.0\n"
    ran = subprocess.run([sys.executable, moved / "bin" / "helper-tool"], capture_output=True, text=True, check=True)
    assert ran.stdout == "tool\n"
    assert (moved / "share" / "helper.txt").read_text() == "data\n"


def test_modes_depend_on_nothing_here(bundles: Bundles) -> None:
    before = os.umask(0o077)
    try:
        bundles.run("unpack", "--wheel", helper(bundles.folder), "--python", "3.12", "--out", bundles.folder / "tree")
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in (bundles.folder / "tree").rglob("*")}
    assert (modes["helper.py"], modes["helper-tool"], modes["bin"]) == (0o644, 0o755, 0o755)
    assert "python3.12" in (bundles.folder / "tree" / "bin" / "helper-tool").read_text()


def test_what_leads_out_is_refused(bundles: Bundles) -> None:
    wheel = bundles.folder / "bad-1.0-py3-none-any.whl"
    wheel.write_bytes(write_zip([deflated("../escaped.py", b"")]))
    _, err = bundles.run("unpack", "--wheel", wheel, "--out", bundles.folder / "tree", code=62)
    assert "escaped.py" in err
    assert not (bundles.folder / "escaped.py").exists()


def test_a_folder_with_something_in_it_and_a_missing_wheel_are_refused(bundles: Bundles) -> None:
    bundles.file("tree/there")
    assert (
        "already holds"
        in bundles.run("unpack", "--wheel", helper(bundles.folder), "--out", bundles.folder / "tree", code=72)[1]
    )
    assert (
        "no wheel"
        in bundles.run("unpack", "--wheel", bundles.folder / "x.whl", "--out", bundles.folder / "t", code=61)[1]
    )
