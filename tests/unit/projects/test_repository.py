"""What git says in the copy a project is built in: the same as in the project, which is never written to."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from crossdock.projects.backend import copy_project
from crossdock.projects.repository import repository_state
from crossdock.projects.sources import source_digest
from crossdock.sdists.hooks import hook_environment

if TYPE_CHECKING:
    from pathlib import Path


def git(root: Path, *arguments: str) -> str:
    identity = ("-c", "user.name=Demo", "-c", "user.email=demo@example.com")
    command = ["git", "-C", str(root), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def listing(root: Path) -> dict[str, tuple[int, int]]:
    """Every file under a folder, .git included, with its size and time of change."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def state(root: Path, *, versioned: bool = True) -> str | None:
    return repository_state(root, hook_environment(os.environ), versioned=versioned)


class Copies:
    """Copies a project, each time to another folder."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._count = folder, 0

    def __call__(self, root: Path) -> Path:
        self._count += 1
        folder = self._folder / str(self._count)
        folder.mkdir(parents=True)
        return copy_project(root, folder)

    def describe(self, root: Path) -> str:
        return git(self(root), "describe", "--tags", "--dirty")


@pytest.fixture
def copies(tmp_path: Path) -> Copies:
    return Copies(tmp_path / "copies")


def write_repository(top: Path, where: str) -> Path:
    """A project with a tracked file that is left out of a build, a hidden one and a link, tagged v1.0."""
    root = top / where
    for path in (root / "a.py", root / "crossdock.lock", root / ".vscode/x", top / "other/file", top / ".gitignore"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    if sys.platform != "win32":
        (root / "link.py").symlink_to("a.py")
    git(top, "init", "--quiet", "--initial-branch", "main")
    git(top, "add", "--all")
    git(top, "commit", "--quiet", "--message", "one")
    git(top, "tag", "v1.0")
    return root


@pytest.mark.parametrize("where", [".", "apps/one"])
def test_the_copy_says_what_the_project_says(tmp_path: Path, copies: Copies, where: str) -> None:
    top = tmp_path / "repository"
    root = write_repository(top, where)
    (root / "untracked.py").touch()
    before = listing(top)
    copy = copies(root)
    assert git(copy, "describe", "--tags", "--dirty") == "v1.0"
    assert git(copy, "ls-files") == git(root, "ls-files")
    assert git(copy, "branch", "--show-current") == "main"
    assert (copy / "untracked.py").exists()
    assert source_digest(copy) == source_digest(root)
    assert state(root)
    assert listing(top) == before
    (root / "a.py").write_text("changed")
    assert copies.describe(root) == "v1.0-dirty"
    (root / "a.py").write_text("")
    (root / ".vscode/x").unlink()
    assert copies.describe(root) == git(root, "describe", "--tags", "--dirty") == "v1.0-dirty"


@pytest.mark.parametrize("where", [".", "apps/one"])
def test_the_lock_that_a_build_writes_makes_no_work_tree_dirty(tmp_path: Path, copies: Copies, where: str) -> None:
    root = write_repository(tmp_path / "repository", where)
    before = state(root)
    (root / "crossdock.lock").write_text("version = 1")
    assert state(root) == before
    assert copies.describe(root) == "v1.0"
    assert git(root, "describe", "--tags", "--dirty") == "v1.0-dirty"


def test_another_commit_tag_or_branch_is_another_state(tmp_path: Path, copies: Copies) -> None:
    root = write_repository(tmp_path, "one")
    states, fixed = [state(root)], [state(root, versioned=False)]
    for command in (("commit", "--allow-empty", "--message", "two"), ("tag", "v1.1"), ("checkout", "-b", "other")):
        git(root, *command)
        states.append(state(root))
        fixed.append(state(root, versioned=False))
    assert None not in states
    assert len(set(states)) == 4
    assert len(set(fixed)) == 1  # a version that is written down does not come from git
    assert copies.describe(root) == "v1.1"


def test_a_version_of_changed_files_has_no_state(tmp_path: Path) -> None:
    root = write_repository(tmp_path, "one")
    (tmp_path / "other/file").write_text("changed")
    assert (state(root), bool(state(root, versioned=False))) == (None, True)


def test_what_is_tracked_is_an_input(tmp_path: Path) -> None:
    root = write_repository(tmp_path, "one")
    (root / "data.txt").touch()
    before = state(root, versioned=False)
    git(root, "add", "data.txt")
    assert state(root, versioned=False) != before


def test_ignore_files_of_the_repository_around_are_inputs(tmp_path: Path, copies: Copies) -> None:
    root = write_repository(tmp_path, "apps/one")
    before = source_digest(root)
    (tmp_path / ".gitignore").write_text("*.txt")
    assert source_digest(root) != before
    assert (copies(root).parents[1] / ".gitignore").read_text() == "*.txt"


def test_a_linked_work_tree_is_a_repository_too(tmp_path: Path, copies: Copies) -> None:
    write_repository(tmp_path / "main", "one")
    git(tmp_path / "main", "worktree", "add", "--quiet", str(tmp_path / "linked"), "-b", "linked")
    copy = copies(tmp_path / "linked/one")
    assert (git(copy, "describe", "--tags", "--dirty"), git(copy, "branch", "--show-current")) == ("v1.0", "linked")


def test_without_git_a_project_is_copied_all_the_same(
    tmp_path: Path, copies: Copies, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = write_repository(tmp_path, "one")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert (state(root), source_digest(copies(root))) == ("", source_digest(root))


def test_a_repository_without_a_commit_or_a_broken_one_says_nothing(tmp_path: Path, copies: Copies) -> None:
    for name in ("empty", "broken"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.py").touch()
    git(tmp_path / "empty", "init", "--quiet")
    (tmp_path / "broken/.git").write_text("gitdir: /nowhere")
    for name in ("empty", "broken"):
        assert state(tmp_path / name) == ""
        assert [path.name for path in copies(tmp_path / name).iterdir() if path.is_file()] == ["a.py"]
