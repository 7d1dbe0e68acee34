"""The package lists of an archive, searchable by name and by what packages provide.

A list of Debian's main component has more than 60,000 stanzas, of which a base needs about fifty: the text is cut into
stanzas cheaply and only those asked for are parsed. Fields: Debian policy, chapters 5 and 7.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.errors import ArchiveTrustError, LockfileError
from crossdock.lockfile.bases import LockedPackage, check_locked_package

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from debian.debian_support import NativeVersion

    from crossdock.lockfile.bases import Archive

__all__ = ["Dependency", "Package", "PackageIndex", "Provided", "parse_dependencies", "satisfies", "version_key"]

PACKAGES_LIMIT = 1024 * 1024 * 1024  # bytes, decompressed; Debian's main is about 50 MB

_NAME = re.compile(rb"^Package:[ \t]*(\S+)", re.MULTILINE | re.IGNORECASE)
_PROVIDES = re.compile(rb"^Provides:(.*(?:\n[ \t].*)*)", re.MULTILINE | re.IGNORECASE)
_RELATION = re.compile(
    r"(?P<name>[a-z0-9][a-z0-9+.-]*)(?::(?P<qualifier>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>)\s*(?P<version>[^\s()]+)\s*\))?(?:\s*\[[^\]]*\])?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """One alternative of a dependency: a name and, maybe, a bound on its version."""

    name: str
    operator: str = ""
    version: str = ""

    def __str__(self) -> str:
        return f"{self.name} ({self.operator} {self.version})" if self.operator else self.name


@dataclass(frozen=True, slots=True, kw_only=True)
class Provided:
    """A name a package stands in for; with an empty version it satisfies only dependencies without a bound."""

    name: str
    version: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """One package of an index, with its dependencies as an "and" of "or"s."""

    locked: LockedPackage
    depends: tuple[tuple[Dependency, ...], ...]
    provides: tuple[Provided, ...]
    priority: str

    @property
    def name(self) -> str:
        """The package's name."""
        return self.locked.name

    @property
    def version(self) -> str:
        """The package's version."""
        return self.locked.version


def parse_dependencies(field: str) -> tuple[tuple[Dependency, ...], ...]:
    """Read a ``Depends`` field (policy 7.1): groups joined by commas, of alternatives joined by bars.

    Architecture qualifiers (``:any``) are dropped, as only one architecture is ever laid out.

    Raises:
        ValueError: The field is malformed.
    """
    return tuple(
        tuple(_relation(text) for text in group.split("|"))
        for group in field.replace("\n", " ").split(",")
        if group.strip()
    )


def _relation(text: str) -> Dependency:
    match = _RELATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"malformed relation {text.strip()!r}")
    return Dependency(name=match["name"], operator=match["operator"] or "", version=match["version"] or "")


def version_key(version: str) -> NativeVersion:
    """Give a value that orders versions as dpkg does (policy 5.6.12)."""
    from debian.debian_support import NativeVersion

    return NativeVersion(version)


def satisfies(version: str, dependency: Dependency) -> bool:
    """Tell whether a version is within a dependency's bound."""
    from debian.debian_support import NativeVersion

    if not dependency.operator:
        return True
    found, bound = NativeVersion(version), NativeVersion(dependency.version)
    outcomes = {
        "<<": found < bound,
        "<=": found <= bound,
        "=": found == bound,
        ">=": found >= bound,
        ">>": found > bound,
    }
    return outcomes[dependency.operator]


class PackageIndex:
    """The package lists of one architecture from all suites that are read, in order of preference for ties."""

    def __init__(self, lists: Sequence[tuple[Archive, bytes]], *, architecture: str) -> None:
        self._architecture = architecture
        self._stanzas: dict[str, list[tuple[Archive, bytes]]] = {}
        self._providers: dict[str, set[str]] = {}
        self._parsed: dict[str, tuple[Package, ...]] = {}
        for archive, data in lists:
            for stanza in data.split(b"\n\n"):
                self._add(archive, stanza)

    def _add(self, archive: Archive, stanza: bytes) -> None:
        match = _NAME.search(stanza)
        if match is None:
            return
        name = match[1].decode("utf-8", "replace")
        self._stanzas.setdefault(name, []).append((archive, stanza))
        if b"Provides:" in stanza and (provides := _PROVIDES.search(stanza)):
            for item in provides[1].decode("utf-8", "replace").split(","):
                self._providers.setdefault(re.split(r"[\s:(]", item.strip(), maxsplit=1)[0], set()).add(name)

    def newest(self, name: str) -> Package | None:
        """Give the newest version of a real package, as apt would without pins; None where there is none."""
        versions = self._versions(name)
        return max(versions, key=lambda package: version_key(package.version), default=None)

    def providers(self, name: str) -> Iterator[Package]:
        """Give the newest version of each package that provides ``name``, sorted by name."""
        for provider in sorted(self._providers.get(name, ())):
            package = self.newest(provider)
            if package is not None and any(item.name == name for item in package.provides):
                yield package

    def similar(self, name: str) -> list[str]:
        """Suggest names like one that is not there."""
        import difflib

        return difflib.get_close_matches(name, [n for n in self._stanzas if n[:1] == name[:1]], n=3, cutoff=0.8)

    def _versions(self, name: str) -> tuple[Package, ...]:
        if name not in self._parsed:
            found = (parse_package(stanza, archive) for archive, stanza in self._stanzas.get(name, ()))
            self._parsed[name] = tuple(
                package for package in found if package.locked.architecture in {self._architecture, "all"}
            )
        return self._parsed[name]


def parse_package(stanza: bytes, archive: Archive) -> Package:
    """Read one stanza of a package list.

    Raises:
        ArchiveTrustError: A field is missing, malformed, or names a file outside the pool.
    """
    from debian.deb822 import Deb822

    fields = Deb822(stanza)
    name = fields.get("Package", "?")
    try:
        locked = LockedPackage(
            name=name,
            version=fields["Version"],
            architecture=fields["Architecture"],
            archive=archive,
            filename=fields["Filename"],
            size=int(fields["Size"]),
            sha256=fields["SHA256"],
        )
        check_locked_package(locked)
        depends = ", ".join(fields[key] for key in ("Pre-Depends", "Depends") if fields.get(key))
        return Package(
            locked=locked,
            depends=parse_dependencies(depends),
            provides=tuple(
                Provided(name=alternatives[0].name, version=alternatives[0].version)
                for alternatives in parse_dependencies(fields.get("Provides", ""))
            ),
            priority=fields.get("Priority", "optional"),
        )
    except (KeyError, ValueError, LockfileError) as error:
        raise ArchiveTrustError(
            f"the archive's entry for package {name} is malformed", why=str(error.args[0] if error.args else error)
        ) from error
