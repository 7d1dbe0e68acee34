"""What pyproject.toml and MODULE.bazel set for single packages counts in a hub."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.support.wheelmaker import make_wheel
from tests.unit.bazel.hubs import PROJECT, hub, lock_of, locked

from crossdock.bazel.main import main
from crossdock.errors import OverrideError

if TYPE_CHECKING:
    from pathlib import Path

AMD, WIN = "linux/amd64+glibc2.28 cp311", "windows/amd64 cp311"


class TestSettings:
    def write(self, folder: Path, settings: str, *entries: str) -> Path:
        (folder / "pyproject.toml").write_text(PROJECT + settings)
        return lock_of(folder, '{ name = "a" }', *(entries or (locked("a", needs='{ name = "b" }'), locked("b"))))

    def test_a_wheel_of_one_s_own(self, tmp_path: Path) -> None:
        (tmp_path / "vendor").mkdir()
        make_wheel(tmp_path / "vendor", "a", "1.0+ours", {"a.py": ""})
        lock = self.write(tmp_path, '[tool.crossdock.packages.a]\nwheel = "vendor/a-1.0+ours-py3-none-any.whl"\n')
        made = hub(lock, AMD, frozen=True)
        file = made["files"][made["packages"]["a"]["wheels"][AMD]]
        assert (file["path"], file["url"], file["version"]) == ("vendor/a-1.0+ours-py3-none-any.whl", None, "1.0+ours")
        assert made["packages"]["a"]["version"] == "1.0+ours"

    def test_a_wheel_of_one_s_own_in_a_folder_that_is_reached_by_a_link(self, tmp_path: Path) -> None:
        (tmp_path / "real" / "vendor").mkdir(parents=True)
        make_wheel(tmp_path / "real" / "vendor", "a", "1.0", {"a.py": ""})
        (tmp_path / "link").symlink_to(tmp_path / "real")
        settings = '[tool.crossdock.packages.a]\nwheel = "vendor/a-1.0-py3-none-any.whl"\n'
        made = hub(self.write(tmp_path / "link", settings), AMD, frozen=True)
        assert made["files"][made["packages"]["a"]["wheels"][AMD]]["path"] == "vendor/a-1.0-py3-none-any.whl"

    def test_dependencies_more_and_fewer(self, tmp_path: Path) -> None:
        settings = '[tool.crossdock.packages.a]\nignore-dependencies = ["b"]\ndependencies = ["c"]\n'
        lock = self.write(tmp_path, settings, locked("a", needs='{ name = "b" }'), locked("b"), locked("c"))
        assert hub(lock, AMD, frozen=True)["packages"]["a"]["deps"] == {AMD: ["c"]}

    @pytest.mark.parametrize(("key", "value"), [("exclude", '["a/tests/**"]'), ("patches", '["a.patch"]')])
    def test_what_bazel_s_rules_do_not_do_is_said(self, key: str, value: str, tmp_path: Path) -> None:
        (tmp_path / "a.patch").write_text("--- a/x.py\n+++ b/x.py\n@@ -1 +1 @@\n-1\n+2\n")
        lock = self.write(tmp_path, f"[tool.crossdock.packages.a]\n{key} = {value}\n")
        made = hub(lock, AMD, frozen=True)
        assert made["packages"]["a"]["wheels"] == {AMD: None}
        assert f"[tool.crossdock.packages.a] sets {key}, and Bazel's" in made["packages"]["a"]["missing"][AMD]
        assert made["packages"]["b"]["missing"] == {}

    def test_a_setting_for_nothing_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(OverrideError, match="applies to nothing"):
            hub(self.write(tmp_path, '[tool.crossdock.packages.zzz]\nexclude = ["a"]\n'), AMD, frozen=True)

    def test_markers_of_the_settings_count(self, tmp_path: Path) -> None:
        entries = locked("a", needs='{ name = "b", marker = "platform_release >= \'5\'" }'), locked("b")
        lock = self.write(tmp_path, '[tool.crossdock.markers]\nplatform_release = "6.1"\n', *entries)
        assert hub(lock, AMD, frozen=True)["packages"]["a"]["deps"] == {AMD: ["b"]}


class TestOverridesOfModules:
    """What `crossdock.override` in MODULE.bazel sets, which the extension hands over as JSON."""

    def run(self, folder: Path, given: object, project: str = "") -> tuple[int, Path]:
        lock = lock_of(folder, '{ name = "a" }', locked("a", needs='{ name = "b" }'), locked("b"), locked("c"))
        path, out = folder / "overrides.json", folder / "hub.json"
        path.write_text(given if isinstance(given, str) else json.dumps(given))
        more = []
        if project:
            (folder / "pyproject.toml").write_text(PROJECT + project)
            more = ["--project", str(folder / "pyproject.toml")]
        arguments = ["hub", "--lock", str(lock), "--target", AMD, "--target", WIN, "--out", str(out), *more]
        # The lock was not made of the project.
        return main([*arguments, "--overrides", str(path)]), out

    def test_edges_are_left_out_and_added(self, tmp_path: Path) -> None:
        code, out = self.run(tmp_path, {"A": {"ignore-dependencies": ["b"], "dependencies": ["c"]}})
        assert code == 0
        assert json.loads(out.read_text())["packages"]["a"]["deps"] == {AMD: ["c"], WIN: ["c"]}

    def test_an_edge_is_left_out_for_one_platform(self, tmp_path: Path) -> None:
        given = {"a": {"ignore-dependencies": ["b"], "dependencies": ["b; sys_platform != 'win32'"]}}
        code, out = self.run(tmp_path, given)
        assert code == 0
        assert json.loads(out.read_text())["packages"]["a"]["deps"] == {AMD: ["b"], WIN: []}

    @pytest.mark.parametrize(
        ("given", "code", "words"),
        [
            ({"zzz": {"ignore-dependencies": ["b"]}}, 47, "applies to nothing"),
            ({"a": {"ignore-dependencies": ["c"]}}, 47, "a does not depend on it"),
            ({"a": {"nonsense": ["c"]}}, 13, "nonsense"),
            ({"a": 3}, 13, "is not a table"),
            ("{", 2, "cannot be read as overrides"),
        ],
    )
    def test_mistakes(
        self, given: object, code: int, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert self.run(tmp_path, given)[0] == code
        assert words in capsys.readouterr().err

    def test_both_for_one_package(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        project = '[tool.crossdock.packages.a]\nignore-dependencies = ["b"]\n'
        assert self.run(tmp_path, {"a": {"dependencies": ["c"]}}, project)[0] == 13
        assert "both set something for a" in capsys.readouterr().err
