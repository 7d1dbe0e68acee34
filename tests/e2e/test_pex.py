"""PEX files of an application with compiled packages: built for other machines, run there, and compared with pex's."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, link_cache, lock_with_uv, write_files
from tests.e2e.pythons import installed_pythons, python_with_crossdock
from tests.support.pexfiles import header, pex_info, zip_files

if TYPE_CHECKING:
    from tests.e2e.machines import Machines, Outcome

pytestmark = pytest.mark.network

PYTHON = "3.11"
AMD, ARM = "linux/amd64+glibc2.28", "linux/arm64+glibc2.28"
ELSEWHERE = ("darwin/arm64", "windows/amd64")
APP = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "demo"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["click==8.3.1", "cryptography==46.0.3", "idna==3.10", "numpy==2.2.6", "pydantic-core==2.41.5"]

[project.scripts]
demo = "demo:main"

[tool.crossdock]
python = "3.11"
targets = ["linux/amd64+glibc2.28", "linux/arm64+glibc2.28"]
""",
    "src/demo/__init__.py": """\
import json, platform, sys

def main():
    import click, cryptography.fernet, idna, numpy, pydantic_core
    fernet = cryptography.fernet.Fernet(cryptography.fernet.Fernet.generate_key())
    schema = pydantic_core.SchemaValidator(pydantic_core.core_schema.int_schema())
    print(json.dumps({
        "machine": platform.machine(),
        "numpy": int(numpy.arange(5).dot(numpy.arange(5))),
        "cryptography": fernet.decrypt(fernet.encrypt(b"secret")).decode(),
        "pydantic": schema.validate_python("42"),
        "idna": idna.encode("grün.example").decode(),
        "click": click.__name__,
        "arguments": sys.argv[1:],
    }))
""",
}


def ran(machine: str, *arguments: str) -> dict[str, object]:
    return {
        "machine": machine,
        "numpy": 30,
        "cryptography": "secret",
        "pydantic": 42,
        "idna": "xn--grn-ioa.example",
        "click": "click",
        "arguments": list(arguments),
    }


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project, locked by uv; its lock has hashes and no URLs."""
    folder = tmp_path_factory.mktemp("app")
    project = write_files(folder / "project", APP)
    shutil.copy(lock_with_uv(project, folder / "locked") / "requirements.txt", project)
    return project


@pytest.fixture(scope="module")
def command(app: Path, tmp_path_factory: pytest.TempPathFactory) -> Command:
    """The command, with a cache of its own, in which is what it needs."""
    made = Command(cache=tmp_path_factory.mktemp("cache"))
    targets = [item for target in (AMD, ARM, *ELSEWHERE) for item in ("--target", target)]
    built = made.run("pex", app, *targets, "--python", PYTHON, "--output", tmp_path_factory.mktemp("first"))
    assert built.code == 0, built.stderr
    return made


def without_work(cache: Path, folder: Path) -> Path:
    """Make a cache that has what was downloaded, and nothing of what a PEX is put together of."""
    link_cache(cache, folder)
    removed = 0
    for path in (folder / "actions").rglob("*.json"):
        value = json.loads(path.read_text())["value"]
        if isinstance(value, dict) and "directory" in value:
            (folder / "blobs" / "sha256" / value["digest"][:2] / value["digest"]).unlink(missing_ok=True)
            path.unlink()
            removed += 1
    assert removed
    return folder


@pytest.fixture(scope="module")
def pexes(app: Path, command: Command, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with what is built for both architectures, and one PEX for both."""
    folder = tmp_path_factory.mktemp("pexes")
    for options in ([], ["--multi-platform", "--sh-boot", "--venv"]):
        done = command.run("pex", app, "--output", folder, *options)
        assert done.code == 0, done.stderr
    return folder


def run_on(machines: Machines, architecture: str, pex: Path, *arguments: str) -> Outcome:
    return machines[architecture].run(["/work/app.pex", *arguments], mounts={pex: "/work/app.pex"})


def of_wheels(pex: Path) -> dict[str, tuple[int, bytes]]:
    return {path: entry for path, entry in zip_files(pex).items() if path.startswith(".deps/")}


@pytest.mark.engine
@pytest.mark.parametrize(("architecture", "machine"), [("amd64", "x86_64"), ("arm64", "aarch64")])
def test_each_runs_on_its_machine(architecture: str, machine: str, pexes: Path, machines: Machines) -> None:
    done = run_on(machines, architecture, pexes / f"demo_linux_{architecture}.pex", "--flag", "ü")
    assert json.loads(done.output) == ran(machine, "--flag", "ü")


@pytest.mark.engine
def test_one_pex_runs_on_both_machines_from_a_venv_of_its_own(pexes: Path, machines: Machines, tmp_path: Path) -> None:
    for architecture, machine in (("amd64", "x86_64"), ("arm64", "aarch64")):
        done = run_on(machines, architecture, pexes / "demo.pex")
        assert json.loads(done.output) == ran(machine)


@pytest.mark.engine
@pytest.mark.parametrize(("architecture", "other"), [("amd64", "arm64"), ("arm64", "amd64")])
def test_on_the_wrong_machine_pex_refuses(architecture: str, other: str, pexes: Path, machines: Machines) -> None:
    done = run_on(machines, architecture, pexes / f"demo_linux_{other}.pex")
    assert done.code == 1
    assert "No interpreter compatible with the requested constraints was found" in done.stderr
    machine = {"amd64": "x86_64", "arm64": "aarch64"}[other]
    assert f"manylinux_2_17_{machine}" in done.stderr
    assert "do not match the supported tags of" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ImportError" not in done.stderr


@pytest.mark.parametrize("architecture", ["amd64", "arm64"])
def test_pex_itself_makes_the_same_of_the_same_wheels(
    architecture: str, app: Path, command: Command, pexes: Path, tmp_path: Path
) -> None:
    """As a user of pex would do it: for a complete platform, from wheels that are given."""
    target = {"amd64": AMD, "arm64": ARM}[architecture]
    files = command.run("pex", app, "--target", target, "--no-pre-install-wheels", "--output", tmp_path)
    with zipfile.ZipFile(tmp_path / f"demo_linux_{architecture}.pex") as archive:
        wheels = [name for name in archive.namelist() if name.endswith(".whl")]
        archive.extractall(tmp_path, wheels)
    assert files.code == 0, files.stderr
    shown = command.run("target", "show", target, "--python", PYTHON, "--complete-platform")
    (tmp_path / "platform.json").write_text(shown.stdout)
    given = [item for wheel in wheels for item in ("--pre-resolved-dist", str(tmp_path / wheel))]
    reference = tmp_path / "theirs.pex"
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pex", "-o", str(reference), *given, *pex_info(pexes / "demo.pex")["requirements"]),
            *("--complete-platform", str(tmp_path / "platform.json"), "-c", "demo"),
        ],
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "PEX_IGNORE_RCFILES": "1"},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    ours = pexes / f"demo_linux_{architecture}.pex"
    assert of_wheels(ours) == of_wheels(reference)
    # pex cannot be given a constraint that no Python of this machine meets: that, and what follows of it, is ours.
    info, wanted = pex_info(ours), pex_info(reference)
    different = {name for name in info.keys() | wanted.keys() if info.get(name) != wanted.get(name)}
    assert different == {"interpreter_constraints", "pex_hash"}
    assert header(ours) == header(reference)


def test_for_macos_and_windows_it_holds_what_an_installer_would_install_there(
    app: Path, command: Command, tmp_path: Path
) -> None:
    targets = [item for target in ELSEWHERE for item in ("--target", target)]
    built = command.run("pex", app, *targets, "--output", tmp_path)
    assert built.code == 0, built.stderr
    assert "arm64 Mach-O" in built.stderr
    assert "x86-64 PE" in built.stderr
    for target, platform, suffix in (
        ("darwin/arm64", "aarch64-apple-darwin", ".so"),
        ("windows/amd64", "x86_64-pc-windows-msvc", ".pyd"),
    ):
        pex = tmp_path / f"demo_{target.replace('/', '_')}.pex"
        place = tmp_path / target.replace("/", "-")
        files = command.run("pex", app, "--target", target, "--no-pre-install-wheels", "--output", place)
        assert files.code == 0, files.stderr
        with zipfile.ZipFile(place / pex.name) as archive:
            wheels = [archive.extract(name, place) for name in archive.namelist() if name.endswith(".whl")]
        where = ["--target", str(place / "installed"), "--python-platform", platform, "--python-version", PYTHON]
        done = subprocess.run(
            [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--no-deps", "--offline", *where, *wheels],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        ours = packages_in(of_wheels(pex))
        assert ours == packages_on_disk(place / "installed")
        assert any(path.endswith(suffix) for path in ours)


def packages_in(files: dict[str, tuple[int, bytes]]) -> dict[str, str]:
    """Give hashes of package files by path; scripts and what an installer writes of itself are left out."""
    found = {}
    for path, (_, content) in files.items():
        inside = path.split("/", 2)[2] if path.count("/") > 1 else ""
        if inside and not inside.endswith("/") and not inside.startswith("."):
            found[inside] = content
    return kept(found)


def packages_on_disk(folder: Path) -> dict[str, str]:
    return kept(
        {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    )


def kept(files: dict[str, bytes]) -> dict[str, str]:
    own = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "uv_build.json", "uv_cache.json")
    return {
        path: hashlib.sha256(content).hexdigest()
        for path, content in files.items()
        if not path.startswith((".", "bin/", "Scripts/"))
        and ".pex-info/" not in path
        and not path.endswith((*own, ".pyc"))
    }


SURROUNDINGS = {
    "umask": {"umask": 0o077},
    "time zone and locale": {"env": {"TZ": "Pacific/Kiritimati", "LC_ALL": "C", "PYTHONHASHSEED": "1"}},
    "settings of pex": {"env": {"PEX_ROOT": "/nowhere", "PEX_VERBOSE": "9", "PEX_PYTHON": "python2", "PEX_VENV": "1"}},
}
FORMS: tuple[list[str], ...] = (["--sh-boot", "--venv", "--multi-platform"], [])


def digests(command: Command, app: Path, folder: Path) -> dict[str, str]:
    found = {}
    for options in FORMS:
        done = command.run("pex", app, "--offline", "--output", folder, *options)
        assert done.code == 0, done.stderr
        for line in done.stdout.splitlines():
            found[Path(line).name] = hashlib.sha256(Path(line).read_bytes()).hexdigest()
    return found


@pytest.fixture(scope="module")
def wanted(command: Command, app: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return digests(command, app, tmp_path_factory.mktemp("wanted"))


@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_the_same_bytes_in_other_surroundings(
    surroundings: str, app: Path, wanted: dict[str, str], command: Command, tmp_path: Path
) -> None:
    project = shutil.copytree(app, tmp_path / "Ein größerer Ordner" / "demo")
    cache = without_work(command.cache, tmp_path / "cache")
    here = replace(command, cache=cache, cwd=tmp_path, **SURROUNDINGS[surroundings])  # type: ignore[arg-type]
    assert digests(here, project, tmp_path / "out") == wanted


def test_the_same_bytes_by_every_cpython(
    app: Path, wanted: dict[str, str], command: Command, shared_cache: Path, tmp_path: Path
) -> None:
    others = [version for version in installed_pythons() if not version.startswith(f"{sys.version_info[0]}.11.")]
    if not others:
        pytest.skip("there is no other CPython")
    for version in others[-2:]:
        python = python_with_crossdock(version, shared_cache / "pythons")
        uv = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", str(python), "pex==2.105.2"]
        subprocess.run(uv, check=True)
        cache = without_work(command.cache, tmp_path / version)
        assert digests(replace(command, python=python, cache=cache), app, tmp_path / "out") == wanted


def test_two_builds_at_once_do_not_disturb_each_other(
    app: Path, wanted: dict[str, str], command: Command, tmp_path: Path
) -> None:
    cache = without_work(command.cache, tmp_path / "cache")
    here = replace(command, cache=cache)
    running = [here.popen("pex", app, "--offline", "--output", tmp_path / f"out{number}") for number in range(2)]
    for number, process in enumerate(running):
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
        for name in ("demo_linux_amd64.pex", "demo_linux_arm64.pex"):
            content = (tmp_path / f"out{number}" / name).read_bytes()
            assert hashlib.sha256(content).hexdigest() == wanted[name]
