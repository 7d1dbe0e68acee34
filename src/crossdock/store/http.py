"""HTTP as package indexes and mirrors need it: TLS always checked, proxies, credentials, redirects and retries.

Redirects are followed here rather than by urllib3, because each step decides anew which credentials may be sent, and
because a step from https to http, or to anything that is not HTTP, is refused.
"""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from crossdock import __version__
from crossdock.errors import DownloadError, OfflineError
from crossdock.store.connections import Connections
from crossdock.store.credentials import Credentials
from crossdock.store.http_errors import reported, status_error, too_slow, unreadable
from crossdock.store.parallel import Cancellation
from crossdock.store.retries import TransientError, retrying
from crossdock.store.urls import origin, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from crossdock.store.config import IndexConfig
    from crossdock.store.keyring import Keyring

__all__ = ["FETCH_HINT", "HttpClient", "Response"]

T = TypeVar("T")

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = frozenset({200, 206})
_REFUSED = frozenset({401, 403})
# Whoever sends less, measured over the time-out, might as well be silent: at this rate a wheel takes days.
_SLOWEST_BYTES_PER_SECOND = 64
_CHUNK_BYTES = 1 << 17

#: What to do when something is needed and the network may not be used.
FETCH_HINT = "run `crossdock fetch` where there is a network first, or leave out --offline"


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """A successful answer whose body is still to be read.

    Attributes:
        url: Where it came from after redirects, without credentials.
        raw: urllib3's response; its errors become clear ones where they leave `HttpClient.open`.
        patience: Seconds after which a sender that has hardly sent anything is given up.
    """

    url: str
    raw: BaseHTTPResponse
    patience: float

    def chunks(self, *, decode: bool = False) -> Iterator[bytes]:
        """Read the body as it arrives.

        Args:
            decode: Undo the content encoding.

        Raises:
            TransientError: It arrives so slowly that it will never be whole.
        """
        waited, received = 0.0, 0
        while True:
            began = time.monotonic()
            chunk = self.raw.read1(_CHUNK_BYTES, decode_content=decode)
            if not chunk:
                return
            waited += time.monotonic() - began
            received += len(chunk)
            if waited > self.patience:
                if received < waited * _SLOWEST_BYTES_PER_SECOND:
                    raise TransientError(too_slow(self.url, received, waited))
                waited, received = 0.0, 0
            yield chunk


class HttpClient:
    """Sends GET requests; make one for a whole run, since it keeps connections open. Safe to use from many threads.

    Args:
        environ: Environment variables: CA bundle, proxies, netrc and time-outs are read from them.
        ca_bundle: A CA bundle to use when the environment names none, such as the one pip is configured with.
        trusted_urls: URLs whose userinfo may be sent to their own origin: those of the configured indexes.
        keyring: Whether the ``keyring`` program may be asked for passwords.
        offline: Whether every request is refused.
        retries: How often a failed request is sent again.
        backoff: Seconds before the first retry; doubled with each.

    Attributes:
        offline: Whether every request is refused.
    """

    def __init__(
        self,
        *,
        environ: Mapping[str, str] = os.environ,
        ca_bundle: str | None = None,
        trusted_urls: Iterable[str] = (),
        keyring: bool = False,
        offline: bool = False,
        retries: int = 4,
        backoff: float = 0.3,
    ) -> None:
        self.offline = offline
        self._connections = Connections(environ, ca_bundle=ca_bundle)
        self._credentials = Credentials(environ, trusted_urls, _keyring(environ) if keyring else None)
        self._retries = retries
        self._backoff = backoff

    @classmethod
    def for_config(
        cls, config: IndexConfig, *, environ: Mapping[str, str] = os.environ, offline: bool = False
    ) -> HttpClient:
        """Make a client that reads the indexes of a configuration as it says: credentials, keyring and CA bundle."""
        return cls(
            environ=environ,
            ca_bundle=config.ca_bundle,
            trusted_urls=config.urls(),
            keyring=config.keyring,
            offline=offline,
        )

    @contextlib.contextmanager
    def open(
        self, url: str, *, headers: Mapping[str, str] | None = None, cancellation: Cancellation | None = None
    ) -> Iterator[Response]:
        """Send one GET request and follow its redirects.

        Raises:
            TransientError: It failed in a way that may pass; `retrying` handles it.
            DownloadError: It failed for good. ``status`` is set if the server answered.
            OfflineError: The network may not be used.
            HttpConfigError: The CA bundle, the proxy or the netrc file cannot be used.
        """
        if self.offline:
            raise OfflineError(f"{redact(url)} is needed, and the network may not be used", hint=FETCH_HINT)
        from urllib3.exceptions import HTTPError

        cancellation = cancellation or Cancellation()
        with reported(url):
            response = self._follow(url, headers or {}, cancellation)
        try:
            with cancellation.waking(response.raw.shutdown):
                yield response
        except HTTPError as error:
            cancellation.check()
            raise TransientError(unreadable(url, error)) from error
        finally:
            response.raw.close()

    def retrying(self, operation: Callable[[], T], cancellation: Cancellation | None = None) -> T:
        """Call ``operation`` until it succeeds, with growing pauses, and raise its last error when it does not."""
        return retrying(
            operation, retries=self._retries, backoff=self._backoff, cancellation=cancellation or Cancellation()
        )

    def _follow(self, url: str, headers: Mapping[str, str], cancellation: Cancellation) -> Response:
        current = self._credentials.learn(url)
        for _ in range(MAX_REDIRECTS + 1):
            cancellation.check()
            raw = self._authorized(current, headers, cancellation)
            if raw.status in _REDIRECTS and "location" in raw.headers:
                raw.close()
                # Userinfo in a redirect is the server's idea of who we are, not the user's.
                following, _ = split_credentials(urljoin(current, raw.headers["location"]))
                _check_redirect(url, current, following)
                current = following
                continue
            if raw.status in _OK:
                return Response(url=current, raw=raw, patience=self._connections.read_timeout)
            raw.close()
            hint = self._credentials.advice(current) if raw.status in _REFUSED else ""
            raise status_error(current, raw.status, raw.headers.get("retry-after"), hint)
        raise DownloadError(f"cannot read {redact(url)}", why=f"it redirects more than {MAX_REDIRECTS} times")

    def _authorized(self, url: str, headers: Mapping[str, str], cancellation: Cancellation) -> BaseHTTPResponse:
        """Send a request with the credentials for its URL; a keyring is asked when the server wants some."""
        first = self._credentials.header_for(url, cancellation)
        raw = self._send(url, headers, first)
        if raw.status in _REFUSED:
            second = self._credentials.header_after_refusal(url, cancellation)
            if second is not None and second != first:
                raw.close()
                return self._send(url, headers, second)
        return raw

    def _send(self, url: str, headers: Mapping[str, str], authorization: str | None) -> BaseHTTPResponse:
        sent = {"User-Agent": f"crossdock/{__version__}", "Accept-Encoding": "identity", **headers}
        if authorization is not None:
            sent["Authorization"] = authorization
        return self._connections.manager(url).request(
            "GET",
            url.partition("#")[0],
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )


def _keyring(environ: Mapping[str, str]) -> Keyring:
    from crossdock.store.keyring import Keyring

    return Keyring(environ)


def _check_redirect(url: str, current: str, following: str) -> None:
    before, after = origin(current)[0], origin(following)[0]
    if after not in ("http", "https") or (before == "https" and after == "http"):
        raise DownloadError(
            f"cannot read {redact(url)}",
            why=f"it redirects from {before} to {redact(following)}",
            hint="name the index by the URL it redirects to, if you trust that one",
        )
