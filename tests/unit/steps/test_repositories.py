"""Bundles of repositories: made once, found again without the repository, and taken from a set before all else."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from crossdock.choosing.request import Request
from crossdock.choosing.survey import ProjectLock, load_lock, survey_targets
from crossdock.errors import FetchedFilesError, OfflineError
from crossdock.locks import Selection, complete
from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.steps.fetched import FetchedFile, open_fetched, write_fetched
from crossdock.steps.repositories import fetch_repositories, find_bundle, given_bundle
from crossdock.store import Store
from crossdock.targets import Target
from crossdock.targets.platform import parse_platform
from crossdock.targets.python import parse_python

if TYPE_CHECKING:
    from pathlib import Path

TARGETS = [Target(parse_platform(name), parse_python("3.12")) for name in ("linux/amd64", "linux/arm64")]
LOCK = """\
version = 1
requires-python = ">=3.11"

[[package]]
name = "app"
version = "1"
source = {{ virtual = "." }}
dependencies = [{{ name = "one" }}, {{ name = "two" }}]

[[package]]
name = "one"
version = "1"
source = {{ git = "{location}?subdirectory=one#{commit}" }}

[[package]]
name = "two"
version = "1"
source = {{ git = "{location}?subdirectory=two#{commit}" }}
"""


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    (root / "a.py").write_text("a")
    git(root, "init", "--quiet")
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "one")
    return root


@pytest.fixture
def commit(repository: Path) -> str:
    return git(repository, "rev-parse", "HEAD")


@pytest.fixture
def locked(tmp_path: Path, repository: Path, commit: str) -> tuple[ProjectLock, list[Selection]]:
    """A project with two packages in one repository, and what is selected of it for two targets."""
    project = tmp_path / "project"
    project.mkdir()
    text = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.11"\ndependencies = ["one", "two"]\n'
    (project / "pyproject.toml").write_text(text)
    (project / "uv.lock").write_text(LOCK.format(location=repository.as_uri(), commit=commit))
    project_lock = load_lock(load_project(project), Request())
    surveys = survey_targets(project_lock, TARGETS, Services(store=Store(tmp_path / "unused")))
    return project_lock, [complete(found) for found in surveys]


@pytest.fixture
def services(tmp_path: Path) -> Services:
    return Services(store=Store(tmp_path / "store"))


def heads(path: Path) -> str:
    return git(path.parent, "bundle", "list-heads", str(path))


def test_packages_and_targets_share_one_bundle(
    locked: tuple[ProjectLock, list[Selection]], commit: str, services: Services
) -> None:
    (made,) = (bundles := fetch_repositories(*locked, services))
    assert made == commit
    assert heads(services.store.path(bundles[commit])) == f"{commit} HEAD"


def test_what_was_fetched_needs_the_repository_no_more(
    locked: tuple[ProjectLock, list[Selection]], repository: Path, commit: str, services: Services
) -> None:
    assert find_bundle(commit, services) is None
    bundles = fetch_repositories(*locked, services)
    repository.rename(repository.with_name("gone"))
    offline = replace(services, offline=True)
    assert fetch_repositories(*locked, offline) == bundles
    assert find_bundle(commit, offline) == services.store.path(bundles[commit])
    services.store.discard(bundles[commit])
    with pytest.raises(OfflineError, match="would have to be cloned"):
        fetch_repositories(*locked, offline)


def test_a_set_gives_its_bundle_and_is_not_remembered(
    locked: tuple[ProjectLock, list[Selection]], commit: str, services: Services, tmp_path: Path
) -> None:
    """Its tags are those of whoever made the set, so a build without the set must not come by them."""
    bundles = fetch_repositories(*locked, services)
    sha256 = bundles[commit]
    file = FetchedFile(name=f"{commit}.bundle", sha256=sha256, size=services.store.size(sha256))
    write_fetched(tmp_path / "set", [file], [], services.store, repositories=bundles)
    other = Services(store=Store(tmp_path / "other"), offline=True, fetched=open_fetched(tmp_path / "set"))
    assert given_bundle(commit, other) == sha256
    assert given_bundle("0" * 40, other) is None
    assert fetch_repositories(*locked, other) == bundles
    assert find_bundle(commit, other) == other.store.path(sha256)
    alone = replace(other, fetched=None)
    assert (given_bundle(commit, alone), find_bundle(commit, alone)) == (None, None)


def test_a_set_without_the_file_it_lists_is_damaged(
    locked: tuple[ProjectLock, list[Selection]], commit: str, services: Services, tmp_path: Path
) -> None:
    bundles = fetch_repositories(*locked, services)
    file = FetchedFile(name=f"{commit}.bundle", sha256=bundles[commit], size=services.store.size(bundles[commit]))
    write_fetched(tmp_path / "set", [file], [], services.store, repositories=bundles)
    (tmp_path / "set" / file.path).unlink()
    other = Services(store=Store(tmp_path / "other"), fetched=open_fetched(tmp_path / "set"))
    with pytest.raises(FetchedFilesError, match="damaged"):
        find_bundle(commit, other)
