"""The proof of bundles that other tools made of real wheels: uv for four systems, and pex in its three layouts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.network

#: The target of each platform by uv's name.
PLATFORMS = {
    "aarch64-unknown-linux-gnu": "linux/arm64",
    "x86_64-unknown-linux-musl": "linux/amd64+musl1.2",
    "aarch64-apple-darwin": "darwin/arm64",
    "x86_64-apple-darwin": "darwin/amd64",
    "x86_64-pc-windows-msvc": "windows/amd64",
    "aarch64-pc-windows-msvc": "windows/arm64",
}
#: One with a program, and one with launchers for Windows.
PACKAGES = ("markupsafe==3.0.2", "setuptools==80.9.0")


def run(*command: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """Folders into which uv installed the packages, by target; markupsafe has no wheel for Windows on arm64."""
    made = {}
    for platform, target in PLATFORMS.items():
        made[target] = tmp_path_factory.mktemp("folder") / "app"
        where = ("--target", str(made[target]), "--python-platform", platform, "--python-version", "3.12")
        packages = PACKAGES if target != "windows/arm64" else ("markupsafe==3.0.3", PACKAGES[1])
        run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--only-binary", ":all:", *where, *packages)
    return made


def verify(path: Path, target: str, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, list[Any]]:
    """Give the exit code, and code and package of each finding."""
    capsys.readouterr()
    code = main(["verify", str(path), "--target", target, "--json", *options])
    (image,) = json.loads(capsys.readouterr().out)["images"]
    assert image["ok"] is (code == 0)
    return code, [(finding["code"], finding["package"]) for finding in image["findings"]]


@pytest.mark.parametrize("target", PLATFORMS.values())
def test_real_wheels_are_for_the_target_they_say_and_no_other(
    target: str, folders: Mapping[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    for other, folder in folders.items():
        code, findings = verify(folder, target, capsys)
        wrong = [package.lower() for kind, package in findings if kind != "pe-launcher"]
        if fits(other, target):
            assert (code, wrong) == (0, [])
        else:
            assert (code, wrong) == (91, ["markupsafe 3.0.3" if other == "windows/arm64" else "markupsafe 3.0.2"])


def fits(made_for: str, target: str) -> bool:
    """Say whether the programs of one fit another: the wheel for older Macs is universal."""
    return made_for == target or (made_for, target) == ("darwin/amd64", "darwin/arm64")


def test_the_same_is_seen_in_a_zip_archive(
    folders: Mapping[str, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = folders["darwin/arm64"]
    with zipfile.ZipFile(tmp_path / "app.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, path.relative_to(folder))
    for target in ("darwin/arm64", "darwin/amd64"):
        code, findings = verify(tmp_path / "app.zip", target, capsys)
        of_folder, in_folder = verify(folder, target, capsys)
        assert (code, sorted(findings)) == (of_folder, sorted(in_folder))


@pytest.fixture(scope="module", params=["zipapp", "packed", "loose"])
def pex(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the pex CLI makes for this machine and its Python."""
    path = tmp_path_factory.mktemp("pex") / "app.pex"
    root = tmp_path_factory.mktemp("root")
    command = [Path(sys.executable).with_name("pex"), *PACKAGES, "--layout", request.param, "-o", path]
    run(*command, "--pex-root", root)
    return path


def test_a_pex_of_the_pex_cli_is_for_this_machine_only(pex: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own, other = ("amd64", "arm64") if os.uname().machine == "x86_64" else ("arm64", "amd64")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    code, findings = verify(pex, f"linux/{own}", capsys, "--python", python)
    # Launchers for Windows are in setuptools, and in the runtime of pex itself.
    assert (code, {kind for kind, _ in findings}) == (0, {"pe-launcher"})
    assert {package for _, package in findings} == {"setuptools 80.9.0", None}

    for target, options in ((f"linux/{other}", ()), (f"linux/{own}", ("--python", "3.9")), ("darwin/arm64", ())):
        code, findings = verify(pex, target, capsys, *options)
        assert code == 91
        assert ("wheel-tags", "markupsafe 3.0.2") in findings
