"""Doing many things at once, so that the first failure or Ctrl-C stops all of them promptly."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

__all__ = ["Cancellation", "CancelledError", "run_parallel"]

T = TypeVar("T")
R = TypeVar("R")

# Waiting for ever cannot be interrupted by Ctrl-C on every system.
_POLL_SECONDS = 0.2
_JOIN_SECONDS = 2.0


class CancelledError(Exception):
    """Work was given up because other work failed; never shown to a user."""


class Cancellation:
    """Tells workers to stop, and wakes those that wait."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._wakers: dict[int, Callable[[], object]] = {}

    def check(self) -> None:
        """Raise CancelledError if the work is cancelled."""
        if self._event.is_set():
            raise CancelledError

    def wait(self, seconds: float) -> None:
        """Sleep; raise CancelledError as soon as the work is cancelled."""
        if self._event.wait(seconds):
            raise CancelledError

    @contextlib.contextmanager
    def waking(self, waker: Callable[[], object]) -> Iterator[None]:
        """Have ``waker`` called, from another thread, if the work is cancelled inside the with statement."""
        key = id(waker)
        with self._lock:
            self._wakers[key] = waker
        try:
            self.check()
            yield
        finally:
            with self._lock:
                del self._wakers[key]

    def cancel(self) -> None:
        """Cancel the work."""
        self._event.set()
        with self._lock:
            wakers = list(self._wakers.values())
        for waker in wakers:
            # What wakes may itself be finished meanwhile; nothing of that matters now.
            with contextlib.suppress(Exception):
                waker()


def run_parallel(work: Callable[[T, Cancellation], R], items: Sequence[T], *, jobs: int) -> list[R]:
    """Do ``work`` for every item in at most ``jobs`` threads, and return the results in the items' order.

    The first exception cancels what is left and is raised; so does KeyboardInterrupt. A worker that cannot be woken
    (one that waits for a name server, for one) is left behind after two seconds; it will find the work cancelled.
    """
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, Any, BaseException | None]] = queue.SimpleQueue()
    for number in range(len(items)):
        todo.put(number)
    cancellation = Cancellation()

    def worker() -> None:
        with contextlib.suppress(queue.Empty, CancelledError):
            while True:
                number = todo.get_nowait()
                cancellation.check()
                try:
                    done.put((number, work(items[number], cancellation), None))
                except BaseException as error:  # raised again by the caller's thread
                    done.put((number, None, error))
                    # After that, so that what others raise for being cancelled comes later.
                    cancellation.cancel()

    count = max(1, min(jobs, len(items)))
    threads = [threading.Thread(target=worker, name=f"crossdock-{n}", daemon=True) for n in range(count)]
    results: dict[int, R] = {}
    try:
        for thread in threads:
            thread.start()
        while len(results) < len(items):
            number, result = _next(done)
            results[number] = result
    except BaseException:
        cancellation.cancel()
        deadline = time.monotonic() + _JOIN_SECONDS
        for thread in threads:
            if thread.ident is not None:
                thread.join(max(0.0, deadline - time.monotonic()))
        raise
    return [results[number] for number in range(len(items))]


def _next(done: queue.SimpleQueue[tuple[int, Any, BaseException | None]]) -> tuple[int, Any]:
    while True:
        with contextlib.suppress(queue.Empty):
            number, result, error = done.get(timeout=_POLL_SECONDS)
            if error is not None:
                raise error
            return number, result
