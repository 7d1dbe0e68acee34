"""A standalone Python's archive as a tree: unpacked once to a temporary file, then read one file at a time.

The layout is that of python-build-standalone's "install only" archives: everything below ``python/``, with
``python/bin/python3.12`` in it.
"""

from __future__ import annotations

import hashlib
import os
import posixpath
import re
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal

from crossdock.errors import CacheFolderError, InterpreterError, LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.entry import Entry, directory, symlink
from crossdock.layers.tarwalk import TarWalker

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crossdock.layers.tarwalk import Member
    from crossdock.store.blobs import Store

__all__ = ["DEFAULT_LIMITS", "PREFIX", "ArchiveLimits", "PythonTree", "open_archive"]

#: Where it is in an image. Standalone Pythons find their library from their own path.
PREFIX = "opt/python"

_TOP = "python"
_CHUNK = 1 << 20
_GZIP, _ZSTD = b"\x1f\x8b", b"\x28\xb5\x2f\xfd"
_LONGEST_NAME: Final = 4096  # bytes; Linux's PATH_MAX
# What cannot be a file's name, or not be written to an image again: tar names that are not UTF-8 become surrogates.
_NO_NAME = re.compile(r"[\0-\x1f\x7f\ud800-\udfff\\]")


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveLimits:
    """What an archive may be at most.

    Attributes:
        unpacked: Bytes of the whole tar archive.
        file: Bytes of one file in it, which is read whole.
        members: Files, folders and links.
    """

    unpacked: int = 4 << 30
    file: int = 1 << 30
    members: int = 100_000


DEFAULT_LIMITS: Final = ArchiveLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Node:
    """A file, folder or link of the tree; a file's content is in the temporary file."""

    kind: Literal["file", "hardlink", "symlink", "directory"]
    executable: bool = False
    offset: int = 0
    size: int = 0
    linkname: str = ""


@contextmanager
def open_archive(
    store: Store, sha256: str, *, origin: str, limits: ArchiveLimits = DEFAULT_LIMITS
) -> Iterator[PythonTree]:
    """Open an archive that is in the store.

    Args:
        store: Where it is, and where the temporary file goes.
        sha256: Of the archive; it is checked before anything is made of it.
        origin: Names the archive in errors.
        limits: What it may be at most.

    Raises:
        MissingBlobError: It is not in the store.
        InterpreterError: It is damaged, dangerous, too large, or of another layout.
    """
    path = store.path(sha256)
    with _cache_errors(store):
        descriptor, name = store.open_temporary()
    try:
        with os.fdopen(descriptor, "w+b") as contents:
            tree = PythonTree(contents, origin, limits)
            with _cache_errors(store), path.open("rb") as packed:
                if hashlib.file_digest(packed, "sha256").hexdigest() != sha256:
                    raise InterpreterError(
                        f"{origin} was changed in the cache", hint="remove the cache folder and build again"
                    )
                packed.seek(0)
                _fill(tree, packed, limits)
            yield tree
    finally:
        Path(name).unlink(missing_ok=True)


@contextmanager
def _cache_errors(store: Store) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CacheFolderError(
            f"cannot unpack an archive in the cache folder {store.root}",
            why=error.strerror or str(error),
            hint="free some space, or set CROSSDOCK_CACHE to a folder that can be written",
        ) from error


def _fill(tree: PythonTree, packed: IO[bytes], limits: ArchiveLimits) -> None:
    try:
        tree.fill(TarWalker(_limited(packed, tree.origin, limits), max_members=limits.members))
    except (LayerUnreadableError, LayerUnsupportedError) as error:
        raise InterpreterError(
            f"{tree.origin} cannot be read",
            why=": ".join(filter(None, (error.what, error.why))),
            hint="it may be cut short or no archive: download it again, and compare its SHA-256",
        ) from None


def _limited(packed: IO[bytes], origin: str, limits: ArchiveLimits) -> Iterator[bytes]:
    size = 0
    for piece in _unpacked(packed, origin):
        size += len(piece)
        if size > limits.unpacked:
            raise InterpreterError(f"{origin} unpacks to more than {limits.unpacked:,} bytes", why="no Python does")
        yield piece


def _unpacked(packed: IO[bytes], origin: str) -> Iterator[bytes]:
    magic = packed.read(4)
    packed.seek(0)
    if magic.startswith(_GZIP):
        from crossdock.layers.gunzip import gunzip

        yield from gunzip(iter(lambda: packed.read(_CHUNK), b""))
    elif magic == _ZSTD:
        from crossdock.layers.zstd import decompressed

        stream = decompressed(packed)
        while piece := stream.read(_CHUNK):
            yield piece
    else:
        raise InterpreterError(
            f"{origin} is no archive of a standalone Python",
            why="it is compressed neither by gzip nor by Zstandard",
            hint="take a file that ends in install_only.tar.gz or install_only_stripped.tar.gz",
        )


class PythonTree:
    """What an archive holds, by path below its top folder: ``bin/python3.12``.

    Attributes:
        origin: Names the archive in errors.
    """

    def __init__(self, contents: IO[bytes], origin: str, limits: ArchiveLimits) -> None:
        self.origin = origin
        self._contents = contents
        self._limits = limits
        self._nodes: dict[str, _Node] = {}
        #: Of names for one file, the first in order is the file and the others are hard links to it.
        self._first: dict[str, str] = {}

    def fill(self, walker: TarWalker) -> None:
        """Read the archive.

        Raises:
            InterpreterError: It is dangerous, too large, or of another layout.
            LayerUnreadableError: It is damaged.
        """
        for member in walker:
            self._add(member, walker)
        self._contents.flush()
        self._check_parents()
        self._order_links()

    def paths(self) -> list[str]:
        """Give all paths, sorted."""
        return sorted(self._nodes, key=lambda path: path.split("/"))

    def is_file(self, path: str) -> bool:
        """Tell whether there is a regular file, not a symbolic link to one."""
        return path in self._nodes and self._nodes[path].kind in {"file", "hardlink"}

    def read(self, path: str) -> bytes:
        """Give a regular file's content."""
        node = self._nodes[path]
        self._contents.seek(node.offset)
        return self._contents.read(node.size)

    def entries(self) -> Iterator[Entry]:
        """Give the tree as it is in an image, parents first, one content in memory at a time."""
        for place in (posixpath.dirname(PREFIX), PREFIX):
            yield directory(place)
        for path in self.paths():
            node, place = self._nodes[path], f"{PREFIX}/{path}"
            mode = 0o755 if node.executable else 0o644
            if node.kind == "directory":
                yield directory(place)
            elif node.kind == "symlink":
                yield symlink(place, node.linkname)
            elif self._first.get(path, path) != path:
                yield Entry(path=place, kind="hardlink", mode=mode, linkname=f"{PREFIX}/{self._first[path]}")
            else:
                yield Entry(path=place, mode=mode, content=self.read(path))

    def _add(self, member: Member, walker: TarWalker) -> None:
        path = self._path(member.path)
        if not path:
            if member.kind != "directory":
                raise self._refused(f"{_TOP} is no folder in it")
            return
        if path in self._nodes:
            if member.kind == self._nodes[path].kind == "directory":
                return
            raise self._refused(f"{path} is there twice")
        if member.kind == "other":
            raise self._refused(f"{path} is a device, a pipe or the like")
        if member.kind == "symlink":
            self._check_symlink(path, member.linkname)
        if member.kind == "hardlink":
            self._nodes[path] = self._linked(path, member)
            return
        executable = member.kind == "file" and bool(member.mode & 0o111)
        offset = self._contents.tell()
        if member.kind == "file":
            self._copy(path, member.size, walker)
        size = self._contents.tell() - offset
        self._nodes[path] = _Node(
            kind=member.kind, executable=executable, offset=offset, size=size, linkname=member.linkname
        )

    def _copy(self, path: str, size: int, walker: TarWalker) -> None:
        if size > self._limits.file:
            raise self._refused(f"{path} has more than {self._limits.file:,} bytes")
        while piece := walker.read(_CHUNK):
            self._contents.write(piece)

    def _path(self, name: str) -> str:
        """Give the path below the top folder; empty for that folder itself."""
        parts = [part for part in name.split("/") if part not in {"", "."}]
        if len(name.encode("utf-8", "surrogateescape")) > _LONGEST_NAME or _NO_NAME.search(name):
            raise self._refused(f"{name[:80]!r} is not a file name")
        if name.startswith("/") or ".." in parts:
            raise self._refused(f"{name!r} could lead out of it")
        if not parts or parts[0] != _TOP:
            raise self._refused(f"{name!r} is not below {_TOP}/")
        return "/".join(parts[1:])

    def _check_symlink(self, path: str, target: str) -> None:
        """Refuse a link that leads out of the tree.

        Only ``..`` at its beginning is allowed: what folders of the tree come then can be told without following links.
        """
        parts = target.split("/")
        up = 0
        while up < len(parts) and parts[up] == "..":
            up += 1
        if target.startswith("/") or up > path.count("/") or ".." in parts[up:]:
            raise self._refused(f"the symbolic link {path} leads out of it", f"to {target[:80]!r}")
        if not target or _NO_NAME.search(target) or len(target) > _LONGEST_NAME:
            raise self._refused(f"the symbolic link {path} leads to {target[:80]!r}, which is no path")

    def _linked(self, path: str, member: Member) -> _Node:
        """Give a hard link the content of the file before it that it names."""
        first = self._path(member.linkname)
        if not self.is_file(first):
            raise self._refused(f"the hard link {path} leads to no file before it", f"to {member.linkname[:80]!r}")
        self._first[path] = self._first.setdefault(first, first)
        return replace(self._nodes[first], kind="hardlink")

    def _check_parents(self) -> None:
        for path in list(self._nodes):
            parent = posixpath.dirname(path)
            while parent:
                present = self._nodes.setdefault(parent, _Node(kind="directory"))
                if len(self._nodes) > self._limits.members:
                    raise self._refused(f"it holds more than {self._limits.members:,} files and folders")
                if present.kind != "directory":
                    raise self._refused(f"{path} lies below {parent}, which is no folder")
                parent = posixpath.dirname(parent)

    def _order_links(self) -> None:
        firsts: dict[str, str] = {}
        for path in self.paths():
            if path in self._first:
                firsts.setdefault(self._first[path], path)
        self._first = {path: firsts[group] for path, group in self._first.items()}

    def _refused(self, why: str, more: str = "") -> InterpreterError:
        return InterpreterError(
            f"{self.origin} is no archive of a standalone Python that can be used",
            why=f"{why}, {more}" if more else why,
            hint="take a file that ends in install_only.tar.gz, and its SHA-256 from its publisher",
        )
