"""Reading uv.lock, version 1 of its format in every revision."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from crossdock.errors import UnsupportedLockError
from crossdock.locks.fields import Table, load_toml, malformed, project_name
from crossdock.locks.markers import parse_marker
from crossdock.locks.model import Dependency, Lock, Package, Source
from crossdock.locks.uv_sources import read_files, read_source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

__all__ = ["read_uv_lock"]

_CONFLICT_MARKER = re.compile(r"""extra (==|!=) (['"])(extra|group|project)-(\d{1,4})-([^'"]*)\2""")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """A package table with the three values that dependencies refer to it by."""

    table: Table
    name: str
    version: str | None
    source: Source


def read_uv_lock(
    path: Path,
    project: str | None = None,
    *,
    pyproject: Mapping[str, Any] | None = None,
    frozen: bool = False,
) -> Lock:
    """Read a uv.lock as one member of its workspace sees it.

    Args:
        path: The file.
        project: Name of the member to be built; its entry becomes the root, other members are packages like any. None
            takes the project in the lock's folder, or where there is none all members together.
        pyproject: The member's pyproject.toml, to tell whether it was changed after the lock was made.
        frozen: Do not compare with ``pyproject``.

    Raises:
        MissingLockError: It cannot be read.
        UnsupportedLockError: Its version is not 1, or the project is no member of the workspace it locks.
        MalformedLockError: It breaks the format, or is not safe to use.
        UnpinnedRequirementError: A file has no SHA-256 hash, or a repository no full commit.
        StaleLockError: ``pyproject`` says other requirements than the lock was made from.
    """
    document = load_toml(path)
    _check_version(path, document)
    entries = [_entry(table) for table in document.tables("package")]
    manifest = document.table("manifest") or Table({}, where=str(path))
    members = _members(path, manifest, entries)
    if not members and "requirements" not in manifest.data:
        raise UnsupportedLockError(
            f"{path} has no project at its root",
            why="no package in it is the project's own, nor a member of a workspace",
            hint="run uv lock in the project's folder",
        )
    root = _root(path, members, project)
    if root is not None and pyproject is not None and not frozen:
        from crossdock.locks.uv_stale import check_fresh

        check_fresh(path, document, root.table, pyproject, alone=len(members) == 1, top=_is_top(root.source))
    fetched = [entry for entry in entries if entry is not root]
    resolver = _Resolver(fetched, root.name if root else None)
    groups = resolver.requirements_by_name(manifest, "dependency-groups")
    parts = [root] if root else list(members.values())
    for entry in parts:
        for group, dependencies in resolver.groups(entry).items():
            groups[group] = groups.get(group, ()) + dependencies
    requirements = resolver.requirements(manifest, "requirements")
    return Lock(
        path=path,
        format="uv.lock",
        project=root.name if root else None,
        requires_python=document.specifiers("requires-python"),
        environments=_environments(document),
        packages=tuple(_package(entry, resolver) for entry in fetched),
        roots=requirements + (resolver.all(root.table, "dependencies") if root else resolver.members(parts)),
        optional=resolver.extras(root) if root else resolver.member_extras(parts),
        groups=groups,
        conflicts=_conflicts(document, resolver),
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
    return _Entry(table=table, name=name, version=table.version(), source=read_source(source))


def _is_top(source: Source) -> bool:
    return source.kind in {"directory", "virtual"} and PurePosixPath(source.location) == PurePosixPath()


def _members(path: Path, manifest: Table, entries: Iterable[_Entry]) -> dict[str, _Entry]:
    """Give the entries of the workspace's members by name; a lone project is a workspace of one."""
    names = {project_name(name, manifest.where) for name in manifest.texts("members")}
    members: dict[str, _Entry] = {}
    for entry in entries:
        if entry.source.kind not in {"directory", "virtual"} or not (entry.name in names or _is_top(entry.source)):
            continue
        if entry.name in members:
            raise malformed(str(path), f"the member {entry.name} has two entries")
        members[entry.name] = entry
    return members


def _root(path: Path, members: Mapping[str, _Entry], project: str | None) -> _Entry | None:
    """Find the entry to build; None for the whole of a workspace that has no project at its top."""
    if project is not None:
        wanted = project_name(project, str(path))
        if wanted in members:
            return members[wanted]
        if len(members) == 1:
            raise UnsupportedLockError(
                f"{path} locks the project {next(iter(members))}, not {wanted}",
                hint="run uv lock in the project's folder, or name its lock as [tool.crossdock] lock",
            )
        raise UnsupportedLockError(
            f"{path} locks no workspace member {wanted}",
            why=f"its members are {', '.join(sorted(members))}"[:400] if members else "it has no members at all",
            hint="name one of these, or add the project to [tool.uv.workspace] members and run uv lock",
        )
    if len(members) == 1:
        return next(iter(members.values()))
    return next((entry for entry in members.values() if _is_top(entry.source)), None)


class _Resolver:
    """Finds the entry that a dependency means: by name, and by version and source where a name has forks.

    Args:
        entries: All but the project's own.
        project: Name of the project; None where the whole workspace is read.
    """

    def __init__(self, entries: list[_Entry], project: str | None) -> None:
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

    def extras(self, member: _Entry) -> dict[str, tuple[Dependency, ...]]:
        """Give the extras of a member; uv tells those that add nothing in its metadata alone."""
        metadata = member.table.table("metadata")
        names = metadata.texts("provides-extras") if metadata else ()
        empty = {project_name(name, member.table.where): () for name in names}
        return {**empty, **self.by_name(member.table, "optional-dependencies")}

    def groups(self, member: _Entry) -> dict[str, tuple[Dependency, ...]]:
        """Give the dependency groups of a member, those that add nothing from its metadata likewise."""
        metadata = member.table.table("metadata")
        names = metadata.table("requires-dev") if metadata else None
        empty = {project_name(name, member.table.where): () for name in (names.data if names else ())}
        return {**empty, **self.by_name(member.table, "dev-dependencies")}

    def members(self, members: Iterable[_Entry]) -> tuple[Dependency, ...]:
        """Give an edge to each member."""
        return tuple(Dependency(name=entry.name, index=self._position(entry)) for entry in members)

    def member_extras(self, members: Iterable[_Entry]) -> dict[str, tuple[Dependency, ...]]:
        """Give for each extra the edges that ask it of every member that has it, as uv does for whole workspaces."""
        extras: dict[str, tuple[Dependency, ...]] = {}
        for entry in members:
            for extra in self.extras(entry):
                edge = Dependency(name=entry.name, index=self._position(entry), extras=(extra,))
                extras[extra] = (*extras.get(extra, ()), edge)
        return extras

    def requirements(self, table: Table, key: str) -> tuple[Dependency, ...]:
        """Read requirements of the manifest, which name no version: of forks, the one whose markers hold is meant."""
        return tuple(edge for item in table.tables(key) for edge in self._requirement(item))

    def requirements_by_name(self, table: Table, key: str) -> dict[str, tuple[Dependency, ...]]:
        inner = table.table(key)
        if inner is None:
            return {}
        return {project_name(name, table.where): self.requirements(inner, name) for name in inner.data}

    def marker(self, text: str | None, where: str) -> str | None:
        """Read a marker; what uv encodes in ``extra`` for conflicts becomes PEP 751's ``extras`` and groups."""
        if text is None:
            return None

        def replace(match: re.Match[str]) -> str:
            operator, _, kind, length, rest = match.groups()
            package, name = rest[: int(length)], rest[int(length) + 1 :]
            variable, item = self.conflict_item(kind, package, name)
            return f"'{item}' {'in' if operator == '==' else 'not in'} {variable}"

        marker = _CONFLICT_MARKER.sub(replace, text)
        parse_marker(marker, where)
        return marker

    def conflict_item(self, kind: str, package: str, name: str) -> tuple[str, str]:
        """Give the marker variable and the name in it that stand for an extra, a group or a member.

        What is not the project's own carries its package's name: activation adds it when an edge asks for it.
        """
        if kind == "project":
            return "extras", f"project {package}"
        if kind == "extra":
            return "extras", name if package == self._project else f"{package}[{name}]"
        # Groups are the built project's alone; for a whole workspace, those of all members of that name.
        return "dependency_groups", name if self._project in {None, package} else f"{package}:{name}"

    def _position(self, entry: _Entry) -> int:
        return next(index for index, other in self._by_name[entry.name] if other is entry)

    def _dependency(self, table: Table) -> Dependency:
        name = project_name(table.required("name"), table.where)
        return Dependency(
            name=name,
            index=None if name == self._project else self._index(name, table),
            marker=self.marker(table.text("marker"), table.where),
            extras=tuple(project_name(extra, table.where) for extra in table.texts("extra")),
        )

    def _index(self, name: str, table: Table) -> int:
        version = table.version()
        source_table = table.table("source")
        source = read_source(source_table) if source_table else None
        fitting = [
            index
            for index, entry in self._by_name.get(name, ())
            if version in {None, entry.version} and source in {None, entry.source}
        ]
        if len(fitting) != 1:
            count = "no entry" if not fitting else f"{len(fitting)} entries"
            raise malformed(table.where, f"{count} for its dependency {name} {version or ''}".rstrip())
        return fitting[0]

    def _requirement(self, table: Table) -> Iterable[Dependency]:
        name = project_name(table.required("name"), table.where)
        extras = tuple(project_name(extra, table.where) for extra in table.texts("extras"))
        marker = self.marker(table.text("marker"), table.where)
        if name == self._project:
            yield Dependency(name=name, index=None, marker=marker, extras=extras)
            return
        entries = self._by_name.get(name)
        if not entries:
            raise malformed(table.where, f"no entry for its requirement {name}")
        for index, entry in entries:
            forks = [self.marker(text, entry.table.where) for text in entry.table.texts("resolution-markers")]
            parts = [f"({marker})"] if marker else []
            if len(entries) > 1 and forks:
                parts.append("(" + " or ".join(f"({fork})" for fork in forks) + ")")
            yield Dependency(name=name, index=index, marker=" and ".join(parts) or None, extras=extras)


def _conflicts(document: Table, resolver: _Resolver) -> tuple[frozenset[tuple[str, str]], ...]:
    """Read which extras, groups and members must not be active together, as their markers name them."""
    sets = document.data.get("conflicts") or []
    if not isinstance(sets, list):
        raise malformed(document.where, "'conflicts' is not an array")
    found = []
    for one in sets:
        items = set()
        for item in Table({"conflicts": one}, where=document.where).tables("conflicts"):
            package = project_name(item.required("package"), item.where)
            extra, group = item.text("extra"), item.text("group")
            kind = "extra" if extra is not None else "group" if group is not None else "project"
            name = project_name(extra or group or "", item.where) if kind != "project" else ""
            items.add(resolver.conflict_item(kind, package, name))
        found.append(frozenset(items))
    return tuple(found)


def _package(entry: _Entry, resolver: _Resolver) -> Package:
    return Package(
        name=entry.name,
        version=entry.version,
        source=entry.source,
        files=read_files(entry.table, entry.source),
        dependencies=resolver.all(entry.table, "dependencies"),
        extras=resolver.by_name(entry.table, "optional-dependencies"),
    )
