"""Running a program without a network, where the system lets everybody do so."""

from __future__ import annotations

import shutil
import subprocess
import sys
from functools import cache

__all__ = ["without_network"]

#: Both make a network namespace with nothing in it: the first for root, the second, in a user namespace, for others.
_WAYS = (("--net",), ("--map-current-user", "--net"))


@cache
def without_network() -> tuple[str, ...]:
    """Give what to put before a command so that it has no network; nothing where that cannot be had.

    It can on Linux with ``unshare`` (util-linux), unless a container or the kernel's settings forbid namespaces. macOS
    and Windows have no such means for every user.
    """
    program = shutil.which("unshare") if sys.platform == "linux" else None
    if program is None:
        return ()
    for way in _WAYS:
        command = (program, *way, "--")
        if subprocess.run([*command, sys.executable, "-c", ""], capture_output=True, check=False).returncode == 0:
            return command
    return ()
