"""Which credentials go to which host: those in the index's own URL, else those in the netrc file, else a keyring's."""

from __future__ import annotations

import base64
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import HttpConfigError
from crossdock.store.urls import origin, split_credentials

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from netrc import netrc

    from crossdock.store.keyring import Keyring
    from crossdock.store.parallel import Cancellation
    from crossdock.store.urls import Origin

__all__ = ["Credentials", "basic_authorization"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Account:
    """A user, and what it is good for.

    Attributes:
        user: Its name.
        password: Its password; empty if it is to be looked up, or if the name is a token that needs none.
        folder: The path of the URL it was given in, in parts.
    """

    user: str = field(repr=False)
    password: str = field(repr=False)
    folder: tuple[str, ...] = ()


class Credentials:
    """Users and passwords by the place they belong to.

    Those found in a URL belong to its scheme, host and port; of several for one of these, the one whose URL has most
    of the path in common is taken, as several indexes of one host may have a user each. Those in netrc belong to the
    host. An entry for ``default`` in netrc belongs to no host, so it is sent to none.

    Args:
        environ: Environment variables; ``NETRC`` names the file when it is not ``~/.netrc``.
        index_urls: The configured indexes: their credentials, and what a keyring knows them as.
        keyring: Where passwords are looked up that are in neither; None if that is not wanted.
    """

    def __init__(
        self, environ: Mapping[str, str], index_urls: Iterable[str] = (), keyring: Keyring | None = None
    ) -> None:
        self._environ = environ
        self._keyring = keyring
        self._accounts: dict[Origin, list[_Account]] = {}
        self._indexes: dict[Origin, list[str]] = {}
        self._netrc: netrc | None = None
        self._netrc_read = False
        self._lock = threading.Lock()
        for url in index_urls:
            try:
                bare = self.learn(url)
                self._indexes.setdefault(origin(bare), []).append(bare)
            except ValueError:
                # A URL that cannot be read is reported where it is used.
                continue

    def learn(self, url: str) -> str:
        """Remember the credentials a URL holds, if any, for its origin; return the URL without them.

        Raises:
            ValueError: The URL cannot be read.
        """
        bare, credentials = split_credentials(url)
        if credentials is not None:
            account = _Account(user=credentials[0], password=credentials[1], folder=_folder(bare))
            with self._lock:
                known = self._accounts.setdefault(origin(bare), [])
                # What a URL says last counts for that URL; a configured index's stays first for the others.
                same = [number for number, other in enumerate(known) if other.folder == account.folder]
                if same:
                    known[same[0]] = account
                else:
                    known.append(account)
        return bare

    def header_for(self, url: str, cancellation: Cancellation) -> str | None:
        """Return the ``Authorization`` header to send at first, or None.

        A keyring is only asked for the password of a user that is known.

        Raises:
            HttpConfigError: The netrc file cannot be read.
        """
        account, complete = self._account(url)
        found = (account.user, account.password) if account is not None else None
        if not complete and self._keyring is not None:
            user = account.user if account is not None else ""
            services = self._services(url)
            answer = self._keyring.find(services, user, cancellation) if user else self._keyring.known(services, "")
            found = answer or found
        return None if found is None else basic_authorization(*found)

    def header_after_refusal(self, url: str, cancellation: Cancellation) -> str | None:
        """Return the header to try when the server refused the first one, or None; errors as `header_for`."""
        account, complete = self._account(url)
        if complete or self._keyring is None:
            return None
        found = self._keyring.find(self._services(url), account.user if account is not None else "", cancellation)
        return None if found is None else basic_authorization(*found)

    def advice(self, url: str) -> str:
        """Say what a user whose request was refused can do; shows no credentials."""
        account, complete = self._account(url)
        where = "the index URL, ~/.netrc"
        if self._keyring is not None:
            where += " or the keyring"
            if self._keyring.trouble and not complete:
                return f"the keyring program gave no password: {self._keyring.trouble}"
            if not complete and self._keyring.known(self._services(url), account.user if account else ""):
                return "the keyring's user or password for this host is wrong, or may not read this"
        if account is not None:
            return f"user or password is wrong, or may not read this: correct it in {where}"
        return f"put user and password for this host into {where}, or ask for access"

    def _account(self, url: str) -> tuple[_Account | None, bool]:
        """Return what URLs and netrc say, and whether that is all that is needed."""
        with self._lock:
            folder = _folder(url)
            known = self._accounts.get(origin(url), [])
            # max gives the first of several that are equally near.
            account = max(known, key=lambda one: _in_common(one.folder, folder), default=None)
            if account is not None and account.password:
                return account, True
            entry = self._from_netrc(urlsplit(url).hostname or "")
        if entry is not None and (account is None or entry.user in ("", account.user)):
            return _Account(user=account.user if account else entry.user, password=entry.password), True
        return account, False

    def _services(self, url: str) -> list[str]:
        """Return the names a keyring may know a URL's index by: as configured, and its host."""
        folder = _folder(url)
        indexes = self._indexes.get(origin(url), [])
        nearest = max(indexes, key=lambda one: _in_common(_folder(one), folder), default=None)
        parts = urlsplit(url)
        host = (parts.hostname or "") + (f":{parts.port}" if parts.port is not None else "")
        if nearest is None:
            return [host]
        bare = nearest.rstrip("/")
        # pip always asks with a slash at the end, uv as the URL is configured.
        return [nearest, bare if nearest != bare else f"{bare}/", host]

    def _from_netrc(self, host: str) -> _Account | None:
        if not self._netrc_read:
            self._netrc = self._read_netrc()
            self._netrc_read = True
        entry = self._netrc.hosts.get(host) if self._netrc is not None and host != "default" else None
        if entry is None:
            return None
        user, _, password = entry
        return _Account(user=user or "", password=password or "")

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


def _folder(url: str) -> tuple[str, ...]:
    return tuple(part for part in urlsplit(url).path.split("/") if part)


def _in_common(one: tuple[str, ...], other: tuple[str, ...]) -> int:
    return next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
