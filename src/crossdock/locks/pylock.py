"""Reading pylock.toml (PEP 751, version 1 of its format); ``packaging`` validates it."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging import pylock

from crossdock.errors import UnpinnedRequirementError, UnsupportedLockError
from crossdock.locks.fields import load_toml, locked_file, malformed, project_name
from crossdock.locks.files import distinct_files
from crossdock.locks.model import Dependency, Lock, LockedFile, Package, Source, SourceKind
from crossdock.locks.uv_sources import file_or_url, full_commit, inner_folder, repository_url

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = ["read_pylock"]


def read_pylock(path: Path, project: str | None = None) -> Lock:
    """Read a pylock.toml.

    Args:
        path: The file.
        project: Name of the project to be built; a folder of that name among the packages is the project itself.

    Raises:
        MissingLockError: It cannot be read.
        UnsupportedLockError: Its version is not 1.x.
        MalformedLockError: It breaks the format, or is not safe to use.
        UnpinnedRequirementError: A file has no SHA-256 hash, or a repository no full commit.
    """
    document = load_toml(path)
    for number, table in enumerate(document.tables("packages")):
        # Twice as strict as need be, but packaging's own complaint names a package by number only.
        project_name(table.required("name"), f"{path}: packages[{number}]")
    try:
        with _newer_versions_accepted():
            lock = pylock.Pylock.from_dict(document.data)
    except pylock.PylockUnsupportedVersionError as error:
        raise UnsupportedLockError(
            f"{path} is of a version of the format that is not understood",
            why=str(error)[:200],
            hint="export it as lock-version 1.0, or look for a newer crossdock",
        ) from error
    except (pylock.PylockValidationError, ValueError, TypeError, RecursionError) as error:
        raise malformed(str(path), str(error)) from error
    own = project_name(project, str(path)) if project else None
    tables = document.data["packages"]
    pairs = [(entry, table) for entry, table in zip(lock.packages, tables, strict=True) if not _is_project(entry, own)]
    finder = _Finder([table for _, table in pairs])
    return Lock(
        path=path,
        format="pylock.toml",
        requires_python=_text(lock.requires_python),
        environments=tuple(str(marker) for marker in lock.environments or ()),
        packages=tuple(_package(path, entry, finder) for entry, _ in pairs),
        roots=tuple(
            Dependency(name=entry.name, index=index, marker=_text(entry.marker))
            for index, (entry, _) in enumerate(pairs)
        ),
        optional={project_name(extra, str(path)): () for extra in lock.extras or ()},
        groups={
            project_name(group, str(path)): ()
            for group in (*(lock.dependency_groups or ()), *(lock.default_groups or ()))
        },
        default_groups=tuple(project_name(group, str(path)) for group in lock.default_groups or ()),
    )


@contextmanager
def _newer_versions_accepted() -> Iterator[None]:
    """Keep packaging from logging that 1.x is newer than what it knows: PEP 751 has such files read all the same."""
    logger = logging.getLogger(pylock.__name__)
    disabled, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = disabled


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _is_project(entry: pylock.Package, own: str | None) -> bool:
    folder = entry.directory
    if folder is None:
        return False
    return entry.name == own or (not folder.subdirectory and PurePosixPath(folder.path) == PurePosixPath())


class _Finder:
    """Finds the packages that an entry of ``dependencies`` means: those that have all of its keys and values.

    What matches none is left out: the key only informs.
    """

    def __init__(self, tables: Sequence[Mapping[str, Any]]) -> None:
        self._tables = tables
        self._by_name: dict[object, list[int]] = {}
        for index, table in enumerate(tables):
            self._by_name.setdefault(table["name"], []).append(index)

    def dependencies(self, entries: Iterable[Mapping[str, Any]]) -> tuple[Dependency, ...]:
        found: dict[int, Dependency] = {}
        for entry in entries:
            name = entry.get("name")
            for index in self._by_name.get(name, ()) if isinstance(name, str) else ():
                if _within(entry, self._tables[index]):
                    found.setdefault(index, Dependency(name=str(name), index=index))
        return tuple(found.values())


def _within(part: object, whole: object) -> bool:
    """Say whether all keys of a table, and of tables in it, are in another with the same values."""
    if isinstance(part, dict):
        return isinstance(whole, dict) and all(key in whole and _within(part[key], whole[key]) for key in part)
    return part == whole


def _package(path: Path, entry: pylock.Package, finder: _Finder) -> Package:
    where = f"{path}: package {entry.name}"
    return Package(
        name=entry.name,
        version=_text(entry.version),
        source=_source(entry, where),
        files=distinct_files(_files(entry, where), where),
        requires_python=_text(entry.requires_python),
        dependencies=finder.dependencies(entry.dependencies or ()),
        attestation_identities=tuple(entry.attestation_identities or ()),
    )


def _source(entry: pylock.Package, where: str) -> Source:
    if entry.vcs is not None:
        return _repository(entry.vcs, where)
    if entry.directory is not None:
        folder = entry.directory
        return Source(
            kind="directory",
            location=_printable(folder.path, where),
            editable=bool(folder.editable),
            subdirectory=inner_folder(folder.subdirectory or "", where),
        )
    if entry.archive is not None:
        url, path = _place(entry.archive.url, entry.archive.path)
        kind: SourceKind = "url" if path is None else "path"
        return Source(
            kind=kind,
            location=_printable(path or url or "", where),
            subdirectory=inner_folder(entry.archive.subdirectory or "", where),
        )
    return Source(kind="registry", location=entry.index or "")


def _repository(vcs: pylock.PackageVcs, where: str) -> Source:
    location = repository_url(vcs.url.removeprefix("git+"), where) if vcs.url else _printable(vcs.path or "", where)
    if vcs.type != "git":
        # Kept apart by its prefix, as in requirements, so that nobody takes it for a git repository.
        return Source(kind="vcs", location=f"{project_name(vcs.type, where)}+{location}", revision=vcs.commit_id)
    return Source(
        kind="vcs",
        location=location,
        revision=full_commit(vcs.commit_id, where),
        subdirectory=inner_folder(vcs.subdirectory or "", where),
    )


def _printable(text: str, where: str) -> str:
    if not text.isprintable():
        raise malformed(where, "a path has control characters")
    return text


def _files(entry: pylock.Package, where: str) -> Iterator[LockedFile]:
    for file in (*(entry.wheels or ()), entry.sdist):
        if file is not None:
            yield _file(where, file, file.filename)
    if entry.archive:
        yield _file(where, entry.archive, None)


def _file(
    where: str, file: pylock.PackageWheel | pylock.PackageSdist | pylock.PackageArchive, name: str | None
) -> LockedFile:
    url, path = _place(file.url, file.path)
    return locked_file(where, name=name, url=url, path=path, digest=_digest(file.hashes, where), size=file.size)


def _place(url: str | None, path: str | None) -> tuple[str | None, str | None]:
    """Give a URL and a path; uv writes file: URLs for folders of files, and these are paths."""
    if url is None:
        return None, path
    url, local = file_or_url(url)
    return url, path or local


def _digest(hashes: Mapping[str, str], where: str) -> str:
    for algorithm, digits in hashes.items():
        if algorithm.lower() == "sha256":
            return f"sha256:{digits}"
    raise UnpinnedRequirementError(
        f"{where}: no SHA-256 hash",
        why=f"only {', '.join(sorted(hashes))[:80]!r} is there",
        hint="lock against an index that gives SHA-256 hashes",
    )
