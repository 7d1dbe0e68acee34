"""Bytecode by every interpreter of this machine: the same bytes for one release, and Python reads them."""

from __future__ import annotations

import hashlib
import io
import random
import subprocess
import sys
import sysconfig
from functools import cache
from pathlib import Path

import pytest
from tests.support.wheelmaker import make_wheel

from crossdock.errors import BytecodeError
from crossdock.layers.wheels import write_wheels
from crossdock.steps.compiling import find_compiler
from crossdock.targets.python import parse_python
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.bytecode import Compiler, CompilerSpec, Source
from crossdock.wheels.scheme import posix_venv

FOLDER = Path(sysconfig.get_paths()["stdlib"])
RUNNING = ".".join(map(str, sys.version_info[:2]))
PACKAGES = ("asyncio", "concurrent", "email", "importlib", "json", "logging", "unittest", "xml")


@cache
def interpreters() -> list[CompilerSpec]:
    """One of each minor version that there is; the running one is always among them."""
    found = []
    for version in ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14"):
        try:
            found.append(find_compiler(parse_python(version)))
        except BytecodeError:
            assert version != RUNNING
    return found


def other_releases(spec: CompilerSpec) -> list[CompilerSpec]:
    """All patch releases of a version that can be found by name."""
    minor, _, micro = spec.version.rpartition(".")
    found = {find_compiler(parse_python(f"{minor}.{number}")).version: number for number in range(30)}
    return [find_compiler(parse_python(version)) for version in found if version != f"{minor}.{micro}"]


def standard_library(count: int | None = None) -> list[Source]:
    paths = sorted(path for path in FOLDER.rglob("*.py") if "site-packages" not in path.parts)
    chosen = random.Random(7).sample(paths, count) if count else paths
    return [Source(f"/app/lib/{path.relative_to(FOLDER)}", path.read_bytes()) for path in chosen]


def digests(spec: CompilerSpec, sources: list[Source], processes: int) -> dict[str, str]:
    with Compiler(spec, processes=processes) as compiler:
        results = zip(sources, compiler.compile(sources), strict=True)
        return {
            source.path: hashlib.sha256(found.pyc).hexdigest() if found.pyc else "nothing" for source, found in results
        }


def test_the_order_of_two_thousand_files_makes_no_difference() -> None:
    spec = find_compiler(parse_python(RUNNING))
    sources = standard_library()
    expected = digests(spec, sources, 2)
    assert list(expected.values()).count("nothing") < len(sources) / 50
    assert digests(spec, random.Random(8).sample(sources, len(sources)), 1) == expected


def test_releases_of_one_minor_version_agree_but_for_mended_compilers() -> None:
    """Some fix changes what a few files compile to, so the exact version is a part of the layer's key."""
    sources = standard_library(400)
    spec = find_compiler(parse_python(RUNNING))
    expected = digests(spec, sources, 2)
    assert digests(spec, sources, 1) == expected
    for other in other_releases(spec):
        found = digests(other, sources, 2)
        assert sum(found[path] != expected[path] for path in expected) < len(sources) / 100
        assert other.key != spec.key


def test_every_version_compiles_what_every_version_reads() -> None:
    """The code is compared inside each interpreter, with what its own compiler and marshal give."""
    sources = standard_library(150)
    check = (
        "import marshal, sys\n"
        "def parts(code):\n"
        "    found = [(n, repr(getattr(code, n))) for n in dir(code) if n.startswith('co_') and n not in\n"
        "             ('co_consts', 'co_lnotab') and not callable(getattr(code, n))]\n"
        "    return found, [value(item) for item in code.co_consts]\n"
        "def value(item):\n"
        "    if hasattr(item, 'co_code'): return parts(item)\n"
        "    if isinstance(item, tuple): return [value(one) for one in item]\n"
        "    if isinstance(item, frozenset): return sorted(map(repr, item))\n"
        "    return type(item), repr(item)\n"
        "while line := sys.stdin.buffer.readline():\n"
        "    path, first, second = line.decode().split()\n"
        "    source, pyc = sys.stdin.buffer.read(int(first)), sys.stdin.buffer.read(int(second))\n"
        "    assert parts(compile(source, path, 'exec')) == parts(marshal.loads(pyc[16:])), path\n"
        "    print(path)\n"
    )
    for spec in interpreters():
        asked, expected = io.BytesIO(), []
        with Compiler(spec) as compiler:
            for source, found in zip(sources, compiler.compile(sources), strict=True):
                if found.pyc and not any(map(str.isspace, source.path)):
                    asked.write(f"{source.path} {len(source.content)} {len(found.pyc)}\n".encode())
                    asked.write(source.content + found.pyc)
                    expected.append(source.path)
        assert len(expected) > 130
        command = [spec.path, "-I", "-W", "ignore", "-c", check]
        done = subprocess.run(command, input=asked.getvalue(), capture_output=True, check=False)
        assert (done.returncode, done.stderr.decode()[-2000:]) == (0, "")
        assert done.stdout.decode().split() == expected


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Where each interpreter's layer is unpacked."""
    return tmp_path / "site"


def test_every_version_imports_packages_from_a_layer_by_their_bytecode(tmp_path: Path, site: Path) -> None:
    """Real packages, taken from the standard library and renamed, so that nobody has them already."""
    files: dict[str, str | bytes] = {"layered/__init__.py": ""}
    for package in PACKAGES:
        for path in sorted((FOLDER / package).rglob("*.py")):
            files[f"layered/{path.relative_to(FOLDER)}"] = path.read_bytes()
    files["layered/works.py"] = "def answer(*, a=40, b=(1, 1)):\n    return a + sum(b), {'x'} == {*'x'}\n"
    wheel = make_wheel(tmp_path, "layered", "1.0", files)
    for spec in interpreters():
        short = spec.version.rpartition(".")[0]
        scheme = posix_venv("app/.venv", short)
        data = io.BytesIO()
        warned: list[str] = []
        with WheelArchive(wheel, wheel.name) as archive, spec.start() as compiler:
            write_wheels([archive], scheme, data, compiler, warned.append)
        root = site / short
        root.mkdir(parents=True)
        subprocess.run(["tar", "-xzf", "-", "-C", str(root)], input=data.getvalue(), check=True)
        folder = root / scheme.site_packages
        # As in a container whose time and files are others, and whose root is read-only.
        (folder / "layered/works.py").write_text("raise SystemExit('the source was read')\n")
        before = {path: path.stat().st_mtime_ns for path in folder.rglob("*")}
        code = f"import sys; sys.path.insert(0, {str(folder)!r})\nimport layered.json, layered.works\n"
        code += "print(layered.works.answer(), layered.works.answer.__code__.co_name)"
        done = subprocess.run([spec.path, "-I", "-v", "-c", code], capture_output=True, text=True)
        assert done.stdout.split() == ["(42,", "True)", "answer"], (spec, done.stderr[-500:])
        for name in ("layered/__init__", "layered/works", "layered/json/__init__", "layered/json/decoder"):
            parent, _, stem = name.rpartition("/")
            pyc = f"{folder}/{parent}/__pycache__/{stem}.{spec.cache_tag}.pyc"
            assert f"{pyc} matches {folder}/{name}.py" in done.stderr
        assert "# wrote" not in done.stderr
        assert {path: path.stat().st_mtime_ns for path in folder.rglob("*")} == before
