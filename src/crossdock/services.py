"""What planning and building reach out to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Registries, Repository
    from crossdock.steps.fetched import FetchedSet
    from crossdock.store.blobs import Store
    from crossdock.store.config import IndexConfig
    from crossdock.store.http import HttpClient
    from crossdock.store.progress import Progress

__all__ = ["Services"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The parts of the world that a run uses.

    Attributes:
        store: Where files and records of finished work are kept.
        progress: What draws how far downloads are; None draws nothing.
        jobs: How much is done at once.
        offline: Whether the network may not be used.
        fetched: Files that `crossdock fetch` wrote, looked at before any network.
        warn: Told what a user should know but need not act on.
    """

    store: Store
    progress: Progress | None = None
    jobs: int = 4
    offline: bool = False
    fetched: FetchedSet | None = None
    warn: Callable[[str], None] = lambda _: None
    _registries: list[Registries] = field(default_factory=list, repr=False, compare=False)

    def http(self, config: IndexConfig | None = None) -> HttpClient:
        """Make a client that sends an index's credentials to that index alone."""
        from crossdock.store.http import HttpClient

        if config is None:
            return HttpClient(offline=self.offline)
        return HttpClient.for_config(config, offline=self.offline)

    def repository(self, reference: Reference) -> Repository:
        """Give the repository of a reference; all of a run share connections, credentials and tokens.

        Raises:
            RegistryConfigError: The environment's settings for registries cannot be used.
        """
        from crossdock.oci.registry import Registries

        if not self._registries:
            self._registries.append(Registries(offline=self.offline))
        return self._registries[0].repository(reference)

    def missing(self, sha256s: Iterable[str]) -> set[str]:
        """Copy what the set of fetched files has into the store, and say what is still missing there.

        Raises:
            FetchedFilesError: A file is not what the set says.
            CacheFolderError: The store cannot be read or written.
        """
        wanted = set(sha256s)
        if self.fetched is not None:
            self.fetched.supply(self.store, sorted(wanted))
        return {sha256 for sha256 in wanted if self.store.find(sha256) is None}
