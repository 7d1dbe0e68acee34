"""What wheels say they need, for locks that do not: METADATA, read from the end of a wheel without the rest of it.

Only what a lock holds is ever installed, whatever METADATA says: it can do no more than name other entries of the
lock. A wheel that is here already is read here. What is said of one that is not here is kept apart from what is known.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import tempfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, is_normalized_name

from crossdock.errors import (
    BadWheelError,
    DownloadError,
    HashMismatchError,
    OfflineError,
    StoreError,
    WheelError,
)
from crossdock.store.actions import action_key
from crossdock.store.downloads import MAX_FILE_BYTES
from crossdock.store.urls import redact

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crossdock.locks import LockedFile
    from crossdock.services import Services
    from crossdock.store.config import IndexConfig
    from crossdock.store.http import HttpClient
    from crossdock.store.parallel import Cancellation
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member

__all__ = ["Requires", "read_requires", "requires_of"]

#: The directory of all but the largest wheels, and most of ``.dist-info``, which is written last.
_TAIL_BYTES = 1 << 18
_MOST_METADATA = 16 << 20
_PARTIAL = 206
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """What a wheel's METADATA says.

    Attributes:
        requires: Requires-Dist; what cannot be read is left out, as it can name nothing in a lock.
        extras: Provides-Extra, normalised; what is no name is left out, as targets are named by it.
    """

    requires: tuple[Requirement, ...]
    extras: tuple[str, ...]


def read_requires(
    files: Mapping[str, tuple[LockedFile, str]], services: Services, config: IndexConfig
) -> dict[str, Requires]:
    """Read what wheels need.

    Args:
        files: By SHA-256 the wheel, and its URL or path.
        services: The store, which keeps the answers, and the network.
        config: The user's indexes, for their credentials.

    Raises:
        WheelError: One is damaged.
        StoreError: One cannot be read.
        OfflineError: Some are neither here nor may be fetched; all of them are named.
    """
    from crossdock.store.parallel import run_parallel

    found: dict[str, Requires] = {}
    missing = services.missing(files)
    wanted = []
    for sha256, (file, place) in sorted(files.items()):
        lines = _recorded(services, _key(sha256))
        if lines is None and sha256 not in missing:
            lines = _keep(services, _key(sha256), _lines(services.store.path(sha256), file.filename))
        if lines is None and _is_remote(place):
            lines = _recorded(services, _said_key(file, place))
        if lines is None:
            wanted.append(sha256)
        else:
            found[sha256] = _parsed(lines)
    remote = [files[sha256][0].filename for sha256 in wanted if _is_remote(files[sha256][1])]
    if remote and services.offline:
        raise _offline(remote)
    http = services.http(config)

    def read(sha256: str, cancellation: Cancellation) -> Requires:
        file, place = files[sha256]
        if not _is_remote(place):
            return _parsed(_keep(services, _key(sha256), _local(file, place)))
        lines = _said(http, file, place, cancellation)
        if lines is not None:
            return _parsed(_keep(services, _said_key(file, place), lines))
        return _parsed(_keep(services, _key(sha256), _whole(http, file, place, services)))

    found.update(zip(wanted, run_parallel(read, wanted, jobs=8), strict=True))
    return found


def requires_of(path: Path, filename: str) -> tuple[str, ...]:
    """Read Requires-Dist of a wheel that is here.

    Raises:
        WheelError: It is damaged.
        DownloadError: It cannot be read.
    """
    return tuple(line.removeprefix("require:") for line in _lines(path, filename) if line.startswith("require:"))


def _is_remote(place: str) -> bool:
    return place.startswith(("http://", "https://"))


def _key(sha256: str) -> str:
    """Name what a wheel says that was read whole, and is the one of that hash."""
    return action_key("wheel-requires/1", wheel=sha256)


def _said_key(file: LockedFile, url: str) -> str:
    """Name what an index says of a wheel: nothing has shown that it is in that wheel."""
    return action_key("wheel-requires-said/1", wheel=file.sha256, url=redact(url), metadata=file.metadata_sha256)


def _recorded(services: Services, key: str) -> list[str] | None:
    lines = services.store.action(key)
    return lines if isinstance(lines, list) and all(isinstance(line, str) for line in lines) else None


def _keep(services: Services, key: str, lines: list[str]) -> list[str]:
    services.store.record(key, lines)
    return lines


def _offline(filenames: Iterable[str]) -> OfflineError:
    from crossdock.store.downloads import names_in_short

    return OfflineError(
        "The lock does not say which package needs which, and the wheels that do are not here",
        why=names_in_short(sorted(filenames)),
        hint="make the hub's JSON with `crossdock bazel lock` where there is a network, or use uv.lock, poetry.lock or "
        "pdm.lock, which say it",
    )


def _parsed(lines: Iterable[str]) -> Requires:
    requires, extras = [], []
    for line in lines:
        kind, _, text = line.partition(":")
        if kind == "extra":
            name = canonicalize_name(text)
            extras += [name] if is_normalized_name(name) else []
            continue
        try:
            requires.append(Requirement(text))
        except (InvalidRequirement, ValueError, RecursionError):
            continue
    return Requires(requires=tuple(requires), extras=tuple(sorted(set(extras))))


def _local(file: LockedFile, place: str) -> list[str]:
    from crossdock.store.urls import local_path

    path = local_path(place) or Path(place)
    with _reading(file.filename), path.open("rb") as wheel:
        digest = hashlib.file_digest(wheel, "sha256").hexdigest()
    if digest != file.sha256:
        raise HashMismatchError(
            f"{path} is not the file that was locked",
            why=f"its SHA-256 is {digest}, and that of {file.filename} is {file.sha256}",
        )
    return _lines(path, file.filename)


@contextlib.contextmanager
def _reading(filename: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DownloadError(f"{filename} cannot be read", why=error.strerror or str(error)) from None


def _lines(path: Path, filename: str) -> list[str]:
    """Read the headers that count, each as ``require:…`` or ``extra:…``."""
    from crossdock.wheels.archive import WheelArchive

    with _reading(filename), WheelArchive(path, filename) as archive:
        return _headers(archive.read(_metadata(archive)))


def _metadata(archive: WheelArchive) -> Member:
    member = next((item for item in archive.members if _is_metadata(item.name)), None)
    if member is None or max(member.size, member.compressed) > _MOST_METADATA:
        raise BadWheelError(f"{archive.filename} has no METADATA that can be read", hint="ask its publisher")
    return member


def _is_metadata(name: str) -> bool:
    return name.count("/") == 1 and name.endswith(".dist-info/METADATA")


def _headers(content: bytes) -> list[str]:
    header = HeaderParser().parsestr(content.decode("utf-8", errors="replace"))
    requires = [f"require:{' '.join(str(text).split())}" for text in header.get_all("Requires-Dist", [])]
    return requires + [f"extra:{str(text).strip()}" for text in header.get_all("Provides-Extra", [])]


def _said(http: HttpClient, file: LockedFile, url: str, cancellation: Cancellation) -> list[str] | None:
    """Read what an index says is in a wheel: METADATA beside it, or a part of the wheel; None if it has neither."""
    try:
        if file.metadata_sha256 is not None and "?" not in url:
            return _beside(http, file.metadata_sha256, url, cancellation)
    except StoreError:
        pass  # an index may say that there is such a file, and have none
    try:
        return _in_parts(http, file, url, cancellation)
    except (WheelError, StoreError, OSError):
        return None


def _beside(http: HttpClient, sha256: str, url: str, cancellation: Cancellation) -> list[str]:
    """Read the file of METADATA that an index has beside a wheel (PEP 658, PEP 714)."""
    from crossdock.store.downloads import read_document

    url = f"{url}.metadata"
    body = read_document(http, url, limit_bytes=_MOST_METADATA, cancellation=cancellation).body
    if hashlib.sha256(body).hexdigest() != sha256:
        raise HashMismatchError(f"{redact(url)} is not what its index says")
    return _headers(body)


def _in_parts(http: HttpClient, file: LockedFile, url: str, cancellation: Cancellation) -> list[str]:
    """Read a wheel's end into a file with a hole in the place of the rest, and if METADATA is not in it, that too."""
    from crossdock.wheels.archive import WheelArchive

    def copy(span: str, most: int, size: int | None) -> int:
        return http.retrying(lambda: _copy(http, url, (span, most, size), path, cancellation), cancellation)

    with tempfile.TemporaryDirectory(prefix="crossdock-") as folder:
        path = Path(folder) / "part.whl"
        path.touch()
        size = copy(f"bytes=-{_TAIL_BYTES}", _TAIL_BYTES, file.size)
        with WheelArchive(path, file.filename) as archive:
            member = _metadata(archive)
            try:
                return _headers(archive.read(member))
            except WheelError:
                most = member.compressed + len(member.name.encode()) + 4096
                copy(f"bytes={member.offset}-{member.offset + most - 1}", most, size)
                return _headers(archive.read(member))


def _copy(
    http: HttpClient, url: str, asked: tuple[str, int, int | None], path: Path, cancellation: Cancellation
) -> int:
    """Put a part of a file in its place.

    Args:
        http: How it is read.
        url: The file.
        asked: The range, the most bytes it has, and the file's length if it is known.
        path: Where it is put.
        cancellation: What can stop it.

    Returns:
        The length of the whole file.

    Raises:
        DownloadError: What is sent is not that part.
    """
    span, most, size = asked
    with http.open(url, headers={"Range": span}, cancellation=cancellation) as response, path.open("r+b") as part:
        match = _RANGE.fullmatch(response.raw.headers.get("content-range", ""))
        first, last, whole = map(int, match.groups()) if match and response.raw.status == _PARTIAL else (0, -1, 0)
        left = last - first + 1
        if not 0 < left <= most or last >= whole or whole > MAX_FILE_BYTES or size not in (None, whole):
            raise DownloadError(f"{redact(url)} is not sent in parts", why=f"asked for were {span}")
        part.truncate(whole)
        part.seek(first)
        for chunk in response.chunks():
            left -= len(chunk)
            if left < 0:
                break
            part.write(chunk)
    if left:
        raise DownloadError(f"{redact(url)} sends more or less than it says", why=f"asked for were {span}")
    return whole


def _whole(http: HttpClient, file: LockedFile, url: str, services: Services) -> list[str]:
    from crossdock.store.downloads import FileRequest, fetch

    fetch(
        services.store,
        [FileRequest(name=file.filename, url=url, sha256=file.sha256, size=file.size)],
        http=http,
        jobs=1,
    )
    return _lines(services.store.path(file.sha256), file.filename)
