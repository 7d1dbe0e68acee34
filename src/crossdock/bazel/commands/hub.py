"""``hub``: which wheel of a lock each target takes, and what every package needs there."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.answers import answer, answer_again
from crossdock.bazel.hubs.checking import check_hub
from crossdock.bazel.hubs.digest import inputs_digest
from crossdock.bazel.hubs.document import document
from crossdock.bazel.hubs.files import candidates_for
from crossdock.bazel.hubs.inputs import load_inputs, project_for, with_overrides
from crossdock.bazel.hubs.keeping import RENEW, Kept, read_hub
from crossdock.bazel.hubs.targets import hub_targets
from crossdock.errors import StaleHubError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crossdock.projects.project import Project
    from crossdock.services import Services

__all__ = ["add_arguments", "hub_text", "make_hub", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--lock", required=True, type=Path)
    parser.add_argument("--project", type=Path, help="pyproject.toml")
    parser.add_argument("--target", action="append", default=[], help='"linux/arm64+glibc2.28 3.11"')
    parser.add_argument("--python", help="Python of targets that name none")
    parser.add_argument("--overrides", type=Path, help="JSON: for names of packages what pyproject.toml could set")
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

    kept = read_hub(options.check) if options.check else Kept({})
    targets = options.target or kept.targets
    if options.check and not targets:
        raise StaleHubError(f"{options.check} names no targets", hint=RENEW)
    project = project_for(options.lock, options.project)
    made = make_hub(
        options.lock,
        with_overrides(project, options.overrides) if options.overrides else project,
        targets,
        Services(store=Store.default()),
        python=options.python,
        extras=options.extra or kept.parts("extras"),
        groups=options.group or kept.parts("groups"),
        kept=kept if options.check else None,
    )
    if options.check:
        check_hub(options.check, kept.document, made, options.lock)
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
    python: str | None = None,
    extras: Sequence[str] = (),
    groups: Sequence[str] = (),
    frozen: bool = False,
    kept: Kept | None = None,
) -> dict[str, Any]:
    """Make the content of hub.json.

    Args:
        lock: The lock.
        project: What it is of.
        targets: Platform and Python of each target.
        services: What is asked for files that the lock has the hashes of alone, and for their metadata.
        python: Python of targets that name none; None for that of the project, or else the flag's default.
        extras: Extras that count, of those that exclude each other.
        groups: Dependency groups, likewise.
        frozen: Take the lock even if pyproject.toml was changed after it.
        kept: What was made before, for a lock that does not tell everything: no index is asked, but only what is
            there already taken, if nothing has changed that it was made from.

    Raises:
        TargetError: A spelling names no target.
        LockError: The lock cannot be used.
        SelectionError: The lock is not for a target, or its parts exclude each other.
        StoreError: The index had to be asked, and gave no answer.
        StaleHubError: ``kept`` is older than the lock, and the index would have to be asked for more.
    """
    wanted = hub_targets(targets, project, python)
    inputs = load_inputs(lock, project, extras=extras, groups=groups, frozen=frozen)
    digest = None if inputs.is_told else inputs_digest(inputs, wanted)
    if kept is None or digest is None:
        found = answer(inputs, wanted, candidates_for(inputs, services), services)
    elif kept.inputs == digest:
        found = answer_again(inputs, wanted, kept)
    else:
        raise StaleHubError(
            f"What was made from {lock} is older than it",
            why="packages, settings or targets of it were changed since",
            hint=RENEW,
        )
    return document(inputs, found, digest)


def hub_text(made: dict[str, Any]) -> str:
    """Write the content of hub.json, always in the same way."""
    return json.dumps(made, indent=1, sort_keys=True, ensure_ascii=False) + "\n"
