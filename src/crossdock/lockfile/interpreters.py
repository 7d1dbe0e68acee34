"""A Python that an image brings itself, as ``crossdock.lock`` keeps it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["LockedInterpreter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedInterpreter:
    """The archive of a standalone Python for one architecture, and what was read in it.

    Attributes:
        name: As in the configuration: URL or path of the archive, without credentials.
        architecture: OCI's name, such as ``arm64``.
        sha256: Of the archive, in hex.
        size: Bytes of the archive.
        python_version: Full version, such as ``3.12.8``.
        python_path: Absolute path of the interpreter in the image.
        libc: The C library it is linked to.
        libc_version: The oldest one it runs with; (0, 0) where it needs no version, as musl's symbols have none.
    """

    name: str
    architecture: str
    sha256: str
    size: int
    python_version: str
    python_path: str
    libc: Literal["glibc", "musl"]
    libc_version: tuple[int, int]
