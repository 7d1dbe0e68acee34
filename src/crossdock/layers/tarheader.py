"""One header block of a tar archive, and the payloads of pax and GNU headers, as values.

Implements "ustar Interchange Format" and "pax Extended Header" of POSIX.1-2017 ("pax") and "GNU tar Archive Format"
of the GNU tar manual.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from crossdock.errors import LayerUnreadableError

__all__ = ["BLOCK", "Header", "parse_header", "parse_long_name", "parse_pax"]

BLOCK: Final = 512
"""Bytes in a block: the unit headers and contents are padded to."""

_SPACES: Final = b" " * 8


class Header(NamedTuple):
    """The fields of a header block that matter here.

    Attributes:
        path: Name, joined with its prefix.
        type: The type flag, one byte.
        mode: Permission bits; what else the field holds, such as the kind of file, is left out.
        size: Bytes of content as declared; may mean nothing for types without content.
        linkname: What a link points to.
    """

    path: str
    type: bytes
    mode: int
    size: int
    linkname: str


def parse_header(block: bytes, *, after: str) -> Header:
    """Parse a header block.

    Args:
        block: 512 bytes.
        after: The member before it, to say where an error is.

    Raises:
        LayerUnreadableError: The checksum is wrong or a field is malformed.
    """
    _check_sum(block, after)
    path = _text(block[:100])
    if block[345] and (prefix := _prefix(block, path)):
        path = f"{prefix}/{path}"
    kind = block[156:157]
    return Header(
        path=path,
        type=kind,
        mode=_number(block[100:108], path) & 0o7777,
        size=_number(block[124:136], path),
        linkname=_text(block[157:257]) if block[157] else "",
    )


def parse_long_name(payload: bytes) -> str:
    """Parse the payload of a GNU long name or long link header."""
    return _text(payload)


def parse_pax(payload: bytes) -> dict[str, str]:
    """Parse the payload of a pax extended header into its records.

    Raises:
        LayerUnreadableError: A record is malformed, or one of the keys that matter is there twice.
    """
    records: dict[str, str] = {}
    position = 0
    while position < len(payload):
        digits, space, _ = payload[position : position + 9].partition(b" ")
        length = int(digits) if space and digits.isdigit() else 0
        record = payload[position + len(digits) + 1 : position + length]
        key, equals, value = record.partition(b"=")
        if position + length > len(payload) or not record.endswith(b"\n") or not equals or not key:
            raise LayerUnreadableError(
                "the tar archive has a malformed extended header", why=f"at its byte {position}: {record[:40]!r}"
            )
        name = key.decode("utf-8", "surrogateescape")
        if name in records and name in {"path", "linkpath", "size"}:
            raise LayerUnreadableError("the tar archive is ambiguous", why=f"an extended header sets {name} twice")
        records[name] = value[:-1].decode("utf-8", "surrogateescape")
        position += length
    return records


def _check_sum(block: bytes, after: str) -> None:
    stored = _number(block[148:156], "a header's checksum")
    if stored == sum(block) - sum(block[148:156]) + sum(_SPACES):
        return
    # Some old writers summed signed bytes.
    high = sum(1 for byte in block[:148] + block[156:] if byte >= 0x80)
    if stored == sum(block) - sum(block[148:156]) + sum(_SPACES) - 256 * high:
        return
    where = f"after {after!r}" if after else "at the start"
    raise LayerUnreadableError("the tar archive is damaged", why=f"a header's checksum is wrong, {where}")


def _prefix(block: bytes, path: str) -> str:
    magic = block[257:265]
    if magic == b"ustar\x0000":
        end = 345 + (131 if block[508:512] == b"tar\0" else 155)
        return _text(block[345:end])
    if magic == b"ustar  \0":
        raise LayerUnreadableError(
            "the tar archive is ambiguous",
            why=f"{path!r} has a GNU header with data where some readers see a part of the name",
        )
    return ""


def _text(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _number(field: bytes, path: str) -> int:
    if field[0] & 0x80:
        if field[0] == 0x80:
            return int.from_bytes(field[1:], "big")
        raise LayerUnreadableError("the tar archive has a malformed number", why=f"{field!r} for {path!r}")
    digits, _, rest = field.partition(b"\0")
    digits = digits.strip(b" ")
    if rest.strip(b" \0") or digits.strip(b"01234567"):
        raise LayerUnreadableError("the tar archive has a malformed number", why=f"{field!r} for {path!r}")
    return int(digits, 8) if digits else 0
