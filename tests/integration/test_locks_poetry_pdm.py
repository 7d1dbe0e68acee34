"""Real locks made by Poetry and pdm: what we select is what the tools' own exports say, and staleness is told right."""

from __future__ import annotations

import itertools
import os
import subprocess
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import tomli_w

from crossdock.errors import StaleLockError
from crossdock.locks import Lock, LockedFile, Package, activate, read_lock, select
from crossdock.store import load_index_config
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.network

POETRY_2 = ["poetry>=2.3,<3", "poetry-plugin-export"]
POETRY_1 = ["poetry>=1.8,<1.9", "poetry-plugin-export<1.9"]
# What pdm was released with; it does not bound the versions of what it needs otherwise.
PDM = ["pdm[locked]>=2.26,<3"]

TARGETS = [
    Target(parse_platform(platform), parse_python(python))
    for platform in (
        "linux/amd64+glibc2.28",
        "linux/arm64+glibc2.36",
        "linux/arm64+musl",
        "windows/amd64",
        "macos/arm64",
    )
    for python in ("3.10", "3.12", "3.13")
]
CASES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [((), ()), (("net",), ()), (("images", "net"), ("dev", "docs"))]

OLD = """
[tool.poetry]
name = "real-app"
version = "0.1.0"
description = ""
authors = ["A <a@b.example>"]
[tool.poetry.dependencies]
python = ">=3.10,<3.14"
uvicorn = {version = "^0.30", extras = ["standard"]}
numpy = [{version = "~2.1", python = "<3.12"}, {version = "~2.2", python = ">=3.12"}]
pandas = "^2.2"
tzdata = {version = "*", platform = "win32"}
pillow = {version = "^11", optional = true}
requests = {version = "^2.31", extras = ["socks"], optional = true}
[tool.poetry.extras]
images = ["pillow"]
net = ["requests"]
[tool.poetry.group.dev.dependencies]
pytest = "^8"
[tool.poetry.group.docs]
optional = true
[tool.poetry.group.docs.dependencies]
markdown = {version = "*", markers = "python_version < '3.13'"}
"""

NEW = """
[project]
name = "real-app"
version = "0.1.0"
requires-python = ">=3.10,<3.14"
dependencies = [
  "uvicorn[standard]>=0.30,<0.31",
  "pandas>=2.2,<3",
  "tzdata; sys_platform == 'win32'",
  "tomli; python_version < '3.11'",
  NUMPY
]
[project.optional-dependencies]
images = ["pillow>=11,<12"]
net = ["requests[socks]>=2.31"]
[dependency-groups]
docs = ["markdown; python_version < '3.13'"]
dev = ["pytest>=8,<9", { include-group = "docs" }]
"""
FORKED = """"numpy~=2.1.0; python_version < '3.12'", "numpy~=2.2.0; python_version >= '3.12'","""


def run(folder: Path, tool: list[str], *arguments: str) -> str:
    extra = [word for name in tool[1:] for word in ("--with", name)]
    environment = {**os.environ, "PDM_CHECK_UPDATE": "0", "PDM_IGNORE_SAVED_PYTHON": "1"}
    for key in ("VIRTUAL_ENV", "PYTHONPATH"):
        environment.pop(key, None)
    program = "pdm" if tool is PDM else "poetry"
    done = subprocess.run(
        ["uv", "tool", "run", *extra, "--from", tool[0], program, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        env=environment,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def poetry_project(text: str) -> dict[str, Any]:
    """Add the configured index, as Poetry reads no other tool's configuration."""
    document = tomllib.loads(text)
    poetry = document.setdefault("tool", {}).setdefault("poetry", {})
    index = load_index_config().indexes()[0]
    poetry["source"] = [{"name": "configured", "url": index, "priority": "primary"}]
    poetry["package-mode"] = False
    return document


def locked(folder: Path, tool: list[str], document: dict[str, Any], *arguments: str) -> Path:
    (folder / "pyproject.toml").write_text(tomli_w.dumps(document))
    run(folder, tool, "lock", *arguments)
    return folder / ("pdm.lock" if tool is PDM else "poetry.lock")


def ours(lock: Lock, target: Target, extras: tuple[str, ...], groups: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    selection = select(lock, target, extras, groups)
    return {choice.package.name: (choice.package.version or "", choice.file.filename) for choice in selection.choices}


def exported(path: Path, text: str, files: dict[str, LockedFile], target: Target) -> dict[str, tuple[str, str]]:
    """Select from a tool's own requirements, with the files that the lock names."""
    path.write_text("".join(line for line in text.splitlines(keepends=True) if not line.startswith("--")))

    def candidates(package: Package) -> tuple[LockedFile, ...]:
        return tuple(files[digest] for digest in sorted(package.hashes))

    selection = select(read_lock(path), target, candidates=candidates)
    return {choice.package.name: (choice.package.version or "", choice.file.filename) for choice in selection.choices}


def files_of(lock: Lock) -> dict[str, LockedFile]:
    return {file.sha256: file for package in lock.packages for file in package.files}


@pytest.mark.parametrize(
    ("tool", "text"),
    [(POETRY_2, NEW.replace("NUMPY", FORKED)), (POETRY_2, OLD), (POETRY_1, OLD)],
    ids=["poetry 2, standard tables", "poetry 2, its own tables", "poetry 1"],
)
def test_poetry(tmp_path: Path, tool: list[str], text: str) -> None:
    document = poetry_project(text)
    path = locked(tmp_path, tool, document)
    lock = read_lock(path, pyproject=document)
    for extras, groups in CASES:
        flags = [word for extra in extras for word in ("--extras", extra)]
        flags += ["--with", ",".join(groups)] if groups else ["--only", "main"]
        export = run(tmp_path, tool, "export", "--format", "requirements.txt", *flags)
        for target in TARGETS:
            expected = exported(tmp_path / "requirements.txt", export, files_of(lock), target)
            assert ours(lock, target, extras, groups) == expected, (str(target), extras, groups)
            assert expected["numpy"][0].startswith("2.1." if target.python.version < (3, 12) else "2.2.")
            assert ("pysocks" in expected) == ("net" in extras)


def test_pdm(tmp_path: Path) -> None:
    document = tomllib.loads(NEW.replace("NUMPY", '"numpy<2.3",'))
    document["tool"] = {"pdm": {"distribution": False}}
    path = locked(tmp_path, PDM, document, "-G", ":all")
    flat = read_lock(path, pyproject=document)
    exports = {}
    for extras, groups in CASES:
        # All groups are in unless --prod leaves them out.
        flags = [word for extra in extras for word in ("-G", extra)] + ([] if groups else ["--prod"])
        exports[extras, groups] = run(tmp_path, PDM, "export", *flags)
    resolved = read_lock(locked(tmp_path, PDM, document, "-G", ":all", "-S", "no_inherit_metadata"), pyproject=document)
    static = read_lock(locked(tmp_path, PDM, document, "-G", ":all", "-S", "static_urls"), pyproject=document)

    assert all(file.url for package in static.packages for file in package.files)
    for target, (extras, groups) in itertools.product(TARGETS, CASES):
        expected = exported(tmp_path / "requirements.txt", exports[extras, groups], files_of(flat), target)
        assert ours(flat, target, extras, groups) == expected, (str(target), extras, groups)
        assert ours(static, target, extras, groups) == expected
        assert ours(resolved, target, extras, groups) == expected


def test_pdm_for_several_targets(tmp_path: Path) -> None:
    document = tomllib.loads(NEW.replace("NUMPY", ""))
    document["tool"] = {"pdm": {"distribution": False}}
    path = locked(tmp_path, PDM, document, "--platform", "linux", "--python", "==3.12.*")
    run(tmp_path, PDM, "lock", "--append", "--platform", "windows", "--python", "==3.10.*")
    lock = read_lock(path, pyproject=document)

    linux, windows = (
        {
            package.name
            for package in activate(lock, Target(parse_platform(name), parse_python(python)).environment).packages
        }
        for name, python in (("linux/amd64+glibc2.28", "3.12"), ("windows/amd64", "3.10"))
    )
    assert {"uvloop", "pandas"} <= linux
    assert {"colorama", "tomli", "pandas"} <= windows
    assert not {"colorama", "tomli"} & linux
    assert "uvloop" not in windows


PROJECTS: list[dict[str, Any]] = [
    {"project": {"name": "a", "version": "1", "requires-python": ">=3.10"}},
    {"project": {"name": "a", "version": "1", "requires-python": ">=3.10", "dependencies": []}},
    {
        "project": {
            "name": "a",
            "version": "1",
            "requires-python": ">=3.10",
            "dependencies": ["six ; python_version>'3'"],
        }
    },
    {
        "project": {
            "name": "a",
            "version": "1",
            "requires-python": ">=3.10",
            "optional-dependencies": {"X_y": ["six"]},
        },
        "dependency-groups": {"Dev": ["iniconfig"], "more": [{"include-group": "Dev"}], "e": []},
    },
    {
        "project": {
            "name": "a",
            "version": "1",
            "requires-python": ">=3.10",
            "description": "ünï",
            "dynamic": ["readme"],
            "dependencies": ["six"],
        },
        "dependency-groups": {},
    },
]


@pytest.mark.parametrize("number", range(len(PROJECTS)))
@pytest.mark.parametrize("tool", [POETRY_2, PDM], ids=["poetry", "pdm"])
def test_a_fresh_lock_is_never_called_stale_and_an_old_one_is(tmp_path: Path, tool: list[str], number: int) -> None:
    text = tomli_w.dumps(PROJECTS[number])
    document = poetry_project(text) if tool is POETRY_2 else tomllib.loads(text)
    if tool is PDM:
        document["tool"] = {"pdm": {"distribution": False, "dev-dependencies": {"old": ["iniconfig"]}}}
    path = locked(tmp_path, tool, document)

    assert read_lock(path, pyproject=document)
    document["project"].setdefault("dependencies", []).append("typing-extensions")
    with pytest.raises(StaleLockError):
        read_lock(path, pyproject=document)


@pytest.mark.parametrize("extra", ["", "[tool.poetry.dev-dependencies]\nsix = '*'\n"])
def test_poetry_1_is_told_too(tmp_path: Path, extra: str) -> None:
    head = "[tool.poetry]\nname = 'a'\nversion = '1'\ndescription = ''\nauthors = []\n"
    document = poetry_project(f"{head}[tool.poetry.dependencies]\npython = '>=3.10'\n{extra}")
    path = locked(tmp_path, POETRY_1, document)

    assert read_lock(path, pyproject=document).format == "poetry.lock"
    document["tool"]["poetry"]["group"] = {"new": {"dependencies": {"six": "*"}}}
    with pytest.raises(StaleLockError):
        read_lock(path, pyproject=document)
