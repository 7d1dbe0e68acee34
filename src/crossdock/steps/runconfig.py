"""How the containers of an image run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.oci.image import RunConfig
from crossdock.projects.entrypoint import resolve_entrypoint
from crossdock.steps.environment import APP, PREFIX, image_environment

if TYPE_CHECKING:
    from crossdock.plan import TargetPlan
    from crossdock.projects.firstparty import OwnWheel
    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store

__all__ = ["run_config"]


def run_config(project: Project, part: TargetPlan, own: OwnWheel, store: Store) -> RunConfig:
    """Decide how containers of one target's image run.

    Args:
        project: Its settings.
        part: The target; its own wheels are where other scripts come from.
        own: The project's wheel, with its scripts.
        store: Holds the wheels.

    Raises:
        EntrypointError: What to run is not decided, or not there.
        WheelError: A wheel cannot be read.
    """
    config = project.config
    return RunConfig(
        entrypoint=resolve_entrypoint(project, f"/{PREFIX}", own.scripts, lambda: _scripts(part, store)),
        env={**image_environment(), **config.env},
        labels=config.labels,
        ports=config.ports,
        user=config.user or part.facts.user,
        working_dir=f"/{APP}",
    )


def _scripts(part: TargetPlan, store: Store) -> set[str]:
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.metadata import read_metadata

    names = set()
    for choice in part.selection.choices:
        with WheelArchive(store.path(choice.file.sha256), choice.file.filename) as archive:
            names |= {point.name for point in read_metadata(archive).entry_points}
    return names
