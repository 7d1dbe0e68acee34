"""Real locks made by uv: our answers equal those of ``packaging``, and all formats agree with each other."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import PackageWheel, Pylock

from crossdock.errors import ConflictingPackagesError
from crossdock.locks import LockedFile, Package, read_lock, select
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.network

PROJECT = """
[project]
name = "real-app"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [
  "fastapi", "uvicorn[standard]", "pydantic", "numpy", "pandas", "cryptography",
  "colorama; sys_platform == 'win32'", "tomli; python_version < '3.13'",
]
[project.optional-dependencies]
images = ["pillow"]
idna-old = ["idna==3.6"]
idna-new = ["idna==3.7"]
[dependency-groups]
test = ["pytest"]
dev = ["iniconfig", { include-group = "test" }]
[tool.uv]
conflicts = [[{ extra = "idna-old" }, { extra = "idna-new" }]]
"""

TARGETS = [
    Target(parse_platform(platform), parse_python(python))
    for platform in (
        "linux/amd64+glibc2.28",
        "linux/arm64+glibc2.28",
        "linux/amd64+glibc2.36",
        "linux/amd64+musl",
        "linux/arm64+musl",
    )
    for python in ("3.11", "3.13")
]

Answer = dict[str, tuple[str | None, str]]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("real-app")
    (folder / "pyproject.toml").write_text(PROJECT)
    uv(folder, "lock")
    return folder


def uv(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["uv", *arguments], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@cache
def export(folder: Path, name: str, *arguments: str) -> Path:
    form = "pylock.toml" if name.endswith(".toml") else "requirements.txt"
    path = folder / name
    path.write_text(uv(folder, "export", "--quiet", "--no-emit-project", "--format", form, *arguments))
    return path


def by_packaging(path: Path, target: Target) -> Answer:
    lock = Pylock.from_dict(tomllib.loads(path.read_text()))
    chosen: Answer = {}
    for package, file in lock.select(environment=target.environment, tags=target.tags):  # type: ignore[arg-type]
        assert isinstance(file, PackageWheel), f"{package.name} has no wheel for {target}"
        chosen[package.name] = (str(package.version), file.filename)
    return chosen


def ours(
    path: Path,
    target: Target,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] | None = None,
    candidates: Callable[[Package], tuple[LockedFile, ...]] | None = None,
) -> Answer:
    lock = read_lock(path)
    selection = select(lock, target, extras, groups, candidates=candidates)
    return {c.package.name: (c.package.version, c.file.filename) for c in selection.choices}


CASES: list[tuple[tuple[str, ...], tuple[str, ...]]] = [
    ((), ()),
    (("images", "idna-old"), ()),
    (("idna-new",), ("test",)),
    ((), ("dev",)),
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize(("extras", "groups"), CASES, ids=str)
def test_all_formats_give_what_packaging_gives(
    project: Path, target: Target, extras: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    flags = ["--no-default-groups"]
    for extra in extras:
        flags += ["--extra", extra]
    for group in groups:
        flags += ["--group", group]
    stem = "-".join([*extras, *groups]) or "plain"
    (project / stem).mkdir(exist_ok=True)
    pylock = export(project, f"pylock.{stem}.toml", *flags)
    requirements = export(project, f"{stem}.txt", *flags)
    files = {file.sha256: file for package in read_lock(project / "uv.lock").packages for file in package.files}

    expected = by_packaging(pylock, target)

    assert "numpy" in expected
    assert "colorama" not in expected
    assert ("tomli" in expected) == (target.python.version < (3, 13))
    assert ours(pylock, target) == expected
    assert ours(project / "uv.lock", target, extras, groups) == expected
    assert (
        ours(requirements, target, candidates=lambda package: tuple(files[h] for h in sorted(package.hashes)))
        == expected
    )


def test_conflicting_extras_are_an_error_that_names_both(project: Path) -> None:
    with pytest.raises(ConflictingPackagesError, match=r"idna is needed twice .*3\.6.*3\.7"):
        select(read_lock(project / "uv.lock"), TARGETS[0], ("idna-old", "idna-new"))


def test_what_a_marker_leaves_out_is_told_with_the_marker(project: Path) -> None:
    selection = select(read_lock(project / "uv.lock"), TARGETS[0])

    skipped = {item.package.name: item.markers for item in selection.skipped}

    assert "colorama" in skipped
    assert any("win32" in marker for marker in skipped["colorama"])
