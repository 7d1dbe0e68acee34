"""A wheel with some files left out and others patched, written as a wheel again.

Compressed streams are copied as they are, and what is new is stored, so the same wheel and the same changes give the
same bytes on every machine. RECORD is written anew from what was really read.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import OverrideError
from crossdock.wheels.globs import matches
from crossdock.wheels.member import STORED, Member
from crossdock.wheels.metadata import read_metadata
from crossdock.wheels.patch import apply_hunks
from crossdock.wheels.streams import unpack_pieces
from crossdock.wheels.zipwriter import ZipWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.metadata import WheelMetadata
    from crossdock.wheels.patch import FilePatch, Patch

__all__ = ["Rewritten", "rewrite_wheel"]

#: Text that people patch is far smaller; a bound for what is held in memory.
_LARGEST_PATCHED = 16 << 20
_COMPILED = (".so", ".pyd", ".dll", ".dylib", ".exe", ".pyc", ".a", ".lib", ".o")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewritten:
    """What became of a wheel.

    Attributes:
        left_out: For each pattern, in its order, how many files matched.
        files_left_out: How many files were left out.
    """

    left_out: tuple[int, ...]
    files_left_out: int


@dataclass(frozen=True, slots=True)
class _Entry:
    """A file of the new wheel: a member of the old one, or bytes."""

    name: str
    executable: bool
    content: Member | bytes


def rewrite_wheel(
    archive: WheelArchive, exclude: Sequence[str], patches: Sequence[Patch], write: Callable[[bytes], object]
) -> Rewritten:
    """Write a wheel without some of its files, and with others patched.

    Args:
        archive: The wheel.
        exclude: Patterns of files to leave out, by their path in site-packages; METADATA, WHEEL and RECORD stay.
        patches: Applied in this order, to paths in site-packages.
        write: Takes the new wheel's bytes. After an error it holds an unfinished one, to be thrown away.

    Raises:
        OverrideError: A patch cannot be applied exactly, or would write what it must not.
        WheelError: The wheel is damaged or not supported.
    """
    metadata = read_metadata(archive)
    entries = {
        _site_path(member.name, metadata): _Entry(member.name, member.executable, member)
        for member in archive.members
        if member.name not in _records(metadata)
    }
    kept, counts = _exclude(entries, exclude, metadata)
    excluded = entries.keys() - kept.keys()
    for patch in patches:
        for file in patch.files:
            if file.path in excluded:
                raise OverrideError(
                    f"{patch.name} changes {file.path}, which exclude leaves out of {archive.filename}",
                    hint="remove it from the patch, or from what is left out",
                )
            _patch(archive, kept, file, patch.name, metadata)
    _write(archive, kept.values(), metadata, write)
    return Rewritten(left_out=counts, files_left_out=len(excluded))


def _records(metadata: WheelMetadata) -> tuple[str, ...]:
    """RECORD, and signatures of it, which would not fit the new one."""
    record = f"{metadata.dist_info}/RECORD"
    return record, record + ".jws", record + ".p7s"


def _site_path(name: str, metadata: WheelMetadata) -> str:
    """A member's path relative to site-packages; what goes elsewhere keeps its path in the wheel."""
    for key in ("purelib", "platlib"):
        inside = f"{metadata.data}/{key}/"
        if name.startswith(inside):
            return name.removeprefix(inside)
    return name


def _exclude(
    entries: dict[str, _Entry], exclude: Sequence[str], metadata: WheelMetadata
) -> tuple[dict[str, _Entry], tuple[int, ...]]:
    needed = {f"{metadata.dist_info}/{name}" for name in ("METADATA", "WHEEL")}
    candidates = entries.keys() - needed
    found = [{path for path in candidates if matches(path, glob)} for glob in exclude]
    gone = set().union(*found)
    kept = {path: entry for path, entry in entries.items() if path not in gone}
    return kept, tuple(len(paths) for paths in found)


def _patch(
    archive: WheelArchive, entries: dict[str, _Entry], file: FilePatch, patch: str, metadata: WheelMetadata
) -> None:
    """Apply what a patch does to one file."""
    what = f"{patch} does not apply to {archive.filename}"
    top, _, name = file.path.partition("/")
    if (top.endswith((".dist-info", ".data")) and top not in (metadata.dist_info, metadata.data)) or (
        top == metadata.dist_info and name.partition(".")[0] in ("RECORD", "WHEEL")
    ):
        raise OverrideError(f"{patch} changes {file.path}", why="that is the wheel's own book-keeping")
    old = entries.get(file.path)
    if old is not None and file.action == "create":
        raise OverrideError(what, why=f"it creates {file.path}, which is there already")
    if old is None and not _creates(file):
        raise OverrideError(
            what,
            why=f"{file.path} is not in it",
            hint="paths in a patch are relative to site-packages, as in a/NAME/module.py",
        )
    before = _content(archive, old, file, patch) if old is not None else b""
    after = apply_hunks(before, file, patch)
    if file.action == "delete":
        del entries[file.path]
        return
    if b"\0" in after or (old is None and file.path.lower().endswith(_COMPILED)):
        raise OverrideError(f"{patch} writes {file.path}, a binary file", why="a patch may change text only")
    if old is None:
        entries[file.path] = _Entry(file.path, file.executable, after)
    else:
        entries[file.path] = _Entry(old.name, old.executable, after)


def _creates(file: FilePatch) -> bool:
    """Whether a file is made by a patch; ``diff -N`` says so only by starting at line 0 of nothing."""
    return file.action == "create" or (
        file.action == "change" and len(file.hunks) == 1 and not file.hunks[0].start and not file.hunks[0].old
    )


def _content(archive: WheelArchive, entry: _Entry, file: FilePatch, patch: str) -> bytes:
    if isinstance(entry.content, bytes):
        return entry.content
    if max(entry.content.size, entry.content.compressed) > _LARGEST_PATCHED:
        raise OverrideError(
            f"{patch} changes {file.path}, which is {entry.content.size:,} bytes long",
            why=f"files of up to {_LARGEST_PATCHED >> 20} MiB can be patched",
        )
    content = archive.read(entry.content)
    if b"\0" in content:
        raise OverrideError(f"{patch} changes {file.path}, a binary file", why="a patch may change text only")
    return content


def _write(
    archive: WheelArchive, entries: Iterable[_Entry], metadata: WheelMetadata, write: Callable[[bytes], object]
) -> None:
    out = ZipWriter(write)
    rows: list[tuple[str, str, int | str]] = []
    inside = metadata.dist_info + "/"
    # Metadata last, as PEP 427 recommends.
    for entry in sorted(entries, key=lambda entry: (entry.name.startswith(inside), entry.name)):
        digest = hashlib.sha256()
        if isinstance(entry.content, bytes):
            _store(out, entry.name, entry.content, executable=entry.executable)
            digest.update(entry.content)
            size = len(entry.content)
        else:
            size = entry.content.size
            for raw in _copy(out, archive, entry, entry.content):
                digest.update(raw)
        rows.append((entry.name, _record_hash(digest.digest()), size))
    record = inside + "RECORD"
    _store(out, record, _record([*rows, (record, "", "")]), executable=False)
    out.finish()


def _store(out: ZipWriter, name: str, content: bytes, *, executable: bool) -> None:
    size = len(content)
    out.begin(name, method=STORED, crc=zlib.crc32(content), compressed=size, size=size, executable=executable)
    out.data(content)


def _copy(out: ZipWriter, archive: WheelArchive, entry: _Entry, member: Member) -> Iterator[bytes]:
    """Copy a member's stream, giving what it unpacks to, which proves it undamaged."""
    out.begin(
        entry.name,
        method=member.method,
        crc=member.crc,
        compressed=member.compressed,
        size=member.size,
        executable=entry.executable,
    )

    def pieces() -> Iterator[bytes]:
        for piece in archive.stream_pieces(member):
            out.data(piece)
            yield piece

    yield from unpack_pieces(pieces(), member, archive.filename)


def _record_hash(digest: bytes) -> str:
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _record(rows: Sequence[tuple[str, str, int | str]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
