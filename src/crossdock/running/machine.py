"""What this machine has to run programs with, and which way is taken with it.

Programs of other architectures run under QEMU's user emulation: by itself where the kernel is told to (binfmt_misc,
with the flag F, so that it also works where the emulator's own file cannot be seen), else with the emulator named.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from crossdock.headers.describe import describe
from crossdock.headers.source import FileSource
from crossdock.running.process import run_bounded, stand_in
from crossdock.targets.platform import ARCHITECTURE_ALIASES
from crossdock.verify.finding import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Machine", "NotRun", "Tool", "Way", "choose_way", "registered_in", "survey"]

_BINFMT: Final = Path("/proc/sys/fs/binfmt_misc")
# Where Debian and others put programs that a user's PATH may not lead to.
_MORE_FOLDERS: Final = ("/usr/local/bin", "/usr/bin", "/bin")
_ANSWER: Final = 20
_MOST_SAID: Final = 4096
#: Of the ELF header: class, byte order and machine, by OCI's name of the architecture; and QEMU's name of it.
_ELF: Final[Mapping[str, tuple[int, str, int, str]]] = {
    "amd64": (2, "little", 62, "x86_64"),
    "arm64": (2, "little", 183, "aarch64"),
    "arm": (1, "little", 40, "arm"),
    "386": (1, "little", 3, "i386"),
    "ppc64le": (2, "little", 21, "ppc64le"),
    "s390x": (2, "big", 22, "s390x"),
    "riscv64": (2, "little", 243, "riscv64"),
}
#: Architectures whose programs a machine runs beside its own.
_RUNS_TOO: Final[Mapping[str, frozenset[str]]] = {"amd64": frozenset({"386"})}
_INSTALL: Final = "install bubblewrap (Debian, Ubuntu, Fedora: package bubblewrap) or podman"

Tool = Literal["bubblewrap", "podman"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotRun:
    """Nothing was run.

    Attributes:
        why: The reason.
        hint: What the user can do.
    """

    why: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What this machine has.

    Attributes:
        os: ``linux``, ….
        architecture: OCI's name, or the kernel's where OCI has none.
        tools: The path of each tool that is there.
        versions: Of bubblewrap, as numbers; empty if it does not say one.
        problems: What a tool that is there said when it was tried; such a one is not used.
        registered: Architectures whose programs the kernel hands to an emulator, wherever they are.
        emulators: The path of an emulator for each architecture, each a static program.
    """

    os: str
    architecture: str
    tools: Mapping[Tool, str] = field(default_factory=dict)
    versions: tuple[int, ...] = ()
    problems: Mapping[Tool, str] = field(default_factory=dict)
    registered: frozenset[str] = frozenset()
    emulators: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """How to run a program.

    Attributes:
        tool: What shuts it off from this machine.
        program: The path of that.
        version: Of bubblewrap.
        emulator: An emulator to start in place of the program; empty if the kernel runs the program.
        native: Whether the processor runs the program itself.
        told: In words, for reports.
    """

    tool: Tool
    program: str
    version: tuple[int, ...] = ()
    emulator: str = ""
    native: bool = True
    told: str


def choose_way(machine: Machine, os_name: str, architecture: str) -> Way | NotRun:
    """Decide how programs of a platform are run here.

    Args:
        machine: What there is.
        os_name: OCI's name of the programs' system.
        architecture: OCI's name of the programs' architecture.
    """
    wanted = f"{os_name}/{architecture}"
    if machine.os != "linux" or os_name != "linux":
        here = f"{machine.os}/{machine.architecture}"
        hint = "run the same command on Linux: it runs Linux programs of every architecture that QEMU knows"
        return NotRun(why=f"programs for {wanted} cannot be run on {here}", hint=hint)
    usable = [tool for tool in machine.tools if tool not in machine.problems]
    if not usable:
        said = "; ".join(f"{tool} does not work here: {problem}" for tool, problem in machine.problems.items())
        return NotRun(why=said or "neither bubblewrap nor podman is installed", hint=_INSTALL)
    emulator, told = "", "on this machine's processor"
    native = architecture in {machine.architecture, *_RUNS_TOO.get(machine.architecture, ())}
    if not native:
        told = "under QEMU"
        if architecture not in machine.registered:
            emulator = machine.emulators.get(architecture, "")
            if not emulator:
                return NotRun(
                    why=f"there is no emulator for {wanted} on this {machine.architecture} machine",
                    hint="install qemu-user-static (Debian, Ubuntu, Fedora), or run `docker run --privileged --rm "
                    "tonistiigi/binfmt --install all`",
                )
    tool = usable[0]
    return Way(
        tool=tool,
        program=machine.tools[tool],
        version=machine.versions if tool == "bubblewrap" else (),
        emulator=emulator,
        native=architecture == machine.architecture,
        told=f"{told}, in {tool}",
    )


def survey(environ: Mapping[str, str] = os.environ) -> Machine:
    """Look at what this machine has; nothing of any artifact is run.

    Args:
        environ: Where PATH is looked up.
    """
    path = environ.get("PATH", "")
    architecture = platform.machine().lower()
    tools: dict[Tool, str] = {}
    problems: dict[Tool, str] = {}
    if bwrap := shutil.which("bwrap", path=path):
        tools["bubblewrap"] = bwrap
        if problem := _problem_of(bwrap, path):
            problems["bubblewrap"] = problem
    if podman := shutil.which("podman", path=path):
        tools["podman"] = podman
    return Machine(
        os=platform.system().lower(),
        architecture=ARCHITECTURE_ALIASES.get(architecture, architecture),
        tools=tools,
        versions=_version_of(bwrap) if bwrap else (),
        problems=problems,
        registered=registered_in(_BINFMT),
        emulators=_emulators(path),
    )


def registered_in(folder: Path) -> frozenset[str]:
    """Give the architectures whose programs the kernel hands to an emulator that was opened when it was registered.

    Reads entries as Linux shows them ("Kernel Support for miscellaneous Binary Formats", admin-guide/binfmt-misc).

    Args:
        folder: Where binfmt_misc is mounted.
    """
    found = set()
    try:
        if (folder / "status").read_text().strip() != "enabled":
            return frozenset()
        entries = [path.read_text() for path in folder.iterdir() if path.name not in {"register", "status"}]
    except OSError:
        return frozenset()
    for entry in entries:
        lines = entry.splitlines()
        values = {key.rstrip(":"): value for key, _, value in (line.partition(" ") for line in lines)}
        if lines[:1] == ["enabled"] and "F" in values.get("flags", ""):
            found.update(_architectures_of(values.get("magic", "")))
    return frozenset(found)


def _architectures_of(magic: str) -> list[str]:
    try:
        head = bytes.fromhex(magic)
    except ValueError:
        return []
    if len(head) < 20 or not head.startswith(b"\x7fELF"):
        return []
    return [
        name
        for name, (width, order, machine, _) in _ELF.items()
        if head[4] == width and int.from_bytes(head[18:20], "big" if order == "big" else "little") == machine
    ]


def _emulators(path: str) -> dict[str, str]:
    folders = os.pathsep.join([path, *_MORE_FOLDERS]) if path else ""
    found = {}
    for architecture, (*_, name) in _ELF.items():
        for program in (f"qemu-{name}-static", f"qemu-{name}"):
            place = shutil.which(program, path=folders) if folders else None
            if place and _is_static(Path(place)):
                found[architecture] = str(Path(place).resolve())
                break
    return found


def _is_static(path: Path) -> bool:
    """Tell whether a program needs no loader and so runs where no library of this machine is seen."""
    try:
        with path.open("rb") as stream:
            binary = describe(FileSource(stream, path.stat().st_size))
    except OSError:
        return False
    return binary is not None and bool(binary.linking) and not binary.linking[0].interpreter


def _version_of(bwrap: str) -> tuple[int, ...]:
    try:
        done = subprocess.run([bwrap, "--version"], capture_output=True, text=True, timeout=_ANSWER, check=False)
        return tuple(int(part) for part in done.stdout.split()[-1].split("."))
    except (OSError, subprocess.TimeoutExpired, ValueError, IndexError):
        return ()


def _problem_of(bwrap: str, path: str) -> str:
    """Try bubblewrap on a program of this machine; empty if it works."""
    program = shutil.which("true", path=os.pathsep.join([path, *_MORE_FOLDERS])) or "true"
    shut_off = ["--unshare-all", "--unshare-user", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
    try:
        command = [bwrap, *shut_off, "--", program]
        done = run_bounded(command, {}, seconds=_ANSWER, output=_MOST_SAID, user=stand_in())
    except OSError as error:
        return error.strerror or str(error)
    said = done.stderr.decode(errors="replace").strip().splitlines()
    return "" if done.code == 0 else printable((said or ["it ended with an error"])[-1][:300])
