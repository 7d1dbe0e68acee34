"""Content-addressed blobs and records of finished actions, in one cache folder.

::

    <root>/blobs/sha256/ab/abcd…     whole files, named by their SHA-256
    <root>/actions/ab/abcd….json     records of finished actions
    <root>/tmp/                      files being written

Every file is written under ``tmp`` and renamed to its final name when it is whole, so a process killed at any moment
leaves at most a temporary file, and several processes may write the same blob at once: the bytes are the same,
whoever comes last. Nothing is flushed to the disk on purpose: a process that dies loses nothing, and what a power
cut may spoil can be deleted and fetched again.
"""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import os
import re
import tempfile
import threading
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Self

from crossdock.errors import CacheFolderError, HashMismatchError, InvalidRequestError, MissingBlobError
from crossdock.store.actions import encode_record, read_record

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from _typeshed import ReadableBuffer

    from crossdock.store.actions import JSON

__all__ = ["BlobWriter", "Store", "checked_sha256"]

CACHE_VARIABLE = "CROSSDOCK_CACHE"
STALE_AFTER_SECONDS = 24 * 60 * 60
COPY_CHUNK_BYTES = 1 << 20

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
# Fixed, so that a cache made under one umask can be shared as one made under another.
_FILE_MODE = 0o644
# What this process has made in any ``tmp``: a worker that was left behind, as it could not be woken, unlinks nothing.
_temporary: set[str] = set()
_SPACE_HINT = f"free some space, or set {CACHE_VARIABLE} to a folder that can be written"


@atexit.register
def _remove_left() -> None:
    for name in list(_temporary):
        with contextlib.suppress(OSError):
            Path(name).unlink()


def checked_sha256(text: str) -> str:
    """Return a SHA-256 in its one spelling, so that it can safely be part of a path.

    Raises:
        InvalidRequestError: It is not 64 hexadecimal digits.
    """
    if not _SHA256.fullmatch(text):
        raise InvalidRequestError(
            f"{text[:80]!r} is not a SHA-256",
            why="a SHA-256 is written as 64 hexadecimal digits",
            hint="make the lock file again; it may have been edited or cut off",
        )
    return text.lower()


class Store:
    """The cache folder: blobs and records of finished actions.

    Safe to use from several threads and processes at once. The folder is made when something is first written, so
    a complete cache can be used where it cannot be changed.

    Attributes:
        root: The folder.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self._swept = False
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r})"

    @classmethod
    def default(cls, environ: Mapping[str, str] = os.environ) -> Store:
        """Open the user's store: ``CROSSDOCK_CACHE``, else the platform's folder for caches."""
        chosen = environ.get(CACHE_VARIABLE, "")
        if chosen:
            return cls(Path(chosen).absolute())
        from platformdirs import user_cache_path

        return cls(user_cache_path("crossdock", appauthor=False))

    def find(self, sha256: str) -> Path | None:
        """Return the file of a blob, or None if the store does not hold it whole.

        Raises:
            InvalidRequestError: ``sha256`` is not 64 hexadecimal digits.
            CacheFolderError: The folder cannot be read.
        """
        path = self._blob_path(checked_sha256(sha256))
        with self._folder_errors("read"):
            return path if path.is_file() else None

    def path(self, sha256: str) -> Path:
        """Return the file of a blob.

        Raises:
            MissingBlobError: The store does not hold it.
            InvalidRequestError: ``sha256`` is not 64 hexadecimal digits.
            CacheFolderError: The folder cannot be read.
        """
        found = self.find(sha256)
        if found is None:
            raise MissingBlobError(
                f"the cache does not hold sha256:{sha256}",
                why=f"{self._blob_path(checked_sha256(sha256))} is not there",
                hint="run the command again: the cache may have been emptied meanwhile",
            )
        return found

    def size(self, sha256: str) -> int:
        """Return the size of a blob in bytes; errors as `path`."""
        path = self.path(sha256)
        with self._folder_errors("read"):
            return path.stat().st_size

    def read_bytes(self, sha256: str) -> bytes:
        """Return the whole content of a blob, for those known to be small; errors as `path`."""
        path = self.path(sha256)
        with self._folder_errors("read"):
            return path.read_bytes()

    def discard(self, sha256: str) -> None:
        """Remove a blob that turned out to be damaged; errors as `find`."""
        with self._folder_errors("write"):
            self._blob_path(checked_sha256(sha256)).unlink(missing_ok=True)

    def writer(self) -> BlobWriter:
        """Make a writer for one new blob; use it as a context manager."""
        self._sweep_once()
        return BlobWriter(self)

    def add_bytes(self, data: ReadableBuffer, *, expected: str | None = None) -> str:
        """Write one blob and return its SHA-256; errors as `BlobWriter.commit`."""
        with self.writer() as writer:
            writer.write(data)
            return writer.commit(expected)

    def add_file(self, path: Path, *, expected: str | None = None) -> str:
        """Copy a file into the store and return its SHA-256; errors as `BlobWriter.commit`."""
        with path.open("rb") as source, self.writer() as writer:
            while chunk := source.read(COPY_CHUNK_BYTES):
                writer.write(chunk)
            return writer.commit(expected)

    def action(self, key: str) -> Any | None:  # noqa: ANN401 - a record holds whatever JSON its action wrote
        """Return what was recorded under an `action_key`, or None if nothing was, or the record is damaged."""
        return read_record(self._action_path(key))

    def has_action(self, key: str) -> bool:
        """Say whether something was recorded under an `action_key`, without reading it."""
        return self._action_path(key).is_file()

    def record(self, key: str, value: JSON) -> None:
        """Record what an action came to, replacing what was there.

        Raises:
            CacheFolderError: The folder cannot be written.
        """
        data = encode_record(value)
        path = self._action_path(key)
        self._sweep_once()
        with self._folder_errors("write"):
            descriptor, name = self.open_temporary()
            try:
                with open(descriptor, "wb") as file:  # noqa: PTH123 - a descriptor, not a path
                    file.write(data)
                _publish(Path(name), path, keep_existing=False)
            finally:
                Path(name).unlink(missing_ok=True)

    def open_temporary(self) -> tuple[int, str]:
        """Make an empty file in ``tmp`` and return its descriptor and its path."""
        folder = self.root / "tmp"
        folder.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f"{os.getpid()}-", dir=folder)
        _temporary.add(name)
        Path(name).chmod(_FILE_MODE)
        return descriptor, name

    def publish(self, temporary: Path, sha256: str) -> None:
        """Give a whole temporary file the final name of its blob, unless another writer was first."""
        _publish(temporary, self._blob_path(sha256), keep_existing=True)

    def _blob_path(self, sha256: str) -> Path:
        return self.root / "blobs" / "sha256" / sha256[:2] / sha256

    def _action_path(self, key: str) -> Path:
        name = checked_sha256(key)
        return self.root / "actions" / name[:2] / f"{name}.json"

    def _sweep_once(self) -> None:
        """Remove what processes that died left behind; the folder is normally empty, so this is one listing."""
        with self._lock:
            if self._swept:
                return
            self._swept = True
        oldest = time.time() - STALE_AFTER_SECONDS
        # Another process may be removing the same files: whatever is gone, or not ours to remove, is left alone.
        with contextlib.suppress(OSError), os.scandir(self.root / "tmp") as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    if entry.stat(follow_symlinks=False).st_mtime < oldest:
                        Path(entry.path).unlink()

    @contextlib.contextmanager
    def _folder_errors(self, verb: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise CacheFolderError(
                f"cannot {verb} the cache folder {self.root}",
                why=f"{error.strerror or error}: {error.filename}" if error.filename else str(error),
                hint=_SPACE_HINT,
            ) from error


class BlobWriter:
    """Writes one blob, hashing it on the way; without `commit`, nothing is left.

    Not for use by several threads at once: each takes its own.

    Attributes:
        size: Bytes written so far.
    """

    def __init__(self, store: Store) -> None:
        self.size = 0
        self._store = store
        self._hash = hashlib.sha256()
        self._file: IO[bytes] | None = None
        self._temporary: Path | None = None

    def __enter__(self) -> Self:
        with self._store._folder_errors("write"):  # noqa: SLF001 - one class in two halves
            descriptor, name = self._store.open_temporary()
            self._temporary = Path(name)
            self._file = open(descriptor, "wb")  # noqa: PTH123 - closed by commit or __exit__
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        # A full disk makes even closing fail; the error that brought us here says so already.
        with contextlib.suppress(OSError):
            self._close()
        if self._temporary is not None:
            with contextlib.suppress(OSError):
                self._temporary.unlink(missing_ok=True)

    def write(self, data: ReadableBuffer) -> None:
        """Append bytes.

        Raises:
            CacheFolderError: The folder cannot be written: a full disk, for one.
        """
        with self._store._folder_errors("write"):  # noqa: SLF001
            self.size += self._opened().write(data)
        self._hash.update(data)

    def reset(self) -> None:
        """Forget everything written so far."""
        with self._store._folder_errors("write"):  # noqa: SLF001
            file = self._opened()
            file.seek(0)
            file.truncate()
        self.size = 0
        self._hash = hashlib.sha256()

    def hexdigest(self) -> str:
        """Return the SHA-256 of what was written so far."""
        return self._hash.hexdigest()

    def commit(self, expected: str | None = None) -> str:
        """Put the blob into the store under its final name.

        Args:
            expected: The SHA-256 it must have, if known.

        Returns:
            Its SHA-256, as 64 hexadecimal digits.

        Raises:
            HashMismatchError: It is another than expected; the store is unchanged.
            CacheFolderError: The folder cannot be written.
        """
        got = self.hexdigest()
        if expected is not None and checked_sha256(expected) != got:
            raise HashMismatchError(
                f"a file of {self.size} bytes is not the one expected",
                why=f"its SHA-256 is {got}, expected is {expected}",
            )
        with self._store._folder_errors("write"):  # noqa: SLF001
            self._opened()
            self._close()
            if self._temporary is not None:
                self._store.publish(self._temporary, got)
        return got

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            raise RuntimeError("a BlobWriter is used inside its with statement, and before commit")
        return self._file

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _publish(temporary: Path, final: Path, *, keep_existing: bool) -> None:
    final.parent.mkdir(parents=True, exist_ok=True)
    if keep_existing and final.is_file():
        return
    try:
        temporary.replace(final)
    except PermissionError:
        # Windows refuses to replace a file that a reader has open; that file is as good as ours.
        if not final.is_file():
            raise
