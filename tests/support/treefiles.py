"""The files of wheels, bundles and layers in memory: changed one at a time, and written again in the same form."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import posixpath
import tarfile
import zipfile
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

from tests.support.wheelmaker import record_hash

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["TreeFile", "TreeFiles"]


@dataclass(frozen=True, slots=True)
class TreeFile:
    """A file, or what else an archive holds.

    Attributes:
        content: Of a file.
        mode: Its permission bits.
        kind: As `tarfile` has it.
        link: Where a link leads.
    """

    content: bytes = b""
    mode: int = 0o644
    kind: bytes = tarfile.REGTYPE
    link: str = ""


class TreeFiles:
    """All files of an archive by path; a RECORD that lists a changed file is made right again, unless told not to."""

    def __init__(self, files: dict[str, TreeFile], prefix: bytes = b"") -> None:
        self.files = files
        self._prefix = prefix

    def copy(self) -> TreeFiles:
        """Copy it; what files hold is shared."""
        return TreeFiles(dict(self.files), self._prefix)

    @classmethod
    def of_zip(cls, path: Path) -> TreeFiles:
        """Read a zip archive and what is before it."""
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            with path.open("rb") as stream:
                prefix = stream.read(min(member.header_offset for member in members))
            files = {
                member.filename: TreeFile(archive.read(member), member.external_attr >> 16 & 0o7777)
                for member in members
                if not member.is_dir()
            }
        return cls(files, prefix)

    @classmethod
    def of_tar(cls, source: Path | bytes) -> TreeFiles:
        """Read a tar archive, compressed or not."""
        stream = io.BytesIO(source if isinstance(source, bytes) else source.read_bytes())
        files = {}
        with tarfile.open(fileobj=stream) as archive:
            for member in archive:
                content = archive.extractfile(member) if member.isreg() else None
                data = content.read() if content else b""
                files[member.name] = TreeFile(data, member.mode, member.type, member.linkname)
        return cls(files)

    def to_zip(self, path: Path) -> None:
        """Write a zip archive."""
        with path.open("wb") as stream:
            stream.write(self._prefix)
            with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, file in self.files.items():
                    info = zipfile.ZipInfo(name)
                    info.create_system = 3
                    info.external_attr = (0o100000 | file.mode) << 16
                    info.compress_type = zipfile.ZIP_DEFLATED
                    archive.writestr(info, file.content)

    def to_tar(self) -> bytes:
        """Make an uncompressed tar archive."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for name, file in self.files.items():
                member = tarfile.TarInfo(name)
                member.size, member.mode, member.type = len(file.content), file.mode, file.kind
                member.linkname = file.link
                archive.addfile(member, io.BytesIO(file.content))
        return out.getvalue()

    def to_layer(self) -> tuple[bytes, str]:
        """Make a tar.gz layer; gives it with its diff_id."""
        tar = self.to_tar()
        return gzip.compress(tar, 1, mtime=0), f"sha256:{hashlib.sha256(tar).hexdigest()}"

    def find(self, pattern: str) -> str:
        """Give the one path that a pattern fits."""
        found = [path for path in self.files if fnmatchcase(path, pattern)]
        assert len(found) == 1, f"{pattern} fits {found}"
        return found[0]

    def text(self, pattern: str) -> str:
        """Give what a file says."""
        return self.files[self.find(pattern)].content.decode()

    def write(self, pattern: str, content: bytes, *, record: bool = True) -> None:
        """Give a file another content."""
        path = self.find(pattern)
        self.files[path] = replace(self.files[path], content=content)
        if record:
            self._rerecord(path, path)

    def patch(self, pattern: str, form: Callable[[bytes], Any], change: Callable[[Any], object]) -> None:
        """Change a program: ``form`` is one of those of ``binarypatches``."""
        program = form(self.files[self.find(pattern)].content)
        change(program)
        self.write(pattern, bytes(program))

    def edit(self, pattern: str, old: str, new: str, *, record: bool = True) -> None:
        """Change what a text says in one place."""
        text = self.text(pattern)
        assert text.count(old) == 1, f"{old!r} is {text.count(old)} times in {pattern}"
        self.write(pattern, text.replace(old, new).encode(), record=record)

    def add(self, path: str, file: TreeFile, *, owner: str = "") -> None:
        """Add a file; ``owner`` is the pattern of the RECORD that lists it."""
        assert path not in self.files
        self.files[path] = file
        if owner:
            self.list_in(owner, path, record_hash(file.content), len(file.content))

    def list_in(self, record: str, path: str, digest: str, size: int) -> None:
        """Add a line to a RECORD."""
        own = self.find(record)
        relative = posixpath.relpath(path, posixpath.dirname(posixpath.dirname(own)) or ".")
        line = f"{relative},{digest},{size}\n"
        self.write(own, self.files[own].content + line.encode(), record=False)

    def remove(self, pattern: str, *, record: bool = True) -> TreeFile:
        """Take a file away, and its line in the RECORD."""
        path = self.find(pattern)
        file = self.files.pop(path)
        if record:
            self._rerecord(path, None)
        return file

    def rename(self, pattern: str, path: str) -> None:
        """Give a file another path, in the RECORD as well."""
        old = self.find(pattern)
        self.files = {path if name == old else name: file for name, file in self.files.items()}
        self._rerecord(old, path)

    def rename_below(self, pattern: str, old: str, new: str) -> None:
        """Give a folder another name."""
        moved = {name: name.replace(old, new, 1) for name in self._below(pattern)}
        self.files = {moved.get(name, name): file for name, file in self.files.items()}

    def remove_below(self, pattern: str) -> dict[str, TreeFile]:
        """Take a folder away; gives what was in it."""
        return {name: self.files.pop(name) for name in self._below(pattern)}

    def _below(self, pattern: str) -> list[str]:
        found = [name for name in self.files if fnmatchcase(name, f"{pattern}/*")]
        assert found, f"there is nothing below {pattern}"
        return found

    def mode(self, pattern: str, mode: int) -> None:
        """Set a file's permission bits."""
        path = self.find(pattern)
        self.files[path] = replace(self.files[path], mode=mode)

    def link(self, pattern: str, target: str) -> None:
        """Let a link lead elsewhere."""
        path = self.find(pattern)
        assert self.files[path].kind == tarfile.SYMTYPE
        self.files[path] = replace(self.files[path], link=target)

    def _rerecord(self, old: str, new: str | None) -> None:
        """Make the lines of RECORD files right that list a path; without a new one, take them away."""
        for own in [path for path in self.files if path.endswith(".dist-info/RECORD")]:
            content = self.files[own].content
            if old.rpartition("/")[2].encode() not in content:
                continue
            site = posixpath.dirname(posixpath.dirname(own))
            rows = []
            for row in csv.reader(content.decode().splitlines()):
                if posixpath.normpath(posixpath.join(site, row[0])) == old:
                    if new is None:
                        continue
                    rows.append([posixpath.relpath(new, site or "."), *self._recorded(new)] if row[1] else row)
                else:
                    rows.append(row)
            out = io.StringIO()
            csv.writer(out, lineterminator="\n").writerows(rows)
            self.files[own] = replace(self.files[own], content=out.getvalue().encode())

    def _recorded(self, path: str) -> tuple[str, str]:
        content = self.files[path].content
        return record_hash(content), str(len(content))
