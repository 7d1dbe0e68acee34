"""Reading poetry.lock, versions 1.0 to 2.1 of its format.

Up to 2.0 a lock says which versions there are, and Poetry resolves again among them from pyproject.toml when it
installs; since 2.1 (Poetry 2) each entry says for which groups and environments it is needed.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidSdistFilename, canonicalize_name, parse_sdist_filename
from packaging.version import Version

from crossdock.errors import UnsupportedLockError
from crossdock.locks.constraints import Constraint, ConstraintError
from crossdock.locks.declared import Declared, Wanted, declared_by_poetry, declared_by_project, wanted_by_poetry
from crossdock.locks.fields import Table, load_toml, locked_file, malformed, project_name, read_text, sha256_of
from crossdock.locks.files import distinct_files, parse_wheel
from crossdock.locks.graph import Entry, Graph
from crossdock.locks.marker_logic import NEVER, all_of, any_of, python_marker, with_extras, with_project_extras
from crossdock.locks.model import Dependency, Lock, LockedFile, Source
from crossdock.locks.staleness import check_poetry_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["read_poetry_lock"]

_MAIN = "main"
_PYPROJECT = "pyproject.toml"
_SOURCES = ("legacy", "url", "file", "directory", "git")


def read_poetry_lock(path: Path, *, pyproject: Mapping[str, Any] | None, frozen: bool) -> Lock:
    """Read a poetry.lock.

    Args:
        path: The file.
        pyproject: The project's pyproject.toml; locks of Poetry before 2 cannot be read without.
        frozen: Take the lock even if pyproject.toml was changed after it.

    Raises:
        MissingLockError: It cannot be read.
        UnsupportedLockError: Its version is not 1 or 2, or pyproject.toml is needed and not there.
        MalformedLockError: It breaks the format, or is not safe to use.
        UnpinnedRequirementError: A file has no SHA-256 hash.
        StaleLockError: pyproject.toml was changed after it was made.
    """
    document = load_toml(path)
    metadata = document.table("metadata")
    if metadata is None:
        raise malformed(str(path), "'metadata' is missing")
    flat = _version(path, metadata) >= (2, 1)
    if pyproject is None and not flat:
        raise UnsupportedLockError(
            f"{path} cannot be read without its pyproject.toml",
            why="Poetry before version 2 writes only there what the project itself needs",
            hint="keep pyproject.toml beside the lock, or lock again with Poetry 2",
        )
    if pyproject is not None and not frozen:
        first_line = read_text(path).split("\n", 1)[0]
        check_poetry_lock(path, metadata.required("content-hash"), first_line, pyproject)
    declared = declared_by_poetry(pyproject or {}, _PYPROJECT)
    files = _Files(metadata)
    entries = [_entry(table, files, flat=flat) for table in document.tables("package")]
    graph = Graph(entries, project=declared.name, roots=declared.roots, flat=flat, where=str(path))
    python = _constraint(metadata.text("python-versions"), metadata.where)
    union = python_marker(python.alternatives) if python.specifiers() is None else None
    roots, optional, groups = (
        _flat(document, entries, [declared, declared_by_project(pyproject or {}, _PYPROJECT)])
        if flat
        else _declared(declared, graph)
    )
    return Lock(
        path=path,
        format="poetry.lock",
        project=declared.name or None,
        requires_python=python.specifiers() or None,
        environments=(union,) if union else (),
        roots=roots,
        optional=optional,
        groups=groups,
        packages=graph.packages(),
    )


def _version(path: Path, metadata: Table) -> tuple[int, ...]:
    # Poetry 1.0 wrote none.
    version = metadata.text("lock-version") or "1.0"
    if not re.fullmatch(r"[12]\.\d{1,3}(\.\d{1,3})?", version):
        raise UnsupportedLockError(
            f"{path} is of lock version {version[:20]!r}",
            why="only versions 1.0 to 2.1 are understood; another version may mean other things by the same words",
            hint="lock with a Poetry that writes one of these, or look for a newer crossdock",
        )
    return tuple(int(part) for part in version.split("."))


_Edges = tuple[tuple[Dependency, ...], dict[str, tuple[Dependency, ...]], dict[str, tuple[Dependency, ...]]]


def _declared(declared: Declared, graph: Graph) -> _Edges:
    """Roots from pyproject.toml."""
    return (
        graph.edges(declared.roots),
        {extra: graph.edges(wanted) for extra, wanted in declared.extras.items()},
        {group: graph.edges(wanted) for group, wanted in declared.groups.items()},
    )


def _flat(document: Table, entries: Iterable[Entry], declared: Iterable[Declared]) -> _Edges:
    """Roots from the lock itself: every entry is one, under its own condition.

    What is declared adds the extras asked for, which the lock has settled but does not tell, and groups without
    packages.
    """
    asked: dict[str, set[str]] = {}
    for part in declared:
        for wanted in (*part.roots, *itertools.chain(*part.extras.values(), *part.groups.values())):
            asked.setdefault(wanted.name, set()).update(wanted.extras)
    roots: list[Dependency] = []
    groups: dict[str, list[Dependency]] = {group: [] for part in declared for group in part.groups}
    for index, (table, entry) in enumerate(zip(document.tables("package"), entries, strict=True)):
        for group, marker in _conditions(table).items():
            if marker != NEVER:
                kept = roots if group == _MAIN else groups.setdefault(group, [])
                extras = tuple(sorted(asked.get(entry.name, ())))
                kept.append(Dependency(name=entry.name, index=index, marker=marker, extras=extras))
    offered = document.table("extras")
    names = [project_name(extra, document.where) for extra in offered.data] if offered else []
    return tuple(roots), dict.fromkeys(names, ()), {name: tuple(found) for name, found in groups.items()}


def _conditions(table: Table) -> dict[str, str | None]:
    """Read by group when an entry is needed (format 2.1)."""
    where = table.where
    groups = [project_name(group, where) for group in table.texts("groups")]
    if isinstance(table.data.get("markers"), dict):
        by_group = table.table("markers") or table
        return {group: _marker(by_group, group) for group in groups}
    marker = _marker(table, "markers")
    return dict.fromkeys(groups, marker)


def _marker(table: Table, key: str) -> str | None:
    return with_project_extras(table.marker(key), table.where)


def _condition(table: Table) -> str | None:
    """Write when an entry is needed as one marker that asks for the groups."""
    return any_of(
        marker if group == _MAIN else all_of([f"'{group}' in dependency_groups", marker])
        for group, marker in _conditions(table).items()
    )


def _entry(table: Table, files: _Files, *, flat: bool) -> Entry:
    name = project_name(table.required("name"), table.where)
    table.where = f"{table.where}: package {name}"
    version = table.version()
    if version is None:
        raise malformed(table.where, "'version' is missing")
    source_table = table.table("source")
    source = (
        _source(source_table, develop=table.data.get("develop") is True) if source_table else Source(kind="registry")
    )
    locked, hashes = files.of(table, name, version, source)
    needs, extras = _dependencies(table)
    return Entry(
        name=name,
        version=version,
        source=source,
        index_name=(source_table.text("reference") or "") if source_table else "",
        python=_constraint(table.text("python-versions"), table.where),
        needs=needs,
        extras=extras,
        condition=_condition(table) if flat else None,
        files=locked,
        hashes=hashes,
    )


def _source(table: Table, *, develop: bool) -> Source:
    kind = table.required("type")
    location = table.required("url")
    subdirectory = table.text("subdirectory") or ""
    if kind == "git":
        revision = table.text("resolved_reference") or ""
        return Source(kind="vcs", location=location, revision=revision, subdirectory=subdirectory)
    if kind == "legacy":
        return Source(kind="registry", location=location)
    if kind == "url":
        return Source(kind="url", location=location, subdirectory=subdirectory)
    if kind == "file":
        return Source(kind="path", location=location, subdirectory=subdirectory)
    if kind == "directory":
        return Source(kind="directory", location=location, editable=develop, subdirectory=subdirectory)
    raise malformed(table.where, f"'type' of the source is none of {', '.join(_SOURCES)}")


class _Files:
    """Where a package's files are: beside it, or in formats before 2.0 by name in ``[metadata.files]``."""

    def __init__(self, metadata: Table) -> None:
        self._by_name = _by_normalised(metadata.table("files"))
        self._hashes = _by_normalised(metadata.table("hashes"))

    def of(
        self, table: Table, name: str, version: str, source: Source
    ) -> tuple[tuple[LockedFile, ...], frozenset[str]]:
        if source.kind in {"directory", "vcs"}:
            return (), frozenset()
        if "files" in table.data:
            items = list(table.tables("files"))
        elif name in self._by_name:
            by_name = self._by_name[name]
            items = [item for item in by_name.tables(name, table.where) if _is_of(item.required("file"), version)]
        elif name in self._hashes:
            digests = self._hashes[name].texts(name)
            return (), frozenset(sha256_of(f"sha256:{digest}", table.where) for digest in digests)
        else:
            items = []
        if source.kind in {"url", "path"} and len(items) > 1:
            # The source is one file, and the lock may know others of that version by another source.
            items = [item for item in items if source.location.endswith(f"/{item.required('file')}")] or items
        return distinct_files((_file(item, table.where, source) for item in items), table.where), frozenset()


def _by_normalised(table: Table | None) -> dict[str, Table]:
    if table is None:
        return {}
    found: dict[str, Table] = {}
    for name, value in table.data.items():
        normalised = canonicalize_name(name)
        found[normalised] = Table({normalised: value}, where=table.where)
    return found


def _is_of(filename: str, version: str) -> bool:
    """Tell files of another version, where the lock keeps a name's files of all versions together."""
    wheel = parse_wheel(filename) if filename.endswith(".whl") else None
    if wheel is not None:
        return wheel[1] == Version(version)
    try:
        return parse_sdist_filename(filename)[1] == Version(version)
    except (InvalidSdistFilename, ValueError):
        return version in filename


def _file(item: Table, where: str, source: Source) -> LockedFile:
    return locked_file(
        where,
        name=item.required("file"),
        url=source.location if source.kind == "url" else None,
        path=source.location if source.kind == "path" else None,
        digest=item.text("hash"),
    )


def _dependencies(table: Table) -> tuple[tuple[Wanted, ...], dict[str, tuple[Wanted, ...]]]:
    """Read what an entry always needs, and what its extras add."""
    listed = table.table("dependencies")
    wants = [
        wanted
        for name, value in (listed.data if listed else {}).items()
        for wanted in wanted_by_poetry(name, value, table.where)
    ]
    extras = table.table("extras")
    needs = tuple(_settled(wanted, None, table.where) for wanted in wants if not wanted.optional)
    if extras is None:
        return needs, {}
    by_extra: dict[str, tuple[Wanted, ...]] = {}
    optional = [wanted for wanted in wants if wanted.optional]
    for raw in extras.data if optional else ():
        extra = project_name(raw, table.where)
        names = {_name_in(line, table.where) for line in extras.texts(raw)}
        found = (_settled(wanted, extra, table.where) for wanted in optional if wanted.name in names)
        by_extra[extra] = tuple(wanted for wanted in found if wanted.marker != NEVER)
    return needs, by_extra


def _settled(wanted: Wanted, extra: str | None, where: str) -> Wanted:
    marker = with_extras(wanted.marker, frozenset({extra} if extra else ()), where)
    return Wanted(
        name=wanted.name,
        constraint=wanted.constraint,
        marker=marker,
        extras=wanted.extras,
        origin=wanted.origin,
        index=wanted.index,
    )


def _name_in(line: str, where: str) -> str:
    """Read the name of what an extra lists, in which old Poetry broke the rules for what follows the name."""
    try:
        return canonicalize_name(Requirement(line).name)
    except (InvalidRequirement, ValueError, RecursionError):
        match = re.match(r"[A-Za-z0-9][A-Za-z0-9._-]*", line)
        if match is None:
            raise malformed(where, f"an extra lists {line[:60]!r}, which names nothing") from None
        return canonicalize_name(match.group())


def _constraint(text: str | None, where: str) -> Constraint:
    try:
        return Constraint.parse(text) if text else Constraint()
    except ConstraintError as error:
        raise malformed(where, str(error)) from error
