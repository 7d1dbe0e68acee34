"""The test that every team needs, on the example: an index whose arm64 image holds amd64 wheels fails, the right one
passes; by pytest, by `crossdock test`, for images and for bundles.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.builds import Command
from tests.support.mixedindex import mix

from crossdock.projects.project import load_project
from crossdock.services import Services
from crossdock.store import Store
from crossdock.testing import BuiltArtifact, assert_cross_compiled
from crossdock.testing.building import build_artifact

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.projects.test_settings import Kind

pytestmark = pytest.mark.network

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "hello_fastapi"
BOTH = ["linux/amd64", "linux/arm64"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project") / "hello_fastapi"
    shutil.copytree(EXAMPLE, folder, ignore=shutil.ignore_patterns("dist", "uv.lock", "__pycache__", ".venv"))
    return folder


@pytest.fixture(scope="module")
def services(shared_cache: Path) -> Services:
    return Services(store=Store(shared_cache))


@pytest.fixture(scope="module")
def image(project: Path, services: Services, tmp_path_factory: pytest.TempPathFactory) -> BuiltArtifact:
    """The example's image for both machines."""
    return build_artifact(load_project(project), "image", tmp_path_factory.mktemp("image"), services)


@pytest.fixture(scope="module")
def mixed(image: BuiltArtifact, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same, but its image for arm64 holds the wheels for amd64."""
    return mix(image.path, tmp_path_factory.mktemp("mixed") / "layout")


def refused(artifact: Path | BuiltArtifact, services: Services, **options: Any) -> str:
    with pytest.raises(AssertionError) as caught:
        assert_cross_compiled(artifact, services=services, **options)
    return str(caught.value)


def test_the_right_image_passes_and_what_was_looked_at_is_told(image: BuiltArtifact, services: Services) -> None:
    for artifact in (image, image.path):
        seen = assert_cross_compiled(artifact, package="pydantic-core", targets=BOTH, services=services)
        assert seen.packages == {platform: {"pydantic-core": 1} for platform in BOTH}
        assert seen.files > 1000
        assert min(seen.natives.values()) > 10
    assert assert_cross_compiled(image, services=services).packages.keys() == set(BOTH)


def test_what_the_lock_has_a_platforms_wheel_of_need_not_be_named(image: BuiltArtifact, services: Services) -> None:
    assert {str(platform): sorted(names) for platform, names in image.planned.items()} == {
        "linux/amd64": ["numpy", "pydantic-core"],
        "linux/arm64/v8": ["numpy", "pydantic-core"],
    }
    packages = assert_cross_compiled(image, services=services).packages
    for counts in packages.values():
        assert sorted(name for name, count in counts.items() if count) == ["numpy", "pydantic-core"]
    assert packages.keys() == set(BOTH)


def test_the_wrong_image_fails_naming_package_and_machine(mixed: Path, services: Services) -> None:
    text = refused(mixed, services, package="pydantic-core")
    assert "error [elf-machine] pydantic-core" in text
    assert "is an x86-64 ELF file" in text
    report = text.splitlines()
    assert report[0] == f"REFUSED: {mixed}"
    amd64, arm64 = report[2:4]
    assert amd64.startswith("linux/amd64")
    assert amd64.rstrip().endswith("ok")
    assert "REFUSED" in arm64


def test_a_package_that_is_absent_or_pure_fails(image: BuiltArtifact, services: Services) -> None:
    text = refused(image.path, services, packages=["pydantic-core", "pydantic-cores", "fastapi"])
    assert "[package-missing] pydantic-cores is not there" in text
    assert "did you mean 'pydantic-core'?" in text
    assert (
        "[native-missing] fastapi has no native file for linux/amd64, but it was named as one that is compiled" in text
    )
    assert "fastapi has no native file for linux/arm64" in text
    assert "pydantic-core has" not in text


def test_a_platform_that_is_wanted_and_not_there_fails(image: BuiltArtifact, services: Services) -> None:
    text = refused(image.path, services, package="numpy", targets=[*BOTH, "linux/ppc64le"])
    assert "there is no image for linux/ppc64le" in text


#: numpy's wheels need a newer glibc than the runtime for Python 3.11 has.
RUNTIMES = ["aws-lambda-python3.12/amd64", "aws-lambda-python3.12/arm64"]


@pytest.mark.parametrize(("kind", "targets"), [("pex", BOTH), ("lambda", RUNTIMES), ("venv", BOTH)])
def test_bundles_are_tested_alike(
    kind: Kind, targets: list[str], project: Path, services: Services, tmp_path: Path
) -> None:
    built = build_artifact(load_project(project), kind, tmp_path, services, targets=targets)
    seen = assert_cross_compiled(built, packages=["pydantic-core", "numpy"], services=services)
    assert seen.packages.keys() == set(BOTH)
    assert all(count for counts in seen.packages.values() for count in counts.values())
    for path, right, wrong in zip(built.paths, BOTH, reversed(BOTH), strict=True):
        assert_cross_compiled(path, package="pydantic-core", targets=[right], services=services)
        assert "pydantic-core" in refused(path, services, package="pydantic-core", targets=[wrong])


def settings(root: Path, **artifacts: Path) -> Path:
    lines = [
        f'[[tool.crossdock.test.cases]]\nname = "{name}"\nartifact = "{path}"\npackages = ["pydantic-core"]\n'
        for name, path in artifacts.items()
    ]
    (root / "pyproject.toml").write_text("".join(lines))
    return root


def test_crossdock_test_tells_the_right_from_the_wrong(
    image: BuiltArtifact, mixed: Path, shared_cache: Path, tmp_path: Path
) -> None:
    command = Command(cache=shared_cache)
    right = command.run("test", settings(tmp_path, right=image.path))
    assert right.code == 0, right.stdout
    assert right.stdout.splitlines()[-1] == "1 case: all passed"

    both = command.run(
        "test", settings(tmp_path, right=image.path, mixed=mixed), "--github", "--junit", tmp_path / "report.xml"
    )
    assert both.code == 91
    assert "REFUSED: mixed" in both.stdout
    assert "error [elf-machine] pydantic-core" in both.stdout
    assert "::error title=" in both.stdout
    assert (tmp_path / "report.xml").is_file()


def test_a_monorepos_root_names_its_apps_and_all_are_built(
    project: Path, image: BuiltArtifact, shared_cache: Path, tmp_path: Path
) -> None:
    assert image.name == "hello-fastapi"  # its build completed crossdock.lock
    shutil.copytree(project, tmp_path / "apps" / "hello", ignore=shutil.ignore_patterns("dist"))
    cases = [("hello image", "image", '["pydantic-core", "numpy"]'), ("hello pex", "pex", '["pydantic-core"]')]
    (tmp_path / "pyproject.toml").write_text(
        "".join(
            f'[[tool.crossdock.test.cases]]\nname = "{name}"\nproject = "apps/hello"\nkind = "{kind}"\n'
            f"packages = {packages}\n"
            for name, kind, packages in cases
        )
    )
    done = Command(cache=shared_cache).run("test", tmp_path, "--json", "--locked", "--keep", tmp_path / "kept")
    assert done.code == 0, done.stderr
    found = {case["name"]: case for case in json.loads(done.stdout)["cases"]}
    assert found["hello image"]["packages"].keys() == set(BOTH)
    assert found["hello pex"]["packages"] == {platform: {"pydantic-core": 1} for platform in BOTH}
    assert (tmp_path / "kept" / "hello-image" / "hello-fastapi_image" / "index.json").is_file()
    pexes = sorted(path.name for path in (tmp_path / "kept" / "hello-pex").iterdir())
    assert pexes == ["hello-fastapi_linux_amd64.pex", "hello-fastapi_linux_arm64.pex"]
    assert not (tmp_path / "apps" / "hello" / "dist").exists()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """crossdock as it is when it is installed, with its entry point for pytest."""
    folder = tmp_path_factory.mktemp("installed")
    command = ["uv", "pip", "install", "--quiet", "--no-deps", "--no-build-isolation", "--target", folder, ROOT]
    done = subprocess.run([sys.executable, "-m", *map(str, command)], capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run_pytest(installed: Path, shared_cache: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    def run(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
        environment = {**os.environ, "PYTHONPATH": str(installed), "CROSSDOCK_CACHE": str(shared_cache)}
        command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--rootdir", str(folder), *options]
        return subprocess.run(
            [*command, str(folder)], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
        )

    return run


TESTS = """
from crossdock.testing import assert_cross_compiled


def test_the_image(crossdock_build):
    built = crossdock_build("hello_fastapi", targets=["linux/amd64", "linux/arm64"])
    assert built is crossdock_build("hello_fastapi", targets=["linux/amd64", "linux/arm64"])
    seen = assert_cross_compiled(built, packages=["pydantic-core", "numpy"])
    assert seen.packages["linux/arm64"]["pydantic-core"] == 1


def test_a_mistake(crossdock_build):
    assert_cross_compiled(crossdock_build("hello_fastapi", targets=["linux/amd64", "linux/arm64"]), package="fastapi")


def test_no_project(crossdock_build):
    crossdock_build("nowhere")
"""


def test_the_plugin_is_there_where_crossdock_is_installed(
    project: Path, run_pytest: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]
    assert entry_points == {"pytest11": {"crossdock": "crossdock.testing.plugin"}}
    shutil.copytree(project, tmp_path / "hello_fastapi")
    (tmp_path / "test_cross.py").write_text(TESTS)
    done = run_pytest(tmp_path)
    assert "1 passed" in done.stdout, done.stdout + done.stderr
    assert "2 failed" in done.stdout
    assert "[native-missing] fastapi has no native file for linux/amd64" in done.stdout
    assert "There is no " in done.stdout
    # The message is all there is to see: no line of crossdock's own code.
    assert "crossdock/testing/asserting.py" not in done.stdout.partition("short test summary")[0]
