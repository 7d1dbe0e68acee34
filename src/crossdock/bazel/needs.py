"""What a project itself needs, which `deps` of its rule have to bring: no lock has decided that they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.errors import BazelInputError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.projects.project import Project
    from crossdock.targets import Target

__all__ = ["check_needs"]


def check_needs(project: Project, requires: Iterable[str], names: Iterable[str], target: Target) -> None:
    """Check that all distributions that a project's own wheel requires are there, whatever their versions.

    Args:
        project: The project.
        requires: Requires-Dist of its wheel.
        names: Names of all that is installed.
        target: What it is built for.

    Raises:
        BazelInputError: One is not.
    """
    there = {*map(canonicalize_name, names), *project.config.waived}
    missing = sorted({item.name for item in _under(requires, target) if canonicalize_name(item.name) not in there})
    if missing:
        wanted = ", ".join(missing)
        raise BazelInputError(
            f"{project.name} requires {wanted} on {target}, and none of the wheels that are given is that",
            why="what is built of a py_project has what its `deps` bring, and no more",
            hint=f"add {wanted} to its deps; or @…//:project of the lock's repository, which is all that it needs",
        )


def _under(requires: Iterable[str], target: Target) -> Iterator[Requirement]:
    environment = {**target.environment, "extra": ""}
    for text in requires:
        try:
            requirement = Requirement(text)
            if requirement.marker is None or requirement.marker.evaluate(environment):
                yield requirement
        except (InvalidRequirement, UndefinedComparison, UndefinedEnvironmentName):
            continue  # what cannot be read can name nothing
