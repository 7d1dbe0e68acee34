"""A proxy before a real registry that counts what passes, and fails as networks, load balancers and registries do.

It passes every request on and streams bodies both ways. A rule lets requests of one kind meet a fault; all others go
well. What it answers names itself, never the registry behind it, so a client that follows Location stays here.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator, Mapping
    from io import BufferedIOBase

__all__ = ["Exchange", "Fault", "FlakyRegistry", "Handler", "Kind", "flaky_registry"]

#: What a request is for, by method and path.
Kind = Literal[
    "ping",
    "upload-start",
    "mount",
    "upload-data",
    "upload-end",
    "upload-state",
    "upload-cancel",
    "blob-check",
    "blob-get",
    "manifest-check",
    "manifest-get",
    "manifest-put",
    "manifest-delete",
    "referrers",
    "tags",
    "other",
]

_PIECE = 1 << 18
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "proxy-connection", "te", "trailer", "upgrade"})
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_KINDS: tuple[tuple[str, str, Kind], ...] = (
    ("GET", r"/v2/", "ping"),
    ("POST", r".*/blobs/uploads/\?(?:.*&)?mount=.*", "mount"),
    ("POST", r".*/blobs/uploads/.*", "upload-start"),
    ("PATCH", r".*/blobs/uploads/.+", "upload-data"),
    ("PUT", r".*/blobs/uploads/.+", "upload-end"),
    ("GET", r".*/blobs/uploads/.+", "upload-state"),
    ("DELETE", r".*/blobs/uploads/.+", "upload-cancel"),
    ("HEAD", r".*/blobs/[^/]+", "blob-check"),
    ("GET", r".*/blobs/[^/]+", "blob-get"),
    ("HEAD", r".*/manifests/[^/]+", "manifest-check"),
    ("GET", r".*/manifests/[^/]+", "manifest-get"),
    ("PUT", r".*/manifests/[^/]+", "manifest-put"),
    ("DELETE", r".*/manifests/[^/]+", "manifest-delete"),
    ("GET", r".*/referrers/[^/]+", "referrers"),
    ("GET", r".*/tags/list.*", "tags"),
)


@dataclass(slots=True)
class Exchange:
    """A request as it reached the proxy, and what became of it.

    Attributes:
        kind: What it is for.
        method: Its method.
        target: Path and query.
        headers: Its headers, names in lower case.
        status: What was answered; 0 if nothing was.
        sent: Bytes of the request's body that came from the client.
        received: Bytes of the answer's body that went to the client.
        fault: Name of the fault it met; empty for none.
        done: Nothing more will change.
    """

    kind: Kind
    method: str
    target: str
    headers: dict[str, str]
    status: int = 0
    sent: int = 0
    received: int = 0
    fault: str = ""
    done: bool = False


@dataclass(slots=True)
class _Rule:
    kinds: frozenset[str]
    fault: Fault
    left: int
    passing: int
    pattern: re.Pattern[str]


#: Takes the place of passing a request on; it may do that as a part of what it does. See `registryfaults`.
Fault = Callable[["Handler"], None]


def _nothing(exchange: Exchange) -> None:
    pass


class FlakyRegistry:
    """The proxy.

    Args:
        upstream: The registry, such as ``http://127.0.0.1:5000``.
        tls: The TLS context to serve with; None serves plain HTTP.

    Attributes:
        upstream: The registry.
        exchanges: All requests so far, in the order in which they came.
        before: Called before a request is passed on, beside other requests.
        after: Called when an answer of the registry is known, before the client hears of it.
    """

    def __init__(self, upstream: str, *, tls: ssl.SSLContext | None = None) -> None:
        self.upstream = upstream.rstrip("/")
        self.tls = tls
        self.exchanges: list[Exchange] = []
        self.before: Callable[[Exchange], None] = _nothing
        self.after: Callable[[Exchange], None] = _nothing
        self.released = threading.Event()
        self._rules: list[_Rule] = []
        self._lock = threading.Lock()
        self.server = _Server(self)

    @property
    def address(self) -> str:
        """Host and port, as in a reference."""
        return f"127.0.0.1:{self.server.server_address[1]}"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.tls else 'http'}://{self.address}"

    def fail(self, *kinds: Kind, fault: Fault, times: int = 1, passing: int = 0, match: str = "") -> None:
        """Let requests meet a fault.

        Args:
            kinds: Kinds of requests; none for all.
            fault: What happens to them.
            times: To how many of them.
            passing: How many of them go well first.
            match: A regular expression that is found in path and query.
        """
        with self._lock:
            self._rules.append(_Rule(frozenset(kinds), fault, times, passing, re.compile(match)))

    def heal(self) -> None:
        """Forget all faults that were not met yet."""
        with self._lock:
            self._rules.clear()

    @property
    def unmet(self) -> int:
        """How many faults were asked for and not met yet."""
        return sum(rule.left for rule in self._rules)

    def forget(self) -> None:
        """Count anew."""
        self.exchanges.clear()

    def asked(self, *kinds: Kind) -> list[Exchange]:
        """Give the requests of some kinds; of all without any."""
        return [exchange for exchange in self.exchanges if not kinds or exchange.kind in kinds]

    def sent(self, *kinds: Kind) -> int:
        """Count bytes of bodies that clients sent."""
        return sum(exchange.sent for exchange in self.asked(*kinds))

    def received(self, *kinds: Kind) -> int:
        """Count bytes of bodies that clients were sent."""
        return sum(exchange.received for exchange in self.asked(*kinds))

    def fault_for(self, exchange: Exchange) -> Fault | None:
        """Note a request and give the fault it meets."""
        with self._lock:
            self.exchanges.append(exchange)
            for rule in self._rules:
                if rule.kinds and exchange.kind not in rule.kinds:
                    continue
                if not rule.left or not rule.pattern.search(exchange.target):
                    continue
                if rule.passing:
                    rule.passing -= 1
                    continue
                rule.left -= 1
                return rule.fault
        return None


@contextlib.contextmanager
def flaky_registry(upstream: str, *, tls: ssl.SSLContext | None = None) -> Iterator[FlakyRegistry]:
    """Run a proxy; arguments as `FlakyRegistry`."""
    proxy = FlakyRegistry(upstream, tls=tls)
    thread = threading.Thread(target=proxy.server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.released.set()
        proxy.server.shutdown()
        proxy.server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Waiting for a client that keeps its connection open would be waiting for ever.
    block_on_close = False
    request_queue_size = 64

    def __init__(self, proxy: FlakyRegistry) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.proxy.tls is not None:
            # The handshake is left to the request's own thread.
            connection = self.proxy.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what clients do that refuse a certificate or leave early out of the tests' output."""


@dataclass(slots=True)
class _Body:
    """What is left of a request's body: a known number of bytes, or chunks until an empty one."""

    reader: BufferedIOBase
    left: int
    chunked: bool
    ended: bool = field(default=False)

    def read(self, size: int) -> bytes:
        if self.chunked and not self.left and not self.ended:
            self.left = int(self.reader.readline().split(b";")[0].strip() or b"0", 16)
            self.ended = not self.left
        if not self.left:
            if self.chunked:
                while self.reader.readline().strip():
                    pass
                self.chunked = False
            return b""
        piece = self.reader.read(min(size, self.left))
        if not piece:
            raise ConnectionResetError("the client left in the middle of a body")
        self.left -= len(piece)
        if self.chunked and not self.left:
            self.reader.readline()
        return piece


class Handler(BaseHTTPRequestHandler):
    """One connection of a client; faults are made of its methods."""

    protocol_version = "HTTP/1.1"
    server: _Server
    disable_nagle_algorithm = True
    wbufsize = _PIECE

    @property
    def proxy(self) -> FlakyRegistry:
        return self.server.proxy

    def handle_any(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.exchange = Exchange(_kind(self.command, self.path), self.command, self.path, headers)
        chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.body = _Body(self.rfile, 0 if chunked else int(headers.get("content-length", 0)), chunked)
        fault = self.proxy.fault_for(self.exchange)
        try:
            if fault is None:
                self.pass_through()
            else:
                self.exchange.fault = getattr(fault, "__name__", "fault")
                fault(self)
            self.wfile.flush()
        except (OSError, http.client.HTTPException):
            self.close_connection = True
        finally:
            self.exchange.done = True

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = handle_any  # noqa: N815 - the base class's names

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def pass_through(self) -> None:
        """Do as a proxy does."""
        with self.passed_on() as response:
            self.relay(response)

    @contextlib.contextmanager
    def passed_on(self, body: IO[bytes] | None = None) -> Iterator[http.client.HTTPResponse]:
        """Send the request to the registry, its body from a file if one is given, and give the answer."""
        self.proxy.before(self.exchange)
        connection = self._upstream()
        try:
            length = None if body is None else body.seek(0, 2)
            if body is not None:
                body.seek(0)
            self._send_head(connection, length)
            source: Callable[[int], bytes] = self._read_body if body is None else body.read
            chunked = body is None and self.body.chunked
            # A registry that refuses early closes its end: its answer counts, not the failure to send.
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                while piece := source(_PIECE):
                    connection.send(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)
                if chunked:
                    connection.send(b"0\r\n\r\n")
            response = connection.getresponse()
            self.exchange.status = response.status
            self.proxy.after(self.exchange)
            yield response
        finally:
            connection.close()

    def pass_beginning(self, size: int) -> None:
        """Send the head of the request and the beginning of its body to the registry, and leave it there."""
        connection = self._upstream()
        try:
            self._send_head(connection, None)
            while size > 0 and (piece := self._read_body(min(size, _PIECE))):
                connection.send(piece)
                size -= len(piece)
            # What is on its way shall arrive.
            time.sleep(0.05)
        finally:
            connection.close()

    def relay(
        self,
        response: http.client.HTTPResponse,
        *,
        limit: int | None = None,
        promise: int | None = None,
        headers: Mapping[str, str] | None = None,
        change: Callable[[bytes], bytes] = lambda piece: piece,
    ) -> None:
        """Pass an answer on.

        Args:
            response: The registry's answer.
            limit: Bytes of its body after which to stop.
            promise: Content-Length; that of the answer if None.
            headers: Headers that replace those of the answer; empty ones are left out.
            change: What is done to each piece of the body.
        """
        received = self._headers(response) | dict(headers or {})
        length = received.pop("content-length", None)
        if promise is not None and length is not None:
            length = str(min(promise, int(length)))
        self._start_answer(response.status, received, length)
        if self.command == "HEAD":
            return
        left = -1 if limit is None else limit
        while left and (piece := response.read(_PIECE if left < 0 else min(left, _PIECE))):
            self.wfile.write(change(piece))
            self.exchange.received += len(piece)
            left -= len(piece) if left > 0 else 0

    def answer(self, code: int, headers: Mapping[str, str], body: bytes) -> None:
        """Answer with a body that is known."""
        self.exchange.status = code
        kept = {name: value for name, value in headers.items() if name.lower() != "content-length"}
        self._start_answer(code, kept, str(len(body)))
        if self.command != "HEAD":
            self.wfile.write(body)
            self.exchange.received += len(body)

    def read_answer(self, response: http.client.HTTPResponse) -> tuple[int, dict[str, str], bytes]:
        """Read an answer as a whole."""
        return response.status, self._headers(response), response.read()

    def skip(self, response: http.client.HTTPResponse) -> None:
        """Read an answer that nobody gets."""
        while response.read(_PIECE):
            pass

    def spool(self, file: IO[bytes]) -> None:
        """Read the request's body into a file."""
        while piece := self._read_body(_PIECE):
            file.write(piece)

    def drain(self) -> None:
        """Read the rest of the request's body, which nobody gets."""
        while self._read_body(_PIECE):
            pass

    def break_off(self) -> None:
        """Close the connection to the client at once."""
        self.close_connection = True
        with contextlib.suppress(OSError):
            self.wfile.flush()
        with contextlib.suppress(OSError):
            self.connection.shutdown(socket.SHUT_RDWR)

    def digest_of(self, path: str) -> str | None:
        """Ask the registry for a manifest's digest; None if it has none."""
        connection = self._upstream()
        try:
            # docker-registry hides a manifest of a type that is not listed.
            given = {"Accept": ", ".join(_MANIFESTS)}
            if "Authorization" in self.headers:
                given["Authorization"] = self.headers["Authorization"]
            connection.request("HEAD", path, headers=given)
            response = connection.getresponse()
            return response.getheader("Docker-Content-Digest", "") if response.status == http.HTTPStatus.OK else None
        finally:
            connection.close()

    def _upstream(self) -> http.client.HTTPConnection:
        host = urlsplit(self.proxy.upstream).netloc
        return http.client.HTTPConnection(host, timeout=60, blocksize=_PIECE)

    def _send_head(self, connection: http.client.HTTPConnection, length: int | None) -> None:
        connection.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
        connection.putheader("Host", urlsplit(self.proxy.upstream).netloc)
        connection.putheader("Connection", "close")
        replaced = _HOP_BY_HOP | {"host"} | ({"content-length", "transfer-encoding"} if length is not None else set())
        for name, value in self.headers.items():
            # The client was told to continue by this proxy already.
            if name.lower() not in replaced | {"expect"}:
                connection.putheader(name, value)
        if length is not None:
            connection.putheader("Content-Length", str(length))
        connection.endheaders()

    def _read_body(self, size: int) -> bytes:
        piece = self.body.read(size)
        self.exchange.sent += len(piece)
        return piece

    def _headers(self, response: http.client.HTTPResponse) -> dict[str, str]:
        received = {name.lower(): value for name, value in response.getheaders()}
        for name in ("location", "link"):
            if name in received:
                received[name] = received[name].replace(self.proxy.upstream, self.proxy.url)
        return {name: value for name, value in received.items() if name not in _HOP_BY_HOP | {"transfer-encoding"}}

    def _start_answer(self, code: int, headers: Mapping[str, str], length: str | None) -> None:
        self.send_response_only(code)
        for name, value in headers.items():
            if value:
                self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", length)
        elif code not in (http.HTTPStatus.NO_CONTENT, http.HTTPStatus.NOT_MODIFIED):
            self.close_connection = True
            self.send_header("Connection", "close")
        elif self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()


def _kind(method: str, target: str) -> Kind:
    return next((kind for known, path, kind in _KINDS if known == method and re.fullmatch(path, target)), "other")
