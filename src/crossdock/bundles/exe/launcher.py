"""The script that an executable begins with (POSIX.1-2017, "Shell Command Language").

Beside what POSIX names it uses ``head -c``, ``tar -z``, ``mktemp -d`` and ``test -O``, which GNU, BusyBox and
the BSDs have, and SHA-256 where there is a program for it.
"""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import LauncherError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BLOCK", "LAUNCHER_VERSION", "Launch", "Payload", "check_launcher", "launcher"]

#: Part of the application's folder's name: raised whenever the same archives would be unpacked to something else.
LAUNCHER_VERSION: Final = 1
#: The launcher is filled up to a multiple of this many bytes.
BLOCK: Final = 4096

# What `uname -m` says where programs for an architecture run, by OCI's names; a 64-bit kernel runs the 32-bit ones too.
_MACHINES: Final = {
    "amd64": ("x86_64", "amd64"),
    "arm64": ("aarch64", "arm64"),
    "arm": ("armv7l", "armv8l", "aarch64"),
    "386": ("i386", "i486", "i586", "i686", "x86_64"),
    "ppc64le": ("ppc64le",),
    "s390x": ("s390x",),
    "riscv64": ("riscv64",),
}
_PLACE = re.compile(r"@([A-Z0-9_]+)@")
_CHECK_GLIBC = """\
import os, sys
try:
    has = tuple(map(int, os.confstr("CS_GNU_LIBC_VERSION").split()[1].split(".")[:2]))
except (AttributeError, IndexError, ValueError, OSError):
    has = {floor}
if has < {floor}:
    text = "{{}}: warning: made for {libc} or newer, and this system has glibc {{}}.{{}}"
    print(text.format(sys.argv[1], *has), file=sys.stderr)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What a launcher needs to know.

    Attributes:
        name: Of the application.
        target: As users spell it, for messages.
        architecture: OCI's name.
        libc: Kind and floor of the target's C library: ``("glibc", (2, 28))``.
        needs: What the Python needs of the system, for messages.
        python: Name of the Python's program, such as ``python3.12``.
        version: Of that Python, in full.
        python_folder: Name of the folder that the Python is unpacked to.
        app_folder: Name of the folder that the application is unpacked to.
        command: What follows the Python on the command line, as words of a shell script: see `Entry`.
        env: Variables that are set unless they are set already.
        about: What ``CROSSDOCK_EXE=inspect`` prints.
    """

    name: str
    target: str
    architecture: str
    libc: tuple[str, tuple[int, int]]
    needs: str
    python: str
    version: str
    python_folder: str
    app_folder: str
    command: str
    env: Mapping[str, str]
    about: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Payload:
    """What follows the launcher.

    Attributes:
        python: Bytes of the Python's archive.
        app: Bytes of the application's.
        sha256: Of both together, in hex.
    """

    python: int
    app: int
    sha256: str


def check_launcher(os: str, architecture: str, target: str) -> None:
    """Refuse a target that there is no launcher for.

    Args:
        os: OCI's name of the operating system.
        architecture: OCI's name of the architecture.
        target: As users spell it.

    Raises:
        LauncherError: It is such a one.
    """
    if os == "linux" and architecture in _MACHINES:
        return
    why = {
        "windows": "the launcher is a POSIX shell script, which Windows cannot run",
        "darwin": "a Python for macOS cannot be proved to be one yet: its libraries are not read",
    }.get(os, "executables are made for Linux")
    raise LauncherError(
        f"There is no launcher for {target}",
        why=why,
        hint=f"name Linux targets with --target; `crossdock venv` and `crossdock pex` build for {os} too",
    )


def launcher(launch: Launch, payload: Payload) -> bytes:
    """Give the script, filled up to a multiple of `BLOCK`.

    Args:
        launch: What it is for.
        payload: What follows it.
    """
    size = 0
    while len(text := _text(launch, payload, size)) > size:  # its own size is in it
        size = -(-len(text) // BLOCK) * BLOCK
    return text.ljust(size, b"\n")


def _text(launch: Launch, payload: Payload, size: int) -> bytes:
    kind, floor = launch.libc
    libc = f"{kind} {floor[0]}.{floor[1]}"
    check = _CHECK_GLIBC.format(floor=floor, libc=libc) if kind == "glibc" else ""
    machines = " | ".join(f"'Linux {name}'" for name in _MACHINES[launch.architecture])
    values = {
        "TITLE": f"{launch.name} for {launch.target}",
        "NAME": shlex.quote(launch.name),
        "TARGET": shlex.quote(launch.target),
        "SIZE": str(size + payload.python + payload.app),
        "PYTHON_START": str(size + 1),
        "APP_START": str(size + payload.python + 1),
        "SHA256": payload.sha256,
        "PYTHON_FOLDER": shlex.quote(launch.python_folder),
        "APP_FOLDER": shlex.quote(launch.app_folder),
        "PYTHON": shlex.quote(launch.python),
        "VERSION": shlex.quote(f"version = {launch.version}"),
        "JSON": json.dumps(launch.about, indent=2),
        "MACHINES": machines,
        "CHECK": shlex.quote(check),
        "NEEDS": launch.needs,
        "ENVIRONMENT": "\n".join(_default(name, value) for name, value in sorted(launch.env.items())),
        "COMMAND": launch.command,
    }
    script = resources.files(__package__).joinpath("launcher.sh").read_text(encoding="utf-8")
    return _PLACE.sub(lambda match: values[match[1]], script).encode()


def _default(name: str, value: str) -> str:
    return f'[ -n "${{{name}+set}}" ] || export {name}={shlex.quote(value)}'
