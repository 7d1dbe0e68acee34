"""The wheels that builds use: found on the index, recorded by hash, and fetched into the store like any other file."""

from __future__ import annotations

import hashlib
import platform
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.tags import Tag, parse_tag, sys_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename
from packaging.version import Version

from crossdock.errors import BuildRequirementsError, WheelError
from crossdock.lockfile.builds import LockedRequirement
from crossdock.sdists.needs import Needs
from crossdock.store.urls import local_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from crossdock.services import Services
    from crossdock.store.config import IndexConfig
    from crossdock.store.pages import IndexFile

__all__ = ["HostWheel", "Wheelhouse"]

#: File name and SHA-256 of the wheel of a requirement that is for this interpreter.
HostWheel = tuple[str, str]

_MOST_METADATA = 16 << 20


@lru_cache(maxsize=1)
def _host_tags() -> Mapping[Tag, int]:
    return {tag: rank for rank, tag in enumerate(sys_tags())}


class Wheelhouse:
    """Wheels for this interpreter.

    Args:
        services: The store and how it is filled.
        index: Gives where packages are looked for; asked only if something is.
    """

    def __init__(self, services: Services, index: Callable[[], IndexConfig]) -> None:
        self._services = services
        self._index = index
        self._config: IndexConfig | None = None
        self._needs: dict[LockedRequirement, Needs | None] = {}
        self._wheels: dict[LockedRequirement, HostWheel] = {}

    @property
    def config(self) -> IndexConfig:
        """Where packages are looked for."""
        if self._config is None:
            self._config = self._index()
        return self._config

    def lock(self, name: str, version: str, sha256: str) -> LockedRequirement:
        """Record a version with the hashes of all wheels that the indexes have of it.

        Args:
            name: The distribution.
            version: The version.
            sha256: One of the hashes, known already.

        Raises:
            StoreError: The index cannot be read.
        """
        from crossdock.store.index import find_files

        normalised = canonicalize_name(name)
        found = {sha256} if sha256 else set()
        for file in find_files(self._services.http(self.config), self.config, normalised):
            if _version_of(file) == Version(version) and (known := file.sha256 or _hash(file)):
                found.add(known)
        return LockedRequirement(name=normalised, version=version, sha256s=tuple(sorted(found)))

    def describe(self, requirements: Sequence[LockedRequirement]) -> Mapping[LockedRequirement, Needs | None]:
        """Fetch wheels, and tell what each needs; None where there is none for this interpreter.

        Raises:
            StoreError: One cannot be fetched.
            OfflineError: It may not be.
            BuildRequirementsError: One cannot be read.
        """
        self._bring([item for item in requirements if item not in self._needs])
        return {item: self._needs[item] for item in requirements}

    def wheel(self, requirement: LockedRequirement) -> HostWheel:
        """Give the wheel of a requirement that was described."""
        return self._wheels[requirement]

    def _bring(self, requirements: Sequence[LockedRequirement]) -> None:
        # Of those that somebody fetched for this machine, all are brought: only the files say what they are.
        self._services.missing(sha256 for item in requirements for sha256 in item.sha256s)
        for item in requirements:
            if (found := self._stored(item)) is not None:
                self._wheels[item] = found
        self._fetch([item for item in requirements if item not in self._wheels])
        for item in requirements:
            self._needs[item] = self._read(*self._wheels[item]) if item in self._wheels else None

    def _stored(self, requirement: LockedRequirement) -> HostWheel | None:
        """Find the best wheel among those that the store holds, whoever put them there."""
        store = self._services.store
        found = []
        for sha256 in requirement.sha256s:
            if (path := store.find(sha256)) is not None:
                found += [(rank, filename, sha256) for rank, filename in _names(path, str(requirement))]
        return min(found)[1:] if found else None

    def _fetch(self, requirements: Sequence[LockedRequirement]) -> None:
        if not requirements:
            return
        from crossdock.store.downloads import FileRequest, fetch
        from crossdock.store.index import HashQuery, find_many

        services, http = self._services, self._services.http(self.config)
        queries = [HashQuery(name=item.name, version=item.version, sha256s=item.sha256s) for item in requirements]
        best = {}
        for item, files in zip(
            requirements, find_many(services.store, http, self.config, queries, jobs=services.jobs), strict=True
        ):
            if (file := _best(files)) is not None and file.sha256 is not None:
                best[item] = file
                self._wheels[item] = (file.filename, file.sha256)
        requests = [
            FileRequest(name=file.filename, url=file.url, sha256=file.sha256 or "", size=file.size)
            for file in best.values()
        ]
        fetch(services.store, requests, jobs=services.jobs, http=http, progress=services.progress)

    def _read(self, filename: str, sha256: str) -> Needs | None:
        from email.parser import HeaderParser

        from crossdock.wheels.archive import WheelArchive

        try:
            with WheelArchive(self._services.store.path(sha256), filename) as archive:
                member = next((item for item in archive.members if _is_metadata(item.name, "METADATA")), None)
                if member is None or member.size > _MOST_METADATA:
                    raise BuildRequirementsError(f"{filename}, which a build requires, has no METADATA")
                header = HeaderParser().parsestr(archive.read(member).decode("utf-8", errors="replace"))
            python = SpecifierSet(str(header.get("Requires-Python") or ""))
            requires = tuple(Requirement(str(text)) for text in header.get_all("Requires-Dist", []))
        except (WheelError, InvalidRequirement, InvalidSpecifier) as error:
            why = error.why if isinstance(error, WheelError) else str(error).splitlines()[0]
            raise BuildRequirementsError(f"{filename}, which a build requires, cannot be read", why=why) from None
        return Needs(requires) if python.contains(platform.python_version(), prereleases=True) else None


def _is_metadata(name: str, kind: str) -> bool:
    return name.count("/") == 1 and name.endswith(f".dist-info/{kind}")


def _names(path: Path, what: str) -> Iterator[tuple[int, str]]:
    """Give the names that a wheel may have on this interpreter, with the rank of each one's tag."""
    from email.parser import HeaderParser

    from crossdock.wheels.archive import WheelArchive

    try:
        with WheelArchive(path, what) as archive:
            member = next((item for item in archive.members if _is_metadata(item.name, "WHEEL")), None)
            if member is None or member.size > _MOST_METADATA:
                return
            header = HeaderParser().parsestr(archive.read(member).decode("utf-8", errors="replace"))
    except WheelError:
        return
    stem = member.name.partition("/")[0].removesuffix(".dist-info")
    for text in header.get_all("Tag", []):
        for tag in parse_tag(str(text).strip()):
            if tag in _host_tags():
                yield _host_tags()[tag], f"{stem}-{tag}.whl"


def _best(files: Sequence[IndexFile]) -> IndexFile | None:
    """Choose as pip does: the tag that comes first, then the highest build number."""
    ranked = []
    for file in files:
        try:
            _, _, build, tags = parse_wheel_filename(file.filename)
        except InvalidWheelFilename:
            continue
        ranks = [_host_tags()[tag] for tag in tags if tag in _host_tags()]
        if ranks:
            ranked.append((min(ranks), -build[0] if build else 1, file.filename, file))
    return min(ranked, key=lambda item: item[:3])[3] if ranked else None


def _version_of(file: IndexFile) -> Version | None:
    try:
        return parse_wheel_filename(file.filename)[1] if file.filename.endswith(".whl") else None
    except InvalidWheelFilename:
        return None


def _hash(file: IndexFile) -> str | None:
    """Hash a file of this machine, where no page says its hash."""
    path: Path | None = local_path(file.url)
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest() if path is not None else None
    except OSError:
        return None
