"""Bringing files into the store: many at once, checked while they are read, whole or not at all."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import OfflineError, SizeMismatchError
from crossdock.store.blobs import checked_sha256
from crossdock.store.http import FETCH_HINT, HttpClient
from crossdock.store.parallel import run_parallel
from crossdock.store.transfers import Transfer, check_regular, checked_local_path, local_error
from crossdock.store.urls import redact, scrub

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation
    from crossdock.store.progress import Progress

__all__ = ["Document", "FileRequest", "fetch", "read_document", "read_url"]

# No wheel or Debian package comes near; without a size in the lock, this is what stops an endless answer.
MAX_FILE_BYTES = 16 << 30
_MOST_NAMES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class FileRequest:
    """A file that shall be in the store.

    Attributes:
        name: What to call it in messages: its file name.
        url: An ``http:``, ``https:`` or ``file:`` URL, or a path.
        sha256: Its SHA-256, as 64 hexadecimal digits.
        size: Its length in bytes, if known.
    """

    name: str
    url: str
    sha256: str
    size: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A page or index that was read whole.

    Attributes:
        url: Where it came from after redirects, without credentials; what its links are relative to.
        content_type: The media type, lower case and without parameters; empty if there is none.
        body: Its bytes, without content encoding.
    """

    url: str
    content_type: str
    body: bytes


def fetch(
    store: Store,
    requests: Iterable[FileRequest],
    *,
    jobs: int = 8,
    http: HttpClient | None = None,
    progress: Progress | None = None,
    max_bytes: int = MAX_FILE_BYTES,
) -> None:
    """Bring files into the store; those it holds already cost nothing.

    The first failure, or Ctrl-C, stops all the others; files that were whole by then stay in the store.

    Args:
        store: Where they go.
        requests: The files.
        jobs: How many are read at once.
        http: How they are read.
        progress: What draws how far it is.
        max_bytes: No file without a known size may be longer.

    Raises:
        HashMismatchError: A file is not the one its SHA-256 names.
        SizeMismatchError: A file is longer or shorter than it should be.
        DownloadError: A file cannot be read.
        OfflineError: Files are on the network, which may not be used; all of them are named.
        CacheFolderError: The store cannot be written.
        HttpConfigError: The CA bundle, the proxy or the netrc file cannot be used.
        InvalidRequestError: A request's ``sha256`` is not one.
    """
    wanted: dict[str, FileRequest] = {}
    for request in requests:
        other = wanted.setdefault(checked_sha256(request.sha256), request)
        # Of several places, this machine is the nearest.
        if other is not request and checked_local_path(request.url) is not None:
            wanted[checked_sha256(request.sha256)] = request
    missing = [request for sha256, request in wanted.items() if store.find(sha256) is None]
    if not missing:
        return
    # Large files first: a large one begun last would leave the other workers idle.
    missing.sort(key=lambda request: -(request.size or 0))
    client = http or HttpClient()
    if client.offline:
        _check_all_local(missing)

    def download(request: FileRequest, cancellation: Cancellation) -> None:
        limit = request.size if request.size is not None else max_bytes
        with contextlib.ExitStack() as stack:
            transfer = Transfer(store, stack, request, limit, progress)
            transfer.run(client, cancellation)
        if progress is not None:
            progress.file_done()

    sizes = [request.size for request in missing if request.size is not None]
    if progress is not None:
        progress.start(len(missing), sum(sizes) if len(sizes) == len(missing) else None)
    try:
        run_parallel(download, missing, jobs=jobs)
    finally:
        if progress is not None:
            progress.close()


def names_in_short(names: Sequence[str]) -> str:
    """List names for a message, so that a long list stays readable."""
    shown = ", ".join(scrub(name) for name in names[:_MOST_NAMES])
    return shown if len(names) <= _MOST_NAMES else f"{shown} and {len(names) - _MOST_NAMES} more"


def _check_all_local(requests: Sequence[FileRequest]) -> None:
    remote = sorted(request.name for request in requests if checked_local_path(request.url) is None)
    if remote:
        files = "1 file is" if len(remote) == 1 else f"{len(remote)} files are"
        raise OfflineError(
            f"{files} not in the cache, and the network may not be used", why=names_in_short(remote), hint=FETCH_HINT
        )


def read_url(http: HttpClient, url: str, *, limit_bytes: int, headers: Mapping[str, str] | None = None) -> bytes:
    """Read a page or index of limited size into memory; arguments and errors as `read_document`."""
    return read_document(http, url, limit_bytes=limit_bytes, headers=headers).body


def read_document(
    http: HttpClient,
    url: str,
    *,
    limit_bytes: int,
    headers: Mapping[str, str] | None = None,
    cancellation: Cancellation | None = None,
) -> Document:
    """Read a page or index of limited size into memory.

    Args:
        http: How it is read.
        url: An ``http:``, ``https:`` or ``file:`` URL, or a path.
        limit_bytes: The most bytes it may have, after a content encoding is undone.
        headers: Further request headers.
        cancellation: What can stop it.

    Raises:
        DownloadError: It cannot be read; ``status`` is 404 when the server has no such page, or there is no such file.
        SizeMismatchError: It is longer than ``limit_bytes``.
        OfflineError: It is on the network, which may not be used.
        HttpConfigError: The CA bundle, the proxy or the netrc file cannot be used.
    """
    path = checked_local_path(url)
    if path is not None:
        return _read_local_document(path, limit_bytes)

    def read() -> Document:
        sent = {"Accept-Encoding": "gzip", **(headers or {})}
        with http.open(url, headers=sent, cancellation=cancellation) as response:
            body = bytearray()
            for chunk in response.chunks(decode=True):
                body += chunk
                if len(body) > limit_bytes:
                    raise _too_long(url, limit_bytes)
            content_type = response.raw.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Document(url=response.url, content_type=content_type, body=bytes(body))

    return http.retrying(read, cancellation)


def _read_local_document(path: Path, limit_bytes: int) -> Document:
    try:
        check_regular(path)
        with path.open("rb") as file:
            body = file.read(limit_bytes + 1)
    except OSError as error:
        raise local_error(path, error) from error
    if len(body) > limit_bytes:
        raise _too_long(str(path), limit_bytes)
    return Document(url=path.absolute().as_uri(), content_type="", body=body)


def _too_long(url: str, limit_bytes: int) -> SizeMismatchError:
    return SizeMismatchError(f"{redact(url)} is too long", why=f"it has more than {limit_bytes} bytes")
