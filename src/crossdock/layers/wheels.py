"""Wheels to a layer, without recompression.

A deflated member of a wheel becomes a member of the layer's gzip file as it is: the compressed bytes are the wheel
author's, and only unpacking (to check them and to hash the tar they give) and hashing remain.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from crossdock.errors import FileCollisionError
from crossdock.layers.writer import LayerWriter
from crossdock.wheels.install import Placed, install
from crossdock.wheels.member import DEFLATED
from crossdock.wheels.streams import gzip_member, unpack, unpack_member, unpack_pieces

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence

    from crossdock.layers.writer import Sink
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member
    from crossdock.wheels.scheme import Scheme

__all__ = ["write_wheels"]

#: Members up to this many bytes unpacked are handled at once; larger ones piece by piece, so that memory is bounded.
_AT_ONCE = 32 << 20
#: Copying a stream costs two gzip frames; a file that shrinks by no more than this is stored instead.
_WORTH_COPYING = 48


def write_wheels(archives: Sequence[WheelArchive], scheme: Scheme, sink: Sink, *, copy_streams: bool = True) -> str:
    """Write the layer that installs some wheels.

    Args:
        archives: The wheels, in the order they are to be installed.
        scheme: Where things go.
        sink: Takes the compressed bytes. After an error it holds an unfinished layer, to be thrown away.
        copy_streams: False to store every file: for wheels that were built here, where the compressed bytes come
            from this machine's zlib and so are not the same everywhere.

    Returns:
        The layer's diff_id, in hex.

    Raises:
        FileCollisionError: Two wheels write one path with different contents, or as a file and as a folder.
        WheelError: A wheel is damaged, unsafe or not supported.
    """
    writer = LayerWriter(sink)
    folders: dict[str, WheelArchive] = {}
    written: dict[str, tuple[Placed, WheelArchive]] = {}
    for archive in archives:
        for item in install(archive, scheme):
            if item.path in written:
                _check_same(item, archive, *written[item.path])
                continue
            if item.path in folders:
                raise _file_and_folder(item.path, archive, folders[item.path])
            for folder in _new_folders(item.path, folders):
                if folder in written:
                    raise _file_and_folder(folder, written[folder][1], archive)
                folders[folder] = archive
                writer.header(folder, type_="5", mode=0o755)
            written[item.path] = (item, archive)
            _write(writer, archive, item, copy_streams=copy_streams)
    return writer.finish()


def _new_folders(path: str, known: Container[str]) -> Iterator[str]:
    parent = path.rpartition("/")[0]
    if parent and parent not in known:
        yield from _new_folders(parent, known)
        yield parent


def _write(writer: LayerWriter, archive: WheelArchive, item: Placed, *, copy_streams: bool) -> None:
    member = item.member
    size = member.size if member else len(item.content)
    writer.header(item.path, size=size, mode=0o755 if item.executable else 0o644)
    if member is None:
        writer.stored(item.content)
    elif copy_streams and member.method == DEFLATED and member.size - member.compressed > _WORTH_COPYING:
        _copy(writer, archive, member)
    else:
        _store(writer, archive, member)
    writer.padding(size)


def _copy(writer: LayerWriter, archive: WheelArchive, member: Member) -> None:
    if member.size <= _AT_ONCE:
        framed = gzip_member(archive.stream(member), member)
        writer.copied(framed, unpack_member(framed, member, archive.filename))
        return

    def pieces() -> Iterator[bytes]:
        for piece in archive.stream_pieces(member):
            writer.copy_stream(piece)
            yield piece

    writer.copy_begin()
    for raw in unpack_pieces(pieces(), member, archive.filename):
        writer.copy_raw(raw)
    writer.copy_end(member.crc, member.size)


def _store(writer: LayerWriter, archive: WheelArchive, member: Member) -> None:
    if member.size <= _AT_ONCE and member.compressed <= _AT_ONCE:
        writer.stored(unpack(archive.stream(member), member, archive.filename))
        return
    for raw in archive.unpacked_pieces(member):
        writer.stored(raw)


def _check_same(item: Placed, archive: WheelArchive, other: Placed, other_archive: WheelArchive) -> None:
    if _fingerprint(item, archive) != _fingerprint(other, other_archive):
        raise FileCollisionError(
            f"{other_archive.filename} and {archive.filename} both install {item.path}, with different contents",
            why="which one an application sees would depend on the order of installation",
            hint="drop one of the two packages, or depend on versions that agree",
        )


def _fingerprint(item: Placed, archive: WheelArchive) -> bytes:
    """Hash a file's content. Its CRC-32 would not do: another content with the same one is easily made."""
    pieces: Iterable[bytes] = archive.unpacked_pieces(item.member) if item.member else (item.content,)
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _file_and_folder(path: str, file_archive: WheelArchive, folder_archive: WheelArchive) -> FileCollisionError:
    return FileCollisionError(
        f"{path} is a file in {file_archive.filename} and a folder in {folder_archive.filename}",
        why="both cannot be in one tree",
        hint="drop one of the two packages, or depend on versions that agree",
    )
