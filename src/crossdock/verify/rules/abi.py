"""The rules on what programs ask of the system's own libraries: which C library, and how new it all has to be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from crossdock.verify.finding import Finding
from crossdock.verify.systems import GLIBC_ABI_MARKS, cxx_runtime_with

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from crossdock.headers.linking import Linking
    from crossdock.verify.claim import Case

__all__ = [
    "Need",
    "apple_version",
    "floor_of",
    "is_newer_macos",
    "judge_libc",
    "judge_macos",
    "judge_program",
    "judge_versions",
    "needs_of",
    "numbers",
    "wants_above",
]

_LIBC_NAMES: Final = {"glibc": "glibc", "musl": "musl", "bionic": "Android's C library"}
_NUMBERED: Final = re.compile(r"(?P<family>GLIBC|GLIBCXX|CXXABI|GCC)_(?P<version>\d{1,4}(?:\.\d{1,4})*)", re.ASCII)
#: No glibc before this one has a mark that is not known by number.
_UNKNOWN_MARK: Final = (2, 42)
#: auditwheel's policies: glibc 2.17 of CentOS 7 has the one symbol of 2.18 on this machine.
_ALSO_IN_2_17: Final = {"arm64": (2, 18)}
_FIRST_ARM_MACOS: Final = (11, 0)


class Need(NamedTuple):
    """The newest version of something that a program needs.

    Attributes:
        family: ``GLIBC``, ``GLIBCXX``, ``CXXABI`` or ``GCC``.
        version: In numbers.
        symbol: As it is written: ``GLIBC_2.34``.
        library: Whose it is.
    """

    family: str
    version: tuple[int, ...]
    symbol: str
    library: str


def numbers(text: str) -> tuple[int, ...]:
    """Read ``11.0`` or ``2.34``; what is no number is taken for 0."""
    return tuple(int(part) if part.isascii() and part.isdigit() and len(part) < 10 else 0 for part in text.split("."))


def needs_of(versions: Iterable[tuple[str, str]]) -> dict[str, Need]:
    """Give the newest version that is needed of each family, by (library, symbol version) pairs."""
    newest: dict[str, Need] = {}
    for library, symbol in versions:
        match = _NUMBERED.fullmatch(symbol)
        if match is not None:
            need = Need(match["family"], numbers(match["version"]), symbol, library)
        elif symbol.startswith("GLIBC_ABI_"):
            need = Need("GLIBC", GLIBC_ABI_MARKS.get(symbol, _UNKNOWN_MARK), symbol, library)
        else:
            continue
        known = newest.get(need.family)
        if known is None or need.version > known.version:
            newest[need.family] = need
    return newest


def wants_above(
    versions: Iterable[tuple[str, str]], glibc: tuple[int, int], machine: str
) -> tuple[Need | None, Need | None]:
    """Say what is newer than a glibc, and than the C++ runtime of all systems that have that glibc.

    Args:
        versions: (library, symbol version) pairs, those of a C++ runtime left out that is brought along.
        glibc: Its version.
        machine: The architecture, by OCI's name.

    Returns:
        The newest need of glibc, and one of libstdc++ or libgcc_s; each None if it can be met.
    """
    newest = needs_of(versions)
    floor = _ALSO_IN_2_17.get(machine, glibc) if glibc == (2, 17) else glibc
    need = newest.get("GLIBC")
    above = need if need is not None and need.version > floor else None
    runtime = cxx_runtime_with(glibc, machine)
    if runtime is None:
        return above, None
    limits = {"GLIBCXX": runtime.glibcxx, "CXXABI": runtime.cxxabi, "GCC": runtime.gcc}
    beyond = [newest[family] for family, limit in limits.items() if family in newest and newest[family].version > limit]
    return above, next(iter(beyond), None)


def judge_libc(case: Case) -> Iterator[Finding]:
    """Refuse programs that are made for another C library than the one there."""
    loader = case.loader
    there = " and ".join(loader.libcs) or loader.kind
    for path, kinds in loader.strangers.items():
        yield Finding(
            code="libc-kind",
            severity="error",
            path=path,
            package=case.tree.package_of(path),
            found=f"needs {' and '.join(_LIBC_NAMES[kind] for kind in sorted(kinds))}",
            wanted=f"the {'base' if loader.libcs else 'target'} has {there}",
            hint="take the wheel for that C library: musllinux for musl, manylinux for glibc",
        )


def judge_versions(case: Case) -> Iterator[Finding]:
    """Refuse programs that need newer versions of libraries' symbols than there are."""
    if case.claim.platform.os != "linux":
        return
    floor = floor_of(case)
    found = [
        finding
        for path, (_, linking) in case.natives.items()
        if linking.versions and path not in case.loader.strangers
        for finding in judge_program(case, path, linking, floor)
    ]
    # What is built for a newer system needs a newer C++ runtime as well, here or there: that is no second fault.
    newer = {finding.package for finding in found if finding.code == "glibc-floor" and finding.package}
    yield from (item for item in found if item.code != "libstdcxx-floor" or item.package not in newer)


def floor_of(case: Case) -> tuple[int, int] | None:
    """Give the glibc that an artifact may need at most, where that was said; None where its own system decides.

    What a wheel's own tags say is for the rules on tags.
    """
    claim = case.claim
    if claim.libc is None or claim.libc.kind != "glibc" or (claim.subject == "wheel" and not claim.targets):
        return None
    named = not claim.targets or any(target.platform.libc_named for target in claim.targets)
    return None if case.loader.libcs and not named else claim.libc.version


def judge_program(case: Case, path: str, linking: Linking, floor: tuple[int, int] | None) -> Iterator[Finding]:
    """Compare what a program needs with the libraries it finds, and with the floor where it finds none."""
    lacking: list[tuple[str, str]] = []
    system: list[tuple[str, str]] = []
    by_library: dict[str, list[tuple[str, str]]] = {}
    for pair in linking.versions:
        by_library.setdefault(pair[0], []).append(pair)
    for library, wanted in by_library.items():
        provider = case.loader.find(path, library) or _loaded(case, library)
        if provider is None:
            system += wanted
            continue
        defined = case.loader.defines(provider)
        # A library without any versions is taken with a warning of the loader's.
        lacking += [pair for pair in wanted if defined and pair[1] not in defined]
        if not case.is_application(provider):
            system += [pair for pair in wanted if pair[1].startswith("GLIBC_")]
    newest = needs_of(lacking)
    place = "base" if case.claim.subject == "image" else "artifact"
    beyond = next((newest[family] for family in ("GLIBCXX", "CXXABI", "GCC") if family in newest), None)
    if "GLIBC" in newest:
        # A system that is too old has an old C++ runtime as well: that is no second fault.
        yield _glibc(case, path, newest["GLIBC"], _what_there_is(case, path, newest["GLIBC"]))
    elif beyond is not None:
        yield _cxx(case, path, beyond, f"the {beyond.library} of the {place} does not have it")
    yield from _others(case, path, lacking)
    if floor is None or "GLIBC" in newest or beyond is not None or not case.is_application(path):
        return
    above, runtime = wants_above(system, floor, case.claim.platform.architecture)
    words = f"the target has glibc {floor[0]}.{floor[1]}"
    if above is not None:
        yield _glibc(case, path, above, words)
    elif runtime is not None and not case.loader.libcs:
        yield _cxx(case, path, runtime, f"{words}, and systems with that have an older libstdc++")


def _loaded(case: Case, library: str) -> str | None:
    """Give a library of that name that comes with the artifact: one that is loaded before is not looked for."""
    return next((held for held in case.loader.holders(library) if case.is_application(held)), None)


def _what_there_is(case: Case, path: str, need: Need) -> str:
    provider = case.loader.find(path, need.library)
    defined = case.natives[provider][1].defines if provider else ()
    newest = needs_of((need.library, symbol) for symbol in defined).get("GLIBC")
    return f"the base has glibc {_dotted(newest.version)}" if newest else "the base does not have it"


def _others(case: Case, path: str, lacking: Iterable[tuple[str, str]]) -> Iterator[Finding]:
    by_library: dict[str, list[str]] = {}
    for library, symbol in lacking:
        if _NUMBERED.fullmatch(symbol) is None and not symbol.startswith("GLIBC_ABI_"):
            by_library.setdefault(library, []).append(symbol)
    for library, symbols in by_library.items():
        yield Finding(
            code="symbol-version",
            severity="error",
            path=path,
            package=case.tree.package_of(path),
            found=f"needs {', '.join(symbols[:3])}{', …' * (len(symbols) > 3)} of {library}",
            wanted="the library that it finds there lacks that",
            hint="take both from builds that belong together",
        )


def _glibc(case: Case, path: str, need: Need, wanted: str) -> Finding:
    version = _dotted(need.version)
    return Finding(
        code="glibc-floor",
        severity="error",
        path=path,
        package=case.tree.package_of(path),
        found=f"needs glibc {version} ({need.symbol} of {need.library})",
        wanted=wanted,
        hint=f"take a wheel that is built for an older glibc, or a base and target with glibc {version} or newer",
    )


def _cxx(case: Case, path: str, need: Need, wanted: str) -> Finding:
    return Finding(
        code="libstdcxx-floor",
        severity="error",
        path=path,
        package=case.tree.package_of(path),
        found=f"needs {need.symbol} of {need.library}",
        wanted=wanted,
        hint="take a wheel that is built with an older compiler or brings its own libstdc++, or a newer base",
    )


def apple_version(linking: Linking, machine: str) -> tuple[int, int] | None:
    """Give the oldest macOS that code runs on, (major, minor); None if it does not say.

    On Apple's own processors there is none before 11.0, whatever is said.
    """
    if not linking.minimum:
        return None
    version = (*numbers(linking.minimum), 0)[:2]
    return max((version[0], version[1]), _FIRST_ARM_MACOS) if machine == "arm64" else (version[0], version[1])


def is_newer_macos(needed: tuple[int, int], floor: tuple[int, int]) -> bool:
    """Compare versions of macOS as tags do: since 11 they tell major versions only, and what needs 12.3 says 12.0."""
    return needed[0] > floor[0] if floor[0] >= _FIRST_ARM_MACOS[0] else needed > floor


def judge_macos(case: Case) -> Iterator[Finding]:
    """Refuse programs for other systems of Apple's, and those that need a newer macOS than the target."""
    claim = case.claim
    if claim.platform.os != "darwin":
        return
    floor = None if claim.subject == "wheel" and not claim.targets else claim.macos
    told: set[str | None] = set()
    for path, (_, linking) in case.natives.items():
        package = case.tree.package_of(path)
        if linking.system not in {"", "macos"}:
            yield Finding(
                code="macho-system",
                severity="error",
                path=path,
                package=package,
                found=f"is for {linking.system}",
                wanted=f"the target {claim.platform} needs macos",
                hint="take the wheel for macOS",
            )
            continue
        needed = apple_version(linking, claim.platform.architecture)
        if floor is not None and needed is not None and needed > floor:
            same_series = not is_newer_macos(needed, floor)
            if same_series and package in told:
                continue
            told.add(package)
            yield Finding(
                code="macos-floor",
                severity="note" if same_series else "error",
                path=path,
                package=package,
                found=f"needs macOS {_dotted(needed)}",
                wanted=f"the target has macOS {_dotted(floor)}",
                hint=f"take a wheel for an older macOS, or name a newer one: {claim.platform}+macos{_dotted(needed)}",
            )


def _dotted(version: Iterable[int]) -> str:
    return ".".join(map(str, version))
