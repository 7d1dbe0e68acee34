"""Progress is one line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import io

import pytest

from crossdock.store import Progress, terminal_progress
from crossdock.store.progress import format_line


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_only_a_terminal_that_can_gets_a_line() -> None:
    assert terminal_progress(io.StringIO(), {"TERM": "xterm"}) is None
    assert terminal_progress(Terminal(), {"TERM": "dumb"}) is None
    assert isinstance(terminal_progress(Terminal(), {"TERM": "xterm", "NO_COLOR": "1"}), Progress)


@pytest.mark.parametrize(
    ("total", "seconds", "columns", "line"),
    [
        (10_000_000, 2.0, 80, "fetching 1/3 files  5.0/10.0 MB  2.5 MB/s"),
        (None, 2.0, 80, "fetching 1/3 files  5.0 MB  2.5 MB/s"),
        (10_000_000, 0.0, 80, "fetching 1/3 files  5.0/10.0 MB"),
        (10_000_000, 2.0, 11, "fetching 1"),
        (10_000_000, 2.0, 0, ""),
    ],
)
def test_the_line(total: int | None, seconds: float, columns: int, line: str) -> None:
    assert format_line(files=(1, 3), size=(5_000_000, total), seconds=seconds, columns=columns) == line


def test_it_is_drawn_ten_times_a_second_at_most_and_wiped() -> None:
    now = [0.0]
    terminal = Terminal()
    progress = Progress(terminal, clock=lambda: now[0])
    progress.start(1, 1000)
    for _ in range(1000):
        now[0] += 0.001
        progress.advance(1)
    progress.file_done()
    assert 10 <= terminal.getvalue().count("\r") <= 13
    assert terminal.getvalue().endswith("1/1 files  0.0/0.0 MB  0.0 MB/s")
    progress.close()
    last = terminal.getvalue().split("\r")
    assert last[-2].isspace()
    assert last[-1] == ""
