"""The wheel tags a target accepts, best first (PEP 425, 600, 656)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from packaging import tags as pep425

from crossdock.targets.platform import ARCHITECTURES, Libc, Platform

if TYPE_CHECKING:
    from collections.abc import Iterator

    from packaging.tags import Tag

    from crossdock.targets.python import Python

__all__ = ["platform_tags", "wheel_tags"]

#: PEP 600's three older names, by the glibc minor version they stand for.
_LEGACY_MANYLINUX = {17: "manylinux2014", 12: "manylinux2010", 5: "manylinux1"}


def platform_tags(platform: Platform) -> list[str]:
    """List a platform's platform tags, best first: bare ``linux_*``, then the newest libc version down to the oldest.

    A bare tag promises nothing of the C library and is the user's own build, so it wins, as in ``packaging``.
    """
    tags = [f"linux_{platform.machine}"]
    if platform.libc:
        tags.extend(_libc_tags(platform, platform.libc))
    return tags


def _libc_tags(platform: Platform, libc: Libc) -> Iterator[str]:
    machine = platform.machine
    major, newest = libc.version
    if libc.kind == "musl":
        for minor in range(newest, -1, -1):
            yield f"musllinux_{major}_{minor}_{machine}"
        return
    for minor in range(newest, ARCHITECTURES[platform.arch].oldest_glibc - 1, -1):
        yield f"manylinux_{major}_{minor}_{machine}"
        if legacy := _LEGACY_MANYLINUX.get(minor):
            yield f"{legacy}_{machine}"


@lru_cache(maxsize=64)
def wheel_tags(platform: Platform, python: Python) -> tuple[Tag, ...]:
    """List every wheel tag that fits, best first, in the order that pip ranks them.

    ``packaging`` makes the order; the platform list is ours, since its own comes from the host.
    """
    platforms = platform_tags(platform)
    interpreter = f"cp{python.version[0]}{python.version[1]}"
    return (
        *pep425.cpython_tags(python.version, abis=[python.abi], platforms=platforms),
        *pep425.compatible_tags(python.version, interpreter=interpreter, platforms=platforms),
    )
