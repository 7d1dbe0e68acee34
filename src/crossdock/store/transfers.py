"""One file on its way into the store, over a network that breaks off, repeats itself and mixes things up."""

from __future__ import annotations

import contextlib
import re
import stat
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from crossdock.errors import DownloadError, HashMismatchError, SizeMismatchError
from crossdock.store.blobs import checked_sha256
from crossdock.store.retries import TransientError
from crossdock.store.urls import local_path, redact

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.store.blobs import BlobWriter, Store
    from crossdock.store.downloads import FileRequest
    from crossdock.store.http import HttpClient, Response
    from crossdock.store.parallel import Cancellation
    from crossdock.store.progress import Progress

__all__ = ["Transfer", "check_regular", "checked_local_path", "local_error"]

CHUNK_BYTES = 1 << 18
# So much more of a file than ever before means that trying again leads somewhere.
_PROGRESS_BYTES = 1 << 20
_CONTENT_RANGE = re.compile(r"bytes (?P<first>[0-9]{1,20})-[0-9]{1,20}/(?P<total>[0-9]{1,20}|\*)")
# What tells one version of a file from another for certain, and is short enough to be sent back.
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,200}"')


class Transfer:
    """One file on its way into the store; goes on where it was when the connection breaks.

    Args:
        store: Where it goes.
        stack: What ends the transfer, and with it its temporary file.
        request: The file.
        limit: The most bytes it may have.
        progress: What draws how far it is.
    """

    def __init__(
        self, store: Store, stack: contextlib.ExitStack, request: FileRequest, limit: int, progress: Progress | None
    ) -> None:
        self._store = store
        self._stack = stack
        self._request = request
        self._limit = limit
        self._progress = progress
        self._writer: BlobWriter | None = None
        self._version: tuple[str, str] | None = None
        self._furthest = 0
        self._begun_again = False

    def run(self, client: HttpClient, cancellation: Cancellation) -> None:
        """Bring the file into the store; errors as `fetch` in ``downloads``."""
        path = checked_local_path(self._request.url)
        if path is not None:
            self._copy(path, cancellation)
            self._check_hash()
        else:
            client.retrying(lambda: self._attempt(client, cancellation), cancellation)
        self._open_writer().commit(checked_sha256(self._request.sha256))

    def _copy(self, path: Path, cancellation: Cancellation) -> None:
        try:
            check_regular(path)
            with path.open("rb") as source:
                while chunk := source.read(CHUNK_BYTES):
                    self._append(chunk, cancellation)
        except OSError as error:
            raise local_error(path, error) from error
        self._open_writer()
        self._check_complete()

    def _attempt(self, client: HttpClient, cancellation: Cancellation) -> None:
        """Read what is left of the file; another file than expected is read once more, and whole."""
        try:
            self._read(client, cancellation)
            self._check_hash()
        except TransientError as failure:
            size = self._writer.size if self._writer is not None else 0
            failure.progressed = size >= self._furthest + _PROGRESS_BYTES
            self._furthest = max(self._furthest, size)
            raise
        except (HashMismatchError, SizeMismatchError) as error:
            endless = isinstance(error, SizeMismatchError) and self._request.size is None
            if self._begun_again or endless:
                raise
            # A proxy may have sent an old copy, put two versions together, or cut the file and its length down.
            self._begun_again = True
            self._begin_again()
            raise TransientError(error) from None

    def _read(self, client: HttpClient, cancellation: Cancellation) -> None:
        offset = self._writer.size if self._writer is not None else 0
        try:
            with client.open(self._request.url, headers=self._headers(offset), cancellation=cancellation) as response:
                cancellation.check()
                # Not before there is an answer: a worker stuck in a connection attempt holds no temporary file.
                writer = self._open_writer()
                if offset and not self._continues(response, offset):
                    self._begin_again()
                    if response.raw.status == 206:
                        raise TransientError(self._changed())
                self._check_promise(writer.size, response)
                self._remember(response)
                for chunk in response.chunks():
                    self._append(chunk, cancellation)
        except DownloadError as error:
            if offset and error.status == 416:
                self._begin_again()
                raise TransientError(error) from None
            raise
        try:
            self._check_complete()
        except SizeMismatchError as error:
            # Without a Content-Length, a connection cut off looks like a file that ends early.
            raise TransientError(error) from None

    def _headers(self, offset: int) -> dict[str, str]:
        headers = {"Cache-Control": "no-cache"} if self._begun_again else {}
        if offset:
            headers["Range"] = f"bytes={offset}-"
            if self._version is not None:
                headers["If-Range"] = self._version[1]
        return headers

    def _continues(self, response: Response, offset: int) -> bool:
        """Whether an answer is the rest of the same file (RFC 9110, 14.4 and 15.3.7)."""
        content_range = _CONTENT_RANGE.fullmatch(response.raw.headers.get("content-range", ""))
        if response.raw.status != 206 or content_range is None or int(content_range["first"]) != offset:
            return False
        if content_range["total"] != "*" and self._request.size not in (None, int(content_range["total"])):
            return False
        # A server that does not know If-Range sends a part of whatever it has by now.
        header, version = self._version or ("etag", "")
        return not version or response.raw.headers.get(header, version) == version

    def _remember(self, response: Response) -> None:
        if response.raw.status != 206:
            self._version = _version(response.raw.headers)

    def _begin_again(self) -> None:
        writer = self._open_writer()
        self._count(-writer.size)
        writer.reset()
        self._version = None

    def _changed(self) -> DownloadError:
        return DownloadError(
            f"cannot read {redact(self._request.url)}",
            why="the rest that the server sent is not that of the same file",
            hint="it may just be replaced: run the command again",
        )

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

    def _check_hash(self) -> None:
        got, expected = self._open_writer().hexdigest(), checked_sha256(self._request.sha256)
        if got != expected:
            raise HashMismatchError(
                f"{self._request.name} is not the file that is expected",
                why=f"{redact(self._request.url)} has SHA-256 {got}, expected is {expected}",
                hint="the file was replaced or damaged: find out why before you make the lock file again",
            )


def _version(headers: Mapping[str, str]) -> tuple[str, str] | None:
    """Return the header and value of a strong validator (RFC 9110, 8.8), which may be sent as If-Range."""
    etag, modified = headers.get("etag", ""), headers.get("last-modified", "")
    if _STRONG_ETAG.fullmatch(etag):
        return "etag", etag
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        # Two changes may share the second of the answer, but none that is past.
        if len(modified) < 64 and parsedate_to_datetime(headers.get("date", "")) > parsedate_to_datetime(modified):
            return "last-modified", modified
    return None


def checked_local_path(url: str) -> Path | None:
    """Return the path a ``file:`` URL or path names, None for http and https.

    Raises:
        DownloadError: It is of another kind, or cannot be read.
    """
    try:
        path = local_path(url)
        scheme = urlsplit(url).scheme.lower()
    except ValueError as error:
        raise DownloadError(f"cannot read {redact(url)}", why=str(error)) from None
    if path is None and scheme not in ("http", "https"):
        raise DownloadError(f"cannot read {redact(url)}", why="only http, https and file URLs can be read")
    return path


def check_regular(path: Path) -> None:
    """Refuse, by an OSError, what is no regular file: a device or a pipe may never end."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(None, "it is not a regular file")


def local_error(path: Path, error: OSError) -> DownloadError:
    """Tell of a file of this machine that cannot be read; one that is not there has the status 404."""
    missing = isinstance(error, (FileNotFoundError, NotADirectoryError))
    return DownloadError(
        f"cannot read {path}",
        why=error.strerror or str(error),
        hint="check the folders named in find-links and the index URLs",
        status=404 if missing else None,
    )
