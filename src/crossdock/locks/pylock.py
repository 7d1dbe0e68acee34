"""Reading pylock.toml (PEP 751, version 1.0 of its format); ``packaging`` validates it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from packaging import pylock

from crossdock.errors import UnpinnedRequirementError, UnsupportedLockError
from crossdock.locks.fields import load_toml, locked_file, malformed, project_name
from crossdock.locks.files import distinct_files
from crossdock.locks.model import Dependency, Lock, LockedFile, Package, Source, SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["read_pylock"]


def read_pylock(path: Path) -> Lock:
    """Read a pylock.toml.

    Raises:
        MissingLockError: It cannot be read.
        UnsupportedLockError: Its version is not 1.
        MalformedLockError: It breaks the format, or is not safe to use.
        UnpinnedRequirementError: A file has no SHA-256 hash.
    """
    document = load_toml(path)
    for number, table in enumerate(document.tables("packages")):
        # Twice as strict as need be, but packaging's own complaint names a package by number only.
        project_name(table.required("name"), f"{path}: packages[{number}]")
    try:
        lock = pylock.Pylock.from_dict(document.data)
    except pylock.PylockUnsupportedVersionError as error:
        raise UnsupportedLockError(
            f"{path} is of a version of the format that is not understood", why=str(error)[:200]
        ) from error
    except (pylock.PylockValidationError, ValueError, TypeError, RecursionError) as error:
        raise malformed(str(path), str(error)) from error
    entries = [entry for entry in lock.packages if not _is_project(entry)]
    return Lock(
        path=path,
        format="pylock.toml",
        requires_python=_text(lock.requires_python),
        environments=tuple(str(marker) for marker in lock.environments or ()),
        packages=tuple(_package(path, entry) for entry in entries),
        roots=tuple(
            Dependency(name=entry.name, index=index, marker=_text(entry.marker)) for index, entry in enumerate(entries)
        ),
        optional=dict.fromkeys(lock.extras or (), ()),
        groups={
            project_name(group, str(path)): ()
            for group in (*(lock.dependency_groups or ()), *(lock.default_groups or ()))
        },
        default_groups=tuple(project_name(group, str(path)) for group in lock.default_groups or ()),
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _is_project(entry: pylock.Package) -> bool:
    folder = entry.directory
    return folder is not None and not folder.subdirectory and PurePosixPath(folder.path) == PurePosixPath()


def _package(path: Path, entry: pylock.Package) -> Package:
    where = f"{path}: package {entry.name}"
    return Package(
        name=entry.name,
        version=_text(entry.version),
        source=_source(entry),
        files=distinct_files(_files(entry, where), where),
        requires_python=_text(entry.requires_python),
    )


def _source(entry: pylock.Package) -> Source:
    if entry.vcs is not None:
        return Source(kind="vcs", location=entry.vcs.url or entry.vcs.path or "")
    if entry.directory is not None:
        return Source(kind="directory", location=entry.directory.path, editable=bool(entry.directory.editable))
    if entry.archive is not None:
        kind: SourceKind = "path" if entry.archive.path else "url"
        return Source(kind=kind, location=entry.archive.path or entry.archive.url or "")
    return Source(kind="registry", location=entry.index or "")


def _files(entry: pylock.Package, where: str) -> Iterable[LockedFile]:
    for file in (*(entry.wheels or ()), entry.sdist):
        if file is not None:
            digest = _digest(file.hashes, where)
            yield locked_file(where, name=file.filename, url=file.url, path=file.path, digest=digest, size=file.size)
    if archive := entry.archive:
        digest = _digest(archive.hashes, where)
        yield locked_file(where, url=archive.url, path=archive.path, digest=digest, size=archive.size)


def _digest(hashes: Mapping[str, str], where: str) -> str:
    for algorithm, digits in hashes.items():
        if algorithm.lower() == "sha256":
            return f"sha256:{digits}"
    raise UnpinnedRequirementError(
        f"{where}: no SHA-256 hash",
        why=f"only {', '.join(sorted(hashes))[:80]!r} is there",
        hint="lock against an index that gives SHA-256 hashes",
    )
