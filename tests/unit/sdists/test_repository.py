"""Repositories: exactly the locked commit, and nothing of the repository's runs. These are real ones, made by git."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import OfflineError, RepositoryError
from crossdock.sdists.repository import check_out

if TYPE_CHECKING:
    from pathlib import Path


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com", "-c", "protocol.file.allow=always")
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def commit(root: Path, files: dict[str, str]) -> str:
    """Make a commit of some files, and the repository if need be; gives the commit."""
    root.mkdir(exist_ok=True)
    if not (root / ".git").exists():
        git(root, "init", "--quiet", "--initial-branch", "main")
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", "change")
    return git(root, "rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    return tmp_path / "repository"


def names(root: Path) -> set[str]:
    return {path.relative_to(root).as_posix() for path in root.rglob("*") if ".git" not in path.parts}


@pytest.mark.parametrize("form", ["{}", "file://{}", "repository", "git+file://{}"])
def test_the_commit_is_checked_out_with_history_and_tags(form: str, repository: Path, tmp_path: Path) -> None:
    first = commit(repository, {"a.py": "one"})
    git(repository, "tag", "v1")
    commit(repository, {"a.py": "two", "b.py": "new"})
    root = check_out(form.format(repository), first, tmp_path / "copy", base=tmp_path, offline=True)
    assert (names(root), (root / "a.py").read_text()) == ({"a.py"}, "one")
    assert git(root, "describe", "--tags", "--exact-match") == "v1"
    assert git(root, "status", "--porcelain") == ""
    assert git(root, "remote") == ""


def test_a_commit_that_no_branch_has_any_more_is_fetched_by_name(repository: Path, tmp_path: Path) -> None:
    commit(repository, {"a.py": "one"})
    lost = commit(repository, {"a.py": "two"})
    git(repository, "reset", "--quiet", "--hard", "HEAD~1")
    git(repository, "config", "uploadpack.allowAnySHA1InWant", "true")
    assert (check_out(str(repository), lost, tmp_path / "copy", base=tmp_path) / "a.py").read_text() == "two"


def test_a_commit_that_is_gone_is_an_error(repository: Path, tmp_path: Path) -> None:
    commit(repository, {"a.py": "one"})
    with pytest.raises(RepositoryError, match="cannot be read at the locked commit") as caught:
        check_out(repository.as_uri(), "0" * 40, tmp_path / "copy", base=tmp_path)
    assert caught.value.why


def test_a_repository_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="cannot be read") as caught:
        check_out("nowhere", "0" * 40, tmp_path / "copy", base=tmp_path)
    assert "nowhere" in caught.value.why


@pytest.mark.parametrize("revision", ["", "main", "abc1234", "0" * 39 + "g", "--upload-pack=touch x"])
def test_only_a_full_commit_will_do(revision: str, repository: Path, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="names no full commit"):
        check_out(str(repository), revision, tmp_path / "copy", base=tmp_path)


@pytest.mark.parametrize(
    "location",
    ["ext::sh -c id", "http://git.example/a.git", "git://git.example/a", "ftp://git.example/a", "fd::3", "s3://b/a"],
)
def test_other_protocols_are_refused(location: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError):
        check_out(location, "0" * 40, tmp_path / "copy", base=tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("location", ["https://user:secret@127.0.0.1:9/a.git", "https://secret@127.0.0.1:9/a.git"])
def test_credentials_are_not_shown(location: str, tmp_path: Path) -> None:
    with pytest.raises(RepositoryError) as caught:
        check_out(location, "0" * 40, tmp_path / "copy", base=tmp_path)
    assert "secret" not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)


@pytest.mark.parametrize("location", ["https://git.example/a.git", "git@git.example:a/b.git", "ssh://git.example/a"])
def test_offline_nothing_is_asked(location: str, tmp_path: Path) -> None:
    with pytest.raises(OfflineError, match="would have to be cloned"):
        check_out(location, "0" * 40, tmp_path / "copy", base=tmp_path, offline=True)


def test_no_hook_or_filter_of_anybody_runs(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ran, home = tmp_path / "ran", tmp_path / "home"
    (home / "hooks").mkdir(parents=True)
    hook = home / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {ran}\n")
    hook.chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n hooksPath = {home}/hooks\n autocrlf = true\n")
    first = commit(repository, {"a.py": "one\ntwo\n"})
    monkeypatch.setenv("HOME", str(home))
    root = check_out(str(repository), first, tmp_path / "copy", base=tmp_path)
    assert (root / "a.py").read_bytes() == b"one\ntwo\n"
    assert not ran.exists()


def test_submodules_are_refused(repository: Path, tmp_path: Path) -> None:
    commit(tmp_path / "other", {"b.py": "other"})
    commit(repository, {"a.py": "one"})
    git(repository, "submodule", "--quiet", "add", str(tmp_path / "other"), "vendored")
    with pytest.raises(RepositoryError, match="has submodules") as caught:
        check_out(str(repository), commit(repository, {}), tmp_path / "copy", base=tmp_path)
    assert "wheel" in caught.value.hint


@pytest.mark.skipif(sys.platform == "win32", reason="links of POSIX")
def test_a_link_that_leads_out_is_refused(repository: Path, tmp_path: Path) -> None:
    commit(repository, {"a.py": "one"})
    (repository / "fine.py").symlink_to("a.py")
    fine = commit(repository, {})
    assert (check_out(str(repository), fine, tmp_path / "fine", base=tmp_path) / "fine.py").read_text() == "one"
    (repository / "evil.txt").symlink_to("/etc/passwd")
    with pytest.raises(RepositoryError, match="leads out of it"):
        check_out(str(repository), commit(repository, {}), tmp_path / "evil", base=tmp_path)
