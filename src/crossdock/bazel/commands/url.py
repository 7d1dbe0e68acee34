"""``url``: where a locked file is, and who may read it there.

This is the one command that prints a password: to Bazel's downloader, which asks for it, on standard output and
nowhere else.
"""

from __future__ import annotations

import base64
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crossdock.bazel.hubs.inputs import project_for
from crossdock.errors import DownloadError, StoreError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Collection, Iterable

    from crossdock.locks import Lock, LockedFile
    from crossdock.services import Services
    from crossdock.store.config import IndexConfig

__all__ = ["add_arguments", "run", "where"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("--lock", type=Path)
    parser.add_argument("--project", type=Path, help="pyproject.toml")
    parser.add_argument("--name", required=True)
    parser.add_argument("--filename", required=True)
    parser.add_argument("--sha256", required=True)
    parser.add_argument(
        "--tried", action="append", default=[], metavar="URL", help="where it could not be fetched from"
    )


def run(options: argparse.Namespace) -> int:
    """Print where a file is."""
    from crossdock.services import Services
    from crossdock.store import Store

    services = Services(store=Store.default())
    name, filename, sha256 = options.name, options.filename, options.sha256
    found = where(options.lock, options.project, name, filename, sha256, services, options.tried)
    print(json.dumps(found, sort_keys=True))
    return 0


def where(
    lock: Path | None,
    pyproject: Path | None,
    name: str,
    filename: str,
    sha256: str,
    services: Services,
    tried: Collection[str] = (),
) -> dict[str, Any]:
    """Find a file: where the lock says, else on the user's indexes; with the user's credentials for that place.

    Where nobody has credentials for it, a place that was tried is left for the indexes, if one of them has the file.

    Args:
        lock: The lock; None asks the indexes alone.
        pyproject: The project's pyproject.toml, if any: it may name indexes.
        name: The project's name.
        filename: The file's name.
        sha256: Its SHA-256.
        services: What reaches the indexes.
        tried: URLs that it could not be fetched from without credentials.

    Raises:
        DownloadError: No index has the file, or one cannot be read.
        IndexConfigError: The user's configuration cannot be used.
        LockError: The lock cannot be used.
    """
    from crossdock.bazel.hubs.inputs import load_inputs
    from crossdock.choosing.survey import index_config
    from crossdock.store.blobs import checked_sha256
    from crossdock.store.config import load_index_config

    wanted = checked_sha256(sha256)
    project = project_for(lock or Path("lock"), pyproject)
    url, source, config = None, None, load_index_config(project.root)
    if lock is not None:
        # Whether the lock is current was seen when the hub was made from it.
        inputs = load_inputs(lock, project, frozen=True)
        file, source = _locked(inputs.lock, wanted)
        config = index_config(project, inputs.lock.index_options)
        url = inputs.project_lock.location(file) if file is not None else None
        if url is not None and file is not None and file.url is None:
            url = Path(url).as_uri()
    places = (*config.urls(), *([source] if source else []))
    found = None if url is None else _with_credentials(url, places, keyring=config.keyring)
    if found is not None and (found["auth"] is not None or found["url"] not in tried):
        return found
    try:
        asked = _asked(name, filename, wanted, source, config, services)
    except StoreError:
        if found is None:
            raise
        return found
    return _with_credentials(asked, places, keyring=config.keyring)


def _locked(lock: Lock, sha256: str) -> tuple[LockedFile | None, str | None]:
    """Find a file in a lock, and the index that its package is from; either may be None."""
    for package in lock.packages:
        file = next((item for item in package.files if item.sha256 == sha256), None)
        if file is not None or sha256 in package.hashes:
            location = package.source.location
            web = package.source.kind == "registry" and location.startswith(("http://", "https://"))
            return file, location if web else None
    return None, None


def _asked(name: str, filename: str, sha256: str, index: str | None, config: IndexConfig, services: Services) -> str:
    from crossdock.locks.files import parse_wheel
    from crossdock.store.index import HashQuery, find_many

    wheel = parse_wheel(filename)
    query = HashQuery(name=name, version=str(wheel[1]) if wheel else "", sha256s=(sha256,), index=index)
    (found,) = find_many(services.store, None, config, [query])
    if not found:
        raise DownloadError(
            f"{filename} is on none of the indexes",
            why=f"none has a file of {name} with the SHA-256 {sha256}",
            hint="name the index that has it in the configuration of uv or pip, or lock again",
        )
    return found[0].url


def _with_credentials(url: str, indexes: Iterable[str], *, keyring: bool) -> dict[str, Any]:
    """Add what the user's configuration, netrc or keyring has for a URL."""
    from crossdock.store.credentials import Credentials
    from crossdock.store.keyring import Keyring
    from crossdock.store.parallel import Cancellation
    from crossdock.store.urls import origin

    if not url.startswith(("http://", "https://")):
        return {"url": url, "auth": None}
    places = [place for place in indexes if place.startswith(("http://", "https://"))]
    credentials = Credentials(os.environ, places, Keyring(os.environ) if keyring else None)
    bare, cancellation = credentials.learn(url), Cancellation()
    header = credentials.header_for(bare, cancellation)
    if header is None and any(origin(place) == origin(bare) for place in places):
        # Nobody says whether the place wants a password; a keyring is asked for those of indexes only.
        header = credentials.header_after_refusal(bare, cancellation)
    if header is None:
        return {"url": bare, "auth": None}
    login, _, password = base64.b64decode(header.removeprefix("Basic ")).decode().partition(":")
    return {"url": bare, "auth": {"type": "basic", "login": login, "password": password}}
