"""Finding files: in package indexes, in folders arranged like one, and in find-links places."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from concurrent.futures import Future
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from crossdock.errors import DownloadError, InvalidRequestError, OfflineError
from crossdock.store.actions import action_key
from crossdock.store.blobs import checked_sha256
from crossdock.store.config import check_places
from crossdock.store.pages import IndexFile, accept_header, parse_page, safe_filename
from crossdock.store.parallel import run_parallel
from crossdock.store.urls import local_path, redact, split_credentials

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from crossdock.store.blobs import Store
    from crossdock.store.config import IndexConfig
    from crossdock.store.http import HttpClient
    from crossdock.store.parallel import Cancellation

__all__ = ["HashQuery", "find_by_hashes", "find_files", "find_many"]

T = TypeVar("T")

# The largest pages of all, those of nightly builds, have some tens of megabytes.
MAX_PAGE_BYTES = 128 << 20
_HASH_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class HashQuery:
    """What a lock that holds only hashes says of a package.

    Attributes:
        name: The project's name, in any spelling.
        version: Its version.
        sha256s: The SHA-256 of each of its files.
        index: A further index (URL or path) to look in first, such as the one the lock or the user's settings name.
        only: Whether no other place is looked in.
    """

    name: str
    version: str
    sha256s: tuple[str, ...]
    index: str | None = field(default=None, repr=False)
    only: bool = False


def find_files(
    http: HttpClient, config: IndexConfig, name: str, *, index: str | None = None, only: bool = False
) -> list[IndexFile]:
    """Return all files of a project, from all places: those on this machine first, then the index, then the others.

    A file that several places offer appears once for each. Those on this machine may be without a hash.

    Args:
        http: How places are read.
        config: Where they are.
        name: The project's name.
        index: A further index to look in first.
        only: Whether no other place is looked in.

    Raises:
        DownloadError: A place cannot be read (one that does not know the project is no error).
        OfflineError: A place is on the network, which may not be used.
        IndexPageError: A page cannot be understood.
        SizeMismatchError: A page is longer than any may be.
    """
    reader = _Reader(http, config)
    places = reader.places(name, index, only=only)
    return [file for place in places for file in reader.files(place, name, None)]


def find_by_hashes(
    store: Store, http: HttpClient, config: IndexConfig, name: str, version: str, sha256s: Sequence[str]
) -> tuple[IndexFile, ...]:
    """Return the files of a project that have one of the hashes, each once, sorted by file name.

    Places are asked in turn until every hash is found. If all were, the answer is recorded in the store, and the same
    question needs no network again. A hash that no place knows is not in the answer.

    Raises:
        InvalidRequestError: A hash is not a SHA-256, or the name not one of a project.
        IndexConfigError: A query's index is none that can be read.
        OfflineError: The network may not be used, and places on this machine do not have all of the files.
        DownloadError, IndexPageError, SizeMismatchError: As `find_files`.
    """
    query = HashQuery(name=name, version=version, sha256s=tuple(sha256s))
    return find_many(store, http, config, [query], jobs=1)[0]


def find_many(
    store: Store, http: HttpClient | None, config: IndexConfig, queries: Sequence[HashQuery], *, jobs: int = 8
) -> list[tuple[IndexFile, ...]]:
    """Answer many `find_by_hashes` at once, in the queries' order; a page is read once for all of them.

    Without ``http``, a client for the configuration is made if there is anything to ask. Offline, one error names
    all the packages that the network is needed for.
    """
    keys = [_key(query, config) for query in queries]
    answers = {number: recorded for number, key in enumerate(keys) if (recorded := _recorded(store, key)) is not None}
    open_questions = [number for number in range(len(queries)) if number not in answers]
    if not open_questions:
        return [answers[number] for number in range(len(queries))]
    reader = _Reader(http or _client(config), config)

    unreached: list[int] = []

    def answer(number: int, cancellation: Cancellation) -> tuple[IndexFile, ...]:
        query = queries[number]
        try:
            found = reader.matches(query, cancellation)
        except OfflineError:
            unreached.append(number)
            return ()
        complete = len(found) == len({checked_sha256(sha256) for sha256 in query.sha256s})
        # A query string may be a signature, which is secret and does not last.
        if complete and not any("?" in file.url for file in found):
            store.record(keys[number], [asdict(file) for file in found])
        return found

    answers.update(zip(open_questions, run_parallel(answer, open_questions, jobs=jobs), strict=True))
    if unreached:
        raise _offline(queries[number] for number in unreached)
    return [answers[number] for number in range(len(queries))]


def _offline(queries: Iterable[HashQuery]) -> OfflineError:
    from crossdock.store.downloads import names_in_short
    from crossdock.store.http import FETCH_HINT

    names = sorted({f"{query.name} {query.version}".strip() for query in queries})
    packages = "1 package" if len(names) == 1 else f"{len(names)} packages"
    return OfflineError(
        f"the files of {packages} have to be looked up, and the network may not be used",
        why=names_in_short(names),
        hint=FETCH_HINT,
    )


def _client(config: IndexConfig) -> HttpClient:
    from crossdock.store.http import HttpClient

    return HttpClient.for_config(config)


def _key(query: HashQuery, config: IndexConfig) -> str:
    named = () if query.only else config.indexes_of(_project(query.name))
    own = [redact(index) for index in (query.index, *named) if index is not None]
    return action_key(
        "find-by-hashes/2",
        name=_project(query.name),
        version=query.version,
        sha256s=sorted({checked_sha256(sha256) for sha256 in query.sha256s}),
        # URLs found in one index are of no use where only another can be reached.
        places=own if query.only else own + config.identity(),
    )


def _recorded(store: Store, key: str) -> tuple[IndexFile, ...] | None:
    record = store.action(key)
    try:
        files = tuple(IndexFile(**entry) for entry in record or ())
        usable = record is not None and all(_still_there(file.url) for file in files)
    except (TypeError, ValueError, AttributeError):
        return None
    return files if usable else None


def _still_there(url: str) -> bool:
    path = local_path(url)
    return path is None or path.is_file()


class _Memo:
    """Computes each value once, also when several threads ask for it at once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[tuple[str, ...], Future[Any]] = {}

    def get(self, key: tuple[str, ...], compute: Callable[[], T]) -> T:
        with self._lock:
            mine = key not in self._values
            future: Future[T] = self._values.setdefault(key, Future())
        if mine:
            try:
                future.set_result(compute())
            except BaseException as error:
                future.set_exception(error)
                raise
        return future.result()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """One place to look in.

    Attributes:
        location: Its URL or path.
        path: Its path, if it is on this machine.
        flat: Whether it holds or links to files of any project, rather than having a page for each.
    """

    location: str
    path: Path | None
    flat: bool


class _Reader:
    """Reads places, each page once."""

    def __init__(self, http: HttpClient, config: IndexConfig) -> None:
        self._http = http
        self._config = config
        self._pages = _Memo()

    def places(self, name: str, index: str | None, *, only: bool) -> list[_Place]:
        """Return where to look for a project, each place once."""
        config = self._config
        own = [] if index is None else [index]
        check_places(own)
        flats = {_bare(location) for location in config.find_links}
        if not only:
            own += config.indexes_of(_project(name))
        every = [_place(location, flat=_bare(location) in flats) for location in own]
        if not only:
            every += [_place(location, flat=True) for location in config.find_links]
            every += [_place(location, flat=False) for location in config.indexes()]
        places: dict[tuple[str, bool], _Place] = {}
        for place in every:
            places.setdefault((_bare(place.location), place.flat), place)
        # Looking on this machine first may save asking the network at all; which copy is used makes no difference.
        return sorted(places.values(), key=lambda place: place.path is None)

    def files(self, place: _Place, name: str, cancellation: Cancellation | None) -> list[IndexFile]:
        """Return the files of a project at a place."""
        project = _project(name)
        if not place.flat:
            return self._pages.get((place.location, project), lambda: self._page(place, project, cancellation))
        everything = self._pages.get((place.location,), lambda: self._flat(place, cancellation))
        return [file for file in everything if _project_and_version(file.filename)[0] == project]

    def matches(self, query: HashQuery, cancellation: Cancellation) -> tuple[IndexFile, ...]:
        """Return the files that have one of a query's hashes."""
        wanted = {checked_sha256(sha256) for sha256 in query.sha256s}
        found: dict[str, IndexFile] = {}
        for place in self.places(query.name, query.index, only=query.only):
            if len(found) == len(wanted):
                break
            for file in self.files(place, query.name, cancellation):
                cancellation.check()
                known = file if file.sha256 is not None else _hashed(file, query)
                if known.sha256 is not None and known.sha256 in wanted:
                    found.setdefault(known.sha256, known)
        return tuple(sorted(found.values(), key=lambda file: (file.filename, file.sha256 or "")))

    def _page(self, place: _Place, project: str, cancellation: Cancellation | None) -> list[IndexFile]:
        if place.path is None:
            return self._read(f"{place.location.rstrip('/')}/{project}/", project, cancellation)
        folder = place.path / project
        page = folder / "index.html"
        if page.is_file():
            return self._read(page.absolute().as_uri(), project, cancellation)
        return list(_folder_files(folder))

    def _flat(self, place: _Place, cancellation: Cancellation | None) -> list[IndexFile]:
        if place.path is not None and not place.path.is_file():
            return list(_folder_files(place.path))
        location = place.location if place.path is None else place.path.absolute().as_uri()
        return self._read(location, "find-links", cancellation)

    def _read(self, url: str, project: str, cancellation: Cancellation | None) -> list[IndexFile]:
        try:
            from crossdock.store.downloads import read_document

            document = read_document(
                self._http,
                url,
                limit_bytes=MAX_PAGE_BYTES,
                headers={"Accept": accept_header()},
                cancellation=cancellation,
            )
        except DownloadError as error:
            if error.status in (404, 410):
                return []
            raise
        return parse_page(document, project)


def _project(name: str) -> str:
    """Normalize a project name, which becomes part of URLs and paths."""
    from packaging.utils import InvalidName, canonicalize_name

    try:
        return canonicalize_name(name, validate=True)
    except InvalidName:
        raise InvalidRequestError(
            f"{name[:80]!r} is not a project name",
            why="it may hold only ASCII letters, digits, '.', '-' and '_', and begin and end with a letter or digit",
            hint="make the lock file again; it may have been edited or damaged",
        ) from None


def _bare(location: str) -> str:
    """Return a place as lock files, which hold no credentials, and settings, which may, have in common."""
    return (split_credentials(location)[0] if "://" in location else location).rstrip("/")


def _place(location: str, *, flat: bool) -> _Place:
    return _Place(location=location, path=local_path(location), flat=flat)


def _folder_files(folder: Path) -> Iterator[IndexFile]:
    """Return the files in a folder, without hashes; a folder that is not there holds none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError):
        for path in sorted(folder.absolute().iterdir()):
            if safe_filename(path.name) and path.is_file():
                yield IndexFile(filename=path.name, url=path.as_uri(), size=path.stat().st_size)


def _hashed(file: IndexFile, query: HashQuery) -> IndexFile:
    """Read a local file's hash, if its name says that it is one of the files asked for."""
    from packaging.utils import canonicalize_version

    path = local_path(file.url)
    wanted = (_project(query.name), canonicalize_version(query.version))
    if path is None or _project_and_version(file.filename) != wanted:
        return file
    try:
        with path.open("rb") as content:
            digest = hashlib.sha256()
            while chunk := content.read(_HASH_CHUNK_BYTES):
                digest.update(chunk)
    except OSError:
        return file
    return replace(file, sha256=digest.hexdigest())


def _project_and_version(filename: str) -> tuple[str, str]:
    """Return what a file name says, normalized; empty strings if it names neither a wheel nor an sdist."""
    from packaging.utils import (
        InvalidSdistFilename,
        InvalidWheelFilename,
        canonicalize_version,
        parse_sdist_filename,
        parse_wheel_filename,
    )

    try:
        if filename.endswith(".whl"):
            name, version, _, _ = parse_wheel_filename(filename)
        else:
            name, version = parse_sdist_filename(filename)
    except (InvalidWheelFilename, InvalidSdistFilename):
        return "", ""
    return name, canonicalize_version(version)
