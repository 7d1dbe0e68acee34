"""What a hub says of locks: forks, conflicts, workspaces, circles, settings, and what is missing and why."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.hubs import PROJECT, closure, hub, lock_of, locked, wheels
from tests.unit.locks.samples import UV, U, h

from crossdock.bazel.commands.hub import hub_text
from crossdock.bazel.main import main
from crossdock.errors import (
    ConflictingPackagesError,
    MalformedLockError,
    UndecidedMarkerError,
    UnknownExtraError,
)

if TYPE_CHECKING:
    from pathlib import Path

AMD, ARM, WIN = "linux/amd64+glibc2.28 cp311", "linux/arm64+glibc2.28 cp311", "windows/amd64 cp311"
ARM12 = "linux/arm64+glibc2.28 cp312"


@pytest.fixture
def uv(tmp_path: Path) -> Path:
    """A uv.lock with a fork, a conflict, a circle, a repository and a file of its own."""
    path = tmp_path / "uv.lock"
    path.write_text(UV)
    return path


class TestSelection:
    def test_of_forks_each_target_has_the_one_its_markers_name(self, uv: Path) -> None:
        made = hub(uv, ARM, ARM12)
        num = made["packages"]["num"]
        assert num["wheels"] == {ARM: h(13), ARM12: h(14)}
        assert (num["version"], num["missing"]) == (None, {})
        assert "num" in made["project"][ARM]
        assert "num" in made["project"][ARM12]

    def test_the_best_wheel_of_the_target(self, uv: Path) -> None:
        made = hub(uv, ARM)
        assert made["packages"]["speedups"]["wheels"] == {ARM: h(6)}
        assert made["files"][h(6)] == {
            "filename": "speedups-1.0-10-cp311-cp311-manylinux_2_17_aarch64.whl",
            "name": "speedups",
            "version": "1.0",
            "url": f"{U}/speedups-1.0-10-cp311-cp311-manylinux_2_17_aarch64.whl",
            "path": None,
            "size": None,
        }

    def test_a_file_beside_the_lock_has_its_path(self, uv: Path) -> None:
        file = hub(uv, ARM)["files"][h(18)]
        assert (file["url"], file["path"]) == (None, "wheels/one-1.0-py3-none-any.whl")

    def test_edges_follow_markers_and_extras_are_nodes(self, uv: Path) -> None:
        made = hub(uv, ARM, AMD)
        assert made["packages"]["server"]["extras"]["fast"] == {ARM: ["server", "speedups"], AMD: ["server"]}
        assert "server[fast]" in made["project"][AMD]
        assert closure(made, ARM, ["server[fast]"]) == {"server", "base", "speedups"}
        assert closure(made, AMD, ["server[fast]"]) == {"server", "base"}

    def test_a_circle_is_cut_and_each_of_it_comes_to_all(self, uv: Path) -> None:
        made = hub(uv, AMD)
        assert made["packages"]["server"]["deps"] == {AMD: ["=base"]}
        assert made["packages"]["base"]["deps"] == {AMD: ["=server"]}

    def test_members_of_a_circle_get_what_the_others_need(self, tmp_path: Path) -> None:
        one = locked("one", needs='{ name = "two" }, { name = "left" }')
        two = locked(
            "two",
            needs='{ name = "one", extra = ["x"] }, { name = "right" }',
        )
        extra = '[package.optional-dependencies]\nx = [{ name = "more" }]\n'
        one = one.replace("wheels", "wheels") + extra
        lock = lock_of(tmp_path, '{ name = "two" }', one, two, *(locked(name) for name in ("left", "right", "more")))
        made = hub(lock, AMD)
        every = {"one", "two", "left", "right", "more"}
        assert closure(made, AMD, ["two"]) == every
        assert closure(made, AMD, ["one[x]"]) == every
        assert closure(made, AMD, ["one"]) == every  # as it needs two, which needs one with its extra

    def test_the_order_of_targets_and_the_folder_change_nothing(self, uv: Path, tmp_path: Path) -> None:
        other = tmp_path / "other" / "uv.lock"
        other.parent.mkdir()
        other.write_text(UV)
        assert hub_text(hub(uv, ARM, AMD, WIN)) == hub_text(hub(other, WIN, ARM, AMD))
        assert str(tmp_path) not in hub_text(hub(uv, ARM))

    def test_credentials_of_a_lock_are_not_written_down(self, tmp_path: Path) -> None:
        lock = lock_of(tmp_path, '{ name = "a" }', locked("a").replace("https://index", "https://user:secret@index"))
        made = hub(lock, AMD)
        assert "secret" not in hub_text(made)
        assert [file["url"] for file in made["files"].values()] == [f"{U}/a-1.0-py3-none-any.whl"]


class TestMissing:
    def test_an_old_floor_is_told(self, tmp_path: Path) -> None:
        lock = lock_of(tmp_path, '{ name = "a" }', locked("a", "cp311-cp311-manylinux_2_34_x86_64"))
        text = hub(lock, AMD)["packages"]["a"]["missing"][AMD]
        assert text.startswith(
            f"a 1.0 has no wheel for {AMD}\n  why: nearest is a-1.0-cp311-cp311-manylinux_2_34_x86_64.whl, "
        )
        assert "needs glibc 2.34 or newer, the target's floor is glibc 2.28" in text
        assert "tried were 714 tags, from cp311-cp311-linux_x86_64 to py30-none-any" in text
        assert "cp311-cp311: manylinux_2_34_x86_64" in text
        assert "  hint: choose a newer version that has such a wheel" in text

    def test_what_is_not_locked_for_a_target_names_the_marker(self, uv: Path) -> None:
        made = hub(uv, AMD, WIN)
        package = made["packages"]["winonly"]
        assert package["wheels"] == {AMD: None, WIN: h(17)}
        assert package["missing"][AMD].splitlines()[:2] == [
            f"winonly is not locked for {AMD}",
            "  why: winonly 1.0, for the project: sys_platform == 'win32' is false",
        ]
        assert AMD not in package["deps"]

    def test_a_source_distribution_alone(self, tmp_path: Path) -> None:
        entry = (
            locked("a").replace("wheels = [", "sdist = ").replace("-py3-none-any.whl", ".tar.gz").replace(" }]", " }")
        )
        text = hub(lock_of(tmp_path, '{ name = "a" }', entry), AMD)["packages"]["a"]["missing"][AMD]
        assert "there is only a source distribution, a-1.0.tar.gz, and Bazel's rules build no" in text
        assert "[tool.crossdock.packages.a] wheel" in text

    def test_a_repository_and_a_folder(self, uv: Path, tmp_path: Path) -> None:
        made = hub(uv, AMD)
        assert "there is only a repository" in made["packages"]["devtool"]["missing"][AMD]
        entry = '[[package]]\nname = "lib"\nversion = "1"\nsource = { editable = "libs/lib" }\n'
        folder = tmp_path / "more"
        folder.mkdir()
        text = hub(lock_of(folder, '{ name = "lib" }', entry), AMD)["packages"]["lib"]["missing"][AMD]
        assert text.startswith("lib 1 is a folder of source code (libs/lib) and no wheel\n")
        assert "is a py_library" in text

    def test_a_marker_that_cannot_be_decided_is_the_package_s(self, tmp_path: Path) -> None:
        needy = locked("a", needs='{ name = "b", marker = "platform_release >= \'5\'" }')
        made = hub(lock_of(tmp_path, '{ name = "a" }, { name = "b" }', needy, locked("b")), AMD)
        assert "cannot be decided" in made["packages"]["a"]["missing"][AMD]
        assert str(tmp_path) not in hub_text(made)
        assert made["packages"]["b"]["missing"] == {}

    def test_a_marker_of_the_project_itself_is_an_error(self, tmp_path: Path) -> None:
        with pytest.raises(UndecidedMarkerError):
            hub(lock_of(tmp_path, '{ name = "b", marker = "platform_release >= \'5\'" }', locked("b")), AMD)

    def test_a_virtual_package_is_not_missing_but_has_needs(self, tmp_path: Path) -> None:
        entry = '[[package]]\nname = "v"\nversion = "1"\nsource = { virtual = "v" }\ndependencies = [{ name = "a" }]\n'
        made = hub(lock_of(tmp_path, '{ name = "v" }', entry, locked("a")), AMD)
        assert made["packages"]["v"]["wheels"] == {AMD: None}
        assert made["packages"]["v"]["missing"] == {}
        assert set(wheels(made, AMD, ["v"])) == {"a"}

    def test_a_python_that_a_package_does_not_run_on(self, tmp_path: Path) -> None:
        (tmp_path / "pylock.toml").write_text(
            'lock-version = "1.0"\ncreated-by = "hand"\n[[packages]]\nname = "a"\nversion = "1.0"\n'
            f'requires-python = ">=3.12"\ndependencies = [{{ name = "b" }}]\n'
            f'wheels = [{{ url = "{U}/a-1.0-py3-none-any.whl", hashes = {{ sha256 = "{h(1)}" }} }}]\n'
            f'[[packages]]\nname = "b"\nversion = "1.0"\n'
            f'wheels = [{{ url = "{U}/b-1.0-py3-none-any.whl", hashes = {{ sha256 = "{h(2)}" }} }}]\n'
        )
        made = hub(tmp_path / "pylock.toml", AMD, ARM12)
        assert made["packages"]["a"]["missing"].keys() == {AMD}
        assert "is not for Python 3.11.0" in made["packages"]["a"]["missing"][AMD]
        assert made["packages"]["a"]["deps"][ARM12] == ["b"]


class TestParts:
    def test_extras_that_exclude_each_other_are_left_out_until_one_is_named(self, uv: Path) -> None:
        made = hub(uv, AMD)
        assert made["extras"].keys() == {"all", "extra-one"}
        assert made["left_out"]["extras"].keys() == {"old", "new"}
        assert made["left_out"]["extras"]["old"].startswith("old and new exclude each other in uv.lock\n")
        assert made["packages"]["shared"]["wheels"] == {AMD: h(16)}

    def test_naming_one_decides(self, uv: Path) -> None:
        made = hub(uv, AMD, extras=["old"])
        assert made["packages"]["shared"]["wheels"] == {AMD: h(15)}
        assert made["asked"] == {"extras": ["old"], "groups": []}
        assert made["left_out"]["extras"].keys() == {"new"}

    def test_naming_both_or_another_is_an_error(self, uv: Path) -> None:
        with pytest.raises(ConflictingPackagesError, match="new and the extra old"):
            hub(uv, AMD, extras=["old", "new"])
        with pytest.raises(UnknownExtraError, match="'nonsense'"):
            hub(uv, AMD, extras=["nonsense"])

    def test_an_extra_of_the_project_that_names_another(self, uv: Path) -> None:
        made = hub(uv, AMD)
        assert made["extras"]["all"] == made["extras"]["extra-one"] == {AMD: ["one"]}
        assert made["groups"]["dev"] == {AMD: ["devtool"]}
        assert "one" not in made["project"][AMD]

    def test_settings_say_what_the_project_has(self, uv: Path) -> None:
        (uv.parent / "pyproject.toml").write_text(PROJECT + '[tool.crossdock]\nextras = ["extra-one"]\n')
        assert "one" in hub(uv, AMD, frozen=True)["project"][AMD]

    def test_members_of_a_workspace_bring_what_they_need(self, tmp_path: Path) -> None:
        members = "".join(
            f'[[package]]\nname = "{name}"\nversion = "1"\nsource = {{ editable = "{name}" }}\n'
            f'dependencies = [{{ name = "{needs}" }}]\n'
            for name, needs in (("app-a", "one"), ("app-b", "two"))
        )
        top = '[manifest]\nmembers = ["app-a", "app-b"]\n'
        lock = tmp_path / "uv.lock"
        lock.write_text(f"version = 1\n{top}{members}{locked('one')}{locked('two')}")
        made = hub(lock, AMD)
        assert {name for name, one in made["packages"].items() if not one["missing"]} == {"one", "two"}
        assert made["packages"]["app-a"]["deps"] == {AMD: ["one"]}
        assert made["project"][AMD] == ["app-a", "app-b"]

    def test_the_root_of_a_workspace_needs_no_project_to_have_settings(self, tmp_path: Path) -> None:
        member = '[[package]]\nname = "app-a"\nversion = "1"\nsource = { editable = "app-a" }\n'
        needs = 'dependencies = [{ name = "one" }]\n[package.dev-dependencies]\ndev = [{ name = "two" }]\n'
        lock = tmp_path / "uv.lock"
        lock.write_text(
            f'version = 1\n[manifest]\nmembers = ["app-a"]\n{member}{needs}'
            + locked("one", needs='{ name = "two" }')
            + locked("two")
        )
        (tmp_path / "pyproject.toml").write_text(
            '[tool.uv.workspace]\nmembers = ["app-a"]\n'
            '[tool.crossdock]\npython = "3.11"\n[tool.crossdock.packages.one]\nignore-dependencies = ["two"]\n'
        )
        made = hub(lock, "linux/amd64+glibc2.28")
        assert made["packages"]["one"]["deps"] == {AMD: []}
        assert made["groups"] == {"dev": {AMD: ["two"]}}

    @pytest.mark.parametrize(("text", "code"), [("[project", 12), ("[project]", 12), ("[tool.crossdock]\nx = 1", 13)])
    def test_a_pyproject_that_cannot_be_used(self, text: str, code: int, uv: Path) -> None:
        path = uv.parent / "pyproject.toml"
        path.write_text(text)
        assert main(["hub", "--lock", str(uv), "--project", str(path), "--target", AMD, "--out", "x"]) == code

    def test_other_members_count_beside_the_one_that_is_the_project(self, tmp_path: Path) -> None:
        top = '[manifest]\nmembers = ["my-app", "lib"]\n'
        lib = (
            '[[package]]\nname = "lib"\nversion = "1"\nsource = { editable = "lib" }\n'
            'dependencies = [{ name = "two", version = "2.0" }]\n'
            '[package.optional-dependencies]\nx = [{ name = "three" }]\n'
        )
        lock = lock_of(
            tmp_path,
            '{ name = "two", version = "1.0" }',
            lib,
            locked("two"),
            locked("two", version="2.0"),
            locked("three"),
            top=top,
        )
        made = hub(lock, AMD)
        # The nearest to the project has the name; the other is told apart by its version.
        assert made["packages"]["two"]["version"] == "1.0"
        assert made["packages"]["two@2.0"]["version"] == "2.0"
        assert made["packages"]["lib"]["deps"] == {AMD: ["two@2.0"]}
        assert made["packages"]["three"]["missing"] == {}

    def test_two_versions_equally_near_are_named_by_version(self, tmp_path: Path) -> None:
        lock = lock_of(
            tmp_path,
            '{ name = "a" }, { name = "b" }',
            locked("a", needs='{ name = "two", version = "1.0" }'),
            locked("b", needs='{ name = "two", version = "2.0" }'),
            locked("two"),
            locked("two", version="2.0"),
        )
        made = hub(lock, AMD)
        assert made["packages"]["a"]["deps"] == {AMD: ["two@1.0"]}
        assert made["packages"]["two"]["missing"][AMD].startswith(
            f"two is in the lock more than once for {AMD}: two@1.0 and two@2.0\n"
        )

    def test_what_nothing_names_counts(self, tmp_path: Path) -> None:
        made = hub(lock_of(tmp_path, "", locked("alone", needs='{ name = "other" }'), locked("other")), AMD)
        assert set(wheels(made, AMD, ["alone"])) == {"alone", "other"}
        assert made["project"][AMD] == []


class TestCommand:
    def test_it_writes_the_file(self, uv: Path) -> None:
        out = uv.parent / "hub.json"
        assert main(["hub", "--lock", str(uv), "--target", ARM, "--out", str(out)]) == 0
        assert out.read_text() == hub_text(hub(uv, ARM))
        assert json.loads(out.read_text())["targets"].keys() == {ARM}

    def test_it_checks_one(self, uv: Path, capsys: pytest.CaptureFixture[str]) -> None:
        out = uv.parent / "hub.json"
        main(["hub", "--lock", str(uv), "--target", ARM, "--out", str(out)])
        assert main(["hub", "--lock", str(uv), "--check", str(out)]) == 0
        uv.write_text(UV.replace(h(6), h(600)))
        assert main(["hub", "--lock", str(uv), "--check", str(out)]) == 37
        assert f"the package speedups has other wheels for {ARM}" in capsys.readouterr().err

    def test_errors_have_their_codes(self, uv: Path, capsys: pytest.CaptureFixture[str]) -> None:
        assert main(["hub", "--lock", str(uv.parent / "none.lock"), "--target", ARM, "--out", "x"]) == 34
        assert main(["hub", "--lock", str(uv), "--target", "moon/arm64 3.11", "--out", "x"]) == 21
        assert main(["hub", "--lock", str(uv), "--target", ARM]) == 2
        assert main(["hub", "--lock", str(uv), "--target", ARM, "--out", str(uv / "x")]) == 72
        assert "Traceback" not in capsys.readouterr().err

    def test_a_wheel_that_is_another_s_is_an_error(self, tmp_path: Path) -> None:
        lock = lock_of(tmp_path, '{ name = "a" }', locked("a").replace("a-1.0-py3", "b-1.0-py3"))
        with pytest.raises(MalformedLockError, match="is not a wheel of a"):
            hub(lock, AMD)
