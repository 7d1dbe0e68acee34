"""The engines as fixtures; a test that asks for one that is missing is skipped, with the reason."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from tests.e2e import bazelrun, builds, engines
from tests.e2e import machines as small_machines
from tests.e2e import newer as newer_suite
from tests.support import registries

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def pytest_configure() -> None:
    """Heed Ctrl-C, which tests send: a shell lets its background jobs ignore it, and all that they start."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[engines.Registry]:
    """A real registry on a free port of the loopback interface, empty at first."""
    engines.require("docker-registry")
    with registries.running_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def referrers_registry(tmp_path: Path) -> Iterator[engines.Registry]:
    """A real registry that has the referrers API, empty at first."""
    program = newer_suite.newer_root() / "opt" / "referrers-registry"
    if not program.exists():
        pytest.skip(f"{program} is missing; run tests/support/setup-newer.sh")
    folder = tmp_path / "referrers-registry"
    folder.mkdir()
    with registries.running_referrers_registry(folder, program) as running:
        yield running


@pytest.fixture(scope="session")
def podman() -> Iterator[engines.Podman]:
    """podman with an empty storage of its own."""
    engines.require("podman", "runc")
    with engines.podman_storage() as ready:
        yield ready


@pytest.fixture(scope="session")
def skopeo() -> engines.Skopeo:
    """Copies and shows images."""
    engines.require("skopeo")
    return engines.Skopeo()


@pytest.fixture(scope="session")
def umoci() -> engines.Umoci:
    """Makes and unpacks images in layouts."""
    engines.require("umoci")
    return engines.Umoci()


@pytest.fixture
def newer(tmp_path: Path) -> newer_suite.Newer:
    """The programs of a newer Debian suite, with a home folder of the test's own."""
    home = tmp_path / "newer-home"
    home.mkdir()
    return newer_suite.newer_programs(home, "crane", "cosign", "oras", "skopeo", "umoci")


@pytest.fixture(scope="session")
def machines() -> small_machines.Machines:
    """Small machines of each architecture, with a Python, on which programs run without an image."""
    return small_machines.Machines()


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> builds.Tiny:
    """A small project for tests that need builds, but not the example."""
    return builds.make_tiny(tmp_path_factory.mktemp("tiny"), shared_cache)


@pytest.fixture(scope="session")
def monorepo(shared_cache: Path) -> Iterator[bazelrun.Workspace]:
    """A copy of the example monorepo, nothing of it built yet, and Bazel on it."""
    with bazelrun.workspace("monorepo", shared_cache) as ready:
        yield ready


@pytest.fixture(scope="session")
def built(monorepo: bazelrun.Workspace) -> bazelrun.Build:
    """The example monorepo, all of it built and tested once."""
    return monorepo.test("//...")
