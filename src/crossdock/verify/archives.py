"""Where two tar archives of the same files differ: what files alone do not tell."""

from __future__ import annotations

import tarfile
from itertools import zip_longest
from typing import TYPE_CHECKING, Final, cast

from crossdock.verify.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO

__all__ = ["tell_archives_apart"]

#: Fields of a member, in the order they are told, with what they are called.
_FIELDS: Final = (
    ("mtime", "the time"),
    ("uid", "the owner's number"),
    ("gid", "the group's number"),
    ("uname", "the owner's name"),
    ("gname", "the group's name"),
    ("mode", "the mode"),
    ("type", "the type"),
    ("linkname", "the link"),
    ("pax_headers", "the extended header"),
)


class _Pieces:
    """Pieces of bytes as a stream that can only be read."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._held = b""

    def read(self, size: int) -> bytes:
        parts, missing = [self._held], size - len(self._held)
        while missing > 0:
            piece = next(self._pieces, b"")
            if not piece:
                break
            parts.append(piece)
            missing -= len(piece)
        data = b"".join(parts)
        self._held = data[size:]
        return data[:size]


def tell_archives_apart(old: Iterator[bytes], new: Iterator[bytes]) -> str:
    """Say where two uncompressed archives of the same files differ, at the first member that does.

    Args:
        old: The first, in pieces.
        new: The second.

    Returns:
        What follows "but": ``the time of 'etc/passwd' is 1 in the first and 2 in the second``.
    """
    try:
        with _opened(old) as first, _opened(new) as second:
            for one, other in zip_longest(first, second):
                if one is None or other is None or one.name != other.name:
                    return "they are in another order"
                for name, about in _FIELDS:
                    before, after = getattr(one, name), getattr(other, name)
                    if before != after:
                        return (
                            f"{about} of {printable(repr(one.name[:200]))} is {printable(repr(before)[:100])} in the "
                            f"first and {printable(repr(after)[:100])} in the second"
                        )
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        return f"the archives cannot be told apart: {printable(str(error)[:200])}"
    return "headers or padding of the archives are spelled in another way"


def _opened(pieces: Iterator[bytes]) -> tarfile.TarFile:
    return tarfile.open(fileobj=cast("IO[bytes]", _Pieces(pieces)), mode="r|")
