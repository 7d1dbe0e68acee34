"""Which folders make up a workspace, and which do not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.errors import ProjectFileError, UnknownMemberError
from crossdock.projects.workspace import find_member, find_workspace

if TYPE_CHECKING:
    from pathlib import Path


def project(folder: Path, name: str = "", workspace: str | None = None) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    text = f'[project]\nname = "{name}"\nversion = "0"\n' if name else ""
    if workspace is not None:
        text += f"[tool.uv.workspace]\n{workspace}\n"
    (folder / "pyproject.toml").write_text(text)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = project(tmp_path / "root", "Root_App", 'members = ["packages/*", "tool"]\nexclude = ["packages/old*"]')
    project(folder / "packages" / "a", "Pkg.A")
    project(folder / "packages" / "b", "b")
    project(folder / "packages" / "old-c", "c")
    project(folder / "tool", "tool")
    project(folder / "elsewhere", "elsewhere")
    (folder / "packages" / "no-project").mkdir()
    (folder / "packages" / "file").touch()
    project(folder / "packages" / "nameless")
    return folder


def test_root_and_members_are_found_from_each_of_them(root: Path) -> None:
    members = {
        "b": root / "packages" / "b",
        "pkg-a": root / "packages" / "a",
        "root-app": root,
        "tool": root / "tool",
    }
    for folder in members.values():
        workspace = find_workspace(folder)
        assert workspace is not None
        assert (workspace.root, dict(workspace.members)) == (root, members)


@pytest.mark.parametrize("folder", ["packages/old-c", "elsewhere", "packages/no-project", "packages"])
def test_what_is_excluded_or_not_listed_is_in_no_workspace(root: Path, folder: str) -> None:
    assert find_workspace(root / folder) is None


def test_the_root_need_not_be_a_project(tmp_path: Path) -> None:
    project(tmp_path, workspace='members = ["a"]')
    project(tmp_path / "a", "a")

    workspace = find_workspace(tmp_path / "a")

    assert workspace is not None
    assert list(workspace.members) == ["a"]


def test_the_nearest_pyproject_above_decides(tmp_path: Path) -> None:
    project(tmp_path, "top", 'members = ["mid/leaf"]')
    project(tmp_path / "mid", "mid")

    assert find_workspace(project(tmp_path / "mid" / "leaf", "leaf")) is None


def test_a_plain_project_is_no_workspace(tmp_path: Path) -> None:
    assert find_workspace(project(tmp_path, "a")) is None


def test_patterns_may_descend(tmp_path: Path) -> None:
    project(tmp_path, workspace='members = ["**/svc-*", "."]')
    project(tmp_path / "x" / "y" / "svc-a", "a")

    assert find_member(tmp_path, "A") == tmp_path / "x" / "y" / "svc-a"


def test_a_member_is_found_by_any_spelling_and_from_any_member(root: Path) -> None:
    assert find_member(root, "pkg_a") == root / "packages" / "a"
    assert find_member(root / "tool", "Root-App") == root


def test_an_unknown_member_names_those_that_exist(root: Path) -> None:
    with pytest.raises(
        UnknownMemberError, match=r"no member 'tools'\n.*b, pkg-a, root-app, tool\n.*did you mean 'tool'"
    ):
        find_member(root, "tools")
    with pytest.raises(UnknownMemberError, match=r"no member '\.\./x'"):
        find_member(root, "../x")
    with pytest.raises(UnknownMemberError, match="is not in a workspace"):
        find_member(root / "elsewhere", "tool")


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ('["../other"]', "leads out of the workspace"),
        ('["a/../../other"]', "leads out of the workspace"),
        ('["/etc/*"]', "leads out of the workspace"),
        ('["C:\\\\x"]', "leads out of the workspace"),
        ('"packages/*"', "not an array of patterns"),
        ("[1]", "not an array of patterns"),
        ('["a**b"]', "no pattern for folders"),
    ],
)
def test_patterns_that_cannot_be_used_are_refused(tmp_path: Path, members: str, message: str) -> None:
    project(tmp_path / "other", "other")

    with pytest.raises(ProjectFileError, match=message):
        find_workspace(project(tmp_path / "root", workspace=f"members = {members}"))


def test_a_link_that_leads_out_is_no_member(tmp_path: Path) -> None:
    root = project(tmp_path / "root", workspace='members = ["*"]')
    (root / "link").symlink_to(project(tmp_path / "other", "other"))

    workspace = find_workspace(root)

    assert workspace is not None
    assert not workspace.members


def test_two_members_of_one_name_are_refused(tmp_path: Path) -> None:
    root = project(tmp_path, workspace='members = ["a", "b"]')
    project(root / "a", "x")
    project(root / "b", "X")

    with pytest.raises(ProjectFileError, match=r"Two members .* are named x"):
        find_workspace(root)


@pytest.mark.parametrize("text", [b"a = [", b"\xff", b"a = " + b"[" * 100_000])
def test_a_damaged_file_is_told(tmp_path: Path, text: bytes) -> None:
    root = project(tmp_path, workspace='members = ["a"]')
    (project(root / "a") / "pyproject.toml").write_bytes(text)

    with pytest.raises(ProjectFileError, match=r"a/pyproject\.toml is not TOML"):
        find_workspace(root)
