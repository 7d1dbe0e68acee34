"""Bundles of Bazel's actions: the same bytes as those of the command line, made without any compiled package."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from tests.support.pexfiles import boot, pex_project
from tests.support.wheelmaker import make_wheel
from tests.unit.steps.sampleplan import elf

from crossdock.cli.main import main

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="boots PEX files on this machine, for Linux targets")

MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
HERE = next(name for name, machine in MACHINES.items() if machine == os.uname().machine)
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
MAIN = """\
import os, sys
import helper
def main():
    print("shop", helper.NAME, sys.argv[1:], os.environ.get("WHO"))
def handler(event, context):
    return helper.NAME
"""
SETTINGS = """\
[tool.crossdock.pex]
inject-env = {WHO = "set"}
inject-args = ["first"]
[tool.crossdock.lambda]
handler = "shop.web.handler"
include = ["extra/*.txt"]
"""
#: What the zipapp does not have: packages with compiled code.
WITHOUT = "import sys; sys.modules |= dict.fromkeys(['deflate', 'zstandard', 'pysequoia']); "


@dataclass(frozen=True, slots=True)
class Shop:
    """A project, and its wheels by architecture; what is for every machine is in both."""

    root: Path
    wheels: dict[str, list[Path]]
    own: Path
    cache: Path

    def cli(self, *arguments: str) -> None:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CROSSDOCK_CACHE", str(self.cache))
            assert main([arguments[0], str(self.root), *arguments[1:], "--python", MINOR, "--offline", "-q"]) == 0


def act(*arguments: object, code: int = 0, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """Run a command as an action does: nothing of the user's environment, and no compiled package."""
    start = f"{WITHOUT}sys.argv = ['crossdock', *sys.argv[1:]]; from crossdock.bazel.main import run; run()"
    done = subprocess.run(
        [sys.executable, "-I", "-c", start, *map(str, arguments)],
        env={"PATH": "/usr/bin:/bin"},
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == code, done.stderr
    return done


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Shop:
    folder = tmp_path_factory.mktemp("shop")
    helper = make_wheel(
        folder, "helper", "1.0", {"helper.py": "NAME = 'helper'\n"}, entry_points={"helper": "helper:x"}
    )
    python = f"cp{MINOR.replace('.', '')}"
    fast = {}
    for architecture, machine in MACHINES.items():
        name = f"fast/core.cpython-{python[2:]}-{machine}-linux-gnu.so"
        content: dict[str, str | bytes] = {"fast/__init__.py": "", name: elf(architecture)}
        fast[architecture] = make_wheel(
            folder, "fast", "1.0", content, tag=f"{python}-{python}-manylinux_2_17_{machine}"
        )
    files = {"shop/__init__.py": "", "shop/web.py": MAIN}
    root = pex_project(
        folder / "shop", [helper, *fast.values()], files=files, settings=SETTINGS, requires=["helper", "fast"]
    )
    (root / "extra").mkdir()
    (root / "extra" / "words.txt").write_text("words " * 100)
    built = folder / "own"
    rows = ["--file", f"backend.py\t{root / 'backend.py'}"]
    act("own-wheel", "--pyproject", root / "pyproject.toml", *rows, "--out", built)
    return Shop(root, {name: [helper, wheel] for name, wheel in fast.items()}, built, folder / "cache")


def given(shop: Shop, *architectures: str) -> list[str | Path]:
    found: list[str | Path] = ["--project", shop.root / "pyproject.toml", "--own-wheel", shop.own]
    for name in architectures:
        found += ["--target", f"linux/{name}+glibc2.28 {MINOR}"]
        found += [item for wheel in reversed(shop.wheels[name]) for item in ("--wheel", wheel)]
    return found


@pytest.mark.parametrize(
    ("architecture", "options"),
    [
        ("amd64", ()),
        ("arm64", ()),
        ("arm64", ("--inherit-path", "fallback", "--interpreter-constraint", "CPython>={major}.{minor}")),
        ("arm64", ("--venv", "prepend")),
        ("arm64", ("--sh-boot",)),
        ("arm64", ("--no-pre-install-wheels", "--include-tools")),
    ],
)
def test_a_pex_is_that_of_the_command_line(
    shop: Shop, architecture: str, options: Sequence[str], tmp_path: Path
) -> None:
    target = f"linux/{architecture}+glibc2.28"
    shop.cli("pex", "--target", target, "--output", str(tmp_path / "theirs.pex"), *options)
    act("pex", *given(shop, architecture), *options, "--out", tmp_path / "ours.pex")
    assert (tmp_path / "ours.pex").read_bytes() == (tmp_path / "theirs.pex").read_bytes()


def test_a_pex_for_both_machines_is_that_of_the_command_line_and_runs(shop: Shop, tmp_path: Path) -> None:
    targets = [item for name in MACHINES for item in ("--target", f"linux/{name}+glibc2.28")]
    shop.cli("pex", *targets, "--multi-platform", "--output", str(tmp_path / "theirs.pex"))
    act("pex-runtime", "--out", tmp_path / "r.zip", "--metadata", tmp_path / "r.json")
    runtime = ["--runtime", tmp_path / "r.json", tmp_path / "r.zip"]
    act("pex", *given(shop, *MACHINES), *runtime, "--out", tmp_path / "ours.pex")
    assert (tmp_path / "ours.pex").read_bytes() == (tmp_path / "theirs.pex").read_bytes()
    ran = boot(tmp_path / "ours.pex", tmp_path / "home", "second")
    assert (ran.stdout, ran.returncode) == ("shop helper ['first', 'second'] set\n", 0), ran.stderr


@pytest.mark.parametrize("layout", ["packed", "loose"])
def test_a_folder_is_that_of_the_command_line(shop: Shop, layout: str, tmp_path: Path) -> None:
    shop.cli("pex", "--target", f"linux/{HERE}+glibc2.28", "--layout", layout, "--output", str(tmp_path / "theirs.pex"))
    act("pex", *given(shop, HERE), "--layout", layout, "--out", tmp_path / "ours.pex")
    theirs, ours = tmp_path / "theirs.pex", tmp_path / "ours.pex"
    names = sorted(path.relative_to(theirs) for path in theirs.rglob("*"))
    assert names == sorted(path.relative_to(ours) for path in ours.rglob("*"))
    assert all(
        (ours / name).read_bytes() == (theirs / name).read_bytes() for name in names if (theirs / name).is_file()
    )


@pytest.mark.parametrize(("kind", "option"), [("function", ()), ("layer", ("--layer",)), ("deps", ("--split", "deps"))])
def test_a_zip_is_that_of_the_command_line(shop: Shop, kind: str, option: Sequence[str], tmp_path: Path) -> None:
    shop.cli("lambda", "--target", "linux/arm64", *option, "--output", str(tmp_path / "theirs"))
    (theirs,) = (tmp_path / "theirs").iterdir()
    target = [
        "--target",
        f"linux/arm64 {MINOR}",
        *(i for wheel in shop.wheels["arm64"] for i in ("--wheel", str(wheel))),
    ]
    project = ["--project", str(shop.root / "pyproject.toml"), "--own-wheel", str(shop.own)]
    project += ["--file", f"extra/words.txt\t{shop.root / 'extra' / 'words.txt'}"]
    act("zip", *target, *project, "--kind", kind, "--out", tmp_path / "ours.zip")
    assert (tmp_path / "ours.zip").read_bytes() == theirs.read_bytes()


def test_what_is_made_is_the_same_wherever_it_is_made(shop: Shop, tmp_path: Path) -> None:
    made: list[bytes] = []
    for name in ("one", "another place"):
        folder = tmp_path / name
        (folder / "src").mkdir(parents=True)
        (folder / "src" / "main.py").write_text("import helper\nprint(helper.NAME)\n")
        (folder / "src" / "main.py").chmod(0o555 if made else 0o644)
        wheels = [(folder / wheel.name).write_bytes(wheel.read_bytes()) and wheel.name for wheel in shop.wheels[HERE]]
        listed = [item for wheel in wheels for item in ("--wheel", str(wheel))]
        rows = ["--name", "app", "--file", "_main/main.py\tsrc/main.py", "--main", "_main/main.py"]
        act("pex", "--target", f"linux/{HERE} {MINOR}", *listed, *rows, "--out", "out.pex", cwd=folder)
        made.append((folder / "out.pex").read_bytes())
    assert made[0] == made[1]
    assert str(tmp_path).encode() not in made[0]
    assert boot(tmp_path / "one" / "out.pex", tmp_path / "home").stdout == "helper\n"


HATCHLING = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
[project]
name = "demo"
version = "1.0"
dependencies = []
[project.scripts]
demo = "demo:main"
"""


@pytest.mark.network
def test_a_real_backend_builds_the_wheel_of_the_command_line(tmp_path: Path, shared_cache: Path) -> None:
    """The wheels that it runs on are those that `crossdock fetch` writes; nothing is installed here, pip included."""
    root = tmp_path / "demo"
    files = {"pyproject.toml": HATCHLING, "src/demo/__init__.py": "def main():\n    print('demo')\n"}
    files |= {"src/demo/data.txt": "data", ".gitignore": "ignored.txt\n", "src/demo/ignored.txt": "left out"}
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    (root / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSDOCK_CACHE", str(shared_cache))
        options = ["--target", f"linux/{HERE}", "--python", MINOR, "-q"]
        assert main(["pex", str(root), *options, "--no-pre-install-wheels", "--output", str(tmp_path / "a.pex")]) == 0
        assert main(["fetch", str(root), *options, "--output", str(tmp_path / "fetched")]) == 0
    rows = [item for name in files if name != "pyproject.toml" for item in ("--file", f"{name}\t{root / name}")]
    wheels = ["--lock", root / "crossdock.lock", "--build-wheel", tmp_path / "fetched" / "files"]
    out = ["--out", tmp_path / "own"]
    act("own-wheel", "--pyproject", root / "pyproject.toml", *rows, *wheels, *out)
    project = ["--project", root / "pyproject.toml", "--own-wheel", tmp_path / "own"]
    given = [*project, "--target", f"linux/{HERE} {MINOR}", "--no-pre-install-wheels"]
    act("pex", *given, "--out", tmp_path / "b.pex")
    assert (tmp_path / "a.pex").read_bytes() == (tmp_path / "b.pex").read_bytes()
    assert boot(tmp_path / "b.pex", tmp_path / "home").stdout == "demo\n"


@pytest.mark.network
def test_a_backend_that_asks_git_for_files_gets_those_that_are_given(tmp_path: Path, shared_cache: Path) -> None:
    """With a version that is written down, the list of files is all that such a backend takes from git."""
    root = tmp_path / "demo"
    system = HATCHLING.replace('["hatchling"]', '["setuptools", "setuptools-scm"]')
    files = {"pyproject.toml": system.replace("hatchling.build", "setuptools.build_meta")}
    files |= {"src/demo/__init__.py": "def main():\n    print('demo')\n", "src/demo/data.txt": "data"}
    for name, content in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(content)
    who = ("-c", "user.name=tests", "-c", "user.email=tests@example.org")
    for command in (["init", "-q"], ["add", "-A"], [*who, "commit", "-qm", "all"]):
        subprocess.run(["git", "-C", root, *command], check=True)
    (root / "pylock.toml").write_text('lock-version = "1.0"\ncreated-by = "tests"\npackages = []\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CROSSDOCK_CACHE", str(shared_cache))
        options = ["--target", f"linux/{HERE}", "--python", MINOR, "-q"]
        assert main(["pex", str(root), *options, "--no-pre-install-wheels", "--output", str(tmp_path / "a.pex")]) == 0
        assert main(["fetch", str(root), *options, "--output", str(tmp_path / "fetched")]) == 0
    rows = [item for name in files if name != "pyproject.toml" for item in ("--file", f"{name}\t{root / name}")]
    wheels = ["--lock", root / "crossdock.lock", "--build-wheel", tmp_path / "fetched" / "files"]
    out = ["--out", tmp_path / "own"]
    act("own-wheel", "--pyproject", root / "pyproject.toml", *rows, *wheels, *out)
    with zipfile.ZipFile(tmp_path / "a.pex") as archive:
        theirs = archive.read(".deps/demo-1.0-py3-none-any.whl")
    own = tmp_path / "own" / "demo-1.0-py3-none-any.whl"
    assert own.read_bytes() == theirs
    with zipfile.ZipFile(own) as archive:
        assert "demo/data.txt" in archive.namelist()
