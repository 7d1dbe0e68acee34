"""How the containers of an image run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.oci.image import RunConfig
from crossdock.projects.entrypoint import resolve_entrypoint
from crossdock.steps.environment import APP, PREFIX, image_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from crossdock.plan import TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project

__all__ = ["run_config"]


def run_config(project: Project, part: TargetPlan, own: OwnWheel, scripts: Callable[[], Collection[str]]) -> RunConfig:
    """Decide how containers of one target's image run.

    Of the base, its environment variables, labels and stop signal stay as far as the project does not replace them.

    Args:
        project: Its settings.
        part: The target and its base.
        own: The project's wheel, with its scripts.
        scripts: Gives the names of the dependencies' console scripts; asked only when needed.

    Raises:
        EntrypointError: What to run is not decided, or not there.
    """
    config = project.config
    return RunConfig(
        entrypoint=resolve_entrypoint(project, f"/{PREFIX}", own.scripts, scripts),
        env={**image_environment(part.facts.env), **config.env},
        labels={**part.facts.labels, **config.labels},
        ports=config.ports,
        user=config.user or part.facts.user,
        working_dir=f"/{APP}",
        stop_signal=part.facts.stop_signal,
    )
