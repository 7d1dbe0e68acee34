"""`crossdock test` on artifacts that are there already: what it finds in settings, runs, says and ends with."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from tests.unit.testing.conftest import Install

from crossdock.cli.main import main
from crossdock.errors import ConfigError, ProjectFileError, TargetError
from crossdock.services import Services
from crossdock.store import Store
from crossdock.testing import cases as cases_module
from crossdock.testing.cases import find_cases, run_cases
from crossdock.testing.examining import examine

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.testing.cases import CaseResult

GOOD = '[[tool.crossdock.test.cases]]\nname = "good"\nartifact = "good"\npackages = ["fast"]\n'
WRONG = '[[tool.crossdock.test.cases]]\nname = "wrong"\nartifact = "wrong"\n'
ABSENT = '[[tool.crossdock.test.cases]]\nartifact = "absent.pex"\n'


@pytest.fixture
def root(tmp_path: Path, cache: Path) -> Path:
    """The root of a monorepo, which is no project, with two folders of packages."""
    Install(tmp_path / "good").compiled("fast")
    Install(tmp_path / "wrong").compiled("fast", "x86_64", tagged="aarch64")
    return tmp_path


def settings(root: Path, text: str) -> Path:
    (root / "pyproject.toml").write_text(text)
    return root


def run(root: Path, *options: str | Path) -> int:
    return main(["test", str(root), *map(str, options)])


def test_every_case_is_told_in_a_line_and_all_in_a_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings(root, GOOD + WRONG)) == 91
    out, err = capsys.readouterr()
    lines = sorted(err.splitlines())
    assert lines[0].startswith("REFUSED: wrong (")
    assert "fast 1.0: fast/_core.abi3.so is an x86-64 ELF file" in lines[0]
    assert lines[1].startswith("ok: good (")
    assert lines[1].endswith(": linux/arm64; native files of fast")
    assert out.startswith("REFUSED: wrong\nPLATFORM")
    head, good, wrong, count = out.splitlines()[-4:]
    assert head.split() == ["CASE", "ARTIFACT", "PLATFORMS", "FILES", "PROGRAMS", "PACKAGES", "RESULT"]
    assert good.split() == ["good", "good", "linux/arm64", "5", "1", "1", "ok"]
    assert wrong.split()[-3:-1] == ["REFUSED", "(1"]
    assert count == "2 cases: 1 failed"


def test_when_all_pass_the_code_is_0(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings(root, GOOD), "--quiet") == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert out.splitlines()[-1] == "1 case: all passed"


def test_what_cannot_be_read_is_an_error_of_its_case_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings(root, ABSENT + GOOD)) == 92
    out, _ = capsys.readouterr()
    assert out.startswith(f"ERROR: absent.pex\nthere is nothing at {root / 'absent.pex'}\n")
    assert out.splitlines()[-1] == "2 cases: 1 failed"


def test_a_wrong_artifact_weighs_more_than_one_that_is_not_there(root: Path) -> None:
    assert run(settings(root, ABSENT + WRONG + GOOD), "-q") == 91


@pytest.mark.parametrize(
    ("packages", "code", "words"),
    [
        ('["fasd"]', 97, "fasd is not there"),
        ('["fast", "slow"]', 96, "slow has no native file for linux/arm64"),
        ("[]", 0, "all passed"),
    ],
)
def test_packages_have_to_be_there_with_native_files(
    packages: str, code: int, words: str, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Install(root / "good").pure("slow")
    case = f'[[tool.crossdock.test.cases]]\nartifact = "good"\npackages = {packages}\n'
    assert run(settings(root, case)) == code
    assert words in capsys.readouterr().out


def test_reports_for_programs(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--junit", root / "report.xml", "--markdown", root / "summary.md")
    assert run(settings(root, GOOD + WRONG + ABSENT), "--json", *files) == 91
    result: dict[str, Any] = json.loads(capsys.readouterr().out)
    assert (result["schema"], result["ok"], result["exit_code"]) == ("crossdock.test/1", False, 91)
    good, wrong, absent = result["cases"]
    assert (good["name"], good["ok"], good["packages"]) == ("good", True, {"linux/arm64": {"fast": 1}})
    assert (wrong["exit_code"], wrong["report"]["subject"]) == (91, "wrong")
    assert (absent["exit_code"], absent["error"]["what"]) == (92, f"there is nothing at {root / 'absent.pex'}")
    suites = {suite.get("name"): suite.get("failures") for suite in ET.parse(root / "report.xml").getroot()}
    assert suites == {"good linux/arm64/v8": "0", "wrong linux/arm64/v8": "1", "absent.pex": "1"}
    assert "**refused**" in (root / "summary.md").read_text().lower()


def test_annotations_for_github_follow_the_table(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(settings(root, WRONG), "--github") == 91
    assert capsys.readouterr().out.splitlines()[-1].startswith("::error ")


@pytest.mark.parametrize(
    "options", [("--json", "--github"), ("--junit", "-"), ("--markdown", ""), ("--keep", " "), ("--jobs", "0")]
)
def test_wrong_options_are_code_2(options: tuple[str, ...], root: Path) -> None:
    assert run(settings(root, GOOD), *options) == 2


def test_the_settings_exceptions_count(root: Path) -> None:
    exception = '[tool.crossdock.verify]\nallow = ["fast/*"]\n'
    assert run(settings(root, exception + WRONG + "packages = []\n"), "-q") == 0


def test_a_root_without_cases_and_without_a_project_is_an_error(root: Path) -> None:
    with pytest.raises(ProjectFileError, match=r"no \[project\] name"):
        find_cases([settings(root, "[tool.uv.workspace]\nmembers = ['apps/*']\n")])


def test_a_project_without_cases_is_one_itself(root: Path) -> None:
    (case,) = find_cases([settings(root, '[project]\nname = "app"\n')])
    assert (case.settings.kind, case.project, case.settings.packages) == ("image", root, None)


def test_a_project_that_cannot_be_built_fails_its_case_alone(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "app").mkdir()
    settings(root / "app", '[project]\nname = "app"\nversion = "1"\n[tool.crossdock]\nbase = "debian:bookworm"\n')
    case = '[[tool.crossdock.test.cases]]\nproject = "app"\nkind = "venv"\n'
    assert run(settings(root, case + GOOD), "--offline", "--json", "--keep", root / "kept") == 31
    app, good = json.loads(capsys.readouterr().out)["cases"]
    assert (app["name"], app["exit_code"], good["exit_code"]) == ("app venv", 31, 0)
    assert "lock" in app["error"]["what"]
    assert [path.name for path in (root / "kept").iterdir()] == ["app-venv"]


def test_a_folder_that_is_a_file_is_an_error_before_anything_runs(root: Path) -> None:
    (root / "app").mkdir()
    settings(root / "app", '[project]\nname = "app"\n')
    (root / "kept").write_text("")
    assert run(root / "app", "--keep", root / "kept") == 72


@pytest.mark.parametrize(
    ("text", "error", "words"),
    [
        ('name = "api"\nproject = "apps/api"', ConfigError, "the case 'api' names no project"),
        ('artifact = "good"\ntargets = ["linux/nonsense"]', TargetError, "nonsense"),
    ],
)
def test_mistakes_are_told_before_anything_runs(text: str, error: type[Exception], words: str, root: Path) -> None:
    with pytest.raises(error, match=words):
        find_cases([settings(root, f"[[tool.crossdock.test.cases]]\n{text}\n")])


def test_cases_of_several_folders_have_names_of_their_own(root: Path) -> None:
    for name in ("one", "two"):
        (root / name).mkdir()
        settings(root / name, GOOD.replace('"good"\np', '"../good"\np'))
    assert [case.name for case in find_cases([root / "one", root / "two", root / "one"])] == ["good", "good (2)"]


def test_cases_run_side_by_side(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Each waits for the other: one after the other they would wait for ever.
    meeting = threading.Barrier(2, timeout=30)

    def met(*arguments: Any, **options: Any) -> Any:
        meeting.wait()
        return examine(*arguments, **options)

    monkeypatch.setattr(cases_module, "examine", met)
    other = GOOD.replace('name = "good"', 'name = "again"')
    told: list[CaseResult] = []
    cases = find_cases([settings(root, GOOD + other)])
    results = run_cases(cases, Services(store=Store.default()), jobs=2, tell=told.append)
    assert [result.exit_code for result in results] == [0, 0]
    assert {result.case.name for result in told} == {"good", "again"}
