"""pyproject.toml and .python-version."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from crossdock.errors import ConfigError, ProjectFileError, ProjectNotFoundError
from crossdock.projects.project import load_project

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.projects.project import Project


def test_standard_metadata_is_read(make_project: Callable[[str], Project]) -> None:
    project = make_project(
        """
        [build-system]
        requires = ["hatchling"]
        [project]
        name = "Hello_World.App"
        version = "1.2"
        description = "Says hello"
        license = "MIT"
        requires-python = ">=3.11,<3.14"
        [project.scripts]
        hello = "hello:main"
        [project.urls]
        Homepage = "https://hello.example/"
        [tool.crossdock]
        base = "debian:bookworm"
        """
    )
    assert project.root.is_absolute()
    assert project.name == "hello-world-app"
    assert (project.version, project.description, project.license) == ("1.2", "Says hello", "MIT")
    assert "3.13.1" in project.requires_python
    assert "3.14.0" not in project.requires_python
    assert project.urls == {"homepage": "https://hello.example/"}
    assert project.has_backend
    assert project.config.base == "debian:bookworm"


def test_poetrys_metadata_counts_where_the_standard_tables_are_silent(make_project: Callable[[str], Project]) -> None:
    project = make_project(
        """
        [tool.poetry]
        name = "Hello_App"
        version = "1.2"
        description = "Says hello"
        license = "MIT"
        homepage = "https://hello.example/"
        [tool.poetry.urls]
        Tracker = "https://bugs.example/"
        [tool.poetry.dependencies]
        python = "^3.11"
        """
    )
    assert (project.name, project.version, project.description, project.license) == (
        "hello-app",
        "1.2",
        "Says hello",
        "MIT",
    )
    assert project.urls == {"homepage": "https://hello.example/", "tracker": "https://bugs.example/"}
    assert "3.11.0" in project.requires_python
    assert "3.10.9" not in project.requires_python
    assert "4.0" not in project.requires_python


def test_the_standard_tables_count_before_poetrys(make_project: Callable[[str], Project]) -> None:
    project = make_project(
        """
        [project]
        name = "a"
        requires-python = ">=3.12"
        [tool.poetry]
        name = "b"
        version = "2"
        [tool.poetry.dependencies]
        python = "~3.10 || ^3.12"
        """
    )
    assert (project.name, project.version, str(project.requires_python)) == ("a", "2", ">=3.12")


def test_a_union_of_pythons_keeps_its_gap(make_project: Callable[[str], Project]) -> None:
    project = make_project("[tool.poetry]\nname = 'a'\n[tool.poetry.dependencies]\npython = '~3.10 || >=3.12'")

    assert [minor for minor in range(9, 15) if f"3.{minor}.0" in project.requires_python] == [10, 12, 13, 14]


def test_a_name_alone_is_enough(make_project: Callable[[str], Project]) -> None:
    project = make_project('[project]\nname = "a"')
    assert (project.version, project.description, project.has_backend) == (None, "", False)
    assert not project.requires_python
    assert project.python_file == ""


def test_the_file_itself_may_be_named(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"')
    assert load_project(tmp_path / "pyproject.toml") == load_project(tmp_path)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[project", "is not TOML"),
        ("a = 1\na = 2", "is not TOML"),
        ("a = " + "1" * 5000, "is not TOML"),
        ("a = " + "[" * 100_000, "is not TOML"),
        ("", "has no [project] name"),
        ('[project]\nname = ""', "has no [project] name"),
        ("[project]\nname = 1", "has no [project] name"),
        ("project = 1", "project is not a table"),
        ('tool = 1\n[project]\nname = "a"', "tool is not a table"),
        ('[project]\nname = "../../escape"', "'../../escape' is not a project name"),
        ('[project]\nname = "a b"', "is not a project name"),
        ('[project]\nname = "a"\nrequires-python = "three"', "requires-python is 'three', which cannot be read"),
        ('[project]\nname = "a"\nrequires-python = 3', "requires-python is 3, which"),
        ("[tool.poetry]\nname = 'a'\n[tool.poetry.dependencies]\npython = '^^3'", "dependency python cannot be read"),
        ("[tool.poetry]\nname = 'a'\ndependencies = 1", "dependencies is not a table"),
        ("tool = {poetry = 1}", "poetry is not a table"),
        ('[project]\nname = "a"\nrequires-python = [">=3"]', "requires-python is ['>=3'], which"),
    ],
)
def test_a_broken_file_is_an_error_that_names_it(make_project: Callable[[str], Project], text: str, words: str) -> None:
    with pytest.raises(ProjectFileError, match=re.escape(words)) as caught:
        make_project(text)
    assert "pyproject.toml" in caught.value.what


def test_a_file_that_is_not_utf_8_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_bytes(b"# \xff\xfe")
    with pytest.raises(ProjectFileError, match="is not TOML"):
        load_project(tmp_path)


def test_a_file_of_no_sane_size_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "pyproject.toml").open("wb") as file:
        file.truncate(1 << 34)
    with pytest.raises(ProjectFileError, match="larger than 16 MiB"):
        load_project(tmp_path)


def test_a_folder_in_place_of_the_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").mkdir()
    with pytest.raises(ProjectFileError, match="cannot be read"):
        load_project(tmp_path)


def test_no_file_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(ProjectNotFoundError, match="There is no") as caught:
        load_project(tmp_path / "nowhere")
    assert "name the project's folder" in caught.value.hint


def test_mistakes_in_the_settings_are_config_errors(make_project: Callable[[str], Project]) -> None:
    with pytest.raises(ConfigError, match="did you mean 'base'"):
        make_project('[project]\nname = "a"\n[tool.crossdock]\nbas = "x"')


@pytest.mark.parametrize(
    ("text", "version"),
    [
        (b"3.12\n", "3.12"),
        (b"\n# comment\n  3.12.1  \n3.11\n", "3.12.1"),
        (b"", ""),
        (b"# only a comment", ""),
        (b"\xff\xfe", ""),
    ],
)
def test_python_version_files(tmp_path: Path, text: bytes, version: str) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "a"')
    (tmp_path / ".python-version").write_bytes(text)
    assert load_project(tmp_path).python_file == version
