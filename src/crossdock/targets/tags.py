"""The wheel tags a target accepts, best first (PEP 425, 600, 656, 703, 803)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from packaging import tags as pep425

from crossdock.targets.platform import ARCHITECTURES, Libc, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from packaging.tags import Tag

    from crossdock.targets.python import Python

__all__ = ["LibcPolicy", "oldest_first", "platform_tags", "wheel_tags"]

#: Which of several wheels that differ in the system they need is taken: that for the newest, or that for the oldest.
LibcPolicy = Literal["newest", "lowest"]

#: PEP 600's three older names, by the glibc minor version they stand for.
LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}
_LEGACY_MINORS = {name: minor for minor, name in LEGACY_MANYLINUX.items()}

_WINDOWS = {"amd64": "win_amd64", "arm64": "win_arm64", "386": "win32"}

_FAMILY = re.compile(r"(manylinux|musllinux|macosx)_([0-9]{1,3})_([0-9]{1,3})_(\w+)", re.ASCII)
_LEGACY = re.compile(r"(manylinux1|manylinux2010|manylinux2014)_\w+", re.ASCII)


def platform_tags(platform: Platform, libc_policy: LibcPolicy = "newest") -> list[str]:
    """List a platform's platform tags, best first.

    On Linux bare ``linux_*``, then the newest libc version down to the oldest: a bare tag promises nothing of the C
    library and is the user's own build, so it wins, as in ``packaging``. On macOS ``packaging`` has the order.
    """
    if platform.os == "windows":
        return [_WINDOWS[platform.arch]]
    if platform.os == "darwin":
        tags = list(pep425.mac_platforms(platform.macos or (11, 0), platform.machine))
    else:
        tags = [f"linux_{platform.machine}"]
        if platform.libc:
            tags.extend(_libc_tags(platform, platform.libc))
    return oldest_first(tags) if libc_policy == "lowest" else tags


def _libc_tags(platform: Platform, libc: Libc) -> Iterator[str]:
    machine = platform.machine
    major, newest = libc.version
    if libc.kind == "musl":
        for minor in range(newest, -1, -1):
            yield f"musllinux_{major}_{minor}_{machine}"
        return
    for minor in range(newest, ARCHITECTURES[platform.arch].oldest_glibc - 1, -1):
        yield f"manylinux_{major}_{minor}_{machine}"
        if legacy := LEGACY_MANYLINUX.get(minor):
            yield f"{legacy}_{machine}"


def oldest_first(platforms: Sequence[str]) -> list[str]:
    """Rank the platform tags of each family (glibc, musl, macOS) from the oldest to the newest.

    A family's tags keep the places that it had; all others stay where they are.
    """
    arm_mac = any(name.startswith("macosx_") and name.endswith("_arm64") for name in platforms)
    families: dict[str, list[int]] = {}
    ages: dict[int, tuple[int, ...]] = {}
    for place, name in enumerate(platforms):
        if found := _age(name, arm_mac=arm_mac):
            families.setdefault(found[0], []).append(place)
            ages[place] = found[1]
    ranked = list(platforms)
    for places in families.values():
        for place, source in zip(places, sorted(places, key=ages.__getitem__), strict=True):
            ranked[place] = platforms[source]
    return ranked


def _age(name: str, *, arm_mac: bool) -> tuple[str, tuple[int, ...]] | None:
    """A tag's family and what it is sorted by in it."""
    if legacy := _LEGACY.fullmatch(name):
        return "manylinux", (2, _LEGACY_MINORS[legacy[1]])
    match = _FAMILY.fullmatch(name)
    if match is None:
        return None
    version = (int(match[2]), int(match[3]))
    if match[1] == "macosx" and arm_mac:
        # The half for Apple's own processors never ran before macOS 11, whatever a universal wheel says of the other.
        return "macosx", (*max(version, (11, 0)), int(match[4] != "arm64"), *version)
    return match[1], version


@lru_cache(maxsize=256)
def wheel_tags(platform: Platform, python: Python, libc_policy: LibcPolicy = "newest") -> tuple[Tag, ...]:
    """List every wheel tag that fits, best first, in the order that pip ranks them.

    ``packaging`` makes the order; the platform list is ours, since its own comes from the host.
    """
    platforms = platform_tags(platform, libc_policy)
    if python.implementation == "pypy":
        return (
            *pep425.generic_tags(python.interpreter, [python.abi], platforms),
            # What packaging itself has here: pure wheels for any PyPy 3.
            *pep425.compatible_tags(python.version, interpreter="pp3", platforms=platforms),
        )
    return (
        *pep425.cpython_tags(python.version, abis=[python.abi], platforms=platforms),
        *pep425.compatible_tags(python.version, interpreter=python.interpreter, platforms=platforms),
    )
