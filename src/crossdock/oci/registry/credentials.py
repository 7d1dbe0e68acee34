"""Finding the credentials of a registry where docker, podman and CI systems leave them."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import RegistryConfigError
from crossdock.oci.registry.accounts import Account
from crossdock.oci.registry.authfiles import read_auth_file
from crossdock.oci.registry.helpers import ask_helper
from crossdock.oci.registry.hosts import find_host

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.oci.registry.authfiles import AuthFile
    from crossdock.oci.registry.hosts import Host

__all__ = ["HOST_VARIABLE", "PASSWORD_VARIABLE", "USER_VARIABLE", "CredentialFinder", "auth_files", "home_folder"]

HOST_VARIABLE = "CROSSDOCK_REGISTRY"
USER_VARIABLE = "CROSSDOCK_REGISTRY_USERNAME"
PASSWORD_VARIABLE = "CROSSDOCK_REGISTRY_PASSWORD"  # noqa: S105
_PODMAN_VARIABLE = "REGISTRY_AUTH_FILE"
_DOCKER_VARIABLE = "DOCKER_CONFIG"


class CredentialFinder:
    """Looks credentials up when a registry asks for some; the first place that has some counts.

    1. ``CROSSDOCK_REGISTRY_USERNAME`` and ``CROSSDOCK_REGISTRY_PASSWORD``, for the registry that
       ``CROSSDOCK_REGISTRY`` names, and for no other: a password is never sent to a registry it is not known to be of.
    2. The files of `auth_files`, in their order; in each the registry's helper of ``credHelpers``, else the helper
       ``credsStore``, else the entry in ``auths`` for the longest part of the repository's name.

    Each file is read, and each helper asked, once. Safe to use from many threads.
    """

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._files: list[AuthFile] | None = None
        self._helped: dict[tuple[str, str], Account | None] = {}
        self._lock = threading.Lock()

    def find(self, host: Host, repository: str) -> Account | None:
        """Give the account for a repository; None if none is known.

        Raises:
            RegistryConfigError: A file cannot be understood, or a helper is missing or fails.
        """
        with self._lock:
            account = _from_environment(host, self._environ)
            if account is not None:
                return account
            if self._files is None:
                self._files = _read_files(self._environ)
            for file in self._files:
                account = self._in_file(file, host, repository)
                if account is not None:
                    return account
        return None

    def looked_in(self) -> str:
        """List the places, for messages."""
        return ", ".join([f"{USER_VARIABLE} (with {HOST_VARIABLE})", *map(str, auth_files(self._environ))])

    def _in_file(self, file: AuthFile, host: Host, repository: str) -> Account | None:
        helper = file.helper(host.aliases)
        if helper:
            return self._ask(file, helper, host)
        if file.store:
            kept = self._ask(file, file.store, host)
            if kept is not None:
                return kept
        return file.account(host.aliases, repository)

    def _ask(self, file: AuthFile, helper: str, host: Host) -> Account | None:
        key = (helper, host.helper_key)
        if key not in self._helped:
            self._helped[key] = ask_helper(helper, host.helper_key, named_in=str(file.path), environ=self._environ)
        return self._helped[key]


def _from_environment(host: Host, environ: Mapping[str, str]) -> Account | None:
    user, password = environ.get(USER_VARIABLE, ""), environ.get(PASSWORD_VARIABLE, "")
    if not password:
        return None
    named = environ.get(HOST_VARIABLE, "").strip()
    if not named:
        raise RegistryConfigError(
            f"{PASSWORD_VARIABLE} is set, and it is not said for which registry",
            why="a password is only sent to the registry it belongs to",
            hint=f"set {HOST_VARIABLE} to the registry's HOST or HOST:PORT, as in image references",
        )
    if find_host(named) != host:
        return None
    return Account(source=PASSWORD_VARIABLE, user=user, password=password)


def _read_files(environ: Mapping[str, str]) -> list[AuthFile]:
    files = []
    for path in auth_files(environ):
        file = read_auth_file(path)
        if file is not None:
            files.append(file)
        elif str(path) == environ.get(_PODMAN_VARIABLE):
            raise RegistryConfigError(
                f"cannot read credentials from {path}",
                why=f"{_PODMAN_VARIABLE} names it, and it is not there",
                hint=f"log in with podman or skopeo, or unset {_PODMAN_VARIABLE}",
            )
    return files


def auth_files(environ: Mapping[str, str]) -> list[Path]:
    """List where credentials may be, those named explicitly first."""
    home = home_folder(environ)
    named, usual = [], []
    if environ.get(_PODMAN_VARIABLE):
        named.append(Path(environ[_PODMAN_VARIABLE]))
    if environ.get(_DOCKER_VARIABLE):
        named.append(Path(environ[_DOCKER_VARIABLE], "config.json"))
    else:
        usual.append(home / ".docker" / "config.json")
    if environ.get("XDG_RUNTIME_DIR"):
        usual.append(Path(environ["XDG_RUNTIME_DIR"], "containers", "auth.json"))
    configuration = Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
    usual.append(configuration / "containers" / "auth.json")
    return named + usual


def home_folder(environ: Mapping[str, str]) -> Path:
    """Give the user's home, by HOME where it is set."""
    return Path(environ.get("HOME") or os.path.expanduser("~"))  # noqa: PTH111  Path.home raises where there is none
