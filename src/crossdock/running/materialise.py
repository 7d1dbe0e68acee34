"""Unpacks artifacts into a folder, to be run from there."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayerUnreadableError, LayoutUnreadableError, WheelError
from crossdock.layers.gunzip import gunzip
from crossdock.layers.tarwalk import TarWalker
from crossdock.running.process import stand_in
from crossdock.running.writing import FolderWriter
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.oci.content import Stream
    from crossdock.running.images import Image
    from crossdock.running.limits import RunLimits

__all__ = ["scratch_folder", "unpack_image", "unpack_tar", "unpack_zip"]

_CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
#: A zip archive may lead out of nothing, and has no modes that matter but this one.
_FILE, _PROGRAM = 0o644, 0o755


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give an empty folder that nobody else can write to, which is gone afterwards."""
    folder = Path(tempfile.mkdtemp(prefix="crossdock-run-")).resolve()
    if stand_in() is not None:
        folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unpack_image(image: Image, root: Path, limits: RunLimits) -> None:
    """Put all layers of an image onto each other.

    Args:
        image: Each layer's digest is checked while it is read.
        root: An empty folder.
        limits: When to give up.

    Raises:
        LayerUnreadableError: A layer is damaged, unsafe, or larger than the limits.
        LayerUnsupportedError: A layer is compressed by zstd, and the package for that is missing.
        LayoutUnreadableError: The folder cannot be written.
        CrossdockError: A layer is not there, or not what its digest says.
    """
    writer = FolderWriter(root, limits, layered=True, owner=stand_in())
    with _reported(image.name):
        for layer in image.layers:
            writer.next_layer()
            with image.source.open_blob(layer) as stream:
                _unpack(stream, writer, limits)
                # Its digest is told at its end.
                while stream.read(_CHUNK):
                    pass


def unpack_tar(path: Path, root: Path, limits: RunLimits) -> None:
    """Unpack a tar archive, uncompressed or compressed by gzip or zstd; errors as `unpack_image`."""
    with _reported(str(path)), path.open("rb") as stream:
        _unpack(stream, FolderWriter(root, limits, owner=stand_in()), limits)


def unpack_zip(path: Path, root: Path, limits: RunLimits) -> None:
    """Unpack a zip archive; errors as `unpack_image`."""
    writer = FolderWriter(root, limits, owner=stand_in())
    with _reported(str(path)), WheelArchive(path, path.name) as archive:
        for member in archive.members:
            if member.name.endswith("/"):
                writer.folder(member.name.rstrip("/"), _PROGRAM)
            else:
                mode = _PROGRAM if member.executable else _FILE
                writer.file(member.name, mode, archive.unpacked_pieces(member))


def _unpack(stream: Stream, writer: FolderWriter, limits: RunLimits) -> None:
    tar = TarWalker(_uncompressed(stream), max_members=limits.members)
    for member in tar:
        if member.kind == "file":
            writer.file(member.path, member.mode, iter(lambda: tar.read(_CHUNK), b""))
        elif member.kind == "directory":
            writer.folder(member.path, member.mode)
        elif member.kind == "symlink":
            writer.symlink(member.path, member.linkname)
        elif member.kind == "hardlink":
            writer.hardlink(member.path, member.linkname)


def _uncompressed(stream: Stream) -> Iterator[bytes]:
    first = stream.read(_CHUNK)

    def pieces() -> Iterator[bytes]:
        if first:
            yield first
        yield from iter(lambda: stream.read(_CHUNK), b"")

    if first.startswith(_GZIP):
        return gunzip(pieces())
    if first.startswith(_ZSTD):
        from crossdock.layers.zstd import unzstd

        return unzstd(pieces())
    return pieces()


@contextmanager
def _reported(name: str) -> Iterator[None]:
    try:
        yield
    except WheelError as error:
        raise LayerUnreadableError(f"{name} cannot be unpacked", why=error.why or error.what) from None
    except LayerUnreadableError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        raise LayerUnreadableError(f"{name} cannot be unpacked", why=why, hint=error.hint) from None
    except OSError as error:
        raise LayoutUnreadableError(
            f"{name} cannot be unpacked",
            why=error.strerror or str(error),
            hint=f"see that {tempfile.gettempdir()} has room, or name another folder in TMPDIR",
        ) from None
