"""The whole way, from a mirror in a folder to entries and facts."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from pysequoia import Tsk
from tests.unit.bases.conftest import locked_package

from crossdock.bases.debian import (
    DebianConfig,
    LockedDebianBase,
    debian_entries,
    debian_requests,
    facts,
    lock_debian,
    suite_of,
)
from crossdock.bases.debian.resolve import PYTHON_BASE
from crossdock.errors import (
    ArchiveTrustError,
    BaseFactsError,
    DebError,
    HashMismatchError,
    MirrorError,
    MissingBlobError,
    ResolutionError,
    UnsupportedBaseError,
)
from crossdock.layers.entry import file
from crossdock.store import Store, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bases.conftest import FakeArchive, FakeSuite

_NOW = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


@pytest.fixture
def suite(archive: FakeArchive) -> FakeSuite:
    """A suite with everything a Python base needs."""
    suite = archive.suite("bookworm")
    versions = {"libc6": "2.36-9+deb12u1", "python3": "3.11.2-1+b1"}
    for name in PYTHON_BASE:
        depends = {"depends": "python3.11-minimal, dpkg"} if name == "python3" else {}
        suite.add(name, versions.get(name, "1.0-1"), members=[file(f"./usr/share/{name}/x", name.encode())], **depends)
    suite.add("python3.11-minimal", "3.11.2-6+deb12u9", members=[file("./usr/bin/python3.11", b"\x7fELF")])
    return suite


def _lock(archive: FakeArchive, store: Store, *packages: str, config: DebianConfig | None = None) -> LockedDebianBase:
    return lock_debian("bookworm", "amd64", packages=packages, config=config or archive.config, store=store, now=_NOW)


def test_a_base_is_locked_fetched_and_laid_out(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    suite.publish()
    locked = _lock(archive, store)
    assert [package.name for package in locked.packages] == sorted([*PYTHON_BASE, "python3.11-minimal"])
    fetch(store, debian_requests(locked, archive.config))
    entries = {entry.path: entry for entry in debian_entries(locked, store)}
    assert entries["usr/bin/python3.11"].content == b"\x7fELF"
    found = facts(locked)
    assert (found.libc, found.libc_version) == ("glibc", (2, 36))
    assert (found.python_version, found.python_path) == ("3.11.2", "/usr/bin/python3.11")


def test_a_missing_updates_or_security_suite_is_told_and_not_hidden(
    archive: FakeArchive, suite: FakeSuite, store: Store
) -> None:
    suite.publish()
    warnings = _lock(archive, store).warnings
    assert [warning.partition(":")[0] for warning in warnings] == ["bookworm-updates", "bookworm-security"]
    without = _lock(archive, store, config=replace(archive.config, security_mirror=None))
    assert "CROSSDOCK_DEBIAN_SECURITY_MIRROR" in without.warnings[-1]


def test_security_fixes_come_from_the_security_mirror(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    suite.publish()
    security = archive.suite("bookworm-security")
    security.add("zlib1g", "1.0-1+deb12u1")
    security.publish()
    locked = _lock(archive, store)
    fixed = next(package for package in locked.packages if package.name == "zlib1g")
    assert (fixed.version, fixed.archive) == ("1.0-1+deb12u1", "debian-security")
    with pytest.raises(MirrorError, match="security archive"):
        debian_requests(locked, replace(archive.config, security_mirror=None))


def test_extra_packages_are_remembered(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    suite.add("libpq5")
    suite.publish()
    assert _lock(archive, store, "libpq5", "libpq5").requested == ("libpq5",)
    with pytest.raises(ResolutionError, match="no package libpq6"):
        _lock(archive, store, "libpq6")


def test_the_environment_names_mirror_and_keyring(
    archive: FakeArchive, suite: FakeSuite, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite.publish()
    monkeypatch.setenv("CROSSDOCK_DEBIAN_MIRROR", str(archive.config.mirror))
    monkeypatch.setenv("CROSSDOCK_DEBIAN_KEYRING", os.fspath(archive.config.keyring or ""))
    assert len(_lock(archive, store, config=DebianConfig()).packages) == len(PYTHON_BASE) + 1


def test_a_mirror_without_the_suite_is_refused(archive: FakeArchive, store: Store) -> None:
    with pytest.raises(MirrorError, match="no suite bookworm"):
        _lock(archive, store)


def test_an_index_by_an_unknown_key_is_refused(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    suite.key = Tsk.generate(user_id="stranger")
    suite.publish()
    with pytest.raises(ArchiveTrustError, match="cannot be trusted"):
        _lock(archive, store)


def test_another_suite_s_index_in_its_place_is_refused(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    other = archive.suite("bullseye").publish()
    (suite.publish() / "InRelease").write_bytes((other / "InRelease").read_bytes())
    with pytest.raises(ArchiveTrustError, match="another suite"):
        _lock(archive, store)


def test_an_index_out_of_date_is_refused_unless_configured(
    archive: FakeArchive, suite: FakeSuite, store: Store
) -> None:
    suite.valid_until = "Fri, 20 Nov 2026 00:00:00 UTC"
    suite.publish()
    with pytest.raises(ArchiveTrustError, match="out of date"):
        _lock(archive, store)
    assert _lock(archive, store, config=replace(archive.config, check_valid_until=False)).packages


def test_a_tampered_package_list_is_refused(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    folder = suite.publish()
    [packages] = (folder / "main/binary-amd64/by-hash/SHA256").iterdir()
    data = packages.read_bytes()
    packages.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(HashMismatchError):
        _lock(archive, store)


def test_a_tampered_package_is_refused(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    suite.publish()
    locked = _lock(archive, store)
    path = archive.root / locked.packages[0].filename
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(HashMismatchError):
        fetch(store, debian_requests(locked, archive.config))


def test_a_package_changed_in_the_cache_is_refused(archive: FakeArchive, suite: FakeSuite, store: Store) -> None:
    suite.publish()
    locked = _lock(archive, store)
    with pytest.raises(MissingBlobError):
        debian_entries(locked, store)
    fetch(store, debian_requests(locked, archive.config))
    blob = store.path(locked.packages[0].sha256)
    blob.chmod(0o644)
    blob.write_bytes(b"x")
    with pytest.raises(DebError, match="changed in the cache"):
        debian_entries(locked, store)


def test_an_architecture_without_bases_is_refused(archive: FakeArchive, store: Store) -> None:
    with pytest.raises(UnsupportedBaseError, match="s390x"):
        lock_debian("bookworm", "s390x", packages=(), config=archive.config, store=store)


@pytest.mark.parametrize(("base", "suite"), [("debian:trixie", "trixie"), ("python:3.12-slim", None)])
def test_a_debian_base_is_told_by_its_name(base: str, suite: str | None) -> None:
    assert suite_of(base) == suite


def _versions(**versions: str) -> LockedDebianBase:
    packages = tuple(locked_package(name.replace("_", "-"), version) for name, version in versions.items())
    return LockedDebianBase(name="debian:forky", architecture="arm64", requested=(), packages=packages)


def test_facts_follow_the_default_python_and_its_pre_releases() -> None:
    packages = {"libc6": "2.43-1", "python3": "3.14.0~rc2-1", "python3.13-minimal": "3.13.9-1"}
    found = facts(_versions(**packages, **{"python3.14-minimal": "3.14.0~rc2-3"}))
    assert (found.python_version, found.python_path, found.libc_version) == (
        "3.14.0rc2",
        "/usr/bin/python3.14",
        (2, 43),
    )


@pytest.mark.parametrize("missing", ["libc6", "python3", "python3.13-minimal"])
def test_facts_that_are_missing_are_an_error(missing: str) -> None:
    versions = {"libc6": "2.41-1", "python3": "3.13.5-1", "python3.13-minimal": "3.13.5-2"}
    del versions[missing]
    with pytest.raises(BaseFactsError):
        facts(_versions(**versions))
