"""Where images are read from: a registry, a layout or an archive all answer the same few questions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from crossdock.oci.model import Blob, Descriptor

__all__ = ["MANIFEST_LIMIT", "ImageSource", "Stream"]

#: Bytes a manifest, index or config may have (OCI distribution-spec asks registries to take 4 MiB at least).
MANIFEST_LIMIT = 4 << 20


class Stream(Protocol):
    """Something that gives bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most ``size``; none at the end."""


class ImageSource(Protocol):
    """A place that holds one or more images."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def manifest(self, version: str = "") -> Blob:
        """Give a manifest or index byte for byte, as what its media type says.

        Args:
            version: Its tag or digest; empty for the only image of a place that needs no name.

        Raises:
            CrossdockError: There is none, it is not what its digest says, or the place cannot be read.
        """

    def small_blob(self, descriptor: Descriptor) -> bytes:
        """Give a config or another small blob, checked.

        Raises:
            CrossdockError: It is not there, not what its descriptor says, or larger than `MANIFEST_LIMIT`.
        """

    def open_blob(self, descriptor: Descriptor) -> AbstractContextManager[Stream]:
        """Open a layer for reading.

        Its size and digest are checked when its last byte is read: whoever stops earlier must not trust what was read.

        Raises:
            CrossdockError: It is not there, or not what its descriptor says.
        """
