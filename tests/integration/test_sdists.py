"""Packages that exist only as source: built once with real backends from the index, and proved to be pure."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from crossdock.choosing.request import Request
from crossdock.choosing.survey import load_lock, survey_targets
from crossdock.errors import (
    BackendFailedError,
    BuildRequirementsError,
    ImpureSourceError,
    LockfileError,
    OfflineError,
)
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.lockfile.file import read_lockfile
from crossdock.locks import complete
from crossdock.plan import Plan, TargetPlan
from crossdock.projects.project import load_project
from crossdock.sdists.network import without_network
from crossdock.services import Services
from crossdock.steps.built import lock_builds, with_built_sources
from crossdock.steps.fetching import fetch_files
from crossdock.store.blobs import Store
from crossdock.targets import Target
from crossdock.targets.platform import parse_platform
from crossdock.targets.python import parse_python
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

pytestmark = pytest.mark.network

TARGETS = [
    Target(parse_platform(name), parse_python("3.12")) for name in ("linux/amd64", "linux/arm64", "windows/amd64")
]
HATCHLING = '[build-system]\nrequires = ["hatchling>=1.27"]\nbuild-backend = "hatchling.build"\n'
SETUPTOOLS = '[build-system]\nrequires = ["setuptools>=61"]\nbuild-backend = "setuptools.build_meta"\n'


def write(root: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def library(name: str, system: str = HATCHLING, more: str = "") -> dict[str, str]:
    """Give the files of a small package."""
    text = f'{system}\n[project]\nname = "{name}"\nversion = "2.0"\nrequires-python = ">=3.8"\n{more}'
    return {"pyproject.toml": text, f"src/{name}/__init__.py": f"NAME = {name!r}\n"}


def sdist(folder: Path, name: str, files: Mapping[str, str]) -> Path:
    """Write a source distribution of version 2.0."""
    tree = write(folder / "tree" / f"{name}-2.0", files)
    path = folder / f"{name}-2.0.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(tree, tree.name)
    return path


def git(root: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    subprocess.run(["git", "-C", str(root), *identity, *arguments], check=True, capture_output=True)


def uv_lock(root: Path, dependencies: list[str], sources: str) -> None:
    listed = ", ".join(f'"{item}"' for item in dependencies)
    text = f'[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = [{listed}]\n{sources}'
    write(root, {"pyproject.toml": text})
    environ = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run([sys.executable, "-m", "uv", "lock", "--quiet"], cwd=root, env=environ, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()


def plan_of(root: Path, services: Services, targets: list[Target] = TARGETS) -> Plan:
    """Plan a project's packages; what an image's base would be is left empty."""
    project = load_project(root)
    project_lock = load_lock(project, Request())
    facts = BaseFacts(
        libc="glibc",
        libc_version=(2, 36),
        python_version="3.12.0",
        python_path="/usr/bin/python3.12",
        user="1:1",
        home="/",
    )
    parts = [
        TargetPlan(
            target=found.target,
            base=LockedDebianBase(name="debian:bookworm", architecture="amd64", requested=(), packages=()),
            facts=facts,
            selection=complete(found),
        )
        for found in survey_targets(project_lock, targets, services)
    ]
    return Plan(base="debian:bookworm", project_lock=project_lock, targets=tuple(parts))


def build(root: Path, services: Services, *, locked: bool = False) -> Plan:
    plan = plan_of(root, services)
    fetch_files(plan, services)
    return with_built_sources(plan, services, locked=locked)


def wheels(plan: Plan) -> list[dict[str, str]]:
    """Give file name and hash of each package, once for each target."""
    return [{item.file.filename: item.file.sha256 for item in part.selection.choices} for part in plan.targets]


@dataclass(frozen=True)
class Built:
    root: Path
    store: Store
    plan: Plan


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A project with a package of each kind of source, built once."""
    top = tmp_path_factory.mktemp("sources")
    root, repository = top / "app", write(top / "repository", {f"deep/{k}": v for k, v in library("ofgit").items()})
    git(repository, "init", "--quiet")
    git(repository, "add", "--all")
    git(repository, "commit", "--quiet", "--message", "one")
    write(root / "member", library("member", SETUPTOOLS))
    sdist(root / "files", "ofpath", library("ofpath"))
    uv_lock(
        root,
        ["docopt==0.6.2", "ofgit", "member", "ofpath"],
        "[tool.uv.sources]\n"
        f'ofgit = {{ git = "{repository.as_uri()}", subdirectory = "deep" }}\n'
        "member = { workspace = true }\n"
        'ofpath = { path = "files/ofpath-2.0.tar.gz" }\n'
        '[tool.uv.workspace]\nmembers = ["member"]\n',
    )
    store = Store(top / "store")
    return Built(root, store, build(root, Services(store=store)))


def test_each_kind_of_source_becomes_one_wheel_for_all_targets(built: Built) -> None:
    first, *others = wheels(built.plan)
    assert sorted(first) == [
        "docopt-0.6.2-py2.py3-none-any.whl",
        "member-2.0-py3-none-any.whl",
        "ofgit-2.0-py3-none-any.whl",
        "ofpath-2.0-py3-none-any.whl",
    ]
    assert all(other == first for other in others)
    choices = built.plan.targets[0].selection.choices
    assert {choice.package.name: (choice.package.version, choice.reason, str(choice.tag)) for choice in choices} == {
        "docopt": ("0.6.2", "built from its source distribution: py3-none-any", "py3-none-any"),
        "member": ("2.0", "built from a folder: py3-none-any", "py3-none-any"),
        "ofgit": ("2.0", "built from a repository: py3-none-any", "py3-none-any"),
        "ofpath": ("2.0", "built from its source distribution: py3-none-any", "py3-none-any"),
    }
    assert all(not part.selection.builds for part in built.plan.targets)


def test_the_wheels_hold_the_sources(built: Built) -> None:
    for filename, sha256 in wheels(built.plan)[0].items():
        with WheelArchive(built.store.path(sha256), filename) as archive:
            name = filename.split("-")[0]
            texts = {member.name: archive.read(member).decode() for member in archive.members}
            if name != "docopt":
                assert texts[f"{name}/__init__.py"] == f"NAME = {name!r}\n"
            assert {member.method for member in archive.members} == {0}


def test_what_they_were_built_with_is_recorded_by_hash_and_without_a_host(built: Built) -> None:
    text = (built.root / "crossdock.lock").read_text()
    lock = read_lockfile(built.root / "crossdock.lock")
    assert [(build.name, build.version) for build in lock.builds] == [
        ("docopt", "0.6.2"),
        ("member", None),
        ("ofgit", "2.0"),
        ("ofpath", "2.0"),
    ]
    used = {build.name: [item.name for item in build.uses] for build in lock.builds}
    assert used["docopt"] == used["member"] == ["setuptools"]
    assert {"hatchling", "pathspec", "packaging"} <= set(used["ofgit"])
    assert used["ofgit"] == used["ofpath"]
    assert "://" not in text


def test_offline_and_from_downloads_alone_the_same_wheels_are_built(built: Built, tmp_path: Path) -> None:
    """As on a new machine that has the recorded files and nothing else."""
    store = Store(tmp_path / "store")
    for sha256 in {path.name for path in (built.store.root / "blobs").glob("*/*/*")} - built_hashes(built):
        store.add_bytes(built.store.read_bytes(sha256), expected=sha256)
    before = (built.root / "crossdock.lock").read_bytes()
    services = Services(store=store, offline=True)
    assert wheels(build(built.root, services, locked=True)) == wheels(built.plan)
    assert (built.root / "crossdock.lock").read_bytes() == before


def built_hashes(built: Built) -> set[str]:
    return set(wheels(built.plan)[0].values())


def test_a_second_time_nothing_is_built(built: Built, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    services = Services(store=built.store, offline=True)
    plan = plan_of(built.root, services)
    assert wheels(with_built_sources(plan, services, locked=True)) == wheels(built.plan)


def test_a_change_in_a_folder_builds_that_folder_again(built: Built, tmp_path: Path) -> None:
    root = tmp_path / "app"
    shutil.copytree(built.root, root)
    write(root, {"member/src/member/more.py": "x = 1\n"})
    services = Services(store=built.store, offline=True)
    before, after = wheels(built.plan)[0], wheels(build(root, services, locked=True))[0]
    assert {name for name in before if before[name] != after[name]} == {"member-2.0-py3-none-any.whl"}


def folder_project(root: Path, files: Mapping[str, str]) -> Path:
    """Lock a project that needs the package in its folder ``lib``."""
    write(root / "lib", files)
    uv_lock(root, ["lib"], '[tool.uv.sources]\nlib = { path = "lib" }\n')
    return root


def test_without_a_record_locked_and_offline_builds_stop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_project(tmp_path / "app", library("lib"))
    with pytest.raises(LockfileError, match="does not cover what the build of lib requires") as caught:
        build(root, Services(store=Store(tmp_path / "store")), locked=True)
    assert "without --locked" in caught.value.hint
    for name in ("PIP_FIND_LINKS", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    with pytest.raises(OfflineError, match="is not recorded in"):
        build(root, Services(store=Store(tmp_path / "store"), offline=True))
    assert not (root / "crossdock.lock").exists()


def test_what_pyproject_asks_for_anew_is_resolved_anew(tmp_path: Path) -> None:
    root, services = folder_project(tmp_path / "app", library("lib")), Services(store=Store(tmp_path / "store"))
    plan = plan_of(root, services)
    files = lock_builds(plan.project_lock, [part.selection for part in plan.targets], services)
    assert any(name.startswith("hatchling-") for name in files.values())
    assert all(services.store.find(sha256) for sha256 in files)
    (before,) = read_lockfile(root / "crossdock.lock").builds
    build(root, services, locked=True)
    newer = HATCHLING.replace("hatchling>=1.27", "hatchling==1.27.0")
    write(root / "lib", library("lib", newer))
    with pytest.raises(LockfileError):
        build(root, services, locked=True)
    build(root, services)
    (after,) = read_lockfile(root / "crossdock.lock").builds
    assert after.requires == ("hatchling==1.27.0",)
    versions = [{item.name: item.version for item in record.uses} for record in (before, after)]
    assert versions[0]["hatchling"] != versions[1]["hatchling"] == "1.27.0"
    assert versions[0]["pathspec"] == versions[1]["pathspec"]


def test_nobody_may_replace_a_wheel_that_was_locked(tmp_path: Path) -> None:
    root, services = folder_project(tmp_path / "app", library("lib")), Services(store=Store(tmp_path / "store"))
    build(root, services)
    path = root / "crossdock.lock"
    (used,) = (item for item in read_lockfile(path).builds[0].uses if item.name == "hatchling")
    changed = path.read_text()
    for sha256 in used.sha256s:
        changed = changed.replace(sha256, sha256[::-1])
    path.write_text(changed)
    with pytest.raises(BuildRequirementsError, match=f"The wheels of {used}, .* are not those that were locked"):
        build(root, Services(store=Store(tmp_path / "other")))
    assert path.read_text() == changed


def test_where_pip_installs_for_its_user_makes_no_difference(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = folder_project(tmp_path / "app", library("lib"))
    (tmp_path / "pip.conf").write_text("[install]\nrequire-hashes = true\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    monkeypatch.setenv("PIP_USER", "1")
    assert wheels(build(root, Services(store=Store(tmp_path / "store"))))


EXTENSION = (
    'from setuptools import Extension, setup\nsetup(ext_modules=[Extension("lib._x", ["x.c"], optional={optional})])\n'
)


def test_a_package_that_compiles_is_refused(tmp_path: Path) -> None:
    files = {**library("lib", SETUPTOOLS), "setup.py": EXTENSION.format(optional=True), "x.c": "not C"}
    root = folder_project(tmp_path / "app", files)
    services = Services(store=Store(tmp_path / "store"))
    with pytest.raises(ImpureSourceError, match="lib is not pure Python") as caught:
        build(root, services)
    assert "which is for this machine only" in caught.value.why
    assert "[tool.crossdock.packages.lib]" in caught.value.hint
    assert not (root / "crossdock.lock").exists()


def test_a_compiler_error_is_told_in_its_own_words(tmp_path: Path) -> None:
    files = {**library("lib", SETUPTOOLS), "setup.py": EXTENSION.format(optional=False), "x.c": "not C"}
    with pytest.raises(BackendFailedError, match="The build backend of lib failed") as caught:
        build(folder_project(tmp_path / "app", files), Services(store=Store(tmp_path / "store")))
    assert "x.c" in caught.value.why


def test_a_backend_reaches_no_network(tmp_path: Path) -> None:
    assert without_network(), "this machine lets nobody make network namespaces, so this cannot be seen here"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.1)
        call = f"import socket\nsocket.create_connection({server.getsockname()!r}, 5)\n"
        files = {**library("lib", SETUPTOOLS), "setup.py": f"{call}import setuptools\nsetuptools.setup()\n"}
        with pytest.raises(BackendFailedError, match="The build backend of lib failed") as caught:
            build(folder_project(tmp_path / "app", files), Services(store=Store(tmp_path / "store")))
        with pytest.raises(TimeoutError):
            server.accept()
    assert "unreachable" in caught.value.why


def test_a_program_among_the_data_is_refused(tmp_path: Path) -> None:
    root = folder_project(tmp_path / "app", library("lib"))
    shutil.copyfile(os.path.realpath(sys.executable), root / "lib" / "src" / "lib" / "data.txt")
    with pytest.raises(ImpureSourceError) as caught:
        build(root, Services(store=Store(tmp_path / "store")))
    assert "lib/data.txt" in caught.value.why


def test_another_version_than_the_locked_one_is_refused(tmp_path: Path) -> None:
    root = tmp_path / "app"
    path = sdist(root / "files", "lib", library("lib"))
    uv_lock(root, ["lib"], f'[tool.uv.sources]\nlib = {{ path = "{path.relative_to(root)}" }}\n')
    services = Services(store=Store(tmp_path / "store"))
    plan = plan_of(root, services)
    fetch_files(plan, services)
    (choice,) = plan.targets[0].selection.builds
    wrong = replace(choice, package=replace(choice.package, version="3.0"))
    part = plan.targets[0]
    with pytest.raises(BackendFailedError, match=r"The build backend of lib 3\.0 built lib-2\.0") as caught:
        with_built_sources(
            replace(plan, targets=(replace(part, selection=replace(part.selection, builds=(wrong,))),)), services
        )
    assert "another version" in caught.value.why


def test_a_requirement_that_nobody_has_is_an_error(tmp_path: Path) -> None:
    system = HATCHLING.replace("hatchling>=1.27", "hatchling>=9999")
    root = folder_project(tmp_path / "app", library("lib"))
    write(root / "lib", library("lib", system))
    with pytest.raises(BuildRequirementsError, match="hatchling>=9999") as caught:
        build(root, Services(store=Store(tmp_path / "store")))
    assert "No matching distribution" in caught.value.why
