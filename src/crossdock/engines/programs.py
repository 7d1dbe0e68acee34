"""Running an engine's program and telling what it said."""

from __future__ import annotations

import shutil
import subprocess
from typing import IO, TYPE_CHECKING

from crossdock.errors import EngineLoadError
from crossdock.store.urls import scrub
from crossdock.text import printable

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["ask", "find_program", "run"]

#: Seconds within which an engine that runs answers; one on another machine may need some.
_ANSWER = 20
_LONGEST = 500


def find_program(name: str, environ: Mapping[str, str]) -> str | None:
    """Give the path of a program, or None."""
    return shutil.which(name, path=environ.get("PATH"))


def ask(command: Sequence[str], environ: Mapping[str, str]) -> str:
    """Run a command that answers at once, and give what it wrote to stdout.

    Raises:
        EngineLoadError: It failed, or did not answer; the error's ``what`` is the last thing it said.
    """
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER, env=environ, check=False
        )
    except subprocess.TimeoutExpired:
        raise EngineLoadError(f"did not answer within {_ANSWER} seconds") from None
    except OSError as error:
        raise EngineLoadError(f"cannot be started: {error.strerror or error}") from None
    if done.returncode != 0:
        raise EngineLoadError(_said(done.stderr) or _said(done.stdout) or f"ended with exit code {done.returncode}")
    return done.stdout.decode(errors="replace")


def run(command: Sequence[str], environ: Mapping[str, str], *, engine: str, given: IO[bytes] | None = None) -> str:
    """Run a command to its end, however long that takes, and give what it wrote to stdout.

    Args:
        command: Program and arguments.
        environ: Its environment.
        engine: How users call the engine.
        given: What it reads from stdin.

    Raises:
        EngineLoadError: It failed.
    """
    try:
        done = subprocess.run(command, stdin=given or subprocess.DEVNULL, capture_output=True, env=environ, check=False)
    except OSError as error:
        raise EngineLoadError(f"{engine} cannot be started", why=error.strerror or str(error)) from None
    if done.returncode != 0:
        raise EngineLoadError(
            f"{engine} refused the image",
            why=_said(done.stderr) or _said(done.stdout) or f"it ended with exit code {done.returncode}",
            hint=f"see that {engine} has room and rights, or write the image to a file with --output",
        )
    return done.stdout.decode(errors="replace")


def _said(output: bytes) -> str:
    """Give the last lines of what a program said, fit to be shown."""
    lines = [line.strip() for line in output.decode(errors="replace").splitlines() if line.strip()]
    return printable(scrub("; ".join(lines[-4:])))[-_LONGEST:]
