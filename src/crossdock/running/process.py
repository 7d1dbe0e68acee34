"""Starts a program and gives what it wrote, within limits of time and size."""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import time
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["STAND_IN", "Done", "run_bounded", "stand_in"]

#: The user that stands in for root, who is never let near what an artifact holds: "nobody" of every Linux.
STAND_IN: Final = 65534
_PIECE: Final = 1 << 16
_LAST_WORDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """How a program ended.

    Attributes:
        code: Its exit code; 128 and the signal's number if a signal ended it.
        stdout: What it wrote there, at most as much as was allowed.
        stderr: The same.
        status: What it wrote to the further pipe it was given.
        seconds: How long it ran.
        timed_out: Whether it was ended because its time was over.
        cut: Whether it wrote more than was kept.
    """

    code: int
    stdout: bytes
    stderr: bytes
    status: bytes = b""
    seconds: float
    timed_out: bool = False
    cut: bool = False


def stand_in() -> int | None:
    """Give the user to become before anything of an artifact is touched: `STAND_IN` for root, None for all others.

    A user namespace alone does not do: the kernel lets root's processes write to ``/proc/sys`` from inside of one.
    """
    return STAND_IN if os.geteuid() == 0 else None


def run_bounded(
    command: Sequence[str],
    environ: Mapping[str, str],
    *,
    seconds: float,
    output: int,
    user: int | None = None,
    status_option: str = "",
) -> Done:
    """Run a program to its end, or to the end of its time.

    Args:
        command: Program and arguments.
        environ: All its variables.
        seconds: After which it and its children are killed.
        output: Bytes of stdout, and of stderr, that are kept.
        user: Whom to become first.
        status_option: The name of an option that tells the program the number of one more pipe to write to; it is put
            behind the program's name.

    Raises:
        OSError: It cannot be started.
    """
    reading, writing = os.pipe()
    options = [status_option, str(writing)] if status_option else []
    start = time.monotonic()
    try:
        process = subprocess.Popen(
            [command[0], *options, *command[1:]],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=dict(environ),
            cwd="/",
            start_new_session=True,
            pass_fds=[writing] if status_option else [],
            user=user,
            group=user,
            extra_groups=None if user is None else [],
        )
    except BaseException:
        os.close(reading)
        raise
    finally:
        os.close(writing)
    with process, open(reading, "rb", buffering=0) as status:  # noqa: PTH123  a descriptor, no path
        try:
            kept = _Kept(process, status, output)
            timed_out = not kept.read_until(start + seconds)
        finally:
            _kill(process)
        if timed_out:
            kept.read_until(time.monotonic() + _LAST_WORDS)
        code = process.wait()
    return Done(
        code=code if code >= 0 else 128 - code,
        stdout=bytes(kept.stdout),
        stderr=bytes(kept.stderr),
        status=bytes(kept.status),
        seconds=time.monotonic() - start,
        timed_out=timed_out,
        cut=kept.cut,
    )


class _Kept:
    """Reads pipes to their ends, and keeps the beginning of what comes."""

    def __init__(self, process: subprocess.Popen[bytes], status: IO[bytes], most: int) -> None:
        self.stdout, self.stderr, self.status = bytearray(), bytearray(), bytearray()
        self.cut = False
        self._most = most
        self._process = process
        self._selector = selectors.DefaultSelector()
        for stream, kept in ((process.stdout, self.stdout), (process.stderr, self.stderr), (status, self.status)):
            assert stream is not None  # noqa: S101  all are pipes
            self._selector.register(stream, selectors.EVENT_READ, kept)

    def read_until(self, deadline: float) -> bool:
        """Read until all is read and the program has ended, or until a time; tell whether it was the former."""
        while self._selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                piece = os.read(key.fd, _PIECE)
                if not piece:
                    self._selector.unregister(key.fileobj)
                kept: bytearray = key.data
                room = self._most - len(kept)
                kept += piece[:room]
                self.cut = self.cut or len(piece) > room
        try:
            self._process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return False
        return True


def _kill(process: subprocess.Popen[bytes]) -> None:
    # It is the leader of a session of its own. Once it is waited for, its number may be another's.
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
