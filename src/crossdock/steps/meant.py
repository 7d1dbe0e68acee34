"""What a finished artifact is for: as its users say, or as its own wheels say where all of them agree."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from crossdock.targets import parse_target
from crossdock.targets.platform import Libc
from crossdock.targets.python import FIRST_PYTHON, LAST_PYTHON, PYPY_RELEASES, parse_python
from crossdock.verify.claim import Claim
from crossdock.verify.distributions import read_distributions
from crossdock.verify.platforms import Platform
from crossdock.verify.rules.machines import MACHINES
from crossdock.verify.wheelclaims import Promised, platforms_of_tags, tags_of_wheel

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from packaging.tags import Tag

    from crossdock.targets import Target
    from crossdock.targets.python import Python
    from crossdock.targets.spec import TargetSpec
    from crossdock.verify.reading import Artifact

__all__ = ["Meant", "all_pythons", "meant", "meant_by_wheels"]

#: Above any version of a C library there is.
_ANY_MINOR: Final = 99
#: Tags of one CPython; what has the stable ABI or none is for many.
_ONE_PYTHON: Final = re.compile(r"cp3(\d{1,2})-cp3\1(t?)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """What an artifact is said to be for.

    Attributes:
        claim: For the rules.
        targets: The target, once for each Python that will do.
        tags: Wheel tags that are taken there.
    """

    claim: Claim
    targets: tuple[Target, ...] = ()
    tags: frozenset[Tag] = frozenset()

    @property
    def platform(self) -> Platform:
        """The platform."""
        return self.claim.platform


def meant(spec: TargetSpec, pythons: Sequence[Python] = ()) -> Meant:
    """Say what a target means for an artifact that was built already.

    Args:
        spec: The target; where it names no C library's version, wheels may need any.
        pythons: What it may run where it names none itself; without any, all that are known.
    """
    platform = spec.platform
    libc = Libc(platform.libc.kind, (platform.libc.version[0], _ANY_MINOR)) if platform.libc else None
    floor = None if platform.libc_named else libc
    asked: Sequence[Python | None] = (None,) if spec.python else pythons or all_pythons()
    targets = tuple(spec.target(python, libc=floor) for python in asked)
    oci = platform.oci
    claim = Claim(
        platform=Platform(os=oci["os"], architecture=oci["architecture"], variant=oci.get("variant", "")),
        targets=targets,
        libc=targets[0].platform.libc,
        macos=targets[0].platform.macos,
    )
    return Meant(claim=claim, targets=targets, tags=frozenset(tag for target in targets for tag in target.tags))


def all_pythons() -> list[Python]:
    """Give every Python that is known."""
    minors = range(FIRST_PYTHON[1], LAST_PYTHON[1] + 1)
    names = [f"3.{minor}" for minor in minors] + [f"3.{minor}t" for minor in minors if minor >= 13]
    return [parse_python(name) for name in (*names, *(f"pypy{major}.{minor}" for major, minor in PYPY_RELEASES))]


def meant_by_wheels(artifact: Artifact, pythons: Sequence[Python] = ()) -> list[Meant]:
    """Say what an artifact is for by the tags of the wheels in it: the platforms that every package has a wheel for.

    Args:
        artifact: What was seen of it: a PEX, or a folder or archive of installed packages.
        pythons: What it may run; without any, what the tags say, or all that are known.

    Returns:
        One for each platform; none if no wheel has code for a machine, or if they do not agree.
    """
    offers: dict[str, list[Promised]] = {}
    own: set[tuple[str, str]] = set()
    for name, tags in _tagged(artifact):
        offered = platforms_of_tags(part for tag in tags for part in tag.rpartition("-")[2].split("."))
        if offered:
            offers.setdefault(name, []).extend(offered)
            own.update(match.groups() for tag in tags if (match := _ONE_PYTHON.match(tag)) is not None)  # type: ignore[misc]
    keys = [{key for item in offered for key in _keys(item)} for offered in offers.values()]
    common = set.intersection(*keys) if keys else set()
    asked = pythons or ([parse_python(f"3.{minor}{t}") for minor, t in own] if len(own) == 1 else ())
    found = []
    for os, architecture, libc in sorted(common):
        if architecture not in MACHINES.get(os, {}):
            continue
        if libc and (os, architecture, "") in common:
            continue  # nothing says which C library, so neither is meant
        spelled = parse_target(f"{os}/{architecture}{'+musl' * (libc == 'musl')}")
        one = meant(_with_newest(spelled, [item for items in offers.values() for item in items]), asked)
        found.append(one if libc or os != "linux" else _of_any_libc(one, asked))
    return found


def _keys(item: Promised) -> set[tuple[str, str, str]]:
    """Give what has to be the same: a wheel that says no C library fits those that do."""
    kinds = ("", "glibc", "musl") if item.os == "linux" and not item.libc else (item.libc,)
    return {(item.os, item.architecture, kind) for kind in kinds}


def _of_any_libc(one: Meant, pythons: Sequence[Python]) -> Meant:
    """Give what the tag ``linux_x86_64`` says: nothing of a C library."""
    other = meant(parse_target(f"{one.platform.os}/{one.platform.architecture}+musl"), pythons)
    return replace(one, claim=replace(one.claim, libc=None), tags=one.tags | other.tags)


def _with_newest(spec: TargetSpec, offered: Iterable[Promised]) -> TargetSpec:
    """Take the newest macOS that a wheel needs for the oldest that the artifact is for."""
    if spec.platform.os != "darwin":
        return spec
    floors = [item.floor for item in offered if (item.os, item.architecture) == ("darwin", spec.platform.arch)]
    return replace(spec, platform=replace(spec.platform, macos=max([*floors, (11, 0)])))


def _tagged(artifact: Artifact) -> list[tuple[str, tuple[str, ...]]]:
    """Give the name of every package with its tags."""
    if artifact.wheels:
        found: list[tuple[str, tuple[str, ...]]] = []
        for filename in artifact.wheels:
            platforms = tags_of_wheel(filename)
            if platforms is not None:
                python, abi = filename.removesuffix(".whl").split("-")[-3:-1]
                tags = tuple(
                    f"{one}-{two}-{three}" for one in python.split(".") for two in abi.split(".") for three in platforms
                )
                found.append((canonicalize_name(filename.partition("-")[0]), tags))
        return found
    return [
        (item.name, tuple(tag.lower() for tag in item.tags or ())) for item in read_distributions(artifact.rest.texts)
    ]
