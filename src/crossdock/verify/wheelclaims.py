"""What a wheel claims by its own file name (PEP 425, PEP 427): systems and machines, each with its oldest library."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crossdock.errors import LayoutUnreadableError
from crossdock.targets.platform import ARCHITECTURES, Libc
from crossdock.verify.claim import Claim
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Literal

__all__ = ["ANY", "Promised", "claims_of_wheel", "platforms_of_tags", "tags_of_wheel"]

ANY: Final = Platform(os="any", architecture="")
"""What a wheel is for that has no code of any machine."""

_LINUX: Final = re.compile(r"(manylinux|musllinux)_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
_OLD_LINUX: Final = re.compile(r"(manylinux1|manylinux2010|manylinux2014|linux)_(\w+)", re.ASCII)
_OLD_GLIBC: Final = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MACOS: Final = re.compile(r"macosx_(\d{1,3})_(\d{1,3})_(\w+)", re.ASCII)
# packaging.tags and PEP 425 leave these names to Apple's history of processors; those of 32 bits are no targets.
_MAC_MACHINES: Final = {
    "arm64": ("arm64",),
    "x86_64": ("amd64",),
    "universal2": ("amd64", "arm64"),
    "intel": ("amd64",),
    "universal": ("amd64",),
    "fat64": ("amd64",),
}
_WINDOWS: Final = {"win_amd64": "amd64", "win_arm64": "arm64", "win32": "386"}
_MACHINES: Final = {item.machine: name for name, item in ARCHITECTURES.items()} | {"armv8l": "arm"}
#: Names with more parts are not taken apart; no wheel has so many.
_MOST_PARTS: Final = 64
_LONGEST_NAME: Final = 400


@dataclass(frozen=True, slots=True, order=True)
class Promised:
    """A platform that a tag is for.

    Attributes:
        os: By OCI's name.
        architecture: Likewise.
        libc: The kind of C library; empty where the tag says none.
        floor: The oldest version of that, or of macOS; (0, 0) where the tag says none.
    """

    os: str
    architecture: str
    libc: Literal["", "glibc", "musl"] = ""
    floor: tuple[int, int] = (0, 0)


def platforms_of_tags(platforms: Iterable[str]) -> tuple[Promised, ...]:
    """Say what the platform parts of a wheel's tags promise: each system, machine and C library with the oldest floor.

    ``any`` is none; a platform that is not known stands for itself.
    """
    found: dict[tuple[str, str, str], Promised] = {}
    for name in platforms:
        for promised in _platforms_of(name):
            key = (promised.os, promised.architecture, promised.libc)
            known = found.get(key)
            if known is None or promised.floor < known.floor:
                found[key] = promised
    return tuple(sorted(found.values()))


def _platforms_of(name: str) -> list[Promised]:
    if match := _LINUX.fullmatch(name):
        kind: Literal["glibc", "musl"] = "glibc" if match[1] == "manylinux" else "musl"
        return [Promised("linux", _MACHINES.get(match[4], match[4]), kind, (int(match[2]), int(match[3])))]
    if match := _OLD_LINUX.fullmatch(name):
        architecture = _MACHINES.get(match[2], match[2])
        if match[1] == "linux":
            return [Promised("linux", architecture)]
        return [Promised("linux", architecture, "glibc", _OLD_GLIBC[match[1]])]
    if match := _MACOS.fullmatch(name):
        machines = _MAC_MACHINES.get(match[3], (match[3],))
        return [Promised("darwin", machine, "", (int(match[1]), int(match[2]))) for machine in machines]
    if name in _WINDOWS:
        return [Promised("windows", _WINDOWS[name])]
    if name == "any":
        return []
    system, _, machine = name.partition("_")
    return [Promised(system[:40], machine[:40] or "unknown")]


def tags_of_wheel(filename: str) -> tuple[str, ...] | None:
    """Give the platform parts of the tags in a wheel's file name; None if it is no name of a wheel."""
    from packaging.utils import InvalidWheelFilename, parse_wheel_filename

    parts = filename.removesuffix(".whl").split("-")
    if len(filename) > _LONGEST_NAME or sum(part.count(".") for part in parts[-3:]) > _MOST_PARTS:
        return None
    try:
        parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return None
    return tuple(dict.fromkeys(parts[-1].lower().split(".")))


def claims_of_wheel(filename: str) -> tuple[Claim, ...]:
    """Give what a wheel claims to be: a claim for each system, machine and C library in its name.

    A wheel for any machine gives one claim, whose platform is `ANY`.

    Raises:
        LayoutUnreadableError: It is not the name of a wheel.
    """
    tags = tags_of_wheel(filename)
    if tags is None:
        raise LayoutUnreadableError(
            f"{filename[:_LONGEST_NAME]} is not the file name of a wheel",
            why="what a wheel is for is told by its name: NAME-VERSION-PYTHON-ABI-PLATFORM.whl",
            hint="give it the name it was published under; or say what it is for, as in --target linux/arm64",
        )
    promised = platforms_of_tags(tags)
    if not promised:
        return (Claim(platform=ANY, subject="wheel", wheel=filename),)
    return tuple(
        Claim(
            platform=Platform(os=item.os, architecture=item.architecture),
            subject="wheel",
            libc=Libc(item.libc, item.floor) if item.libc else None,
            macos=item.floor if item.os == "darwin" else None,
            wheel=filename,
        )
        for item in promised
    )
