"""Tar headers that hold nothing of the machine that writes them (POSIX.1-2017 pax, "ustar Interchange Format")."""

from __future__ import annotations

from typing import Literal

__all__ = ["BLOCK", "END", "HEAD", "Type", "headers", "padding"]

#: Everything in a tar archive comes in blocks of this many bytes.
BLOCK = 512
#: Bytes of a header before its link name: what differs between files; the rest is constant for most.
HEAD = 157
#: Two zero blocks end an archive.
END = 2 * BLOCK

Type = Literal["0", "1", "2", "5"]

_NAME, _PREFIX = 100, 155
_LARGEST_OCTAL_SIZE, _LARGEST_OCTAL_ID = 0o77777777777, 0o7777777


def padding(size: int) -> int:
    """How many zero bytes follow a file of that size."""
    return -size % BLOCK


def headers(
    path: str, *, type_: Type = "0", size: int = 0, mode: int = 0o644, uid: int = 0, gid: int = 0, linkname: str = ""
) -> list[bytes]:
    """Give an entry's header blocks: one, or with a pax extended header three and more.

    Times are the epoch and names of owners are empty, always.

    Args:
        path: Path in the archive; a directory's gets the trailing slash here.
        type_: "0" file, "1" hard link, "2" symbolic link, "5" directory.
        size: Bytes of content that follow.
        mode: Permission bits.
        uid: Numeric owner.
        gid: Numeric group.
        linkname: Where a link points.
    """
    name = (path + "/" if type_ == "5" else path).encode()
    link = linkname.encode()
    records = b""
    split = _split(name) if name.isascii() else None
    if split is None:
        records += _pax_record("path", name)
        split = (b"", name[:_NAME].decode("utf-8", "ignore").encode("ascii", "replace"))
    if len(link) > _NAME or not link.isascii():
        records += _pax_record("linkpath", link)
        link = link[:_NAME].decode("utf-8", "ignore").encode("ascii", "replace")
    if size > _LARGEST_OCTAL_SIZE:
        records += _pax_record("size", str(size).encode())
        size = 0
    if uid > _LARGEST_OCTAL_ID:
        records += _pax_record("uid", str(uid).encode())
        uid = 0
    if gid > _LARGEST_OCTAL_ID:
        records += _pax_record("gid", str(gid).encode())
        gid = 0
    header = _header(*split, type_, size, mode, uid, gid, link)
    if not records:
        return [header]
    extended = _header(b"", b"././@PaxHeader", "x", len(records), 0o644, 0, 0, b"")
    return [extended, records + bytes(padding(len(records))), header]


def _split(name: bytes) -> tuple[bytes, bytes] | None:
    """Split a path into ustar's prefix and name at the first slash that will do; None if none will."""
    if len(name) <= _NAME:
        return b"", name
    at = name.find(b"/", len(name) - _NAME - 1)
    if at <= 0 or at > _PREFIX or at == len(name) - 1:
        return None
    return name[:at], name[at + 1 :]


def _header(prefix: bytes, name: bytes, type_: str, size: int, mode: int, uid: int, gid: int, link: bytes) -> bytes:
    head = b"%-100b%07o\0%07o\0%07o\0%011o\0%011o\0" % (b"", mode, uid, gid, size, 0)
    head = name.ljust(_NAME, b"\0") + head[_NAME:]
    tail = type_.encode() + link.ljust(100, b"\0") + b"ustar\x0000" + bytes(80) + prefix.ljust(167, b"\0")
    checksum = sum(head) + sum(tail) + 8 * 0x20
    return b"%b%06o\0 %b" % (head, checksum, tail)


def _pax_record(key: str, value: bytes) -> bytes:
    """One "length key=value" line, where the length counts itself."""
    body = b" %b=%b\n" % (key.encode(), value)
    length = len(body) + len(str(len(body)))
    if len(str(length)) != len(str(len(body))):
        length = len(body) + len(str(length))
    return str(length).encode() + body
