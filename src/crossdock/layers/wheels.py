"""Wheels to a layer, without recompression.

A deflated member of a wheel becomes a member of the layer's gzip file as it is: the compressed bytes are the wheel
author's, and only unpacking (to check them and to hash the tar they give) and hashing remain.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.layers.bytecode import bytecode_entries, is_compiled
from crossdock.layers.collisions import TakenPaths
from crossdock.layers.writer import LayerWriter
from crossdock.wheels.install import install
from crossdock.wheels.member import DEFLATED
from crossdock.wheels.streams import gzip_member, unpack, unpack_member, unpack_pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from crossdock.layers.writer import Sink, Witness
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.bytecode import Compiler
    from crossdock.wheels.install import Placed
    from crossdock.wheels.member import Member
    from crossdock.wheels.scheme import Scheme

__all__ = ["write_placed", "write_wheels"]

#: Members up to this many bytes unpacked are handled at once; larger ones piece by piece, so that memory is bounded.
_AT_ONCE = 32 << 20
#: Copying a stream costs two gzip frames; a file that shrinks by no more than this is stored instead.
_WORTH_COPYING = 48


def write_wheels(
    archives: Sequence[WheelArchive],
    scheme: Scheme,
    sink: Sink,
    compiler: Compiler | None = None,
    warn: Callable[[str], None] = lambda _: None,
    *,
    end: bool = True,
    witness: Witness | None = None,
) -> str:
    """Write the layer that installs some wheels.

    Args:
        archives: The wheels, in the order they are to be installed.
        scheme: Where things go.
        sink: Takes the compressed bytes. After an error it holds an unfinished layer, to be thrown away.
        compiler: Adds bytecode behind all else; None for no bytecode.
        warn: Told of files that do not compile.
        end: Write the mark of the archive's end: see `LayerWriter.finish`.
        witness: Sees what is written.

    Returns:
        The layer's diff_id, in hex.

    Raises:
        FileCollisionError: Two of these wheels write one path with different contents, or as a file and as a folder.
        WheelError: A wheel is damaged, unsafe or not supported.
        BytecodeError: The compiler fails.
    """
    writer = LayerWriter(sink, witness)
    taken = TakenPaths()
    sources: list[tuple[WheelArchive, Placed]] = []
    for archive in archives:
        for item in install(archive, scheme):
            folders = taken.take(item, archive)
            if folders is None:
                continue
            for folder in folders:
                writer.header(folder, type_="5", mode=0o755)
            write_placed(writer, archive, item)
            if compiler and is_compiled(item, scheme):
                sources.append((archive, item))
    if compiler and sources:
        writer.encoded(bytecode_entries(sources, taken, compiler, warn))
    return writer.finish(end=end)


def write_placed(writer: LayerWriter, archive: WheelArchive, item: Placed) -> None:
    """Write one file of an installed wheel.

    Raises:
        BadWheelError: It is damaged.
    """
    member = item.member
    size = member.size if member else len(item.content)
    writer.header(item.path, size=size, mode=0o755 if item.executable else 0o644)
    if member is None:
        writer.stored(item.content)
    elif member.method == DEFLATED and member.size - member.compressed > _WORTH_COPYING:
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
