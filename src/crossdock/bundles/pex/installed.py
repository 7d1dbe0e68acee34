"""A wheel as pex pre-installs it: which files, and with which contents.

A PEX holds each wheel installed in a folder of its own, named as the wheel is: what goes to ``site-packages`` lies in
the folder itself, all else below ``.prefix``. pex knows such a folder by a hash over all paths and contents, in the PEX
and in its cache on the machine where the PEX runs. So what is made here is what pex makes, byte for byte.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import posixpath
import re
import stat
import zipfile
from dataclasses import dataclass
from email.parser import HeaderParser
from math import prod
from typing import TYPE_CHECKING

from packaging.tags import parse_tag
from packaging.utils import canonicalize_name, parse_wheel_filename

from crossdock.errors import BadWheelError
from crossdock.wheels.metadata import read_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member
    from crossdock.wheels.scripts import EntryPoint

__all__ = ["LAYOUT", "STASH", "InstalledFile", "InstalledWheel", "installed_wheel", "is_bytecode"]

#: Where in an installed wheel's folder is what does not go to ``site-packages``.
STASH = ".prefix"
#: The file that says what the folder is.
LAYOUT = ".layout.json"

_LARGEST_TEXT = 16 << 20
_LARGEST_SCRIPT = 64 << 20
_MOST_TAGS = 10_000
_BYTECODE = re.compile(r"\.py[co]$|\.pyc\.[0-9]+$")
_DIGITS = re.compile(r"\d+(?:_\d+)*")
_SHEBANG = b"#!"
#: What pex takes for a shebang that names a Python.
_PYTHON = re.compile(rb"(?i)(?:^|.*\W)(?:python|pypy)(?:\d+(?:\.\d+)*)?(?:\.exe)?(?:\s\S|$)")
_SCRIPT = """\
#!python
# -*- coding: utf-8 -*-
import importlib
import sys

entry_point = importlib.import_module({module!r})
for attr in {attributes!r}:
    entry_point = getattr(entry_point, attr)

if __name__ == "__main__":
    import os
    pex_root_fallback = os.environ.get("_PEX_ROOT_FALLBACK")
    if pex_root_fallback:
        import atexit
        import shutil

        atexit.register(shutil.rmtree, pex_root_fallback, True)

    sys.exit(entry_point())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledFile:
    """One file of an installed wheel.

    Attributes:
        path: Relative to the wheel's folder.
        executable: Whether it may be executed.
        member: The wheel's member it is, unchanged; or None.
        content: Its bytes where it is no member.
    """

    path: str
    executable: bool = False
    member: Member | None = None
    content: bytes = b""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledWheel:
    """A wheel, installed as pex does it.

    Attributes:
        files: All but the one that says what the folder is, sorted by path.
        record: Path of RECORD.
        root_is_purelib: Whether the folder itself is for pure Python code.
        sys_path: Folders to be put on ``sys.path``.
        entry_points: Console and GUI scripts, ``module:attribute`` by name.
        requires: Requires-Dist, as METADATA has it.
    """

    files: tuple[InstalledFile, ...]
    record: str
    root_is_purelib: bool
    sys_path: tuple[str, ...]
    entry_points: Mapping[str, str]
    requires: tuple[str, ...]

    def layout(self, fingerprint: str) -> bytes:
        """Give the file that says what the folder is."""
        return _json(
            {
                "fingerprint": fingerprint,
                "record_relpath": self.record,
                "root_is_purelib": self.root_is_purelib,
                "stash_dir": STASH,
                "sys_path_entries": list(self.sys_path),
            }
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """What of a wheel decides where its files go."""

    archive: WheelArchive
    dist_info: str
    root_is_purelib: bool
    headers: str
    entry_points: Mapping[str, EntryPoint]
    executable: frozenset[str]

    @property
    def data(self) -> str:
        return self.dist_info.removesuffix(".dist-info") + ".data"

    @property
    def original(self) -> str:
        """Path of what pex keeps of the wheel's directory."""
        return self.dist_info.removesuffix(".dist-info") + ".pex-info/original-whl-info.json"

    def folder(self, key: str) -> str | None:
        """Give where ``.data/KEY`` goes; the root is empty."""
        return {
            "purelib": "" if self.root_is_purelib else f"{STASH}/purelib",
            "platlib": f"{STASH}/platlib" if self.root_is_purelib else "",
            "scripts": f"{STASH}/bin",
            "data": f"{STASH}/data",
            "headers": self.headers,
        }.get(key)


def installed_wheel(archive: WheelArchive, path: Path) -> InstalledWheel:
    """Lay a wheel out as pex pre-installs it.

    Args:
        archive: The wheel, open.
        path: Where it is.

    Raises:
        BadWheelError: It cannot be installed.
    """
    entries = _entries(archive, path)
    metadata = read_metadata(archive)  # checks what is read below
    texts = {member.name: member for member in archive.members if member.size <= _LARGEST_TEXT}

    def text(name: str) -> str:
        member = texts.get(f"{metadata.dist_info}/{name}")
        return archive.read(member).decode("utf-8", "replace") if member else ""

    about = HeaderParser().parsestr(text("METADATA"))
    name = str(about.get("Name", ""))
    if canonicalize_name(name) != metadata.name:  # it becomes part of a path, too
        raise BadWheelError(
            f"{archive.filename} holds another distribution", why=f"its METADATA says that its name is {name!r}"
        )
    wheel = HeaderParser().parsestr("".join(line for line in text("WHEEL").splitlines(keepends=True) if line.strip()))
    reading = _Reading(
        archive=archive,
        dist_info=metadata.dist_info,
        root_is_purelib=wheel.get("Root-Is-Purelib") == "true",
        headers=_headers(wheel.get_all("Tag", []), archive.filename, name),
        entry_points=_in_order(metadata.entry_points, text("entry_points.txt")),
        executable=frozenset(
            name for name, _, attributes in entries if stat.S_ISREG(attributes >> 16) and (attributes >> 16) & 0o111
        ),
    )
    files = _files(reading, text("RECORD"), entries)
    inside = f"{STASH}/{'platlib' if reading.root_is_purelib else 'purelib'}"
    return InstalledWheel(
        files=tuple(files[name] for name in sorted(files)),
        record=f"{metadata.dist_info}/RECORD",
        root_is_purelib=reading.root_is_purelib,
        sys_path=(".", inside) if any(name.startswith(f"{inside}/") for name in files) else (".",),
        entry_points={point.name: f"{point.module}:{point.attribute}" for point in reading.entry_points.values()},
        requires=tuple(" ".join(str(item).split()) for item in about.get_all("Requires-Dist", [])),
    )


def is_bytecode(path: str) -> bool:
    """Say whether pex leaves a file out for being compiled Python."""
    return _BYTECODE.search(path) is not None


def _entries(archive: WheelArchive, path: Path) -> list[tuple[str, tuple[int, ...], int]]:
    """Give name, date and attributes of all entries, folders too: `zipfile` shows these as pex sees them.

    The archive was read and checked before, so that both see the same entries.
    """
    names = {member.offset: member.name for member in archive.members}
    try:
        with zipfile.ZipFile(path) as wheel:
            infos = wheel.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise BadWheelError(f"{archive.filename} is not a readable wheel", why=str(error)) from None
    return [(names.get(info.header_offset, info.filename), info.date_time, info.external_attr) for info in infos]


def _headers(tags: Sequence[str], filename: str, name: str) -> str:
    """Give where headers go: by the only Python a wheel is for, if there is only one.

    Raises:
        BadWheelError: It claims to be for more than can be told apart in any time.
    """
    # A tag may stand for all combinations of what its parts list.
    if sum(prod(part.count(".") + 1 for part in text.split("-")) for text in tags) > _MOST_TAGS:
        raise BadWheelError(f"{filename} names more than {_MOST_TAGS:,} tags in its WHEEL")
    try:
        known = {tag for text in tags if text for tag in parse_tag(text)} or parse_wheel_filename(filename)[3]
    except ValueError:
        known = set(parse_wheel_filename(filename)[3])
    versions = set()
    for tag in known:
        digits = _DIGITS.search(tag.interpreter)
        parts = digits.group().split("_") if digits else [""]
        versions.add(tuple(parts if len(parts) > 1 else filter(None, (parts[0][:1], parts[0][1:]))))
    only = next(iter(versions)) if len(versions) == 1 else ()
    major, minor = only[:2] if len(only) > 1 else ("X", "Y")
    return f"{STASH}/include/site/python{major}.{minor}/{name}"


def _in_order(points: Sequence[EntryPoint], text: str) -> dict[str, EntryPoint]:
    """Sort scripts as pex makes them: as they are listed, console scripts first.

    Args:
        points: The scripts, as they were read and checked.
        text: entry_points.txt, which tells the order and nothing else.
    """
    places: dict[str, tuple[int, int]] = {}
    group = 0
    groups = ("[console_scripts]", "[gui_scripts]")
    for number, line in enumerate(map(str.strip, text.splitlines())):
        if line.startswith("["):
            group = groups.index(line) if line in groups else len(groups)
        elif "=" in line:
            name = line.partition("=")[0].strip()
            places[name] = min(places.get(name, (len(groups), 0)), (group, number))
    last = (len(groups), 0)
    return {point.name: point for point in sorted(points, key=lambda point: (places.get(point.name, last), point.name))}


def _files(
    reading: _Reading, record: str, entries: Sequence[tuple[str, tuple[int, ...], int]]
) -> dict[str, InstalledFile]:
    """Give all files by path, RECORD among them."""
    archive, own_record = reading.archive, f"{reading.dist_info}/RECORD"
    rows = _rows(record, archive)
    listed = {posixpath.normpath(row[0]) for row in rows}
    files: dict[str, InstalledFile] = {}
    moved: dict[str, InstalledFile | None] = {}
    for member in archive.members:
        if member.name in (own_record, reading.original) or is_bytecode(member.name):
            continue
        in_data = member.name.startswith(f"{reading.data}/")
        if in_data and member.name not in listed:
            continue
        item = _placed(reading, member) if in_data else _copied(reading, member, member.name)
        moved[member.name] = item
        if item is not None:
            if item.path in files:
                raise BadWheelError(f"{archive.filename} writes {item.path} twice")
            files[item.path] = item
    generated = [*_scripts(reading), _original(reading, entries)]
    if taken := files.keys() & {LAYOUT, *(item.path for item in generated)}:
        raise BadWheelError(f"{archive.filename} writes {min(taken)}, which an installer writes")
    files |= {item.path: item for item in generated}
    folders = {path[:at] for path in files for at, letter in enumerate(path) if letter == "/"}
    if both := folders & {LAYOUT, *files}:
        raise BadWheelError(f"{archive.filename} has {min(both)} as a file and as a folder")
    eol = "\r\n" if record.split("\n", 1)[0].endswith("\r") else "\n"
    content = _record(rows, moved, generated, own_record, eol)
    files[own_record] = InstalledFile(path=own_record, content=content)
    return files


def _placed(reading: _Reading, member: Member) -> InstalledFile | None:
    """Give what a file in ``.data`` becomes; None for a script that is made anew."""
    archive = reading.archive
    key, _, inner = member.name.removeprefix(f"{reading.data}/").partition("/")
    folder = reading.folder(key)
    if folder is None or not inner:
        raise BadWheelError(
            f"{archive.filename} has data for {key!r}: {member.name}",
            why="purelib, platlib, scripts, data and headers are all there is",
        )
    path = posixpath.join(folder, inner)
    if key != "scripts":
        return _copied(reading, member, path)
    if posixpath.basename(path) in reading.entry_points:
        return None
    first = next(filter(None, archive.unpacked_pieces(member)), b"")
    line = bytes(first[:4096]).split(b"\n", 1)[0]
    if member.size > _LARGEST_SCRIPT or not line.startswith(_SHEBANG) or not _PYTHON.match(line[2:].rstrip()):
        return _copied(reading, member, path)
    rest = archive.read(member).partition(b"\n")[2]
    return InstalledFile(path=path, content=b"#!python\n" + rest)


def _copied(reading: _Reading, member: Member, path: str) -> InstalledFile:
    return InstalledFile(path=path, executable=member.name in reading.executable, member=member)


def _scripts(reading: _Reading) -> Iterator[InstalledFile]:
    for point in reading.entry_points.values():
        script = _SCRIPT.format(module=point.module, attributes=tuple(point.attribute.split(".")))
        yield InstalledFile(path=f"{STASH}/bin/{point.name}", executable=True, content=script.encode())


def _original(reading: _Reading, entries: Sequence[tuple[str, tuple[int, ...], int]]) -> InstalledFile:
    """Give what pex keeps of the wheel's directory, so that the wheel can be made again."""
    listed = [[name, list(date), attributes] for name, date, attributes in entries]
    content = _json({"filename": reading.archive.filename, "entries": listed})
    return InstalledFile(path=reading.original, content=content)


def _rows(record: str, archive: WheelArchive) -> list[tuple[str, str, str]]:
    rows = [(*row, "", "")[:3] for row in csv.reader(io.StringIO(record, newline="")) if row]
    if any(posixpath.isabs(path) for path, _, _ in rows):
        # As some wheels were published: pex then lists what is there.
        names = sorted((member.name for member in archive.members), key=_walk_order)
        return [(name, "", "") for name in names]
    return [(path, digest, size) for path, digest, size in rows]


def _walk_order(path: str) -> tuple[tuple[int, str], ...]:
    """Sort as a walk from the top does: a folder's files, then its folders."""
    *folders, name = path.split("/")
    return (*((1, folder) for folder in folders), (0, name))


def _record(
    rows: Sequence[tuple[str, str, str]],
    moved: Mapping[str, InstalledFile | None],
    generated: Sequence[InstalledFile],
    own: str,
    eol: str,
) -> bytes:
    """Write RECORD as pex does: the wheel's own rows, in its order, then what was made."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator=eol)
    for path, digest, size in rows:
        name = posixpath.normpath(path)
        item = moved.get(name)
        if path.endswith("/"):
            writer.writerow((path, digest, size))
        elif name == own:
            writer.writerow((own, "", ""))
        elif item is not None and posixpath.basename(name) not in _made_anew(name):
            writer.writerow((item.path, digest, size) if item.member else _hashed(item))
    for item in generated:
        writer.writerow(_hashed(item))
    return out.getvalue().encode()


def _made_anew(name: str) -> tuple[str, ...]:
    """Give the names of files that an installer writes itself, and so does not list twice."""
    if not posixpath.dirname(name).endswith(".dist-info"):
        return ()
    return ("INSTALLER", "REQUESTED", "uv_build.json", "uv_cache.json")


def _hashed(item: InstalledFile) -> tuple[str, str, int]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(item.content).digest()).rstrip(b"=").decode()
    return item.path, f"sha256={digest}", len(item.content)


def _json(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
