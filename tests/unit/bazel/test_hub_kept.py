"""What is kept of a lock that does not tell everything: held against the lock, and against its own hash."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.bazel.hubindex import Index, sha256
from tests.unit.bazel.hubs import hub, lock_of, locked

from crossdock.bazel.commands.hub import hub_text
from crossdock.bazel.hubs.digest import content_digest
from crossdock.bazel.main import main as bazel
from crossdock.cli.main import main
from crossdock.errors import StaleHubError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.unit.bazel.hubs import Hub

AMD, WIN = "linux/amd64+glibc2.28 cp311", "windows/amd64 cp311"


class TestTampering:
    """What is kept of a lock that does not tell everything is held against the flat_lock, and against its own hash."""

    @pytest.fixture
    def kept(self, flat_lock: Path) -> Path:
        out = flat_lock.parent / "crossdock.hub.json"
        targets = ["--target", AMD, "--target", WIN]
        assert main(["bazel", "lock", str(flat_lock.parent), "--lock", str(flat_lock), *targets]) == 0
        return out

    @staticmethod
    def check(flat_lock: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> str:
        """Give what is said of one that is refused."""
        assert bazel(["hub", "--lock", str(flat_lock), "--check", str(kept)]) == StaleHubError.exit_code
        return capsys.readouterr().err

    @staticmethod
    def change(kept: Path, change: Callable[[Hub], object], *, honest: bool = False) -> None:
        """Change it; ``honest`` writes the hash of what it says then, as nobody does who has not read how."""
        made = json.loads(kept.read_text())
        change(made)
        if honest:
            made["lock"]["content"] = content_digest(made)
        kept.write_text(hub_text(made))

    def test_it_is_current(self, flat_lock: Path, kept: Path) -> None:
        assert bazel(["hub", "--lock", str(flat_lock), "--check", str(kept)]) == 0

    @pytest.mark.parametrize(
        ("change", "words"),
        [
            (lambda made: swap_files(made, "0" * 64), "the file 0000"),
            (lambda made: swap_wheels(made, "fast"), "the package fast has other wheels"),
            (lambda made: made["packages"]["fast"]["wheels"].update({AMD: None}), "the package fast has other"),
            (lambda made: rename(made, "web", "core-1.0-py3-none-any.whl"), "the package web has other"),
            (lambda made: rename(made, "web", "../web-1.0-py3-none-any.whl"), "the package web has other"),
            (lambda made: rename(made, "web", "web-2.0-py3-none-any.whl"), "the package web has other"),
            (lambda made: file_of(made, "web").update(url="https://evil.example/web.whl"), "the file"),
            (lambda made: file_of(made, "web").update(path="../web.whl"), "the file"),
            (lambda made: file_of(made, "web").update(version="2"), "the file"),
            (lambda made: file_of(made, "web").update(name="core"), "the file"),
            (lambda made: made["packages"]["web"].update(version="2"), "the package web was 2, and is 1.0"),
            (lambda made: made["packages"].update(more=made["packages"]["web"]), "the package more is gone"),
            (lambda made: made["packages"].pop("core"), "the package core is new"),
            (lambda made: made["targets"][AMD].update(floor="2.17"), f"the target {AMD}"),
            (lambda made: made["project"].update({AMD: ["web"]}), "differs in project"),
            (lambda made: made["groups"].update(dev={AMD: ["web"]}), "differs in groups"),
            (lambda made: made["left_out"]["extras"].update(x="y"), "differs in left_out"),
            (lambda made: made["packages"]["winonly"]["missing"].update({WIN: "no"}), "the package winonly has"),
        ],
    )
    def test_what_the_lock_tells(
        self,
        change: Callable[[Hub], object],
        words: str,
        flat_lock: Path,
        kept: Path,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.change(kept, change, honest=True)
        assert words in self.check(flat_lock, kept, capsys)

    @pytest.mark.parametrize(
        "change",
        [
            lambda made: made["packages"]["web"]["deps"].update({AMD: ["fast"]}),
            lambda made: made["packages"]["web"]["extras"]["quick"].update({AMD: ["web"]}),
            lambda made: made["packages"]["web"]["extras"].pop("quick"),
            lambda made: made["packages"]["web"]["extras"].update(new={AMD: ["core"], WIN: ["core"]}),
            lambda made: rename(made, "fast", "fast-1.0-py3-none-any.whl"),
            lambda made: file_of(made, "fast").update(size=3),
            lambda made: made["lock"].update(content="0" * 64),
            lambda made: made["lock"].pop("content"),
        ],
    )
    def test_what_only_the_index_told(
        self, change: Callable[[Hub], object], flat_lock: Path, kept: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        self.change(kept, change)
        assert "it is not what its own hash is of" in self.check(flat_lock, kept, capsys)

    @pytest.mark.parametrize("part", ["files", "packages", "targets", "project", "lock", "asked", "left_out"])
    def test_nonsense(self, part: str, flat_lock: Path, kept: Path) -> None:
        made = json.loads(kept.read_text())
        for value in (None, 3, "x", [], [3], {}, {"x": 3}, {AMD: 3}, dict.fromkeys(made[part], 3)):
            kept.write_text(json.dumps({**made, part: value}))
            code = bazel(["hub", "--lock", str(flat_lock), "--check", str(kept), "--target", AMD, "--target", WIN])
            assert code == StaleHubError.exit_code, value

    def test_one_without_targets(self, flat_lock: Path, kept: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.change(kept, lambda made: made.update(targets={}))
        assert "crossdock.hub.json names no targets" in self.check(flat_lock, kept, capsys)

    def test_a_pylock_s_urls(self, tmp_path: Path, index: Index, capsys: pytest.CaptureFixture[str]) -> None:
        file = next(index.folder.glob("winonly-*"))
        path, out = tmp_path / "pylock.toml", tmp_path / "crossdock.hub.json"
        path.write_text(
            f'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "winonly"\nversion = "1.0"\nwheels = '
            f'[{{ url = "{index.url}/files/{file.name}", hashes = {{ sha256 = "{sha256(file)}" }} }}]\n'
        )
        assert main(["bazel", "lock", str(tmp_path), "--lock", str(path), "--target", AMD]) == 0
        self.change(out, lambda made: file_of(made, "winonly").update(url="https://evil.example/x.whl"), honest=True)
        assert "the file" in self.check(path, out, capsys)


def file_of(made: Hub, name: str) -> dict[str, Any]:
    found: dict[str, Any] = made["files"][made["packages"][name]["wheels"][AMD]]
    return found


def rename(made: Hub, name: str, filename: str) -> None:
    file_of(made, name)["filename"] = filename


def swap_files(made: Hub, sha256: str) -> None:
    """Put another hash in the place of a wheel's, wherever it is."""
    old = made["packages"]["web"]["wheels"][AMD]
    made["packages"]["web"]["wheels"] = {AMD: sha256, WIN: sha256}
    made["files"][sha256] = made["files"].pop(old)


def swap_wheels(made: Hub, name: str) -> None:
    wheels = made["packages"][name]["wheels"]
    made["packages"][name]["wheels"] = {AMD: wheels[WIN], WIN: wheels[AMD]}


class TestCurrency:
    def test_a_check_needs_no_index(self, flat_lock: Path, index: Index, monkeypatch: pytest.MonkeyPatch) -> None:
        out = flat_lock.parent / "crossdock.hub.json"
        assert main(["bazel", "lock", str(flat_lock.parent), "--lock", str(flat_lock), "--target", AMD]) == 0
        monkeypatch.setenv("CROSSDOCK_CACHE", str(flat_lock.parent / "another"))
        index.asked.clear()
        assert main(["bazel", "lock", str(flat_lock.parent), "--lock", str(flat_lock), "--check", "--offline"]) == 0
        assert bazel(["hub", "--lock", str(flat_lock), "--check", str(out)]) == 0
        assert index.asked == []

    def test_hashes_alone_are_not_all_though_who_needs_whom_is_told(
        self, tmp_path: Path, index: Index, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        hashes = {name: sha256(next(index.folder.glob(f"{name}-*"))) for name in ("web", "core")}
        package = (
            '[[package]]\nname = "{}"\nversion = "1.0"\noptional = false\npython-versions = "*"\ngroups = ["main"]\n'
        )
        path, out = tmp_path / "poetry.lock", tmp_path / "crossdock.hub.json"
        path.write_text(
            f'{package.format("core")}{package.format("web")}[package.dependencies]\ncore = "*"\n'
            '[metadata]\nlock-version = "1.0"\npython-versions = "*"\ncontent-hash = "0"\n[metadata.hashes]\n'
            + "".join(f'{name} = ["{digest}"]\n' for name, digest in hashes.items())
        )
        pyproject = tmp_path / "pyproject.toml"
        pyproject.write_text('[tool.poetry]\nname = "a"\nversion = "1"\n[tool.poetry.dependencies]\nweb = "*"\n')
        assert main(["bazel", "lock", str(tmp_path), "--target", AMD, "--frozen"]) == 0
        made = json.loads(out.read_text())
        assert made["lock"]["graph"] == "lock"
        assert made["lock"]["inputs"] is not None  # so Bazel does not take it for what files of the repository tell
        assert made["packages"]["web"]["deps"] == {AMD: ["core"]}
        monkeypatch.setenv("CROSSDOCK_CACHE", str(tmp_path / "another"))
        index.asked.clear()
        assert main(["bazel", "lock", str(tmp_path), "--frozen", "--check"]) == 0
        assert index.asked == []
        made["packages"]["web"]["deps"][AMD] = []
        made["lock"]["content"] = content_digest(made)
        out.write_text(hub_text(made))
        assert main(["bazel", "lock", str(tmp_path), "--frozen", "--check"]) == StaleHubError.exit_code

    @pytest.mark.usefixtures("cache")
    def test_one_that_says_nothing_of_its_lock(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        lock = lock_of(tmp_path, '{ name = "a" }', locked("a"))
        out = tmp_path / "crossdock.hub.json"
        made = hub(lock, AMD)
        del made["lock"]
        out.write_text(hub_text(made))
        assert bazel(["hub", "--lock", str(lock), "--check", str(out)]) == StaleHubError.exit_code
        assert "why: it" in capsys.readouterr().err

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("/files/", "/other/"),
            ("http://", "https://"),
            ("size = ", "size = 1"),
            ('version = "1.0"\nmarker', 'version = "1.0"\nrequires-python = ">=3.8"\nmarker'),
            ("== 'linux'", "!= 'darwin'"),
            ('index = "https://index.example/simple"', 'index = "https://index.example/other"'),
            ("environments = []", "environments = [\"os_name != 'java'\"]"),
        ],
    )
    def test_all_of_a_pylock_that_counts_is_noticed(self, old: str, new: str, tmp_path: Path, index: Index) -> None:
        file = next(index.folder.glob("winonly-*"))
        path = tmp_path / "pylock.toml"
        text = (
            'lock-version = "1.0"\ncreated-by = "hand"\nenvironments = []\n'
            '[[packages]]\nname = "winonly"\nversion = "1.0"\n'
            'marker = "sys_platform == \'linux\'"\nindex = "https://index.example/simple"\n'
            f'wheels = [{{ url = "{index.url}/files/{file.name}", size = {file.stat().st_size}, '
            f'hashes = {{ sha256 = "{sha256(file)}" }} }}]\n'
        )
        path.write_text(text)
        arguments = ["bazel", "lock", str(tmp_path), "--lock", str(path)]
        assert main([*arguments, "--target", AMD]) == 0
        assert main([*arguments, "--check"]) == 0
        assert old in text
        path.write_text(text.replace(old, new, 1))
        assert main([*arguments, "--check"]) == StaleHubError.exit_code

    def test_another_hash_marker_or_target_is_noticed(
        self, flat_lock: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        arguments = ["bazel", "lock", str(flat_lock.parent), "--lock", str(flat_lock)]
        assert main([*arguments, "--target", AMD]) == 0
        assert main([*arguments, "--check", "--target", AMD, "--target", WIN]) == StaleHubError.exit_code
        text = flat_lock.read_text()
        for old, new in (("win32", "darwin"), ("web==1.0", "web==1.0 ; sys_platform != 'darwin'")):
            flat_lock.write_text(text.replace(old, new))
            assert main([*arguments, "--check"]) == StaleHubError.exit_code
        for line in ("--index-url https://index.example/other", "--find-links more", "--no-index"):
            flat_lock.write_text(f"{line}\n{text}")
            assert main([*arguments, "--check"]) == StaleHubError.exit_code
        flat_lock.write_text(f"# only a comment\n{text}")
        assert main([*arguments, "--check"]) == 0
        assert "hint: run `crossdock bazel lock`, and commit what it writes" in capsys.readouterr().err
