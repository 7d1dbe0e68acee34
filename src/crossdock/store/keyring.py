"""Asking the ``keyring`` program for passwords, as pip and uv do when they are told to.

The program is found on PATH and run without a terminal: it can neither ask questions nor print anything. What it
answers is kept in memory only.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from typing import TYPE_CHECKING

from crossdock.store.parallel import CancelledError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.store.parallel import Cancellation

__all__ = ["Keyring"]

_PROGRAM = "keyring"
_SECONDS = 30.0
# A token is at most some thousand characters.
_MOST_BYTES = 1 << 16


class Keyring:
    """Answers of the ``keyring`` program, each asked for once. Safe to use from many threads.

    Args:
        environ: Environment variables; PATH says where the program is.
        seconds: How long it may take for one answer.
    """

    def __init__(self, environ: Mapping[str, str], *, seconds: float = _SECONDS) -> None:
        self._environ = dict(environ)
        self._seconds = seconds
        self._program = shutil.which(_PROGRAM, path=environ.get("PATH", os.defpath))
        self._answers: dict[tuple[str, str], tuple[str, str] | None] = {}
        self._lock = threading.Lock()
        self.trouble = "" if self._program else "it is not on PATH"

    def known(self, services: Iterable[str], user: str) -> tuple[str, str] | None:
        """Return what an earlier `find` came to; asks nothing."""
        with self._lock:
            return next(filter(None, (self._answers.get((service, user)) for service in services)), None)

    def find(self, services: Iterable[str], user: str, cancellation: Cancellation) -> tuple[str, str] | None:
        """Return user and password.

        Args:
            services: The names they may be kept under, in order: URLs and hosts.
            user: The user; empty if the keyring is to say that, too.
            cancellation: Ends a program that runs.
        """
        with self._lock:
            for service in services:
                if (service, user) not in self._answers:
                    self._answers[service, user] = self._ask(service, user, cancellation)
                answer = self._answers[service, user]
                if answer is not None:
                    return answer
        return None

    def _ask(self, service: str, user: str, cancellation: Cancellation) -> tuple[str, str] | None:
        # Neither may become an option of the program, nor can hold what no argument can.
        if self._program is None or service.startswith("-") or user.startswith("-") or "\0" in service + user:
            return None
        arguments = ["get", service, user] if user else ["--mode", "creds", "get", service]
        output = self._run([self._program, *arguments], cancellation)
        try:
            text = output.decode()
        except UnicodeDecodeError:
            return None
        lines = text.splitlines()
        if user:
            return (user, lines[0]) if len(lines) == 1 and lines[0] else None
        return (lines[0], lines[1]) if len(lines) == 2 and lines[1] else None

    def _run(self, command: list[str], cancellation: Cancellation) -> bytes:
        """Return what a command writes; nothing if it fails, takes too long or writes too much."""
        try:
            # A session of its own has no terminal to ask on, and ends as a whole.
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**self._environ, "PYTHONIOENCODING": "utf-8"},
                start_new_session=True,
            )
        except OSError as error:
            self.trouble = f"it cannot be run: {error.strerror or error}"
            return b""
        late = threading.Event()

        def give_up() -> None:
            late.set()
            _kill(process)

        timer = threading.Timer(self._seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            with process, cancellation.waking(lambda: _kill(process)):
                output = process.stdout.read(_MOST_BYTES + 1) if process.stdout is not None else b""
                if len(output) > _MOST_BYTES:
                    _kill(process)
        except CancelledError:
            _kill(process)
            raise
        finally:
            timer.cancel()
        cancellation.check()
        if late.is_set():
            self.trouble = f"it did not answer within {self._seconds:g} seconds"
        return output if process.returncode == 0 else b""


def _kill(process: subprocess.Popen[bytes]) -> None:
    # It may have ended meanwhile; on Windows there are no groups, and its own end must do.
    with contextlib.suppress(OSError):
        if os.name == "posix":
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
