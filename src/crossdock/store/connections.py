"""Connections to servers: TLS, proxies and time-outs as the environment says, kept open and shared by all requests."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import HttpConfigError
from crossdock.store.credentials import basic_authorization
from crossdock.store.urls import redact, scrub, split_credentials

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from urllib3 import PoolManager

__all__ = ["Connections", "HostCertificates", "tls_context"]

_CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "PIP_CERT")
_TIMEOUT_VARIABLES = ("UV_HTTP_TIMEOUT", "PIP_DEFAULT_TIMEOUT")
_READ_TIMEOUT_SECONDS = 60.0
_CONNECT_TIMEOUT_SECONDS = 20.0
_CONNECTIONS_PER_HOST = 16
# The head of an answer may take two: one until it begins, one for the rest.
_HEAD_TIMEOUTS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class HostCertificates:
    """Certificates for the connections to one host only.

    Attributes:
        authorities: Files of CAs that are trusted next to the usual ones.
        pairs: Files of client certificates and their keys; a server is shown the last.
    """

    authorities: tuple[Path, ...] = ()
    pairs: tuple[tuple[Path, Path], ...] = ()


class Connections:
    """Makes the pools of connections that requests are sent by. Safe to use from many threads.

    Args:
        environ: Environment variables: CA bundle, proxies and time-outs are read from them.
        ca_bundle: A CA bundle to use when the environment names none, such as the one pip is configured with.
        slowest_head_seconds: How long an answer may take to begin at least, once the request is sent.

    Attributes:
        read_timeout: Seconds that a server may be silent.
    """

    def __init__(
        self, environ: Mapping[str, str], *, ca_bundle: str | None = None, slowest_head_seconds: float = 0.0
    ) -> None:
        self.read_timeout = _read_timeout(environ)
        self._environ = environ
        self._ca_bundle = ca_bundle
        self._head_seconds = max(_HEAD_TIMEOUTS * self.read_timeout, slowest_head_seconds)
        self._managers: dict[tuple[str, HostCertificates | None, bool], PoolManager] = {}
        self._lock = threading.Lock()

    def manager(self, url: str, *, certificates: HostCertificates | None = None, direct: bool = False) -> PoolManager:
        """Give the pools that a request to a URL goes through.

        Args:
            url: The URL.
            certificates: What the host's connections need next to what all have.
            direct: Whether no proxy may be used.

        Raises:
            HttpConfigError: The CA bundle, a certificate or the proxy cannot be used.
        """
        proxy = "" if direct else _proxy_for(url, self._environ)
        # Reading the system's CAs takes time, which plain HTTP has no use for.
        plain = not proxy and urlsplit(url).scheme == "http"
        key = (proxy, certificates, plain)
        with self._lock:
            if key not in self._managers:
                self._managers[key] = self._make_manager(proxy, certificates, plain=plain)
            return self._managers[key]

    def _make_manager(self, proxy: str, certificates: HostCertificates | None, *, plain: bool) -> PoolManager:
        from crossdock.store.patience import limit_head

        manager = self._cleartext_manager() if plain else self._secure_manager(proxy, certificates)
        limit_head(manager, self._head_seconds)
        return manager

    def _cleartext_manager(self) -> PoolManager:
        from urllib3 import PoolManager, Timeout

        timeout = Timeout(connect=min(self.read_timeout, _CONNECT_TIMEOUT_SECONDS), read=self.read_timeout)
        return PoolManager(maxsize=_CONNECTIONS_PER_HOST, timeout=timeout)

    def _secure_manager(self, proxy: str, certificates: HostCertificates | None) -> PoolManager:
        from urllib3 import PoolManager, ProxyManager, Timeout
        from urllib3.exceptions import HTTPError

        timeout = Timeout(connect=min(self.read_timeout, _CONNECT_TIMEOUT_SECONDS), read=self.read_timeout)
        context = tls_context(self._environ, self._ca_bundle)
        # The proxy is another host: it is shown no certificate that is for this one.
        proxy_context = tls_context(self._environ, self._ca_bundle) if proxy and certificates else context
        if certificates is not None:
            _add_certificates(context, certificates)
        if not proxy:
            return PoolManager(maxsize=_CONNECTIONS_PER_HOST, ssl_context=context, timeout=timeout)
        try:
            bare, credentials = split_credentials(proxy)
            authorization = {"Proxy-Authorization": basic_authorization(*credentials)} if credentials else None
            return ProxyManager(
                bare,
                maxsize=_CONNECTIONS_PER_HOST,
                ssl_context=context,
                proxy_ssl_context=proxy_context,
                timeout=timeout,
                proxy_headers=authorization,
            )
        except (HTTPError, ValueError) as error:
            raise HttpConfigError(
                f"cannot use the proxy {redact(proxy)}",
                why=scrub(str(error)),
                hint="set HTTPS_PROXY and HTTP_PROXY to an http:// or https:// URL, or NO_PROXY for this host",
            ) from None


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


def tls_context(environ: Mapping[str, str], configured: str | None) -> ssl.SSLContext:
    """Trust the CAs that the environment names, else those of pip's configuration, else the system's.

    Raises:
        HttpConfigError: The CA bundle that is named cannot be used.
    """
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


def _add_certificates(context: ssl.SSLContext, certificates: HostCertificates) -> None:
    for path in certificates.authorities:
        with _reported(path, "a file of certificates in PEM form"):
            context.load_verify_locations(cafile=path)
    for certificate, key in certificates.pairs:
        with _reported(certificate, "a certificate in PEM form, and its key without a password next to it"):
            # Without a password of its own OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password="")


@contextlib.contextmanager
def _reported(path: Path, form: str) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        raise HttpConfigError(
            f"cannot use the certificate {path}",
            why=getattr(error, "strerror", None) or str(error),
            hint=f"put {form} there, or remove the file",
        ) from None
