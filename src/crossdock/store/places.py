"""What one source of configuration says of package indexes, and the machine it is read on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Host", "Places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What one source says; empty where it says nothing."""

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    ca_bundle: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The parts of a machine that configuration is read from.

    Attributes:
        environ: Environment variables.
        home: The user's home folder.
        system: The folder of system-wide configuration files.
        prefix: The virtual environment in use.
    """

    environ: Mapping[str, str]
    home: Path
    system: Path = Path("/etc")
    prefix: Path = Path(sys.prefix)

    @classmethod
    def current(cls) -> Host:
        """Return this machine's."""
        environ = dict(os.environ)
        return cls(environ=environ, home=Path.home(), prefix=Path(environ.get("VIRTUAL_ENV") or sys.prefix))
