"""The rules on wheels' tags: whether what they promise is true of the programs inside (PEP 425, PEP 600, PEP 656)."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import product
from math import prod
from typing import TYPE_CHECKING, Final

from packaging.utils import canonicalize_name

from crossdock.targets.platform import ARCHITECTURES
from crossdock.verify.finding import Finding
from crossdock.verify.loader import libc_kinds
from crossdock.verify.rules.abi import apple_version, floor_of, is_newer_macos, judge_program, wants_above

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.headers.linking import Linking
    from crossdock.verify.claim import Case
    from crossdock.verify.distributions import Distribution

__all__ = ["Promise", "expanded", "judge_tags", "promise_of"]

_LINUX: Final = re.compile(
    r"(?P<family>manylinux|musllinux)_(?P<major>\d{1,3})_(?P<minor>\d{1,3})_(?P<machine>\w+)", re.ASCII
)
_PLAIN: Final = re.compile(r"(?P<family>manylinux1|manylinux2010|manylinux2014|linux)_(?P<machine>\w+)", re.ASCII)
_LEGACY: Final = {"manylinux1": (2, 5), "manylinux2010": (2, 12), "manylinux2014": (2, 17)}
_MACOS: Final = re.compile(r"macosx_(?P<major>\d{1,3})_(?P<minor>\d{1,3})_(?P<machine>\w+)", re.ASCII)
_MAC_MACHINES: Final = {
    "x86_64": ("amd64",),
    "arm64": ("arm64",),
    "universal2": ("amd64", "arm64"),
    "intel": ("amd64",),
    "universal": ("amd64",),
    "fat64": ("amd64",),
}
_WINDOWS: Final = {"win_amd64": "amd64", "win_arm64": "arm64", "win32": "386"}
_BY_MACHINE: Final = {item.machine: name for name, item in ARCHITECTURES.items()} | {"armv8l": "arm"}
_LIBRARY_ENDS: Final = (".so", ".pyd", ".dll", ".dylib")
_PROGRAM_FOLDERS: Final = ("bin", "scripts", "Scripts")
#: No real wheel is for as many; more are not taken apart.
_MOST_TAGS: Final = 2_000


@dataclass(slots=True)
class Promise:
    """What tags say of one platform.

    Attributes:
        pure: Whether there are no tags but for any platform.
        here: Whether any of them is for the platform.
        glibc: The oldest glibc that they say is enough, if they say one.
        musl: Whether they say that it runs with musl.
        macos: The oldest macOS that they say is enough, if they say one.
        names: The tags' platforms, for people.
    """

    pure: bool
    here: bool = False
    glibc: tuple[int, int] | None = None
    musl: bool = False
    macos: tuple[int, int] | None = None
    names: list[str] = field(default_factory=list)


def expanded(tags: Iterable[str]) -> frozenset[str] | None:
    """Take compressed tags apart (PEP 425, "Compressed Tag Sets"): ``py2.py3-none-any`` are two.

    Returns:
        All tags, in lower case; None if these are more than any wheel has.
    """
    found: set[str] = set()
    for tag in tags:
        parts = [part.split(".") for part in tag.lower().split("-")]
        if prod(map(len, parts)) + len(found) > _MOST_TAGS:
            return None
        found.update("-".join(item) for item in product(*parts))
    return frozenset(found)


def promise_of(platforms: Iterable[str], os: str, architecture: str) -> Promise:
    """Sum up what the platforms of a wheel's tags promise of one system and machine, by OCI's names."""
    names = sorted(set(platforms))
    promise = Promise(pure=names == ["any"], here="any" in names, names=names)
    for name in names:
        if match := _LINUX.fullmatch(name):
            if (os, architecture) == ("linux", _BY_MACHINE.get(match["machine"])):
                version = (int(match["major"]), int(match["minor"]))
                _promise_linux(promise, match["family"], version)
        elif match := _PLAIN.fullmatch(name):
            if (os, architecture) == ("linux", _BY_MACHINE.get(match["machine"])):
                _promise_linux(promise, match["family"], _LEGACY.get(match["family"]))
        elif match := _MACOS.fullmatch(name):
            if os == "darwin" and architecture in _MAC_MACHINES.get(match["machine"], ()):
                promise.here = True
                version = (int(match["major"]), int(match["minor"]))
                promise.macos = version if promise.macos is None else min(promise.macos, version)
        elif _WINDOWS.get(name) == architecture and os == "windows":
            promise.here = True
    return promise


def _promise_linux(promise: Promise, family: str, version: tuple[int, int] | None) -> None:
    promise.here = True
    if family == "musllinux":
        promise.musl = True
    elif version is not None:
        promise.glibc = version if promise.glibc is None else min(promise.glibc, version)


def judge_tags(case: Case) -> Iterator[Finding]:
    """Compare the tags of every distribution with the programs that belong to it."""
    named = _named(case)
    natives, machines = _programs(case, named[0] if named else None)
    for distribution in case.tree.distributions:
        own = expanded(distribution.tags or ())
        tags = own
        if named is not None and distribution is named[0]:
            tags = named[1]
            if tags is not None and own is not None and distribution.tags is not None and tags != own:
                differing = _differs(distribution, tags, own)
                yield differing
                if differing.severity == "error":
                    continue
        if not tags:
            continue
        platform = case.claim.platform
        promise = promise_of((tag.rpartition("-")[2] for tag in tags), platform.os, platform.architecture)
        paths = natives.get(distribution.folder, [])
        if promise.pure:
            many = len(machines.get(distribution.folder, ())) > 1
            yield from _judge_pure(case, distribution, paths, for_many=many)
        elif paths:
            yield from _judge_promise(case, distribution, promise, paths)
        elif distribution.folder not in machines and "any" not in promise.names:
            yield from _judge_missing(case, distribution, promise)


def _programs(case: Case, whole: Distribution | None) -> tuple[dict[str, list[str]], dict[str, set[object]]]:
    """Give, by the folders of distributions, their programs for the machine, and the machines that any are for.

    Args:
        case: The artifact.
        whole: The distribution that all is of, in a wheel: what its RECORD leaves out is installed all the same.
    """
    owners = case.tree.owners
    natives: dict[str, list[str]] = {}
    machines: dict[str, set[object]] = {}
    for path, binary in case.tree.binaries.items():
        owner = owners.get(path) or whole
        if owner is not None:
            kinds = machines.setdefault(owner.folder, set())
            if not _is_launcher(path):
                kinds.add((binary.format, binary.machines))
            if path in case.natives:
                natives.setdefault(owner.folder, []).append(path)
    return natives, machines


def _named(case: Case) -> tuple[Distribution, frozenset[str] | None] | None:
    """Give the distribution that a wheel is of, and the tags in its file name."""
    name = case.claim.wheel
    parts = name.removesuffix(".whl").split("-")
    if len(parts) < 5:
        return None
    for distribution in case.tree.distributions:
        if "/" not in distribution.folder and distribution.name == canonicalize_name(parts[0]):
            return distribution, expanded(["-".join(parts[-3:])])
    return None


def _differs(distribution: Distribution, name: frozenset[str], own: frozenset[str]) -> Finding:
    """Tell that a wheel has other tags in its file name than inside.

    It does little harm where the name says less than the file inside, or says the C library where that says just
    Linux: what the name promises is judged by itself.
    """
    harmless = all(not own.isdisjoint({tag, _without_libc(tag), _for_any(tag)}) for tag in name)
    return Finding(
        code="tag-differs",
        severity="warning" if harmless else "error",
        path=f"{distribution.folder}/WHEEL",
        package=distribution.label,
        found=f"has the tags {_few(sorted(own)) or 'of no system'}",
        wanted=f"the wheel's file name says {_few(sorted(name))}",
        hint="a wheel that was renamed may not be for what its name says: take it from its publisher "
        "(wheel tags changes both)",
    )


def _without_libc(tag: str) -> str:
    """Give a tag as it was before the wheel was found to be good for a C library: ``linux_x86_64``."""
    return re.sub(r"-(?:manylinux(?:1|2010|2014|_\d+_\d+)|musllinux_\d+_\d+)_", "-linux_", tag)


def _for_any(tag: str) -> str:
    return f"{tag.rpartition('-')[0]}-any"


def _judge_pure(case: Case, distribution: Distribution, paths: list[str], *, for_many: bool) -> Iterator[Finding]:
    programs = [path for path in paths if not _is_launcher(path)]
    if not programs:
        return
    # Nobody imports a program: one that is for another machine is missed when it is run, if it is.
    only_run = not any(map(_is_library_name, programs))
    yield Finding(
        code="tag-pure",
        severity="warning" if for_many or only_run else "error",
        path=programs[0],
        package=distribution.label,
        found=f"is {_kind(case, programs[0])}{_more(programs)}",
        wanted="its wheel is for any machine" + (", and has the like for other machines too" if for_many else ""),
        hint="take a wheel that is tagged for its platform; build it with the platform in its tags",
        others=tuple(programs[1:]),
    )


def _kind(case: Case, path: str) -> str:
    return f"a program for {case.natives[path][0].kind}"


def _judge_promise(case: Case, distribution: Distribution, promise: Promise, paths: list[str]) -> Iterator[Finding]:
    if not promise.here:
        found = f"is {_kind(case, paths[0])}{_more(paths)}"
        yield _lie(distribution, paths, found, f"its wheel's tags are for {_few(promise.names)}")
        return
    lies: dict[str, tuple[str, str]] = {}
    for path in paths:
        if path not in case.loader.strangers and (lie := _lie_of(case, path, promise)) is not None:
            lies[path] = lie
    if lies:
        found, said = next(iter(lies.values()))
        yield _lie(distribution, list(lies), f"{found}{_more(lies, 'does', 'do')}", f"its wheel's tags say {said}")


def _lie_of(case: Case, path: str, promise: Promise) -> tuple[str, str] | None:
    """Say what a program needs that its tags do not say, and what these say; None if all is well, or told already."""
    _, linking = case.natives[path]
    platform = case.claim.platform
    if platform.os == "darwin":
        needed = apple_version(linking, platform.architecture)
        if needed is None or promise.macos is None or linking.system not in {"", "macos"}:
            return None
        said = max(promise.macos, (11, 0)) if platform.architecture == "arm64" else promise.macos
        floor = case.claim.macos if case.claim.subject != "wheel" or case.claim.targets else None
        if not is_newer_macos(needed, said) or (floor is not None and is_newer_macos(needed, floor)):
            return None
        return f"needs macOS {needed[0]}.{needed[1]}", f"macOS {said[0]}.{said[1]} is enough"
    if platform.os != "linux":
        return None
    kinds = libc_kinds(linking)
    if kinds - {"musl"} and promise.musl:
        return "needs glibc", "it runs with musl"
    if promise.glibc is None:
        return ("needs musl", f"it is for {_few(promise.names)}") if "musl" in kinds and not promise.musl else None
    if "musl" in kinds:
        return "needs musl", "it runs with glibc"
    return _newer_than_said(case, path, linking, promise.glibc)


def _newer_than_said(case: Case, path: str, linking: Linking, glibc: tuple[int, int]) -> tuple[str, str] | None:
    loader = case.loader
    libraries = dict.fromkeys(library for library, _ in linking.versions)
    own = {library for library in libraries if any(map(case.is_application, loader.holders(library)))}
    versions = [pair for pair in linking.versions if pair[0] not in own]
    above, runtime = wants_above(versions, glibc, case.claim.platform.architecture)
    need = above or runtime
    if need is None or any(judge_program(case, path, linking, floor_of(case))):
        return None
    return f"needs {need.symbol} of {need.library}", f"glibc {glibc[0]}.{glibc[1]} is enough"


def _lie(distribution: Distribution, paths: Sequence[str], found: str, wanted: str) -> Finding:
    return Finding(
        code="tag-lie",
        severity="error",
        path=paths[0],
        package=distribution.label,
        found=found,
        wanted=wanted,
        hint="installers trust the tags, so it may be put where it cannot run: tell its publisher; if it is right for "
        'the target, write [[tool.crossdock.verify.exceptions]] code = "tag-lie", package = '
        f'"{distribution.name}", reason = "…", expires = "never" or a date',
        others=tuple(paths[1:]),
    )


def _judge_missing(case: Case, distribution: Distribution, promise: Promise) -> Iterator[Finding]:
    """Refuse a distribution for one platform that has no program, unless its files are merely not there.

    A wheel that says its root is pure has a platform in its tags for another reason; a file that RECORD lists and
    that is not there is told of by the rules on RECORD.
    """
    if not case.tree.whole or distribution.record is None or distribution.pure:
        return
    entries = case.tree.entries
    if any(line.path not in entries and _is_native_name(line.path) for line in distribution.record):
        return
    yield Finding(
        code="native-missing",
        severity="error",
        path=distribution.folder,
        package=distribution.label,
        found="holds no program at all",
        wanted=f"its wheel's tags are for {_few(promise.names)}",
        hint="its build left out what is compiled: build it again, or take another wheel",
    )


def _is_launcher(path: str) -> bool:
    """Say whether it is what Windows starts scripts with: carried as data, and for the rules on machines to judge."""
    return path.lower().endswith(".exe")


def _is_library_name(path: str) -> bool:
    name = path.rpartition("/")[2]
    return name.endswith(_LIBRARY_ENDS) or ".so." in name


def _is_native_name(path: str) -> bool:
    """Say whether a file is a program by its name, as far as names tell."""
    folder = path.rpartition("/")[0].rpartition("/")[2]
    return _is_library_name(path) or path.endswith(".exe") or folder in _PROGRAM_FOLDERS


def _few(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:3]) + (", …" if len(listed) > 3 else "")


def _more(paths: Iterable[str], one: str = "is", several: str = "are") -> str:
    count = len(list(paths)) - 1
    return f", as {one if count == 1 else several} {count} more" if count > 0 else ""
