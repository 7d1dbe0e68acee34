"""Environments for other machines: run on an arm64 one where they were moved to, and read where nothing runs."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, lock_with_uv, write_files
from tests.e2e.pythons import installed_pythons, python_with_crossdock
from tests.support.venvproject import PROJECT, check_records

from crossdock.headers.pe import pe_offset, read_pe

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.machines import Machines

pytestmark = pytest.mark.network

ANSWER = [10, 7, True, "text"]
ARM = ("--target", "linux/arm64+glibc2.36", "--python", "3.11")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("venv")
    locked = lock_with_uv(write_files(folder / "source", PROJECT), folder / "project")
    for name in ("requirements.txt", "pylock.toml"):
        (locked / name).unlink()
    return locked


@pytest.fixture(scope="module")
def command(shared_cache: Path) -> Command:
    return Command(cache=shared_cache)


def build(command: Command, project: Path, output: Path, *options: str) -> Path:
    outcome = command.run("venv", project, *options, "--output", output)
    assert (outcome.code, outcome.stdout) == (0, f"{output}\n"), outcome.stderr
    return output


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def tree(root: Path) -> dict[str, tuple[str, int]]:
    """Every file, link and folder with its content and mode."""
    return {
        path.relative_to(root).as_posix(): (
            (str(path.readlink()), 0)
            if path.is_symlink()
            else ("" if path.is_dir() else digest(path), path.stat().st_mode & 0o777)
        )
        for path in root.rglob("*")
    }


@pytest.mark.engine
def test_a_folder_for_arm64_runs_where_it_was_moved_to(
    machines: Machines, command: Command, project: Path, tmp_path: Path
) -> None:
    made = build(command, project, tmp_path / "made", *ARM)
    moved = made.rename(tmp_path / "moved")
    mounts = {moved: "/srv/a place/env"}
    arm64 = machines["arm64"]
    done = arm64.run(["/srv/a place/env/bin/shelf", "a b"], mounts=mounts)
    assert (done.code, done.stderr) == (3, "")
    assert json.loads(done.stdout) == ["/srv/a place/env", ["a b"], *ANSWER]
    code = (
        "import sys, numpy, platform, sysconfig; print(sys.prefix, platform.machine(), sysconfig.get_path('purelib'))"
    )
    done = arm64.run(
        ["sh", "-c", f'cd "/srv/a place/env/bin" && . ./activate && cd / && python -c "{code}"'], mounts=mounts
    )
    site = "/srv/a place/env/lib/python3.11/site-packages"
    assert done.output == f"/srv/a place/env aarch64 {site}\n"
    done = arm64.run(["sh", "-c", 'ln -s "/srv/a place/env/bin/shelf" ~/s && ~/s'], mounts=mounts)
    assert (done.code, done.stderr) == (3, "")


@pytest.mark.engine
@pytest.mark.parametrize("layout", ["venv", "flat"])
def test_an_archive_for_arm64_runs_where_it_is_unpacked(
    layout: str, machines: Machines, command: Command, project: Path, tmp_path: Path
) -> None:
    made = build(command, project, tmp_path / "made.tar.gz", *ARM, "--layout", layout)
    where = tmp_path / "machine"
    where.mkdir()
    script = (
        'mkdir "/out/un packed" && tar -xzf /in/env.tar.gz -C "/out/un packed" && exec "/out/un packed/bin/shelf" x'
    )
    done = machines["arm64"].run(["sh", "-c", script], mounts={made: "/in/env.tar.gz"}, writable={where: "/out"})
    assert (done.code, done.stderr) == (3, "")
    prefix, *rest = json.loads(done.stdout)
    assert prefix == ("/out/un packed" if layout == "venv" else "/usr")
    assert rest == [["x"], *ANSWER]


@pytest.mark.engine
def test_on_the_wrong_machine_it_is_the_wrong_machine(
    machines: Machines, command: Command, project: Path, tmp_path: Path
) -> None:
    """What is proved before an environment is handed over is what would go wrong here."""
    made = build(command, project, tmp_path / "made", *ARM)
    done = machines["amd64"].run(["/env/bin/shelf"], mounts={made: "/env"})
    assert done.code == 1
    assert "numpy" in done.stderr


@pytest.mark.parametrize(
    ("target", "machine", "home"),
    [
        ("windows/amd64", "x86-64", "C:\\Program Files\\Python311"),
        ("win32", "i386", "D:\\Python"),
    ],
)
def test_an_environment_for_windows(
    target: str, machine: str, home: str, command: Command, project: Path, tmp_path: Path
) -> None:
    options = ["--interpreter", f"{home}\\python.exe"] if home.startswith("D") else []
    root = build(command, project, tmp_path / "made", "--target", target, "--python", "3.11", *options)
    assert f"home = {home}\n" in (root / "pyvenv.cfg").read_text()
    check_records(root / "Lib" / "site-packages")
    scripts = root / "Scripts"
    programs = {path.name: path.read_bytes() for path in scripts.glob("*.exe")}
    assert programs.keys() > {
        "python.exe",
        "pythonw.exe",
        "shelf.exe",
        "shelf-window.exe",
        "pygmentize.exe",
        "f2py.exe",
    }
    for name, data in programs.items():
        header = read_pe(data[pe_offset(data) :])
        assert header is not None
        assert header.machine_name == machine
        shebang, _, _ = data[data.rindex(b"#!") :].partition(b"\n")
        real = f'"{home}\\{name}"' if " " in home else f"{home}\\{name}"
        window = "w" if name == "shelf-window.exe" else ""
        expected = f"#!{real} -I -S" if name.startswith("python") else f"#!<launcher_dir>\\python{window}.exe"
        assert shebang.decode() == expected
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            assert archive.namelist() == ["__main__.py"]
    with zipfile.ZipFile(scripts / "shelf.exe") as archive:
        assert b"from shelf import main\n" in archive.read("__main__.py")
    file = {"x86-64": "PE32+ executable (console) x86-64", "i386": "PE32 executable (console) Intel 80386"}[machine]
    if shutil.which("file"):  # what another program takes the stub for; the whole it takes for a zip archive
        stub = programs["shelf.exe"][: programs["shelf.exe"].rindex(b"#!")]
        said = subprocess.run(["file", "-b", "-"], input=stub, capture_output=True).stdout.decode()
        assert said.startswith(file)
    # Python runs what is behind the program; here with packages of this machine in place of those for Windows.
    done = subprocess.run([sys.executable, "-I", scripts / "pygmentize.exe", "-V"], capture_output=True, text=True)
    assert "No module named 'pygments'" in done.stderr or "Pygments version" in done.stdout
    done = subprocess.run(
        [sys.executable, scripts / "pygmentize.exe", "-V"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(root / "Lib" / "site-packages")},
    )
    assert "Pygments version 2.19.2" in done.stdout


def test_an_environment_for_macos(command: Command, project: Path, tmp_path: Path) -> None:
    root = build(command, project, tmp_path / "made", "--target", "darwin/arm64", "--python", "3.12")
    assert str((root / "bin" / "python").readlink()) == (
        "/Library/Frameworks/Python.framework/Versions/3.12/bin/python3.12"
    )
    assert not (root / "lib64").exists()
    check_records(root / "lib" / "python3.12" / "site-packages")
    (library,) = (root / "lib/python3.12/site-packages/pydantic_core").glob("*.so")
    assert library.read_bytes()[:8] == bytes.fromhex("cffaedfe0c000001")  # Mach-O of 64 bits, arm64
    assert library.name.endswith("cpython-312-darwin.so")


def test_several_targets_are_several_folders_proved_together(command: Command, project: Path, tmp_path: Path) -> None:
    targets = ["--target", "linux/arm64+musl", "--target", "windows/amd64", "--target", "darwin/arm64"]
    outcome = command.run("venv", project, *targets, "--python", "3.12", "--output", tmp_path / "all")
    assert outcome.code == 0, outcome.stderr
    names = ["shelf_linux_arm64_musl", "shelf_windows_amd64", "shelf_darwin_arm64"]
    assert outcome.stdout.splitlines() == [str(tmp_path / "all" / name) for name in names]
    for kind in ("aarch64 ELF", "x86-64 PE", "arm64 Mach-O"):
        assert kind in outcome.stderr


@pytest.mark.parametrize("name", ["env.tar", "env.tar.gz", "env.tar.zst"])
def test_the_same_bytes_from_any_folder_umask_and_number_of_jobs(
    name: str, command: Command, project: Path, tmp_path: Path
) -> None:
    first = build(command, project, tmp_path / name, *ARM, "--jobs", "1")
    elsewhere = shutil.copytree(project, tmp_path / "else where" / "copy")
    other = Command(cache=command.cache, umask=0o077, cwd=tmp_path, env={"TZ": "Asia/Tokyo", "PYTHONHASHSEED": "5"})
    second = build(other, elsewhere, tmp_path / "second" / name, *ARM, "--jobs", "4")
    assert digest(first) == digest(second)
    if name != "env.tar":
        return
    folders = [
        build(command, project, tmp_path / "a", *ARM),
        build(other, elsewhere, tmp_path / "b", *ARM, "--jobs", "4"),
    ]
    assert tree(folders[0]) == tree(folders[1])
    with tarfile.open(first) as archive:
        assert set(archive.getnames()) == set(tree(folders[0]))


@pytest.mark.parametrize("version", installed_pythons())
def test_the_same_bytes_by_every_python(
    version: str, command: Command, project: Path, shared_cache: Path, tmp_path: Path
) -> None:
    python = python_with_crossdock(version, shared_cache / "pythons")
    other = Command(cache=command.cache, python=python)
    for target in (ARM, ("--target", "windows/amd64", "--python", "3.11")):
        ours = build(command, project, tmp_path / "ours.tar.gz", *target)
        assert digest(ours) == digest(build(other, project, tmp_path / "theirs.tar.gz", *target))
