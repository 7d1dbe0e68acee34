"""All registries of a run."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

from crossdock.oci.registry.client import Client
from crossdock.oci.registry.credentials import CredentialFinder
from crossdock.oci.registry.hosts import find_host
from crossdock.oci.registry.repository import Repository
from crossdock.oci.registry.settings import RegistrySettings
from crossdock.oci.registry.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.oci.reference import Reference
    from crossdock.oci.registry.hosts import Host

__all__ = ["Registries"]


class Registries:
    """Hands out repositories, which share connections, credentials and tokens. Safe to use from many threads.

    Args:
        settings: How registries are spoken to; what ``environ`` says if left out.
        offline: Whether every request is refused.
        environ: Environment variables: credentials, certificates, proxies and time-outs are found through them.
        ca_bundle: A CA bundle to use when the environment names none.

    Attributes:
        settings: How registries are spoken to.

    Raises:
        RegistryConfigError: ``settings`` is left out, and the environment's cannot be used.
    """

    def __init__(
        self,
        settings: RegistrySettings | None = None,
        *,
        offline: bool = False,
        environ: Mapping[str, str] = os.environ,
        ca_bundle: str | None = None,
    ) -> None:
        self.settings = settings or RegistrySettings.from_environ(environ)
        self._transport = Transport(environ, ca_bundle=ca_bundle, offline=offline)
        self._finder = CredentialFinder(environ)
        self._clients: dict[Host, Client] = {}
        self._lock = threading.Lock()

    def repository(self, reference: Reference) -> Repository:
        """Give the repository of a reference; nothing is asked of the registry yet."""
        host = find_host(reference.registry)
        with self._lock:
            if host not in self._clients:
                self._clients[host] = Client(host, self._transport, self._finder, self.settings)
            return Repository(self._clients[host], reference.repository, reference.version)
