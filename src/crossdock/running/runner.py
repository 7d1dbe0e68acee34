"""Runs code inside an artifact, or imports all of its modules: on the machine it is for, or under QEMU."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import time
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from crossdock.running.limits import DEFAULT_LIMITS
from crossdock.running.machine import NotRun, choose_way, survey
from crossdock.running.process import run_bounded, stand_in
from crossdock.running.sandbox import bubblewrap_command, podman_command
from crossdock.running.staging import staged
from crossdock.verify.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.running.limits import RunLimits
    from crossdock.running.machine import Machine, Way
    from crossdock.running.process import Done
    from crossdock.running.staging import Runnable, Stage

__all__ = ["FailedImport", "Imports", "Ran", "Ready", "imports_of", "prepared", "run_in"]

#: Linux takes no longer argument.
_LONGEST_CODE: Final = 100_000
_PODMAN_ERROR: Final = frozenset({125, 126, 127})
_LEAST: Final = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """Code was run.

    Attributes:
        exit_code: Of its interpreter; 128 and the signal's number if a signal ended it.
        stdout: What it wrote there, as far as it was kept.
        stderr: The same.
        seconds: How long it ran.
        how: In words: ``under QEMU, in bubblewrap, by /app/.venv/bin/python``.
        timed_out: Whether it was ended because its time was over.
        cut: Whether it wrote more than was kept.
    """

    exit_code: int
    stdout: str
    stderr: str
    seconds: float
    how: str
    timed_out: bool = False
    cut: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedImport:
    """A module that cannot be imported.

    Attributes:
        package: The distribution that declares it: ``numpy 2.1.0``.
        module: Its name.
        error: The last line of the error, or how the process ended.
    """

    package: str
    module: str
    error: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Imports:
    """All declared modules were imported, one after the other.

    Attributes:
        modules: How many there are.
        packages: How many distributions declare them.
        failed: Those that cannot be imported.
        untried: How many were not come to in time.
        problem: Why the modules could not be listed, or not all be tried; empty otherwise.
        seconds: How long it took.
        how: Like `Ran.how`.
    """

    modules: int
    packages: int
    failed: tuple[FailedImport, ...]
    untried: int = 0
    problem: str = ""
    seconds: float
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """An artifact that is unpacked and can be run any number of times; each run finds it as it was.

    Attributes:
        stage: Its files and interpreter.
        way: How programs are run.
        limits: What each question may take.
        environ: This machine's variables, for podman.
    """

    stage: Stage
    way: Way
    limits: RunLimits
    environ: Mapping[str, str] = field(repr=False)

    @property
    def how(self) -> str:
        """How it runs, in words."""
        return f"{self.way.told}, by {printable(self.stage.told)}"

    def run(self, code: str) -> Ran | NotRun:
        """Run Python code."""
        if "\0" in code or len(code.encode("utf-8", "replace")) > _LONGEST_CODE:
            return NotRun(why="the code is too long, or holds a NUL", hint="put it into a module and import that")
        done = self._start(["-c", code], self.limits.seconds)
        if isinstance(done, NotRun):
            return done
        return Ran(
            exit_code=done.code,
            stdout=done.stdout.decode("utf-8", "replace"),
            stderr=done.stderr.decode("utf-8", "replace"),
            seconds=done.seconds,
            how=self.how,
            timed_out=done.timed_out,
            cut=done.cut,
        )

    def imports(self) -> Imports | NotRun:
        """Import every top-level module that the artifact's distributions declare."""
        start = time.monotonic()
        worker = resources.files("crossdock.running").joinpath("import_worker.py").read_text("utf-8")
        progress = _Progress()
        while not progress.ended:
            left = max(_LEAST, self.limits.seconds - (time.monotonic() - start))
            arguments = ["-c", worker, str(progress.next), *self.stage.inside]
            done = self._start(arguments, left)
            if isinstance(done, NotRun):
                return done
            progress.take(done, self.limits.seconds)
        return progress.imports(seconds=time.monotonic() - start, how=self.how)

    def _start(self, arguments: list[str], seconds: float) -> Done | NotRun:
        command = [*self.stage.command, *arguments]
        limits = replace(self.limits, seconds=seconds)
        try:
            if self.way.tool == "bubblewrap":
                return self._bubblewrap(command, limits)
            return self._podman(command, limits)
        except OSError as error:
            return NotRun(why=f"{self.way.program} cannot be started: {error.strerror or error}")

    def _bubblewrap(self, command: list[str], limits: RunLimits) -> Done | NotRun:
        done = run_bounded(
            bubblewrap_command(self.stage.scene, self.way, command, limits),
            {},
            seconds=limits.seconds,
            output=limits.output,
            user=stand_in(),
            status_option="--json-status-fd",
        )
        # It tells how the program ended only if the program was started at all.
        if not done.timed_out and b'"exit-code"' not in done.status:
            return NotRun(why=f"bubblewrap could not start {command[0]}: {_last_line(done.stderr)}")
        return done

    def _podman(self, command: list[str], limits: RunLimits) -> Done | NotRun:
        name = f"crossdock-run-{secrets.token_hex(8)}"
        try:
            done = run_bounded(
                podman_command(self.stage.scene, self.way, command, limits, name=name),
                self.environ,
                seconds=limits.seconds,
                output=limits.output,
            )
        finally:
            # Killing podman leaves the container.
            removal = [self.way.program, "rm", "--force", "--ignore", "--time", "0", name]
            with suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(removal, env=dict(self.environ), capture_output=True, timeout=60, check=False)
        if not done.timed_out and done.code in _PODMAN_ERROR and done.stderr.lstrip().startswith(b"Error:"):
            return NotRun(why=f"podman could not start {command[0]}: {_last_line(done.stderr)}")
        return done


def run_in(
    runnable: Runnable,
    code: str,
    *,
    limits: RunLimits = DEFAULT_LIMITS,
    machine: Machine | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Ran | NotRun:
    """Run Python code inside an artifact.

    Args:
        runnable: The artifact.
        code: As for ``python -c``.
        limits: What it may take.
        machine: What this machine has; without it that is looked up.
        environ: Where programs are looked up.

    Raises:
        CrossdockError: The artifact cannot be unpacked.
    """
    with prepared(runnable, limits=limits, machine=machine, environ=environ) as ready:
        return ready if isinstance(ready, NotRun) else ready.run(code)


def imports_of(
    runnable: Runnable,
    *,
    limits: RunLimits = DEFAULT_LIMITS,
    machine: Machine | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Imports | NotRun:
    """Import every top-level module that an artifact's distributions declare; all else is like `run_in`."""
    with prepared(runnable, limits=limits, machine=machine, environ=environ) as ready:
        return ready if isinstance(ready, NotRun) else ready.imports()


@contextmanager
def prepared(
    runnable: Runnable,
    *,
    limits: RunLimits = DEFAULT_LIMITS,
    machine: Machine | None = None,
    environ: Mapping[str, str] = os.environ,
) -> Iterator[Ready | NotRun]:
    """Unpack an artifact, to be asked several things; arguments and errors are like those of `run_in`."""
    machine = machine or survey(environ)
    way = choose_way(machine, runnable.platform.os, runnable.platform.architecture)
    if isinstance(way, NotRun):
        yield way
        return
    with staged(runnable, way, limits, environ) as stage:
        if isinstance(stage, NotRun):
            yield stage
        else:
            yield Ready(stage=stage, way=way, limits=limits, environ=environ)


class _Progress:
    """What workers have said so far."""

    def __init__(self) -> None:
        self._modules: list[tuple[str, str]] | None = None
        self._failed: list[FailedImport] = []
        self._problem = ""
        self.next = 0
        self.ended = False

    def take(self, done: Done, seconds: float) -> None:
        """Take in what a worker has written, and how it ended."""
        before, started = self.next, None
        for line in _lines(done.stdout):
            if "modules" in line and self._modules is None:
                self._modules = _pairs(line["modules"])
            elif "start" in line:
                started = self._number(line["start"])
            elif started is not None and ("done" in line or "failed" in line):
                if "failed" in line:
                    self._fail(started, str(line.get("error")))
                self.next, started = started + 1, None
            elif "end" in line:
                self.ended = True
        if self.ended:
            return
        if started is not None:
            self._fail(started, f"not imported within {seconds:g} s" if done.timed_out else _how_it_ended(done.code))
            self.next = started + 1
        count = len(self._modules or ())
        if done.timed_out or self._modules is None or self.next == before or self.next >= count:
            self.ended = True
            if self._modules is None or (self.next < count and not done.timed_out):
                self._problem = _last_line(done.stderr) if not done.timed_out else f"not done within {seconds:g} s"

    def imports(self, *, seconds: float, how: str) -> Imports:
        """Give what came of it."""
        modules = self._modules or []
        return Imports(
            modules=len(modules),
            packages=len({package for package, _ in modules}),
            failed=tuple(self._failed),
            untried=max(0, len(modules) - self.next),
            problem=self._problem,
            seconds=seconds,
            how=how,
        )

    def _number(self, value: object) -> int | None:
        is_next = isinstance(value, int) and self._modules is not None and self.next <= value < len(self._modules)
        return value if is_next and isinstance(value, int) else None

    def _fail(self, number: int, error: str) -> None:
        package, module = (self._modules or [])[number]
        self._failed.append(FailedImport(package=package, module=module, error=printable(error)[:500]))


def _lines(output: bytes) -> Iterator[dict[str, Any]]:
    for line in output.splitlines():
        try:
            value = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            yield value


def _pairs(value: object) -> list[tuple[str, str]]:
    items = value if isinstance(value, list) else []
    pairs = [item for item in items if isinstance(item, list) and len(item) == 2]
    return [(printable(str(package))[:200], printable(str(module))[:200]) for package, module in pairs]


def _how_it_ended(code: int) -> str:
    import signal

    try:
        return f"the process was ended by {signal.Signals(code - 128).name}"
    except ValueError:
        return f"the process ended with exit code {code}"


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines() if line.strip()]
    return printable(lines[-1])[:500] if lines else "it said nothing"
