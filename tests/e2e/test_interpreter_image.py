"""Applications with a Python of their own: an archive's, or Debian's packages, over a base image that has none.

The archives are made of Debian's binaries in the layout of standalone Pythons; the base is mmdebstrap's.
"""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

import pytest
from tests.e2e import layouts
from tests.e2e.baseimages import LayoutWriter, debian_root
from tests.e2e.engines import MACHINES, Podman, Registry, require_machine
from tests.e2e.pushing import App, assert_refused, make_app
from tests.support.standalonepython import LIBRARIES, SUITE, Archive, make_archive

from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.builds import Tiny

pytestmark = [pytest.mark.engine, pytest.mark.network]

ARCHITECTURES = sorted(MACHINES)
PROBE = """
import ctypes, importlib.metadata, json, os, platform, sqlite3, ssl, sys, markupsafe._speedups
print(json.dumps({
    "version": platform.python_version(),
    "machine": platform.machine(),
    "uid": os.getuid(),
    "prefixes": [sys.prefix, sys.base_prefix],
    "executable": os.path.realpath(sys.executable),
    "compiled": markupsafe._speedups.__file__.startswith("/app/.venv/lib/python3.11/site-packages/"),
    "distributions": sorted(item.name.lower() for item in importlib.metadata.distributions()),
    "env": os.environ["FROM_BASE"],
}))
"""


@pytest.fixture(scope="module")
def archives(shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Archive]:
    """An archive for each architecture."""
    folder = tmp_path_factory.mktemp("archives")
    return {name: make_archive(Store(shared_cache), name, folder / name) for name in ARCHITECTURES}


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A base without Python, with the libraries that Debian's Python is linked to."""
    writer = LayoutWriter(tmp_path_factory.mktemp("base") / "layout")
    env = ["PATH=/usr/local/bin:/usr/bin:/bin", "FROM_BASE=kept", "PYTHONHOME=/nowhere"]
    roots = [debian_root(name, *LIBRARIES, suite=SUITE) for name in ARCHITECTURES]
    return writer.tag(writer.index([writer.image(root, Env=env, User="1234:1234") for root in roots]), "bare")


@pytest.fixture
def app(tiny: Tiny, base: str, tmp_path: Path) -> App:
    """The tiny project on that base, with its wheels in the cache and nothing locked for the base."""
    made = make_app(tiny, tmp_path)
    (made.project / "crossdock.lock").unlink(missing_ok=True)
    path = made.project / "pyproject.toml"
    path.write_text(path.read_text().replace('"debian:bookworm"', f'"{base}"'))
    return made


def bring(app: App, archives: dict[str, Archive], *architectures: str) -> None:
    """Set archives as interpreters: copied into the project, and named by paths relative to it."""
    lines = []
    for name in architectures:
        archive = archives[name]
        shutil.copy(archive.path, app.project)
        lines.append(f'"linux/{name}" = {{ path = "{archive.path.name}", sha256 = "{archive.sha256}" }}')
    with (app.project / "pyproject.toml").open("a") as file:
        file.write("\n".join(["\n[tool.crossdock.interpreter]", *lines, ""]))


def interpreter_layers(layout: Path) -> dict[str, list[str]]:
    """Digests of the layers that hold an interpreter, by platform."""
    found = {}
    for name, image in layouts.read_index(layout).images.items():
        kinds = [layer.get("annotations", {}).get("dev.crossdock.layer") for layer in image.manifest["layers"]]
        found[name] = [digest for digest, kind in zip(image.layer_digests, kinds, strict=True) if kind == "interpreter"]
    return found


def check_runs(podman: Podman, reference: str, architecture: str, *, version: str, home: str) -> None:
    require_machine(architecture)
    image = podman.pull(reference, architecture=architecture)
    assert podman.run(image).strip() == "tiny"
    assert json.loads(podman.run(image, "-W", "error", "-c", PROBE, entrypoint="/app/.venv/bin/python")) == {
        "version": version,
        "machine": MACHINES[architecture],
        "uid": 1234,
        "prefixes": ["/app/.venv", home],
        "executable": f"{home}/bin/python3.11",
        "compiled": True,
        "distributions": ["idna", "markupsafe", "tiny"],
        "env": "kept",
    }


@pytest.fixture(scope="module")
def reference(registry: Registry) -> str:
    return f"{registry.address}/team/own-python:1.0"


def test_an_archive_over_a_base_without_python_runs_on_both_machines(
    app: App, archives: dict[str, Archive], podman: Podman, reference: str
) -> None:
    bring(app, archives, *ARCHITECTURES)

    outcome = app.push(reference)

    assert outcome.code == 0, outcome.stderr
    for architecture in ARCHITECTURES:
        check_runs(podman, reference, architecture, version=archives[architecture].version, home="/opt/python")


def test_later_builds_give_the_same_and_share_the_interpreter(
    app: App, archives: dict[str, Archive], tmp_path: Path
) -> None:
    bring(app, archives, *ARCHITECTURES)
    first = app.image("--output", tmp_path / "first")
    locked = (app.project / "crossdock.lock").read_text()
    # Nothing is asked of the archives any more: what was made of them is in the cache.
    for archive in archives.values():
        (app.project / archive.path.name).unlink()

    again = app.image("--output", tmp_path / "again", "--locked", "--offline")
    app.edit()
    edited = app.image("--output", tmp_path / "edited", "--locked")

    assert again.digest == first.digest != edited.digest
    assert (app.project / "crossdock.lock").read_text() == locked
    layers = interpreter_layers(tmp_path / "first")
    assert sorted(len(digests) for digests in layers.values()) == [1, 1]
    assert interpreter_layers(tmp_path / "edited") == layers


def test_another_machine_builds_the_same_from_the_lock(
    app: App, archives: dict[str, Archive], tiny: Tiny, tmp_path: Path
) -> None:
    bring(app, archives, *ARCHITECTURES)
    first = app.image("--output", tmp_path / "first")
    other = make_app(tiny, tmp_path / "other")
    shutil.copytree(app.project, other.project, dirs_exist_ok=True)

    again = other.image("--output", tmp_path / "again", "--locked")

    assert again.digest == first.digest


def test_a_target_without_an_archive_has_no_python(app: App, archives: dict[str, Archive], tmp_path: Path) -> None:
    bring(app, archives, "amd64")

    assert_refused(app.image("--output", tmp_path / "layout"), 117, "Python")
    assert not (tmp_path / "layout").exists()
    alone = app.image("--output", tmp_path / "layout", "--target", "linux/amd64")
    assert alone.code == 0, alone.stderr


def test_the_archive_of_the_other_machine_is_refused(app: App, archives: dict[str, Archive], tmp_path: Path) -> None:
    bring(app, {"amd64": archives["arm64"]}, "amd64")

    assert_refused(app.image("--output", tmp_path / "layout", "--target", "linux/amd64"), 118, "linux/amd64", "aarch64")
    assert not (tmp_path / "layout").exists()


def test_debians_python_over_an_image_of_its_suite_runs(
    app: App, archives: dict[str, Archive], podman: Podman, registry: Registry
) -> None:
    host = next(oci for oci, machine in MACHINES.items() if machine == os.uname().machine)
    path = app.project / "pyproject.toml"
    path.write_text(path.read_text().replace("targets = [", f'interpreter = "debian:{SUITE}"\ntargets = ['))

    outcome = app.push(f"{registry.address}/team/debians-python:1.0")

    assert outcome.code == 0, outcome.stderr
    # Of the same packages.
    version = archives[host].version
    check_runs(podman, f"{registry.address}/team/debians-python:1.0", host, version=version, home="/usr")
