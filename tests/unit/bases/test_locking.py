"""``crossdock.lock`` is completed in place, whatever else is written there meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from crossdock.bases.debian import base as debian
from crossdock.bases.debian.resolve import PYTHON_BASE
from crossdock.bases.locking import BaseLocker
from crossdock.lockfile.builds import LockedBuild, LockedRequirement
from crossdock.lockfile.file import Lockfile, read_lockfile, write_lockfile
from crossdock.store import Store

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from tests.unit.bases.conftest import FakeArchive

BUILD = LockedBuild(
    name="demo",
    version="1.0",
    requires=("flit-core",),
    uses=(LockedRequirement(name="flit-core", version="3.9.0", sha256s=("ab" * 32,)),),
)


def locker(path: Path, archive: FakeArchive, warnings: list[str]) -> BaseLocker:
    return BaseLocker(
        path=path,
        base="debian:bookworm",
        packages=(),
        config=replace(archive.config, check_valid_until=False),
        store=Store(path.parent / "store"),
        http=None,
        progress=None,
        warn=warnings.append,
    )


def make_suite(archive: FakeArchive) -> None:
    suite = archive.suite("bookworm")
    for name in PYTHON_BASE:
        suite.add(name)
    suite.publish()


def test_what_another_process_records_while_a_base_is_locked_stays(
    tmp_path: Path, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock_debian = tmp_path / "crossdock.lock", debian.lock_debian

    def meanwhile(*arguments: Any, **options: Any) -> object:
        write_lockfile(path, Lockfile(builds=(BUILD,)))
        return lock_debian(*arguments, **options)

    make_suite(archive)
    monkeypatch.setattr(debian, "lock_debian", meanwhile)
    bases = locker(path, archive, []).take(["amd64"], locked=False)
    assert read_lockfile(path) == Lockfile(bases=(replace(bases["amd64"], warnings=()),), builds=(BUILD,))


def test_a_renewal_forgets_builds_and_replaces_what_cannot_be_read(tmp_path: Path, archive: FakeArchive) -> None:
    make_suite(archive)
    path, warnings = tmp_path / "crossdock.lock", list[str]()
    write_lockfile(path, Lockfile(builds=(BUILD,)))
    locker(path, archive, warnings).renew(["amd64"])
    renewed = read_lockfile(path)
    assert renewed.bases
    assert not renewed.builds
    assert not [text for text in warnings if "replaced" in text]
    path.write_text("what?")
    locker(path, archive, warnings).renew(["amd64"])
    assert read_lockfile(path) == renewed
    assert [text for text in warnings if "replaced" in text]
