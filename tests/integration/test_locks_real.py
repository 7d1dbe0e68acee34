"""Real locks made by uv: our answers equal those of ``packaging``, and all formats agree with each other."""

from __future__ import annotations

import subprocess
import tomllib
from functools import cache
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import PackageWheel, Pylock

from crossdock.errors import ConflictingPackagesError, StaleLockError
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
    with pytest.raises(ConflictingPackagesError, match="the extra idna-new and the extra idna-old"):
        select(read_lock(project / "uv.lock"), TARGETS[0], ("idna-old", "idna-new"))


def test_what_a_marker_leaves_out_is_told_with_the_marker(project: Path) -> None:
    selection = select(read_lock(project / "uv.lock"), TARGETS[0])

    skipped = {item.package.name: item.markers for item in selection.skipped}

    assert "colorama" in skipped
    assert any("win32" in marker for marker in skipped["colorama"])


# Whether a lock is older than its pyproject.toml.

HEAD = '[project]\nname = "App"\nversion = "0"\n'
START = HEAD + 'requires-python = ">=3.10"\n'
#: Projects that uv writes down in other words than they are written in.
FRESH = {
    "specifiers": START
    + 'dependencies = ["idna >= 3.0 , <4", "Six", "attrs>=22,!=22.2.0", "toolz~=1.0", "packaging==24.*", '
    '"zipp===3.20.0", "iniconfig>=2.0.0.0", "pluggy (>=1.0.post1,<99.dev0)"]\n',
    "nothing": START,
    "no requires-python": HEAD + 'dependencies = ["idna"]\n',
    "markers": START
    + """dependencies = [
  "idna; python_version < '3.9'", "six; python_version >= '3.8'",
  "attrs; sys_platform == 'win32' or (os_name == 'posix' and platform_machine != 'aarch64')",
  "toolz; platform_system == 'Linux' and sys_platform == 'win32'", "packaging; python_version in '3.8 3.11'",
  "zipp; implementation_name == 'pypy' or platform_python_implementation == 'CPython'",
  "iniconfig; python_full_version <= '3.11.4'", "pluggy; 'linux' in sys_platform",
  "certifi; platform_release >= '5.1'", "wheel; python_version == '3.11'",
  "tomli; python_version != '3.11' and python_version not in '3.12'", "mdurl; 'arm' not in platform_machine",
  "pycparser; sys_platform != 'win32' and sys_platform != 'darwin'", "idna; python_version > '3.11'",
]
""",
    "extras": START + 'dependencies = ["coverage[toml,Toml]"]\n[project.optional-dependencies]\n'
    'A_b = ["six; sys_platform == \'win32\'", "idna<4"]\nempty = []\nall = ["app[a-b]", "App[empty]"]\n'
    'both = ["six", "six; os_name == \'nt\'"]\n',
    "groups": START
    + '[dependency-groups]\nDev_x = ["six", "idna>3"]\nci = [{ include-group = "dev-x" }, "attrs"]\nnone = []\n'
    'more = [{ include-group = "ci" }, { include-group = "none" }]\n[tool.uv]\ndefault-groups = ["ci"]\n',
    "older groups": START + '[tool.uv]\ndev-dependencies = ["six"]\n[dependency-groups]\ndev = ["idna"]\n',
    "groups with Pythons": START
    + '[dependency-groups]\ndev = ["six"]\n[tool.uv.dependency-groups]\ndev = { requires-python = ">=3.12" }\n',
    "dynamic": '[project]\nname = "app"\nversion = "0"\ndynamic = ["dependencies", "optional-dependencies"]\n'
    'requires-python = ">=3.10"\n[build-system]\nrequires = ["setuptools"]\n'
    'build-backend = "setuptools.build_meta"\n[tool.setuptools]\npackages = []\n[tool.setuptools.dynamic]\n'
    'dependencies = { file = ["needs.txt"] }\noptional-dependencies = { x = { file = ["needs.txt"] } }\n',
    "environments": START + 'dependencies = ["six; sys_platform == \'win32\'", "idna"]\n[tool.uv]\n'
    "environments = [\"sys_platform == 'linux'\"]\n",
    "constraints": START
    + 'dependencies = ["idna"]\n[tool.uv]\nconstraint-dependencies = ["idna<4", "six>1; sys_platform == \'win32\'"]\n'
    'override-dependencies = ["six==1.16", "zipp; python_version < \'3\'"]\n',
    "repetitions": START
    + 'dependencies = ["six>=1", "six<2", "six>=1", "idna", "idna>3; python_version > \'3.11\'"]\n',
    "sources": START + 'dependencies = ["six>=1", "idna>=3", "attrs"]\n[project.optional-dependencies]\nx = ["toolz"]\n'
    '[tool.uv.sources]\nsix = [{ index = "i", marker = "sys_platform == \'linux\'" }]\n'
    'idna = [{ path = "lib/idna", marker = "sys_platform == \'linux\'" }]\ntoolz = { index = "i", extra = "x" }\n'
    '[[tool.uv.index]]\nname = "i"\nurl = "INDEX"\nexplicit = true\n',
    "capped Pythons": HEAD + 'requires-python = ">=3.10.2,<4.0,!=3.11.1"\ndependencies = ["idna"]\n',
    "compatible Pythons": HEAD + 'requires-python = "~=3.11.2"\ndependencies = ["idna"]\n',
    "one Python": HEAD + 'requires-python = "==3.11.*"\ndependencies = ["idna; python_version == \'3.12\'"]\n',
}


@pytest.fixture(scope="module")
def index(project: Path) -> str:
    packages = tomllib.loads((project / "uv.lock").read_text())["package"]
    return str(next(package["source"]["registry"] for package in packages if "registry" in package["source"]))


def lock_it(folder: Path, text: str) -> None:
    library = folder / "lib" / "idna"
    library.mkdir(parents=True, exist_ok=True)
    (library / "pyproject.toml").write_text('[project]\nname = "idna"\nversion = "3.7"\n')
    (folder / "needs.txt").write_text("six\n")
    (folder / "pyproject.toml").write_text(text)
    uv(folder, "lock", "--quiet")


@pytest.mark.parametrize("name", FRESH)
def test_a_fresh_lock_is_never_called_stale(tmp_path: Path, index: str, name: str) -> None:
    text = FRESH[name].replace("INDEX", index)
    lock_it(tmp_path, text)

    assert read_lock(tmp_path / "uv.lock", "app", pyproject=tomllib.loads(text)).project == "app"


BEFORE = """[project]
name = "app"
version = "0"
requires-python = ">=3.10"
dependencies = ["idna>=3", "six; sys_platform == 'win32'", "coverage[toml]"]
[project.optional-dependencies]
x = ["attrs"]
[dependency-groups]
dev = ["zipp", { include-group = "more" }]
more = ["toolz"]
[tool.uv]
constraint-dependencies = ["idna<4"]
"""


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("before")
    lock_it(folder, BEFORE)
    return folder / "uv.lock"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"idna>=3"', '"idna>=3", "toolz"', "toolz is not in the lock"),
        ('"idna>=3", ', "", "idna>=3 is in the lock only"),
        ("idna>=3", "idna>3", "idna>=3 became idna>3"),
        ("idna>=3", "idna>=3,<4", "idna>=3 became idna<4,>=3"),
        ("; sys_platform == 'win32'", "", "the marker of six changed"),
        ("'win32'", "'linux'", "the marker of six changed"),
        ('"idna>=3"', "\"idna>=3; python_version < '3.12'\"", "the marker of idna>=3 changed"),
        ("coverage[toml]", "coverage", "coverage is not in the lock"),
        ('["attrs"]', '["attrs", "six"]', "extra 'x': six is not in the lock"),
        ('x = ["attrs"]', 'y = ["attrs"]', "extra 'x': attrs is in the lock only; extra 'y': attrs is not in the lock"),
        ('x = ["attrs"]', 'x = ["attrs"]\nempty = []', "extra 'empty' is not in the lock"),
        ('"zipp", {', '"zipp", "six", {', "group 'dev': six is not in the lock"),
        ('["toolz"]', '["toolz<9"]', "group 'dev': toolz became toolz<9; group 'more': toolz became toolz<9"),
        (', { include-group = "more" }', "", "group 'dev': toolz is in the lock only"),
        ('more = ["toolz"]', 'more = ["toolz"]\nnew = ["six"]', "group 'new': six is not in the lock"),
        (">=3.10", ">=3.11", "requires-python was '>=3.10' and is '>=3.11'"),
        (">=3.10", ">=3.9", "requires-python was '>=3.10' and is '>=3.9'"),
        (">=3.10", ">=3.10,<3.14", "requires-python was"),
        ("idna<4", "idna<5", "constraints: idna<4 became idna<5"),
        (
            "[tool.uv]",
            '[tool.uv]\noverride-dependencies = ["six==1.16.0"]',
            "overrides: six==1.16.0 is not in the lock",
        ),
        ("[tool.uv]", '[tool.uv]\ndev-dependencies = ["attrs"]', "group 'dev': attrs is not in the lock"),
    ],
)
def test_every_kind_of_edit_is_told_and_uv_agrees(
    locked: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    assert old in BEFORE
    text = BEFORE.replace(old, new, 1)

    with pytest.raises(StaleLockError, match=r"is older than pyproject\.toml[\s\S]*run uv lock.*--frozen") as caught:
        read_lock(locked, "app", pyproject=tomllib.loads(text))

    assert message in str(caught.value)
    assert read_lock(locked, "app", pyproject=tomllib.loads(text), frozen=True).project == "app"
    (tmp_path / "pyproject.toml").write_text(text)
    (tmp_path / "uv.lock").write_bytes(locked.read_bytes())
    assert subprocess.run(["uv", "lock", "--check", "--quiet"], cwd=tmp_path, capture_output=True).returncode
    uv(tmp_path, "lock", "--quiet")
    assert read_lock(tmp_path / "uv.lock", "app", pyproject=tomllib.loads(text)).project == "app"


@pytest.mark.parametrize("old", ['version = "0"', "[tool.uv]", '"idna>=3", ', "idna>=3"])
def test_an_edit_that_changes_no_requirement_is_none(locked: Path, old: str) -> None:
    new = {'version = "0"': 'version = "1"', "[tool.uv]": "[tool.uv]\nmanaged = true", "idna>=3": "Idna  >=3.0.0"}
    text = BEFORE.replace(old, new.get(old, '"idna>=3", "idna>=3", '), 1)

    assert read_lock(locked, "app", pyproject=tomllib.loads(text)).project == "app"
