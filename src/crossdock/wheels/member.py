"""One file in a wheel."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["DEFLATED", "STORED", "Member"]

#: Compression methods of zip (APPNOTE 4.4.5) that wheels use.
STORED = 0
DEFLATED = 8


@dataclass(frozen=True, slots=True)
class Member:
    """One file in a wheel.

    Attributes:
        name: Path inside the wheel, "/"-separated, checked to stay inside.
        method: ``STORED`` or ``DEFLATED``.
        compressed: Size of its stream in the wheel, bytes.
        size: Size unpacked, bytes.
        crc: CRC-32 of the unpacked bytes.
        executable: Whether its owner may execute it.
        offset: Where its local header starts in the wheel.
    """

    name: str
    method: int
    compressed: int
    size: int
    crc: int
    executable: bool
    offset: int
