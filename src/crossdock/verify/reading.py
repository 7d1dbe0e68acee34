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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayerUnreadableError, LayoutUnreadableError, WheelError
from crossdock.headers.binary import HEAD_SIZE, identify
from crossdock.layers.tarwalk import TarWalker
from crossdock.verify.contents import Contents, merged
from crossdock.verify.forms import (
    CHUNK,
    LONGEST_END,
    LONGEST_HEAD,
    archives_of_exe,
    kind_of,
    pieces_of,
    tars_of_deb,
    unpacked,
    walk_folder,
)
from crossdock.verify.looking import ContentsReader
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.verify.forms import Compression

__all__ = ["Artifact", "ReadingLimits", "read_artifact"]

# Where a PEX keeps its wheels, each a folder or an archive under the wheel's own file name; and its runtime, which in
# some layouts is an archive as well.
_WHEEL_OF_PEX: Final = re.compile(r"\.deps/(?P<name>[^/]+\.whl)(/|$)")
_RUNTIME_OF_PEX: Final = ".bootstrap"


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
            virtual environment or a loose or packed PEX; a tar archive, uncompressed or compressed by gzip, xz or zstd;
            a Debian package; or an executable that crossdock made.
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
        self._rest = ContentsReader()
        self._carried = ContentsReader()
        self._wheels: dict[str, ContentsReader] = {}
        self._leads_out: list[tuple[str, str]] = []

    def file(self) -> Artifact:
        """Look at an archive."""
        with self._path.open("rb") as stream:
            size = stream.seek(0, os.SEEK_END)
            stream.seek(max(0, size - LONGEST_END))
            tail = stream.read(LONGEST_END)
            stream.seek(0)
            head = stream.read(LONGEST_HEAD)
            stream.seek(0)
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
            self._bytes_left += self._limits.ratio * size
            kind = kind_of(self._path.name, head, tail)
            if kind == "zip":
                self._archive("", self._path, depth=0)
            elif kind == "deb":
                for compression, start, end in tars_of_deb(stream, size):
                    self._tar(compression, pieces_of(stream, start, end))
            elif kind == "exe":
                for start, end in archives_of_exe(head, size):
                    self._tar("gzip", pieces_of(stream, start, end))
            else:
                self._tar(kind, pieces_of(stream, 0, size))
        return self._artifact(f"sha256:{digest}")

    def folder(self) -> Artifact:
        """Look at a folder."""
        root = os.path.realpath(self._path)
        for name, entry in walk_folder(self._path):
            if entry.is_symlink():
                link = os.readlink(entry.path)  # noqa: PTH115
                self._rest.other(name, "symlink", link=link)
                if not _is_inside(os.path.realpath(entry.path), root):
                    self._leads_out.append((name, link))
            elif entry.is_file(follow_symlinks=False):
                self._file_of_folder(name, entry)
            else:
                is_folder = entry.is_dir(follow_symlinks=False)
                mode = _mode_of(entry.stat(follow_symlinks=False))
                self._rest.other(name, "directory" if is_folder else "other", mode=mode)
        return self._artifact("")

    def _file_of_folder(self, name: str, entry: os.DirEntry[str]) -> None:
        status = entry.stat(follow_symlinks=False)
        self._bytes_left += self._limits.ratio * status.st_size
        path, mode = Path(entry.path), _mode_of(status)
        if not _may_be_archive(name) or not self._archive(name, path, depth=1) or not _is_part_of_pex(name):
            self._see_file(name, status.st_size, path, mode=mode)

    def _tar(self, kind: Compression, pieces: Iterator[bytes]) -> None:
        tar = TarWalker(self._counted(unpacked(kind, pieces)), max_members=self._limits.files)
        paths: set[str] = set()
        for member in tar:
            # What a hard link names is a file of the same archive: the one that was there before, if there are two.
            if member.kind == "file":
                if member.path in paths:
                    raise LayerUnreadableError("it holds a path twice", why=f"{member.path!r}")
                paths.add(member.path)
                content = iter(lambda: tar.read(CHUNK), b"")
                self._take(member.path, member.size, content, depth=1, mode=member.mode)
            elif member.path:
                self._reader(member.path).other(member.path, member.kind, mode=member.mode, link=member.linkname)
            if member.kind == "symlink":
                behind = posixpath.normpath(posixpath.join(posixpath.dirname(member.path), member.linkname))
                if behind.startswith(("/", "../")) or behind == "..":
                    self._leads_out.append((member.path, member.linkname))

    def _archive(self, name: str, path: Path, *, depth: int, carried: bool = False) -> bool:
        """Look at the files of a zip archive; tell whether it is one.

        Args:
            name: Where it is in the artifact; empty if it is the artifact.
            path: Where it is on disk.
            depth: How many archives it lies in.
            carried: Whether one of those is a wheel that a package carries.

        Raises:
            WheelError: It is none, but has to be; or it is damaged.
        """
        try:
            archive = WheelArchive(path, name or path.name)
        except WheelError:
            if not depth or _is_part_of_pex(name):
                raise
            return False  # a file that has the name of a wheel, such as packages' tests carry, harms nobody
        carried = carried or (bool(name) and not _is_part_of_pex(name))
        with archive:
            if not name:
                self._before(path, min((member.offset for member in archive.members), default=0))
            for member in archive.members:
                inner = f"{name}/{member.name}" if name else member.name
                mode = 0o755 if member.executable else 0o644
                self._take(
                    inner, member.size, archive.unpacked_pieces(member), depth=depth + 1, mode=mode, carried=carried
                )
        return True

    def _before(self, path: Path, end: int) -> None:
        """Look at what is before an archive: a program that has the archive behind it is one of the artifact's own."""
        with path.open("rb") as stream:
            if identify(stream.read(HEAD_SIZE)) is not None:
                self._see(path.name, end, self._counted(pieces_of(stream, 0, end)), mode=-1)

    def _take(
        self, name: str, size: int, pieces: Iterable[bytes], *, depth: int, mode: int, carried: bool = False
    ) -> None:
        """Look at a file of an archive, to its end: it has to be whole."""
        if not _may_be_archive(name) or depth > self._limits.deepest:
            self._see(name, size, self._counted(pieces), mode=mode, carried=carried)
            return
        with tempfile.TemporaryDirectory(prefix="crossdock-") as folder:
            path = Path(folder) / "archive"
            with path.open("wb") as out:
                out.writelines(self._counted(pieces))
            if not self._archive(name, path, depth=depth, carried=carried) or not _is_part_of_pex(name):
                self._see_file(name, size, path, mode=mode, carried=carried)

    def _see_file(self, name: str, size: int, path: Path, *, mode: int, carried: bool = False) -> None:
        with path.open("rb", buffering=0) as stream:
            pieces = self._counted(iter(lambda: stream.read(CHUNK), b""))
            self._see(name, size, pieces, mode=mode, carried=carried)

    def _see(self, name: str, size: int, pieces: Iterable[bytes], *, mode: int, carried: bool = False) -> None:
        self._files_left -= 1
        if self._files_left < 0:
            raise LayerUnreadableError("it is too large", why=f"it holds more than {self._limits.files:,} files")
        reader = self._carried if carried else self._reader(name)
        reader.pieces(name, size, pieces, mode=mode)

    def _reader(self, name: str) -> ContentsReader:
        wheel = _WHEEL_OF_PEX.match(name)
        return self._wheels.setdefault(wheel["name"], ContentsReader()) if wheel else self._rest

    def _counted(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._bytes_left -= len(piece)
            if self._bytes_left < 0:
                raise LayerUnreadableError("it is too large", why="it unpacks to far more bytes than it has")
            yield piece

    def _artifact(self, digest: str) -> Artifact:
        wheels = {name: reader.contents() for name, reader in self._wheels.items()}
        # Nothing is installed of a wheel that a package carries, so it adds programs, but no distribution.
        rest = merged((self._rest.contents(), replace(self._carried.contents(), texts={})))
        return Artifact(digest=digest, rest=rest, wheels=wheels, leads_out=tuple(self._leads_out))


def _is_inside(path: str, root: str) -> bool:
    return path == root or path.startswith(os.path.join(root, ""))  # noqa: PTH118


def _may_be_archive(name: str) -> bool:
    return name.endswith(".whl") or name == _RUNTIME_OF_PEX


def _is_part_of_pex(name: str) -> bool:
    """Say whether an archive stands for the folder that it unpacks to."""
    return name == _RUNTIME_OF_PEX or _WHEEL_OF_PEX.fullmatch(name) is not None


def _mode_of(status: os.stat_result) -> int:
    """Give a file's permission bits, which Windows does not have."""
    return -1 if os.name == "nt" else stat.S_IMODE(status.st_mode)
