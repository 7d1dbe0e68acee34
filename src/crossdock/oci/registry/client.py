"""Requests to one registry: its address, who we are to it, redirects, and when to try again."""

from __future__ import annotations

import contextlib
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urljoin

from crossdock.errors import RegistryAuthError, RegistryContentError, RegistryError
from crossdock.oci.registry.access import Access
from crossdock.oci.registry.answers import Refusal, status_failure
from crossdock.oci.registry.hosts import is_loopback
from crossdock.oci.registry.transport import check_redirect, finish, network_errors
from crossdock.store.parallel import Cancellation
from crossdock.store.retries import TransientError, retrying
from crossdock.store.urls import origin, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    from urllib3 import BaseHTTPResponse

    from crossdock.errors import CrossdockError
    from crossdock.oci.registry.access import Scope
    from crossdock.oci.registry.credentials import CredentialFinder
    from crossdock.oci.registry.hosts import Host
    from crossdock.oci.registry.settings import RegistrySettings
    from crossdock.oci.registry.transport import Body, Transport

__all__ = ["Answer", "Client", "RefusedAnswer"]

T = TypeVar("T")

MAX_REDIRECTS = 10
# 303 and the old two turn everything into a GET; the others keep the method, and so may be followed by writes.
_READ_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WRITE_REDIRECTS = frozenset({307, 308})
_PROBE_SECONDS = 5.0
_PROBES = 3


class RefusedAnswer(Exception):  # noqa: N818  it is no error until somebody says so
    """An answer that is no success, for callers that know what to do with it.

    Attributes:
        refusal: The answer.
        failure: The error it is otherwise.
        elsewhere: Whether it came from another server, where the registry leads to.
    """

    def __init__(self, refusal: Refusal, failure: CrossdockError, *, elsewhere: bool = False) -> None:
        super().__init__(str(failure))
        self.elsewhere = elsewhere
        self.refusal = refusal
        self.failure = failure


class Answer:
    """A successful answer.

    Attributes:
        url: Where it came from after redirects.
        status: Its HTTP status.
        headers: Its headers; names in any case.
        raw: urllib3's response.
    """

    def __init__(self, url: str, raw: BaseHTTPResponse) -> None:
        self.url = url
        self.status = raw.status
        self.headers = raw.headers
        self.raw = raw


class Client:
    """Sends requests to one registry. Safe to use from many threads.

    Args:
        host: The registry.
        transport: How single requests are sent.
        finder: Where credentials are looked up.
        settings: How registries are spoken to.
    """

    def __init__(self, host: Host, transport: Transport, finder: CredentialFinder, settings: RegistrySettings) -> None:
        self.host = host
        self.settings = settings
        self.patience = transport.patience
        #: Repositories in which an upload that was begun cannot be given up.
        self.keeps_uploads: set[str] = set()
        self._transport = transport
        self._access = Access(host, transport, finder, settings.plain_http)
        self._base = ""
        self._lock = threading.Lock()

    def retrying(self, operation: Callable[[], T], cancellation: Cancellation | None = None) -> T:
        """Call ``operation`` until it succeeds, with growing pauses, and raise its last error when it does not."""
        return retrying(
            operation,
            retries=self.settings.retries,
            backoff=self.settings.backoff,
            cancellation=cancellation or Cancellation(),
        )

    @contextlib.contextmanager
    def ask(
        self,
        method: str,
        target: str,
        scope: Scope,
        *,
        what: str,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        accept: Collection[int] = (HTTPStatus.OK,),
        expected: Collection[int] = (),
        cancellation: Cancellation | None = None,
    ) -> Iterator[Answer]:
        """Send a request, let in as the registry wants it, and follow redirects.

        Args:
            method: Such as GET.
            target: A path that begins with ``/v2/``, or a URL that the registry gave.
            scope: What it needs to be allowed.
            what: What fails if this fails: "cannot read registry.example/app:1".
            headers: Further headers.
            body: What it sends.
            accept: Statuses that are a success.
            expected: Statuses that the caller knows what to do with.
            cancellation: What can stop it.

        Raises:
            RefusedAnswer: The status is one of ``expected``.
            TransientError: It failed in a way that may pass; `retrying` handles it.
            RegistryError: And its children: it failed for good.
        """
        cancellation = cancellation or Cancellation()
        cancellation.check()
        url = urljoin(self.base(what), target)
        answer = self._follow(method, url, scope, headers or {}, body, what)
        if answer.status not in accept:
            raise self._refused(answer, scope, what, expected)
        try:
            with network_errors(what, answer.url), cancellation.waking(answer.raw.shutdown):
                yield answer
        except TransientError:
            cancellation.check()
            raise
        finally:
            finish(answer.raw)

    def base(self, what: str) -> str:
        """Give the URL of the registry, ``https:`` unless plain HTTP is allowed and spoken.

        Raises:
            OfflineError: The network may not be used.
            RegistryError: The address is none.
            TransientError: A registry on this machine, which may speak either, does not answer.
        """
        self._transport.check_online(what)
        with self._lock:
            if not self._base:
                self._check_address(what)
                self._base = f"{self._scheme(what)}://{self.host.address}"
            return self._base

    def _check_address(self, what: str) -> None:
        try:
            origin(f"https://{self.host.address}")
        except ValueError:
            raise RegistryError(
                what,
                why=f"{self.host.name} is no host, or has a port beyond 65535",
                hint="correct the registry in the reference: HOST, HOST:PORT or [IPV6]:PORT",
            ) from None

    def _scheme(self, what: str) -> str:
        if self.host.name in self.settings.plain_http:
            return "http"
        if not is_loopback(self.host.address):
            return "https"
        try:
            return "https" if _speaks_tls(self.host.address) else "http"
        except OSError as error:
            raise TransientError(
                RegistryError(
                    what,
                    why=f"{self.host.address}: {error.strerror or error}",
                    hint="check that the registry is running, and its port",
                )
            ) from error

    def _follow(
        self, method: str, url: str, scope: Scope, headers: Mapping[str, str], body: Body | None, what: str
    ) -> Answer:
        redirects = _READ_REDIRECTS if method in ("GET", "HEAD") else _WRITE_REDIRECTS
        for _ in range(MAX_REDIRECTS + 1):
            raw = self._let_in(method, url, scope, headers, body, what)
            if raw.status not in redirects or "location" not in raw.headers:
                return Answer(url, raw)
            location = raw.headers["location"]
            finish(raw)
            url = check_redirect(url, location, what)
        raise RegistryContentError(what, why=f"the registry redirects more than {MAX_REDIRECTS} times")

    def _let_in(
        self, method: str, url: str, scope: Scope, headers: Mapping[str, str], body: Body | None, what: str
    ) -> BaseHTTPResponse:
        """Send a request with what the registry wants to see, which is shown to no other origin."""
        base = self._base
        if origin(url) != origin(base):
            # Whatever else the headers say is about the content, and no secret.
            return self._transport.send(method, url, what=what, headers=headers, body=body)
        sent = self._access.header(scope, what=what)
        raw = self._transport.send(method, url, what=what, headers=_with(headers, sent), body=body)
        if raw.status != HTTPStatus.UNAUTHORIZED:
            return raw
        challenges = raw.headers.get("www-authenticate", "")
        finish(raw)
        renewed = self._access.renew(scope, challenges, sent, base=base, what=what)
        return self._transport.send(method, url, what=what, headers=_with(headers, renewed), body=body)

    def _refused(self, answer: Answer, scope: Scope, what: str, expected: Collection[int]) -> Exception:
        own = origin(answer.url) == origin(self._base)
        refusal = Refusal.read(
            answer.status, finish(answer.raw), answer.headers.get("retry-after"), hide=self._access.hide
        )
        advice = ""
        if refusal.status == HTTPStatus.UNAUTHORIZED or (
            refusal.status == HTTPStatus.FORBIDDEN and own and not self._access.has_account(scope.repository)
        ):
            advice = self._access.advice(scope.repository)
        failure = status_failure(what, refusal, advice=advice)
        if not own and isinstance(failure, RegistryAuthError):
            failure = RegistryError(
                what,
                why=f"{redact(answer.url)}, where the registry redirects to, answers {refusal.status}",
                hint="credentials are for the registry alone: if it leads to another, name that in the reference",
            )
        if refusal.status not in expected or isinstance(failure, TransientError):
            return failure
        return RefusedAnswer(refusal, failure, elsewhere=not own)


def _with(headers: Mapping[str, str], authorization: str | None) -> Mapping[str, str]:
    return {**headers, "Authorization": authorization} if authorization is not None else headers


def _speaks_tls(address: str) -> bool:
    """Find out what a registry on this machine speaks; nothing is sent to it but the begin of a TLS handshake."""
    host, _, port = address.rpartition(":") if ":" in address.rpartition("]")[2] else (address, "", "")
    if not port:
        with contextlib.suppress(ConnectionRefusedError):
            return _offers_tls(host.strip("[]"), 443)
    return _offers_tls(host.strip("[]"), int(port or "80"))


def _offers_tls(host: str, port: int) -> bool:
    import socket
    import ssl

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    # Who it is will be checked by every request; here only the protocol counts.
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    for _ in range(_PROBES):
        connection = socket.create_connection((host, port), timeout=_PROBE_SECONDS)
        try:
            with connection, context.wrap_socket(connection):
                return True
        except ssl.SSLEOFError:
            continue
        except ssl.SSLError as error:
            # A server that wants a client certificate may end the handshake; one that speaks HTTP answers in text.
            return "ALERT" in str(error.reason)
        except OSError:
            continue
    return False
