"""What one source of configuration says of package indexes, and the machine it is read on."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYRING_PROVIDERS", "Host", "Places", "switch"]

#: What pip and uv know. All but the first mean the program on PATH: none of the keyring's code runs in this process.
KEYRING_PROVIDERS = ("disabled", "subprocess", "import", "auto")


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """What one source says; empty where it says nothing.

    Attributes:
        index_url: The package index.
        extra_index_urls: Further indexes.
        find_links: Folders of files, or pages that link to files.
        ca_bundle: A CA bundle.
        named: Indexes that have a name: names and URLs.
        assigned: Packages that are looked for in an index first: their names as written, and its name.
        keyring_provider: Whether and how passwords are looked up in a keyring.
        no_index: Whether no index may be asked; None if it does not say.
    """

    index_url: str = ""
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    ca_bundle: str = ""
    named: tuple[tuple[str, str], ...] = ()
    assigned: tuple[tuple[str, str], ...] = ()
    keyring_provider: str = ""
    no_index: bool | None = None


_WORDS = {
    **dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True),
    **dict.fromkeys(("0", "false", "f", "no", "n", "off"), False),
}


def switch(text: str) -> bool | None:
    """Return what a variable or setting for yes or no says, as pip and uv read it; None if it says neither."""
    return _WORDS.get(text.strip().lower())


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
