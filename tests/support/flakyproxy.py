"""A proxy that fails as networks do: it stands before a real index, or between a client and any server.

It is a reverse proxy when it is asked for a path, a forward proxy when it is asked for a whole URL, and a tunnel when
it is asked to CONNECT. Each request for a file meets the next of its faults; when none is left, all goes well.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator

__all__ = ["Answer", "Asked", "Fault", "FlakyProxy", "flaky_proxy"]

_OWN_HEADERS = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive", "host"})
_SUFFIXES = (".whl", ".tar.gz")


@dataclass(slots=True)
class Answer:
    """What the server behind the proxy answered."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it reached the proxy; header names are in lower case."""

    method: str
    target: str
    headers: dict[str, str]


Fault = Callable[["_Handler", Answer], None]


def send(handler: _Handler, answer: Answer, *, length: int | None, body: bytes | None = None) -> None:
    """Send an answer with any Content-Length, or with none and the end of the connection instead."""
    handler.send_response_only(answer.status)
    for name, value in answer.headers.items():
        if name != "content-length":
            handler.send_header(name, value)
    if length is None:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    else:
        handler.send_header("Content-Length", str(length))
    handler.end_headers()
    handler.wfile.write(answer.body if body is None else body)
    handler.wfile.flush()


def hang_up(handler: _Handler, answer: Answer) -> None:
    """Close the connection without a word."""
    handler.close_connection = True


def status(code: int, **headers: str) -> Fault:
    """Answer with a status of the proxy's own."""

    def fault(handler: _Handler, answer: Answer) -> None:
        own = {name.replace("_", "-"): value for name, value in headers.items()}
        send(handler, Answer(code, own, b"try again"), length=9)

    return fault


def drop_after(size: int) -> Fault:
    """Break off in the middle of a body whose whole length was promised."""

    def fault(handler: _Handler, answer: Answer) -> None:
        send(handler, answer, length=len(answer.body), body=answer.body[:size])
        handler.close_connection = True

    return fault


def cut_to(size: int, *, promised: bool = True) -> Fault:
    """Send the beginning as if it were all, with its length or without any."""

    def fault(handler: _Handler, answer: Answer) -> None:
        send(handler, answer, length=size if promised else None, body=answer.body[:size])

    return fault


def promise(more: int) -> Fault:
    """Send the whole body under a Content-Length that is too large, or too small."""

    def fault(handler: _Handler, answer: Answer) -> None:
        send(handler, answer, length=len(answer.body) + more)
        handler.close_connection = True

    return fault


def stall_after(size: int) -> Fault:
    """Send the beginning and then nothing, with the connection left open."""

    def fault(handler: _Handler, answer: Answer) -> None:
        send(handler, answer, length=len(answer.body), body=answer.body[:size])
        handler.proxy.released.wait(30)
        handler.close_connection = True

    return fault


def drip(handler: _Handler, answer: Answer) -> None:
    """Send a byte at a time, so slowly that no time-out of one read notices."""
    send(handler, answer, length=len(answer.body), body=b"")
    handler.close_connection = True
    for number in range(len(answer.body)):
        if handler.proxy.released.wait(0.1):
            return
        handler.wfile.write(answer.body[number : number + 1])
        handler.wfile.flush()


def drip_head(handler: _Handler, answer: Answer) -> None:
    """Send the head of an answer like that, without end."""
    handler.close_connection = True
    handler.wfile.write(b"HTTP/1.1 200 OK\r\nX-Head: ")
    while not handler.proxy.released.wait(0.1):
        handler.wfile.write(b"x")
        handler.wfile.flush()


def garble(then: Fault, **headers: str) -> Fault:
    """Send other bytes of the same length, by another fault, with some headers replaced or, when empty, left out."""

    def fault(handler: _Handler, answer: Answer) -> None:
        new = answer.headers | {name.replace("_", "-"): value for name, value in headers.items()}
        other = bytes(byte ^ 0x5A for byte in answer.body)
        then(handler, Answer(answer.status, {name: value for name, value in new.items() if value}, other))

    return fault


class FlakyProxy:
    """The proxy.

    Args:
        upstream: The server that paths are asked of, such as ``http://127.0.0.1:8080``.
        tls: The TLS context to serve with; None serves plain HTTP.
        account: ``user:password`` that a client of the forward proxy must have; empty for anyone.

    Attributes:
        faults: What still goes wrong with requests for files, in order.
        page_faults: What still goes wrong with all other requests.
        tunnel_faults: After how many bytes of answers each next tunnel breaks.
        asked: All requests so far.
        released: Ends whatever stalls.
    """

    def __init__(self, upstream: str = "", *, tls: ssl.SSLContext | None = None, account: str = "") -> None:
        self.upstream = upstream
        self.account = account
        self.faults: list[Fault] = []
        self.page_faults: list[Fault] = []
        self.tunnel_faults: list[int] = []
        self.asked: list[Asked] = []
        self.released = threading.Event()
        self.tls = tls
        self.server = _Server(self)

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.server.server_address[1]}"

    def files_asked(self) -> list[Asked]:
        """Give the requests for files."""
        return [asked for asked in self.asked if asked.target.partition("?")[0].endswith(_SUFFIXES)]


@contextlib.contextmanager
def flaky_proxy(upstream: str = "", *, tls: ssl.SSLContext | None = None, account: str = "") -> Iterator[FlakyProxy]:
    """Run a proxy; arguments as `FlakyProxy`."""
    proxy = FlakyProxy(upstream, tls=tls, account=account)
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

    def __init__(self, proxy: FlakyProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        if self.proxy.tls is not None:
            # The handshake is left to the request's own thread.
            connection = self.proxy.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, address

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep what clients do that refuse a certificate or leave early out of the tests' output."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    @property
    def proxy(self) -> FlakyProxy:
        return self.server.proxy

    def do_GET(self) -> None:
        self._note()
        whole = urlsplit(self.path)
        if whole.scheme and not self._allowed():
            return
        base = urlsplit(self.proxy.upstream)
        host = (whole.netloc if whole.scheme else base.netloc).rpartition("@")[2]
        path = (whole.path or "/") + (f"?{whole.query}" if whole.query else "")
        answer = self._ask(host, path)
        faults = self.proxy.faults if whole.path.endswith(_SUFFIXES) else self.proxy.page_faults
        fault = faults.pop(0) if faults else None
        with contextlib.suppress(ConnectionError):
            if fault is None:
                send(self, answer, length=len(answer.body))
            else:
                fault(self, answer)

    def do_CONNECT(self) -> None:
        self._note()
        if not self._allowed():
            return
        host, _, port = self.path.rpartition(":")
        limit = self.proxy.tunnel_faults.pop(0) if self.proxy.tunnel_faults else None
        with socket.create_connection((host, int(port)), timeout=10) as far:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            back = threading.Thread(target=_pump, args=(self.connection, far, None), daemon=True)
            back.start()
            _pump(far, self.connection, limit)
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def _note(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.proxy.asked.append(Asked(self.command, self.path, headers))

    def _allowed(self) -> bool:
        expected = "Basic " + base64.b64encode(self.proxy.account.encode()).decode()
        if not self.proxy.account or self.headers.get("Proxy-Authorization") == expected:
            return True
        status(407, Proxy_Authenticate='Basic realm="proxy"')(self, Answer(0, {}, b""))
        return False

    def _ask(self, host: str, path: str) -> Answer:
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        connection = http.client.HTTPConnection(host, timeout=30)
        try:
            connection.request("GET", path, headers={**headers, "Connection": "close"})
            response = connection.getresponse()
            received = {name.lower(): value for name, value in response.getheaders()}
            kept = {name: value for name, value in received.items() if name not in _OWN_HEADERS | {"transfer-encoding"}}
            return Answer(response.status, kept, response.read())
        finally:
            connection.close()


def _pump(source: socket.socket, sink: socket.socket, limit: int | None) -> None:
    """Pass on what comes, until one side ends or the limit of bytes is reached."""
    passed = 0
    deadline = time.monotonic() + 60
    with contextlib.suppress(OSError):
        while time.monotonic() < deadline and (data := source.recv(1 << 16)):
            sink.sendall(data if limit is None else data[: limit - passed])
            passed += len(data)
            if limit is not None and passed >= limit:
                break
    for end in (source, sink):
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)
