"""A stream that is checked while it is read: not longer than it may be, and in the end what its digest says."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from crossdock.errors import CrossdockError
    from crossdock.oci.content import Stream
    from crossdock.oci.model import Descriptor

__all__ = ["CheckedStream"]


class CheckedStream:
    """Gives what another stream gives, and raises instead of giving anything beyond what the descriptor says.

    Args:
        stream: Where the bytes come from.
        descriptor: What they must be.
        error: Makes the error to raise of the reason.
    """

    def __init__(self, stream: Stream, descriptor: Descriptor, error: Callable[[str], CrossdockError]) -> None:
        self._stream = stream
        self._descriptor = descriptor
        self._error = error
        self._hash = hashlib.sha256()
        self._left = descriptor.size

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most ``size``; none at the end.

        Raises:
            CrossdockError: The stream ends too early, goes on too long, or its digest is another.
        """
        if self._left == 0:
            if self._next(1):
                raise self._error(f"it has more than the {self._descriptor.size:,} bytes it should have")
            self._check()  # for content of no bytes
            return b""
        wanted = self._left if size < 0 else min(size, self._left)
        data = self._next(wanted)
        if not data and wanted:
            raise self._error(f"it ends {self._left:,} bytes too early")
        self._hash.update(data)
        self._left -= len(data)
        if self._left == 0:
            self._check()
        return data

    def _next(self, size: int) -> bytes:
        try:
            return self._stream.read(size)
        except OSError as error:
            raise self._error(error.strerror or str(error)) from None

    def _check(self) -> None:
        digest = f"sha256:{self._hash.hexdigest()}"
        if digest != self._descriptor.digest:
            raise self._error(f"its digest is {digest}")
