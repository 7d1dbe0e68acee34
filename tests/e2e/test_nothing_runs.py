"""Nothing of a target is executed to build for it: only the interpreter of this machine runs.

Each program that the kernel is asked to start is recorded, and so is each file that is mapped to be executed, which is
how a library or an extension module of a target would come into a process of this machine. Meanwhile the kernel is
told to start no arm64 program at all, so that the arm64 base's interpreter is one that cannot run.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e import layouts
from tests.e2e.builds import Command, Tiny, link_cache
from tests.e2e.engines import require, require_machine

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.engine, pytest.mark.network]

_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_EXEC = re.compile(r'^\d+ +execve(?:at)?\((?:\S+, )?"([^"]*)".*\) += 0$', re.MULTILINE)
_MAPPED = re.compile(r"^\d+ +mmap\([^<]*PROT_EXEC[^<]*<([^>]*)>", re.MULTILINE)
_LINK = re.compile(r'^\d+ +symlink(?:at)?\("([^"]*)", (?:\S+, )?"([^"]*)"\) += 0$', re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """What a build started and loaded.

    Attributes:
        started: Programs the kernel was asked to start and did, links followed.
        failed: Attempts that the kernel refused, as recorded.
        loaded: Files mapped to be executed.
    """

    started: list[Path]
    failed: list[str]
    loaded: set[Path]


@pytest.fixture
def _no_arm64_program_can_run() -> Iterator[None]:
    """Switch the kernel's use of QEMU off while the build runs, and see that this works."""
    require_machine("arm64")
    switch = _BINFMT / "qemu-aarch64"
    if not switch.exists():
        pytest.skip("this machine runs arm64 programs by itself")
    _write(switch, "0")
    try:
        assert switch.read_text().startswith("disabled")
        yield
    finally:
        _write(switch, "1")


def _write(path: Path, text: str) -> None:
    if os.geteuid() == 0:
        path.write_text(text)
    else:
        subprocess.run(["sudo", "-n", "tee", str(path)], input=text.encode(), stdout=subprocess.DEVNULL, check=True)


def traced(command: Command, log: Path) -> Command:
    """Have a command's processes recorded: what they start, map to execute, and link."""
    require("strace")
    calls = "trace=execve,execveat,mmap,symlink,symlinkat"
    # Paths of open files are wanted (-y), each whole (-s).
    return replace(command, prefix=("strace", "-f", "-qq", "-y", "-s", "4096", "-o", str(log), "-e", calls))


def read_trace(log: Path) -> Trace:
    """Read a recording; interpreters in environments that are gone by now are followed to what they were links to."""
    text = _joined(log.read_text(errors="surrogateescape"))
    links = {link: target for target, link in _LINK.findall(text)}
    attempts = [line for line in text.splitlines() if re.match(r"\d+ +execve(at)?\(", line)]
    started = [path for line in attempts for path in _EXEC.findall(line)]
    failed = [line for line in attempts if not _EXEC.match(line)]
    return Trace(
        started=[_followed(path, links) for path in started],
        failed=failed,
        loaded={Path(path) for path in _MAPPED.findall(text)},
    )


def _joined(text: str) -> str:
    """Put calls that strace had to record in two halves, as others came between, together again."""
    waiting: dict[str, str] = {}
    lines = []
    for line in text.splitlines():
        process, _, rest = line.partition(" ")
        if line.endswith("<unfinished ...>"):
            waiting[process] = line.removesuffix("<unfinished ...>").rstrip()
        elif "resumed>" in rest and process in waiting:
            lines.append(waiting.pop(process) + rest.partition("resumed>")[2])
        else:
            lines.append(line)
    # A process whose other threads start a program never comes back from what it was in.
    return "\n".join([*lines, *waiting.values()])


def _followed(path: str, links: dict[str, str]) -> Path:
    for _ in range(10):
        if path not in links:
            break
        target = links[path]
        path = target if target.startswith("/") else str(Path(path).parent / target)
    return Path(path).resolve()


def assert_only_this_machines(trace: Trace, *made: Path) -> None:
    """Check that all that ran was on this machine before: nothing is in the folders that the build wrote to."""
    for path in {*trace.started, *trace.loaded}:
        assert not any(path.is_relative_to(folder.resolve()) for folder in made), f"{path} ran"
        assert path.is_file(), f"{path} ran, and is gone"


@pytest.mark.usefixtures("_no_arm64_program_can_run")
def test_building_layers_starts_no_program_at_all(tiny: Tiny, tmp_path: Path) -> None:
    """From downloads to a proved image: one program is started, and that is crossdock's own Python."""
    cache = tiny.cache_without_layers(tmp_path / "cache")
    project = tiny.copy(tmp_path / "project")
    command = traced(Command(cache=cache, env={"TMPDIR": str(tmp_path)}), tmp_path / "trace")

    assert command.run("image", project, "--output", tmp_path / "out").digest == tiny.digest

    trace = read_trace(tmp_path / "trace")
    assert trace.started == [Path(sys.executable).resolve()]
    assert trace.failed == []
    assert len(trace.loaded) > 5
    assert_only_this_machines(trace, tmp_path)
    # There was something to run: the interpreter of the base, and what was made for the other machine.
    python = layouts.members_of_layers(layouts.read_index(tmp_path / "out").images["arm64"])["usr/bin/python3.11"]
    assert python.kind == "file"
    assert python.mode & 0o111


def test_building_the_projects_own_wheel_starts_this_machines_python_alone(tiny: Tiny, tmp_path: Path) -> None:
    """Also with nothing in the cache but downloads; the backend runs in an environment made for it."""
    cache = link_cache(tiny.downloads, tmp_path / "cache")
    project = tiny.copy(tmp_path / "project")
    command = traced(Command(cache=cache, env={"TMPDIR": str(tmp_path)}), tmp_path / "trace")

    assert command.run("image", project, "--output", tmp_path / "out").digest == tiny.digest

    trace = read_trace(tmp_path / "trace")
    assert len(trace.started) > 2
    assert_only_this_machines(trace, tmp_path)
    assert Path(sys.executable).resolve() in trace.started
    assert {path for path in trace.started if path.name.startswith("python")} == {Path(sys.executable).resolve()}


def test_the_trap_catches_a_program(tiny: Tiny, tmp_path: Path) -> None:
    """What would be seen if a build did start something of a target, or load it."""
    module = tmp_path / "stolen.so"
    program = tmp_path / "stolen"
    shutil.copy(shutil.which("true") or "/bin/true", program)
    shutil.copy(Path(contextlib.__file__).parent / "lib-dynload" / _an_extension(), module)
    code = (
        "import ctypes, subprocess, sys\n"
        f"subprocess.run([{str(program)!r}])\n"
        f"ctypes.CDLL({str(module)!r}, mode=ctypes.RTLD_LOCAL)\n"
    )
    log = tmp_path / "trace"
    assert traced(Command(cache=tmp_path, start=("-c", code)), log).run().code == 0

    trace = read_trace(log)

    assert program in trace.started
    assert module in trace.loaded
    with pytest.raises(AssertionError, match="stolen"):
        assert_only_this_machines(trace, tmp_path)


def _an_extension() -> str:
    return next((Path(contextlib.__file__).parent / "lib-dynload").glob("_bisect.*.so")).name
