"""An OCI image layout, in a directory or a tar archive, as named files that can be opened.

Implements the reading side of "OCI Image Layout Specification" 1.0 (OCI image specification).
"""

from __future__ import annotations

import hashlib
import json
import stat
import tarfile
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Protocol

from crossdock.errors import LayoutUnreadableError
from crossdock.oci.tarfiles import TarFiles

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["MAX_JSON", "Layout", "blob_path", "open_layout", "parse_json", "read_file", "sha256_of"]

MAX_JSON: Final = 8 * 1024 * 1024
"""Bytes of the largest index, manifest or config that is read."""

_CHUNK: Final = 1024 * 1024
_HEX: Final = frozenset("0123456789abcdef")


class Layout(Protocol):
    """The files of a layout, by their "/"-separated path in it."""

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if there is no such regular file."""

    def open(self, name: str) -> BinaryIO:
        """Open a file that `size` knows."""


class _Directory:
    def __init__(self, path: Path) -> None:
        self._path = path

    def size(self, name: str) -> int | None:
        try:
            # Links are followed: some build systems make layouts of them, and every blob's hash is checked anyway.
            status = (self._path / name).stat()
        except (OSError, ValueError):
            return None
        return status.st_size if stat.S_ISREG(status.st_mode) else None

    def open(self, name: str) -> BinaryIO:
        return (self._path / name).open("rb")


def open_layout(path: Path) -> Layout:
    """Find the files of a layout; nothing has to be closed.

    Args:
        path: A directory, or an uncompressed tar archive of one.

    Raises:
        LayoutUnreadableError: It is neither.
    """
    hint = "name a directory with an oci-layout file, or a tar archive of one (`skopeo copy … oci-archive:FILE`)"
    if path.is_dir():
        layout: Layout = _Directory(path)
    elif path.is_file():
        layout = _archive(path, hint)
    else:
        raise LayoutUnreadableError(f"there is no image layout at {path}", why="nothing is there", hint=hint)
    _check_version(layout, path, hint)
    return layout


def _archive(path: Path, hint: str) -> TarFiles:
    try:
        files = TarFiles(path)
    except (tarfile.TarError, OSError) as error:
        raise LayoutUnreadableError(f"{path} is not an image layout", why=str(error), hint=hint) from None
    if files.repeated:
        raise LayoutUnreadableError(f"the archive {path} holds {min(files.repeated)[:200]!r} twice")
    return files


def blob_path(digest: object) -> str | None:
    """Return where in a layout the blob of a digest is; None if it is no SHA-256 digest."""
    if not isinstance(digest, str) or not digest.startswith("sha256:"):
        return None
    value = digest.removeprefix("sha256:")
    return f"blobs/sha256/{value}" if len(value) == 64 and _HEX.issuperset(value) else None


def read_file(layout: Layout, name: str) -> bytes:
    """Read a file whole.

    Raises:
        LayoutUnreadableError: It is missing, too large for JSON or cannot be read.
    """
    size = layout.size(name)
    if size is None or size > MAX_JSON:
        why = "it is missing" if size is None else f"it has {size:,} bytes; at most {MAX_JSON:,} are read"
        raise LayoutUnreadableError(f"{name} of the layout cannot be read", why=why)
    try:
        with layout.open(name) as stream:
            return stream.read(MAX_JSON)
    except (OSError, tarfile.TarError) as error:
        raise LayoutUnreadableError(f"{name} of the layout cannot be read", why=str(error)) from None


def parse_json(data: bytes, *, name: str) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        LayoutUnreadableError: It is something else.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise LayoutUnreadableError(f"{name} is not JSON", why=str(error)) from None
    if not isinstance(value, dict):
        raise LayoutUnreadableError(f"{name} is not a JSON object")
    return value


def sha256_of(stream: BinaryIO) -> str:
    """Return the digest of a stream: ``sha256:…``."""
    digest = hashlib.sha256()
    while chunk := stream.read(_CHUNK):
        digest.update(chunk)
    return f"sha256:{digest.hexdigest()}"


def _check_version(layout: Layout, path: Path, hint: str) -> None:
    if layout.size("oci-layout") is None:
        raise LayoutUnreadableError(f"{path} is not an image layout", why="it has no oci-layout file", hint=hint)
    version = parse_json(read_file(layout, "oci-layout"), name="oci-layout").get("imageLayoutVersion")
    if version != "1.0.0":
        raise LayoutUnreadableError(
            f"{path} is an image layout of an unknown version", why=f"{str(version)[:40]!r}; 1.0.0 is known"
        )
