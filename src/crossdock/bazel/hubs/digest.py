"""What a hub is made from, as one hash: where an index was asked as well, that alone tells offline what is current."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.document import VERSION
from crossdock.bazel.hubs.edges import has_graph
from crossdock.store.actions import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Dependency, Lock, Package

__all__ = ["inputs_digest", "is_complete"]


def is_complete(lock: Lock) -> bool:
    """Say whether a lock tells everything that a hub holds: the names of files, and what needs what."""
    return has_graph(lock) and not any(package.hashes for package in lock.packages)


def inputs_digest(inputs: Inputs, targets: Sequence[HubTarget]) -> str:
    """Hash everything that decides on a hub, but for what only an index knows of the same hashes."""
    lock, parts = inputs.lock, inputs.project_lock.parts
    overrides = inputs.project.config.overrides.values()
    value: dict[str, Any] = {
        "version": VERSION,
        "format": lock.format,
        "packages": [_package(package) for package in lock.packages],
        "roots": _edges(lock.roots),
        "optional": {name: _edges(edges) for name, edges in lock.optional.items()},
        "groups": {name: _edges(edges) for name, edges in lock.groups.items()},
        "parts": [list(parts.extras), list(parts.groups), list(inputs.asked_extras), list(inputs.asked_groups)],
        "targets": [
            [item.key, item.target.environment, [str(tag) for tag in item.target.given_tags or ()]]
            for item in sorted(targets, key=lambda item: item.key)
        ],
        "settings": sorted([item.name, bool(item.exclude), bool(item.patches)] for item in overrides),
    }
    return hashlib.sha256(canonical_json(value)).hexdigest()


def _package(package: Package) -> list[Any]:
    return [
        package.name,
        package.version,
        package.source.kind,
        sorted(package.hashes),
        [[file.filename, file.sha256] for file in package.files],
        package.from_source,
        package.requires_python,
        _edges(package.dependencies),
        {name: _edges(edges) for name, edges in package.extras.items()},
    ]


def _edges(edges: Iterable[Dependency]) -> list[Any]:
    return [[edge.name, edge.index, edge.marker, list(edge.extras)] for edge in edges]
