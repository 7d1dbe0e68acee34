"""What a build needs to know about a base, which `crossdock.lock` keeps and `crossdock.bases` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["ENVIRONMENT", "BaseFacts"]

#: Folder of an image's environment, relative to the root.
ENVIRONMENT = "app/.venv"


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFacts:
    """What a base brings, read from the base itself.

    Attributes:
        libc: ``glibc`` or ``musl``; None if it has neither.
        libc_version: Major and minor; (0, 0) without a C library.
        python_version: Full version as `platform.python_version` gives it, such as ``3.11.2``; empty if it has none.
        python_path: Absolute path of the interpreter, not of a link to it; empty if it has none.
        user: ``uid:gid`` or the name of the user that containers run as, never root.
        home: That user's home folder; empty if it is not known.
        env: Environment variables that containers of the base have.
        labels: Labels of the base.
        stop_signal: What ends its containers; empty for the default.
        os_release: Its os-release file, by key (``ID``, ``VERSION_ID``, ``PRETTY_NAME``); empty without one.
        has_environment: Whether there is something already where an image's environment goes.
    """

    libc: Literal["glibc", "musl"] | None
    libc_version: tuple[int, int]
    python_version: str
    python_path: str
    user: str
    home: str
    env: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = ""
    os_release: Mapping[str, str] = field(default_factory=dict)
    has_environment: bool = False
