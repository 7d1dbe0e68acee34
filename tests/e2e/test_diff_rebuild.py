"""Two artifacts compared, and one built again elsewhere, by the command line."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, link_cache

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.builds import Tiny

pytestmark = pytest.mark.network


@pytest.fixture
def crossdock(tiny: Tiny, tmp_path: Path) -> Command:
    return Command(cache=link_cache(tiny.built, tmp_path / "cache"))


def edited(tiny: Tiny, folder: Path) -> Path:
    """The project with one line more."""
    project = tiny.copy(folder)
    module = project / "src" / "tiny" / "__init__.py"
    module.write_text(module.read_text() + "# more\n")
    return project


def test_what_an_edit_changes_is_told_and_nothing_else(tiny: Tiny, crossdock: Command, tmp_path: Path) -> None:
    project = edited(tiny, tmp_path / "project")
    assert crossdock.run("image", project, "--output", tmp_path / "new").code == 0
    told = crossdock.run("diff", tiny.layout, tmp_path / "new")
    assert told.code == 0
    assert "src" not in told.stdout
    assert told.stdout.count("layers: 0 added, 0 removed, 1 changed") == 2  # one for each platform
    assert told.stdout.count("tiny/__init__.py") == 2
    assert "  packages:" not in told.stdout

    found = json.loads(crossdock.run("diff", "--json", tiny.layout, tmp_path / "new").stdout)
    assert not found["same"]
    assert [item["reasons"] for item in found["differences"]] == [["2 files differ"]] * 2  # the module, and RECORD
    assert crossdock.run("diff", "--exit-code", tiny.layout, tmp_path / "new").code == 1
    assert crossdock.run("diff", "--exit-code", tiny.layout, tiny.layout).code == 0


def test_another_compression_is_why_digests_differ(tiny: Tiny, crossdock: Command, tmp_path: Path) -> None:
    made = crossdock.run(
        "image", tiny.copy(tmp_path / "project"), "--compression", "zstd", "--output", tmp_path / "zstd"
    )
    assert made.code == 0, made.stderr
    told = crossdock.run("diff", tiny.layout, tmp_path / "zstd").stdout
    assert "is the same archive, compressed in another way" in told
    assert "files:" not in told


def test_bundles_are_compared_too(tiny: Tiny, crossdock: Command, tmp_path: Path) -> None:
    paths = []
    for name, project in (("old", tiny.copy(tmp_path / "first")), ("new", edited(tiny, tmp_path / "second"))):
        made = crossdock.run("venv", project, "--target", "linux/arm64", "--output", tmp_path / f"{name}.tar.gz")
        assert made.code == 0, made.stderr
        paths.append(tmp_path / f"{name}.tar.gz")
    told = crossdock.run("diff", *paths).stdout
    assert "why: 2 files differ" in told
    assert "tiny/__init__.py" in told


def test_what_cannot_be_compared_is_an_error(tiny: Tiny, crossdock: Command, tmp_path: Path) -> None:
    (tmp_path / "text").write_text("x" * 1000)
    assert crossdock.run("diff", tiny.layout, tmp_path / "text").code == 92
    assert crossdock.run("diff", tiny.layout, tmp_path / "none").code == 92


def test_an_image_comes_out_the_same_elsewhere_with_nothing_kept(
    tiny: Tiny, crossdock: Command, tmp_path: Path
) -> None:
    project = tiny.copy(tmp_path / "project")
    done = crossdock.run("verify", tiny.layout, "--project", project, "--rebuild")
    assert done.code == 0, done.stderr + done.stdout
    assert {path.name for path in project.iterdir()} == {path.name for path in tiny.project.iterdir()}


def test_an_image_of_other_sources_is_refused_with_what_differs(tiny: Tiny, crossdock: Command, tmp_path: Path) -> None:
    project = edited(tiny, tmp_path / "project")
    done = crossdock.run("verify", tiny.layout, "--project", project, "--rebuild", "--json")
    assert done.code == 98, done.stderr
    found = [item for item in json.loads(done.stdout)["findings"] if item["code"] == "not-rebuilt"]
    assert len(found) == 2
    assert all(item["hint"] == "2 files differ" for item in found)


def test_a_bundle_is_built_again_by_the_command_that_is_named(tiny: Tiny, crossdock: Command, tmp_path: Path) -> None:
    project, path = tiny.copy(tmp_path / "project"), tmp_path / "env.tar.gz"
    command = ("venv", "--target", "linux/arm64")
    assert crossdock.run(command[0], project, *command[1:], "--output", path).code == 0
    verify = ("verify", path, "--project", project, "--target", "linux/arm64", "--rebuild")
    done = crossdock.run(*verify, " ".join(command))
    assert done.code == 0, done.stderr + done.stdout
    other = crossdock.run(*verify, " ".join((*command, "--prompt", "other")))
    assert other.code == 98, other.stderr + other.stdout


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--rebuild"], 2, "--rebuild is given without --project"),
        (["--project", "PROJECT", "--rebuild", "plan"], 2, "is no command that builds"),
        (["--project", "PROJECT", "--rebuild", "image --output x"], 2, "is no command that builds"),
        (["--project", "PROJECT", "--rebuild", "image --target linux/pdp11"], 90, "the architecture 'pdp11'"),
    ],
)
def test_what_cannot_be_built_again_is_an_error(
    tiny: Tiny, crossdock: Command, tmp_path: Path, options: list[str], code: int, said: str
) -> None:
    project = tiny.copy(tmp_path / "project")
    done = crossdock.run("verify", tiny.layout, *(str(project) if item == "PROJECT" else item for item in options))
    assert done.code == code, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr
