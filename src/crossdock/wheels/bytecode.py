"""Bytecode of installed files, compiled by an interpreter of the target's version on this machine.

The work is done by ``compile_worker.py``, in processes of that interpreter. What comes out depends on the source, on
the path it is installed at and on the interpreter's exact version, and on nothing else.
"""

from __future__ import annotations

import itertools
import os
import queue
import signal
import subprocess
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from importlib.resources import as_file, files
from typing import TYPE_CHECKING, Self

from crossdock.errors import BytecodeError
from crossdock.wheels.compile_worker import ANSWER, DONE, OUT_OF_MEMORY, REQUEST, SKIPPED, UNKNOWN_FORM

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future
    from pathlib import Path
    from types import TracebackType

    from crossdock.store.actions import JSON

__all__ = ["LARGEST_SOURCE", "Compiled", "Compiler", "CompilerSpec", "Source", "interpreter_environment", "pyc_path"]

#: Raised whenever the same source gives other bytes under the same interpreter.
_VERSION = 1
#: Larger sources are left uncompiled: an abstract syntax tree takes some hundred times the memory of its source.
LARGEST_SOURCE = 8 << 20
_LARGEST_PYC = 128 << 20
_MOST_PROCESSES = 4
#: Sources held while earlier ones are compiled, for each process.
_AHEAD = 4
_END_SECONDS = 10

# Deletes the entry of sys.path that stands for the worker's folder, or for the current one: files in there may have
# names of the standard library.
_START = "import sys; del sys.path[0]; exec(compile(open(sys.argv[1], 'rb').read(), sys.argv[1], 'exec'))"
# -I would do most of this, and ignore the hash seed as well.
_OPTIONS = ("-S", "-s", "-B", "-W", "ignore", "-X", "utf8", "-c", _START)
_KEPT_VARIABLES = ("SYSTEMROOT", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "DYLD_FALLBACK_LIBRARY_PATH")


def interpreter_environment() -> dict[str, str]:
    """Give the environment for interpreters: what the loader needs to start them, and no setting of Python's."""
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}


@dataclass(frozen=True, slots=True, kw_only=True)
class CompilerSpec:
    """An interpreter that compiles for targets of its version; see ``find_compiler``.

    Attributes:
        path: The program.
        version: Its full version, such as ``3.11.2``.
        magic: What its .pyc files start with, in hex.
        cache_tag: The part of their names that stands for it, such as ``cpython-311``.
    """

    path: str
    version: str
    magic: str
    cache_tag: str

    @property
    def key(self) -> JSON:
        """What the bytecode depends on, for action keys: not where the interpreter is, nor what machine it is for."""
        return [_VERSION, self.version, self.magic, self.cache_tag]

    def start(self) -> Compiler:
        """Give a compiler, to be used as a context manager; its processes start when there is something to do."""
        return Compiler(self)


@dataclass(frozen=True, slots=True)
class Source:
    """A file to compile.

    Attributes:
        path: Absolute path it is installed at, which tracebacks show.
        content: Its bytes, no more than ``LARGEST_SOURCE``.
    """

    path: str
    content: bytes


_FIRST = Source("/first", b"")


@dataclass(frozen=True, slots=True)
class Compiled:
    """What became of a source.

    Attributes:
        pyc: The whole .pyc file; empty if it does not compile.
        reason: Why not.
    """

    pyc: bytes
    reason: str = ""


def pyc_path(path: str, cache_tag: str) -> str:
    """Where Python looks for the bytecode of a source file (PEP 3147)."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/__pycache__/{name.removesuffix('.py')}.{cache_tag}.pyc"


class Compiler:
    """Compiles files in a few processes of one interpreter.

    Args:
        spec: The interpreter.
        processes: How many; None for as many as there are processors, up to four.
    """

    def __init__(self, spec: CompilerSpec, *, processes: int | None = None) -> None:
        self.spec = spec
        self._processes = processes or min(_MOST_PROCESSES, os.cpu_count() or 1)
        self._idle: queue.LifoQueue[_Worker] = queue.LifoQueue()  # the last one used is running
        self._workers = [_Worker(spec) for _ in range(self._processes)]
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(self._processes, thread_name_prefix="bytecode")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the processes, whatever they are doing."""
        self._threads.shutdown(wait=False, cancel_futures=True)
        for _ in range(2):  # one may have been about to start
            for worker in self._workers:
                worker.end()
            self._threads.shutdown()

    def compile(self, sources: Iterable[Source]) -> Iterator[Compiled]:
        """Compile files, in their order; only a few are taken ahead, so that memory is bounded.

        Raises:
            BytecodeError: The interpreter cannot be started, or a file makes it crash, or takes too much of anything.
        """
        waiting: deque[Future[Compiled]] = deque()
        rest = iter(sources)
        for source in itertools.islice(rest, self._processes * _AHEAD):
            waiting.append(self._threads.submit(self._compile, source))
        while waiting:
            compiled = waiting.popleft().result()
            for source in itertools.islice(rest, 1):
                waiting.append(self._threads.submit(self._compile, source))
            yield compiled

    def _compile(self, source: Source) -> Compiled:
        worker = self._idle.get()  # there are as many as threads
        try:
            return worker.compile(source)
        finally:
            self._idle.put(worker)


class _Worker:
    """One process, started at the first request."""

    def __init__(self, spec: CompilerSpec) -> None:
        self._spec = spec
        self._process: subprocess.Popen[bytes] | None = None

    def compile(self, source: Source) -> Compiled:
        process = self._process or self._start()
        assert process.stdin is not None  # noqa: S101  both are pipes
        assert process.stdout is not None  # noqa: S101
        path = source.path.encode("utf-8", "surrogateescape")
        try:
            process.stdin.write(REQUEST.pack(len(path), len(source.content)) + path + source.content)
            process.stdin.flush()
            head = process.stdout.read(ANSWER.size)
        except OSError:
            head = b""
        if len(head) != ANSWER.size:
            raise self._died(process, source)
        status, size = ANSWER.unpack(head)
        if status not in (DONE, SKIPPED) or size > _LARGEST_PYC:
            memory = "it is nested too deeply, or needs too much memory"
            raise _refused(source, memory if status == OUT_OF_MEMORY else "its bytecode would be too large")
        content = process.stdout.read(size)
        if len(content) != size:
            raise self._died(process, source)
        return Compiled(content) if status == DONE else Compiled(b"", content.decode(errors="replace"))

    def end(self) -> None:
        if self._process is None:
            return
        with suppress(OSError):
            self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):  # what was to be written is of no use any more
                    pipe.close()

    def _start(self) -> subprocess.Popen[bytes]:
        with as_file(files("crossdock.wheels").joinpath("compile_worker.py")) as script:
            self._process = self._spawn(script)
            # The script may be a copy for as long as this lasts; an answer says that it was read.
            self.compile(_FIRST)
        return self._process

    def _spawn(self, script: Path) -> subprocess.Popen[bytes]:
        # With a fixed seed, sets of strings have one order everywhere, should a compiler ever let it show.
        environment = {**interpreter_environment(), "PYTHONHASHSEED": "0"}
        try:
            return subprocess.Popen(
                [self._spec.path, *_OPTIONS, str(script)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=environment,
            )
        except OSError as error:
            raise _cannot_start(self._spec, error.strerror or str(error)) from None

    def _died(self, process: subprocess.Popen[bytes], source: Source) -> BytecodeError:
        with suppress(subprocess.TimeoutExpired):
            process.wait(_END_SECONDS)
        status = process.returncode
        if status == UNKNOWN_FORM:
            return BytecodeError(
                f"Python {self._spec.version} writes bytecode in a form that crossdock does not know",
                hint="build without compile, or with a newer crossdock",
            )
        if status is not None and status < 0 and -status == getattr(signal, "SIGVTALRM", 0):
            return _refused(source, "the compiler did not come to an end")
        how = signal.strsignal(-status) if status is not None and status < 0 else f"exit status {status}"
        if source is _FIRST:
            return _cannot_start(self._spec, str(how))
        return _refused(source, f"{self._spec.path} crashed on it ({how})")


def _cannot_start(spec: CompilerSpec, why: str) -> BytecodeError:
    return BytecodeError(
        f"{spec.path} cannot be started to compile bytecode",
        why=why,
        hint="name another interpreter in compile-python, or build without compile",
    )


def _refused(source: Source, why: str) -> BytecodeError:
    return BytecodeError(
        f"{source.path} cannot be compiled",
        why=why,
        hint="leave the file out with `exclude` in the package's [tool.crossdock.packages.…], or build without compile",
    )
