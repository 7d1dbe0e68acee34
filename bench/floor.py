"""What wheels cannot become layers without: every byte is inflated and hashed, both packed and unpacked."""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING
from zipfile import ZIP_DEFLATED, ZipFile

import deflate

from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LoadedWheel", "floor", "load", "naive"]


@dataclass(frozen=True, slots=True)
class LoadedWheel:
    """A wheel in memory.

    Attributes:
        data: All its bytes.
        streams: For each member its stream and its size unpacked; None as size if it is stored.
    """

    data: bytes
    streams: tuple[tuple[bytes, int | None], ...]


def load(path: Path) -> LoadedWheel:
    """Read a wheel."""
    with WheelArchive(path, path.name) as archive:
        streams = tuple(
            (archive.stream(member), member.size if member.method == ZIP_DEFLATED else None)
            for member in archive.members
        )
    return LoadedWheel(path.read_bytes(), streams)


def floor(wheel: LoadedWheel) -> tuple[str, str]:
    """Inflate every stream with libdeflate, and hash the wheel and what it unpacks to."""
    unpacked = hashlib.sha256()
    for stream, size in wheel.streams:
        unpacked.update(stream if not size else deflate.deflate_decompress(stream, size))
    return hashlib.sha256(wheel.data).hexdigest(), unpacked.hexdigest()


def naive(path: Path) -> tuple[str, str]:
    """Copy streams into a tar.gz the plain way, with zlib and a gzip member for each piece; nothing is kept."""
    import gzip
    import tarfile

    packed, unpacked = hashlib.sha256(), hashlib.sha256()
    with ZipFile(path) as archive, WheelArchive(path, path.name) as streams:
        for member in streams.members:
            content = archive.read(member.name)
            info = tarfile.TarInfo(f"app/.venv/lib/python3.11/site-packages/{member.name}")
            info.size = len(content)
            header, padding = info.tobuf(tarfile.PAX_FORMAT), bytes(-len(content) % tarfile.BLOCKSIZE)
            unpacked.update(header + content + padding)
            stream = streams.stream(member)
            if member.method == ZIP_DEFLATED:
                trailer = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
                framed = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + stream + trailer
            else:
                framed = gzip.compress(stream, mtime=0)
            packed.update(gzip.compress(header, mtime=0) + framed + gzip.compress(padding, mtime=0))
    return packed.hexdigest(), unpacked.hexdigest()
