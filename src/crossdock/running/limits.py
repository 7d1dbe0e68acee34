"""How much unpacking and running may take."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFAULT_LIMITS", "RunLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RunLimits:
    """What a hostile or broken artifact may use of a machine.

    Attributes:
        seconds: How long one question to the artifact may take: running a piece of code, or importing all modules.
        output: Bytes of stdout, and as many of stderr, that are kept; what comes after them is read and dropped.
        scratch: Bytes of the folders that can be written to, which are in memory.
        unpacked: Bytes of all files that are unpacked.
        members: Files, folders and links that are unpacked.
    """

    seconds: float = 120
    output: int = 1 << 20
    scratch: int = 4 << 30
    unpacked: int = 64 << 30
    members: int = 2_000_000


DEFAULT_LIMITS = RunLimits()
