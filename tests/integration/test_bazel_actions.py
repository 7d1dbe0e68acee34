"""The actions that Bazel's rules start, by hand: they give the images that ``crossdock image`` gives."""

from __future__ import annotations

import gzip
import io
import json
import os
import shutil
import tarfile
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command, lock_with_uv, write_files
from tests.e2e.daemons import programs
from tests.e2e.engines import MACHINES, podman_storage, require, require_machine
from tests.support.bazelactions import Actions, ImageFiles, Wheel, planned_wheels
from tests.support.registries import missing_children, running_registry

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.layers.grouping import Grouping

pytestmark = pytest.mark.network

PROJECT: Mapping[str, str] = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "Parity-App"
version = "1.0"
description = "Given twice"
license = "MIT"
requires-python = ">=3.11"
# Of each kind one: a large one, several small pure ones, a small one for each platform.
dependencies = ["idna==3.10", "markupsafe==3.0.2", "pydantic==2.11.7"]

[project.scripts]
parity = "parity_app:main"

[project.urls]
Source = "https://git.example/parity"

[tool.crossdock]
base = "debian:bookworm"
targets = ["linux/arm64", "linux/amd64"]
ports = [8000]
env = { ZEBRA = "1", ANT = "2" }
labels = { team = "one" }
""",
    "src/parity_app/__init__.py": "import pydantic\n\n\ndef main():\n    print(pydantic.VERSION)\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """A project that the command line built in both groupings, and what Bazel has of it.

    Attributes:
        project: Its folder.
        cache: Holds all that was downloaded or built.
        layouts: What the command line built, by grouping.
        wheels: Of the lock, by architecture.
        own: The project's own.
        bases: Folders that ``base`` wrote, by architecture.
        actions: Runs the actions; outputs are shared by tests as they are by applications.
    """

    project: Path
    cache: Path
    layouts: Mapping[str, Path]
    wheels: Mapping[str, list[Wheel]]
    own: Wheel
    bases: Mapping[str, Path]
    actions: Actions

    def image(self, architecture: str, grouping: Grouping) -> ImageFiles:
        """Make the project's image for an architecture."""
        layers = self.actions.layers(self.wheels[architecture], grouping)
        layers.append(self.actions.layer("own", [self.own], kind="project"))
        pyproject = self.project / "pyproject.toml"
        name = f"{architecture}-{grouping}"
        return self.actions.image(name, self.bases[architecture], layers, "--project", pyproject)


@pytest.fixture(scope="module")
def parity(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Parity:
    folder = tmp_path_factory.mktemp("parity")
    project = write_files(folder / "project", PROJECT)
    locked = lock_with_uv(project, folder / "locked")
    (project / "uv.lock").write_bytes((locked / "uv.lock").read_bytes())
    crossdock = Command(cache=shared_cache)
    layouts = {grouping: folder / grouping for grouping in ("wheel", "grouped")}
    for grouping, layout in layouts.items():
        built = crossdock.run("image", project, "--layers", grouping, "--output", layout, "-q")
        assert built.code == 0, built.stderr
    planned = crossdock.run("plan", project, "--json")
    assert planned.code == 0, planned.stderr
    actions = Actions(folder=folder / "actions", env={"CROSSDOCK_CACHE": str(folder / "no-cache")})
    actions.folder.mkdir()
    wheels = planned_wheels(json.loads(planned.stdout), shared_cache, folder / "wheels")
    of_base = replace(actions, env={"CROSSDOCK_CACHE": str(shared_cache)})
    where = ("--lock", project / "crossdock.lock", "--project", project / "pyproject.toml", "--offline")
    bases = {
        architecture: of_base.base(f"base-{architecture}", *where, "--platform", f"linux/{architecture}")
        for architecture in wheels
    }
    own = _own_wheel(layouts["wheel"], shared_cache, folder / "wheels")
    return Parity(
        project=project,
        cache=shared_cache,
        layouts=layouts,
        wheels=wheels,
        own=own,
        bases=bases,
        actions=actions,
    )


def _own_wheel(layout: Path, cache: Path, folder: Path) -> Wheel:
    """Take the project's own wheel from where the command line left it."""
    manifest = _blob(layout, _index(layout)["manifests"][0]["digest"])
    said = manifest["layers"][-1]["annotations"]
    [wheel] = json.loads(said["dev.crossdock.wheels"])
    history = _blob(layout, manifest["config"]["digest"])["history"][-1]["created_by"]
    path = folder / history.removeprefix("crossdock: ")
    path.symlink_to(cache / "blobs" / "sha256" / wheel["sha256"][:2] / wheel["sha256"])
    return Wheel(path=path, name=wheel["name"], version=wheel["version"], sha256=wheel["sha256"])


def _index(layout: Path) -> dict[str, Any]:
    return _blob(layout, json.loads((layout / "index.json").read_text())["manifests"][0]["digest"])


def _blob(layout: Path, digest: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((layout / "blobs" / digest.replace(":", "/")).read_text())
    return found


@pytest.mark.parametrize("grouping", ["wheel", "grouped"])
def test_the_image_is_that_of_the_command_line(parity: Parity, grouping: Grouping, tmp_path: Path) -> None:
    theirs = parity.layouts[grouping]
    images = [parity.image(architecture, grouping) for architecture in ("arm64", "amd64")]
    index = parity.actions.index(grouping, images)

    for image, entry in zip(images, _index(theirs)["manifests"], strict=True):
        assert json.loads(image.config.read_text()) == _blob(theirs, _blob(theirs, entry["digest"])["config"]["digest"])
        assert json.loads(image.manifest.read_text()) == _blob(theirs, entry["digest"])
        assert image.about["manifest"] == entry
    assert json.loads(index[0].read_text()) == _index(theirs)

    ours = tmp_path / "layout"
    tag = ("--tag", "parity-app:latest")
    parity.actions.run("layout", *parity.actions.passed(images, index), "--out", ours, *tag)
    assert _files(ours) == _files(theirs)


def _files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_groupings_differ_here(parity: Parity) -> None:
    manifests = [_blob(layout, _index(layout)["manifests"][0]["digest"]) for layout in parity.layouts.values()]
    counts = [len(manifest["layers"]) for manifest in manifests]
    # Base, environment, the project's own, and seven wheels; or a large one, all small pure ones, the platform's.
    assert counts == [10, 6]


def test_what_is_made_is_the_same_anywhere(parity: Parity, tmp_path: Path) -> None:
    first = parity.actions.layers(parity.wheels["arm64"], "grouped")
    other = Actions(folder=tmp_path, env={"TZ": "Pacific/Kiritimati", "LC_ALL": "C"})
    again = other.layers(list(reversed(parity.wheels["arm64"])), "grouped")
    for one, two in zip(first, again, strict=True):
        assert one.read_bytes() == two.read_bytes()
        assert one.with_suffix(".tar.gz").read_bytes() == two.with_suffix(".tar.gz").read_bytes()
        assert str(parity.actions.folder) not in one.read_text()


def test_nothing_is_written_of_an_image_that_is_not_what_it_says(parity: Parity, tmp_path: Path) -> None:
    layers = parity.actions.layers(parity.wheels["amd64"], "wheel")
    actions = replace(parity.actions, folder=tmp_path)
    arguments = actions.image_arguments("wrong", parity.bases["arm64"], layers)
    ended = actions.start("image", *arguments, "--main", "", "--settings", _settings(tmp_path, entrypoint=["python"]))
    assert ended.code == 91, ended.stderr
    assert "markupsafe 3.0.2: app/.venv/lib/python3.11/site-packages/markupsafe/_speedups" in ended.stderr
    assert list((tmp_path / "wrong").iterdir()) == []


def _settings(folder: Path, **settings: object) -> Path:
    path = folder / "settings.json"
    path.write_text(json.dumps(settings))
    return path


@pytest.fixture(scope="module")
def application(parity: Parity) -> ImageFiles:
    """An image of files, as rules make it without a pyproject.toml."""
    actions = parity.actions
    source = actions.folder / "main.py"
    source.write_text("import lib, pydantic\n\nprint(lib.NAME, pydantic.VERSION)\n")
    library = actions.folder / "lib.py"
    library.write_text("NAME = 'lib'\n")
    listing: dict[str, str | Path] = {
        "_main/app/main.py": source,
        "other~/lib.py": library,
        "_main/app/run.sh": f"{source}\tx",
    }
    files = actions.files("files", listing, "--import", "other~", "--python", "3.11")
    layers = [*actions.layers(parity.wheels["amd64"], "wheel"), files]
    settings = _settings(actions.folder, env={"B": "2"}, ports=[80], annotations={"example.key": "v"}, user="5:5")
    arguments = ("--main", "_main/app/main.py", "--settings", settings)
    return actions.image("application", parity.bases["amd64"], layers, *arguments)


def test_an_application_of_files_runs_its_main_file(parity: Parity, application: ImageFiles) -> None:
    config = json.loads(application.config.read_text())["config"]
    assert config["Entrypoint"] == ["/app/.venv/bin/python", "/app/runfiles/_main/app/main.py"]
    assert {"RUNFILES_DIR=/app/runfiles", "B=2"} <= set(config["Env"])
    assert (config["User"], config["ExposedPorts"]) == ("5:5", {"80/tcp": {}})
    manifest = json.loads(application.manifest.read_text())
    assert manifest["annotations"]["example.key"] == "v"
    assert manifest["annotations"]["org.opencontainers.image.title"] == "application"
    assert application.about["report"]["ok"]
    with tarfile.open(
        fileobj=io.BytesIO(gzip.decompress((parity.actions.folder / "files.tar.gz").read_bytes()))
    ) as tar:
        members = {member.name: member for member in tar}
        pth = tar.extractfile("app/.venv/lib/python3.11/site-packages/crossdock_runfiles.pth")
        assert pth is not None
        assert pth.read() == b"/app/runfiles/_main\n/app/runfiles/other~\n"
    assert members["app/runfiles/_main/app/run.sh"].mode == 0o755
    assert members["app/runfiles/_main/app/main.py"].mode == 0o644
    assert {(member.mtime, member.uid, member.gid) for member in members.values()} == {(0, 0, 0)}


def test_an_image_is_pushed_as_the_command_line_pushes(parity: Parity, application: ImageFiles, tmp_path: Path) -> None:
    images = [parity.image(architecture, "wheel") for architecture in ("arm64", "amd64")]
    index = parity.actions.index("pushed", images)
    tags = tmp_path / "tags"
    tags.write_text("two\nthree\n")
    with running_registry(tmp_path) as registry:
        repository = f"{registry.address}/team/parity"
        given = (*parity.actions.passed(images, index), "--repository", repository, "--tag", "one", "--tag-file", tags)
        said = parity.actions.run("push", *given, inherit=True)
        digest = json.loads(index[1].read_text())["digest"]
        assert said == f"{repository}@{digest}\n"
        assert sorted(registry.tags("team/parity")) == ["one", "three", "two"]
        assert missing_children(registry, "team/parity", "one") == []

        again = parity.actions.start("push", *given, inherit=True)
        assert "pushed 0 blobs" in again.stderr, again.stderr
        # One image alone, by digest: what it shares with the other is there.
        single = (*parity.actions.passed([application]), "--repository", f"{registry.address}/team/single", "--quiet")
        assert application.about["digest"] in parity.actions.run("push", *single, inherit=True)
        refused = parity.actions.start("push", *given[:-6], "--repository", f"{repository}:one", inherit=True)
        assert (refused.code, "is no repository alone" in refused.stderr) == (106, True)


def test_a_base_in_a_registry_is_that_of_the_command_line(
    parity: Parity, application: ImageFiles, tmp_path: Path
) -> None:
    with running_registry(tmp_path) as registry:
        below = f"{registry.address}/team/below"
        given = (*parity.actions.passed([application]), "--repository", below, "--tag", "1", "--quiet")
        parity.actions.run("push", *given, inherit=True)
        project = tmp_path / "project"
        shutil.copytree(parity.project, project, ignore=shutil.ignore_patterns("crossdock.lock"))
        settings = (project / "pyproject.toml").read_text()
        settings = settings.replace('"linux/arm64", ', "").replace("debian:bookworm", f"{below}:1")
        (project / "pyproject.toml").write_text(settings)
        crossdock = Command(cache=tmp_path / "cache")
        (tmp_path / "cache").mkdir()
        built = crossdock.run("image", project, "--layers", "wheel", "--output", tmp_path / "theirs", "-q")
        assert built.code == 0, built.stderr

        actions = Actions(folder=tmp_path / "actions", env={"CROSSDOCK_CACHE": str(tmp_path / "fresh")})
        actions.folder.mkdir()
        where = ("--lock", project / "crossdock.lock", "--project", project / "pyproject.toml")
        base = actions.base("base", *where, "--platform", "linux/amd64")
        layers = [*actions.layers(parity.wheels["amd64"], "wheel"), actions.layer("own", [parity.own], kind="project")]
        image = actions.image("image", base, layers, "--project", project / "pyproject.toml")
        assert image.about["manifest"] == _index(tmp_path / "theirs")["manifests"][0]
        annotations = json.loads(image.manifest.read_text())["annotations"]
        assert annotations["org.opencontainers.image.base.name"] == f"{below}:1"

        over = (*actions.passed([image]), "--repository", f"{registry.address}/team/over", "--tag", "1")
        said = actions.start("push", *over, inherit=True).stderr
        # The base's layers, wheels among them, are mounted. Config, the project's own layer, and the environment, which
        # hides that of the base, are not.
        assert "pushed 3 blobs" in said, said
        assert missing_children(registry, "team/over", "1") == []


@pytest.mark.engine
def test_images_are_loaded_and_run(parity: Parity, application: ImageFiles, tmp_path: Path) -> None:
    require("podman")
    foreign = next(oci for oci, machine in MACHINES.items() if machine != os.uname().machine)
    require_machine(foreign)
    with podman_storage() as podman:
        path = programs(tmp_path, podman=podman.command)
        actions = replace(parity.actions, env={"PATH": f"{path}:/usr/bin/nothing"})
        given = ("--tag", "localhost/application:1", "--engine", "podman")
        said = actions.run("load", *actions.passed([application]), *given, inherit=True)
        assert said == "localhost/application:1 (linux/amd64) is in podman\n"
        assert podman.run("localhost/application:1") == "lib 2.11.7\n"
        # The project's, on the other machine: its native wheel is the right one.
        image = parity.image(foreign, "wheel")
        actions.run("load", *actions.passed([image]), "--tag", "localhost/parity:1", inherit=True)
        assert podman.run("localhost/parity:1") == "2.11.7\n"


def test_a_docker_archive_is_that_of_the_command_line(parity: Parity, tmp_path: Path) -> None:
    image = parity.image("amd64", "grouped")
    parity.actions.run(
        "archive", *parity.actions.passed([image]), "--out", tmp_path / "ours.tar", "--tag", "parity-app:latest"
    )
    arguments = ("--target", "linux/amd64", "--docker-archive", tmp_path / "theirs.tar", "-q")
    built = Command(cache=parity.cache).run("image", parity.project, *arguments)
    assert built.code == 0, built.stderr
    assert (tmp_path / "ours.tar").read_bytes() == (tmp_path / "theirs.tar").read_bytes()


def test_a_base_by_its_name_is_that_of_the_project(parity: Parity, tmp_path: Path) -> None:
    actions = Actions(folder=tmp_path, env={"CROSSDOCK_CACHE": str(parity.cache)})
    where = ("--lock", parity.project / "crossdock.lock", "--base", "debian:bookworm", "--offline")
    base = actions.base("base", *where, "--platform", "linux/arm64")
    assert _files(base) == _files(parity.bases["arm64"])


def test_a_base_that_is_not_locked_is_named(parity: Parity, tmp_path: Path) -> None:
    actions = Actions(folder=tmp_path, env={"CROSSDOCK_CACHE": str(parity.cache)})
    where = ("--lock", parity.project / "crossdock.lock", "--base", "debian:trixie", "--out", tmp_path / "base")
    ended = actions.start("base", *where, "--platform", "linux/arm64", inherit=True)
    assert ended.code == 85
    assert "debian:bookworm for arm64" in ended.stderr
    assert "crossdock lock" in ended.stderr
    assert not (tmp_path / "base").exists()
