"""How registries are spoken to, as far as a user may decide it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import RegistryConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["PLAIN_HTTP_VARIABLE", "RegistrySettings"]

#: Hosts, with commas between them, that may be spoken to by plain HTTP.
PLAIN_HTTP_VARIABLE = "CROSSDOCK_PLAIN_HTTP"

_HOST = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrySettings:
    """Settings for all registries of a run.

    Attributes:
        plain_http: Hosts (with their port, as in references) to speak plain HTTP to; the loopback interface needs no
            mention.
        jobs: How many blobs are on their way at once.
        retries: How often a failed request is sent again.
        backoff: Seconds before the first retry; doubled with each.
        chunk_bytes: The most bytes of a blob to send in one request; 0 for all of them, which is the fastest and what
            every registry takes. A registry that finds a request too large is sent smaller ones without being told so.
    """

    plain_http: frozenset[str] = frozenset()
    jobs: int = 6
    retries: int = 5
    backoff: float = 0.3
    chunk_bytes: int = 0

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], *, plain_http: Iterable[str] = ()) -> RegistrySettings:
        """Read ``CROSSDOCK_PLAIN_HTTP``.

        Args:
            environ: Environment variables.
            plain_http: Further hosts that were asked for in another way.

        Raises:
            RegistryConfigError: Something in it is not a host.
        """
        named = [part.strip() for part in environ.get(PLAIN_HTTP_VARIABLE, "").split(",") if part.strip()]
        hosts = [*named, *plain_http]
        for host in hosts:
            if not _HOST.fullmatch(host):
                raise RegistryConfigError(
                    f"{host[:100]!r} is not the host of a registry",
                    why=f"it is in {PLAIN_HTTP_VARIABLE}" if host in named else "plain HTTP is asked for it",
                    hint="write HOST or HOST:PORT as in image references, without http://; commas between several",
                )
        return cls(plain_http=frozenset(host.lower() for host in hosts))
