"""HTTP as package indexes and mirrors need it: TLS always checked, proxies, credentials, redirects and retries.

Redirects are followed here rather than by urllib3, because each step decides anew which credentials may be sent, and
because a step from https to http, or to anything that is not HTTP, is refused.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin, urlsplit

from crossdock import __version__
from crossdock.errors import DownloadError, HttpConfigError, OfflineError
from crossdock.store.credentials import Credentials, basic_authorization
from crossdock.store.http_errors import reported, status_error, too_slow, unreadable
from crossdock.store.parallel import Cancellation
from crossdock.store.retries import TransientError, retry_delay
from crossdock.store.urls import origin, redact, scrub, split_credentials

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from urllib3 import BaseHTTPResponse, PoolManager

    from crossdock.store.config import IndexConfig
    from crossdock.store.keyring import Keyring

__all__ = ["FETCH_HINT", "HttpClient", "Response"]

T = TypeVar("T")

MAX_REDIRECTS = 10
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_OK = frozenset({200, 206})
_REFUSED = frozenset({401, 403})
_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_TIMEOUT_VARIABLES = ("UV_HTTP_TIMEOUT", "PIP_DEFAULT_TIMEOUT")
_READ_TIMEOUT_SECONDS = 60.0
_CONNECT_TIMEOUT_SECONDS = 20.0
_CONNECTIONS_PER_HOST = 16
# The head of an answer may take two: one until it begins, one for the rest.
_HEAD_TIMEOUTS = 2
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
        self._environ = environ
        self._ca_bundle = ca_bundle
        self._credentials = Credentials(environ, trusted_urls, _keyring(environ) if keyring else None)
        self._retries = retries
        self._backoff = backoff
        self._managers: dict[str, PoolManager] = {}
        self._lock = threading.Lock()

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
        cancellation = cancellation or Cancellation()
        attempt = 0
        while True:
            try:
                return operation()
            except TransientError as failure:
                # A bad line that lets a good part through each time gets a large file in the end.
                attempt = 0 if failure.progressed else attempt
                delay = retry_delay(attempt, asked=failure.retry_after, backoff=self._backoff)
                if attempt >= self._retries or delay is None:
                    raise failure.error from failure.__cause__
            attempt += 1
            cancellation.wait(delay)

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
                return Response(url=current, raw=raw, patience=_read_timeout(self._environ))
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
        return self._manager(url).request(
            "GET",
            url.partition("#")[0],
            headers=sent,
            redirect=False,
            retries=False,
            preload_content=False,
            decode_content=False,
        )

    def _manager(self, url: str) -> PoolManager:
        proxy = _proxy_for(url, self._environ)
        with self._lock:
            if proxy not in self._managers:
                self._managers[proxy] = self._make_manager(proxy)
            return self._managers[proxy]

    def _make_manager(self, proxy: str) -> PoolManager:
        from crossdock.store.patience import limit_head

        manager = self._plain_manager(proxy)
        limit_head(manager, _HEAD_TIMEOUTS * _read_timeout(self._environ))
        return manager

    def _plain_manager(self, proxy: str) -> PoolManager:
        from urllib3 import PoolManager, ProxyManager, Timeout
        from urllib3.exceptions import HTTPError

        seconds = _read_timeout(self._environ)
        timeout = Timeout(connect=min(seconds, _CONNECT_TIMEOUT_SECONDS), read=seconds)
        context = _tls_context(self._environ, self._ca_bundle)
        if not proxy:
            return PoolManager(maxsize=_CONNECTIONS_PER_HOST, ssl_context=context, timeout=timeout)
        try:
            bare, credentials = split_credentials(proxy)
            authorization = {"Proxy-Authorization": basic_authorization(*credentials)} if credentials else None
            return ProxyManager(
                bare,
                maxsize=_CONNECTIONS_PER_HOST,
                ssl_context=context,
                proxy_ssl_context=context,
                timeout=timeout,
                proxy_headers=authorization,
            )
        except (HTTPError, ValueError) as error:
            raise HttpConfigError(
                f"cannot use the proxy {redact(proxy)}",
                why=scrub(str(error)),
                hint="set HTTPS_PROXY and HTTP_PROXY to an http:// or https:// URL, or NO_PROXY for this host",
            ) from None


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


def _proxy_for(url: str, environ: Mapping[str, str]) -> str:
    from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined] # public, but unknown to typeshed

    proxies = _proxies(environ)
    parts = urlsplit(url)
    if proxy_bypass_environment(parts.netloc, proxies):
        return ""
    proxy = proxies.get(parts.scheme) or proxies.get("all", "")
    return proxy if not proxy or "://" in proxy else f"http://{proxy}"


def _proxies(environ: Mapping[str, str]) -> dict[str, str]:
    # In a CGI script HTTP_PROXY is the client's "Proxy:" header, so it is not to be believed there.
    in_cgi = "REQUEST_METHOD" in environ
    proxies = {}
    for name in ("http", "https", "all", "no"):
        upper = "" if in_cgi and name == "http" else environ.get(f"{name.upper()}_PROXY", "")
        proxies[name] = environ.get(f"{name}_proxy", upper)
    return {name: value for name, value in proxies.items() if value}


def _read_timeout(environ: Mapping[str, str]) -> float:
    for name in _TIMEOUT_VARIABLES:
        with contextlib.suppress(ValueError):
            seconds = float(environ.get(name, ""))
            if 0 < seconds < threading.TIMEOUT_MAX:
                return seconds
    return _READ_TIMEOUT_SECONDS


def _tls_context(environ: Mapping[str, str], configured: str | None) -> ssl.SSLContext:
    import ssl

    named = [(name, environ[name]) for name in _CA_VARIABLES if environ.get(name)]
    if configured:
        named.append(("pip's configuration", configured))
    if not named:
        return ssl.create_default_context()
    source, bundle = named[0]
    try:
        if os.path.isdir(bundle):  # noqa: PTH112 - a path as the user wrote it
            return ssl.create_default_context(capath=bundle)
        return ssl.create_default_context(cafile=bundle)
    except (OSError, ValueError) as error:
        raise HttpConfigError(
            f"cannot use the CA bundle {bundle}",
            why=f"{source} names it: {getattr(error, 'strerror', None) or error}",
            hint="name a file of certificates in PEM form, or unset it to use the system's",
        ) from None
