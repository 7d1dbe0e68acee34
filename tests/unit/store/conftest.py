"""A real HTTP server in a thread, whose answers each test writes itself."""

from __future__ import annotations

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from crossdock.store import HttpClient, Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Answers each path by a function, and remembers what it was asked."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: list[tuple[str, dict[str, str]]] = []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self) -> None:
                path = self.path.partition("?")[0]
                outer.asked.append((self.path, {key.lower(): value for key, value in self.headers.items()}))
                # A client that leaves early is what several tests are about.
                with contextlib.suppress(ConnectionError):
                    outer.answers.get(path, status(404))(self)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.http.server_address[1]}"

    @property
    def tls_url(self) -> str:
        return self.url.replace("http:", "https:")

    def paths(self) -> list[str]:
        return [path for path, _ in self.asked]


def status(code: int, **headers: str) -> Answer:
    """Answer with a status and no body."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


def content(body: bytes, *, length: int | None = None, **headers: str) -> Answer:
    """Answer with a body; a ``length`` that is not its own is a lie of the server."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body) if length is None else length))
        handler.end_headers()
        handler.wfile.write(body)
        handler.close_connection = length is not None

    return answer


def in_turn(*answers: Answer) -> Answer:
    """Answer differently each time; the last answer stays."""
    left = list(answers)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])(handler)

    return answer


@contextlib.contextmanager
def running(prepare: Callable[[Server], object] | None = None) -> Iterator[Server]:
    """Run a server, after ``prepare`` has done with it what must be done first."""
    server = Server()
    if prepare is not None:
        prepare(server)
    thread = threading.Thread(target=server.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        server.http.shutdown()
        server.http.server_close()
        thread.join()


@pytest.fixture
def server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def other_server() -> Iterator[Server]:
    with running() as one:
        yield one


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "cache")


@pytest.fixture
def http(tmp_path: Path) -> HttpClient:
    """A client that knows nothing of the machine's settings, and does not wait long."""
    return HttpClient(environ={"HOME": str(tmp_path)}, backoff=0.01)
