"""Hashes that tell offline whether a hub is current that an index has helped to make: of its inputs, and of itself."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.places import relative_path, shown_url
from crossdock.store.actions import canonical_json
from crossdock.store.urls import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from crossdock.bazel.hubs.inputs import Inputs
    from crossdock.bazel.hubs.targets import HubTarget
    from crossdock.locks import Dependency, Lock, Package

__all__ = ["content_digest", "inputs_digest"]

#: Of the way it is hashed.
_VERSION = 2


def inputs_digest(inputs: Inputs, targets: Sequence[HubTarget]) -> str:
    """Hash everything that decides on a hub, but for what only an index knows of the same hashes."""
    lock, parts = inputs.lock, inputs.project_lock.parts
    overrides = inputs.project.config.overrides.values()
    value: dict[str, Any] = {
        "version": _VERSION,
        "lock": _lock(lock),
        "packages": [_package(package, lock.path) for package in lock.packages],
        "roots": _edges(lock.roots),
        "optional": {name: _edges(edges) for name, edges in lock.optional.items()},
        "groups": {name: _edges(edges) for name, edges in lock.groups.items()},
        "parts": [
            list(parts.extras),
            list(parts.groups),
            parts.include_project,
            list(inputs.asked_extras),
            list(inputs.asked_groups),
        ],
        "targets": [
            [item.key, item.target.environment, [str(tag) for tag in item.target.given_tags or ()]]
            for item in sorted(targets, key=lambda item: item.key)
        ],
        "settings": sorted([item.name, bool(item.exclude), bool(item.patches)] for item in overrides),
    }
    return hashlib.sha256(canonical_json(value)).hexdigest()


def content_digest(made: Mapping[str, Any]) -> str:
    """Hash what a hub says, but for this hash, which it holds as well."""
    lock = {key: value for key, value in made["lock"].items() if key != "content"}
    return hashlib.sha256(canonical_json({**made, "lock": lock})).hexdigest()


def _lock(lock: Lock) -> list[Any]:
    options = lock.index_options
    places = [options.index_url, *options.extra_index_urls, *options.find_links]
    return [
        lock.format,
        lock.path.name,
        lock.project,
        lock.requires_python,
        list(lock.environments),
        list(lock.default_groups),
        [place and redact(place) for place in places],
        [len(options.extra_index_urls), options.no_index],
        sorted(sorted(map(list, one)) for one in lock.conflicts),
    ]


def _package(package: Package, lock: Path) -> list[Any]:
    source = package.source
    web = "://" in source.location
    return [
        package.name,
        package.version,
        [source.kind, redact(source.location) if web else relative_path(source.location, lock)],
        [source.revision, source.subdirectory],
        sorted(package.hashes),
        [
            [file.filename, file.sha256, file.size, shown_url(file.url), relative_path(file.path, lock)]
            for file in package.files
        ],
        package.from_source,
        package.requires_python,
        _edges(package.dependencies),
        {name: _edges(edges) for name, edges in package.extras.items()},
    ]


def _edges(edges: Iterable[Dependency]) -> list[Any]:
    return [[edge.name, edge.index, edge.marker, list(edge.extras)] for edge in edges]
