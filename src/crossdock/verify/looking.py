"""Looks at the files of an artifact as their bytes pass by: once, whoever reads or writes them.

The same reader serves a layer that is scanned, a wheel on its way into a layer or a zip archive, and a folder.
"""

from __future__ import annotations

import hashlib
import re
import tempfile
from typing import TYPE_CHECKING, BinaryIO, Final, cast

from crossdock.headers.describe import describe
from crossdock.headers.elf import ELF_MAGIC
from crossdock.headers.macho import MACHO_MAGICS
from crossdock.headers.pe import DOS_MAGIC
from crossdock.headers.source import BytesSource, FileSource
from crossdock.verify.contents import Contents, FileSeen
from crossdock.verify.secrets import find_secret

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.headers.binary import Binary
    from crossdock.verify.contents import Kind

__all__ = ["ContentsReader", "is_kept"]

#: Bytes of all texts that are kept; a METADATA is kept up to its description.
_MOST_TEXT: Final = 64 << 20
_LONGEST_METADATA: Final = 256 << 10
_LONGEST_SHEBANG: Final = 1 << 10
#: Files up to this size are searched for secrets: keys and settings are small.
_LARGEST_SEARCHED: Final = 256 << 10

#: A larger file is hashed as it passes by, and kept on disk if it is a program.
_LARGEST_HELD: Final = 16 << 20

_MAGICS: Final = (ELF_MAGIC, DOS_MAGIC, *MACHO_MAGICS)
_KEPT: Final = re.compile(
    r"(^|/)[^/]+\.(dist-info|egg-info)/(METADATA|PKG-INFO|WHEEL|RECORD|INSTALLER|direct_url\.json|top_level\.txt)$"
    r"|(^|/)(pyvenv\.cfg|PEX-INFO)$|\.(pth|egg-link)$|^(usr/lib|etc)/os-release$"
    r"|^etc/ld\.so\.conf(\.d/[^/]+)?$|^etc/ld-musl-[^/]+\.path$"
)
#: What each of these ends with, to pass over nearly every other path quickly.
_KEPT_ENDS: Final = (
    "METADATA",
    "PKG-INFO",
    "WHEEL",
    "RECORD",
    "INSTALLER",
    "direct_url.json",
    "top_level.txt",
    "pyvenv.cfg",
    "PEX-INFO",
    ".pth",
    ".egg-link",
    "os-release",
    ".conf",
    ".path",
)


def is_kept(path: str) -> bool:
    """Say whether a file's text is wanted: what describes distributions, environments, the system and its loader."""
    return path.endswith(_KEPT_ENDS) and _KEPT.search(path) is not None


class ContentsReader:
    """Collects what is seen, file by file: `begin`, `feed` its bytes, `end`; or `see` one at once.

    Args:
        within: The folder that all of it will lie in, where paths do not say so: what is looked for in a file depends
            on whether it is one of an installed package.
    """

    def __init__(self, within: str = "") -> None:
        self._within = within
        self._entries: list[FileSeen] = []
        self._files = 0
        self._binaries: dict[str, Binary] = {}
        self._texts: dict[str, str] = {}
        self._text_bytes = 0
        self._shebangs: dict[str, str] = {}
        self._secrets: list[tuple[str, str]] = []
        self._unread: list[str] = []
        self._begun: tuple[str, int, int] | None = None
        self._whole: bytes | bytearray | None = None
        self._open: _OpenFile | None = None

    def see(self, path: str, content: bytes | bytearray, *, mode: int = -1) -> None:
        """Look at a file that is in memory."""
        self._add(path, len(content), mode, hashlib.sha256(content).hexdigest())
        if content.startswith(_MAGICS):
            binary = describe(BytesSource(content))
            if binary is not None:
                self._binaries[path] = binary
                return
        if content.startswith(b"#!"):
            self._shebang(path, content[:_LONGEST_SHEBANG])
        if is_kept(path):
            self._keep(path, content)
        elif len(content) <= _LARGEST_SEARCHED and (name := find_secret(self._within + path, content)):
            self._secrets.append((path, name))

    def begin(self, path: str, size: int, *, mode: int = -1) -> None:
        """Begin to look at a file whose bytes come next."""
        self._begun = (path, size, mode)

    def feed(self, piece: bytes | bytearray) -> None:
        """Take the next bytes of the file that was begun."""
        if self._open is not None:
            self._open.feed(piece)
        elif self._begun is not None:
            if self._whole is None and len(piece) == self._begun[1] <= _LARGEST_HELD:
                self._whole = piece  # as nearly every file comes
                return
            self._open = _OpenFile(*self._begun)
            if self._whole is not None:
                self._open.feed(self._whole)
            self._open.feed(piece)

    def end(self) -> None:
        """End the file that was begun."""
        begun, whole, opened = self._begun, self._whole, self._open
        self._begun = self._whole = self._open = None
        if begun is None:
            return
        if opened is None:
            self.see(begun[0], b"" if whole is None else whole, mode=begun[2])
            return
        content = opened.content()
        if content is not None:
            self.see(opened.path, content, mode=opened.mode)
            return
        self._add(opened.path, opened.seen, opened.mode, opened.digest())
        binary = opened.binary()
        if binary is not None:
            self._binaries[opened.path] = binary
            return
        if opened.start.startswith(b"#!"):
            self._shebang(opened.path, opened.start)
        if is_kept(opened.path):
            self._unread.append(opened.path)

    def pieces(self, path: str, size: int, pieces: Iterable[bytes | bytearray], *, mode: int = -1) -> None:
        """Look at a file that comes in pieces."""
        self.begin(path, size, mode=mode)
        for piece in pieces:
            self.feed(piece)
        self.end()

    def other(self, path: str, kind: Kind, *, mode: int = -1, link: str = "") -> None:
        """Take note of what is no file: a folder, a link, a device."""
        self._entries.append(FileSeen(path, kind, mode=mode, link=link))
        if kind == "hardlink":
            # A link to a file of a lower layer needs nothing: that layer is looked at as well.
            self._files += 1
            if link in self._binaries:
                self._binaries[path] = self._binaries[link]

    @property
    def files(self) -> int:
        """How many files were looked at so far."""
        return self._files

    def contents(self) -> Contents:
        """Give what was seen."""
        return Contents(
            files=self._files,
            entries=tuple(self._entries),
            binaries=tuple(self._binaries.items()),
            texts=self._texts,
            shebangs=self._shebangs,
            secrets=tuple(self._secrets),
            unread=tuple(self._unread),
        )

    def _add(self, path: str, size: int, mode: int, sha256: str) -> None:
        self._files += 1
        self._entries.append(FileSeen(path, "file", size, mode, sha256))

    def _shebang(self, path: str, start: bytes | bytearray) -> None:
        line = bytes(start[2:]).split(b"\n", 1)[0].strip()
        self._shebangs[path] = line.decode("utf-8", "backslashreplace")

    def _keep(self, path: str, content: bytes | bytearray) -> None:
        if path.endswith(("/METADATA", "/PKG-INFO")):
            head = bytes(content[:_LONGEST_METADATA]).replace(b"\r\n", b"\n")
            fields, end, _ = head.partition(b"\n\n")
            if not end and len(content) > _LONGEST_METADATA:
                self._unread.append(path)
                return
            content = fields
        if self._text_bytes + len(content) > _MOST_TEXT:
            self._unread.append(path)
            return
        self._text_bytes += len(content)
        self._texts[path] = content.decode("utf-8", "surrogateescape")


class _OpenFile:
    """A file whose bytes are coming; one that is large is held on disk if it is a program, and else not at all."""

    def __init__(self, path: str, size: int, mode: int) -> None:
        self.path = path
        self.mode = mode
        self.seen = 0
        self._held: list[bytes | bytearray] | None = [] if size <= _LARGEST_HELD else None
        self._hash = hashlib.sha256()
        self.start = bytearray()
        self._is_begun = False
        self._spool: BinaryIO | None = None

    def feed(self, piece: bytes | bytearray) -> None:
        if self._held is not None:
            self._held.append(piece)
            return
        self._hash.update(piece)
        self.seen += len(piece)
        if not self._is_begun:
            self.start += piece
            if len(self.start) < _LONGEST_SHEBANG:
                return
            self._is_begun = True
            piece, self.start = self.start, self.start[:_LONGEST_SHEBANG]
            if piece.startswith(_MAGICS):
                self._spool = cast("BinaryIO", tempfile.TemporaryFile(prefix="crossdock-"))  # noqa: SIM115  closed by binary()
        if self._spool is not None:
            self._spool.write(piece)

    def content(self) -> bytes | bytearray | None:
        """Give the whole content if it was held, or is far smaller than it was said to be."""
        if self._held is None:
            return None if self._is_begun else self.start
        return self._held[0] if len(self._held) == 1 else b"".join(self._held)

    def digest(self) -> str:
        return self._hash.hexdigest()

    def binary(self) -> Binary | None:
        """Describe a program that was held on disk."""
        if self._spool is None:
            return None
        with self._spool as stream:
            return describe(FileSource(stream, self.seen))
