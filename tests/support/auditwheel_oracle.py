"""What auditwheel says of a Linux wheel: a second opinion on libraries, symbol versions and the tag that follows.

It is asked of the wheel alone (``--ldpaths ""``), so that libraries of this machine do not change the answer. For musl
it knows one policy at a time, the latest unless this machine has a musl of its own: its tag says which libc a wheel is
for and whether it needs other libraries, but not which musl.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Opinion", "opinion"]

_SECONDS = 300
_MANYLINUX = re.compile(r"manylinux_(\d+)_(\d+)_")


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What auditwheel says.

    Attributes:
        tag: The platform tag that the wheel is consistent with; ``linux_ARCH`` where that is no portable one. Empty
            where it has no natives for its machine.
        symbol_tag: The tag that the versions of symbols alone lead to; empty likewise.
        versions: Versions of symbols needed, by library; some may be libraries of the wheel.
        outside: Libraries needed that neither the wheel has nor any policy lets a system have.
        unsupported_instructions: Whether a native says that it needs more than the tag's machine.
        reason: Why there is no tag, in its words.
    """

    tag: str
    symbol_tag: str
    versions: dict[str, tuple[str, ...]]
    outside: tuple[str, ...]
    unsupported_instructions: bool
    reason: str = ""

    @property
    def glibc(self) -> tuple[int, int] | None:
        """The glibc of the tag; None where it is not one of manylinux."""
        return _glibc(self.tag)

    @property
    def symbol_glibc(self) -> tuple[int, int] | None:
        """The glibc that the versions of symbols alone lead to, those of libstdc++ and libgcc among them."""
        return _glibc(self.symbol_tag)


def opinion(wheel: Path) -> Opinion:
    """Ask auditwheel.

    Raises:
        RuntimeError: It does not answer.
    """
    command = [sys.executable, "-m", "auditwheel", "show", "--json", "--ldpaths", "", str(wheel)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith("AUDITWHEEL_")}
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, env=environ)
    try:
        said = json.loads(done.stdout)
    except ValueError as error:
        raise RuntimeError(f"auditwheel does not understand {wheel.name}:\n{done.stderr}") from error
    if "error" in said:
        return Opinion(
            tag="", symbol_tag="", versions={}, outside=(), unsupported_instructions=False, reason=said["error"]
        )
    return Opinion(
        tag=said["overall_tag"],
        symbol_tag=said["sym_tag"],
        versions={library: tuple(versions) for library, versions in said["versioned_symbols"].items()},
        outside=tuple(said["external_libs"]),
        unsupported_instructions=said["unsupported_isa"],
    )


def _glibc(tag: str) -> tuple[int, int] | None:
    match = _MANYLINUX.match(tag)
    return (int(match[1]), int(match[2])) if match else None
