"""``hub``: which wheel of a lock each target takes, and what every package needs there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.answers import answer
from crossdock.bazel.hubs.checking import RENEW, check_hub, kept_inputs, kept_parts, kept_targets, read_hub
from crossdock.bazel.hubs.digest import inputs_digest, is_complete
from crossdock.bazel.hubs.document import document
from crossdock.bazel.hubs.files import candidates_for
from crossdock.bazel.hubs.inputs import load_inputs, project_for
from crossdock.bazel.hubs.targets import hub_targets
from crossdock.errors import StaleHubError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from crossdock.projects.project import Project
    from crossdock.services import Services

__all__ = ["add_arguments", "hub_text", "make_hub", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--lock", required=True, type=Path)
    parser.add_argument("--project", type=Path, help="pyproject.toml")
    parser.add_argument("--target", action="append", default=[], help='"linux/arm64+glibc2.28 3.11"')
    parser.add_argument("--extra", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    wanted = parser.add_mutually_exclusive_group(required=True)
    wanted.add_argument("--out", type=Path)
    wanted.add_argument("--check", type=Path, help="what `crossdock bazel lock` wrote; fail if it is out of date")


def run(options: argparse.Namespace) -> int:
    """Write hub.json, or tell whether one is current."""
    from crossdock.services import Services
    from crossdock.store import Store
    from crossdock.store.files import reported, write_whole

    kept = read_hub(options.check) if options.check else None
    made = make_hub(
        options.lock,
        project_for(options.lock, options.project),
        options.target or kept_targets(kept or {}),
        Services(store=Store.default()),
        extras=options.extra or kept_parts(kept or {}, "extras"),
        groups=options.group or kept_parts(kept or {}, "groups"),
        kept=kept,
    )
    if kept is not None:
        check_hub(options.check, kept, made, options.lock)
        return 0
    with reported(options.out, option="--out"):
        write_whole(options.out, hub_text(made).encode())
    return 0


def make_hub(
    lock: Path,
    project: Project,
    targets: Sequence[str],
    services: Services,
    *,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    frozen: bool = False,
    kept: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Make the content of hub.json.

    Args:
        lock: The lock.
        project: What it is of.
        targets: Platform and Python of each target.
        services: What is asked for files that the lock has the hashes of alone, and for their metadata.
        extras: Extras that count, of those that exclude each other.
        groups: Dependency groups, likewise.
        frozen: Take the lock even if pyproject.toml was changed after it.
        kept: What was made before: given back if nothing has changed that it was made from, so that an index need not
            be asked to find that it is current.

    Raises:
        TargetError: A spelling names no target.
        LockError: The lock cannot be used.
        SelectionError: The lock is not for a target, or its parts exclude each other.
        StoreError: The index had to be asked, and gave no answer.
        StaleHubError: ``kept`` is older than the lock, and the index would have to be asked for more.
    """
    wanted = hub_targets(targets, project)
    inputs = load_inputs(lock, project, extras=extras, groups=groups, frozen=frozen)
    digest = None if is_complete(inputs.lock) else inputs_digest(inputs, wanted)
    if kept is not None and digest is not None:
        if kept_inputs(kept) == digest:
            return {**kept}
        raise StaleHubError(
            f"What was made from {lock} is older than it",
            why="packages, settings or targets of it were changed since",
            hint=RENEW,
        )
    found = answer(inputs, wanted, candidates_for(inputs, services), services)
    return document(inputs, found, digest)


def hub_text(made: dict[str, Any]) -> str:
    """Write the content of hub.json, always in the same way."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
