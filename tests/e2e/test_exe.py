"""Executables for another machine: built here, run there by QEMU, refused where they do not belong."""

from __future__ import annotations

import hashlib
import json
import shutil
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.machines import HOME
from tests.e2e.pythons import installed_pythons, python_with_crossdock
from tests.support.exes import Teller, make_teller
from tests.support.standalonepython import Archive, make_archive

from crossdock.store import Store

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.e2e.machines import Machines, Outcome

pytestmark = [pytest.mark.engine, pytest.mark.network]

ARCHITECTURES = {"amd64": "x86_64", "arm64": "aarch64"}
#: The dearest way of all to unpack 600 files, but the one that shows that it works.
SLOW = 600


@pytest.fixture(scope="module")
def teller(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Teller:
    folder = tmp_path_factory.mktemp("teller")
    store = Store(shared_cache)
    archives = {name: make_archive(store, name, folder / f"archive-{name}") for name in ARCHITECTURES}
    return make_teller(folder, shared_cache, archives)


@pytest.fixture(scope="module")
def built(teller: Teller, tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    """The executable for each architecture, all built by one command."""
    folder = tmp_path_factory.mktemp("built")
    outcome = teller.build("--output", folder)
    assert outcome.code == 0, outcome.stderr
    paths = [Path(line) for line in outcome.stdout.splitlines()]
    assert [path.name for path in paths] == [f"teller_linux_{name}" for name in ARCHITECTURES]
    return dict(zip(ARCHITECTURES, paths, strict=True))


def run(machines: Machines, machine: str, path: Path, home: Path, *arguments: str, **env: str) -> Outcome:
    command = ["/work/app", *arguments]
    return machines[machine].run(command, mounts={path: "/work/app"}, home=home, env=env, timeout=SLOW)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_it_runs_on_its_machine_and_unpacks_once(
    architecture: str, built: Mapping[str, Path], teller: Teller, machines: Machines, tmp_path: Path
) -> None:
    told = json.loads(run(machines, architecture, built[architecture], tmp_path, "tell", "it's", "a b").output)
    cache = tmp_path / ".cache" / "crossdock-exe"
    inodes = {path: path.stat().st_ino for path in cache.rglob("*.py")}

    again = json.loads(run(machines, architecture, built[architecture], tmp_path).output)

    assert told["argv"] == ["/work/app", "tell", "it's", "a b"]
    assert told["machine"] == ARCHITECTURES[architecture]
    assert told["python"] == teller.archives[architecture].version
    assert told["prefix"].startswith(f"{HOME}/.cache/crossdock-exe/teller-")
    assert told["compiled"].startswith(told["prefix"])
    assert told["compiled"].endswith(f"cpython-311-{ARCHITECTURES[architecture]}-linux-gnu.so")
    assert again["prefix"] == told["prefix"]
    assert {path: path.stat().st_ino for path in cache.rglob("*.py")} == inodes


@pytest.mark.parametrize(("machine", "other"), [("arm64", "amd64"), ("amd64", "arm64")])
def test_on_another_machine_it_says_so_and_leaves_nothing(
    machine: str, other: str, built: Mapping[str, Path], machines: Machines, tmp_path: Path
) -> None:
    outcome = run(machines, machine, built[other], tmp_path)
    assert outcome.code == 1
    assert outcome.stdout == ""
    assert outcome.stderr == (
        f"teller: error: this file is for linux/{other}\n"
        f"  why: this machine is Linux {ARCHITECTURES[machine]}\n"
        "  hint: take the file for this machine\n"
    )
    assert list(tmp_path.iterdir()) == []


def test_on_an_older_system_than_was_promised_it_warns_once(teller: Teller, machines: Machines, tmp_path: Path) -> None:
    outcome = teller.build("--target", "linux/amd64+glibc2.38", "--output", tmp_path / "out")
    path = Path(outcome.stdout.strip())
    home = tmp_path / "home"
    home.mkdir()
    first, second = (run(machines, "amd64", path, home) for _ in range(2))
    assert first.code == second.code == 0
    assert first.stderr == "teller: warning: made for glibc 2.38 or newer, and this system has glibc 2.36\n"
    assert second.stderr == ""


def test_a_python_that_lacks_a_library_there_says_so_and_leaves_nothing(
    built: Mapping[str, Path], machines: Machines, tmp_path: Path
) -> None:
    # As on a system that has another C library, or an older one: the loader refuses the interpreter.
    empty = tmp_path / "no-library"
    empty.write_bytes(b"")
    outcome = machines["amd64"].run(
        ["/work/app"],
        mounts={built["amd64"]: "/work/app", empty: "/usr/lib/x86_64-linux-gnu/libexpat.so.1"},
        home=tmp_path,
        timeout=SLOW,
    )
    assert outcome.code == 1
    assert "teller: error: the Python inside cannot run here\n  why: it needs Linux on amd64 with glibc 2.3" in (
        outcome.stderr
    )
    assert list((tmp_path / ".cache" / "crossdock-exe").iterdir()) == []


@pytest.mark.parametrize(("target", "code"), [("linux/arm64", 0), ("linux/amd64", 91)])
def test_anybody_can_prove_it_again(target: str, code: int, built: Mapping[str, Path], teller: Teller) -> None:
    outcome = teller.command.run("verify", built["arm64"], "--target", target)
    assert outcome.code == code, outcome.stderr
    assert "aarch64 ELF" in outcome.stdout + outcome.stderr


def with_stray(archive: Archive, stray: bytes, folder: Path) -> Archive:
    """Add a file to an archive."""
    unpacked = folder / "stray"
    with tarfile.open(archive.path) as old:
        old.extractall(unpacked, filter="fully_trusted")
    (unpacked / "python" / "lib" / "stray.so").write_bytes(stray)
    path = folder / archive.path.name
    with tarfile.open(path, "w:gz") as new:
        new.add(unpacked / "python", "python")
    return replace(archive, path=path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_program_of_another_machine_in_the_archive_is_found(teller: Teller, tmp_path: Path) -> None:
    archive = with_stray(teller.archives["arm64"], teller.archives["amd64"].binaries[0], tmp_path)
    outcome = replace(teller, archives={"arm64": archive}).build(
        "--target", "linux/arm64", "--output", tmp_path / "out"
    )
    assert outcome.code == 91
    assert "python/lib/stray.so is an x86-64 ELF file" in outcome.stderr
    assert not (tmp_path / "out").exists()


def test_an_archive_of_another_machine_is_refused(teller: Teller, tmp_path: Path) -> None:
    swapped = {"arm64": teller.archives["amd64"]}
    outcome = replace(teller, archives=swapped).build("--target", "linux/arm64", "--output", tmp_path / "out")
    assert outcome.code != 0
    assert "is not a Python for linux/arm64" in outcome.stderr
    assert not (tmp_path / "out").exists()


def test_the_settings_pin_archives_as_for_images(teller: Teller, built: Mapping[str, Path], tmp_path: Path) -> None:
    project = Path(shutil.copytree(teller.project, tmp_path / "project"))
    lines = ["", "[tool.crossdock.interpreter]"]
    for name, archive in teller.archives.items():
        shutil.copy(archive.path, project)
        lines.append(f'"linux/{name}" = {{ path = "{archive.path.name}", sha256 = "{archive.sha256}" }}')
    with (project / "pyproject.toml").open("a") as file:
        file.write("\n".join([*lines, ""]))
    outcome = replace(teller, archives={}).build(project=project)
    assert outcome.code == 0, outcome.stderr
    for name, path in built.items():
        assert (project / "dist" / f"teller_linux_{name}").read_bytes() == path.read_bytes()


@pytest.mark.parametrize("version", installed_pythons())
def test_another_python_builds_the_same_bytes(
    version: str, teller: Teller, built: Mapping[str, Path], shared_cache: Path, tmp_path: Path
) -> None:
    python = python_with_crossdock(version, shared_cache / "pythons")
    # What was made before is not taken from the cache, but made anew from the same downloads.
    cache = tmp_path / "cache"
    for path in (shared_cache / "blobs").rglob("*"):
        if path.is_file():
            copy = cache / path.relative_to(shared_cache)
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.hardlink_to(path)
    (cache / "tmp").mkdir(parents=True)
    command = replace(teller.command, python=python, cache=cache)
    outcome = teller.build("--output", tmp_path / "out", command=command)
    assert outcome.code == 0, outcome.stderr
    for name, path in built.items():
        assert (tmp_path / "out" / f"teller_linux_{name}").read_bytes() == path.read_bytes()
