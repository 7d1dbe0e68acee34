"""Reads a finished artifact that is no image: a zip archive such as a PEX, a folder, a tar archive, an executable.

What is read is what lies there, whoever made it and whatever its maker says. Nothing is unpacked to where it could be
run from, no link is followed, and what reading costs is bounded by the artifact's own size.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
import stat
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Final, Literal

from crossdock.errors import LayerUnreadableError, LayoutUnreadableError, WheelError
from crossdock.layers.gunzip import gunzip
from crossdock.layers.tarwalk import TarWalker
from crossdock.layers.zstd import unzstd
from crossdock.verify.binary import HEAD_SIZE, identify
from crossdock.verify.contents import FIRST_BYTES, LARGEST_RECORD, Contents, ContentsReader, merged
from crossdock.verify.owners import distribution_of
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["Artifact", "ReadingLimits", "read_artifact"]

Kind = Literal["zip", "exe", "tar", "gzip", "zstd"]

_CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_ZSTD: Final = b"\x28\xb5\x2f\xfd"
_USTAR: Final = b"ustar"
_USTAR_AT: Final = 257
_END_OF_ZIP: Final = b"PK\x05\x06"
_LONGEST_END: Final = 22 + 0xFFFF

# Where a PEX keeps its wheels, each a folder or an archive under the wheel's own file name; and its runtime, which in
# some layouts is an archive as well.
_WHEEL_OF_PEX: Final = re.compile(r"\.deps/(?P<name>[^/]+\.whl)(/|$)")
_RUNTIME_OF_PEX: Final = ".bootstrap"
# What the script of an executable says of the two tar.gz archives behind it: see crossdock.bundles.exe.
_EXE: Final = re.compile(
    rb"#!/bin/sh\n(?s:.*?)\ncdx_size=(\d{1,15})\ncdx_python_start=(\d{1,15})\ncdx_app_start=(\d{1,15})\n"
)
# These are run or unpacked as zip archives, whatever else their bytes could be taken for.
_ZIP_NAME: Final = re.compile(r"\.(pex|pyz|pyzw|zip|whl)$", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingLimits:
    """What an artifact may be at most, so that a hostile one cannot keep a machine busy for ever.

    Attributes:
        files: Files, those in archives inside it included.
        unpacked: Unpacked bytes, beside what its own size allows.
        ratio: Unpacked bytes for each byte of the artifact.
        deepest: How many archives may lie in one another; further ones are files like any other.
    """

    files: int = 2_000_000
    unpacked: int = 1 << 30
    ratio: int = 200
    deepest: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Artifact:
    """What was seen of an artifact.

    Attributes:
        digest: ``sha256:…`` of the file; empty for a folder.
        rest: What is in it beside the wheels of a PEX.
        wheels: What is in each wheel of a PEX, by the wheel's file name.
        leads_out: Links of a folder or a tar archive that lead out of it, and to where; that was not looked at.
    """

    digest: str
    rest: Contents
    wheels: dict[str, Contents] = field(default_factory=dict)
    leads_out: tuple[tuple[str, str], ...] = ()

    @property
    def contents(self) -> Contents:
        """All of it."""
        return merged((self.rest, *self.wheels.values()))


def read_artifact(path: Path, *, limits: ReadingLimits | None = None) -> Artifact:
    """Look at every file of an artifact, and at those in wheels that lie in it as archives.

    Args:
        path: A zip archive, such as a PEX or a function, with or without something before it; a folder, such as a
            virtual environment or a loose or packed PEX; a tar archive, uncompressed or compressed by gzip or zstd; or
            an executable that crossdock made.
        limits: When to give up.

    Raises:
        LayoutUnreadableError: It is none of these, or cannot be opened.
        LayerUnreadableError: It is damaged, cut short, unsafe to read, or larger than the limits.
        LayerUnsupportedError: It is compressed by zstd, and the package for that is missing.
    """
    look = _Look(path, limits or ReadingLimits())
    with _reported(path):
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            return look.folder()
        if stat.S_ISREG(mode):
            return look.file()
    raise LayoutUnreadableError(
        f"{path} cannot be read", why="it is neither a file nor a folder", hint="a pipe or a device has no end"
    )


@contextmanager
def _reported(path: Path) -> Iterator[None]:
    hint = "build or fetch it again, or ask whoever made it"
    try:
        yield
    except WheelError as error:
        raise LayerUnreadableError(f"{path} cannot be read", why=error.why or error.what, hint=hint) from None
    except LayerUnreadableError as error:
        why = f"{error.what}: {error.why}" if error.why else error.what
        raise LayerUnreadableError(f"{path} cannot be read", why=why, hint=hint) from None
    except OSError as error:
        raise LayoutUnreadableError(f"{path} cannot be read", why=error.strerror or str(error)) from None


class _Look:
    """One look at an artifact, file by file."""

    def __init__(self, path: Path, limits: ReadingLimits) -> None:
        self._path = path
        self._limits = limits
        self._files_left = limits.files
        self._bytes_left = limits.unpacked
        self._records_left = LARGEST_RECORD
        self._rest = ContentsReader()
        self._wheels: dict[str, ContentsReader] = {}
        self._leads_out: list[tuple[str, str]] = []

    def file(self) -> Artifact:
        """Look at an archive."""
        with self._path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - _LONGEST_END))
            tail = stream.read(_LONGEST_END)
            stream.seek(0)
            head = stream.read(FIRST_BYTES)
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            self._bytes_left += self._limits.ratio * size
            kind = _kind_of(self._path.name, head, tail)
            if kind == "zip":
                # A program that has the archive behind it is one of the artifact's programs itself.
                if identify(head[:HEAD_SIZE]) is not None:
                    self._rest.see(self._path.name, head, size)
                self._archive("", self._path, depth=0)
            elif kind == "exe":
                for start, end in _archives_of_exe(head, size):
                    self._tar("gzip", _pieces(stream, start, end))
            else:
                self._tar(kind, _pieces(stream, 0, size))
        return self._artifact(f"sha256:{digest}")

    def folder(self) -> Artifact:
        """Look at a folder."""
        root = os.path.realpath(self._path)
        for name, entry in _walk(self._path):
            if entry.is_symlink():
                if not _is_inside(os.path.realpath(entry.path), root):
                    self._leads_out.append((name, os.readlink(entry.path)))  # noqa: PTH115
            elif entry.is_file(follow_symlinks=False):
                self._file_of_folder(name, entry)
        return self._artifact("")

    def _file_of_folder(self, name: str, entry: os.DirEntry[str]) -> None:
        size = entry.stat(follow_symlinks=False).st_size
        self._bytes_left += self._limits.ratio * size
        if _may_be_archive(name) and self._archive(name, Path(entry.path), depth=1):
            return
        self._see_file(name, size, Path(entry.path))

    def _tar(self, kind: Kind, pieces: Iterator[bytes]) -> None:
        raw = gunzip(pieces) if kind == "gzip" else unzstd(pieces) if kind == "zstd" else pieces
        tar = TarWalker(self._counted(raw), max_members=self._limits.files)
        paths: set[str] = set()
        for member in tar:
            # What a hard link names is a file of the same archive: the one that was there before, if there are two.
            if member.kind == "file":
                if member.path in paths:
                    raise LayerUnreadableError("it holds a path twice", why=f"{member.path!r}")
                paths.add(member.path)
                self._take(member.path, member.size, iter(lambda: tar.read(_CHUNK), b""), depth=1)
            elif member.kind == "symlink":
                behind = posixpath.normpath(posixpath.join(posixpath.dirname(member.path), member.linkname))
                if behind.startswith(("/", "../")) or behind == "..":
                    self._leads_out.append((member.path, member.linkname))

    def _archive(self, name: str, path: Path, *, depth: int) -> bool:
        """Look at the files of a zip archive; tell whether it is one.

        Args:
            name: Where it is in the artifact; empty if it is the artifact.
            path: Where it is on disk.
            depth: How many archives it lies in.

        Raises:
            WheelError: It is none, but has to be; or it is damaged.
        """
        try:
            archive = WheelArchive(path, name or path.name)
        except WheelError:
            if not depth or name == _RUNTIME_OF_PEX or _WHEEL_OF_PEX.fullmatch(name):
                raise
            return False  # a file that has the name of a wheel, such as packages' tests carry, harms nobody
        with archive:
            for member in archive.members:
                inner = f"{name}/{member.name}" if name else member.name
                self._take(inner, member.size, archive.unpacked_pieces(member), depth=depth + 1)
        return True

    def _take(self, name: str, size: int, pieces: Iterable[bytes], *, depth: int) -> None:
        """Look at a file of an archive, to its end: it has to be whole."""
        if not _may_be_archive(name) or depth > self._limits.deepest:
            self._see(name, size, self._counted(pieces))
            return
        with tempfile.TemporaryDirectory(prefix="crossdock-") as folder:
            path = Path(folder) / "archive"
            with path.open("wb") as out:
                out.writelines(self._counted(pieces))
            if not self._archive(name, path, depth=depth):
                self._see_file(name, size, path)

    def _see_file(self, name: str, size: int, path: Path) -> None:
        with path.open("rb", buffering=0) as stream:
            self._see(name, size, iter(lambda: stream.read(FIRST_BYTES), b""), whole=False)

    def _see(self, name: str, size: int, pieces: Iterable[bytes], *, whole: bool = True) -> None:
        self._files_left -= 1
        if self._files_left < 0:
            raise LayerUnreadableError("it is too large", why=f"it holds more than {self._limits.files:,} files")
        first, wanted = bytearray(), FIRST_BYTES
        if distribution_of(name) and size <= self._records_left:
            self._records_left -= size
            wanted = size
        for piece in pieces:
            first += piece[: max(0, wanted - len(first))]
            if not whole and len(first) >= wanted:
                break
        wheel = _WHEEL_OF_PEX.match(name)
        reader = self._wheels.setdefault(wheel["name"], ContentsReader()) if wheel else self._rest
        reader.see(name, first, size)

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise LayerUnreadableError("it is too large", why="it unpacks to far more bytes than it has")
            yield piece

    def _artifact(self, digest: str) -> Artifact:
        wheels = {name: reader.contents() for name, reader in self._wheels.items()}
        return Artifact(digest=digest, rest=self._rest.contents(), wheels=wheels, leads_out=tuple(self._leads_out))


def _kind_of(name: str, head: bytes, tail: bytes) -> Kind:
    if _ZIP_NAME.search(name):
        return "zip"
    if head.startswith(_GZIP):
        return "gzip"
    if head.startswith(_ZSTD):
        return "zstd"
    if head[_USTAR_AT:].startswith(_USTAR):
        return "tar"
    if _EXE.match(head):
        return "exe"
    if _END_OF_ZIP in tail:
        return "zip"
    raise LayoutUnreadableError(
        f"{name} cannot be proved",
        why="it is neither a zip archive, as a PEX is one, nor a tar archive, nor a folder",
        hint="name a PEX, a zip or tar archive, a folder, or an image",
    )


def _archives_of_exe(head: bytes, size: int) -> list[tuple[int, int]]:
    match = _EXE.match(head)
    said, python, app = map(int, match.groups()) if match else (0, 0, 0)
    # As tail(1) counts them, the first byte is number 1.
    if said != size or not 0 < python < app <= size:
        raise LayerUnreadableError("it is cut short", why=f"its script says {said:,} bytes, and it has {size:,}")
    return [(python - 1, app - 1), (app - 1, size)]


def _pieces(stream: BinaryIO, start: int, end: int) -> Iterator[bytes]:
    stream.seek(start)
    while start < end and (piece := stream.read(min(_CHUNK, end - start))):
        start += len(piece)
        yield piece


def _walk(root: Path) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """Give what is below a folder, by its path in it; folders are entered, links are not."""
    pending = [("", os.fspath(root))]
    while pending:
        prefix, folder = pending.pop()
        with os.scandir(folder) as found:
            entries = sorted(found, key=lambda entry: entry.name)
        for entry in entries:
            name = prefix + entry.name
            # A junction of Windows is a link, too, which Python knows since 3.12.
            if entry.is_dir(follow_symlinks=False) and not getattr(entry, "is_junction", bool)():
                pending.append((f"{name}/", entry.path))
            else:
                yield name, entry


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))  # noqa: PTH118


def _may_be_archive(name: str) -> bool:
    return name.endswith(".whl") or name == _RUNTIME_OF_PEX
