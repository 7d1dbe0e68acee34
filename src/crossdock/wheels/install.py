"""What an installed wheel consists of in a target's tree: which file goes where, and the files an installer adds."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import BadWheelError, UnsupportedWheelError
from crossdock.wheels.launch import made_script, rewritten_script, script_launcher
from crossdock.wheels.metadata import read_metadata
from crossdock.wheels.scheme import below
from crossdock.wheels.scripts import PYTHON_SHEBANG

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member
    from crossdock.wheels.metadata import WheelMetadata
    from crossdock.wheels.scheme import Scheme

__all__ = ["INSTALLER", "Placed", "install"]

#: Content of every INSTALLER file (recording installed projects).
INSTALLER = b"crossdock\n"

_LARGEST_SCRIPT = 64 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """One file of an installed wheel.

    Attributes:
        path: Where it goes, relative to the root of what is built.
        executable: Whether it gets the executable bits.
        member: The wheel's member it is, unchanged; or None.
        content: Its bytes where it is no member.
    """

    path: str
    executable: bool = False
    member: Member | None = None
    content: bytes = b""


def install(archive: WheelArchive, scheme: Scheme) -> tuple[Placed, ...]:
    """Lay a wheel out by a scheme, sorted by path.

    Signatures of RECORD are left out, as they would not fit the RECORD written here; an INSTALLER is, as it names
    somebody else.

    Raises:
        BadWheelError: The wheel's metadata cannot be used, or two of its files would have one path.
        UnsupportedWheelError: A script cannot be rewritten.
        LauncherError: The scheme wants a program for Windows that cannot be made.
    """
    metadata = read_metadata(archive)
    record_name = f"{metadata.dist_info}/RECORD"
    left_out = {record_name, record_name + ".jws", record_name + ".p7s", f"{metadata.dist_info}/INSTALLER"}
    placed: dict[str, Placed] = {}
    hashes: dict[str, str] = {}
    for member in archive.members:
        if member.name in left_out:
            continue
        item = _place(archive, member, metadata, scheme)
        _add(placed, item, archive)
        hashes[item.path] = metadata.hashes.get(member.name, "") if item.member else ""
        if not hashes[item.path]:
            hashes[item.path] = _record_hash(archive.unpacked_pieces(member) if item.member else (item.content,))
    for item in (*_generated(metadata, scheme), *_started(archive, metadata, scheme)):
        if item.path not in placed:  # a script that the wheel brings itself stays
            placed[item.path] = item
            hashes[item.path] = _record_hash((item.content,))
    record_path = f"{below(scheme.site_packages)}{record_name}"
    record = Placed(
        path=record_path,
        content=_record(placed, hashes, record_path, scheme),
    )
    placed[record_path] = record
    return tuple(placed[path] for path in sorted(placed))


def _place(archive: WheelArchive, member: Member, metadata: WheelMetadata, scheme: Scheme) -> Placed:
    top, _, rest = member.name.partition("/")
    if top != metadata.data:
        return Placed(path=f"{below(scheme.site_packages)}{member.name}", executable=member.executable, member=member)
    key, _, inner = rest.partition("/")
    folder = scheme.data_folder(key, metadata.name)
    if folder is None or not inner:
        raise BadWheelError(
            f"{archive.filename} has data for {key!r}: {member.name}",
            why="purelib, platlib, scripts, data and headers are all there is",
        )
    path = f"{below(folder)}{inner}"
    if key != "scripts":
        return Placed(path=path, executable=member.executable, member=member)
    # Programs of many megabytes come as scripts too: only what starts as a Python script is held whole.
    if not next(filter(None, archive.unpacked_pieces(member)), b"").startswith(PYTHON_SHEBANG):
        return Placed(path=path, executable=True, member=member)
    if member.size > _LARGEST_SCRIPT:
        raise UnsupportedWheelError(f"{archive.filename}: the script {member.name} is {member.size:,} bytes long")
    script = rewritten_script(archive.read(member), scheme, archive.filename)
    return Placed(path=path, executable=True, content=script)


def _generated(metadata: WheelMetadata, scheme: Scheme) -> Iterator[Placed]:
    yield Placed(path=f"{below(scheme.site_packages)}{metadata.dist_info}/INSTALLER", content=INSTALLER)
    for point in metadata.entry_points:
        name, content = made_script(point, scheme)
        yield Placed(path=f"{scheme.scripts}/{name}", executable=True, content=content)


def _started(archive: WheelArchive, metadata: WheelMetadata, scheme: Scheme) -> Iterator[Placed]:
    """Give a program for each script of a wheel that has no ending Windows would know it by."""
    folder = f"{metadata.data}/scripts/"
    for member in archive.members if scheme.launchers else ():
        name = member.name.removeprefix(folder)
        if name == member.name or "." in name.rpartition("/")[2] or member.size > _LARGEST_SCRIPT:
            continue
        content = archive.read(member)
        if content.startswith(PYTHON_SHEBANG):
            program = script_launcher(content, scheme, archive.filename)
            yield Placed(path=f"{scheme.scripts}/{name}.exe", executable=True, content=program)


def _add(placed: dict[str, Placed], item: Placed, archive: WheelArchive) -> None:
    if item.path in placed:
        raise BadWheelError(f"{archive.filename} writes {item.path} twice")
    placed[item.path] = item


def _record_hash(pieces: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for piece in pieces:
        digest.update(piece)
    return "sha256=" + base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()


def _record(placed: dict[str, Placed], hashes: dict[str, str], record_path: str, scheme: Scheme) -> bytes:
    """Write RECORD (recording installed projects, "The RECORD file"), sorted, with "/" and newlines of POSIX."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for path in sorted([*placed, record_path]):
        if path == record_path:
            writer.writerow((scheme.record_path(path), "", ""))
            continue
        item = placed[path]
        size = item.member.size if item.member else len(item.content)
        writer.writerow((scheme.record_path(path), hashes[path], size))
    return out.getvalue().encode()
