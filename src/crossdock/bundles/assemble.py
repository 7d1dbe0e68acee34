"""Parts to one zip archive, by copying (APPNOTE 6.3.10)."""

from __future__ import annotations

import hashlib
import struct
from typing import IO, TYPE_CHECKING

from crossdock.errors import BundleTooLargeError, DamagedLayerError, FileCollisionError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.bundles.zippart import MadePart
    from crossdock.store.blobs import Store

__all__ = ["LARGEST_ZIP", "MOST_ENTRIES", "assemble_zip", "check_zip_limits"]

#: What an archive may be without the extension ZIP64, which many readers do not know, Python's zipimport among them.
LARGEST_ZIP = (1 << 32) - 2
MOST_ENTRIES = (1 << 16) - 2

_COPY = 1 << 20
_CENTRAL_SIZE = 46
_CENTRAL_LENGTHS = struct.Struct("<3H")
_LENGTHS_AT = 28
_OFFSET = struct.Struct("<L")
_OFFSET_AT = 42
_END = struct.Struct("<4s4H2LH")


def check_zip_limits(parts: Sequence[MadePart], what: str, hint: str) -> None:
    """Refuse parts that one archive without ZIP64 cannot hold.

    Args:
        parts: All that goes into it.
        what: What the archive is, to begin a sentence with.
        hint: What to do instead.

    Raises:
        BundleTooLargeError: There are too many entries, or bytes.
    """
    entries, size = sum(part.entries for part in parts), sum(part.size for part in parts)
    if entries > MOST_ENTRIES:
        raise BundleTooLargeError(
            f"{what} would have {entries:,} entries",
            why=f"a zip archive holds {MOST_ENTRIES:,} without the extension ZIP64, which is not understood everywhere",
            hint=hint,
        )
    if size > LARGEST_ZIP:
        raise BundleTooLargeError(
            f"{what} would have {size:,} bytes",
            why="a zip archive holds 4 GiB without the extension ZIP64, which is not understood everywhere",
            hint=hint,
        )


def assemble_zip(parts: Sequence[MadePart], store: Store, out: IO[bytes], *, prefix: bytes = b"") -> str:
    """Write one archive of parts.

    Args:
        parts: What it consists of, in order; `check_zip_limits` let them pass.
        store: Holds them.
        out: Takes the archive, from where it is.
        prefix: What comes before it, such as a line that names an interpreter; the archive's offsets count from its
            beginning, as readers expect.

    Returns:
        SHA-256 of all that was written, in hex.

    Raises:
        FileCollisionError: Two parts hold the same path.
        DamagedLayerError: A part is not what it was when it was made.
    """
    digest = hashlib.sha256(prefix)
    out.write(prefix)
    at = len(prefix)
    directory: list[bytes] = []
    names: dict[bytes, None] = {}
    for part in parts:
        rest = _copy_entries(part, store, out, digest)
        for name, entry in _moved(rest, part, at):
            if name in names:
                raise FileCollisionError(
                    f"two parts of an archive hold {name.decode(errors='replace')!r}",
                    why="which one a reader sees would depend on the reader",
                )
            names[name] = None
            directory.append(entry)
        at += part.directory
    data = b"".join(directory)
    count = len(directory)
    end = data + _END.pack(b"PK\x05\x06", 0, 0, count, count, len(data), at, 0)
    out.write(end)
    digest.update(end)
    return digest.hexdigest()


def _copy_entries(part: MadePart, store: Store, out: IO[bytes], digest: hashlib._Hash) -> bytes:
    """Copy a part's entries, and give its directory, both proved by the part's digest."""
    own = hashlib.sha256()
    left = part.directory
    with store.path(part.digest).open("rb") as source:
        while left and (piece := source.read(min(_COPY, left))):
            own.update(piece)
            digest.update(piece)
            out.write(piece)
            left -= len(piece)
        rest = source.read()
    own.update(rest)
    if own.hexdigest() != part.digest:
        path = store.path(part.digest)
        store.discard(part.digest)
        raise DamagedLayerError(
            f"A part of an archive in the cache is damaged: sha256:{part.digest}",
            why=f"{path} now has the digest sha256:{own.hexdigest()}",
            hint="it was removed: run the same command again",
            digest=f"sha256:{part.digest}",
        )
    return rest


def _moved(directory: bytes, part: MadePart, by: int) -> Iterator[tuple[bytes, bytes]]:
    """Give the name and the directory entry of each of a part's entries, in the place they have now."""
    at = 0
    for _ in range(part.entries):
        name_size, extra, comment = _CENTRAL_LENGTHS.unpack_from(directory, at + _LENGTHS_AT)
        end = at + _CENTRAL_SIZE + name_size + extra + comment
        entry = bytearray(directory[at:end])
        (offset,) = _OFFSET.unpack_from(entry, _OFFSET_AT)
        _OFFSET.pack_into(entry, _OFFSET_AT, offset + by)
        yield bytes(entry[_CENTRAL_SIZE : _CENTRAL_SIZE + name_size]), bytes(entry)
        at = end
