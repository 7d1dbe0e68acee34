"""Where a registry is: its name in references is not always the host that answers, nor the name credentials go by."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass

from crossdock.oci.reference import DEFAULT_REGISTRY

__all__ = ["Host", "find_host", "is_loopback"]

_DEFAULT_HOST = "registry-1.docker.io"
# All mean the same registry; the first is what docker and its helpers keep its credentials under.
_DEFAULT_KEY = "https://index.docker.io/v1/"
_DEFAULT_NAMES = frozenset({DEFAULT_REGISTRY, "index.docker.io", _DEFAULT_HOST})


@dataclass(frozen=True, slots=True)
class Host:
    """A registry.

    Attributes:
        name: As in references, lower case.
        address: Host and port that requests go to.
        helper_key: What credential helpers know it by.
        aliases: What files of credentials and folders of certificates may call it.
    """

    name: str
    address: str
    helper_key: str
    aliases: tuple[str, ...]


def find_host(registry: str) -> Host:
    """Tell where the registry of a reference is."""
    name = registry.lower()
    if name in _DEFAULT_NAMES:
        aliases = (DEFAULT_REGISTRY, "index.docker.io", _DEFAULT_HOST)
        return Host(DEFAULT_REGISTRY, _DEFAULT_HOST, _DEFAULT_KEY, aliases)
    return Host(name, name, name, (name,))


def is_loopback(address: str) -> bool:
    """Say whether HOST[:PORT] is this machine itself, whose connections nobody else can read."""
    host = address.rpartition("]")[0].removeprefix("[") if address.startswith("[") else address.partition(":")[0]
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
