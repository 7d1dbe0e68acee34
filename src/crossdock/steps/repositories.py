"""Repositories that packages are built from: each locked commit as one file, from which it is had without a network."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.sdists.hooks import scratch_folder
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.choosing.survey import ProjectLock
    from crossdock.locks import Selection
    from crossdock.services import Services

__all__ = ["fetch_repositories", "find_bundle", "given_bundle"]


def given_bundle(commit: str, services: Services) -> str | None:
    """Give the SHA-256 of a commit's bundle in the set of fetched files, if it has one."""
    return services.fetched.repositories.get(commit) if services.fetched is not None else None


def find_bundle(commit: str, services: Services) -> Path | None:
    """Give a commit's bundle, from the set of fetched files or as an earlier run made it; None if there is none.

    Raises:
        FetchedFilesError: The set does not have the file that it says it has.
        CacheFolderError: The store cannot be read or written.
    """
    store = services.store
    if (given := given_bundle(commit, services)) is not None:
        services.missing([given])
        return store.path(given)
    record = store.action(_key(commit))
    return store.find(str(record["sha256"])) if isinstance(record, dict) else None


def fetch_repositories(
    project_lock: ProjectLock, selections: Iterable[Selection], services: Services
) -> dict[str, str]:
    """Bring the commits that some selections are built from into the store, as bundles.

    Returns:
        The SHA-256 of each commit's bundle.

    Raises:
        RepositoryError: A repository cannot be read at the locked commit.
        FetchedFilesError: The set of fetched files does not have what it says it has.
        OfflineError: One would have to be cloned from the network, and that may not be used.
    """
    from crossdock.sdists.repository import make_bundle

    packages = [build.package for selection in selections for build in selection.builds]
    sources = {item.source.revision: item.source for item in packages if item.source.kind == "vcs"}
    base, bundles = project_lock.lock.path.parent, {}
    for commit, source in sorted(sources.items()):
        if (bundle := find_bundle(commit, services)) is not None:
            bundles[commit] = bundle.name  # as the store names it
            continue
        with scratch_folder() as scratch:
            folder = Path(tempfile.mkdtemp(dir=scratch))
            made = make_bundle(source.location, commit, folder, base=base, offline=services.offline)
            bundles[commit] = services.store.add_file(made)
        services.store.record(_key(commit), {"sha256": bundles[commit]})
    return bundles


def _key(commit: str) -> str:
    return action_key("git-bundle/1", commit=commit)
