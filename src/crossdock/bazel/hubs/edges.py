"""What the packages of a lock need for a target: as the lock says, or where it does not, as their wheels do."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import UndefinedComparison, UndefinedEnvironmentName
from packaging.utils import canonicalize_name

from crossdock.errors import DownloadError
from crossdock.locks import Dependency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from packaging.requirements import Requirement

    from crossdock.bazel.hubs.activity import Activity
    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.bazel.hubs.metadata import Requires
    from crossdock.bazel.hubs.names import Names
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Lock, LockedFile
    from crossdock.services import Services

__all__ = ["Edges", "in_all", "locked_edges", "said_edges", "wheel_requires"]

#: By entry what it always needs (""), and what each of its extras adds.
Edges = dict[int, dict[str, list[Dependency]]]


def locked_edges(lock: Lock, activity: Activity) -> Edges:
    """Give the lock's own edges, of the entries that count."""
    found: Edges = {}
    for index in activity.nearness:
        package = lock.packages[index]
        found[index] = {"": activity.held(package.dependencies, index)}
        found[index] |= {extra: activity.held(edges, index) for extra, edges in package.extras.items()}
    return found


def wheel_requires(
    inputs: Inputs, files: Iterable[tuple[int, LockedFile]], services: Services
) -> Mapping[str, Requires]:
    """Read what wheels need, by their hashes.

    Raises:
        WheelError: A wheel is damaged.
        StoreError: A wheel cannot be read.
    """
    from crossdock.bazel.hubs.metadata import read_requires
    from crossdock.choosing.survey import find_files, index_config

    lock, project_lock = inputs.lock, inputs.project_lock
    wanted = {file.sha256: (file, index) for index, file in files}
    unplaced = {lock.packages[index] for file, index in wanted.values() if project_lock.location(file) is None}
    found = find_files(project_lock, unplaced, services) if unplaced else {}
    urls = {file.sha256: file.url for answer in found.values() for file in answer}
    places = {}
    for sha256, (file, _) in wanted.items():
        place = project_lock.location(file) or urls.get(sha256)
        if place is None:
            raise DownloadError(
                f"{file.filename} is on none of the indexes",
                why=f"{lock.path.name} does not say where it is, and no index has a file with its hash",
                hint="name the index that has it in the configuration of uv or pip",
            )
        places[sha256] = (file, place)
    return read_requires(places, services, index_config(inputs.project, lock.index_options))


def said_edges(
    lock: Lock,
    target: HubTarget,
    activity: Activity,
    names: Names,
    files: Mapping[int, LockedFile],
    requires: Mapping[str, Requires],
) -> Edges:
    """Give the edges that wheels tell, as far as they lead to entries that count.

    An extra counts if all that it adds is locked: the lock's tool has resolved the project's dependencies alone. See
    `in_all` for those that count for some targets. What the project's settings add is told by the lock's entries.
    """
    environment = target.target.environment
    found: Edges = {}
    for index in activity.nearness:
        said = requires[files[index].sha256] if index in files else None
        if said is None:
            found[index] = {}
            continue
        base = _holding(said.requires, "", environment)
        found[index] = {"": _dependencies(base, names) + activity.held(lock.packages[index].dependencies, index)}
        for extra in said.extras:
            added = [item for item in _holding(said.requires, extra, environment) if item not in base]
            if all(names.meant.get(canonicalize_name(item.name)) is not None for item in added):
                found[index][extra] = _dependencies(added, names)
    return found


def in_all(edges: Sequence[Edges]) -> list[Edges]:
    """Leave the extras that count wherever their package does: one that is there has to be all there."""
    whole: dict[int, set[str]] = {}
    for one in edges:
        for index, needs in one.items():
            # What has no wheel for a target tells nothing there, and is not used there.
            if needs:
                whole[index] = whole.get(index, set(needs)) & set(needs)
    return [
        {
            index: {extra: needs.get(extra, []) for extra in sorted({"", *whole.get(index, ())})}
            for index, needs in one.items()
        }
        for one in edges
    ]


def _holding(requires: Iterable[Requirement], extra: str, environment: Mapping[str, str]) -> list[Requirement]:
    """Give the requirements that hold with an extra; one that cannot be decided is taken, as the lock has decided."""
    found = []
    for item in requires:
        try:
            if item.marker is None or item.marker.evaluate({**environment, "extra": extra}, context="metadata"):
                found.append(item)
        except (UndefinedComparison, UndefinedEnvironmentName, ValueError):
            found.append(item)
    return found


def _dependencies(requires: Iterable[Requirement], names: Names) -> list[Dependency]:
    found = []
    for item in requires:
        name = canonicalize_name(item.name)
        index = names.meant.get(name)
        if index is not None:
            extras = tuple(sorted(canonicalize_name(extra) for extra in item.extras))
            found.append(Dependency(name=name, index=index, extras=extras))
    return found
