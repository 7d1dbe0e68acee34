"""Whether everything is there: a table that can be read on any terminal, an explanation, and an exit code."""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING

import pytest
from tests.unit.cli.lockmaker import ARM, LINUX, WINDOWS, LockMaker, surveyed, target

from crossdock.cli.check import check_text, grid_of, survey_each
from crossdock.cli.main import main
from crossdock.cli.table import Look, layout, look_of
from crossdock.errors import TargetNotLockedError, UnknownExtraError
from crossdock.locks import Lock, Source
from crossdock.reports.checking import Check, check, check_json, summary, target_labels

if TYPE_CHECKING:
    from pathlib import Path

    from crossdock.locks import Survey
    from crossdock.targets import Target

CP312 = "cp312-cp312"
TARGETS = (target(LINUX), target(ARM), target(WINDOWS))
MIXED = (
    LockMaker()
    .add("pure")
    .add("win", needs=["pure"])
    .add("native", f"{CP312}-manylinux_2_28_x86_64", f"{CP312}-manylinux_2_28_aarch64", f"{CP312}-win_amd64")
    .add("partial", f"{CP312}-manylinux_2_17_x86_64", f"{CP312}-manylinux_2_17_aarch64", "sdist")
    .add("source", "sdist")
    .add("never")
    .add("group", source=Source(kind="virtual"))
    .lock("native", "partial", "source", "group", ("win", "sys_platform == 'win32'"), ("never", "os_name == 'java'"))
)
TWELVE = [
    *("linux/amd64+glibc2.28", "linux/arm64+glibc2.28", "linux/amd64+musl1.2", "linux/arm64+musl1.2", "linux/s390x"),
    *("linux/ppc64le", "linux/arm/v7", "linux/386", "linux/riscv64", "darwin/arm64", "windows/amd64", "windows/arm64"),
]


def checked(lock: Lock, *targets: Target) -> Check:
    return check(targets or TARGETS, surveyed(lock, *(targets or TARGETS)))


def table(found: Check) -> dict[str, tuple[str | None, ...]]:
    return {row.package.name: row.statuses for row in found.rows}


def bare(text: str) -> str:
    return re.sub(r"\x1b\[[\d;]*m", "", text)


class TestAnswers:
    def test_each_package_has_one_for_each_target(self) -> None:
        assert table(checked(MIXED)) == {
            "native": ("wheel", "wheel", "wheel"),
            "partial": ("wheel", "wheel", "missing"),
            "pure": (None, None, "pure"),
            "source": ("sdist", "sdist", "sdist"),
            "win": (None, None, "pure"),
        }

    def test_all_targets_are_told_not_the_first_that_fails(self) -> None:
        lock = LockMaker().add("a", f"{CP312}-macosx_11_0_arm64").add("b", f"{CP312}-win_amd64").lock()
        assert table(checked(lock)) == {"a": ("missing",) * 3, "b": ("missing", "missing", "wheel")}

    def test_two_entries_of_one_name_are_two_rows(self) -> None:
        lock = LockMaker().add("a").lock(("a", "python_version < '3.12'"))
        other = LockMaker().add("a", version="2.0").lock(("a", "python_version >= '3.12'"))
        both = (target(python="3.11"), target(python="3.12"))
        found = check(both, [surveyed(lock, both[0])[0], surveyed(other, both[1])[0]])
        assert [(str(row.package), row.statuses) for row in found.rows] == [
            ("a 1.0", ("pure", None)),
            ("a 2.0", (None, "pure")),
        ]

    def test_ok_means_that_nothing_is_missing_and_every_target_has_an_answer(self) -> None:
        assert not checked(MIXED).ok
        assert checked(MIXED, *TARGETS[:2]).ok
        assert not check(TARGETS[:2], [surveyed(MIXED, TARGETS[0])[0], TargetNotLockedError("no")]).ok


class TestLabels:
    @pytest.mark.parametrize(
        ("targets", "labels"),
        [
            ([target(LINUX), target(ARM)], ["linux/amd64", "linux/arm64"]),
            ([target(LINUX), target("linux/amd64+musl1.2")], ["linux/amd64+glibc2.36", "linux/amd64+musl1.2"]),
            ([target(LINUX), target("linux/arm64+musl")], ["linux/amd64", "linux/arm64+musl1.2"]),
            ([target(LINUX), target(LINUX, "3.13")], ["linux/amd64 3.12", "linux/amd64 3.13"]),
        ],
    )
    def test_are_as_short_as_tells_them_apart(self, targets: list[Target], labels: list[str]) -> None:
        assert target_labels(targets) == labels


class TestTable:
    def test_without_a_terminal_it_is_as_wide_as_it_needs_and_says_words(self) -> None:
        assert check_text(checked(MIXED), Look())[:6] == [
            "package      linux/amd64  linux/arm64  windows/amd64",
            "native 1.0   wheel        wheel        wheel",
            "partial 1.0  wheel        wheel        missing",
            "pure 1.0     -            -            pure",
            "source 1.0   sdist        sdist        sdist",
            "win 1.0      -            -            pure",
        ]

    def test_with_less_room_targets_are_numbered(self) -> None:
        assert check_text(checked(MIXED), Look(width=45))[:6] == [
            "1: linux/amd64",
            "2: linux/arm64",
            "3: windows/amd64",
            "",
            "package      1        2        3",
            "native 1.0   wheel    wheel    wheel",
        ]

    def test_with_less_again_words_are_letters_with_a_key(self) -> None:
        lines = check_text(checked(MIXED), Look(width=30))
        assert "partial 1.0  w  w  X" in lines
        assert "X MISSING" in " ".join(lines[: lines.index("")]).replace("\n", " ")

    def test_and_at_last_it_becomes_several_tables(self) -> None:
        found = checked(MIXED, *(target(platform) for platform in TWELVE))
        lines = check_text(found, Look(width=30))
        heads = [line.split()[1:] for line in lines if line.startswith("package")]
        assert [number for head in heads for number in head] == [str(number) for number in range(1, 13)]
        assert len(heads) > 1

    def test_a_long_name_is_cut_and_shows_it(self) -> None:
        found = checked(LockMaker().add("a-name-that-is-much-longer-than-any-table-has-room-for").lock())
        assert any(line.startswith("a-name-that-is-muc") and "…" in line for line in check_text(found, Look(width=48)))
        assert any("~" in line for line in check_text(found, Look(width=48, ellipsis="~")))

    @pytest.mark.parametrize("width", [24, 32, 40, 60, 80, 100, 132, 200])
    @pytest.mark.parametrize("count", [1, 2, 5, 12])
    def test_always_fits_the_width_and_loses_no_answer(self, width: int, count: int) -> None:
        lock = LockMaker().add("short").add("a-rather-long-name-for-a-package", f"{CP312}-win_amd64").lock()
        found = checked(lock, *(target(platform) for platform in TWELVE[:count]))
        lines = [bare(line) for line in layout(grid_of(found), Look(width=width, colours=True))]

        assert max(map(len, lines)) <= width
        answers = [word for line in lines if line.startswith("a-ra") for word in re.findall(r"  (\S+)", line)]
        wanted = ["missing" if name != "windows/amd64" else "wheel" for name in TWELVE[:count]]
        assert [{"X": "missing", "w": "wheel"}.get(word, word) for word in answers] == wanted

    def test_colours_only_repeat_the_words(self) -> None:
        plain = check_text(checked(MIXED), Look())
        coloured = check_text(checked(MIXED), Look(colours=True))
        assert coloured != plain
        assert [bare(line) for line in coloured] == plain

    def test_an_empty_lock(self) -> None:
        assert check_text(checked(LockMaker().lock()), Look(width=40)) == ["0 packages, 3 targets: all there"]


class TestLook:
    class Terminal:
        encoding = "utf-8"

        def isatty(self) -> bool:
            return True

    @pytest.mark.parametrize(
        ("environment", "colours"),
        [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False), ({"NO_COLOR": ""}, True)],
    )
    def test_colours(self, environment: dict[str, str], colours: bool, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("sys.platform", "linux")
        monkeypatch.delenv("NO_COLOR", raising=False)
        monkeypatch.setenv("TERM", "xterm")
        monkeypatch.setenv("COLUMNS", "57")
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert look_of(self.Terminal()) == Look(width=57, colours=colours)  # type: ignore[arg-type]

    def test_what_is_no_terminal_has_neither_width_nor_colours(self, tmp_path: Path) -> None:
        with (tmp_path / "out").open("w", encoding="ascii") as stream:
            assert look_of(stream) == Look(ellipsis="~")


class TestProblems:
    def test_each_missing_package_says_what_is_nearest_and_what_to_do(self) -> None:
        text = "\n".join(check_text(checked(MIXED), Look()))
        assert (
            "\npartial 1.0 is missing (required by the project)\n"
            "  for windows/amd64:\n"
            "    nearest is partial-1.0-cp312-cp312-manylinux_2_17_aarch64.whl, "
            "which is for Linux, the target is Windows\n"
            "  wheels there are:\n"
            "    cp312-cp312: manylinux_2_17_aarch64, manylinux_2_17_x86_64\n"
        ) in text
        assert "hint: a source distribution exists" in text
        assert text.endswith("\n5 packages, 3 targets: 1 missing, 1 built from source")

    def test_targets_with_the_same_reason_are_told_together(self) -> None:
        lock = LockMaker().add("a", f"{CP312}-win_amd64").lock()
        text = "\n".join(check_text(checked(lock, target(LINUX), target(ARM)), Look()))
        assert text.count("nearest is") == 1
        assert "for linux/amd64, linux/arm64:" in text

    def test_a_target_without_an_answer_says_why(self) -> None:
        error = TargetNotLockedError("the lock is not for it", hint="lock again")
        found = check(TARGETS[:2], [surveyed(MIXED, TARGETS[0])[0], error])
        text = "\n".join(check_text(found, Look()))
        assert "linux/arm64 (no answer)" in text
        assert "native 1.0   wheel        ?" in text
        assert "linux/arm64: no answer\n  the lock is not for it\n    hint: lock again" in text
        assert summary(found).endswith("no answer for 1 of the targets, 1 built from source")


def test_json() -> None:
    error = TargetNotLockedError("no", why="so", hint="do")
    values = check_json(check((*TARGETS, target("linux/386")), [*surveyed(MIXED, *TARGETS), error]), "uv.lock")
    values = json.loads(json.dumps(values))
    assert (values["schema_version"], values["ok"], values["lock"]) == (1, False, "uv.lock")
    assert [item["target"] for item in values["targets"]] == [
        "linux/amd64",
        "linux/arm64",
        "windows/amd64",
        "linux/386",
    ]
    assert values["targets"][3]["error"] == {"code": 44, "what": "no", "why": "so", "hint": "do"}
    partial = next(item for item in values["packages"] if item["name"] == "partial")
    assert [answer and answer["status"] for answer in partial["answers"]] == ["wheel", "wheel", "missing", None]
    assert partial["answers"][2]["nearest"]["filename"] == "partial-1.0-cp312-cp312-manylinux_2_17_aarch64.whl"
    assert partial["answers"][0]["filename"] == "partial-1.0-cp312-cp312-manylinux_2_17_x86_64.whl"


def test_300_packages_for_12_targets_are_put_into_a_table_in_well_under_a_second() -> None:
    maker = LockMaker()
    for number in range(300):
        maker.add(
            f"package-{number}", *([f"{CP312}-win_amd64", f"{CP312}-manylinux_2_17_x86_64"] if number % 3 else [])
        )
    targets = [target(platform) for platform in TWELVE]
    surveys = surveyed(maker.lock(), *targets)
    begin = time.process_time()
    found = check(targets, surveys)
    lines = check_text(found, Look(width=80))
    json.dumps(check_json(found, "uv.lock"))
    assert time.process_time() - begin < 0.8
    assert len(lines) > 300


# The command, on projects without anything to ask an index for.

PROJECT = '[project]\nname = "app"\nversion = "1"\nrequires-python = ">=3.9"\n[tool.crossdock]\ntargets = [{targets}]\n'
PYLOCK = 'lock-version = "1.0"\ncreated-by = "hand"\n'


def write(folder: Path, *files: str, targets: tuple[str, ...] = ("linux/amd64", "linux/arm64"), head: str = "") -> Path:
    (folder / "pyproject.toml").write_text(PROJECT.format(targets=", ".join(f'"{name}"' for name in targets)))
    rows = [
        f'[[packages]]\nname = "{file.split("-")[0]}"\nversion = "1.0"\n'
        f'[[packages.wheels]]\nurl = "https://index.example/{file}"\nhashes = {{ sha256 = "{number:064x}" }}\n'
        for number, file in enumerate(files)
    ]
    (folder / "pylock.toml").write_text(PYLOCK + head + "\n" + "\n".join(rows))
    return folder


class TestCommand:
    @pytest.fixture(autouse=True)
    def _plain(self, cache: Path) -> None:
        pass

    def test_0_when_all_is_there(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["check", str(write(tmp_path, "a-1.0-py3-none-any.whl"))]) == 0
        out, err = capsys.readouterr()
        assert (out.splitlines()[-1], err) == ("1 package, 2 targets: all there", "")

    def test_49_when_anything_is_missing(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = write(tmp_path, "a-1.0-py3-none-any.whl", "b-1.0-py3-none-manylinux_2_17_x86_64.whl")
        assert main(["check", str(folder)]) == 49
        assert "b 1.0    wheel        missing" in capsys.readouterr().out
        assert main(["check", str(folder), "--target", "linux/amd64"]) == 0
        capsys.readouterr()
        assert main(["check", str(folder), "--json"]) == 49
        assert json.loads(capsys.readouterr().out)["ok"] is False

    def test_a_target_that_the_lock_is_not_for_hides_no_other(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = write(
            tmp_path,
            "a-1.0-py3-none-any.whl",
            targets=("linux/amd64", "windows/amd64"),
            head="environments = [\"sys_platform == 'linux'\"]",
        )
        assert main(["check", str(folder)]) == 44
        out, err = capsys.readouterr()
        assert "a 1.0    pure         ?" in out
        assert "windows/amd64: no answer" in out
        assert err == ""

    def test_what_no_target_has_an_answer_to_is_an_error(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["check", str(write(tmp_path, "a-1.0-py3-none-any.whl")), "--extra", "nope"]) == 43
        out, err = capsys.readouterr()
        assert (out, err.startswith("error: ")) == ("", True)

    def test_nothing_is_written_into_the_project(self, tmp_path: Path) -> None:
        folder = tmp_path / "project"
        folder.mkdir()
        main(["check", str(write(folder, "a-1.0-py3-none-any.whl"))])
        main(["explain", "a", "--project", str(folder)])
        assert sorted(path.name for path in folder.iterdir()) == ["pylock.toml", "pyproject.toml"]

    def test_explain_finds_the_project_by_its_option(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        folder = write(tmp_path, "a-1.0-py3-none-any.whl")
        assert main(["explain", "a", "--project", str(folder), "--target", "linux/arm64", "--json"]) == 0
        assert json.loads(capsys.readouterr().out)["targets"][0]["entries"][0]["status"] == "pure"
        assert main(["explain", "b", "--project", str(folder)]) == 48
        assert "did you mean" not in capsys.readouterr().out


def test_errors_of_one_target_are_kept_and_those_of_all_are_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_lock: object, targets: list[Target], _services: object) -> list[Survey]:
        for one in targets:
            if one != TARGETS[0]:
                raise TargetNotLockedError(f"not {one}")
        return surveyed(MIXED, *targets)

    def fails_always(*_: object) -> list[object]:
        raise UnknownExtraError("no such extra")

    monkeypatch.setattr("crossdock.choosing.survey.survey_targets", fails)
    answers = survey_each(None, TARGETS, None)  # type: ignore[arg-type]
    assert [type(answer).__name__ for answer in answers] == ["Survey", "TargetNotLockedError", "TargetNotLockedError"]
    monkeypatch.setattr("crossdock.choosing.survey.survey_targets", fails_always)
    with pytest.raises(UnknownExtraError):
        survey_each(None, TARGETS, None)  # type: ignore[arg-type]
