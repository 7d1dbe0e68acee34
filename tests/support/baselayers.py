"""Layers of base images, made when a test runs: archives of any members, and ELF files that say what a test wants."""

from __future__ import annotations

import gzip
import io
import struct
import tarfile
from contextlib import contextmanager
from typing import TYPE_CHECKING

from crossdock.layers.entry import Entry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

__all__ = ["GZIP", "TAR", "ZSTD", "blob", "elf", "glibc", "layer", "link", "musl", "program", "raw_tar"]

TAR = "application/vnd.oci.image.layer.v1.tar"
GZIP = f"{TAR}+gzip"
ZSTD = f"{TAR}+zstd"

MACHINES = {"amd64": 62, "arm64": 183}
_TYPES = {
    "file": tarfile.REGTYPE,
    "directory": tarfile.DIRTYPE,
    "symlink": tarfile.SYMTYPE,
    "hardlink": tarfile.LNKTYPE,
}


def raw_tar(*entries: Entry) -> bytes:
    """An archive of just these members, in this order."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for entry in entries:
            info = tarfile.TarInfo(entry.path)
            info.type, info.mode, info.linkname = _TYPES[entry.kind], entry.mode, entry.linkname
            info.size = len(entry.content)
            archive.addfile(info, io.BytesIO(entry.content))
    return out.getvalue()


def blob(data: bytes, media_type: str = TAR) -> tuple[str, Callable[[], AbstractContextManager[io.BytesIO]]]:
    """A layer of these bytes."""

    @contextmanager
    def opened() -> Iterator[io.BytesIO]:
        stream = io.BytesIO(data)
        yield stream
        # Its digest is checked with its last byte, so all of it must have been read.
        assert stream.read() == b""

    return media_type, opened


def layer(*entries: Entry) -> tuple[str, Callable[[], AbstractContextManager[io.BytesIO]]]:
    """A tar.gz layer of just these members."""
    return blob(gzip.compress(raw_tar(*entries), mtime=0), GZIP)


def link(path: str, target: str) -> Entry:
    """A hardlink."""
    return Entry(path=path, kind="hardlink", linkname=target)


def elf(architecture: str = "amd64", *, interpreter: str = "", content: bytes = b"", at: int = 0x40 + 56) -> bytes:
    """An ELF file with a program interpreter, whose path lies at a place of choice, and content behind the headers."""
    path = interpreter.encode() + b"\0"
    head = b"\x7fELF\x02\x01\x01" + bytes(9) + struct.pack("<HHI", 3, MACHINES[architecture], 1)
    head += struct.pack("<QQQIHHHHHH", 0, 64 if interpreter else 0, 0, 0, 64, 56, int(bool(interpreter)), 0, 0, 0)
    if not interpreter:
        return head + content
    head += struct.pack("<IIQQQQQQ", 3, 4, at, at, at, len(path), len(path), 1)
    return head.ljust(at, b"\0") + path + content


def program(path: str, architecture: str = "amd64", *, interpreter: str = "", content: bytes = b"") -> Entry:
    """An executable ELF file."""
    data = elf(architecture, interpreter=interpreter, content=content)
    return Entry(path=path, content=data, mode=0o755)


def glibc(path: str, version: str, architecture: str = "amd64") -> Entry:
    """A library that says it is glibc, as glibc does."""
    banner = f"\0GNU C Library (Debian GLIBC {version}-9+deb12u9) stable release version {version}.\nCopyright\0"
    return program(path, architecture, content=banner.encode())


def musl(path: str, version: str, architecture: str = "amd64") -> Entry:
    """A library that says it is musl, as musl does."""
    banner = f"\0{version}\0musl libc (x86_64)\nVersion %s\nDynamic Program Loader\n\0"
    return program(path, architecture, content=banner.encode())
