"""A base from Debian packages, from the suite's signed index to the entries of a file system."""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from crossdock.bases.debian.config import SECURITY_VARIABLE, debian_architecture
from crossdock.bases.debian.sources import choose_mirrors, read_apt_sources, suite_sources
from crossdock.bases.debian.system_files import NONROOT
from crossdock.errors import BaseFactsError, DebError, DownloadError, MirrorError
from crossdock.lockfile.basefacts import BaseFacts
from crossdock.lockfile.bases import LockedDebianBase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pysequoia import Cert

    from crossdock.bases.debian.config import DebianConfig
    from crossdock.bases.debian.deb import Deb
    from crossdock.bases.debian.release import IndexFile
    from crossdock.bases.debian.sources import Mirrors, SuiteSource
    from crossdock.layers.entry import Entry
    from crossdock.lockfile.bases import Archive, LockedPackage
    from crossdock.store import FileRequest, HttpClient, Progress, Store

__all__ = ["TREE_VERSION", "debian_entries", "debian_requests", "facts", "lock_debian", "suite_of"]

#: Raised whenever the same packages give other entries.
TREE_VERSION = 1

_APT = Path("/etc/apt")
_PREFIX = "debian:"


def suite_of(base: str) -> str | None:
    """Give the suite of a base such as ``debian:bookworm``; None for a base of another kind."""
    return base.removeprefix(_PREFIX) if base.startswith(_PREFIX) else None


def lock_debian(
    suite: str,
    architecture: str,
    *,
    packages: Sequence[str],
    config: DebianConfig,
    store: Store,
    http: HttpClient | None = None,
    progress: Progress | None = None,
    now: datetime | None = None,
) -> LockedDebianBase:
    """Choose the exact packages of a base, from the suite's signed index as it is now.

    Args:
        suite: Such as ``bookworm``.
        architecture: OCI's name, such as ``arm64``.
        packages: Names wanted beside those of every Python base.
        config: Settings; what they leave open comes from the environment and the host's apt sources.
        store: Where package lists are kept.
        http: How files are read.
        progress: What draws how far downloads are.
        now: The time to judge ``Valid-Until`` by; the clock's by default.

    Raises:
        MirrorError: No mirror is known, or it does not have the suite.
        ArchiveTrustError: The index is not trusted, out of date, or malformed.
        ResolutionError: A package does not exist, or not in the version another one needs.
        StoreError: A file cannot be read, or is not the one the index promises.
    """
    from crossdock.bases.debian.packages import PackageIndex
    from crossdock.bases.debian.release import read_keyring
    from crossdock.bases.debian.resolve import PYTHON_BASE, resolve
    from crossdock.store import HttpClient

    debian = debian_architecture(architecture)
    effective = config.with_environment(os.environ)
    mirrors = _mirrors(effective)
    certs = read_keyring(effective.keyring)
    client = http or HttpClient(trusted_urls=[url for url in (mirrors.main, mirrors.security) if url])
    reader = _SuiteReader(store, client, progress, certs, now or datetime.now(UTC), effective.check_valid_until)
    lists = [item for source in suite_sources(mirrors, suite) for item in reader.package_lists(source, debian)]
    if mirrors.security is None:
        reader.warnings.append(
            f"{suite}: no security mirror is known, security fixes are missing; set {SECURITY_VARIABLE}"
        )
    index = PackageIndex(lists, architecture=debian)
    chosen = resolve(index, [*PYTHON_BASE, *packages])
    return LockedDebianBase(
        name=f"{_PREFIX}{suite}",
        architecture=architecture,
        requested=tuple(sorted(set(packages))),
        packages=tuple(package.locked for package in chosen),
        warnings=tuple(reader.warnings),
    )


def _mirrors(config: DebianConfig) -> Mirrors:
    """Choose the mirrors, reading the host's apt sources only where the configuration leaves something open."""
    return choose_mirrors(config, [] if config.mirror else read_apt_sources(_APT))


class _SuiteReader:
    """Reads suites' package lists, each checked against the suite's signature; collects warnings."""

    def __init__(
        self,
        store: Store,
        http: HttpClient,
        progress: Progress | None,
        certs: Sequence[Cert],
        now: datetime,
        check_valid_until: bool,
    ) -> None:
        self._store = store
        self._http = http
        self._progress = progress
        self._certs = certs
        self._now = now
        self._check_valid_until = check_valid_until
        self.warnings: list[str] = []

    def package_lists(self, source: SuiteSource, architecture: str) -> list[tuple[Archive, bytes]]:
        from crossdock.bases.debian.release import check_release, package_indexes, parse_release
        from crossdock.store.urls import redact

        folder = f"{source.uri}/dists/{quote(source.suite)}"
        origin = redact(f"{folder}/InRelease")
        text = self._signed_text(source, folder, origin)
        if text is None:
            return []
        release = parse_release(text, origin=origin)
        check_release(
            release, suite=source.suite, now=self._now, check_valid_until=self._check_valid_until, origin=origin
        )
        indexes = package_indexes(release, architecture=architecture, origin=origin)
        return [(source.archive, self._index(index, folder, source.suite)) for index in indexes]

    def _signed_text(self, source: SuiteSource, folder: str, origin: str) -> str | None:
        from crossdock.bases.debian.release import INRELEASE_LIMIT, verified_content
        from crossdock.store import read_url

        try:
            data = read_url(self._http, f"{folder}/InRelease", limit_bytes=INRELEASE_LIMIT)
        except DownloadError as error:
            if error.status != 404:
                raise
            if source.required:
                raise MirrorError(
                    f"the Debian mirror has no suite {source.suite}",
                    why=f"{origin} does not exist",
                    hint="check the suite's name and the mirror's URL",
                ) from error
            self.warnings.append(f"{source.suite}: the mirror does not have it, its fixes are missing ({origin})")
            return None
        return verified_content(data, self._certs, origin=origin)

    def _index(self, index: IndexFile, folder: str, suite: str) -> bytes:
        from crossdock.bases.debian.decompress import unxz
        from crossdock.bases.debian.packages import PACKAGES_LIMIT
        from crossdock.store import FileRequest, fetch

        name = f"{suite} package list"
        request = FileRequest(name=name, url=f"{folder}/{index.path}", sha256=index.sha256, size=index.size)
        fetch(self._store, [request], http=self._http, progress=self._progress)
        return unxz(self._store.read_bytes(index.sha256), limit=PACKAGES_LIMIT, origin=name)


def debian_requests(locked: LockedDebianBase, config: DebianConfig) -> list[FileRequest]:
    """List the package files to fetch.

    Raises:
        MirrorError: No mirror is known for one of them.
    """
    mirrors = _mirrors(config.with_environment(os.environ))
    return [_request(package, mirrors) for package in locked.packages]


def _request(package: LockedPackage, mirrors: Mirrors) -> FileRequest:
    from crossdock.store import FileRequest

    uri = mirrors.url(package.archive)
    if uri is None:
        raise MirrorError(
            f"{package.name} {package.version} is in the security archive, and no mirror of that is known",
            hint=f"set {SECURITY_VARIABLE} to its URL, the folder that holds dists/",
        )
    url = f"{uri}/{quote(package.filename, safe='/+~')}"
    return FileRequest(name=Path(package.filename).name, url=url, sha256=package.sha256, size=package.size)


def debian_entries(locked: LockedDebianBase, store: Store) -> list[Entry]:
    """Lay a base out from package files that are in the store: sorted, every parent before its children.

    Raises:
        MissingBlobError: A package file is not in the store.
        DebError: A package is broken, dangerous, or not the one that was locked; or two do not fit together.
    """
    from crossdock.bases.debian.rootfs import lay_out

    return lay_out(_debs(locked, store))


def _debs(locked: LockedDebianBase, store: Store) -> Iterator[tuple[LockedPackage, Deb]]:
    import hashlib

    from crossdock.bases.debian.deb import read_deb

    for package in locked.packages:
        data = store.read_bytes(package.sha256)
        if hashlib.sha256(data).hexdigest() != package.sha256:
            raise DebError(
                f"{package.filename} was changed in the cache", hint="remove the cache folder and build again"
            )
        yield package, read_deb(data, origin=Path(package.filename).name)


def facts(locked: LockedDebianBase) -> BaseFacts:
    """Tell what a base brings, from the versions of its libc6 and Python packages.

    Raises:
        BaseFactsError: It has no Python or libc package, or one with a version of no known form.
    """
    versions = {package.name: package.version for package in locked.packages}
    libc = re.match(r"(\d+)\.(\d+)", versions.get("libc6", ""))
    default = re.match(r"(\d+\.\d+)\.", versions.get("python3", ""))
    minor = default[1] if default else ""
    # Debian writes pre-releases as 3.14.0~rc1.
    python = re.match(r"(\d+\.\d+\.\d+)(?:~((?:a|b|rc)\d+))?", versions.get(f"python{minor}-minimal", ""))
    if libc is None or python is None:
        raise BaseFactsError(
            f"{locked.name} for {locked.architecture} does not say which libc and which Python it brings",
            why=f"there is no package {'libc6' if libc is None else 'python3'} of a known version",
            hint="run `crossdock lock` again",
        )
    return BaseFacts(
        libc="glibc",
        libc_version=(int(libc[1]), int(libc[2])),
        python_version=python[1] + (python[2] or ""),
        python_path=f"/usr/bin/python{minor}",
        user=f"{NONROOT}:{NONROOT}",
        home="/home/nonroot",
    )
