"""Making what is needed next in a second thread, while the caller is busy with what it has."""

from __future__ import annotations

import contextlib
import queue
import threading
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

__all__ = ["ahead"]

#: Whoever needs no more than this is served before a thread would have paid for itself.
_FIRST: Final = 4 << 20
#: Handing over costs the same for a small piece and for many, so they go in batches of about this size.
_BATCH: Final = 2 << 20
_MOST_BATCHES: Final = 4
#: What a piece takes beside its bytes, so that a great many tiny ones are held in bounds, too.
_PIECE: Final = 64
# Waiting for ever cannot be interrupted by Ctrl-C on every system.
_POLL_SECONDS: Final = 0.2


def ahead(chunks: Iterable[bytes], *, first: int = _FIRST) -> Generator[bytes]:
    """Go through an iterable in a thread of its own, some MiB ahead of the caller.

    This pays where most of the work on both sides is done by code that lets other threads run meanwhile, such as
    inflating and hashing. What comes, and in which order, is the same as without the thread.

    Whoever may stop before the end has to close this (`contextlib.closing`): when that returns, the thread has ended,
    and nothing reads any more from where the bytes come from.

    Args:
        chunks: Gives the bytes; used by one thread at a time.
        first: So many bytes are gone through by the caller's own thread: what is smaller is not worth another one.

    Yields:
        The same pieces, unchanged.

    Raises:
        BaseException: What going through ``chunks`` raised, behind all pieces that came before it.
    """
    pieces = iter(chunks)
    while first > 0:
        piece = next(pieces, None)
        if piece is None:
            return
        first -= len(piece)
        yield piece
    handover = _Handover()
    # Nothing of the thread refers to this generator, so that both end even where one is forgotten.
    thread = threading.Thread(target=handover.fill, args=(pieces,), name="crossdock-ahead", daemon=True)
    try:
        thread.start()
        while batch := handover.next():
            yield from batch
    finally:
        handover.stop()
        while thread.is_alive():
            thread.join(_POLL_SECONDS)


class _Handover:
    """Takes batches from one thread to another; a few may wait to be taken."""

    def __init__(self) -> None:
        self._batches: queue.Queue[list[bytes]] = queue.Queue(_MOST_BATCHES)
        self._is_stopped = False
        self._error: BaseException | None = None

    def fill(self, pieces: Iterator[bytes]) -> None:
        """Put all there is, and an empty batch for its end; less once it is stopped."""
        batch: list[bytes] = []
        size = 0
        try:
            while not self._is_stopped and (piece := next(pieces, None)) is not None:
                batch.append(piece)
                size += len(piece) + _PIECE
                if size >= _BATCH:
                    self._put(batch)
                    batch, size = [], 0
        except BaseException as error:  # raised again by the caller's thread
            self._error = error
        finally:
            if batch:
                self._put(batch)
            self._put([])

    def next(self) -> list[bytes]:
        """Wait for the next batch; an empty one is the end.

        Raises:
            BaseException: What ended it early.
        """
        while True:
            with contextlib.suppress(queue.Empty):
                batch = self._batches.get(timeout=_POLL_SECONDS)
                if not batch and self._error is not None:
                    raise self._error
                return batch

    def stop(self) -> None:
        """Have no more put, and make place for what is being put just now, so that nobody waits."""
        self._is_stopped = True
        with contextlib.suppress(queue.Empty):
            while True:
                self._batches.get_nowait()

    def _put(self, batch: list[bytes]) -> None:
        if not self._is_stopped:
            self._batches.put(batch)
