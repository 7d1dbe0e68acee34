"""Bringing files into the store: many at once, checked while they are read, whole or not at all."""

from __future__ import annotations

import contextlib
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import DownloadError, HashMismatchError, SizeMismatchError
from crossdock.store.blobs import checked_sha256
from crossdock.store.http import HttpClient
from crossdock.store.parallel import run_parallel
from crossdock.store.retries import TransientError
from crossdock.store.urls import local_path, redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from crossdock.store.blobs import BlobWriter, Store
    from crossdock.store.http import Response
    from crossdock.store.parallel import Cancellation
    from crossdock.store.progress import Progress

__all__ = ["Document", "FileRequest", "fetch", "read_document", "read_url"]

CHUNK_BYTES = 1 << 18
# No wheel or Debian package comes near; without a size in the lock, this is what stops an endless answer.
MAX_FILE_BYTES = 16 << 30


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
        CacheFolderError: The store cannot be written.
        HttpConfigError: The CA bundle, the proxy or the netrc file cannot be used.
        InvalidRequestError: A request's ``sha256`` is not one.
    """
    wanted = {checked_sha256(request.sha256): request for request in requests}
    missing = [request for sha256, request in wanted.items() if store.find(sha256) is None]
    if not missing:
        return
    # Large files first: a large one begun last would leave the other workers idle.
    missing.sort(key=lambda request: -(request.size or 0))
    client = http or HttpClient()

    def download(request: FileRequest, cancellation: Cancellation) -> None:
        limit = request.size if request.size is not None else max_bytes
        with contextlib.ExitStack() as stack:
            transfer = _Transfer(store, stack, request, limit, progress)
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


class _Transfer:
    """One file on its way into the store; goes on where it was when the connection breaks."""

    def __init__(
        self, store: Store, stack: contextlib.ExitStack, request: FileRequest, limit: int, progress: Progress | None
    ) -> None:
        self._store = store
        self._stack = stack
        self._request = request
        self._limit = limit
        self._progress = progress
        self._writer: BlobWriter | None = None

    def run(self, client: HttpClient, cancellation: Cancellation) -> None:
        path = _checked_local_path(self._request.url)
        if path is not None:
            self._copy(path, cancellation)
        else:
            client.retrying(lambda: self._read(client, cancellation), cancellation)
        self._commit()

    def _copy(self, path: Path, cancellation: Cancellation) -> None:
        try:
            _check_regular(path)
            with path.open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    self._append(chunk, cancellation)
        except OSError as error:
            raise _local_error(path, error) from error
        self._open_writer()
        self._check_complete()

    def _read(self, client: HttpClient, cancellation: Cancellation) -> None:
        offset = self._writer.size if self._writer is not None else 0
        headers = {"Range": f"bytes={offset}-"} if offset else {}
        with client.open(self._request.url, headers=headers, cancellation=cancellation) as response:
            cancellation.check()
            # Not before there is an answer: a worker stuck in a connection attempt holds no temporary file.
            writer = self._open_writer()
            if offset and not _continues(response, offset):
                self._count(-writer.size)
                writer.reset()
            self._check_promise(writer.size, response)
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                self._append(chunk, cancellation)
        try:
            self._check_complete()
        except SizeMismatchError as error:
            # Without a Content-Length, a connection cut off looks like a file that ends early.
            raise TransientError(error) from None

    def _open_writer(self) -> BlobWriter:
        if self._writer is None:
            self._writer = self._stack.enter_context(self._store.writer())
        return self._writer

    def _append(self, chunk: bytes, cancellation: Cancellation) -> None:
        cancellation.check()
        writer = self._open_writer()
        if writer.size + len(chunk) > self._limit:
            raise self._wrong_size(f"at least {writer.size + len(chunk)} bytes")
        writer.write(chunk)
        self._count(len(chunk))

    def _count(self, size: int) -> None:
        if self._progress is not None:
            self._progress.advance(size)

    def _check_promise(self, offset: int, response: Response) -> None:
        length = response.raw.headers.get("content-length", "")
        if not (length.isascii() and length.isdigit()) or "content-encoding" in response.raw.headers:
            return
        total = offset + int(length[:20])
        if total > self._limit or (self._request.size is not None and total != self._request.size):
            raise self._wrong_size(f"{total} bytes")

    def _check_complete(self) -> None:
        size = self._open_writer().size
        if self._request.size is not None and size != self._request.size:
            raise self._wrong_size(f"{size} bytes")

    def _wrong_size(self, got: str) -> SizeMismatchError:
        if self._request.size is None:
            return SizeMismatchError(
                f"{self._request.name} is longer than any file may be",
                why=f"{redact(self._request.url)} has {got}, the limit is {self._limit} bytes",
            )
        return SizeMismatchError(
            f"{self._request.name} has not the length it should have",
            why=f"{redact(self._request.url)} has {got}, expected are {self._request.size} bytes",
            hint="the index or a proxy sends another file; try another index, or make the lock file again",
        )

    def _commit(self) -> None:
        writer = self._open_writer()
        got, expected = writer.hexdigest(), checked_sha256(self._request.sha256)
        if got != expected:
            raise HashMismatchError(
                f"{self._request.name} is not the file that is expected",
                why=f"{redact(self._request.url)} has SHA-256 {got}, expected is {expected}",
                hint="the file was replaced or damaged: find out why before you make the lock file again",
            )
        writer.commit(expected)


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
        HttpConfigError: The CA bundle, the proxy or the netrc file cannot be used.
    """
    path = _checked_local_path(url)
    if path is not None:
        return _read_local_document(path, limit_bytes)

    def read() -> Document:
        sent = {"Accept-Encoding": "gzip", **(headers or {})}
        with http.open(url, headers=sent, cancellation=cancellation) as response:
            body = bytearray()
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=True):
                body += chunk
                if len(body) > limit_bytes:
                    raise _too_long(url, limit_bytes)
            content_type = response.raw.headers.get("content-type", "").partition(";")[0].strip().lower()
            return Document(url=response.url, content_type=content_type, body=bytes(body))

    return http.retrying(read, cancellation)


def _read_local_document(path: Path, limit_bytes: int) -> Document:
    try:
        _check_regular(path)
        with path.open("rb") as file:
            body = file.read(limit_bytes + 1)
    except OSError as error:
        raise _local_error(path, error) from error
    if len(body) > limit_bytes:
        raise _too_long(str(path), limit_bytes)
    return Document(url=path.absolute().as_uri(), content_type="", body=body)


def _too_long(url: str, limit_bytes: int) -> SizeMismatchError:
    return SizeMismatchError(f"{redact(url)} is too long", why=f"it has more than {limit_bytes} bytes")


def _checked_local_path(url: str) -> Path | None:
    try:
        path = local_path(url)
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise DownloadError(f"cannot read {redact(url)}", why=str(error)) from None
    if path is None and scheme not in ("http", "https"):
        raise DownloadError(f"cannot read {redact(url)}", why="only http, https and file URLs can be read")
    return path


def _check_regular(path: Path) -> None:
    # A device or a pipe may never end.
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(None, "it is not a regular file")


def _local_error(path: Path, error: OSError) -> DownloadError:
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    return DownloadError(
        f"cannot read {path}",
        why=error.strerror or str(error),
        hint="check the folders named in find-links and the index URLs",
        status=404 if missing else None,
    )


def _continues(response: Response, offset: int) -> bool:
    """Whether an answer begins where the last one broke off (RFC 9110, 14.4)."""
    return response.raw.status == 206 and response.raw.headers.get("content-range", "").startswith(f"bytes {offset}-")
