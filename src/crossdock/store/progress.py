"""One line on a terminal that says how far the downloads are; nothing anywhere else.

No colours and no escape sequences are ever used, so ``NO_COLOR`` is respected; ``TERM=dumb`` and anything that is not
a terminal get no line at all.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import time
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["Progress", "format_line", "terminal_progress"]

_REDRAW_SECONDS = 0.1
_MEGABYTE = 1_000_000


class Progress:
    """Counts files and bytes, from any thread, and draws them.

    Args:
        stream: Where to draw.
        clock: Gives a time in seconds.
    """

    def __init__(self, stream: TextIO, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._stream = stream
        self._clock = clock
        self._lock = threading.Lock()
        self._files = self._files_done = self._bytes_done = 0
        self._bytes: int | None = None
        self._started = self._drawn_at = 0.0
        self._width = 0

    def start(self, files: int, size: int | None) -> None:
        """Begin with a number of files and their size in bytes together, if known."""
        with self._lock:
            self._files, self._bytes = files, size
            self._files_done = self._bytes_done = 0
            self._started = self._clock()
            self._draw()

    def advance(self, size: int) -> None:
        """Count bytes; negative when what was counted must be read again."""
        with self._lock:
            self._bytes_done += size
            if self._clock() - self._drawn_at >= _REDRAW_SECONDS:
                self._draw()

    def file_done(self) -> None:
        """Count a file as finished."""
        with self._lock:
            self._files_done += 1
            self._draw()

    def close(self) -> None:
        """Wipe the line."""
        with self._lock:
            self._stream.write("\r" + " " * self._width + "\r")
            self._stream.flush()
            self._width = 0

    def _draw(self) -> None:
        self._drawn_at = self._clock()
        line = format_line(
            files=(self._files_done, self._files),
            size=(self._bytes_done, self._bytes),
            seconds=self._drawn_at - self._started,
            columns=shutil.get_terminal_size().columns,
        )
        self._stream.write("\r" + line.ljust(self._width))
        self._stream.flush()
        self._width = len(line)


def format_line(*, files: tuple[int, int], size: tuple[int, int | None], seconds: float, columns: int) -> str:
    """Return the line for (done, total) files and bytes after some seconds, cut to a terminal's columns."""
    done, total = size
    amount = f"{done / _MEGABYTE:.1f}" + (f"/{total / _MEGABYTE:.1f} MB" if total is not None else " MB")
    rate = f"{done / _MEGABYTE / seconds:.1f} MB/s" if seconds > 0 else ""
    line = "  ".join(part for part in (f"fetching {files[0]}/{files[1]} files", amount, rate) if part)
    return line[: max(0, columns - 1)]


def terminal_progress(stream: TextIO | None = None, environ: Mapping[str, str] = os.environ) -> Progress | None:
    """Return a progress line for stderr, or None where nobody could read it."""
    stream = sys.stderr if stream is None else stream
    if not stream.isatty() or environ.get("TERM") == "dumb":
        return None
    return Progress(stream)
