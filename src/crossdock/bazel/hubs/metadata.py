"""What wheels say they need, for locks that do not: METADATA, read from the end of a wheel without the rest of it.

Only what a lock holds is ever installed, whatever METADATA says: it can do no more than name other entries of the
lock. A wheel that is here already is read here.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.errors import BadWheelError, DownloadError, OfflineError, StoreError, WheelError
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from crossdock.locks import LockedFile
    from crossdock.services import Services
    from crossdock.store.config import IndexConfig
    from crossdock.store.http import HttpClient, Response
    from crossdock.store.parallel import Cancellation
    from crossdock.wheels.archive import WheelArchive
    from crossdock.wheels.member import Member

__all__ = ["Requires", "read_requires"]

#: The directory of all but the largest wheels, and most of ``.dist-info``, which is written last.
_TAIL_BYTES = 1 << 18
_MOST_METADATA = 16 << 20
_RANGE = re.compile(r"bytes (\d{1,15})-(\d{1,15})/(\d{1,15})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requires:
    """What a wheel's METADATA says.

    Attributes:
        requires: Requires-Dist; what cannot be read is left out, as it can name nothing in a lock.
        extras: Provides-Extra, normalised.
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
    for sha256, (file, _) in sorted(files.items()):
        recorded = services.store.action(_key(sha256))
        if isinstance(recorded, list) and all(isinstance(line, str) for line in recorded):
            found[sha256] = _parsed(recorded)
        elif sha256 in missing:
            wanted.append(sha256)
        else:
            found[sha256] = _keep(services, sha256, _lines(services.store.path(sha256), file.filename))
    remote = [sha256 for sha256 in wanted if files[sha256][1].startswith(("http://", "https://"))]
    if remote and services.offline:
        raise _offline(files[sha256][0].filename for sha256 in remote)
    http = services.http(config)

    def read(sha256: str, cancellation: Cancellation) -> Requires:
        file, place = files[sha256]
        lines = _remote_lines(http, file, place, services, cancellation) if sha256 in remote else _local(file, place)
        return _keep(services, sha256, lines)

    found.update(zip(wanted, run_parallel(read, wanted, jobs=8), strict=True))
    return found


def _key(sha256: str) -> str:
    return action_key("wheel-requires/1", wheel=sha256)


def _keep(services: Services, sha256: str, lines: list[str]) -> Requires:
    services.store.record(_key(sha256), lines)
    return _parsed(lines)


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
            extras.append(canonicalize_name(text))
            continue
        try:
            requires.append(Requirement(text))
        except (InvalidRequirement, ValueError, RecursionError):
            continue
    return Requires(requires=tuple(requires), extras=tuple(sorted(set(extras))))


def _local(file: LockedFile, place: str) -> list[str]:
    from crossdock.store.urls import local_path

    path = local_path(place) or Path(place)
    try:
        return _lines(path, file.filename)
    except OSError as error:
        raise DownloadError(f"{file.filename} cannot be read", why=error.strerror or str(error)) from None


def _lines(path: Path, filename: str) -> list[str]:
    """Read the headers that count, each as ``require:…`` or ``extra:…``."""
    from crossdock.wheels.archive import WheelArchive

    with WheelArchive(path, filename) as archive:
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


def _remote_lines(
    http: HttpClient, file: LockedFile, url: str, services: Services, cancellation: Cancellation
) -> list[str]:
    """Read a wheel's end into a file with a hole in the place of the rest; where that does not do, the whole wheel."""
    with tempfile.TemporaryDirectory(prefix="crossdock-") as folder:
        path = Path(folder) / "part.whl"
        path.touch()
        try:
            http.retrying(lambda: _copy(http, url, f"bytes=-{_TAIL_BYTES}", path, cancellation), cancellation)
            from crossdock.wheels.archive import WheelArchive

            with WheelArchive(path, file.filename) as archive:
                member = _metadata(archive)
                try:
                    return _headers(archive.read(member))
                except WheelError:
                    last = member.offset + member.compressed + len(member.name.encode()) + 4096
                    span = f"bytes={member.offset}-{last}"
                    http.retrying(lambda: _copy(http, url, span, path, cancellation), cancellation)
                    return _headers(archive.read(member))
        except (WheelError, StoreError):
            return _whole(http, file, url, services)


def _copy(http: HttpClient, url: str, span: str, path: Path, cancellation: Cancellation) -> None:
    """Put a part of a file in its place; what a server that knows no parts sends is all of it."""
    with http.open(url, headers={"Range": span}, cancellation=cancellation) as response, path.open("r+b") as part:
        match = _RANGE.fullmatch(response.raw.headers.get("content-range", "")) if _is_part(response) else None
        if match is not None:
            part.truncate(int(match[3]))
            part.seek(int(match[1]))
        for chunk in response.chunks():
            part.write(chunk)


def _is_part(response: Response) -> bool:
    return response.raw.status == 206


def _whole(http: HttpClient, file: LockedFile, url: str, services: Services) -> list[str]:
    from crossdock.store.downloads import FileRequest, fetch

    fetch(
        services.store,
        [FileRequest(name=file.filename, url=url, sha256=file.sha256, size=file.size)],
        http=http,
        jobs=1,
    )
    return _lines(services.store.path(file.sha256), file.filename)
