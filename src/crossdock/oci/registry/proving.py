"""Content that is proved to be what its digest says while it is read to be sent."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Self

from crossdock.errors import DamagedLayerError, RegistryContentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crossdock.oci.content import ImageSource, Stream
    from crossdock.oci.model import Descriptor

__all__ = ["ProvedContent"]

_PIECE = 1 << 18


class ProvedContent:
    """Reads content from wherever it is wanted from, and says in the end whether it was the right one.

    Use as a context manager. Not for several threads.

    Args:
        descriptor: What it must be.
        content: The bytes, a file, or another place that holds it.
        advance: Told how many bytes were read; fewer than none when some are to be read again.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        content: bytes | Path | ImageSource,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        self._descriptor = descriptor
        self._content = content
        self._advance = advance or (lambda _size: None)
        self._stack = contextlib.ExitStack()
        self._stream: Stream | None = None
        self._hash = hashlib.sha256()
        self._position = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def whole(self) -> bytes:
        """Give all of it, proved; for small content. Errors as `pieces` and `prove`."""
        data = b"".join(self.pieces(0, self._descriptor.size))
        self.prove()
        return data

    def prove(self) -> None:
        """Check that what was given is what it should be, reading what was not read yet.

        Raises:
            DamagedLayerError: It is not.
        """
        self._move_to(self._descriptor.size)
        digest = f"sha256:{self._hash.hexdigest()}"
        if digest != self._descriptor.digest:
            where = str(self._content) if isinstance(self._content, Path) else "what was to be sent"
            raise self._damaged(f"{where} now has the digest {digest}")

    def pieces(self, start: int, count: int) -> Iterator[bytes]:
        """Give a part of it.

        Args:
            start: Offset in bytes.
            count: Bytes.

        Raises:
            DamagedLayerError: A file cannot be read, or has another length.
            CrossdockError: As the place raises that holds it.
        """
        self._move_to(start)
        left = count
        while left:
            piece = self._read(min(left, _PIECE))
            left -= len(piece)
            yield piece

    def _move_to(self, start: int) -> None:
        if self._stream is not None and self._position == start:
            return
        self._advance(start - self._position)
        if self._stream is None or self._position > start:
            self._stack.close()
            self._hash = hashlib.sha256()
            self._position = 0
            self._stream = self._open()
        # The hash of what the registry has already is needed for that of the whole.
        while self._position < start:
            self._read(min(start - self._position, _PIECE), counted=False)

    def _open(self) -> Stream:
        if isinstance(self._content, bytes):
            if len(self._content) != self._descriptor.size:
                raise self._damaged(f"there are {len(self._content)} bytes")
            return io.BytesIO(self._content)
        if not isinstance(self._content, Path):
            return self._stack.enter_context(self._content.open_blob(self._descriptor))
        with self._file_errors():
            file = self._stack.enter_context(self._content.open("rb"))
            status = os.fstat(file.fileno())
        if not stat.S_ISREG(status.st_mode) or status.st_size != self._descriptor.size:
            raise self._damaged(f"{self._content} has {status.st_size} bytes instead of {self._descriptor.size}")
        return file

    def _read(self, size: int, *, counted: bool = True) -> bytes:
        assert self._stream is not None  # noqa: S101  _move_to opened it
        with self._file_errors():
            piece = self._stream.read(size)
        if not piece:
            raise self._damaged(f"it ends after {self._position} bytes instead of {self._descriptor.size}")
        self._position += len(piece)
        self._hash.update(piece)
        if counted:
            self._advance(len(piece))
        return piece

    @contextlib.contextmanager
    def _file_errors(self) -> Iterator[None]:
        """Keep a failing disk from looking like a failing network."""
        try:
            yield
        except OSError as error:
            where = str(self._content) if isinstance(self._content, Path) else "it"
            raise self._damaged(f"{where} cannot be read: {error.strerror or error}") from None

    def _damaged(self, why: str) -> DamagedLayerError | RegistryContentError:
        if isinstance(self._content, bytes | Path):
            return DamagedLayerError(
                f"The layer {self._descriptor.digest} in the cache is damaged",
                why=why,
                hint="run the same command again: it is made anew",
                digest=self._descriptor.digest,
            )
        return RegistryContentError(
            f"cannot read {self._descriptor.digest} from {self._content.name}",
            why=why,
            hint="the place it comes from is broken, or was tampered with",
        )
