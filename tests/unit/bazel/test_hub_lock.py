"""``crossdock bazel lock``: a hub's JSON in the repository, and whether it is current."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.hubs import check, hub
from tests.unit.locks.samples import UV, h

from crossdock.bazel.commands.hub import hub_text
from crossdock.bazel.hubs.checking import changes
from crossdock.cli.main import main
from crossdock.errors import StaleHubError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.bazel.hubs import Hub

AMD, ARM = "linux/amd64+glibc2.28 cp311", "linux/arm64+glibc2.28 cp311"
PROJECT = (
    '[project]\nname = "my-app"\nversion = "0.1"\nrequires-python = ">=3.11"\n'
    '[tool.crossdock]\npython = "3.11"\ntargets = ["linux/amd64+glibc2.28", "linux/arm64+glibc2.28"]\n'
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "uv.lock").write_text(UV)
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    return tmp_path


def run(folder: Path, *arguments: str) -> int:
    return main(["bazel", "lock", str(folder), "--frozen", *arguments])


def test_it_writes_the_project_s_targets_beside_the_lock(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder) == 0
    path = folder / "crossdock.hub.json"
    assert capsys.readouterr() == (f"{path}\n", "")
    assert path.read_text() == hub_text(hub(folder / "uv.lock", AMD, ARM, frozen=True))
    assert run(folder, "--check") == 0


def test_the_file_s_targets_and_extras_are_kept(folder: Path) -> None:
    path = folder / "crossdock.hub.json"
    assert run(folder, "--target", "windows/amd64 3.12.4", "--extra", "old") == 0
    first = path.read_bytes()
    assert json.loads(first)["targets"].keys() == {"windows/amd64 cp312"}
    assert run(folder) == 0
    assert path.read_bytes() == first
    assert run(folder, "--check") == 0


@pytest.mark.parametrize("content", ["<<<<<<< ours\n{", '{"version": 1, "lock": 3, "asked": [], "targets": {"a": 1}}'])
def test_a_file_that_was_damaged_is_written_anew(content: str, folder: Path) -> None:
    path = folder / "crossdock.hub.json"
    run(folder)
    good = path.read_bytes()
    path.write_text(content)
    assert run(folder, "--check") == StaleHubError.exit_code
    assert run(folder) == 0
    assert path.read_bytes() == good


def test_what_a_target_leaves_out_is_what_flags_are_by_default(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(UV)
    targets = ["--target", "linux/amd64", "--target", "linux/arm64", "--target", "macos/arm64"]
    assert main(["bazel", "lock", str(tmp_path), "--lock", str(tmp_path / "uv.lock"), *targets]) == 0
    made = json.loads((tmp_path / "crossdock.hub.json").read_text())
    assert made["targets"].keys() == {AMD, ARM, "darwin/arm64+macos14.0 cp311"}


def test_a_lock_without_a_project(tmp_path: Path) -> None:
    (tmp_path / "uv.lock").write_text(UV)
    out = tmp_path / "bazel" / "pypi.json"
    lock = str(tmp_path / "uv.lock")
    assert main(["bazel", "lock", str(tmp_path), "--lock", lock, "--target", AMD, "--output", str(out)]) == 0
    check(json.loads(out.read_text()))
    assert main(["bazel", "lock", str(tmp_path), "--lock", lock, "--output", str(out), "--check"]) == 0


class TestCheck:
    def test_a_new_wheel(self, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        run(folder)
        before = (folder / "crossdock.hub.json").read_bytes()
        (folder / "uv.lock").write_text(UV.replace(h(6), h(600)))
        assert run(folder, "--check") == StaleHubError.exit_code
        err = capsys.readouterr().err
        assert "crossdock.hub.json is not what uv.lock gives now" in err
        assert f"why: the package speedups has other wheels for {ARM}\n" in err
        assert "hint: run `crossdock bazel lock`, and commit what it writes" in err
        assert (folder / "crossdock.hub.json").read_bytes() == before

    def test_a_wheel_that_no_target_takes_changes_nothing(self, folder: Path) -> None:
        run(folder)
        (folder / "uv.lock").write_text(UV.replace(h(10), h(600)))
        assert run(folder, "--check") == 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda made: made["packages"]["speedups"]["wheels"].update({ARM: h(7)}), "speedups has other wheels for"),
            (lambda made: made["packages"]["server"]["deps"].update({ARM: ["one"]}), "server has other deps for"),
            (lambda made: made["files"][h(6)].update(url="https://evil.example/x.whl"), f"the file {h(6)} has other"),
            (lambda made: made["files"][h(6)].update(filename="x-1-py3-none-any.whl"), f"the file {h(6)} has other"),
            (lambda made: made["files"].update({h(9999): made["files"].pop(h(6))}), f"the file {h(6)} is new"),
            (lambda made: made["packages"]["num"].update(version="9"), "num was 9, and is 1.0"),
            (lambda made: made["project"].update({ARM: []}), "it differs in project"),
            (lambda made: made["lock"].update(name="x"), "it differs in what it says of the lock"),
            (lambda made: made["targets"][ARM].update(python="3.12"), f"the target {ARM} has other python"),
        ],
    )
    def test_every_part_is_made_again(
        self, change: Callable[[Hub], object], words: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        run(folder)
        path = folder / "crossdock.hub.json"
        made = json.loads(path.read_text())
        change(made)
        path.write_text(json.dumps(made))
        assert run(folder, "--check") == StaleHubError.exit_code
        assert words in capsys.readouterr().err

    def test_another_layout_of_the_json_is_the_same(self, folder: Path) -> None:
        run(folder)
        path = folder / "crossdock.hub.json"
        path.write_text(json.dumps(json.loads(path.read_text()), indent=4))
        assert run(folder, "--check") == 0

    @pytest.mark.parametrize(
        ("content", "words"),
        [
            (None, "There is no"),
            ("{", "is not JSON"),
            ("[]", "is not what this version of crossdock writes"),
            ('{"version": 2}', "'version' is not 1"),
            ('{"version": 1}', "the target linux/amd64+glibc2.28 cp311 is new"),
            ('{"version": 1, "targets": [], "packages": 3, "asked": {"extras": 1}}', "is new"),
        ],
    )
    def test_what_is_no_hub(
        self, content: str | None, words: str, folder: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        if content is not None:
            (folder / "crossdock.hub.json").write_text(content)
        assert run(folder, "--check") == StaleHubError.exit_code
        assert words in capsys.readouterr().err

    def test_what_changed_is_told_in_words(self, folder: Path) -> None:
        made = hub(folder / "uv.lock", AMD, ARM, frozen=True)
        old = json.loads(hub_text(made))
        old["packages"]["num"]["version"] = "0.9"
        del old["packages"]["base"]
        old["packages"]["gone"] = {}
        assert list(changes(old, made)) == [
            "the package base is new",
            "the package gone is gone",
            "the package num was 0.9, and is 1.0",
        ]
        assert list(changes({**made, "groups": {}}, made)) == ["it differs in groups"]


def test_errors_have_their_codes(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(folder, "--target", "moon/arm64 3.11") == 21
    assert run(folder, "--extra", "nonsense") == 43
    assert run(folder, "--output", str(folder / "uv.lock" / "x")) == 72
    (folder / "uv.lock").unlink()
    assert run(folder) == 31
    assert "Traceback" not in capsys.readouterr().err
