"""How the containers of an image run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.oci.image import RunConfig
from crossdock.projects.entrypoint import resolve_entrypoint
from crossdock.steps.environment import APP, PREFIX, image_environment

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from crossdock.lockfile.basefacts import BaseFacts
    from crossdock.plan import TargetPlan
    from crossdock.projects.config import Config
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project

__all__ = ["configured", "run_config"]


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
    entrypoint = resolve_entrypoint(project, f"/{PREFIX}", own.scripts, scripts)
    return configured(project.config, part.facts, image_environment(part.facts.env), entrypoint)


def configured(
    config: Config, facts: BaseFacts, environment: Mapping[str, str], entrypoint: tuple[str, ...]
) -> RunConfig:
    """Put the settings of an image over what its base has.

    Args:
        config: The settings.
        facts: What the base brings.
        environment: Environment variables, as far as the settings do not replace them.
        entrypoint: What runs.
    """
    return RunConfig(
        entrypoint=entrypoint,
        env={**environment, **config.env},
        labels={**facts.labels, **config.labels},
        ports=config.ports,
        user=config.user or facts.user,
        working_dir=f"/{APP}",
        stop_signal=facts.stop_signal,
    )
