"""Unpacking source distributions (PEP 625: .tar.gz; .zip of old), believing nothing they say."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from crossdock.errors import UnsafeSourceError, WheelError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["SourceLimits", "unpack_source"]

_CHUNK = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceLimits:
    """How much a source archive may hold; nothing real comes near.

    Attributes:
        members: Files and folders.
        unpacked: Bytes of the whole archive when unpacked.
        ratio: Unpacked bytes per byte of the file, beyond the first 64 MiB.
        header: Bytes of one header that has to be held in memory.
    """

    members: int = 100_000
    unpacked: int = 4 << 30
    ratio: int = 200
    header: int = 1 << 20


def unpack_source(path: Path, filename: str, folder: Path, *, limits: SourceLimits | None = None) -> Path:
    """Unpack a source archive.

    Only regular files, folders, and links to something in the archive are taken; modes are 0644 or 0755.

    Args:
        path: The archive on disk; any name.
        filename: Its name, which says its form.
        folder: Where to; it must be empty.
        limits: Bounds against archive bombs.

    Returns:
        The source tree: the archive's one top folder, or ``folder`` if there is no such.

    Raises:
        UnsafeSourceError: It is damaged, too large, in another form, or holds what leads out of it.
    """
    bounds = limits or SourceLimits()
    name = filename.lower()
    try:
        if name.endswith((".tar.gz", ".tgz")):
            _unpack_tar(path, filename, folder, bounds)
        elif name.endswith(".zip"):
            _unpack_zip(path, filename, folder, bounds)
        else:
            raise UnsafeSourceError(
                f"{filename} is a source distribution in a form that is not read",
                why="only .tar.gz and .zip are",
                hint="choose a version that has one of these, or a wheel",
            )
    except (tarfile.TarError, EOFError, ValueError, zlib.error, RecursionError, gzip.BadGzipFile) as error:
        raise _refused(filename, f"it is damaged: {error or type(error).__name__}") from None
    found = list(folder.iterdir())
    return found[0] if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink() else folder


class _Bounded(io.RawIOBase):
    """Reads gzip, up to a limit, and never much at once: a tar header that says it is long is held in memory."""

    def __init__(self, raw: IO[bytes], filename: str, limit: int, header: int) -> None:
        self._gzip = gzip.GzipFile(fileobj=raw, mode="rb")
        self._filename = filename
        self._limit = limit
        self._header = max(header, _CHUNK)
        self.position = 0

    def readable(self) -> bool:
        return True

    def tell(self) -> int:
        return self.position

    def read(self, size: int = -1) -> bytes:
        if size < 0 or size > self._header:
            raise _refused(self._filename, f"a header in it is said to be {size:,} bytes long")
        data = self._gzip.read(size)
        self.position += len(data)
        if self.position > self._limit:
            raise _refused(self._filename, f"it unpacks to more than {self._limit:,} bytes")
        return data

    def seek(self, offset: int, whence: int = 0) -> int:
        # Only forwards, as tarfile does in an archive that is read once.
        if whence != 0 or offset < self.position:
            raise tarfile.ReadError("its members overlap")
        while self.position < offset and self.read(min(_CHUNK, offset - self.position)):
            pass
        return self.position


def _unpack_tar(path: Path, filename: str, folder: Path, limits: SourceLimits) -> None:
    limit = min(limits.unpacked, (64 << 20) + limits.ratio * path.stat().st_size)
    tree = _Tree(filename, folder, limits, copied=limit)
    with path.open("rb") as raw:
        stream = _Bounded(raw, filename, limit, limits.header)
        archive = tarfile.TarFile(fileobj=stream, mode="r", errorlevel=2, encoding="utf-8", errors="strict")
        while (member := archive.next()) is not None:
            archive.members.clear()  # type: ignore[attr-defined] # tarfile keeps all it has seen
            content = archive.extractfile(member) if member.isreg() and member.sparse is None else None
            if content is not None:
                tree.file(member.name, _pieces(content), executable=bool(member.mode & 0o100))
            elif member.isdir():
                tree.folder(member.name)
            elif member.issym() or member.islnk():
                tree.link(member.name, member.linkname, hard=member.islnk())
            else:
                raise _refused(filename, f"{member.name!r} is neither a plain file, a folder nor a link")
    tree.finish()


def _pieces(content: IO[bytes]) -> Iterator[bytes]:
    while piece := content.read(_CHUNK):
        yield piece


def _unpack_zip(path: Path, filename: str, folder: Path, limits: SourceLimits) -> None:
    from crossdock.wheels.archive import Limits, WheelArchive

    bounds = Limits(members=limits.members, unpacked=limits.unpacked, ratio=limits.ratio)
    tree = _Tree(filename, folder, limits)
    try:
        with WheelArchive(path, filename, limits=bounds) as archive:
            for member in archive.members:
                tree.file(member.name, archive.unpacked_pieces(member), executable=member.executable)
    except WheelError as error:
        raise _refused(filename, error.why or error.what) from None
    tree.finish()


class _Tree:
    """The files unpacked so far: nothing is written through a link, or over something.

    Args:
        filename: Names the archive in messages.
        root: Where they are.
        limits: Bounds against archive bombs.
        copied: Most bytes of all hard links: each is a file of its own here, and next to nothing in the archive.
    """

    def __init__(self, filename: str, root: Path, limits: SourceLimits, *, copied: int = 0) -> None:
        self._filename = filename
        self._root = root
        self._limits = limits
        self._most_copied = copied
        self._kinds: dict[tuple[str, ...], str] = {}
        self._links: list[tuple[tuple[str, ...], str, bool]] = []
        self._count = 0

    def folder(self, name: str) -> None:
        self._make_folder(self._parts(name))

    def file(self, name: str, pieces: Iterator[bytes], *, executable: bool) -> None:
        path = self._root.joinpath(*self._new(name, "file"))
        try:
            with path.open("xb") as out:
                for piece in pieces:
                    out.write(piece)
            path.chmod(0o755 if executable else 0o644)
        except FileExistsError:  # where names differ only by what this file system takes for the same
            raise _refused(self._filename, f"it holds {name!r} twice") from None

    def link(self, name: str, target: str, *, hard: bool) -> None:
        """Note a link; it is made when all files are there, so that none is written through it."""
        self._links.append((self._new(name, "link"), target, hard))

    def finish(self) -> None:
        copied = 0
        for parts, target, hard in self._links:
            path = self._root.joinpath(*parts)
            if hard:
                source = self._parts(target)
                if self._kinds.get(source) != "file":
                    raise self._leads_out(parts, target)
                copied += self._root.joinpath(*source).stat().st_size
                if copied > self._most_copied:
                    raise _refused(self._filename, f"its hard links unpack to more than {self._most_copied:,} bytes")
                shutil.copyfile(self._root.joinpath(*source), path)
                continue
            if os.path.isabs(target) or "\\" in target or "\0" in target or ":" in target:  # noqa: PTH117
                raise self._leads_out(parts, target)
            os.symlink(target, path)  # noqa: PTH211
        root = os.path.realpath(self._root)
        for parts, target, _ in self._links:
            real = os.path.realpath(self._root.joinpath(*parts))
            if os.path.commonpath([root, real]) != root:
                raise self._leads_out(parts, target)

    def _new(self, name: str, kind: str) -> tuple[str, ...]:
        parts = self._parts(name)
        if not parts or parts in self._kinds:
            raise _refused(self._filename, f"it holds {name!r} twice" if parts else "a file in it has no name")
        self._make_folder(parts[:-1])
        self._kinds[parts] = kind
        return parts

    def _make_folder(self, parts: tuple[str, ...]) -> None:
        for depth in range(1, len(parts) + 1):
            part = parts[:depth]
            kind = self._kinds.setdefault(part, "folder")
            if kind != "folder":
                raise _refused(self._filename, f"{'/'.join(part)!r} is a {kind} and a folder")
            path = self._root.joinpath(*part)
            if not path.is_dir():
                path.mkdir()
                path.chmod(0o755)

    def _parts(self, name: str) -> tuple[str, ...]:
        self._count += 1
        if self._count > self._limits.members:
            raise _refused(self._filename, f"it holds more than {self._limits.members:,} members")
        parts = tuple(part for part in name.split("/") if part not in ("", "."))
        if name.startswith("/") or ".." in parts or not name.isprintable() or "\\" in name or ":" in "".join(parts[:1]):
            raise _refused(self._filename, f"the path {name!r} leads out of it")
        return parts

    def _leads_out(self, parts: tuple[str, ...], target: str) -> UnsafeSourceError:
        return _refused(self._filename, f"the link {'/'.join(parts)!r} leads to {target!r}, out of it")


def _refused(filename: str, why: str) -> UnsafeSourceError:
    return UnsafeSourceError(
        f"{filename} was refused",
        why=why,
        hint="do not use this source distribution; fetch it again, or tell its publisher",
    )
