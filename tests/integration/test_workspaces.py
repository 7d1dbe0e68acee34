"""Workspaces, conflicts, forks and every kind of source, locked by the real uv: what is needed is what uv says."""

from __future__ import annotations

import subprocess
import tarfile
import threading
import tomllib
from functools import cache
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest
from packaging.pylock import Pylock

from crossdock.errors import ConflictingPackagesError, UnpinnedRequirementError
from crossdock.locks import activate, read_lock
from crossdock.projects.workspace import find_member, find_workspace
from crossdock.targets import Target, parse_platform, parse_python

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.locks import Lock

pytestmark = pytest.mark.network

TARGETS = [
    Target(parse_platform(platform), parse_python(python))
    for platform in ("linux/amd64", "linux/arm64+musl", "macos/arm64", "windows/amd64")
    for python in ("3.11", "3.13")
]

ROOT = """
[tool.uv.workspace]
members = ["packages/*"]
[dependency-groups]
lint = ["iniconfig"]
all = [{ include-group = "lint" }, "idna<3.7"]
[tool.uv]
constraint-dependencies = ["idna<4"]
override-dependencies = ["typing-extensions==4.12.2"]
"""
API = """
[project]
name = "Api_Server"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["core[fast]", "colorama; sys_platform == 'win32'", "certifi", "numpy"]
[project.optional-dependencies]
a = ["markupsafe==2.1.5"]
b = ["markupsafe==3.0.2"]
every = ["api-server[a]"]
[dependency-groups]
test = ["pytest"]
dev = [{ include-group = "test" }, "core[slow]"]
self = ["api-server[b]"]
[tool.uv]
conflicts = [[{ extra = "a" }, { extra = "b" }, { extra = "every" }, { package = "core", extra = "slow" },
    { group = "self" }]]
[tool.uv.sources]
core = { workspace = true }
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
CORE = """
[project]
name = "core"
version = "0.2"
requires-python = ">=3.11"
dependencies = ["attrs", "packaging<24; python_version < '3.12'", "packaging>=24; python_version >= '3.12'"]
[project.optional-dependencies]
fast = ["tomli"]
slow = ["markupsafe==2.0.1"]
[dependency-groups]
dev = ["typing-extensions"]
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""
VIRTUAL = """
[project]
name = "jobs"
version = "0.2"
requires-python = ">=3.11"
dependencies = ["attrs", "core[slow]", "markupsafe"]
[tool.uv.sources]
core = { workspace = true }
"""
#: The members conflict as wholes, and so do groups of one of them.
CONFLICTS = {
    "pyproject.toml": """
[tool.uv.workspace]
members = ["*"]
[tool.uv]
conflicts = [
  [{ package = "old" }, { package = "new" }],
  [{ package = "new" }, { package = "user" }],
  [{ package = "free", group = "g1" }, { package = "free", group = "g2" }],
]
""",
    "old/pyproject.toml": '[project]\nname = "old"\nversion = "0"\nrequires-python = ">=3.11"\n'
    'dependencies = ["idna==3.6"]\n',
    "new/pyproject.toml": '[project]\nname = "new"\nversion = "0"\nrequires-python = ">=3.11"\n'
    'dependencies = ["idna==3.7"]\n',
    "user/pyproject.toml": '[project]\nname = "user"\nversion = "0"\nrequires-python = ">=3.11"\n'
    'dependencies = ["old", "idna"]\n[tool.uv.sources]\nold = { workspace = true }\n',
    "free/pyproject.toml": '[project]\nname = "free"\nversion = "0"\nrequires-python = ">=3.11"\n'
    'dependencies = ["idna"]\n[dependency-groups]\ng1 = ["markupsafe==2.1.5"]\n'
    'g2 = ["markupsafe==3.0.2"]\ng3 = ["markupsafe"]\n',
}


def run(folder: Path, *command: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(
        tmp_path_factory.mktemp("workspace"),
        {
            "pyproject.toml": ROOT,
            "packages/api/pyproject.toml": API,
            "packages/api/src/api_server/__init__.py": "",
            "packages/core/pyproject.toml": CORE,
            "packages/core/src/core/__init__.py": "",
            "packages/jobs/pyproject.toml": VIRTUAL,
        },
    )
    run(folder, "uv", "lock")
    return folder


@pytest.fixture(scope="module")
def conflicts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write(tmp_path_factory.mktemp("conflicts"), CONFLICTS)
    run(folder, "uv", "lock")
    return folder


@cache
def exported(root: Path, *flags: str) -> Pylock:
    command = ["uv", "export", "--quiet", "--no-default-groups", "--no-emit-project", "--format", "pylock.toml", *flags]
    return Pylock.from_dict(tomllib.loads(run(root, *command)))


def by_uv(root: Path, target: Target, *flags: str) -> set[tuple[str, str]]:
    names: set[tuple[str, str]] = set()
    for package in exported(root, *flags).packages:
        environment = {**target.environment, "extras": frozenset(), "dependency_groups": frozenset()}
        if package.marker is None or package.marker.evaluate(environment, context="lock_file"):  # type: ignore[arg-type]
            names.add((package.name, "" if package.directory else str(package.version)))
    return names


def member(root: Path, name: str) -> Lock:
    folder = find_member(root, name)
    return read_lock(root / "uv.lock", name, pyproject=tomllib.loads((folder / "pyproject.toml").read_text()))


def needed(
    lock: Lock,
    target: Target,
    extras: tuple[str, ...] = (),
    groups: tuple[str, ...] = (),
    *,
    include_project: bool = True,
) -> set[tuple[str, str]]:
    activation = activate(lock, target.environment, extras, groups, include_project=include_project)
    packages = [package for package in activation.packages if package.source.kind != "virtual"]
    return {(p.name, "" if p.source.kind == "directory" else p.version or "") for p in packages}


CASES: list[tuple[str, tuple[str, ...], tuple[str, ...]]] = [
    ("api-server", (), ()),
    ("api-server", ("a",), ()),
    ("api-server", ("b",), ("test",)),
    ("api-server", ("every",), ()),
    ("api-server", (), ("dev",)),
    ("core", (), ()),
    ("core", ("fast",), ("dev",)),
    ("core", ("slow",), ()),
    ("jobs", (), ()),
    ("jobs", (), ("lint", "all")),
]


@pytest.mark.parametrize("target", TARGETS, ids=str)
@pytest.mark.parametrize(("name", "extras", "groups"), CASES, ids=str)
def test_each_member_needs_what_uv_exports_for_it(
    workspace: Path, target: Target, name: str, extras: tuple[str, ...], groups: tuple[str, ...]
) -> None:
    flags = ["--package", name]
    flags += [flag for extra in extras for flag in ("--extra", extra)]
    flags += [flag for group in groups for flag in ("--group", group)]

    assert needed(member(workspace, name), target, extras, groups) == by_uv(workspace, target, *flags)


@pytest.mark.parametrize("target", TARGETS[:4], ids=str)
@pytest.mark.parametrize("groups", [("test",), ("dev",), ("test", "lint")], ids=str)
def test_groups_alone_are_what_uv_calls_only_group(workspace: Path, target: Target, groups: tuple[str, ...]) -> None:
    flags = [flag for group in groups for flag in ("--only-group", group)]
    expected = by_uv(workspace, target, "--package", "api-server", *flags)

    assert needed(member(workspace, "api-server"), target, (), groups, include_project=False) == expected
    assert not any(name in {"certifi", "numpy"} for name, _ in expected)


@pytest.mark.parametrize("target", TARGETS[:4], ids=str)
@pytest.mark.parametrize(
    ("name", "groups"),
    [("old", ()), ("new", ()), ("user", ()), ("free", ()), ("free", ("g3",)), ("free", ("g1", "g3"))],
    ids=str,
)
def test_members_and_groups_that_conflict(conflicts: Path, target: Target, name: str, groups: tuple[str, ...]) -> None:
    flags = ["--package", name, *(flag for group in groups for flag in ("--group", group))]

    assert needed(member(conflicts, name), target, (), groups) == by_uv(conflicts, target, *flags)


def test_what_uv_refuses_as_conflicting_is_refused(workspace: Path, conflicts: Path) -> None:
    environment = TARGETS[0].environment
    with pytest.raises(ConflictingPackagesError):
        activate(member(workspace, "api-server"), environment, ["a", "b"], [])
    with pytest.raises(ConflictingPackagesError):  # core[slow] comes with the group only
        activate(member(workspace, "api-server"), environment, ["a"], ["dev"])
    with pytest.raises(ConflictingPackagesError):
        activate(member(conflicts, "free"), environment, [], ["g1", "g2"])


def test_another_member_is_a_folder_and_says_who_asks_for_it(workspace: Path) -> None:
    lock = member(workspace, "api-server")
    core = next(item for item in activate(lock, TARGETS[0].environment).active if item.package.name == "core")

    assert (core.package.source.kind, core.package.source.location) == ("directory", "packages/core")
    assert (core.package.source.editable, core.extras, core.because) == (True, ("fast",), (("", ""),))
    assert next(p for p in member(workspace, "core").packages if p.name == "jobs").source.kind == "virtual"


def test_a_workspace_without_a_project_is_taken_whole(workspace: Path) -> None:
    lock = read_lock(workspace / "uv.lock")
    for target in TARGETS:
        assert needed(lock, target, (), ("lint",)) == by_uv(workspace, target, "--all-packages", "--group", "lint") - {
            ("jobs", "")
        }


def test_members_are_found_as_uv_finds_them(workspace: Path) -> None:
    found = find_workspace(workspace / "packages" / "core")

    assert found is not None
    assert found.root == workspace.resolve()
    assert sorted(found.members) == tomllib.loads((workspace / "uv.lock").read_text())["manifest"]["members"]


# Sources.


def project(folder: Path, name: str) -> None:
    write(
        folder,
        {
            f"{name}/__init__.py": "",
            "pyproject.toml": f'[project]\nname = "{name}"\nversion = "0.1"\nrequires-python = ">=3.9"\n'
            '[build-system]\nrequires = ["hatchling"]\nbuild-backend = "hatchling.build"\n',
        },
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("served")

    class Quiet(SimpleHTTPRequestHandler):
        def __init__(self, *args: object) -> None:
            super().__init__(*args, directory=str(folder))  # type: ignore[arg-type]

        def log_message(self, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield folder, f"http://127.0.0.1:{http.server_address[1]}"
        http.shutdown()


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory, server: tuple[Path, str]) -> Path:
    folder, (served, url) = tmp_path_factory.mktemp("sources"), server
    for place, name in (("local", "localpkg"), ("ed", "edpkg"), ("repo", "gittop"), ("repo/sub", "gitsub")):
        project(folder / place, name)
    git = ("git", "-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    for command in (("init", "-q", "-b", "main"), ("add", "."), ("commit", "-qm", "x"), ("tag", "v1")):
        run(folder / "repo", *git, *command)
    project(folder / "archive" / "inner", "inner")
    with tarfile.open(served / "tree.tar.gz", "w:gz") as archive:
        archive.add(folder / "archive", "tree")
    for name in ("wheelpkg", "urlwheel", "sdistpkg", "urlsdist", "flatpkg"):
        project(folder / "made" / name, name)
    run(folder, "uv", "build", "-q", "--wheel", "-o", "wheels", "made/wheelpkg")
    run(folder, "uv", "build", "-q", "--wheel", "-o", "flat", "made/flatpkg")
    run(folder, "uv", "build", "-q", "--sdist", "-o", "wheels", "made/sdistpkg")
    run(folder, "uv", "build", "-q", "--wheel", "-o", str(served), "made/urlwheel")
    run(folder, "uv", "build", "-q", "--sdist", "-o", str(served), "made/urlsdist")
    (folder / "pyproject.toml").write_text(f"""
[project]
name = "sources"
version = "0.1"
requires-python = ">=3.11"
dependencies = ["localpkg", "edpkg", "gittop", "gitsub", "inner", "wheelpkg", "sdistpkg", "urlwheel", "urlsdist"]
[tool.uv.sources]
localpkg = {{ path = "local" }}
edpkg = {{ path = "ed", editable = true }}
gittop = {{ git = "file://{folder}/repo", rev = "main" }}
gitsub = {{ git = "file://{folder}/repo", tag = "v1", subdirectory = "sub" }}
inner = {{ url = "{url}/tree.tar.gz", subdirectory = "inner" }}
wheelpkg = {{ path = "wheels/wheelpkg-0.1-py3-none-any.whl" }}
sdistpkg = {{ path = "wheels/sdistpkg-0.1.tar.gz" }}
urlwheel = {{ url = "{url}/urlwheel-0.1-py3-none-any.whl" }}
urlsdist = {{ url = "{url}/urlsdist-0.1.tar.gz" }}
""")
    run(folder, "uv", "lock")
    run(folder, "uv", "export", "-q", "--format", "pylock.toml", "-o", "pylock.toml")
    return folder


@pytest.mark.parametrize("name", ["uv.lock", "pylock.toml"])
def test_every_kind_of_source(sources: Path, server: tuple[Path, str], name: str) -> None:
    lock = read_lock(sources / name, "sources", pyproject=tomllib.loads((sources / "pyproject.toml").read_text()))
    commit = run(sources / "repo", "git", "rev-parse", "HEAD").strip()
    packages = {package.name: package for package in lock.packages}
    found = {
        package.name: (package.source.kind, package.source.location, package.source.subdirectory)
        for package in lock.packages
    }

    assert found == {
        "edpkg": ("directory", "ed", ""),
        "gitsub": ("vcs", f"file://{sources}/repo", "sub"),
        "gittop": ("vcs", f"file://{sources}/repo", ""),
        "inner": ("url", f"{server[1]}/tree.tar.gz", "inner"),
        "localpkg": ("directory", "local", ""),
        "sdistpkg": ("path", "wheels/sdistpkg-0.1.tar.gz", ""),
        "urlsdist": ("url", f"{server[1]}/urlsdist-0.1.tar.gz", ""),
        "urlwheel": ("url", f"{server[1]}/urlwheel-0.1-py3-none-any.whl", ""),
        "wheelpkg": ("path", "wheels/wheelpkg-0.1-py3-none-any.whl", ""),
    }
    assert {packages[git].source.revision for git in ("gittop", "gitsub")} == {commit}
    assert packages["edpkg"].source.editable
    assert not packages["localpkg"].source.editable
    files = {package.name: [file.filename for file in package.files] for package in lock.packages if package.files}
    assert files == {
        "inner": ["tree.tar.gz"],
        "sdistpkg": ["sdistpkg-0.1.tar.gz"],
        "urlsdist": ["urlsdist-0.1.tar.gz"],
        "urlwheel": ["urlwheel-0.1-py3-none-any.whl"],
        "wheelpkg": ["wheelpkg-0.1-py3-none-any.whl"],
    }
    assert needed(lock, TARGETS[0]) == by_uv(sources, TARGETS[0])


def test_a_folder_of_wheels_as_index_has_no_hashes_and_the_hint_works(sources: Path, tmp_path: Path) -> None:
    (tmp_path / "flat").symlink_to(sources / "flat")
    text = '[project]\nname = "app"\nversion = "0"\nrequires-python = ">=3.11"\ndependencies = ["flatpkg"]\n'
    index = '[[tool.uv.index]]\nname = "flat"\nurl = "flat"\nformat = "flat"\n'
    (tmp_path / "pyproject.toml").write_text(text + index)
    run(tmp_path, "uv", "lock")
    with pytest.raises(UnpinnedRequirementError, match=r"flatpkg-0\.1-py3-none-any\.whl' has no hash") as caught:
        read_lock(tmp_path / "uv.lock", "app")

    advice = caught.value.hint.partition("[tool.uv.sources] ")[2].partition(";")[0].replace("NAME", "flatpkg")
    (tmp_path / "pyproject.toml").write_text(f"{text}[tool.uv.sources]\n{advice}\n")
    run(tmp_path, "uv", "lock")
    (package,) = read_lock(tmp_path / "uv.lock", "app").packages
    assert package.files[0].path == "flat/flatpkg-0.1-py3-none-any.whl"
