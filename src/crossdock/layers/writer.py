"""Writing a layer as a gzip file of many members, streamed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal, Protocol

from crossdock.layers import tar
from crossdock.layers.deflate import OwnMember, fixed_block, zero_block
from crossdock.wheels.streams import MEMBER_HEADER, TRAILER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from crossdock.layers.entry import Entry

__all__ = ["EncodingWriter", "LayerWriter", "Sink", "Witness", "write_tree"]

_TYPES: dict[str, tar.Type] = {"file": "0", "hardlink": "1", "symlink": "2", "directory": "5"}
_KINDS: dict[str, Literal["hardlink", "symlink", "directory"]] = {"1": "hardlink", "2": "symlink", "5": "directory"}
_FLUSH = 1 << 18


class Sink(Protocol):
    """Where a layer's compressed bytes go."""

    def write(self, data: bytes | bytearray) -> object:
        """Take the next bytes."""


class Witness(Protocol):
    """Sees every entry that is written, as it is written: the proof rides on these bytes."""

    def begin(self, path: str, size: int, *, mode: int) -> None:
        """See a file whose content comes next."""

    def feed(self, piece: bytes | bytearray) -> None:
        """See the next bytes of that file."""

    def end(self) -> None:
        """See the end of that file."""

    def other(self, path: str, kind: Literal["hardlink", "symlink", "directory"], *, mode: int, link: str) -> None:
        """See what is no file."""


class _Gather:
    """Collects small pieces, so that hashing and writing are done in large ones."""

    def __init__(self, consume: Callable[[bytes | bytearray], object]) -> None:
        self._consume = consume
        self._pieces: list[bytes | bytearray] = []
        self._held = 0

    def add(self, piece: bytes | bytearray) -> None:
        if len(piece) >= _FLUSH:  # joining it with others would only copy it
            self.flush()
            self._consume(piece)
            return
        self._pieces.append(piece)
        self._held += len(piece)
        if self._held >= _FLUSH:
            self.flush()

    def flush(self) -> None:
        pieces, self._pieces, self._held = self._pieces, [], 0
        self._consume(pieces[0] if len(pieces) == 1 else b"".join(pieces))


class LayerWriter:
    """Writes a tar.gz without a compressor: copied DEFLATE streams, and stored blocks between them.

    Args:
        sink: Takes the compressed bytes.
        witness: Sees what is written.
    """

    def __init__(self, sink: Sink, witness: Witness | None = None) -> None:
        self._witness = witness
        self._diff = hashlib.sha256()
        self._raw = _Gather(self._diff.update)
        self._out = _Gather(sink.write)
        self._own = OwnMember()

    def header(
        self,
        path: str,
        *,
        type_: tar.Type = "0",
        size: int = 0,
        mode: int = 0o644,
        uid: int = 0,
        gid: int = 0,
        linkname: str = "",
    ) -> None:
        """Write an entry's header; a file's content comes next, by one of the other methods, then ``padding``."""
        self._headers(tar.headers(path, type_=type_, size=size, mode=mode, uid=uid, gid=gid, linkname=linkname))
        if self._witness is None:
            return
        if type_ == "0":
            self._witness.begin(path, size, mode=mode)
        else:
            self._witness.other(path, _KINDS[type_], mode=mode, link=linkname)

    def _headers(self, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            self._own.stored(block[: tar.HEAD])
            self._own.fixed(fixed_block(block[tar.HEAD :]))

    def stored(self, content: bytes | bytearray) -> None:
        """Write content as it is, in pieces of any size.

        Where members end depends on the bytes alone, not on how they came; and no member grows without bound.
        """
        if self._witness is not None:
            self._witness.feed(content)
        at = 0
        while at < len(content):
            piece = content[at : at + max(_FLUSH - self._own.size, 1)]
            self._own.stored(piece)
            at += len(piece)
            if self._own.size >= _FLUSH:
                self._end_own()

    def padding(self, size: int) -> None:
        """Fill up the last block of a file of that size."""
        self._own.fixed(zero_block(tar.padding(size)))
        if self._witness is not None:
            self._witness.end()

    def copied(self, member: bytes, raw: bytes | bytearray) -> None:
        """Write a whole gzip member that was checked to unpack to ``raw``."""
        if self._witness is not None:
            self._witness.feed(raw)
        self._end_own()
        self._raw.add(raw)
        self._out.add(member)

    def copy_begin(self) -> None:
        """Begin a gzip member that is copied piece by piece."""
        self._end_own()
        self._out.add(MEMBER_HEADER)

    def copy_stream(self, piece: bytes) -> None:
        """Write a piece of its compressed stream."""
        self._out.add(piece)

    def copy_raw(self, piece: bytes) -> None:
        """Take note of a piece of what it unpacks to."""
        if self._witness is not None:
            self._witness.feed(piece)
        self._raw.add(piece)

    def copy_end(self, crc: int, size: int) -> None:
        """End it."""
        self._out.add(TRAILER.pack(crc, size & 0xFFFFFFFF))

    def entry(self, entry: Entry) -> None:
        """Write a whole entry, stored."""
        self._headers(_entry_headers(entry))
        if entry.kind != "file":
            _show(entry, self._witness)
            return
        if self._witness is not None:
            self._witness.begin(entry.path, len(entry.content), mode=entry.mode)
        self.stored(entry.content)
        self.padding(len(entry.content))

    def encoded(self, entries: Iterable[Entry]) -> None:
        """Write whole entries, compressed by the pinned encoder: what is large and made here."""
        self._end_own()
        encoder = _Encoder(self.copied)
        for entry in entries:
            encoder.entry(entry)
            _show(entry, self._witness)
        encoder.flush()

    def finish(self, *, end: bool = True) -> str:
        """End the archive.

        Args:
            end: Write the mark of its end; without it, further entries may be put behind these.

        Returns:
            The layer's diff_id: SHA-256 of the uncompressed tar, in hex.
        """
        if end:
            self._own.fixed(zero_block(tar.END))
        self._end_own()
        self._raw.flush()
        self._out.flush()
        return self._diff.hexdigest()

    def _end_own(self) -> None:
        member, raw = self._own.finish()
        if member:
            self._out.add(member)
            self._raw.add(raw)
            self._own = OwnMember()


class _Encoder:
    """Compresses by the one pinned encoder, in members of fixed size.

    The members' size is fixed, so bytes depend on nothing but the content, and memory does not grow.

    Args:
        emit: Takes each member, and what it unpacks to.
    """

    _PIECE = 1 << 20
    _LEVEL = 6

    def __init__(self, emit: Callable[[bytes, bytes], object]) -> None:
        import deflate

        self._compress = deflate.gzip_compress
        self._emit = emit
        self._held = bytearray()

    def entry(self, entry: Entry) -> None:
        """Write a whole entry."""
        for block in _entry_headers(entry):
            self.add(block)
        self.add(entry.content)
        self.add(bytes(tar.padding(len(entry.content))))

    def add(self, data: bytes) -> None:
        """Write bytes."""
        self._held += data
        self._write(self._PIECE)

    def flush(self) -> None:
        """Write what is held back."""
        self._write(1)

    def _write(self, least: int) -> None:
        while len(self._held) >= least:
            piece = bytes(self._held[: self._PIECE])
            del self._held[: self._PIECE]
            self._emit(bytes(self._compress(piece, self._LEVEL)), piece)


class EncodingWriter:
    """Compresses a tree by the one pinned encoder."""

    def __init__(self, sink: Sink, witness: Witness | None = None) -> None:
        self._sink = sink
        self._witness = witness
        self._diff = hashlib.sha256()
        self._encoder = _Encoder(self._take)

    def entry(self, entry: Entry) -> None:
        """Write a whole entry."""
        self._encoder.entry(entry)
        _show(entry, self._witness)

    def finish(self) -> str:
        """End the archive and give its diff_id, in hex."""
        self._encoder.add(bytes(tar.END))
        self._encoder.flush()
        return self._diff.hexdigest()

    def _take(self, member: bytes, raw: bytes) -> None:
        self._diff.update(raw)
        self._sink.write(member)


def _entry_headers(entry: Entry) -> list[bytes]:
    return tar.headers(
        entry.path,
        type_=_TYPES[entry.kind],
        size=len(entry.content),
        mode=entry.mode,
        uid=entry.uid,
        gid=entry.gid,
        linkname=entry.linkname,
    )


def _show(entry: Entry, witness: Witness | None) -> None:
    """Let a witness see a whole entry."""
    if witness is None:
        return
    if entry.kind == "file":
        witness.begin(entry.path, len(entry.content), mode=entry.mode)
        witness.feed(entry.content)
        witness.end()
    else:
        witness.other(entry.path, entry.kind, mode=entry.mode, link=entry.linkname)


def write_tree(entries: Iterable[Entry], sink: Sink, *, encode: bool, witness: Witness | None = None) -> str:
    """Write a layer of entries, in the order given.

    Args:
        entries: Parents before children.
        sink: Takes the compressed bytes.
        encode: Whether to compress, for trees of megabytes; else contents are stored.
        witness: Sees what is written.

    Returns:
        The layer's diff_id, in hex.
    """
    writer = EncodingWriter(sink, witness) if encode else LayerWriter(sink, witness)
    for entry in entries:
        writer.entry(entry)
    return writer.finish()
