"""An end to waiting for the head of an answer.

A time-out of the socket is for one read: a server that sends a byte now and then never meets it. The body's rate is
watched where it is read; the head is read inside the standard library, so the connection is ended from outside.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urllib3 import PoolManager
    from urllib3.response import HTTPResponse

__all__ = ["limit_head"]


def limit_head(manager: PoolManager, seconds: float) -> None:
    """Have all connections of a manager broken off whose answer has not begun, with its whole head, by then."""
    from urllib3.connection import HTTPConnection, HTTPSConnection
    from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

    class Plain(HTTPConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as in urllib3
            with _ending(self.sock, seconds):
                return super().getresponse()

    class Tls(HTTPSConnection):
        def getresponse(self) -> HTTPResponse:  # type: ignore[override] # as in urllib3
            with _ending(self.sock, seconds):
                return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class TlsPool(HTTPSConnectionPool):
        ConnectionCls = Tls

    manager.pool_classes_by_scheme = {"http": PlainPool, "https": TlsPool}


@contextlib.contextmanager
def _ending(connection: socket.socket | None, seconds: float) -> Iterator[None]:
    """Break a connection off if the with statement takes longer."""

    def end() -> None:
        # It may be closed by now.
        with contextlib.suppress(OSError, ValueError):
            if connection is not None:
                connection.shutdown(socket.SHUT_RDWR)

    timer = threading.Timer(seconds, end)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
