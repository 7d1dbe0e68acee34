"""Whole PEX files, as the command builds them: what pex's own command line makes of the same wheels, and booted."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.baselayers import elf
from tests.support.pefiles import PeFile
from tests.support.pexfiles import boot, header, pex_cli, pex_info, pex_project, zip_files
from tests.support.wheelmaker import make_wheel

from crossdock.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="boots PEX files on this machine, for Linux targets")

ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
MACHINE = ARCHITECTURES[os.uname().machine]
HERE = f"linux/{MACHINE}+glibc2.28"
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
CONSTRAINT = f"CPython=={MINOR}.*"
SHEBANG = f"#!/usr/bin/env python{MINOR}"
MAIN = """\
import importlib.metadata, os, sys
import helper
def main():
    names = sorted(item.metadata["Name"] for item in importlib.metadata.distributions())
    print("shop", helper.NAME, sys.argv[1:], os.environ.get("WHO"), "shop" in names and "helper" in names)
    print(sys.prefix != sys.base_prefix, os.environ.get("PEX_MAX_INSTALL_JOBS"))
"""
FILES = {"shop/__init__.py": "", "shop/web.py": MAIN, "shop/__main__.py": "print('as a module')\n"}
RAN = "shop helper [{}] {} True\n"


def helper(folder: Path) -> Path:
    files = {
        "helper.py": "NAME = 'helper'\ndef tool():\n    print('tool')\n",
        "helper-1.0.data/scripts/raw": "#!python\nprint('raw')\n",
    }
    return make_wheel(folder, "helper", "1.0", files, entry_points={"helper-tool": "helper:tool"})


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shop")
    return pex_project(folder / "shop", [helper(folder)], files=FILES, requires=["helper"])


@pytest.fixture(scope="module")
def cache_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def build(
    shop: Path, cache_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., Path]:
    """Build the project's PEX for this machine, and give its path."""
    monkeypatch.setenv("CROSSDOCK_CACHE", str(cache_folder))

    def run(*options: str, project: Path = shop, targets: Sequence[str] = (HERE,)) -> Path:
        chosen = [item for target in targets for item in ("--target", target)]
        arguments = ["pex", str(project), *chosen, "--python", MINOR, "--offline", "--output", str(tmp_path / "out")]
        code = main([*arguments, *options])
        out, err = capsys.readouterr()
        assert code == 0, err
        (line,) = out.splitlines()
        return Path(line)

    return run


@pytest.fixture
def wheels(build: Callable[..., Path], tmp_path: Path) -> list[Path]:
    """The wheels that are in the PEX, the project's own among them."""
    with zipfile.ZipFile(build("--no-pre-install-wheels", "--output", str(tmp_path / "files"))) as archive:
        for name in archive.namelist():
            if name.endswith(".whl"):
                (tmp_path / name.rpartition("/")[2]).write_bytes(archive.read(name))
    return sorted(tmp_path.glob("*.whl"))


def without_pkg_resources(files: dict[str, tuple[int, bytes]], top: str = ".bootstrap/") -> dict[str, Any]:
    """Leave out what pex brings only where it runs on a Python before 3.12."""
    return {
        path: entry for path, entry in files.items() if not path.startswith(f"{top}pex/vendor/_vendored/setuptools/")
    }


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ([], []),
        (["--include-tools", "--inherit-path", "prefer"], ["--include-tools", "--inherit-path=prefer"]),
        (["--venv"], ["--venv"]),
        (["--venv", "prepend", "--no-strip-pex-env"], ["--venv", "prepend", "--no-strip-pex-env"]),
        (["--sh-boot"], ["--sh-boot"]),
        (["--sh-boot", "--venv", "append"], ["--sh-boot", "--venv", "append"]),
        (["--no-pre-install-wheels"], ["--no-pre-install-wheels"]),
        (
            ["--inject-env", "A=b", "--inject-args", "x 'y z'", "--inject-python-args", "-W ignore"],
            ["--inject-env", "A=b", "--inject-args", "x 'y z'", "--inject-python-args", "-W ignore"],
        ),
        (["--runtime-pex-root", "/tmp/a root"], ["--runtime-pex-root", "/tmp/a root"]),
    ],
)
def test_it_is_what_pex_makes_of_the_same_wheels(
    ours: list[str], theirs: list[str], build: Callable[..., Path], wheels: list[Path], tmp_path: Path
) -> None:
    made = build(*ours)
    first = [] if "--sh-boot" in ours else ["--python-shebang", SHEBANG]
    wanted = pex_cli(
        tmp_path / "theirs.pex", wheels, "--interpreter-constraint", CONSTRAINT, "-c", "shop", *first, *theirs
    )
    our_files, their_files = zip_files(made), zip_files(wanted)
    assert json.loads(our_files["PEX-INFO"][1]) == json.loads(their_files["PEX-INFO"][1])
    assert our_files == without_pkg_resources(their_files)
    assert header(made) == header(wanted)
    assert made.stat().st_mode & 0o777 == 0o755


@pytest.mark.parametrize("layout", ["packed", "loose"])
@pytest.mark.parametrize("options", [(), ("--sh-boot",), ("--no-pre-install-wheels",)])
def test_folders_are_what_pex_makes_of_the_same_wheels(
    layout: str, options: tuple[str, ...], build: Callable[..., Path], wheels: list[Path], tmp_path: Path
) -> None:
    made = build("--layout", layout, "--clear", *options)
    first = [] if "--sh-boot" in options else ["--python-shebang", SHEBANG]
    given = ["--interpreter-constraint", CONSTRAINT, "-c", "shop", "--layout", layout, *first, *options]
    wanted = pex_cli(tmp_path / "theirs.pex", wheels, *given)

    def listed(root: Path) -> dict[str, tuple[bool, object]]:
        found: dict[str, tuple[bool, object]] = {}
        for path in root.rglob("*"):
            if path.is_symlink():
                found[str(path.relative_to(root))] = False, str(path.readlink())
            elif path.is_file():
                is_archive = zipfile.is_zipfile(path) and layout == "packed" and path.suffix != ".exe"
                content = without_pkg_resources(zip_files(path), "") if is_archive else None
                executable = bool(path.stat().st_mode & 0o100)
                found[str(path.relative_to(root))] = executable, content or (path.name, path.stat().st_size)
        return found

    ours, theirs = listed(made), listed(wanted)
    theirs = {path: item for path, item in theirs.items() if "/_vendored/setuptools/" not in path}
    assert ours == theirs


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--layout", "packed"),
        ("--layout", "loose"),
        ("--sh-boot",),
        ("--sh-boot", "--layout", "loose"),
        ("--sh-boot", "--layout", "packed"),
        ("--venv",),
        ("--venv", "prepend", "--sh-boot"),
        ("--no-pre-install-wheels",),
        ("--no-pre-install-wheels", "--layout", "packed"),
    ],
)
def test_it_runs(options: tuple[str, ...], build: Callable[..., Path], tmp_path: Path) -> None:
    made = build(*options, "--inject-env", "WHO=me", "--inject-args", "first", "--clear")
    program = made / "pex" if made.is_dir() else made
    for start in ((sys.executable,), ()):  # by Python, and by its own first line; cold, and from its cache
        done = boot(program, tmp_path / "home", "second", start=start, PEX_MAX_INSTALL_JOBS="1")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith(RAN.format("'first', 'second'", "me"))
        assert done.stdout.splitlines()[1] == f"{'--venv' in options} None"


def test_it_runs_what_is_asked_for(build: Callable[..., Path], tmp_path: Path) -> None:
    for options, output in (
        (["-e", "shop"], "as a module\n"),
        (["-e", "helper:tool"], "tool\n"),
        (["-c", "helper-tool"], "tool\n"),
        (["-c", "raw"], "raw\n"),
    ):
        done = boot(build(*options), tmp_path / "home")
        assert (done.stdout, done.stderr) == (output, "")
    done = boot(build("--no-entry-point"), tmp_path / "home", "-c", "import helper; print(helper.NAME)")
    assert done.stdout == "helper\n"


def test_pex_tools_work_on_it(build: Callable[..., Path], tmp_path: Path) -> None:
    made = build("--include-tools")
    info = boot(made, tmp_path / "home", "info", PEX_TOOLS="1")
    assert json.loads(info.stdout)["pex_hash"] == pex_info(made)["pex_hash"]
    where = tmp_path / "extracted"
    extracted = boot(made, tmp_path / "home", "repository", "extract", "-f", str(where), PEX_TOOLS="1")
    assert extracted.returncode == 0, extracted.stderr
    assert {path.name for path in where.glob("*.whl")} >= {"helper-1.0-py3-none-any.whl", "shop-1.0-py3-none-any.whl"}
    outside = build()
    venv = tmp_path / "venv"
    tools = [sys.executable, "-c", "from pex.tools.main import main; main()", str(outside)]
    environment = {"HOME": str(tmp_path / "home"), "PATH": "/usr/bin:/bin"}
    for arguments in (["venv", str(venv)], ["info"]):
        done = subprocess.run([*tools, *arguments], env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    done = subprocess.run([venv / "pex", "in a venv"], env=environment, capture_output=True, text=True)
    assert done.stdout.startswith(RAN.format("'in a venv'", None)), done.stderr
    assert (venv / "bin" / "helper-tool").exists()


def test_the_cache_on_the_machine_is_shared_with_pex_itself(
    build: Callable[..., Path], wheels: list[Path], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    theirs = pex_cli(tmp_path / "theirs.pex", wheels, "-c", "shop")
    assert boot(theirs, home).returncode == 0
    before = {path.name for path in (home / ".cache" / "pex" / "installed_wheels").glob("*/*")}
    assert boot(build(), home).returncode == 0
    assert {path.name for path in (home / ".cache" / "pex" / "installed_wheels").glob("*/*")} == before != set()


def test_one_for_several_platforms_runs_here(build: Callable[..., Path], tmp_path: Path) -> None:
    wheels = [helper(tmp_path)]
    for machine in ("x86_64", "aarch64"):
        tag = f"cp311-abi3-manylinux_2_17_{machine}"
        files: dict[str, str | bytes] = {"native.py": f"M = {machine!r}\n", "_native.so": elf(ARCHITECTURES[machine])}
        wheels.append(make_wheel(tmp_path, "native", "1.0", files, tag=tag))
    program = PeFile().build()
    wheels.append(make_wheel(tmp_path, "winonly", "1.0", {"_winonly.dll": program}, tag="py3-none-win_amd64"))
    files = {"native.py": "M = 'w'\n", "_native.dll": program}
    wheels.append(make_wheel(tmp_path, "native", "1.0", files, tag="cp311-abi3-win_amd64"))
    main_py = "import native\ndef main():\n    print(native.M)\n"
    project = pex_project(tmp_path / "p", wheels, files={"shop/__init__.py": "", "shop/web.py": main_py})
    lock = project / "pylock.toml"
    lock.write_text(lock.read_text().replace('name = "winonly"', 'name = "winonly"\nmarker = "os_name == \'nt\'"'))
    targets = ["linux/amd64", "linux/arm64", "windows/amd64"]
    made = build("--multi-platform", project=project, targets=targets)
    assert made.name == "shop.pex"
    assert len([name for name in pex_info(made)["distributions"] if name.startswith("native")]) == 3
    assert any(text.startswith("winonly==1.0; sys_platform") for text in pex_info(made)["requirements"])
    done = boot(made, tmp_path / "home")
    assert (done.stdout, done.stderr) == (f"{os.uname().machine}\n", "")


def test_what_the_lock_settled_otherwise_does_not_keep_it_from_starting(
    build: Callable[..., Path], tmp_path: Path
) -> None:
    needs = "Metadata-Version: 2.1\nName: helper\nVersion: 1.0\nRequires-Dist: missing\nRequires-Dist: old<2\n"
    wheels = [
        make_wheel(tmp_path, "helper", "1.0", {"helper.py": "NAME = 'x'\n", "helper-1.0.dist-info/METADATA": needs}),
        make_wheel(tmp_path, "old", "2.0", {"old.py": "V = 2\n"}),
    ]
    main_py = "import helper, old\ndef main():\n    print(helper.NAME, old.V)\n"
    project = pex_project(tmp_path / "p", wheels, files={"shop/__init__.py": "", "shop/web.py": main_py})
    made = build(project=project)
    assert (pex_info(made)["excluded"], pex_info(made)["overridden"]) == (["missing"], ["old==2.0"])
    assert boot(made, tmp_path / "home").stdout == "x 2\n"


def test_on_another_machine_or_python_it_says_so(build: Callable[..., Path], tmp_path: Path) -> None:
    other = {"amd64": "aarch64", "arm64": "x86_64"}[MACHINE]
    files: dict[str, str | bytes] = {"helper.py": "NAME = 'x'\n", "_helper.so": elf(ARCHITECTURES[other])}
    wheel = make_wheel(tmp_path, "helper", "1.0", files, tag=f"py3-none-manylinux_2_17_{other}")
    project = pex_project(tmp_path / "p", [wheel], files=FILES)
    made = build(project=project, targets=[f"linux/{other}+glibc2.28"])
    done = boot(made, tmp_path / "home")
    assert done.returncode == 1
    assert f"wheel tags for helper 1.0 are py3-none-manylinux_2_17_{other} which do not match" in done.stderr
    assert "ImportError" not in done.stderr
    done = boot(build("--interpreter-constraint", "CPython==3.9.*"), tmp_path / "home")
    assert done.returncode == 1
    assert "Version matches CPython==3.9.*" in done.stderr


def test_the_work_for_wheels_and_runtime_is_done_once(
    build: Callable[..., Path], cache_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = build().read_bytes()

    def never(*_: object, **__: object) -> None:
        raise AssertionError("something is run")

    monkeypatch.setattr(subprocess, "run", never)
    monkeypatch.setattr(subprocess, "Popen", never)
    before = {path.name for path in (cache_folder / "blobs").rglob("*")}
    assert build().read_bytes() == first
    assert {path.name for path in (cache_folder / "blobs").rglob("*")} == before
    # Nor does what only PEX-INFO tells need another run of pex.
    build("--inject-env", "X=y", "--python-shebang", "/usr/bin/python{major}", "--interpreter-constraint", ">=3.8")


def test_packages_that_share_a_namespace_in_the_old_way(build: Callable[..., Path], tmp_path: Path) -> None:
    wheels = []
    for name in ("one", "two"):
        information = f"{name}-1.0.dist-info"
        files = {f"old/{name}.py": f"X = {name!r}\n", f"{information}/namespace_packages.txt": "old\n"}
        wheels.append(make_wheel(tmp_path, name, "1.0", files))
    main_py = "import old.one, old.two\ndef main():\n    print(old.one.X, old.two.X)\n"
    project = pex_project(tmp_path / "p", wheels, files={"shop/__init__.py": "", "shop/web.py": main_py})
    done = boot(build(project=project), tmp_path / "home")
    assert done.stdout == "one two\n", done.stderr
