"""Reading uv.lock, version 1 of its format."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from crossdock.errors import UnsupportedLockError
from crossdock.locks.fields import Table, load_toml, locked_file, malformed, project_name
from crossdock.locks.files import distinct_files
from crossdock.locks.markers import parse_marker
from crossdock.locks.model import Dependency, Lock, LockedFile, Package, Source, SourceKind

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["read_uv_lock"]

#: By key of the ``source`` table.
_SOURCES: dict[str, SourceKind] = {
    "registry": "registry",
    "url": "url",
    "path": "path",
    "directory": "directory",
    "editable": "directory",
    "virtual": "virtual",
    "git": "vcs",
}
_CONFLICT_MARKER = re.compile(r"""extra (==|!=) (['"])(extra|group|project)-(\d{1,4})-([^'"]*)\2""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A package table with the three values that dependencies refer to it by."""

    table: Table
    name: str
    version: str | None
    source: Source


def read_uv_lock(path: Path, project: str | None = None) -> Lock:
    """Read a uv.lock.

    Args:
        path: The file.
        project: Name of the project to be built, to make sure that the lock is its own.

    Raises:
        MissingLockError: It cannot be read.
        UnsupportedLockError: Its version is not 1, or the project is a workspace member other than the root.
        MalformedLockError: It breaks the format, or is not safe to use.
        UnpinnedRequirementError: A file has no SHA-256 hash.
    """
    document = load_toml(path)
    _check_version(path, document)
    entries = [_entry(table) for table in document.tables("package")]
    root = _root(path, entries, project)
    fetched = [entry for entry in entries if entry is not root]
    resolver = _Resolver(fetched, root.name)
    return Lock(
        path=path,
        format="uv.lock",
        project=root.name,
        requires_python=document.specifiers("requires-python"),
        environments=_environments(document),
        packages=tuple(_package(entry, resolver) for entry in fetched),
        roots=resolver.all(root.table, "dependencies"),
        optional=resolver.by_name(root.table, "optional-dependencies"),
        groups=resolver.by_name(root.table, "dev-dependencies"),
    )


def _check_version(path: Path, document: Table) -> None:
    version = document.integer("version")
    if version is None:
        raise malformed(str(path), "'version' is missing")
    if version != 1:
        raise UnsupportedLockError(
            f"{path} is of lock version {version}",
            why="only version 1 is understood; another version may mean other things by the same words",
            hint="lock with a uv that writes version 1, or look for a newer crossdock",
        )


def _environments(document: Table) -> tuple[str, ...]:
    markers = document.texts("supported-markers")
    for marker in markers:
        parse_marker(marker, document.where)
    return markers


def _entry(table: Table) -> _Entry:
    name = project_name(table.required("name"), table.where)
    table.where = f"{table.where}: package {name}"
    source = table.table("source")
    if source is None:
        raise malformed(table.where, "'source' is missing")
    return _Entry(table=table, name=name, version=table.version(), source=_source(source))


def _source(table: Table) -> Source:
    kinds = [key for key in _SOURCES if key in table.data]
    if len(kinds) != 1:
        raise malformed(table.where, f"'source' is none of {', '.join(_SOURCES)}")
    return Source(kind=_SOURCES[kinds[0]], location=table.required(kinds[0]), editable=kinds[0] == "editable")


def _is_root(source: Source) -> bool:
    return source.kind in {"directory", "virtual"} and PurePosixPath(source.location) == PurePosixPath()


def _root(path: Path, entries: Iterable[_Entry], project: str | None) -> _Entry:
    roots = [entry for entry in entries if _is_root(entry.source)]
    wanted = project_name(project, str(path)) if project else None
    if len(roots) == 1 and wanted in {None, roots[0].name}:
        return roots[0]
    if any(entry.name == wanted and entry.source.kind in {"directory", "virtual"} for entry in entries):
        raise UnsupportedLockError(
            f"{wanted} is a member of the workspace that {path} locks, not its root",
            why="members of a workspace cannot be built yet",
            hint="give the member a lock of its own: uv export --package NAME > requirements.txt",
        )
    if len(roots) == 1:
        raise UnsupportedLockError(
            f"{path} locks the project {roots[0].name}, not {wanted}",
            hint="run uv lock in the project's folder, or name its lock as [tool.crossdock] lock",
        )
    raise UnsupportedLockError(
        f"{path} has no project at its root",
        why="its packages hang on members of a workspace, and these cannot be built yet",
        hint="write the dependencies of one member: uv export --package NAME > requirements.txt",
    )


class _Resolver:
    """Finds the entry that a dependency means: by name, and by version and source where a name has forks."""

    def __init__(self, entries: list[_Entry], project: str) -> None:
        self._project = project
        self._by_name: dict[str, list[tuple[int, _Entry]]] = {}
        for index, entry in enumerate(entries):
            self._by_name.setdefault(entry.name, []).append((index, entry))

    def all(self, table: Table, key: str) -> tuple[Dependency, ...]:
        return tuple(self._dependency(item) for item in table.tables(key))

    def by_name(self, table: Table, key: str) -> dict[str, tuple[Dependency, ...]]:
        inner = table.table(key)
        if inner is None:
            return {}
        return {project_name(name, table.where): self.all(inner, name) for name in inner.data}

    def _dependency(self, table: Table) -> Dependency:
        name = project_name(table.required("name"), table.where)
        return Dependency(
            name=name,
            index=None if name == self._project else self._index(name, table),
            marker=_marker(table, self._project),
            extras=tuple(project_name(extra, table.where) for extra in table.texts("extra")),
        )

    def _index(self, name: str, table: Table) -> int:
        version = table.version()
        source_table = table.table("source")
        source = _source(source_table) if source_table else None
        fitting = [
            index
            for index, entry in self._by_name.get(name, ())
            if version in {None, entry.version} and source in {None, entry.source}
        ]
        if len(fitting) != 1:
            count = "no entry" if not fitting else f"{len(fitting)} entries"
            raise malformed(table.where, f"{count} for its dependency {name} {version or ''}".rstrip())
        return fitting[0]


def _marker(table: Table, project: str) -> str | None:
    """Read a marker; what uv encodes in ``extra`` for conflicts becomes PEP 751's ``extras`` and groups."""
    marker = table.text("marker")
    if marker is None:
        return None

    def replace(match: re.Match[str]) -> str:
        operator, _, kind, length, rest = match.groups()
        package, name = rest[: int(length)], rest[int(length) + 1 :]
        membership = "in" if operator == "==" else "not in"
        if kind == "project" or package != project:
            # Another member's; kept whole, which no set of names holds: that member is not being built.
            return f"'{kind}-{length}-{rest}' {membership} extras"
        return f"'{name}' {membership} {'extras' if kind == 'extra' else 'dependency_groups'}"

    marker = _CONFLICT_MARKER.sub(replace, marker)
    parse_marker(marker, table.where)
    return marker


def _package(entry: _Entry, resolver: _Resolver) -> Package:
    table, source = entry.table, entry.source
    files: list[LockedFile] = []
    if source.kind in {"registry", "url", "path"}:
        tables = [*table.tables("wheels")]
        if sdist := table.table("sdist"):
            tables.append(sdist)
        files = [_file(item, source) for item in tables]
    return Package(
        name=entry.name,
        version=entry.version,
        source=source,
        files=distinct_files(files, table.where),
        dependencies=resolver.all(table, "dependencies"),
        extras=resolver.by_name(table, "optional-dependencies"),
    )


def _file(table: Table, source: Source) -> LockedFile:
    url, path, name = table.text("url"), table.text("path"), table.text("filename")
    if url is None and path is None:
        # A file that is the package's source itself has its address there.
        url = source.location if source.kind == "url" else None
        path = source.location if source.kind == "path" else None
    if url is None and path is None:
        raise malformed(table.where, "a file has neither url nor path")
    return locked_file(
        table.where, name=name, url=url, path=path, digest=table.text("hash"), size=table.integer("size")
    )
