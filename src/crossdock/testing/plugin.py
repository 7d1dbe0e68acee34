"""The pytest plugin: fixtures that build what is tested once per session, and the options they have.

pytest loads it wherever crossdock is installed. Nothing of crossdock is imported before a test asks for a fixture.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from crossdock.projects.test_settings import Kind
    from crossdock.services import Services
    from crossdock.testing.building import BuiltArtifact

__all__ = ["crossdock_build", "crossdock_services"]


@pytest.fixture(scope="session")
def crossdock_services() -> Services:
    """The cache and the network that `crossdock_build` uses: the user's own. Override it to use others."""
    from crossdock.testing.asserting import default_services

    return default_services()


@pytest.fixture(scope="session")
def crossdock_build(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, crossdock_services: Services
) -> Callable[..., BuiltArtifact]:
    """A function that builds a project, each artifact once per session; see docs/testing.md.

    ``crossdock_build(project=".", kind="image", targets=(), locked=False)``: the project's folder, relative to pytest's
    root; ``image``, ``pex``, ``lambda`` or ``venv``; targets in place of the settings'; whether ``crossdock.lock`` has
    to be complete. It gives a `crossdock.testing.BuiltArtifact`, and fails the test with crossdock's own message if the
    build is refused.
    """
    known: dict[tuple[object, ...], BuiltArtifact | str] = {}

    def build(
        project: str | Path = ".", kind: Kind = "image", targets: Sequence[str] = (), *, locked: bool = False
    ) -> BuiltArtifact:
        __tracebackhide__ = True
        folder = (pytestconfig.rootpath / project).resolve()
        wanted = (targets,) if isinstance(targets, str) else tuple(targets)
        key = (folder, kind, wanted, locked)
        if key not in known:
            known[key] = _build(folder, kind, wanted, tmp_path_factory, crossdock_services, locked=locked)
        built = known[key]
        if isinstance(built, str):
            pytest.fail(built, pytrace=False)
        return built

    return build


def _build(
    folder: Path,
    kind: Kind,
    targets: tuple[str, ...],
    tmp_path_factory: pytest.TempPathFactory,
    services: Services,
    *,
    locked: bool,
) -> BuiltArtifact | str:
    """Build; or give the message of why that did not go well, for each test that asks for it."""
    from crossdock.errors import ArtifactRefusedError, CrossdockError
    from crossdock.projects.project import load_project
    from crossdock.testing.asserting import readable
    from crossdock.testing.building import build_artifact

    try:
        project = load_project(folder)
        out = tmp_path_factory.mktemp(f"crossdock-{project.name}-{kind}")
        return build_artifact(project, kind, out, services, targets=targets, locked=locked)
    except ArtifactRefusedError as error:
        return error.report.to_text()
    except CrossdockError as error:
        return readable(str(error))
