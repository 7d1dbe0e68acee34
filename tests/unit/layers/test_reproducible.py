"""The same wheels give the same bytes, whatever machine, user, settings and Python they are layered by."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import deflate
import packaging
import pytest
from tests.support.wheelmaker import make_wheel

SOURCE = Path(__file__).parents[3] / "src"

# Prints SHA-256 of the layer and its diff_id. What needs an encoder is added if there is one.
PROGRAM = """
import hashlib, io, os, sys
if "no-libdeflate" in sys.argv:
    sys.modules["deflate"] = None
os.umask(int(sys.argv[1], 8))
from pathlib import Path
from crossdock.layers.entry import file
from crossdock.layers.wheels import write_wheels
from crossdock.layers.writer import write_tree
from crossdock.wheels import streams
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.scheme import posix_venv

assert (streams._libdeflate is None) == ("no-libdeflate" in sys.argv)
archives = [WheelArchive(path, path.name) for path in map(Path, sys.argv[2].split(os.pathsep))]
out = io.BytesIO()
diff_id = write_wheels(archives, posix_venv("app/.venv", "3.11"), out)
print("layer", diff_id, hashlib.sha256(out.getvalue()).hexdigest())
if streams._libdeflate:
    out = io.BytesIO()
    content = b"".join(b"%d," % number for number in range(500_000))
    print("tree", write_tree([file("a", content)], out, encode=True), hashlib.sha256(out.getvalue()).hexdigest())
"""


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("wheels")
    chance = random.Random(9)
    files: dict[str, str | bytes] = {f"demo/module_{i}.py": f"value = {i}\n" * (i * 7 + 1) for i in range(60)}
    files |= {"demo/large.bin": chance.randbytes(400_000) + bytes(400_000), "demo/ü.txt": "ü" * 2000}
    files |= {"demo-1.0.data/scripts/old": "#!python\n", "demo-1.0.dist-info/RECORD": ""}
    one = make_wheel(folder, "demo", "1.0", files, entry_points={"b": "demo:b", "a": "demo:a"})
    two = make_wheel(folder, "other", "1.0", {"other/a.py": "a" * 5000}, tag="cp311-abi3-manylinux_2_17_aarch64")
    return os.pathsep.join(map(str, (one, two)))


@pytest.fixture(scope="module")
def dependencies(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The two packages the core uses, without the rest of this environment: another Python could not load it."""
    folder = tmp_path_factory.mktemp("dependencies")
    for package in (packaging, deflate):
        assert package.__file__
        (folder / package.__name__).symlink_to(Path(package.__file__).parent)
    return str(folder)


@pytest.fixture(scope="module")
def expected(wheels: str, dependencies: str) -> dict[str, list[str]]:
    return digests(wheels, dependencies)


def digests(
    wheels: str,
    dependencies: str,
    *options: str,
    python: str = sys.executable,
    umask: str = "022",
    cwd: str | None = None,
    **environment: str,
) -> dict[str, list[str]]:
    variables = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join((str(SOURCE), dependencies)),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    command = [python, "-S", "-c", PROGRAM, umask, wheels, *options]
    done = subprocess.run(command, env=variables | environment, cwd=cwd, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {"layer": [], "tree": []}
    for line in done.stdout.splitlines():
        kind, _, digest = line.partition(" ")
        found[kind].append(digest)
    assert len(found["layer"]) == 1
    return found


def other_pythons() -> list[str]:
    """Every CPython from 3.11 on that can be found here, this one aside."""
    folders = [Path(folder) for folder in os.get_exec_path()]
    folders += sorted(Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"), "versions").glob("*/bin"))
    folders += sorted(Path.home().glob(".local/share/uv/python/cpython-*/bin"))
    found: dict[str, str] = {}
    for folder in folders:
        for python in sorted(folder.glob("python3.*")):
            if re.fullmatch(r"python3\.(1[1-9]|[2-9]\d)", python.name) and os.access(python, os.X_OK):
                code = "import sys; print(sys.implementation.name, sys.version)"
                told = subprocess.run([python, "-c", code], capture_output=True, text=True)
                if told.returncode == 0 and told.stdout.startswith("cpython"):
                    found.setdefault(told.stdout, str(python))
    return sorted(found.values())


@pytest.mark.parametrize("umask", ["000", "022", "077"])
def test_umask(wheels: str, dependencies: str, expected: dict[str, list[str]], umask: str) -> None:
    assert digests(wheels, dependencies, umask=umask) == expected


@pytest.mark.parametrize(
    "environment",
    [
        {"TZ": "Pacific/Kiritimati"},
        {"LANG": "tr_TR.UTF-8", "LC_ALL": "tr_TR.UTF-8"},
        {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
        {"HOME": "/nonexistent", "USER": "nobody", "TMPDIR": "/tmp"},
        {"SOURCE_DATE_EPOCH": "1700000000"},
        {"PYTHONHASHSEED": "1"},
        {"PYTHONHASHSEED": "4000000000"},
        {"PYTHONOPTIMIZE": "2"},
    ],
    ids=lambda environment: next(iter(environment)),
)
def test_environment(
    wheels: str, dependencies: str, expected: dict[str, list[str]], environment: dict[str, str]
) -> None:
    assert digests(wheels, dependencies, **environment) == expected


def test_current_folder_and_place_of_the_wheels(
    wheels: str, dependencies: str, expected: dict[str, list[str]], tmp_path: Path
) -> None:
    copies = []
    for wheel in map(Path, wheels.split(os.pathsep)):
        copies.append(wheel.name)
        (tmp_path / wheel.name).write_bytes(wheel.read_bytes())
        os.utime(tmp_path / wheel.name, (1, 1))
        (tmp_path / wheel.name).chmod(0o400)
    assert digests(os.pathsep.join(copies), dependencies, cwd=str(tmp_path)) == expected


def test_without_libdeflate_wheel_layers_are_the_same(
    wheels: str, dependencies: str, expected: dict[str, list[str]]
) -> None:
    assert digests(wheels, dependencies, "no-libdeflate")["layer"] == expected["layer"]


def test_every_other_python(wheels: str, dependencies: str, expected: dict[str, list[str]]) -> None:
    for python in [sys.executable, *other_pythons()]:
        assert digests(wheels, dependencies, python=python) == expected, python
        assert digests(wheels, dependencies, "no-libdeflate", python=python)["layer"] == expected["layer"], python
