"""Which credentials go to which host: those in the index's own URL, else those in the netrc file."""

from __future__ import annotations

import base64
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import HttpConfigError
from crossdock.store.urls import origin, split_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping
    from netrc import netrc

    from crossdock.store.urls import Origin

__all__ = ["Credentials", "basic_authorization"]


class Credentials:
    """Users and passwords by the place they belong to.

    Those found in a URL belong to its scheme, host and port; those in netrc to the host. An entry for ``default`` in
    netrc belongs to no host, so it is sent to none.

    Args:
        environ: Environment variables; ``NETRC`` names the file when it is not ``~/.netrc``.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._learned: dict[Origin, tuple[str, str]] = {}
        self._netrc: netrc | None = None
        self._netrc_read = False
        self._lock = threading.Lock()

    def learn(self, url: str) -> str:
        """Remember the credentials a URL holds, if any, for its origin; return the URL without them.

        Raises:
            ValueError: The URL cannot be read.
        """
        bare, credentials = split_credentials(url)
        if credentials is not None:
            with self._lock:
                self._learned[origin(bare)] = credentials
        return bare

    def header_for(self, url: str) -> str | None:
        """Return the ``Authorization`` header for a URL, or None.

        Raises:
            HttpConfigError: The netrc file cannot be read.
        """
        with self._lock:
            found = self._learned.get(origin(url)) or self._from_netrc(urlsplit(url).hostname or "")
        return None if found is None else basic_authorization(*found)

    def _from_netrc(self, host: str) -> tuple[str, str] | None:
        if not self._netrc_read:
            self._netrc = self._read_netrc()
            self._netrc_read = True
        entry = self._netrc.hosts.get(host) if self._netrc is not None and host != "default" else None
        if entry is None:
            return None
        user, _, password = entry
        return user or "", password or ""

    def _read_netrc(self) -> netrc | None:
        from netrc import NetrcParseError, netrc

        named = self._environ.get("NETRC", "")
        home = Path(self._environ.get("HOME") or Path.home())
        path = Path(named) if named else home / ("_netrc" if sys.platform == "win32" else ".netrc")
        try:
            return netrc(path)
        except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
            return None
        except NetrcParseError as error:
            # The parser's own message may quote what it did not understand, which may be a password.
            raise HttpConfigError(
                f"cannot read credentials from {path}",
                why=f"it is not understood near line {error.lineno}",
                hint="correct that line, or name another file in NETRC",
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise HttpConfigError(
                f"cannot read credentials from {path}",
                why=error.strerror or "" if isinstance(error, OSError) else "it is not UTF-8 text",
                hint="make it readable, or name another file in NETRC",
            ) from None


def basic_authorization(user: str, password: str) -> str:
    """Return the value of an ``Authorization`` header (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode("ascii")
