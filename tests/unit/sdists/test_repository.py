"""Repositories: exactly the locked commit, and nothing of the repository's runs. These are real ones, made by git."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import FetchedFilesError, OfflineError, RepositoryError
from crossdock.sdists.repository import check_out, make_bundle

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


def test_no_branch_or_later_tag_stays(repository: Path, tmp_path: Path) -> None:
    first = commit(repository, {"a.py": "one"})
    git(repository, "tag", "v1")
    commit(repository, {"a.py": "two"})
    git(repository, "tag", "-a", "-m", "two", "v2")
    root = check_out(repository.as_uri(), first, tmp_path / "copy", base=tmp_path)
    assert git(root, "for-each-ref", "--format=%(refname)") == "refs/tags/v1"


NOWHERE = "https://git.example/a.git"


class TestBundle:
    """What is checked out of a bundle, whose repository is out of reach."""

    @staticmethod
    def bundle(repository: Path, wanted: str, folder: Path) -> Path:
        folder.mkdir()
        return make_bundle(str(repository), wanted, folder, base=folder)

    def test_is_what_the_repository_gives(self, repository: Path, tmp_path: Path) -> None:
        commit(repository, {"a.py": "zero"})
        git(repository, "tag", "-a", "-m", "tag", "v0")
        wanted = commit(repository, {"a.py": "one", "deep/b.py": "b"})
        commit(repository, {"a.py": "two"})
        git(repository, "tag", "v2")
        path = self.bundle(repository, wanted, tmp_path / "made")
        first = check_out(str(repository), wanted, tmp_path / "first", base=tmp_path)
        second = check_out(NOWHERE, wanted, tmp_path / "second", base=tmp_path, offline=True, bundle=path)
        assert names(second) == {"a.py", "deep", "deep/b.py"}
        for question in (
            ["describe", "--tags", "--long", "--dirty"],
            ["for-each-ref"],
            ["log", "--format=%H %D"],
            ["status", "--porcelain", "--branch"],
            ["remote"],
            ["rev-parse", "--abbrev-ref", "HEAD"],
            ["ls-files", "--stage"],
        ):
            assert git(first, *question) == git(second, *question)
        assert git(second, "describe", "--tags", "--long").startswith("v0-1-g")

    def test_has_the_history_of_the_commit_and_no_more(self, repository: Path, tmp_path: Path) -> None:
        first = commit(repository, {"a.py": "one"})
        wanted = commit(repository, {"a.py": "two"})
        later = commit(repository, {"secret.py": "later"})
        git(repository, "tag", "v3")
        path = self.bundle(repository, wanted, tmp_path / "made")
        assert git(repository, "bundle", "list-heads", str(path)) == f"{wanted} HEAD"
        git(tmp_path, "clone", "--bare", str(path), "all")
        found = git(tmp_path / "all", "cat-file", "--batch-all-objects", "--batch-check=%(objectname)").split()
        assert {first, wanted} < set(found)
        assert later not in found

    def test_has_a_commit_that_no_branch_has_any_more(self, repository: Path, tmp_path: Path) -> None:
        commit(repository, {"a.py": "one"})
        lost = commit(repository, {"a.py": "two"})
        git(repository, "reset", "--quiet", "--hard", "HEAD~1")
        path = self.bundle(repository, lost, tmp_path / "made")
        root = check_out(NOWHERE, lost, tmp_path / "copy", base=tmp_path, bundle=path)
        assert (root / "a.py").read_text() == "two"

    def test_made_twice_is_the_same(self, repository: Path, tmp_path: Path) -> None:
        for number in range(30):
            wanted = commit(repository, {"a.py": "line\n" * number, f"b{number}.py": "line\n" * 50})
        first, second = (self.bundle(repository, wanted, tmp_path / name).read_bytes() for name in ("one", "two"))
        assert first == second

    def test_of_a_commit_that_is_gone_is_an_error(self, repository: Path, tmp_path: Path) -> None:
        commit(repository, {"a.py": "one"})
        with pytest.raises(RepositoryError, match="cannot be read at the locked commit"):
            self.bundle(repository, "0" * 40, tmp_path / "made")

    @pytest.mark.parametrize("revision", ["", "main", "--all"])
    def test_of_no_full_commit_is_an_error(self, revision: str, repository: Path, tmp_path: Path) -> None:
        commit(repository, {"a.py": "one"})
        with pytest.raises(RepositoryError, match="names no full commit"):
            self.bundle(repository, revision, tmp_path / "made")

    def test_offline_nothing_is_asked(self, tmp_path: Path) -> None:
        with pytest.raises(OfflineError, match="would have to be cloned") as caught:
            make_bundle("https://user:secret@git.example/a.git", "0" * 40, tmp_path, base=tmp_path, offline=True)
        assert "secret" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_submodules_are_refused_before_anything_is_written(self, repository: Path, tmp_path: Path) -> None:
        commit(tmp_path / "other", {"b.py": "other"})
        commit(repository, {"a.py": "one"})
        git(repository, "submodule", "--quiet", "add", str(tmp_path / "other"), "vendored")
        with pytest.raises(RepositoryError, match="has submodules"):
            self.bundle(repository, commit(repository, {}), tmp_path / "made")

    def test_of_another_commit_is_refused(self, repository: Path, tmp_path: Path) -> None:
        first = commit(repository, {"a.py": "one"})
        second = commit(repository, {"a.py": "two"})
        path = self.bundle(repository, first, tmp_path / "made")
        with pytest.raises(FetchedFilesError, match="cannot be used") as caught:
            check_out(NOWHERE, second, tmp_path / "copy", base=tmp_path, bundle=path)
        assert f"it does not hold the commit {second}" in caught.value.why

    def test_cut_off_is_refused(self, repository: Path, tmp_path: Path) -> None:
        wanted = commit(repository, {"a.py": "one" * 1000})
        path = self.bundle(repository, wanted, tmp_path / "made")
        path.write_bytes(path.read_bytes()[:-30])
        with pytest.raises(FetchedFilesError, match="cannot be used") as caught:
            check_out(NOWHERE, wanted, tmp_path / "copy", base=tmp_path, bundle=path)
        assert caught.value.why
        assert not (tmp_path / "copy").exists()

    def test_that_builds_on_something_else_is_refused(self, repository: Path, tmp_path: Path) -> None:
        commit(repository, {"a.py": "one"})
        wanted = commit(repository, {"a.py": "two"})
        git(repository, "bundle", "create", str(tmp_path / "thin"), "HEAD~1..HEAD", "main")
        with pytest.raises(FetchedFilesError, match="cannot be used"):
            check_out(NOWHERE, wanted, tmp_path / "copy", base=tmp_path, bundle=tmp_path / "thin")

    def test_that_names_another_repository_is_refused(self, repository: Path, tmp_path: Path) -> None:
        """A file of that form is a repository to git, wherever it leads."""
        wanted = commit(repository, {"a.py": "one"})
        path = tmp_path / "link"
        for text in (f"gitdir: {repository}/.git\n", "", "# v2 git bundle", "\n# v2 git bundle\n"):
            path.write_text(text)
            with pytest.raises(FetchedFilesError) as caught:
                check_out(NOWHERE, wanted, tmp_path / "copy", base=tmp_path, bundle=path)
            assert caught.value.why == "it is no git bundle"

    def test_cannot_put_another_object_in_the_place_of_one(self, repository: Path, tmp_path: Path) -> None:
        evil = commit(repository, {"a.py": "evil"})
        wanted = commit(repository, {"a.py": "good"})
        git(repository, "replace", wanted, evil)
        git(repository, "update-ref", "refs/tags/replace", f"refs/replace/{wanted}")
        git(repository, "bundle", "create", str(tmp_path / "all"), "--all", "HEAD")
        assert "refs/replace/" in git(repository, "bundle", "list-heads", str(tmp_path / "all"))
        root = check_out(NOWHERE, wanted, tmp_path / "copy", base=tmp_path, bundle=tmp_path / "all")
        assert (root / "a.py").read_text() == "good"
        assert git(root, "rev-parse", "HEAD") == wanted
        assert "refs/replace" not in git(root, "for-each-ref")
