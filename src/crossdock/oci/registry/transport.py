"""Single HTTP requests to registries: no retries, no redirects, no credentials; those are decided above."""

from __future__ import annotations

import contextlib
import re
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from crossdock import __version__
from crossdock.errors import (
    DownloadError,
    HttpConfigError,
    OfflineError,
    RegistryConfigError,
    RegistryContentError,
    RegistryError,
)
from crossdock.oci.registry.certificates import certificate_folders, find_certificates
from crossdock.oci.registry.hosts import find_host, is_loopback
from crossdock.store.connections import Connections
from crossdock.store.http_errors import reported
from crossdock.store.retries import TransientError
from crossdock.store.urls import origin, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse, PoolManager, Timeout

    from crossdock.errors import CrossdockError
    from crossdock.store.connections import HostCertificates

__all__ = ["Body", "Transport", "check_redirect", "finish", "network_errors"]

# A registry may move gigabytes inside its storage before it says that an upload is complete.
_SLOWEST_ANSWER_SECONDS = 300.0
_SLOWEST_SEND_SECONDS = 60.0
_SLOWEST_CONNECT_SECONDS = 20.0
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]*(?::[0-9]{1,5})?")
_HINT = "check the network, the proxy settings and the name of the registry, then run the command again"
_TLS_HINT = (
    "if a private CA signs this registry, name its bundle in SSL_CERT_FILE, or put it into certs.d/HOST:PORT/ca.crt"
)
# What TLS says of a client that shows no certificate, or one that is not wanted (RFC 8446, 6.2).
_CLIENT_CERTIFICATE = re.compile(
    r"alert (?:bad certificate|certificate required|handshake failure|unknown ca)", re.IGNORECASE
)
_CLIENT_HINT = (
    "if the registry wants a client certificate, put it into certs.d/HOST:PORT/ as client.cert and client.key"
)
_MOST_LEFT = 1 << 16
_MOST_SECONDS_LEFT = 10.0


@dataclass(frozen=True, slots=True)
class Body:
    """What a request sends; can be sent again.

    Attributes:
        size: Bytes.
        pieces: Begins it anew.
    """

    size: int
    pieces: Callable[[], Iterator[bytes]]

    @classmethod
    def of(cls, data: bytes) -> Body:
        """Make a body of bytes."""
        return cls(len(data), lambda: iter((data,)))


class Transport:
    """Sends requests over shared connections. Safe to use from many threads.

    Args:
        environ: Environment variables: certificates, proxies and time-outs are found through them.
        ca_bundle: A CA bundle to use when the environment names none.
        offline: Whether every request is refused.

    Attributes:
        patience: Seconds after which a sender that has hardly sent anything is given up.
    """

    def __init__(self, environ: Mapping[str, str], *, ca_bundle: str | None = None, offline: bool = False) -> None:
        self._connections = Connections(environ, ca_bundle=ca_bundle, slowest_head_seconds=_SLOWEST_ANSWER_SECONDS)
        self._folders = certificate_folders(environ)
        self._certificates: dict[str, HostCertificates | None] = {}
        self._offline = offline
        self.patience = self._connections.read_timeout

    def check_online(self, what: str) -> None:
        """Raise OfflineError if the network may not be used."""
        if self._offline:
            raise OfflineError(
                what, why="the network may not be used", hint="leave out --offline, or run `crossdock fetch` before"
            )

    def send(
        self, method: str, url: str, *, what: str, headers: Mapping[str, str], body: Body | None = None
    ) -> BaseHTTPResponse:
        """Send one request; the answer's body is still to be read.

        Args:
            method: Such as GET.
            url: Where to.
            what: What fails if this fails.
            headers: Its headers.
            body: What it sends.

        Raises:
            TransientError: There is no answer, which may pass.
            RegistryError: There will be no answer.
            OfflineError: The network may not be used.
            HttpConfigError: The CA bundle or the proxy cannot be used.
            RegistryConfigError: A certificate cannot be used.
        """
        self.check_online(what)
        address = urlsplit(url).netloc
        sent = {"User-Agent": f"crossdock/{__version__}", "Accept-Encoding": "identity", **headers}
        writes = method not in ("GET", "HEAD")
        if writes:
            sent["Content-Length"] = str(body.size if body is not None else 0)
        manager = self._manager(url, address)
        with network_errors(what, url):
            return manager.request(
                method,
                url.partition("#")[0],
                headers=sent,
                body=body.pieces() if body is not None else None,
                redirect=False,
                retries=False,
                preload_content=False,
                decode_content=False,
                timeout=self._timeout(writes=writes),
            )

    def _timeout(self, *, writes: bool) -> Timeout:
        """Give the time-outs of a request: the first is also that of sending a piece of its body."""
        from urllib3 import Timeout

        if writes:
            return Timeout(connect=_SLOWEST_SEND_SECONDS, read=max(self.patience, _SLOWEST_ANSWER_SECONDS))
        return Timeout(connect=min(self.patience, _SLOWEST_CONNECT_SECONDS), read=self.patience)

    def _manager(self, url: str, address: str) -> PoolManager:
        if address not in self._certificates:
            # What is no plain name of a host must not become part of a path.
            names = find_host(address).aliases if _HOST.fullmatch(address) else ()
            self._certificates[address] = find_certificates(names, self._folders)
        certificates = self._certificates[address]
        try:
            return self._connections.manager(url, certificates=certificates, direct=is_loopback(address))
        except HttpConfigError as error:
            if certificates is None:
                raise
            raise RegistryConfigError(error.what, why=error.why, hint=error.hint) from None


@contextlib.contextmanager
def network_errors(what: str, url: str) -> Iterator[None]:
    """Turn the errors of a connection into a registry's."""
    try:
        with reported(url, hint=_HINT):
            yield
    except TransientError as failure:
        if not isinstance(failure.error, DownloadError):
            raise
        raise TransientError(_converted(what, url, failure.error), retry_after=failure.retry_after) from failure
    except DownloadError as error:
        raise _converted(what, url, error) from error


def _converted(what: str, url: str, error: CrossdockError) -> RegistryError:
    hint = _TLS_HINT if "SSL_CERT_FILE" in error.hint else error.hint
    if _CLIENT_CERTIFICATE.search(error.why):
        hint = _CLIENT_HINT
    return RegistryError(what, why=f"{redact(url)}: {error.why}", hint=hint)


def check_redirect(url: str, location: str, what: str) -> str:
    """Give the URL that an answer leads to.

    Args:
        url: What was asked for.
        location: The answer's ``Location``.
        what: What fails if this fails.

    Raises:
        RegistryContentError: It is no URL, or one that is less safe than the first.
    """
    try:
        # Userinfo in a redirect is the server's idea of who we are, not the user's.
        following, _ = split_credentials(urljoin(url, location))
        scheme = origin(following)[0]
        host = urlsplit(following).hostname
    except ValueError:
        raise RegistryContentError(what, why="the registry sends a location that is no URL") from None
    if not host or scheme not in ("http", "https") or (scheme == "http" and url.startswith("https:")):
        raise RegistryContentError(
            what,
            why=f"the registry leads from {redact(url)} to {redact(following)}, which is not HTTPS",
            hint="a registry behind a proxy that ends TLS must be told so: X-Forwarded-Proto, or relative URLs",
        )
    return following


def finish(response: BaseHTTPResponse) -> bytes:
    """Read what is left of an answer nobody waits for, so that its connection can be used again; return its begin."""
    from urllib3.exceptions import HTTPError

    data = bytearray()
    until = time.monotonic() + _MOST_SECONDS_LEFT
    with contextlib.suppress(HTTPError, OSError, ValueError):
        while len(data) < _MOST_LEFT and time.monotonic() < until:
            piece = response.read1(_MOST_LEFT)
            if not piece:
                response.release_conn()
                return bytes(data)
            data += piece
    response.close()
    return bytes(data)
