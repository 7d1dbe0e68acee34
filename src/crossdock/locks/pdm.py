"""Reading pdm.lock, versions 4.3 to 4.5 of its format.

With the strategy ``inherit_metadata`` (pdm's default since 4.5) each entry says for which groups and environments it
is needed; without it pdm resolves again among the locked versions from pyproject.toml when it installs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from crossdock.errors import UnsupportedLockError
from crossdock.locks.constraints import Constraint, ConstraintError
from crossdock.locks.declared import Declared, Wanted, declared_by_project, table_of, wanted_by_requirement
from crossdock.locks.fields import Table, load_toml, locked_file, malformed, project_name
from crossdock.locks.files import distinct_files
from crossdock.locks.graph import Entry, Graph
from crossdock.locks.marker_logic import all_of, any_of, python_marker
from crossdock.locks.model import Dependency, Lock, LockedFile, Source
from crossdock.locks.staleness import check_pdm_lock

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

__all__ = ["read_pdm_lock"]

_MAIN = "default"
_PYPROJECT = "pyproject.toml"
_VCS = ("git", "hg", "svn", "bzr")
_ROOT = "${PROJECT_ROOT}"
#: What pdm calls a platform, by its beginning: ``sys_platform`` there.
_SYSTEMS = {
    "manylinux": "linux",
    "musllinux": "linux",
    "linux": "linux",
    "alpine": "linux",
    "macos": "darwin",
    "windows": "win32",
}
#: Machines of pdm's names that mean one of them.
_ALIASES = {"linux": "x86_64", "alpine": "x86_64", "macos": "arm64", "windows": "AMD64"}
_WINDOWS_MACHINES = {"amd64": "AMD64", "x86_64": "AMD64", "x86": "x86", "arm64": "ARM64", "aarch64": "ARM64"}
_IMPLEMENTATIONS = {"cpython": "CPython", "pypy": "PyPy", "pyston": "Pyston"}


@dataclass(slots=True, kw_only=True)
class _Merged:
    """The tables of one version of a project: one for it alone, and one for each set of extras asked for."""

    name: str
    version: str | None
    source: Source
    python: Constraint
    tables: list[tuple[Table, tuple[str, ...]]] = field(default_factory=list)


def read_pdm_lock(path: Path, *, pyproject: Mapping[str, Any] | None, frozen: bool) -> Lock:
    """Read a pdm.lock.

    Args:
        path: The file.
        pyproject: The project's pyproject.toml; locks without the strategy ``inherit_metadata`` need it.
        frozen: Take the lock even if pyproject.toml was changed after it.

    Raises:
        MissingLockError: It cannot be read.
        UnsupportedLockError: Its version is not 4.3 or a later one of 4, or pyproject.toml is needed and not there.
        MalformedLockError: It breaks the format, or is not safe to use.
        UnpinnedRequirementError: A file has no SHA-256 hash.
        StaleLockError: pyproject.toml was changed after it was made.
    """
    document = load_toml(path)
    metadata = document.table("metadata")
    if metadata is None:
        raise malformed(str(path), "'metadata' is missing")
    _check_version(path, metadata)
    flat = "inherit_metadata" in metadata.texts("strategy")
    if not flat:
        _check_pyproject(path, pyproject)
    content_hash = metadata.text("content_hash")
    if pyproject is not None and content_hash and "lock_inputs" not in metadata.data and not frozen:
        check_pdm_lock(path, content_hash, pyproject)
    declared = declared_by_project(pyproject or {}, _PYPROJECT)
    merged = _merge(document, declared.name)
    entries = [_entry(item, flat=flat) for item in merged]
    graph = Graph(
        entries,
        project=declared.name,
        roots=declared.roots,
        flat=flat,
        where=str(path),
        ignored=_excluded(pyproject or {}),
    )
    extras, groups = _offered(metadata, declared)
    everything = _flat(merged) if flat else _declared(declared, graph)
    requires_python, environments = _targets(metadata, pyproject or {})
    return Lock(
        path=path,
        format="pdm.lock",
        project=declared.name or None,
        requires_python=requires_python,
        environments=environments,
        roots=everything.get(_MAIN, ()),
        optional={extra: everything.get(extra, ()) for extra in extras},
        groups={group: everything.get(group, ()) for group in groups},
        packages=graph.packages(),
    )


def _check_version(path: Path, metadata: Table) -> None:
    version = metadata.text("lock_version") or "none"
    match = re.fullmatch(r"4\.(\d{1,3})(?:\.\d{1,3})?", version)
    if match is None or int(match.group(1)) < 3:
        raise UnsupportedLockError(
            f"{path} is of lock version {version[:20]!r}",
            why="only versions 4.3 to 4.5 are understood; another version may mean other things by the same words",
            hint="lock with a pdm that writes one of these (2.8 or later), or look for a newer crossdock",
        )


def _check_pyproject(path: Path, pyproject: Mapping[str, Any] | None) -> None:
    if pyproject is None:
        raise UnsupportedLockError(
            f"{path} cannot be read without its pyproject.toml",
            why="without the strategy inherit_metadata pdm writes only there what the project itself needs",
            hint="keep pyproject.toml beside the lock, or lock with: pdm lock -S inherit_metadata",
        )
    if not isinstance(pyproject.get("project"), dict):
        raise UnsupportedLockError(
            f"{path} cannot be read: its pyproject.toml has no [project]",
            why="that is where a pdm project says what it needs",
            hint="add [project] with its dependencies, or lock with: pdm lock -S inherit_metadata",
        )


def _offered(metadata: Table, declared: Declared) -> tuple[list[str], list[str]]:
    """Tell extras from groups; the lock names both alike, so without pyproject.toml a name may be either."""
    if "groups" not in metadata.data:
        return list(declared.extras), list(declared.groups)
    named = [project_name(group, metadata.where) for group in metadata.texts("groups") if group != _MAIN]
    if not declared.extras and not declared.groups:
        return named, named
    return [name for name in named if name in declared.extras], [name for name in named if name not in declared.extras]


def _excluded(pyproject: Mapping[str, Any]) -> frozenset[str]:
    pdm = table_of(table_of(pyproject, "tool", _PYPROJECT), "pdm", _PYPROJECT)
    names = table_of(pdm, "resolution", _PYPROJECT).get("excludes", [])
    return frozenset(canonicalize_name(name) for name in names if isinstance(name, str)) if names else frozenset()


def _declared(declared: Declared, graph: Graph) -> dict[str, tuple[Dependency, ...]]:
    found = {_MAIN: graph.edges(declared.roots)}
    for wants in (declared.groups, declared.extras):
        found.update({name: graph.edges(wanted) for name, wanted in wants.items()})
    return found


def _flat(merged: Sequence[_Merged]) -> dict[str, tuple[Dependency, ...]]:
    """Roots from the lock itself: every table is one, of its groups and under its marker."""
    found: dict[str, list[Dependency]] = {}
    for index, item in enumerate(merged):
        for table, extras in item.tables:
            marker = table.marker()
            keys = _keys(extras)
            for group in _groups(table):
                edge = Dependency(name=item.name, index=index, marker=marker, extras=keys)
                found.setdefault(group, []).append(edge)
    return {group: tuple(edges) for group, edges in found.items()}


def _groups(table: Table) -> list[str]:
    return [project_name(group, table.where) for group in table.texts("groups")]


def _merge(document: Table, project: str) -> list[_Merged]:
    """Bring the tables of one version together; the project itself, which an extra of its own brings in, is none."""
    found: dict[tuple[str, str | None, Source], _Merged] = {}
    for table in document.tables("package"):
        name = project_name(table.required("name"), table.where)
        table.where = f"{table.where}: package {name}"
        source = _source(table)
        if name == project and source.kind == "directory" and PurePosixPath(source.location) == PurePosixPath():
            continue
        version = table.version()
        if version is None and source.kind not in {"directory", "vcs"}:
            raise malformed(table.where, "'version' is missing")
        python = _constraint(table.text("requires_python"), table.where)
        item = found.setdefault(
            (name, version, source), _Merged(name=name, version=version, source=source, python=python)
        )
        extras = tuple(sorted({project_name(extra, table.where) for extra in table.texts("extras")}))
        item.tables.append((table, extras))
    return list(found.values())


def _keys(extras: tuple[str, ...]) -> tuple[str, ...]:
    """The name of a set of extras: pdm resolves each set that is asked for as one."""
    return (",".join(extras),) if extras else ()


def _entry(item: _Merged, *, flat: bool) -> Entry:
    needs: tuple[Wanted, ...] = ()
    by_extra: dict[str, tuple[Wanted, ...]] = {}
    files: list[LockedFile] = []
    conditions: list[str | None] = []
    for table, extras in item.tables:
        wanted = tuple(
            _with_key(wanted_by_requirement(line, table.where))
            for line in table.texts("dependencies")
            if not line.lstrip().startswith("-")
        )
        wanted = tuple(one for one in wanted if one.name != item.name)
        if extras:
            (key,) = _keys(extras)
            by_extra[key] = (*by_extra.get(key, ()), *wanted)
        else:
            needs = (*needs, *wanted)
        if item.source.kind not in {"directory", "vcs"}:
            files += [_file(file, table.where, item.source) for file in table.tables("files")]
        marker = table.marker()
        conditions += [marker if group == _MAIN else all_of([_membership(group), marker]) for group in _groups(table)]
    return Entry(
        name=item.name,
        version=item.version,
        source=item.source,
        python=item.python,
        needs=needs,
        extras=by_extra,
        condition=any_of(conditions) if flat else None,
        files=distinct_files(files, item.tables[0][0].where),
    )


def _membership(group: str) -> str:
    """The lock does not say whether a name is an extra's or a group's."""
    return f"('{group}' in extras or '{group}' in dependency_groups)"


def _with_key(wanted: Wanted) -> Wanted:
    return Wanted(
        name=wanted.name,
        constraint=wanted.constraint,
        marker=wanted.marker,
        extras=_keys(wanted.extras),
        origin=wanted.origin,
    )


def _source(table: Table) -> Source:
    subdirectory = table.text("subdirectory") or ""
    editable = table.data.get("editable") is True
    for kind in _VCS:
        if (location := table.text(kind)) is not None:
            revision = table.text("revision") or ""
            return Source(kind="vcs", location=location, revision=revision, subdirectory=subdirectory)
    path, url = table.text("path"), table.text("url")
    if path is None and url is not None and url.startswith(("file:///" + _ROOT, "file://" + _ROOT)):
        path = "." + url.split(_ROOT, 1)[1]
    if path is not None:
        is_file = path.endswith((".whl", ".tar.gz", ".zip", ".tar.bz2", ".tgz"))
        if is_file and not editable:
            return Source(kind="path", location=path, subdirectory=subdirectory)
        return Source(kind="directory", location=path, editable=editable, subdirectory=subdirectory)
    if url is not None:
        return Source(kind="url", location=url.partition("#")[0], subdirectory=subdirectory)
    return Source(kind="registry")


def _file(item: Table, where: str, source: Source) -> LockedFile:
    url = item.text("url") or (source.location if source.kind == "url" else None)
    return locked_file(
        where,
        name=item.text("file"),
        url=url.partition("#")[0] if url else None,
        path=source.location if source.kind == "path" else None,
        digest=item.text("hash"),
    )


def _targets(metadata: Table, pyproject: Mapping[str, Any]) -> tuple[str | None, tuple[str, ...]]:
    """Read what the lock was made for: version specifiers, or markers of which one must hold."""
    targets = list(metadata.tables("targets"))
    if not targets:
        # Before 4.5 a lock was for what the project is for.
        text = table_of(pyproject, "project", _PYPROJECT).get("requires-python")
        return _constraint(text if isinstance(text, str) else None, _PYPROJECT).specifiers() or None, ()
    pythons = [_constraint(target.text("requires_python"), target.where) for target in targets]
    markers = [
        all_of([None if python.is_any else python_marker(python.alternatives), _platform(target)])
        for python, target in zip(pythons, targets, strict=True)
    ]
    if len(targets) == 1 and pythons[0].specifiers() is not None:
        platform = _platform(targets[0])
        return pythons[0].specifiers() or None, (platform,) if platform else ()
    return None, () if None in markers else tuple(marker for marker in markers if marker)


def _platform(target: Table) -> str | None:
    implementation = target.text("implementation")
    platform = target.text("platform")
    return all_of(
        [
            *([] if platform is None else _platform_markers(platform, target.where)),
            None if implementation is None else _implementation(implementation, target.where),
        ]
    )


def _implementation(name: str, where: str) -> str:
    if name not in _IMPLEMENTATIONS:
        raise malformed(where, f"{name[:40]!r} is not the name of a Python implementation")
    return f"platform_python_implementation == '{_IMPLEMENTATIONS[name]}'"


def _platform_markers(platform: str, where: str) -> Iterable[str]:
    """Write a platform as markers; which libc it has no marker tells, but the files of another are not locked."""
    match = re.fullmatch(r"([a-z]+)(?:_\d+_\d+)?(?:_([a-z0-9_]+))?", platform)
    if match is None:
        raise malformed(where, f"{platform[:40]!r} is not the name of a platform")
    name, machine = match.groups()
    system = _SYSTEMS.get(name, name)
    if machine is None:
        machine = _ALIASES.get(name)
    elif name == "windows":
        machine = _WINDOWS_MACHINES.get(machine, machine)
    elif name == "macos" and machine == "aarch64":
        machine = "arm64"
    markers = [f"sys_platform == '{system}'"]
    return [*markers, f"platform_machine == '{machine}'"] if machine else markers


def _constraint(text: str | None, where: str) -> Constraint:
    try:
        return Constraint.parse(text) if text else Constraint()
    except ConstraintError as error:
        raise malformed(where, str(error)) from error
