"""The forms that artifacts come in, told apart by their first and last bytes, and where in them the archives lie."""

from __future__ import annotations

import lzma
import os
import re
from itertools import islice
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from crossdock.errors import LayerUnreadableError, LayoutUnreadableError
from crossdock.layers.gunzip import gunzip
from crossdock.layers.tarwalk import TarWalker
from crossdock.layers.zstd import unzstd

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = [
    "CHUNK",
    "LONGEST_END",
    "LONGEST_HEAD",
    "Compression",
    "Form",
    "architecture_of_deb",
    "archives_of_exe",
    "compression_of",
    "kind_of",
    "pieces_of",
    "tars_of_deb",
    "unpacked",
    "walk_folder",
]

Compression = Literal["tar", "gzip", "xz", "zstd"]
Form = Literal["zip", "exe", "deb", "tar", "gzip", "xz", "zstd"]

CHUNK: Final = 256 * 1024
LONGEST_HEAD: Final = 64 << 10
"""Bytes of a file's beginning that `kind_of` and `archives_of_exe` want."""
LONGEST_END: Final = 22 + 0xFFFF
"""Bytes of a file's end that `kind_of` wants: the end record of a zip archive and its comment."""

_MAGICS: Final[tuple[tuple[bytes, Compression], ...]] = (
    (b"\x1f\x8b", "gzip"),
    (b"\xfd7zXZ\0", "xz"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
)
_USTAR: Final = b"ustar"
_USTAR_AT: Final = 257
_END_OF_ZIP: Final = b"PK\x05\x06"
# What the script of an executable says of the two tar.gz archives behind it: see crossdock.bundles.exe.
_EXE: Final = re.compile(
    rb"#!/bin/sh\n(?s:.*?)\ncdx_size=(\d{1,15})\ncdx_python_start=(\d{1,15})\ncdx_app_start=(\d{1,15})\n"
)
# These are run or unpacked as zip archives, whatever else their bytes could be taken for.
_ZIP_NAME: Final = re.compile(r"\.(pex|pyz|pyzw|zip|whl)$", re.IGNORECASE)

_AR: Final = b"!<arch>\n"
_AR_HEADER: Final = 60
_MOST_AR_MEMBERS: Final = 100
_DEB_TARS: Final[dict[str, Compression]] = {
    "": "tar",
    ".gz": "gzip",
    ".xz": "xz",
    ".zst": "zstd",
}
#: Bytes of what describes a package, unpacked.
_LARGEST_CONTROL: Final = 16 << 20
#: Decompressing takes what the archive asks for: as much as the highest level of xz.
_XZ_MEMORY: Final = 128 << 20


def kind_of(name: str, head: bytes, tail: bytes) -> Form:
    """Say of which form a file is.

    Args:
        name: Of the file, without its folder.
        head: Its first bytes, at most `LONGEST_HEAD`.
        tail: Its last bytes, at most `LONGEST_END`.

    Raises:
        LayoutUnreadableError: It is of none.
    """
    if _ZIP_NAME.search(name):
        return "zip"
    if compression := compression_of(head):
        return compression
    if head.startswith(_AR):
        return "deb"
    if head[_USTAR_AT:].startswith(_USTAR):
        return "tar"
    if _EXE.match(head):
        return "exe"
    if _END_OF_ZIP in tail:
        return "zip"
    raise LayoutUnreadableError(
        f"{name} cannot be proved",
        why="it is neither a zip archive, as a PEX is one, nor a tar archive, nor a Debian package, nor a folder",
        hint="name a PEX, a wheel, a zip or tar archive, a folder, or an image",
    )


def compression_of(head: bytes) -> Compression | None:
    """Say by its first bytes how a file is compressed; None if it is not."""
    return next((kind for magic, kind in _MAGICS if head.startswith(magic)), None)


def archives_of_exe(head: bytes, size: int) -> list[tuple[int, int]]:
    """Say where in an executable the archives of its Python and of its application begin and end.

    Raises:
        LayerUnreadableError: It is cut short.
    """
    match = _EXE.match(head)
    said, python, app = map(int, match.groups()) if match else (0, 0, 0)
    # As tail(1) counts them, the first byte is number 1.
    if said != size or not 0 < python < app <= size:
        raise LayerUnreadableError("it is cut short", why=f"its script says {said:,} bytes, and it has {size:,}")
    return [(python - 1, app - 1), (app - 1, size)]


def tars_of_deb(stream: BinaryIO, size: int, name: str = "data.tar") -> list[tuple[Compression, int, int]]:
    """Say where in a Debian package an archive lies (deb(5), version 2.0).

    Args:
        stream: The package.
        size: Its bytes.
        name: ``data.tar``, which has its files, or ``control.tar``, which describes it.

    Raises:
        LayerUnreadableError: It is none, or damaged.
    """
    found: list[tuple[Compression, int, int]] = []
    at = len(_AR)
    for number in range(_MOST_AR_MEMBERS):
        if at >= size:
            break
        stream.seek(at)
        header = stream.read(_AR_HEADER)
        length = header[48:58].strip()
        member = header[:16].decode("latin-1").rstrip().rstrip("/")
        at += _AR_HEADER
        if len(header) < _AR_HEADER or header[58:] != b"`\n" or not length.isdigit() or at + int(length) > size:
            raise LayerUnreadableError("it is a broken ar archive", why=f"member {number + 1} of it is damaged")
        if (number == 0) != (member == "debian-binary"):
            raise LayerUnreadableError("it is an ar archive, but no Debian package")
        if member.startswith(name):
            if member.removeprefix(name) not in _DEB_TARS:
                raise LayerUnreadableError("it is packed in a way that is not read", why=f"it holds {member!r}")
            found.append((_DEB_TARS[member.removeprefix(name)], at, at + int(length)))
        at += int(length) + int(length) % 2
    if len(found) != 1 or at < size:
        raise LayerUnreadableError("it is no Debian package", why=f"it has {len(found)} archives {name}")
    return found


def architecture_of_deb(path: Path) -> str:
    """Give the architecture that a Debian package says it is for; empty if the file is no such package.

    Raises:
        LayerUnreadableError: It is one, and damaged.
    """
    with path.open("rb") as stream:
        if stream.read(len(_AR)) != _AR:
            return ""
        try:
            ((kind, start, end),) = tars_of_deb(stream, stream.seek(0, os.SEEK_END), "control.tar")
            pieces = islice(unpacked(kind, pieces_of(stream, start, end)), _LARGEST_CONTROL // CHUNK)
            tar = TarWalker(pieces, max_members=_MOST_AR_MEMBERS)
            text = next((tar.read(member.size) for member in tar if member.path == "control"), b"")
        except LayerUnreadableError as error:
            why = f"{error.what}: {error.why}" if error.why else error.what
            raise LayerUnreadableError(f"{path} cannot be read", why=why) from None
    if match := re.search(rb"^Architecture:[ \t]*([a-z0-9-]{1,40})[ \t]*$", text, re.MULTILINE):
        return match[1].decode()
    raise LayerUnreadableError(f"{path} cannot be read", why="its control file names no architecture")


def unpacked(kind: Compression, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Unpack a compressed tar archive, piece by piece.

    Raises:
        LayerUnreadableError: It is damaged.
        LayerUnsupportedError: It is compressed by zstd, and the package for that is missing.
    """
    match kind:
        case "gzip":
            return gunzip(pieces)
        case "zstd":
            return unzstd(pieces)
        case "xz":
            return _unxz(pieces)
        case _:
            return pieces


def _unxz(pieces: Iterator[bytes]) -> Iterator[bytes]:
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    try:
        for piece in pieces:
            if unpacker.eof:
                raise LayerUnreadableError("there is data after its end")
            data = unpacker.decompress(piece, CHUNK)
            while data:
                yield data
                data = b"" if unpacker.needs_input or unpacker.eof else unpacker.decompress(b"", CHUNK)
            if unpacker.unused_data:
                raise LayerUnreadableError("there is data after its end")
    except lzma.LZMAError as error:
        raise LayerUnreadableError("it is damaged", why=str(error)) from None
    if not unpacker.eof:
        raise LayerUnreadableError("it is cut short")


def pieces_of(stream: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    """Read a part of a file."""
    stream.seek(start)
    while start < end and (piece := stream.read(min(CHUNK, end - start))):
        start += len(piece)
        yield piece


def walk_folder(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give what is below a folder, by its path in it; folders are entered, links are not."""
    pending = [("", os.fspath(root))]
    while pending:
        prefix, folder = pending.pop()
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            name = prefix + entry.name
            # A junction of Windows is a link, too, which Python knows since 3.12.
            if entry.is_dir(follow_symlinks=False) and not getattr(entry, "is_junction", bool)():
                pending.append((f"{name}/", entry.path))
            yield name, entry
