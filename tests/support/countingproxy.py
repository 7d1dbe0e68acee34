"""A forward proxy that counts what programs fetch through it, by the server they fetch it from."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["CountingProxy", "counting_proxy"]

_PIECE = 1 << 16
_OWN_HEADERS = frozenset({"connection", "proxy-connection", "proxy-authorization", "keep-alive", "transfer-encoding"})


@dataclass(slots=True)
class CountingProxy:
    """What passed; tunnels are counted in encrypted bytes, all else in bytes of bodies.

    Attributes:
        url: Where the proxy is.
        received: Bytes that programs were sent, by HOST:PORT.
        paths: Paths that were asked for without a tunnel.
    """

    url: str = ""
    received: dict[str, int] = field(default_factory=dict)
    paths: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def env(self) -> dict[str, str]:
        """What makes programs use it for all but the loopback interface."""
        names = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
        return {**dict.fromkeys(names, self.url), "NO_PROXY": "127.0.0.1,localhost", "no_proxy": "127.0.0.1,localhost"}

    @property
    def total(self) -> int:
        """All bytes that programs were sent."""
        return sum(self.received.values())

    def count(self, host: str, size: int) -> None:
        """Add to what a server has sent."""
        with self.lock:
            self.received[host] = self.received.get(host, 0) + size


@contextlib.contextmanager
def counting_proxy() -> Iterator[CountingProxy]:
    """Run a proxy."""
    proxy = CountingProxy()
    server = _Server(proxy)
    proxy.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, proxy: CountingProxy) -> None:
        self.proxy = proxy
        super().__init__(("127.0.0.1", 0), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """Keep clients that leave early out of the tests' output."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_CONNECT(self) -> None:
        host, _, port = self.path.rpartition(":")
        self.close_connection = True
        with socket.create_connection((host, int(port)), timeout=60) as far:
            self.send_response_only(200, "Connection established")
            self.end_headers()
            threading.Thread(target=self._pump, args=(self.connection, far, ""), daemon=True).start()
            self._pump(far, self.connection, self.path)

    def do_GET(self) -> None:
        self._forward()

    def do_HEAD(self) -> None:
        self._forward()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        pass

    def _pump(self, source: socket.socket, sink: socket.socket, counted: str) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if counted:
                    self.server.proxy.count(counted, len(data))
                sink.sendall(data)
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def _forward(self) -> None:
        whole = urlsplit(self.path)
        path = (whole.path or "/") + (f"?{whole.query}" if whole.query else "")
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _OWN_HEADERS}
        connection = http.client.HTTPConnection(whole.netloc, timeout=60)
        try:
            connection.request(self.command, path, headers={**headers, "Connection": "close"})
            response = connection.getresponse()
            self._answer(response, f"{whole.hostname}:{whole.port or 80}", path)
        finally:
            connection.close()

    def _answer(self, response: http.client.HTTPResponse, host: str, path: str) -> None:
        self.server.proxy.paths.append(path)
        self.send_response_only(response.status)
        for name, value in response.getheaders():
            if name.lower() not in _OWN_HEADERS:
                self.send_header(name, value)
        if response.getheader("Content-Length") is None:
            self.close_connection = True
            self.send_header("Connection", "close")
        self.end_headers()
        while self.command != "HEAD" and (piece := response.read(_PIECE)):
            self.server.proxy.count(host, len(piece))
            self.wfile.write(piece)
