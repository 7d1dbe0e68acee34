"""Reading a binary package file, without unpacking it to disk and with bounds on everything.

Format: deb(5), version 2.0: an ar archive of ``debian-binary``, ``control.tar*`` and ``data.tar*``.
"""

from __future__ import annotations

import io
import posixpath
import re
import tarfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.bases.debian.decompress import gunzip, unxz
from crossdock.errors import DebError
from crossdock.layers.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Deb", "read_deb"]

_MAGIC = b"!<arch>\n"
_HEADER = 60  # bytes
_CONTROL_LIMIT = 16 * 1024 * 1024  # bytes, decompressed
_DATA_LIMIT = 1024 * 1024 * 1024  # bytes, decompressed
_MEMBER_LIMIT = 200_000  # files in one package
_NAME_LIMIT = 4096  # bytes; Linux's PATH_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Deb:
    """What a package file holds.

    Attributes:
        control: The text of its control file.
        conffiles: Absolute paths of its configuration files.
        md5sums: Path, relative to the root, to MD5 in hexadecimal; what scanners and ``dpkg --verify`` compare.
        entries: Its files, in the order of the archive, paths as packed.
    """

    control: str
    conffiles: tuple[str, ...]
    md5sums: Mapping[str, str]
    entries: tuple[Entry, ...]


def read_deb(data: bytes, *, origin: str) -> Deb:
    """Read a whole .deb file.

    Args:
        data: The file.
        origin: Names the file in errors.

    Raises:
        DebError: It is broken, or holds what no package may: a path outside the root, a device, too much data.
    """
    members = dict(_ar_members(data, origin))
    if not members.get("debian-binary", b"").startswith(b"2."):
        raise DebError(f"{origin} is not a Debian package of format 2")
    control = _tar(members, "control.tar", _CONTROL_LIMIT, origin)
    files = {entry.path: entry.content for entry in _entries(control, origin)}
    if "control" not in files:
        raise DebError(f"{origin} has no control file")
    return Deb(
        control=_text(files["control"], origin),
        conffiles=tuple(
            line.split()[-1] for line in _text(files.get("conffiles", b""), origin).splitlines() if line.startswith("/")
        ),
        md5sums=_md5sums(_text(files.get("md5sums", b""), origin)),
        entries=tuple(_entries(_tar(members, "data.tar", _DATA_LIMIT, origin), origin)),
    )


def _ar_members(data: bytes, origin: str) -> Iterator[tuple[str, bytes]]:
    if not data.startswith(_MAGIC):
        raise DebError(f"{origin} is not a Debian package", why="it is not an ar archive")
    offset = len(_MAGIC)
    while offset < len(data):
        header = data[offset : offset + _HEADER]
        size = header[48:58].strip()
        offset += _HEADER
        if len(header) < _HEADER or header[58:] != b"`\n" or not size.isdigit() or offset + int(size) > len(data):
            raise DebError(f"{origin} is a broken ar archive")
        yield header[:16].decode("latin-1").rstrip().rstrip("/"), data[offset : offset + int(size)]
        offset += int(size) + int(size) % 2


def _tar(members: Mapping[str, bytes], name: str, limit: int, origin: str) -> bytes:
    found = [member for member in members if member == name or member.startswith(f"{name}.")]
    if len(found) != 1:
        raise DebError(f"{origin} has {len(found)} members {name}, where one is needed")
    data = members[found[0]]
    match found[0].removeprefix(name):
        case ".xz":
            return unxz(data, limit=limit, origin=f"{origin}: {found[0]}")
        case ".gz":
            return gunzip(data, limit=limit, origin=f"{origin}: {found[0]}")
        case "":
            return data
        case suffix:
            raise DebError(
                f"{origin}: {found[0]} is compressed in a way Debian does not use",
                why=f"{suffix} is not read; xz and gz are",
            )


def _entries(data: bytes, origin: str) -> Iterator[Entry]:
    count = 0
    try:
        # Without the encoding, names would be read by the locale of this machine.
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:", encoding="utf-8", errorlevel=1) as archive:
            for member in archive:
                count += 1
                if count > _MEMBER_LIMIT:
                    raise DebError(f"{origin} holds more than {_MEMBER_LIMIT} files")
                path = _path(member.name, origin)
                if path:
                    yield _entry(archive, member, path, origin)
    except (tarfile.TarError, ValueError, EOFError, OverflowError) as error:
        raise DebError(f"{origin} holds a broken tar archive", why=str(error)) from error


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo, path: str, origin: str) -> Entry:
    kind: Literal["file", "directory", "symlink", "hardlink"]
    content, linkname = b"", ""
    if member.isfile() and not member.issparse():
        stream = archive.extractfile(member)
        content = stream.read() if stream is not None else b""
        if len(content) != member.size:
            raise DebError(f"{origin}: {path} is cut short")
        kind = "file"
    elif member.isdir():
        kind = "directory"
    elif member.issym():
        kind, linkname = "symlink", _text_of(member.linkname, origin)
        _check_symlink(path, linkname, origin)
    elif member.islnk():
        kind, linkname = "hardlink", _path(member.linkname, origin)
    else:
        raise DebError(
            f"{origin}: {path} is a device, a pipe or the like",
            why="Debian packages hold files, folders and links only",
        )
    if not (0 <= member.uid < 2**31 and 0 <= member.gid < 2**31):
        raise DebError(f"{origin}: {path} has an impossible owner")
    mode = 0o777 if kind == "symlink" else member.mode & 0o7777
    return Entry(path=path, kind=kind, mode=mode, content=content, linkname=linkname, uid=member.uid, gid=member.gid)


def _path(name: str, origin: str) -> str:
    """Make a member's name relative to the root; the root itself becomes the empty string."""
    text = _text_of(name, origin)
    parts = [part for part in text.removeprefix("./").rstrip("/").split("/") if part != "."]
    if text.startswith("/") or ".." in parts or (parts != [""] and "" in parts):
        raise DebError(f"{origin}: {text!r} is not a path inside the package", why="it could lead out of the image")
    return "/".join(parts)


def _text_of(name: str, origin: str) -> str:
    # tarfile turns bytes that are not UTF-8 into lone surrogates, which cannot be written to an image again.
    if len(name) > _NAME_LIMIT or re.search(r"[\0-\x1f\x7f\ud800-\udfff]", name):
        raise DebError(f"{origin}: {name[:80]!r} is not a file name", why="it is too long, or holds control characters")
    return name


def _check_symlink(path: str, linkname: str, origin: str) -> None:
    if not linkname:
        raise DebError(f"{origin}: the symbolic link {path} leads nowhere")
    if linkname.startswith("/"):
        return  # inside an image, absolute links stay inside
    target = posixpath.normpath(posixpath.join(posixpath.dirname(path), linkname))
    if target == ".." or target.startswith("../"):
        raise DebError(f"{origin}: the symbolic link {path} leads out of the image", why=f"to {linkname}")


def _md5sums(text: str) -> dict[str, str]:
    pairs = (line.split(None, 1) for line in text.splitlines())
    return {pair[1].removeprefix("./"): pair[0] for pair in pairs if len(pair) == 2}


def _text(data: bytes, origin: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DebError(f"{origin}: its control data is not text in UTF-8") from error
