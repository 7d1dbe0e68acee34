"""What a build needs to know about a base."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["BaseFacts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What a base brings, read from the base itself.

    Attributes:
        libc: ``glibc`` or ``musl``.
        libc_version: Major and minor.
        python_version: Full version as `platform.python_version` gives it, such as ``3.11.2``.
        python_path: Absolute path of the interpreter.
        user: ``uid:gid`` of the user that is not root.
        home: That user's home folder.
    """

    libc: Literal["glibc", "musl"]
    libc_version: tuple[int, int]
    python_version: str
    python_path: str
    user: str
    home: str
