"""What a project sets for single packages, applied to its lock: a lock in, a lock out.

Each setting must change something, or at least be able to: one that applies to nothing is a mistake, or a leftover
from an older lock, and either way not what its author believes is built.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from packaging.version import InvalidVersion, Version

from crossdock.errors import OverrideError
from crossdock.locks.activation import FLAT_FORMATS
from crossdock.locks.files import parse_wheel
from crossdock.locks.model import Dependency, Source

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.locks.model import FromSource, Lock, LockedFile, Package

__all__ = ["ExtraDependency", "Override", "override", "override_error"]

_GRAPHS = "uv.lock, poetry.lock and pdm.lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExtraDependency:
    """An edge to add to the dependency graph.

    Attributes:
        name: Normalised name of the package that is needed.
        version: Which of the lock's entries of that name, where it has several.
        marker: Environment marker, or None for always.
        extras: Extras of that package, normalised, sorted.
    """

    name: str
    version: str | None = None
    marker: str | None = None
    extras: tuple[str, ...] = ()

    def __str__(self) -> str:
        extras = f"[{','.join(self.extras)}]" if self.extras else ""
        version = f"=={self.version}" if self.version else ""
        return f"{self.name}{extras}{version}" + (f"; {self.marker}" if self.marker else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Override:
    """What is set for one package; what is empty or None was not set.

    Attributes:
        name: Normalised name of the package.
        wheels: Paths of wheels that replace the lock's files, as written, relative to the project.
        index: Name or URL of the index where its files are looked for; it may hold credentials.
        exclude: Patterns of files that are not installed.
        dependencies: What it needs beyond what the lock says.
        ignore_dependencies: Names of what it does not need after all.
        patches: Paths of patches, as written, relative to the project; applied in this order.
        from_source: Whether it may be built from source.
    """

    name: str
    wheels: tuple[str, ...] = ()
    index: str | None = field(default=None, repr=False)
    exclude: tuple[str, ...] = ()
    dependencies: tuple[ExtraDependency, ...] = ()
    ignore_dependencies: tuple[str, ...] = ()
    patches: tuple[str, ...] = ()
    from_source: FromSource | None = None


def override(
    lock: Lock,
    overrides: Mapping[str, Override],
    *,
    wheels: Mapping[str, Sequence[LockedFile]] | None = None,
    indexes: Mapping[str, str] | None = None,
) -> Lock:
    """Apply settings for packages to a lock.

    Excluded files and patches change what is in a wheel and so are not this function's; it only sees to it that
    there is such a package.

    Args:
        lock: The lock.
        overrides: Settings by normalised name.
        wheels: The local wheels of each package that has some: with their hashes, and paths as a lock has them.
        indexes: URL of the index of each package that has one set.

    Raises:
        OverrideError: A setting applies to nothing, or cannot be applied.
    """
    packages = list(lock.packages)
    added: dict[int, tuple[Dependency, ...]] = {}
    for name, item in sorted(overrides.items()):
        positions = [position for position, package in enumerate(packages) if package.name == name]
        if not positions:
            raise _unlocked(lock, item)
        entries = [packages[position] for position in positions]
        if all(entry.source.kind == "virtual" for entry in entries) and _changes_files(item):
            raise override_error(item, "changes files", why="it is a virtual package, of which nothing is installed")
        if item.wheels:
            entries = _with_wheels(entries, item, (wheels or {})[name], lock)
        if item.index is not None:
            entries = _with_index(entries, item, (indexes or {})[name], lock)
        if item.from_source is not None:
            entries = _with_source(entries, item)
        if item.ignore_dependencies:
            entries = _without_edges(entries, item, lock)
        if item.dependencies:
            edges = _edges(entries, item, lock)
            entries = [replace(entry, dependencies=(*entry.dependencies, *edges)) for entry in entries]
            added |= dict.fromkeys(positions, edges)
        for position, entry in zip(positions, entries, strict=True):
            packages[position] = entry
    roots = _flat_roots(lock, added) if lock.format in FLAT_FORMATS else lock.roots
    return replace(lock, packages=tuple(packages), roots=roots)


def override_error(item: Override, what: str, *, why: str = "", hint: str = "") -> OverrideError:
    """Give the error of a setting, which ``what`` starts with: ``exclude matches no file``."""
    return OverrideError(f"[tool.crossdock.packages.{item.name}] {what}", why=why, hint=hint)


def _changes_files(item: Override) -> bool:
    return bool(item.wheels or item.exclude or item.patches or item.from_source or item.index)


def _unlocked(lock: Lock, item: Override) -> OverrideError:
    if item.name == lock.project:
        why, hint = "that is the project itself", "settings for packages are for what it depends on"
    else:
        close = difflib.get_close_matches(item.name, {package.name for package in lock.packages}, n=1)
        why = "the lock has no package of that name"
        hint = f"did you mean {close[0]!r}?" if close else "remove the table, or add the package and lock again"
    return override_error(item, f"applies to nothing in {lock.path.name}", why=why, hint=hint)


def _with_wheels(entries: list[Package], item: Override, files: Sequence[LockedFile], lock: Lock) -> list[Package]:
    """Let local wheels replace the files of the entries whose version they are."""
    versions: dict[str, Version] = {}
    for file in files:
        wheel = parse_wheel(file.filename) if file.is_wheel else None
        if wheel is None:
            raise override_error(item, f"wheel: {file.filename} is not named as a wheel")
        if wheel[0] != item.name:
            raise override_error(item, f"wheel: {file.filename} is a wheel of {wheel[0]}")
        if file.filename in versions:
            raise override_error(item, f"wheel: {file.filename} is there twice", why="in two folders")
        versions[file.filename] = wheel[1]
    replaced = [_replace_files(entry, files, versions, item) for entry in entries]
    used = {file.filename for entry in replaced for file in entry.files}
    for file in files:
        if file.filename not in used:
            locked = " and ".join(str(entry.version) for entry in entries)
            raise override_error(
                item,
                f"wheel: {file.filename} is of another version",
                why=f"{lock.path.name} has {item.name} {locked}, and what else is installed was chosen to go with that",
                hint="lock that version, or build the wheel of the locked one; a local label (+NAME) may be added",
            )
    return replaced


def _replace_files(
    entry: Package, files: Sequence[LockedFile], versions: Mapping[str, Version], item: Override
) -> Package:
    same = [file for file in files if _is_version(versions[file.filename], entry.version)]
    if not same:
        return entry
    found = sorted({versions[file.filename] for file in same})
    if len(found) > 1:
        raise override_error(
            item,
            f"wheel: the files are of several versions: {' and '.join(map(str, found))}",
            why="one version has to serve every target",
        )
    return replace(
        entry,
        version=str(found[0]),
        source=Source(kind="path", location=same[0].path or ""),
        files=tuple(same),
        hashes=frozenset(),
        attestation_identities=(),
    )


def _is_version(version: Version, locked: str | None) -> bool:
    """Whether a version is the locked one, whatever local label either has (PEP 440)."""
    if locked is None:
        return True
    try:
        return version.public == Version(locked).public
    except InvalidVersion:
        return False


def _with_index(entries: list[Package], item: Override, url: str, lock: Lock) -> list[Package]:
    if item.wheels:
        raise override_error(item, "index applies to nothing", why="wheel replaces all its files")
    changed = [
        replace(entry, source=replace(entry.source, location=url)) if _needs_index(entry) else entry
        for entry in entries
    ]
    if not any(_needs_index(entry) for entry in entries):
        raise override_error(
            item,
            "index applies to nothing",
            why=f"{lock.path.name} says of every file of {item.name} where it is",
            hint="lock it from that index instead, for example with [tool.uv.sources]",
        )
    return changed


def _needs_index(package: Package) -> bool:
    """Whether an index has to be asked where a package's files are."""
    if package.source.kind != "registry":
        return False
    return bool(package.hashes) or any(file.url is None and file.path is None for file in package.files)


def _with_source(entries: list[Package], item: Override) -> list[Package]:
    if not any(_has_choice(entry) for entry in entries):
        kinds = {entry.source.kind for entry in entries}
        if item.wheels:
            why = "wheel replaces all its files, and wheels are not built"
        elif kinds & {"directory", "vcs"}:
            why = "it is source code itself, which is always built"
        else:
            why = "the lock has no source distribution of it"
        raise override_error(item, "from-source applies to nothing", why=why, hint="remove the setting")
    setting = item.from_source or "auto"
    return [replace(entry, from_source=setting) if _has_choice(entry) else entry for entry in entries]


def _has_choice(package: Package) -> bool:
    """Whether a package has, or may have, a source distribution beside its wheels."""
    return bool(package.hashes) or any(not file.is_wheel for file in package.files)


def _without_edges(entries: list[Package], item: Override, lock: Lock) -> list[Package]:
    if lock.format in FLAT_FORMATS:
        raise override_error(
            item,
            "ignore-dependencies applies to nothing",
            why=f"{lock.format} does not say what a package depends on; {_GRAPHS} do",
            hint="lock without these packages instead",
        )
    edges = {edge.name for entry in entries for group in (entry.dependencies, *entry.extras.values()) for edge in group}
    for name in item.ignore_dependencies:
        if name not in edges:
            raise override_error(
                item,
                f"ignore-dependencies names {name}",
                why=f"{item.name} does not depend on it; it depends on {', '.join(sorted(edges)) or 'nothing'}",
                hint="correct the name, or remove it",
            )
    ignored = set(item.ignore_dependencies)
    return [
        replace(
            entry,
            dependencies=tuple(edge for edge in entry.dependencies if edge.name not in ignored),
            extras={
                extra: tuple(edge for edge in group if edge.name not in ignored)
                for extra, group in entry.extras.items()
            },
        )
        for entry in entries
    ]


def _edges(entries: list[Package], item: Override, lock: Lock) -> tuple[Dependency, ...]:
    edges = tuple(_edge(wanted, item, lock) for wanted in item.dependencies)
    for edge, wanted in zip(edges, item.dependencies, strict=True):
        if lock.format not in FLAT_FORMATS and all(_is_there(edge, entry) for entry in entries):
            raise override_error(item, f"dependencies: {wanted} adds nothing", why=f"{item.name} depends on it anyway")
    return edges


def _flat_roots(lock: Lock, added: Mapping[int, tuple[Dependency, ...]]) -> tuple[Dependency, ...]:
    """Say extra dependencies as flat formats say everything: by roots, each with the whole condition as its marker."""
    roots = [(root, frozenset({root.index})) for root in lock.roots]
    for root, above in roots:  # which grows meanwhile, as what is added may need more
        for edge in added.get(-1 if root.index is None else root.index, ()):
            if edge.index not in above:
                marker = " and ".join(f"({part})" for part in (root.marker, edge.marker) if part) or None
                roots.append((replace(edge, marker=marker), above | {edge.index}))
    return tuple(dict.fromkeys(root for root, _ in roots))


def _edge(wanted: ExtraDependency, item: Override, lock: Lock) -> Dependency:
    """Find the entry that an extra dependency means."""
    named = [(index, package) for index, package in enumerate(lock.packages) if package.name == wanted.name]
    fitting = [
        (index, package)
        for index, package in named
        if wanted.version is None or (package.version and Version(package.version) == Version(wanted.version))
    ]
    if wanted.name == item.name:
        raise override_error(item, f"dependencies: {wanted} is the package itself")
    if not fitting:
        has = " and ".join(str(package) for _, package in named) or "no package of that name"
        raise override_error(
            item,
            f"dependencies: {wanted} is not in {lock.path.name}",
            why=f"it has {has}",
            hint="add it to the project's dependencies and lock again: what is not locked cannot be installed",
        )
    if len(fitting) > 1:
        raise override_error(
            item,
            f"dependencies: {wanted} may be {' or '.join(str(package) for _, package in fitting)}",
            hint=f'name the version, with a marker where it differs by target: "{fitting[0][1].name}=='
            f'{fitting[0][1].version}; MARKER"',
        )
    index, package = fitting[0]
    for extra in wanted.extras:
        if extra not in package.extras:
            raise override_error(
                item,
                f"dependencies: {package} has no extra {extra!r} in {lock.path.name}",
                why="a lock holds only extras that something asks for, and flat formats hold none",
                hint="add it with that extra to the project's dependencies and lock again",
            )
    if lock.format in FLAT_FORMATS and any(root.index == index and root.marker is None for root in lock.roots):
        raise override_error(
            item, f"dependencies: {wanted} adds nothing", why=f"{lock.path.name} installs it for every target anyway"
        )
    return Dependency(name=package.name, index=index, marker=wanted.marker, extras=wanted.extras)


def _is_there(edge: Dependency, entry: Package) -> bool:
    return any(
        other.index == edge.index and other.marker in (None, edge.marker) and set(edge.extras) <= set(other.extras)
        for other in entry.dependencies
    )
