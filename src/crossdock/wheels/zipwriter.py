"""Writing a zip archive front to back, from streams that are compressed already (APPNOTE 6.3.10).

``zipfile`` would compress anew, with the zlib of this machine; here nothing is compressed at all, so the archive is the
same wherever it is written.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["ZipWriter"]

_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s4B4HL2L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR64 = struct.Struct("<4sLQL")
_PLAIN, _ZIP64 = 20, 45
_UNIX = 3
_UTF8 = 0x800
_FIRST_DAY = (1 << 5) | 1  # 1980-01-01, the earliest date there is
_FOLDER = (0o040755 << 16) | 0x10  # the latter is what DOS calls a folder (APPNOTE 4.4.15)
_LIMIT, _COUNT_LIMIT = 0xFFFFFFFF, 0xFFFF


class ZipWriter:
    """Writes entries one after the other; all have the same time and no more than the executable bit tells them apart.

    Args:
        write: Takes the bytes.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._write = write
        self._offset = 0
        self._directory: list[bytes] = []

    @property
    def offset(self) -> int:
        """Number of the bytes written so far."""
        return self._offset

    @property
    def count(self) -> int:
        """Number of the entries begun so far."""
        return len(self._directory)

    def folder(self, name: str) -> None:
        """Write an entry for a folder, without a slash at its end."""
        self._begin(f"{name}/", method=0, crc=0, compressed=0, size=0, attributes=_FOLDER)

    def begin(self, name: str, *, method: int, crc: int, compressed: int, size: int, executable: bool) -> None:
        """Begin an entry, whose ``compressed`` bytes have to follow by ``data``.

        Args:
            name: Its path, "/"-separated.
            method: How it is compressed (APPNOTE 4.4.5).
            crc: CRC-32 of the unpacked bytes.
            compressed: Number of the bytes that follow.
            size: Number of the unpacked bytes.
            executable: Whether it may be executed.
        """
        attributes = (0o100755 if executable else 0o100644) << 16
        self._begin(name, method=method, crc=crc, compressed=compressed, size=size, attributes=attributes)

    def _begin(self, name: str, *, method: int, crc: int, compressed: int, size: int, attributes: int) -> None:
        raw = name.encode()
        flags = 0 if raw.isascii() else _UTF8
        sizes = struct.pack("<2H2Q", 1, 16, size, compressed) if max(size, compressed) >= _LIMIT else b""
        large = [value for value in (size, compressed, self._offset) if value >= _LIMIT]
        extra = struct.pack(f"<2H{len(large)}Q", 1, 8 * len(large), *large) if large else b""
        short = (min(compressed, _LIMIT), min(size, _LIMIT))
        local_short = (_LIMIT, _LIMIT) if sizes else short  # in a local header both or none are 64-bit
        version = _ZIP64 if extra else _PLAIN
        self._directory.append(
            _CENTRAL.pack(
                *(b"PK\x01\x02", version, _UNIX, version, 0, flags, method, 0, _FIRST_DAY, crc, *short),
                *(len(raw), len(extra), 0, 0, 0, attributes, min(self._offset, _LIMIT)),
            )
            + raw
            + extra
        )
        header = _LOCAL.pack(
            *(b"PK\x03\x04", version, flags, method, 0, _FIRST_DAY, crc, *local_short, len(raw), len(sizes))
        )
        self.data(header + raw + sizes)

    def data(self, piece: bytes) -> None:
        """Write some of an entry's bytes."""
        self._write(piece)
        self._offset += len(piece)

    def finish(self) -> None:
        """Write the directory."""
        start, count = self._offset, len(self._directory)
        for entry in self._directory:
            self.data(entry)
        size = self._offset - start
        if count >= _COUNT_LIMIT or start >= _LIMIT or size >= _LIMIT:
            end = self._offset
            self.data(_END64.pack(b"PK\x06\x06", _END64.size - 12, _ZIP64, _ZIP64, 0, 0, count, count, size, start))
            self.data(_LOCATOR64.pack(b"PK\x06\x07", 0, end, 1))
        short = min(count, _COUNT_LIMIT)
        self.data(_END.pack(b"PK\x05\x06", 0, 0, short, short, min(size, _LIMIT), min(start, _LIMIT), 0))
