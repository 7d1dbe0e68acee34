"""What a lock file says, whatever its format."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = [
    "Dependency",
    "FromSource",
    "IndexOptions",
    "Lock",
    "LockFormat",
    "LockedFile",
    "Package",
    "Source",
    "SourceKind",
]

LockFormat = Literal["uv.lock", "pylock.toml", "requirements.txt", "poetry.lock", "pdm.lock"]
FromSource = Literal["auto", "allow", "never"]
SourceKind = Literal["registry", "url", "path", "directory", "virtual", "vcs"]


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """A wheel or source distribution, and where it is; with neither URL nor path, on the index by its hash.

    Attributes:
        filename: Plain file name: no separator, no ``..``, ASCII.
        sha256: 64 lower-case hexadecimal digits.
        size: Bytes, where the lock says so.
        url: http or https address.
        path: As written in the lock, relative to the lock's folder.
        metadata_sha256: Of its METADATA, which an index has beside it, where the index was asked and says so.
    """

    filename: str
    sha256: str
    size: int | None = None
    url: str | None = None
    path: str | None = None
    metadata_sha256: str | None = field(default=None, compare=False)

    @property
    def is_wheel(self) -> bool:
        """Whether the file name is a wheel's."""
        return self.filename.endswith(".whl")


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where a package comes from.

    Attributes:
        kind: ``registry`` is an index (or a flat folder of files), ``url`` and ``path`` one file, ``directory`` a
            source tree, ``virtual`` one whose dependencies count but which is itself not installed, ``vcs`` a
            repository.
        location: The URL or path as written; empty where the format does not say.
        editable: Whether a ``directory`` is to be installed in place.
        revision: The full commit of a ``vcs``.
        subdirectory: Where in the archive or repository the project is; empty for its top.
    """

    kind: SourceKind
    location: str = ""
    editable: bool = False
    revision: str = ""
    subdirectory: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """An edge of the dependency graph, resolved: which entry of the lock it means is settled when reading.

    Attributes:
        name: Normalised project name.
        index: Position in ``Lock.packages``; None means the project itself (an extra that includes another).
        marker: Environment marker, or None for always.
        extras: Extras of the package that the edge asks for, normalised.
    """

    name: str
    index: int | None
    marker: str | None = None
    extras: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One entry of a lock: a version of a project from one source.

    Attributes:
        name: Normalised project name.
        version: As locked; None where the format leaves it open (source trees).
        source: Where it comes from.
        files: Wheels and source distribution, in the lock's order; empty for formats that hold only hashes. Formats
            that hold names and hashes alone (poetry.lock, pdm.lock) leave it to the index where they are.
        hashes: SHA-256 of every permitted file, for formats that hold only hashes.
        requires_python: The package's own version specifiers, where the format has them.
        dependencies: What it always needs.
        extras: What each of its extras adds.
        from_source: Whether it may be built from source: where no wheel is for a platform, always, or never.
        attestation_identities: Who attested the files (PEP 751), as the lock has it.
    """

    name: str
    version: str | None
    source: Source
    files: tuple[LockedFile, ...] = ()
    hashes: frozenset[str] = frozenset()
    requires_python: str | None = None
    dependencies: tuple[Dependency, ...] = ()
    extras: Mapping[str, tuple[Dependency, ...]] = field(default_factory=dict, hash=False)
    from_source: FromSource = "auto"
    attestation_identities: tuple[Mapping[str, object], ...] = field(default=(), hash=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexOptions:
    """Where a requirements file says that files are to be looked for.

    Attributes:
        index_url: Replaces the configured index.
        extra_index_urls: Further indexes.
        find_links: Pages or folders with files.
        no_index: Whether indexes are not to be asked at all.
    """

    index_url: str | None = None
    extra_index_urls: tuple[str, ...] = ()
    find_links: tuple[str, ...] = ()
    no_index: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """A lock file of any format.

    Flat formats (pylock.toml, requirements.txt) are a lock whose roots are its packages with their markers. The
    project itself is never among the packages.

    Attributes:
        path: The file it was read from.
        format: Which format that is.
        packages: All entries, in file order.
        roots: What the project always needs.
        project: Normalised name of the project, where the format says it.
        requires_python: Version specifiers that the target's Python must satisfy.
        environments: Markers; when there are any, one of them must hold for the target.
        optional: What each extra of the project adds; in flat formats nothing, as their markers say it.
        groups: What each dependency group adds, likewise.
        default_groups: Groups taken when the caller names none.
        index_options: Where to look for files, in formats that say so apart from packages.
        conflicts: Sets of which no two may be active together: pairs of the marker variable (``extras`` or
            ``dependency_groups``) and the name in it that markers of the lock ask for.
    """

    path: Path
    format: LockFormat
    packages: tuple[Package, ...]
    roots: tuple[Dependency, ...]
    project: str | None = None
    requires_python: str | None = None
    environments: tuple[str, ...] = ()
    optional: Mapping[str, tuple[Dependency, ...]] = field(default_factory=dict, hash=False)
    groups: Mapping[str, tuple[Dependency, ...]] = field(default_factory=dict, hash=False)
    default_groups: tuple[str, ...] = ()
    index_options: IndexOptions = field(default_factory=IndexOptions)
    conflicts: tuple[frozenset[tuple[str, str]], ...] = ()
