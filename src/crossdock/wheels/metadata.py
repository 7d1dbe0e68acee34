"""What a wheel says of itself: WHEEL, RECORD, entry points (binary distribution format, recording installs)."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from crossdock.errors import BadWheelError, UnsupportedWheelError
from crossdock.wheels.scripts import EntryPoint, parse_entry_points

if TYPE_CHECKING:
    from crossdock.wheels.archive import WheelArchive

__all__ = ["WheelMetadata", "read_metadata"]

_LARGEST_TEXT = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class WheelMetadata:
    """A wheel's own description.

    Attributes:
        name: Normalised distribution name.
        version: Version as in the file name.
        dist_info: Name of its ``.dist-info`` folder.
        data: Name its ``.data`` folder would have.
        pure: Root-Is-Purelib.
        hashes: RECORD's hash (``sha256=…``) by path, for paths that have one.
        entry_points: Scripts to make.
    """

    name: str
    version: str
    dist_info: str
    data: str
    pure: bool
    hashes: dict[str, str]
    entry_points: tuple[EntryPoint, ...]


def read_metadata(archive: WheelArchive) -> WheelMetadata:
    """Read and check a wheel's ``.dist-info``.

    Raises:
        BadWheelError: The folder is missing, there are several, it belongs to another distribution, or a file in it
            cannot be read.
        UnsupportedWheelError: Its Wheel-Version is newer than 1.x.
    """
    filename = archive.filename
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except (InvalidWheelFilename, InvalidVersion) as error:
        raise BadWheelError(f"{filename} is not named as a wheel", why=str(error)) from None
    dist_info = _dist_info(archive, name, version)
    header = HeaderParser().parsestr(_text(archive, f"{dist_info}/WHEEL"))
    wheel_version = str(header.get("Wheel-Version", "")).strip()
    if not wheel_version.startswith("1."):
        raise UnsupportedWheelError(
            f"{filename} has Wheel-Version {wheel_version or '(none)'}",
            why="only 1.x is defined",
            hint="look for a newer crossdock, or another build of this package",
        )
    names = {member.name for member in archive.members}
    points = f"{dist_info}/entry_points.txt"
    return WheelMetadata(
        name=name,
        version=str(version),
        dist_info=dist_info,
        data=dist_info.removesuffix(".dist-info") + ".data",
        pure=str(header.get("Root-Is-Purelib", "")).strip().lower() == "true",
        hashes=_record(_text(archive, f"{dist_info}/RECORD"), filename),
        entry_points=parse_entry_points(_text(archive, points), filename) if points in names else (),
    )


def _dist_info(archive: WheelArchive, name: str, version: Version) -> str:
    folders = {top for top in (m.name.split("/")[0] for m in archive.members) if top.endswith(".dist-info")}
    if len(folders) != 1:
        raise BadWheelError(
            f"{archive.filename} has {len(folders) or 'no'} .dist-info folders",
            why="a wheel has exactly one",
            hint="fetch it again, or ask its publisher",
        )
    (folder,) = folders
    found_name, _, found_version = folder.removesuffix(".dist-info").partition("-")
    try:
        same = canonicalize_name(found_name) == name and Version(found_version) == version
    except InvalidVersion:
        same = False
    if not same:
        raise BadWheelError(f"{archive.filename} holds another distribution", why=f"its metadata is in {folder}")
    return folder


def _text(archive: WheelArchive, name: str) -> str:
    for member in archive.members:
        if member.name == name:
            if max(member.size, member.compressed) > _LARGEST_TEXT:
                raise BadWheelError(f"{archive.filename}: {name} is {member.size:,} bytes long")
            try:
                return archive.read(member).decode("utf-8")
            except UnicodeDecodeError:
                raise BadWheelError(f"{archive.filename}: {name} is not UTF-8") from None
    raise BadWheelError(f"{archive.filename} has no {name}", hint="fetch it again, or ask its publisher")


def _record(text: str, filename: str) -> dict[str, str]:
    hashes = {}
    try:
        for row in csv.reader(io.StringIO(text), strict=True):
            if len(row) >= 2 and row[1]:
                hashes[row[0]] = row[1]
    except csv.Error as error:
        raise BadWheelError(f"{filename} has an unreadable RECORD", why=str(error)) from None
    return hashes
