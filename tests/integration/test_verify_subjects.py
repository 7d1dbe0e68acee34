"""The proof of real artifacts that say themselves what they are for: packages of uv, a PEX, a Debian package."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from crossdock.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.network

REQUIREMENTS = 'markupsafe==3.0.2\nrequests==2.32.3\ncolorama==0.4.6 ; sys_platform == "win32"\n'
#: Platforms by uv's name, and what packages for them say.
PLATFORMS = {
    "aarch64-unknown-linux-gnu": "linux/arm64/v8",
    "x86_64-unknown-linux-musl": "linux/amd64",
    "aarch64-apple-darwin": "darwin/arm64",
    "x86_64-pc-windows-msvc": "windows/amd64",
}


def run(*command: str | Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, env=environment, check=False)
    assert done.returncode == 0, done.stderr


def uv(*arguments: str | Path) -> None:
    run(sys.executable, "-m", "uv", *arguments)


def verify(capsys: pytest.CaptureFixture[str], path: Path, *options: str | Path) -> tuple[int, Mapping[str, list[str]]]:
    """Give the exit code, and the codes of errors for each platform."""
    capsys.readouterr()
    code = main(["verify", str(path), "--json", *map(str, options)])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return code, {
        image["platform"]: [item["code"] for item in image["findings"] if item["severity"] == "error"]
        for image in report["images"]
    }


@pytest.fixture(scope="module")
def lock(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("lock")
    (folder / "requirements.in").write_text(REQUIREMENTS)
    options = ("--quiet", "--universal", "--generate-hashes", "--no-emit-index-url", "--python-version", "3.12")
    uv("pip", "compile", *options, folder / "requirements.in", "--output-file", folder / "requirements.txt")
    return folder / "requirements.txt"


@pytest.fixture(scope="module", params=PLATFORMS)
def app(request: pytest.FixtureRequest, lock: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder into which uv installed the lock's packages, and what it is for."""
    path = tmp_path_factory.mktemp("app") / "app"
    where = ("--target", path, "--python-platform", request.param, "--python-version", "3.12")
    uv("pip", "install", "--quiet", "--only-binary", ":all:", *where, "--requirements", lock)
    return path, PLATFORMS[request.param]


def test_packages_say_what_they_are_for_and_are_those_of_the_lock(
    app: tuple[Path, str], lock: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, platform = app
    assert verify(capsys, path) == (0, {platform: []})
    assert verify(capsys, path, "--lock", lock, "--python", "3.12") == (0, {platform: []})
    assert verify(capsys, path, "--target", "linux/s390x")[0] == 91

    changed = shutil.copytree(path, tmp_path / "app")
    shutil.rmtree(changed / "idna")
    shutil.rmtree(next(changed.glob("idna-*.dist-info")))
    (changed / "requests" / "api.py").write_text("changed")
    code, found = verify(capsys, changed, "--lock", lock, "--python", "3.12")
    assert (code, sorted(found[platform])) == (97, ["package-missing", "record-hash"])


def test_a_pex_says_what_it_is_for(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own = {"x86_64": "linux/amd64", "aarch64": "linux/arm64/v8"}[os.uname().machine]
    for layout in ("zipapp", "packed", "loose"):
        path = tmp_path / f"{layout}.pex"
        command = (Path(sys.executable).with_name("pex"), "markupsafe==3.0.2", "--layout", layout, "-o", path)
        run(*command, "--pex-root", tmp_path / "root")
        assert verify(capsys, path) == (0, {own: []})


def test_a_package_that_dpkg_built(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    program = shutil.which("dpkg-deb")
    if program is None:
        pytest.skip("dpkg-deb is missing; install dpkg")
    own = {"x86_64": "amd64", "aarch64": "arm64"}[os.uname().machine]
    other = {"amd64": "arm64", "arm64": "amd64"}[own]
    (tmp_path / "tree" / "DEBIAN").mkdir(parents=True)
    (tmp_path / "tree" / "usr" / "bin").mkdir(parents=True)
    shutil.copy("/bin/true", tmp_path / "tree" / "usr" / "bin" / "mytrue")
    for architecture, code in ((own, 0), (other, 91)):
        control = f"Package: mytrue\nVersion: 1.0\nArchitecture: {architecture}\n"
        (tmp_path / "tree" / "DEBIAN" / "control").write_text(f"{control}Maintainer: a <a@b.example>\nDescription: x\n")
        for compression in ("xz", "gzip", "zstd", "none"):
            path = tmp_path / f"{compression}.deb"
            run(program, f"-Z{compression}", "--root-owner-group", "--build", tmp_path / "tree", path)
            assert verify(capsys, path)[0] == code, compression
