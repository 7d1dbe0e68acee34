"""Which runtimes a function is built for."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from crossdock.bundling.function_targets import function_targets, kind_of
from crossdock.choosing.request import Request
from crossdock.errors import CrossdockError, PythonChoiceError, TargetError
from crossdock.projects.project import load_project
from crossdock.targets import parse_target

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.projects.project import Project


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def project(folder: Path, settings: str = "", *, python: str = ">=3.9", version: str = "") -> Project:
    text = f'[project]\nname = "shop"\nrequires-python = "{python}"\n{settings}\n'
    (folder / "pyproject.toml").write_text(text)
    if version:
        (folder / ".python-version").write_text(version)
    return load_project(folder)


def targets(of: Project, *asked: str, pythons: tuple[str, ...] = ()) -> list[str]:
    return [target.name for target in function_targets(of, Request(targets=asked, pythons=pythons))]


def test_by_default_lambda_on_both_architectures_with_the_newest_python_that_fits(folder: Path) -> None:
    assert targets(project(folder, python=">=3.9,<3.13")) == [
        "aws-lambda-python3.12/amd64",
        "aws-lambda-python3.12/arm64",
    ]


@pytest.mark.parametrize(
    ("settings", "version", "python"),
    [
        ("", "3.11.7", "3.11"),
        ('[tool.crossdock]\npython = "3.10"', "3.11", "3.10"),
    ],
)
def test_the_projects_python_counts(settings: str, version: str, python: str, folder: Path) -> None:
    found = targets(project(folder, settings, version=version), "linux/arm64")

    assert found == [f"aws-lambda-python{python}/arm64"]


def test_pythons_asked_for_count_most(folder: Path) -> None:
    of = project(folder, version="3.11")

    assert targets(of, "linux/arm64", pythons=("3.12", "3.13")) == [
        "aws-lambda-python3.12/arm64",
        "aws-lambda-python3.13/arm64",
    ]


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        ("aws-lambda-python3.12/arm64", "aws-lambda-python3.12/arm64"),
        ("lambda-python3.12/aarch64", "aws-lambda-python3.12/arm64"),
        ("linux_x86_64", "aws-lambda-python3.14/amd64"),
        ("aarch64-unknown-linux-gnu", "aws-lambda-python3.14/arm64"),
        ("google-cloud-functions-python312/amd64", "google-cloud-run-python312/amd64"),
        ("azure-functions-python3.11/x86_64", "azure-functions-python3.11/amd64"),
    ],
)
def test_every_spelling_names_a_runtime(asked: str, name: str, folder: Path) -> None:
    assert targets(project(folder), asked) == [name]


def test_what_is_named_twice_counts_once(folder: Path) -> None:
    of = project(folder, version="3.12")

    assert targets(of, "linux/arm64", "aws-lambda-python3.12/arm64") == ["aws-lambda-python3.12/arm64"]


@pytest.mark.parametrize(
    "asked",
    [
        *("linux/arm64+glibc2.28", "linux/arm64+musl", "linux/s390x", "linux/amd64/v3", "darwin/arm64"),
        *("debian-12/arm64", "python-3.12-slim-bookworm/amd64", "windows/amd64"),
    ],
)
def test_what_no_function_runs_on_is_refused_with_what_to_name(asked: str, folder: Path) -> None:
    with pytest.raises(TargetError, match="is no place that functions run in") as caught:
        targets(project(folder), asked)

    assert "aws-lambda-python3.14/arm64" in caught.value.hint
    assert "google-cloud-run-python314/amd64" in caught.value.hint
    assert "azure-functions-python3.12/amd64" in caught.value.hint


def test_a_runtime_with_another_python_than_asked_for_is_refused(folder: Path) -> None:
    with pytest.raises(TargetError, match=r"runs python3\.12, not python3\.11"):
        targets(project(folder), "aws-lambda-python3.12/arm64", pythons=("3.11",))


@pytest.mark.parametrize("python", ["3.15", "3.13t", "pypy3.11"])
def test_a_python_that_lambda_does_not_have_is_refused(python: str, folder: Path) -> None:
    with pytest.raises(PythonChoiceError, match="AWS Lambda has no runtime") as caught:
        targets(project(folder), "linux/arm64", pythons=(python,))

    assert "3.13, 3.14" in caught.value.why


@pytest.mark.parametrize(
    ("asked", "pythons", "version", "exact"),
    [
        ("aws-lambda-python3.12/arm64", (), "", "3.12.0"),
        ("aws-lambda-python3.12/arm64", ("3.12.7",), "", "3.12.7"),
        ("aws-lambda-python3.12/arm64", (), "3.12.4", "3.12.4"),
        ("aws-lambda-python3.12/arm64", (), "3.11.4", "3.12.0"),
        ("azure-functions-python3.12/amd64", ("3.12.7",), "3.12.4", "3.12.7"),
        ("linux/arm64", ("3.12.7",), "", "3.12.7"),
        ("linux/arm64", (), "3.12.4", "3.12.4"),
    ],
)
def test_a_patch_version_that_is_said_counts(
    asked: str, pythons: tuple[str, ...], version: str, exact: str, folder: Path
) -> None:
    of = project(folder, version=version)

    (target,) = function_targets(of, Request(targets=(asked,), pythons=pythons))

    assert target.python.full_version == exact
    assert target.environment["python_full_version"] == exact
    assert str(target.platform.libc) in ("glibc2.34", "glibc2.36")


def test_what_the_project_does_not_run_on_is_refused_and_a_patch_version_may_help(folder: Path) -> None:
    of = project(folder, python=">=3.12.3")

    with pytest.raises(
        PythonChoiceError, match=r"does not run on Python 3\.12\.0 of aws-lambda-python3\.12/arm64"
    ) as one:
        targets(of, "aws-lambda-python3.12/arm64")
    assert one.value.hint.endswith("or the patch version that aws-lambda-python3.12/arm64 has, as in --python 3.12.9")
    with pytest.raises(PythonChoiceError) as other:  # no patch version of that runtime's Python would do
        targets(of, "aws-lambda-python3.11/arm64")
    assert other.value.hint == "name another runtime"
    assert targets(of, "aws-lambda-python3.12/arm64", pythons=("3.12.3",)) == ["aws-lambda-python3.12/arm64"]


def test_markers_of_the_settings_count(folder: Path) -> None:
    of = project(folder, '[tool.crossdock.markers]\nplatform_release = "5.10"\n')

    (target,) = function_targets(of, Request(targets=("aws-lambda-python3.12/arm64",)))

    assert target.environment["platform_release"] == "5.10"


def test_a_project_for_no_python_of_lambda_is_refused(folder: Path) -> None:
    with pytest.raises(PythonChoiceError, match="does not run on any Python of AWS Lambda"):
        targets(project(folder, python=">=3.15"))


def test_settings_for_functions_come_before_those_for_images(folder: Path) -> None:
    settings = """
[tool.crossdock]
targets = ["linux/arm64"]
[tool.crossdock.lambda]
targets = ["aws-lambda-python3.13/amd64"]
"""
    assert targets(project(folder, settings)) == ["aws-lambda-python3.13/amd64"]


def test_of_the_targets_of_images_those_count_that_lambda_has(folder: Path) -> None:
    settings = '[tool.crossdock]\ntargets = ["linux/arm64", "linux/s390x", "alpine-3.22/amd64", "darwin/arm64"]'

    assert targets(project(folder, settings, version="3.12")) == ["aws-lambda-python3.12/arm64"]


def test_without_any_such_target_there_are_the_usual_ones(folder: Path) -> None:
    settings = '[tool.crossdock]\ntargets = ["linux/s390x"]'

    assert len(targets(project(folder, settings))) == 2


def test_every_runtime_of_functions_has_its_cloud(folder: Path) -> None:
    names = {"aws-lambda-python3.9/arm64": "lambda", "google-cloud-run-python39/amd64": "google"}
    names["azure-functions-python3.9/amd64"] = "azure"

    assert {name: kind_of(parse_target(name).target()).name for name in names} == names


def test_a_mistake_in_a_setting_is_an_error_of_ours(folder: Path) -> None:
    with pytest.raises(CrossdockError):
        targets(project(folder, '[tool.crossdock.lambda]\ntargets = ["nonsense"]'))
