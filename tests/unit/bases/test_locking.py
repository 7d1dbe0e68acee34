"""``crossdock.lock`` is completed in place, whatever else is written there meanwhile."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.basemaker import LayoutMaker, layer

from crossdock.bases.debian import base as debian
from crossdock.bases.debian.resolve import PYTHON_BASE
from crossdock.bases.locking import BaseLocker
from crossdock.bases.sources import open_source
from crossdock.errors import LockfileError, MissingPlatformError, UnsupportedBaseError
from crossdock.lockfile.bases import LockedDebianBase
from crossdock.lockfile.builds import LockedBuild, LockedRequirement
from crossdock.lockfile.file import Lockfile, read_lockfile, write_lockfile
from crossdock.lockfile.images import LockedImageBase
from crossdock.store import Store
from crossdock.targets import parse_platform

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bases.conftest import FakeArchive

    from crossdock.bases.locking import LockedBase
    from crossdock.oci.content import ImageSource
    from crossdock.oci.reference import Reference
    from crossdock.targets import Platform

AMD64, ARM64 = parse_platform("linux/amd64"), parse_platform("linux/arm64")

BUILD = LockedBuild(
    name="demo",
    version="1.0",
    requires=("flit-core",),
    uses=(LockedRequirement(name="flit-core", version="3.9.0", sha256s=("ab" * 32,)),),
)


def locker(path: Path, archive: FakeArchive, warnings: list[str], base: str = "debian:bookworm") -> BaseLocker:
    return BaseLocker(
        path=path,
        base=base,
        packages=(),
        config=replace(archive.config, check_valid_until=False),
        store=Store(path.parent / "store"),
        http=None,
        progress=None,
        warn=warnings.append,
        open_source=lambda spec: open_source(spec, path.parent, no_registry),
    )


def no_registry(reference: Reference) -> ImageSource:
    raise AssertionError(f"{reference} was asked for")


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
    bases = locker(path, archive, []).take([AMD64], locked=False)
    made = bases[AMD64]
    assert isinstance(made, LockedDebianBase)
    assert read_lockfile(path) == Lockfile(bases=(replace(made, warnings=()),), builds=(BUILD,))


def test_a_renewal_forgets_builds_and_replaces_what_cannot_be_read(tmp_path: Path, archive: FakeArchive) -> None:
    make_suite(archive)
    path, warnings = tmp_path / "crossdock.lock", list[str]()
    write_lockfile(path, Lockfile(builds=(BUILD,)))
    locker(path, archive, warnings).renew([AMD64])
    renewed = read_lockfile(path)
    assert renewed.bases
    assert not renewed.builds
    assert not [text for text in warnings if "replaced" in text]
    path.write_text("what?")
    locker(path, archive, warnings).renew([AMD64])
    assert read_lockfile(path) == renewed
    assert [text for text in warnings if "replaced" in text]


def image_at(path: Path, *names: str, mark: bytes = b"1") -> LayoutMaker:
    """A layout with an index of one small image for each architecture, in place of what was there."""
    shutil.rmtree(path, ignore_errors=True)
    maker = LayoutMaker(path)
    maker.finish(maker.index(*(maker.image(name, layer(mark=mark, name=name.encode())) for name in names)))
    return maker


def indexes(bases: dict[Platform, LockedBase]) -> list[str]:
    images = list(bases.values())
    assert all(isinstance(image, LockedImageBase) for image in images)
    return [image.index for image in images if isinstance(image, LockedImageBase)]


def test_an_image_is_locked_once_and_stays_what_it_is(tmp_path: Path, archive: FakeArchive) -> None:
    path = tmp_path / "crossdock.lock"
    image_at(tmp_path / "base", "amd64", "arm64")
    images = locker(path, archive, [], "oci:base")

    first = images.take([AMD64, ARM64], locked=False)
    text = path.read_text()
    image_at(tmp_path / "base", "amd64", "arm64", mark=b"2")

    assert images.take([ARM64, AMD64], locked=True) == first
    assert images.find(ARM64) == first[ARM64]
    assert path.read_text() == text
    assert [(item.name, item.architecture) for item in read_lockfile(path).images] == [
        ("oci:base", "amd64"),
        ("oci:base", "arm64"),
    ]

    images.renew([AMD64, ARM64])
    assert not set(indexes(images.take([AMD64, ARM64], locked=True))) & set(indexes(first))


def test_another_architecture_comes_from_the_same_release(tmp_path: Path, archive: FakeArchive) -> None:
    path, warnings = tmp_path / "crossdock.lock", list[str]()
    maker = image_at(tmp_path / "base", "amd64", "arm64")
    images = locker(path, archive, warnings, "oci:base")
    images.take([AMD64], locked=False)
    newer = maker.index(*(maker.image(name, layer(mark=b"2")) for name in ("amd64", "arm64")))
    maker.finish(newer)

    assert len(set(indexes(images.take([AMD64, ARM64], locked=False)))) == 1
    assert not warnings

    (tmp_path / "crossdock.lock").unlink()
    images.take([AMD64], locked=False)
    image_at(tmp_path / "base", "amd64", "arm64", mark=b"3")
    assert len(set(indexes(images.take([AMD64, ARM64], locked=False)))) == 2
    assert [text for text in warnings if "is locked as it is now" in text]


def test_locked_refuses_to_add_an_architecture(tmp_path: Path, archive: FakeArchive) -> None:
    path = tmp_path / "crossdock.lock"
    image_at(tmp_path / "base", "amd64", "arm64")
    images = locker(path, archive, [], "oci:base")
    with pytest.raises(LockfileError, match="does not cover oci:base for amd64, arm64"):
        images.take([AMD64, ARM64], locked=True)
    assert not path.exists()


def test_another_name_is_another_base(tmp_path: Path, archive: FakeArchive) -> None:
    path = tmp_path / "crossdock.lock"
    image_at(tmp_path / "base", "amd64")
    image_at(tmp_path / "other", "amd64")
    locker(path, archive, [], "oci:base").take([AMD64], locked=False)
    other = locker(path, archive, [], "oci:other")
    assert other.find(AMD64) is None
    other.take([AMD64], locked=False)
    make_suite(archive)
    locker(path, archive, []).take([AMD64], locked=False)
    assert [image.name for image in read_lockfile(path).images] == ["oci:base", "oci:other"]
    replace(locker(path, archive, []), keep=("oci:other",)).renew([AMD64])
    assert [image.name for image in read_lockfile(path).images] == ["oci:other"]
    locker(path, archive, []).renew([AMD64])
    assert not read_lockfile(path).images


def test_whoever_comes_back_from_another_base_finds_the_one_that_was_locked(
    tmp_path: Path, archive: FakeArchive
) -> None:
    path = tmp_path / "crossdock.lock"
    image_at(tmp_path / "base", "amd64")
    image_at(tmp_path / "other", "amd64")
    first = locker(path, archive, [], "oci:base").take([AMD64], locked=False)
    locker(path, archive, [], "oci:other").take([AMD64], locked=False)
    image_at(tmp_path / "base", "amd64", mark=b"2")
    assert locker(path, archive, [], "oci:base").take([AMD64], locked=True) == first


def test_what_another_process_has_locked_meanwhile_counts(
    tmp_path: Path, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, lock_debian = tmp_path / "crossdock.lock", debian.lock_debian
    make_suite(archive)
    images = locker(path, archive, [])
    (theirs,) = images.take([AMD64], locked=False).values()
    assert isinstance(theirs, LockedDebianBase)
    theirs = replace(theirs, packages=theirs.packages[1:])
    path.unlink()

    def meanwhile(*arguments: Any, **options: Any) -> object:
        write_lockfile(path, Lockfile(bases=(theirs,)))
        return lock_debian(*arguments, **options)

    monkeypatch.setattr(debian, "lock_debian", meanwhile)
    assert images.take([AMD64], locked=False) == {AMD64: theirs}
    images.renew([AMD64])
    assert images.take([AMD64], locked=True) != {AMD64: theirs}


def test_runs_at_the_same_time_lose_nothing_of_each_other(tmp_path: Path, archive: FakeArchive) -> None:
    path = tmp_path / "crossdock.lock"
    names = [f"base{number}" for number in range(8)]
    for name in names:
        image_at(tmp_path / name, "amd64", mark=name.encode())
    lockers = [locker(path, archive, [], f"oci:{name}") for name in names]
    with ThreadPoolExecutor(len(names)) as pool:
        found = list(pool.map(lambda item: item.take([AMD64], locked=False)[AMD64].name, lockers))
    assert found == [image.name for image in read_lockfile(path).images] == [f"oci:{name}" for name in names]


def test_what_another_process_writes_right_after_does_not_matter(
    tmp_path: Path, archive: FakeArchive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def overwritten(path: Path, lockfile: Lockfile) -> None:
        write_lockfile(path, lockfile)
        write_lockfile(path, Lockfile(builds=(BUILD,)))

    image_at(tmp_path / "base", "amd64")
    images = locker(tmp_path / "crossdock.lock", archive, [], "oci:base")
    monkeypatch.setattr("crossdock.lockfile.file.write_lockfile", overwritten)
    (base,) = images.take([AMD64], locked=False).values()
    assert base.name == "oci:base"


def test_a_lower_variant_that_is_locked_serves(tmp_path: Path, archive: FakeArchive) -> None:
    images = locker(tmp_path / "crossdock.lock", archive, [], "oci:base")
    image_at(tmp_path / "base", "amd64")
    third = parse_platform("linux/amd64/v3")
    found = images.take([AMD64, third], locked=False)
    assert found[third] == found[AMD64]
    assert len(read_lockfile(images.path).images) == 1


@pytest.mark.parametrize(
    ("names", "before", "after"),
    [
        (["linux/arm64"], [""], ["v8"]),
        (["linux/arm64"], ["v8"], [""]),
        (["linux/amd64", "linux/amd64/v3"], ["", "v3"], [""]),
        (["linux/amd64/v3", "linux/amd64"], ["v3", "v1"], ["v3", "v1"]),
    ],
)
def test_a_renewal_counts_also_where_the_image_names_its_variant_otherwise(
    names: list[str], before: list[str], after: list[str], tmp_path: Path, archive: FakeArchive
) -> None:
    targets = [parse_platform(name) for name in names]

    def publish(variants: list[str], mark: bytes) -> None:
        shutil.rmtree(tmp_path / "base", ignore_errors=True)
        maker = LayoutMaker(tmp_path / "base")
        entries = []
        for variant in variants:
            platform = {"os": "linux", "architecture": targets[0].arch, **({"variant": variant} if variant else {})}
            own = layer(mark=mark, variant=variant.encode())
            entries.append(maker.image(targets[0].arch, own, platform=platform))
        maker.finish(maker.index(*entries))

    images = locker(tmp_path / "crossdock.lock", archive, [], "oci:base")
    publish(before, b"1")
    first = images.take(targets, locked=False)
    publish(after, b"2")
    images.renew(targets)
    second = images.take(targets, locked=True)
    assert not set(indexes(first)) & set(indexes(second))
    assert len(read_lockfile(images.path).images) == len(after)


def test_what_a_name_with_a_digest_stands_for_cannot_change(tmp_path: Path, archive: FakeArchive) -> None:
    path = tmp_path / "crossdock.lock"
    image_at(tmp_path / "base", "amd64")
    (index,) = indexes(locker(path, archive, [], "oci:base").take([AMD64], locked=False))
    pinned = locker(path, archive, [], f"oci:base@{index}")
    assert indexes(pinned.take([AMD64], locked=False)) == [index]
    path.write_text(path.read_text().replace(f'index = "{index}"', f'index = "sha256:{"0" * 64}"'))
    with pytest.raises(LockfileError, match="contradicts the name"):
        pinned.take([AMD64], locked=False)


def test_a_missing_platform_changes_nothing(tmp_path: Path, archive: FakeArchive) -> None:
    path = tmp_path / "crossdock.lock"
    image_at(tmp_path / "base", "amd64")
    with pytest.raises(MissingPlatformError, match="linux/amd64"):
        locker(path, archive, [], "oci:base").take([AMD64, parse_platform("linux/s390x")], locked=False)
    assert not path.exists()


def test_scratch_is_locked_without_a_place_to_read(tmp_path: Path, archive: FakeArchive) -> None:
    images = locker(tmp_path / "crossdock.lock", archive, [], "scratch")
    found = images.take([AMD64, ARM64], locked=False)
    assert images.take([AMD64, ARM64], locked=True) == found
    assert {base.name for base in found.values()} == {"scratch"}


def test_what_is_no_base_is_refused(tmp_path: Path, archive: FakeArchive) -> None:
    with pytest.raises(UnsupportedBaseError):
        locker(tmp_path / "crossdock.lock", archive, [], "docker://python").find(AMD64)
