"""Files of credentials: docker's config.json and containers' auth.json, which share one form."""

from __future__ import annotations

import base64
import binascii
import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import RegistryConfigError
from crossdock.oci.registry.accounts import Account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["AuthFile", "candidates", "read_auth_file"]

_MOST_BYTES = 4 << 20
_SENDABLE = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthFile:
    """What one file says.

    Attributes:
        path: The file.
        accounts: By registry (``registry.example:5000``), or by a part of one (``registry.example/team``).
        helpers: Names of credential helpers by registry.
        store: The helper for all other registries; empty if there is none.
    """

    path: Path
    accounts: Mapping[str, Account]
    helpers: Mapping[str, str]
    store: str

    def account(self, names: Sequence[str], repository: str) -> Account | None:
        """Give the account that is kept in the file itself, for the longest part of a repository's name that has one.

        Args:
            names: What the file may call the registry.
            repository: Name within the registry.
        """
        found = (self.accounts.get(key) for key in candidates(names, repository))
        return next((account for account in found if account is not None), None)

    def helper(self, names: Sequence[str]) -> str:
        """Give the name of the helper of a registry; empty if only `store` may know it."""
        return next((self.helpers[name] for name in names if name in self.helpers), "")


def candidates(names: Sequence[str], repository: str) -> list[str]:
    """List the keys that credentials may have, the longest first (containers-auth.json(5))."""
    parts = repository.split("/")
    paths = ["/".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [f"{name}/{path}" for path in paths for name in names] + list(names)


def read_auth_file(path: Path) -> AuthFile | None:
    """Read a file; None if there is none.

    Raises:
        RegistryConfigError: It cannot be read or understood.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or str(error)) from None
    if len(data) > _MOST_BYTES:
        raise _unusable(path, f"it has more than {_MOST_BYTES} bytes")
    try:
        value = json.loads(data) if data.strip() else {}
    except (ValueError, RecursionError) as error:
        # The parser's message quotes nothing of the file.
        raise _unusable(path, f"it is not JSON: {error}") from None
    if not isinstance(value, dict):
        raise _unusable(path, "it is not a JSON object")
    store = value.get("credsStore", "")
    if not isinstance(store, str):
        raise _unusable(path, "credsStore is not a text")
    helpers = _objects(path, value, "credHelpers")
    if not all(isinstance(name, str) for name in helpers.values()):
        raise _unusable(path, "credHelpers does not give a text for each registry")
    accounts = {}
    for key, entry in _objects(path, value, "auths").items():
        account = _account(path, key, entry)
        if account is not None:
            accounts[_normal(key)] = account
    return AuthFile(
        path=path, accounts=accounts, helpers={_normal(key): name for key, name in helpers.items()}, store=store
    )


def _objects(path: Path, value: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = value.get(name) or {}
    if not isinstance(found, dict):
        raise _unusable(path, f"{name} is not an object")
    return found


def _normal(key: str) -> str:
    """Spell a registry as in references: docker writes some as URLs of the old API."""
    scheme, separator, rest = key.partition("://")
    bare = rest if separator and scheme in ("http", "https") else key
    host, slash, path = bare.partition("/")
    if path.strip("/") in ("", "v1", "v2"):
        return host.lower()
    return f"{host.lower()}{slash}{path.rstrip('/')}"


def _account(path: Path, key: str, entry: object) -> Account | None:
    """Read one entry; None for one that is empty because a helper keeps its secret."""
    if not isinstance(entry, dict):
        raise _unusable(path, f"the entry of {key[:100]!r} is not an object")
    texts = {name: value for name, value in entry.items() if isinstance(value, str)}
    user, password = texts.get("username", ""), texts.get("password", "")
    if texts.get("auth"):
        try:
            decoded = base64.b64decode(texts["auth"], validate=True).decode()
        except (binascii.Error, ValueError):
            # The message must not quote what may be a password.
            raise _unusable(path, f"the auth of {key[:100]!r} is not base64 of USER:PASSWORD") from None
        user, colon, password = decoded.partition(":")
        if not colon:
            raise _unusable(path, f"the auth of {key[:100]!r} is not base64 of USER:PASSWORD")
        password = password.rstrip("\0")
    if not _SENDABLE.fullmatch(texts.get("registrytoken", "")):
        # It is sent as it is, and what cannot be sent would be shown in an error.
        raise _unusable(path, f"the registrytoken of {key[:100]!r} holds characters that cannot be sent")
    account = Account(
        source=str(path),
        user=user,
        password=password,
        identity_token=texts.get("identitytoken", ""),
        registry_token=texts.get("registrytoken", ""),
    )
    return account if account.secrets else None


def _unusable(path: Path, why: str) -> RegistryConfigError:
    return RegistryConfigError(
        f"cannot read credentials from {path}", why=why, hint="correct that file, or log in again to have it written"
    )
