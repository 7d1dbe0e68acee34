"""Parts of zip archives: made once, kept in the store, and put together into any number of archives by copying.

A part is a zip archive of its own, with the paths its files will have in the end. The archive that is handed over is
one part's entries after the other's, and behind them one directory with their new places.
"""

from __future__ import annotations

import zlib
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.bundles.packing import packed
from crossdock.errors import BundleError
from crossdock.store.actions import action_key
from crossdock.verify.contents import Contents
from crossdock.verify.looking import ContentsReader
from crossdock.wheels.member import DEFLATED, STORED
from crossdock.wheels.scheme import SCHEME_VERSION
from crossdock.wheels.streams import unpack, unpack_pieces
from crossdock.wheels.zipwriter import ZipWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member
    from crossdock.wheels.scheme import Scheme

__all__ = ["MadePart", "PartRecipe", "PartWriter", "install_recipe"]

#: Part of every key: raised whenever the same inputs give other bytes.
_VERSION = 1
#: Members up to this many bytes unpacked are handled at once; larger ones piece by piece, so that memory is bounded.
_AT_ONCE = 32 << 20
_PIECE = 1 << 20
#: Bytes that a name may have in the file systems of all targets, and a path on Linux.
_LONGEST_NAME, _LONGEST_PATH = 255, 4095
#: Bytes of the largest file that is compressed: Python takes a third of a second, or more, for each MB.
_LARGEST_PACKED = 8 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MadePart:
    """A part in the store.

    Attributes:
        digest: SHA-256 of the blob, in hex.
        size: Its bytes.
        directory: Where in it the entries end and the directory begins.
        entries: Number of the entries, folders included.
        unpacked: Bytes of all files, unpacked.
        contents: What was seen in them.
        note: What its maker wanted to be remembered.
    """

    digest: str
    size: int
    directory: int
    entries: int
    unpacked: int
    contents: Contents
    note: Any = None

    def to_json(self) -> dict[str, Any]:
        """Give values that `from_json` reads."""
        return {
            "digest": self.digest,
            "size": self.size,
            "directory": self.directory,
            "entries": self.entries,
            "unpacked": self.unpacked,
            "contents": self.contents.to_json(),
            "note": self.note,
        }

    @classmethod
    def from_json(cls, value: Any) -> MadePart:  # noqa: ANN401
        """Read what `to_json` gave.

        Raises:
            ValueError: It is not that.
        """
        try:
            numbers = {name: int(value[name]) for name in ("size", "directory", "entries", "unpacked")}
            contents = Contents.from_json(value["contents"])
            return cls(digest=str(value["digest"]), contents=contents, note=value["note"], **numbers)
        except (KeyError, TypeError) as error:
            raise ValueError(f"no record of a part: {error}") from None


@dataclass(frozen=True, slots=True)
class PartRecipe:
    """How to make a part, and what tells it from all others.

    Attributes:
        key: Action key of its inputs.
        write: Writes it, and gives what is to be remembered with it.
    """

    key: str
    write: Callable[[PartWriter], JSON]

    def find(self, store: Store) -> MadePart | None:
        """Give the part if it was made before and is still there."""
        try:
            made = MadePart.from_json(store.action(self.key))
        except ValueError:
            return None
        path = store.find(made.digest)
        return made if path is not None and path.stat().st_size == made.size else None

    def make(self, store: Store, check: Callable[[], object] = lambda: None) -> MadePart:
        """Give the part, making it if need be.

        Args:
            store: Where it goes.
            check: Called again and again while it is made; what it raises ends that.
        """
        if found := self.find(store):
            return found
        with store.writer() as blob:
            gathered = _Gathered(blob.write, check)
            writer = PartWriter(gathered.write)
            note = self.write(writer)
            made = writer.finish(note)
            gathered.flush()
            digest = blob.commit()
        part = MadePart(digest=digest, size=store.size(digest), **made)
        store.record(self.key, part.to_json())
        return part


class _Gathered:
    """Passes bytes on, a great many small pieces as one: to write and hash each of them costs far more than to join."""

    def __init__(self, write: Callable[[bytes], object], check: Callable[[], object]) -> None:
        self._write = write
        self._check = check
        self._pieces: list[bytes] = []
        self._size = 0

    def write(self, data: bytes) -> None:
        self._check()
        self._pieces.append(data)
        self._size += len(data)
        if self._size >= _PIECE:
            self.flush()

    def flush(self) -> None:
        self._write(b"".join(self._pieces))
        self._pieces.clear()
        self._size = 0


class PartWriter:
    """Writes the files of a part, and looks at each.

    Args:
        write: Takes the part's bytes.
    """

    def __init__(self, write: Callable[[bytes], object]) -> None:
        self._zip = ZipWriter(write)
        self._reader = ContentsReader(within="site-packages/")
        self._unpacked = 0

    def folder(self, path: str) -> None:
        """Write an entry for a folder."""
        self._zip.folder(path)

    def copy(
        self,
        path: str,
        archive: WheelArchive,
        member: Member,
        *,
        executable: bool,
        tee: Callable[[bytes | bytearray], object] = lambda _: None,
    ) -> None:
        """Copy a wheel's file as it is compressed there, and prove that it unpacks.

        Args:
            path: Where it goes.
            archive: The wheel.
            member: Its file.
            executable: Whether it may be executed.
            tee: Is given the unpacked bytes, in pieces.

        Raises:
            BadWheelError: The file is damaged.
            BundleError: The path is too long.
        """
        self._zip.begin(
            _unpackable(path),
            method=member.method,
            crc=member.crc,
            compressed=member.compressed,
            size=member.size,
            executable=executable,
        )
        self._unpacked += member.size
        if member.size <= _AT_ONCE and member.compressed <= _AT_ONCE:
            stream = archive.stream(member)
            raw = unpack(stream, member, archive.filename)
            self._zip.data(stream)
            self._reader.see(path, raw, mode=_mode(executable=executable))
            tee(raw)
            return
        self._reader.begin(path, member.size, mode=_mode(executable=executable))
        for piece in unpack_pieces(self._passed_on(archive.stream_pieces(member)), member, archive.filename):
            self._reader.feed(piece)
            tee(piece)
        self._reader.end()

    def add(self, path: str, content: bytes, *, executable: bool = False, compress: bool = False) -> None:
        """Write a file.

        Args:
            path: Where it goes.
            content: Its bytes.
            executable: Whether it may be executed.
            compress: Compress it, by the one encoder that gives the same bytes everywhere, if it gets smaller by that
                and is not too large to be worth the time.
        """
        stream, method = content, STORED
        if compress and len(content) <= _LARGEST_PACKED:
            smaller = packed(content)
            if len(smaller) < len(content):
                stream, method = smaller, DEFLATED
        self._zip.begin(
            _unpackable(path),
            method=method,
            crc=zlib.crc32(content),
            compressed=len(stream),
            size=len(content),
            executable=executable,
        )
        self._zip.data(stream)
        self._unpacked += len(content)
        self._reader.see(path, content, mode=_mode(executable=executable))

    def add_file(self, path: str, file: Path) -> None:
        """Write a file of any size, stored; one that is an archive is looked at from the outside only.

        Args:
            path: Where it goes.
            file: Where it is.
        """
        crc = size = 0
        with file.open("rb") as source:
            while piece := source.read(_PIECE):
                crc, size = zlib.crc32(piece, crc), size + len(piece)
            self._zip.begin(_unpackable(path), method=STORED, crc=crc, compressed=size, size=size, executable=False)
            source.seek(0)
            self._reader.begin(path, size, mode=_mode(executable=False))
            while piece := source.read(_PIECE):
                self._zip.data(piece)
                self._reader.feed(piece)
            self._reader.end()
        self._unpacked += size

    def finish(self, note: JSON) -> dict[str, Any]:
        """Write the directory, and give what `MadePart` says of the part beside its digest and size."""
        directory, entries = self._zip.offset, self._zip.count
        self._zip.finish()
        return {
            "directory": directory,
            "entries": entries,
            "unpacked": self._unpacked,
            "contents": self._reader.contents(),
            "note": note,
        }

    def _passed_on(self, pieces: Iterator[bytes]) -> Iterator[bytes]:
        for piece in pieces:
            self._zip.data(piece)
            yield piece


def _mode(*, executable: bool) -> int:
    return 0o755 if executable else 0o644


def _unpackable(path: str) -> str:
    """Give a path back if it can be that of a file.

    Raises:
        BundleError: It is too long.
    """
    if len(path.encode()) > _LONGEST_PATH or any(len(name.encode()) > _LONGEST_NAME for name in path.split("/")):
        raise BundleError(
            f"The file {path[:100]!r}… cannot be in a zip archive that is to be unpacked",
            why=f"no name may have more than {_LONGEST_NAME} bytes, and no path more than {_LONGEST_PATH:,}",
            hint="do without the package, or leave the file out by exclude in [tool.crossdock.packages.NAME]",
        )
    return path


def install_recipe(store: Store, wheels: Sequence[tuple[str, str]], scheme: Scheme) -> PartRecipe:
    """Give the recipe of a part that holds installed wheels: one, or several that write the same paths.

    Args:
        store: Where the wheels are by the time the part is made.
        wheels: File name and SHA-256 of each, in the order they are to be installed.
        scheme: Where things go.

    The recipe's ``write`` raises FileCollisionError if two of the wheels write one path with different contents, and
    WheelError if one is damaged, unsafe or not supported.
    """

    def write(out: PartWriter) -> None:
        from crossdock.layers.collisions import TakenPaths
        from crossdock.wheels.archive import WheelArchive
        from crossdock.wheels.install import install

        taken = TakenPaths()
        with ExitStack() as stack:
            for filename, sha256 in wheels:
                archive = stack.enter_context(WheelArchive(store.path(sha256), filename))
                for item in install(archive, scheme):
                    if taken.take(item, archive) is None:
                        continue
                    if item.member is not None:
                        out.copy(item.path, archive, item.member, executable=item.executable)
                    else:
                        out.add(item.path, item.content, executable=item.executable)

    key = action_key(
        f"zip-part/{_VERSION}",
        install=SCHEME_VERSION,
        wheels=[[filename, sha256] for filename, sha256 in wheels],
        scheme=scheme.to_json(),
    )
    return PartRecipe(key, write)
