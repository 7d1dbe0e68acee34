"""The readers see in Linux wheels what auditwheel sees: versions of symbols, libraries from outside, the glibc."""

from __future__ import annotations

import re
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest
from tests.support.auditwheel_oracle import opinion
from tests.support.wheelset import listed, wheels

from crossdock.headers.describe import describe
from crossdock.headers.source import BytesSource

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.headers.linking import Linking

pytestmark = pytest.mark.network

#: Libraries that only a part of a wheel wants, which nobody needs who has not the hardware.
KNOWN_OUTSIDE = {
    "nvidia_cufile": {"libibverbs.so.1", "libmlx5.so.1", "librdmacm.so.1"},
}
#: auditwheel takes seconds for each megabyte.
_LARGEST = 1_000_000
LINUX = [
    wheel.filename
    for wheel in listed("core")
    if "linux_" in wheel.filename and (wheel.size <= _LARGEST or wheel.filename.startswith(tuple(KNOWN_OUTSIDE)))
]
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}
#: The system's own C library under musl, by the names that compilers give it.
_MUSL = re.compile(r"libc\.(musl-\w+\.so\.1|so)")
_LOADER = re.compile(r"ld-(linux|musl)")
_GLIBC = re.compile(r"GLIBC_(\d+)\.(\d+)")


@pytest.fixture(scope="module")
def files() -> dict[str, Path]:
    return {path.name: path for path in wheels("core")}


@pytest.mark.parametrize("filename", LINUX)
def test_agrees(filename: str, files: dict[str, Path]) -> None:
    natives = dict(_natives(files[filename]))
    theirs = opinion(files[filename])
    if not natives:
        assert theirs.reason, "auditwheel sees a native file where the readers see none"
        return

    assert not theirs.reason
    assert _versions(natives) == {name: set(versions) for name, versions in theirs.versions.items()}

    # auditwheel knows musl's C library by Alpine's name alone; musl's loader takes the plain one for itself.
    outside = set(theirs.outside) - ({"libc.so"} if "musllinux" in filename else set())
    needed = {name for linking in natives.values() for name in linking.needed}
    own = {path.rpartition("/")[2] for path in natives} | {linking.name for linking in natives.values()}
    assert outside == KNOWN_OUTSIDE.get(filename.partition("-")[0], set())
    assert outside <= needed - own

    musl = any(_MUSL.fullmatch(name) for name in needed)
    if theirs.symbol_tag.startswith("musllinux"):
        assert musl or not needed
    if theirs.symbol_glibc is not None:
        assert not musl
        assert _newest_glibc(natives) <= theirs.symbol_glibc


def _natives(wheel: Path) -> Iterator[tuple[str, Linking]]:
    (arch,) = {ours for name, ours in ARCHITECTURES.items() if wheel.stem.endswith(name)}
    with zipfile.ZipFile(wheel) as archive:
        for member in archive.namelist():
            with archive.open(member) as stream:
                head = stream.read(4)
                data = head + stream.read() if head == b"\x7fELF" else b""
            binary = describe(BytesSource(data))
            if binary is not None:
                linking = binary.linking_for(arch)
                assert linking is not None, f"{member}: {binary.damaged or binary.label}"
                yield member, linking


def _versions(natives: dict[str, Linking]) -> dict[str, set[str]]:
    found: defaultdict[str, set[str]] = defaultdict(set)
    for linking in natives.values():
        for library, version in linking.versions:
            # auditwheel leaves the loader's out.
            if not _LOADER.match(library):
                found[library].add(version)
    return dict(found)


def _newest_glibc(natives: dict[str, Linking]) -> tuple[int, int]:
    versions = [match for found in _versions(natives).values() for text in found if (match := _GLIBC.fullmatch(text))]
    return max(((int(match[1]), int(match[2])) for match in versions), default=(0, 0))
