"""A wheel that was built here: proved to hold nothing of this machine, and written in the one way that any would."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from crossdock.errors import BackendFailedError, ImpureSourceError, WheelError
from crossdock.headers.binary import HEAD_SIZE, identify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from packaging.utils import NormalizedName
    from packaging.version import Version

    from crossdock.sdists.requirements import Subject
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member

__all__ = ["PureWheel", "check_pure", "check_tags", "rewrite_wheel"]

_EARLIEST = (1980, 1, 1, 0, 0, 0)
_SIGNATURES = (".jws", ".p7s")


@dataclass(frozen=True, slots=True)
class PureWheel:
    """What the name of a wheel without compiled code says.

    Attributes:
        name: Normalised name.
        version: Version.
        scripts: Names of the console scripts it brings, sorted.
    """

    name: NormalizedName
    version: Version
    scripts: tuple[str, ...]


def check_tags(filename: str) -> tuple[NormalizedName, Version] | str:
    """Check that a wheel's name says it is for every system.

    Returns:
        Its name and version; or why not, as the end of a sentence that starts with the file's name.

    Raises:
        InvalidWheelFilename: It is no wheel's name.
    """
    name, version, _, tags = parse_wheel_filename(filename)
    if any(tag.platform != "any" or tag.abi != "none" for tag in tags):
        return "is for this machine only"
    return name, version


def check_pure(path: Path, subject: Subject) -> PureWheel:
    """Prove that a wheel holds no compiled code: by its tags, by what its metadata says, and by looking at every file.

    Raises:
        BackendFailedError: It is no wheel that can be installed.
        ImpureSourceError: It is for this machine only, or holds a program.
    """
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.metadata import read_metadata

    try:
        named = check_tags(path.name)
        if isinstance(named, str):
            raise _impure(subject, f"the backend built {path.name}, which {named}")
        with WheelArchive(path, path.name) as archive:
            metadata = read_metadata(archive)
            if not metadata.pure:
                raise _impure(subject, f"{path.name} says Root-Is-Purelib: false")
            for member in archive.members:
                if binary := identify(_head(archive, member)):
                    raise _impure(subject, f"{member.name} in {path.name} is a program: {binary.kind}")
            scripts = tuple(sorted(point.name for point in metadata.entry_points))
    except InvalidWheelFilename as error:
        raise BackendFailedError(f"The build backend of {subject} built no wheel", why=str(error)) from None
    except WheelError as error:
        raise BackendFailedError(
            f"The build backend of {subject} built no usable wheel", why=f"{error.what}: {error.why}"
        ) from None
    return PureWheel(*named, scripts)


def rewrite_wheel(path: Path, folder: Path) -> Path:
    """Write a wheel anew, so that equal contents give equal bytes on every machine.

    Members are sorted and not compressed, since each build of zlib compresses differently; they have one time and one
    of two modes. RECORD is made again in that order, and without signatures, which would not fit it.

    Args:
        path: The wheel; it was checked.
        folder: Where to.

    Returns:
        The new wheel, under the same file name.
    """
    from crossdock.wheels.archive import WheelArchive

    out = folder / path.name
    rows: list[tuple[str, str, str]] = []
    with WheelArchive(path, path.name) as archive, zipfile.ZipFile(out, "w") as target:
        record = next(member for member in archive.members if _is_record(member.name))
        left_out = {record.name, *(record.name + signature for signature in _SIGNATURES)}
        kept = sorted((member for member in archive.members if member.name not in left_out), key=_place)
        for member in kept:
            digest, size = hashlib.sha256(), 0
            with target.open(_info(member.name, executable=member.executable), "w", force_zip64=False) as stream:
                for piece in archive.unpacked_pieces(member):
                    digest.update(piece)
                    size += stream.write(piece)
            rows.append((member.name, f"sha256={_unpadded(digest.digest())}", str(size)))
        rows.append((record.name, "", ""))
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows(rows)
        target.writestr(_info(record.name, executable=False), text.getvalue())
    return out


def _head(archive: WheelArchive, member: Member) -> bytes:
    head = b""
    pieces: Iterator[bytes] = archive.unpacked_pieces(member)
    for piece in pieces:
        head += piece[: HEAD_SIZE - len(head)]
        if len(head) == HEAD_SIZE:
            break
    return head


def _place(member: Member) -> tuple[bool, str]:
    """Put the metadata behind everything else, as the format recommends."""
    return ".dist-info/" in member.name, member.name


def _is_record(name: str) -> bool:
    return name.count("/") == 1 and name.endswith(".dist-info/RECORD")


def _info(name: str, *, executable: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EARLIEST)
    info.create_system = 3
    info.external_attr = (0o100755 if executable else 0o100644) << 16
    info.compress_type = zipfile.ZIP_STORED
    return info


def _unpadded(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def _impure(subject: Subject, why: str) -> ImpureSourceError:
    return ImpureSourceError(
        f"{subject} is not pure Python, so what is built of it here runs on this kind of machine only",
        why=why,
        hint=f"build wheels for every target elsewhere and name them in [tool.crossdock.packages.{subject.name}] "
        'wheel = "…", or choose a version that has them',
    )
