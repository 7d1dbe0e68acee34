"""Where an artifact will run: operating system, architecture and C library, without the Python."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Literal

from crossdock.errors import TargetError, UnknownTargetError

__all__ = ["ARCHITECTURES", "ARCHITECTURE_ALIASES", "MACHINES", "Libc", "Platform", "parse_platform"]

Os = Literal["linux", "darwin", "windows"]


@dataclass(frozen=True, slots=True)
class Architecture:
    """One CPU architecture and its spellings.

    Attributes:
        oci: Go's GOARCH, which OCI images use.
        machine: What ``uname -m`` and wheel tags call it on Linux.
        variants: OCI variants allowed, the default first; empty where there are none.
        bits: Pointer size.
        oldest_glibc: First glibc minor version (2.x) of that architecture's manylinux tags.
    """

    oci: str
    machine: str
    variants: tuple[str, ...] = ()
    bits: int = 64
    oldest_glibc: int = 17


#: By OCI name. The oldest manylinux of x86 is glibc 2.5 (PEP 513), of all others 2.17 (PEP 599, PEP 600).
ARCHITECTURES = {
    architecture.oci: architecture
    for architecture in (
        Architecture("amd64", "x86_64", variants=("v1", "v2", "v3", "v4"), oldest_glibc=5),
        Architecture("arm64", "aarch64", variants=("v8",)),
        Architecture("arm", "armv7l", variants=("v7",), bits=32),
        Architecture("386", "i686", bits=32, oldest_glibc=5),
        Architecture("ppc64le", "ppc64le"),
        Architecture("s390x", "s390x"),
        Architecture("riscv64", "riscv64"),
    )
}

#: Every spelling of an architecture, in lower case, and its OCI name.
ARCHITECTURE_ALIASES = {
    **{name: name for name in ARCHITECTURES},
    "x86_64": "amd64",
    "x86-64": "amd64",
    "x64": "amd64",
    "aarch64": "arm64",
    "armv8": "arm64",
    "armv7": "arm",
    "armv7l": "arm",
    "armv8l": "arm",
    "armhf": "arm",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "x86": "386",
    "powerpc64le": "ppc64le",
    "riscv64gc": "riscv64",
}

_OS_ALIASES: dict[str, Os] = {
    "linux": "linux",
    "darwin": "darwin",
    "macos": "darwin",
    "macosx": "darwin",
    "windows": "windows",
    "win": "windows",
}

#: What ``platform.machine()`` says outside Linux, for the architectures each system has.
MACHINES: dict[str, dict[str, str]] = {
    "linux": {name: architecture.machine for name, architecture in ARCHITECTURES.items()},
    "darwin": {"arm64": "arm64", "amd64": "x86_64"},
    "windows": {"amd64": "AMD64", "arm64": "ARM64", "386": "x86"},
}

#: The macOS a wheel may need when nothing more is said: the first that runs on both architectures.
DEFAULT_MACOS = (11, 0)
#: The oldest macOS that any known CPython runs on, and that 10.16 is how some tools see macOS 11.
_OLDEST_MACOS, _LAST_MACOS_10 = (10, 9), (10, 16)
#: Apple went from macOS 15 to 26, the number of a year, and counts years since.
_MACOS_GAP = range(16, 26)
#: Far above any C library there is: a bound for lists that grow with it.
_HIGHEST = 99


@dataclass(frozen=True, slots=True, order=True)
class Libc:
    """A C library and the version that the target is sure to have.

    Attributes:
        kind: Which library.
        version: (major, minor): nothing newer than this may be needed, the target's floor.
    """

    kind: Literal["glibc", "musl"]
    version: tuple[int, int]

    def __str__(self) -> str:
        return f"{self.kind}{self.version[0]}.{self.version[1]}"


#: What a Linux platform has when nothing more is said: manylinux2014, the oldest that is still common (PEP 599),
#: and the musl of Alpine 3.13 and later.
DEFAULT_LIBC = {"glibc": Libc("glibc", (2, 17)), "musl": Libc("musl", (1, 2))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An operating system, an architecture and what of the system libraries can be relied on.

    Attributes:
        os: Go's GOOS, which OCI images use.
        arch: Go's GOARCH, which OCI images use.
        variant: OCI variant of the architecture, or None for the architecture's default.
        libc: C library and its floor; None outside Linux.
        macos: Oldest macOS (major, minor) the artifact must run on; None outside macOS.
        libc_named: Whether the floor was asked for; a default one gives way to what a base is seen to have.
        libc_kind_named: Whether it was said which C library, with or without a floor, as in ``linux/arm64+musl`` or
            ``aarch64-unknown-linux-gnu``; else that of a base counts.
    """

    os: Os
    arch: str
    variant: str | None = None
    libc: Libc | None = None
    macos: tuple[int, int] | None = None
    libc_named: bool = False
    # How a platform was written makes it no other platform.
    libc_kind_named: bool = field(default=False, compare=False)

    @property
    def machine(self) -> str:
        """The architecture as that system spells it (``platform.machine()``): aarch64, or arm64, or ARM64."""
        return MACHINES[self.os][self.arch]

    @property
    def bits(self) -> int:
        """Pointer size in bits."""
        return ARCHITECTURES[self.arch].bits

    @property
    def oci(self) -> dict[str, str]:
        """The ``platform`` object of an OCI descriptor (OCI image-spec, image index), and of a config."""
        fields = {"architecture": self.arch, "os": self.os}
        if variant := self.variant or (_oci_variant(self.arch) if self.os == "linux" else None):
            fields["variant"] = variant
        return fields

    @property
    def floor(self) -> str:
        """The oldest system library or system that can be relied on: ``glibc2.28``, ``macos11.0``; empty on Windows."""
        if self.macos:
            return f"macos{self.macos[0]}.{self.macos[1]}"
        return str(self.libc) if self.libc else ""

    @property
    def spelling(self) -> str:
        """What `parse_platform` reads as this platform: ``linux/arm64+glibc2.28``, ``darwin/arm64+macos11.0``."""
        return "+".join(filter(None, (str(self), self.floor)))

    def with_libc(self, libc: Libc) -> Platform:
        """Return this platform with another C library or floor."""
        return replace(self, libc=libc)

    def __str__(self) -> str:
        return "/".join(filter(None, (self.os, self.arch, self.variant)))


def _oci_variant(arch: str) -> str | None:
    """The variant that Go's and Docker's tools write for an architecture when none is named."""
    return {"arm64": "v8", "arm": "v7"}.get(arch)


_SPELLING = re.compile(
    r"(?P<os>[a-z]+) [/_-] (?P<arch>[a-z0-9_-]+?) (?:/(?P<variant>v[0-9]))?"
    r"(?: \+ (?P<system>glibc|musl|macos|macosx)? (?P<floor>[0-9]{1,3}\.[0-9]{1,3})?)?",
    re.VERBOSE,
)
_TRIPLE = re.compile(
    r"(?P<arch>[a-z0-9_]+) - (?:(?:unknown|pc|none|apple|w64)-)? (?P<os>linux|darwin|macosx?|windows)"
    r"(?: - (?P<abi>gnu|musl|msvc)(?:eabihf)?)?",
    re.VERBOSE,
)
#: Which systems each last part of a triple belongs to.
_ABIS = {"gnu": ("linux", "windows"), "musl": ("linux",), "msvc": ("windows",), None: ("darwin", "windows")}
#: Names that have no separator between system and architecture, as wheel tags do.
_WHOLE = {"win32": "windows/386", "win64": "windows/amd64"}


def parse_platform(text: str) -> Platform:
    """Read a platform as users spell it.

    Understood are OCI platforms (``linux/arm64``, ``linux/arm64/v8``, ``darwin/arm64``, ``windows/amd64``), names as
    used for artifacts (``linux_x86_64``), the first two with an optional floor (``linux/arm64+glibc2.28``,
    ``linux/amd64+musl``, ``darwin/arm64+macos13.0``), and target triples (``aarch64-unknown-linux-gnu``,
    ``aarch64-apple-darwin``, ``x86_64-pc-windows-msvc``).

    Raises:
        UnknownTargetError: The spelling is none of these, or names something that does not exist.
        TargetError: No wheel can run with that floor.
    """
    spelling = text.strip().lower()
    spelling = _WHOLE.get(spelling, spelling)
    if match := _TRIPLE.fullmatch(spelling):
        os, arch = _os(text, match["os"]), _arch(text, match["os"], match["arch"])
        if os not in _ABIS[match["abi"]]:
            raise _unknown(text, f"a triple for {os} ends in another ABI")
        libc = {"musl": "musl", "gnu": "glibc"}.get(match["abi"] or "") if os == "linux" else None
        return _platform(text, os, arch, None, libc, None)
    match = _SPELLING.fullmatch(spelling)
    if match is None or spelling.endswith("+"):
        raise _unknown(text, "it is not spelled OS/ARCH[/VARIANT][+FLOOR]")
    os, arch = _os(text, match["os"]), _arch(text, match["os"], match["arch"])
    floor = None
    if match["floor"]:
        major, minor = match["floor"].split(".")
        floor = (int(major), int(minor))
    return _platform(text, os, arch, match["variant"], match["system"], floor)


def _os(text: str, name: str) -> Os:
    if name not in _OS_ALIASES:
        raise _unknown(text, f"the operating system {name!r} is not known")
    return _OS_ALIASES[name]


def _arch(text: str, os_name: str, name: str) -> str:
    if name not in ARCHITECTURE_ALIASES:
        raise _unknown(text, f"the architecture {name!r} is not known")
    arch = ARCHITECTURE_ALIASES[name]
    os = _os(text, os_name)
    if arch not in MACHINES[os]:
        raise _unknown(text, f"{os} runs on {', '.join(MACHINES[os])}, not on {arch}")
    return arch


def _platform(
    text: str, os: Os, arch: str, variant: str | None, system: str | None, floor: tuple[int, int] | None
) -> Platform:
    """Put a platform together from what a spelling says.

    Args:
        text: The spelling.
        os: Operating system.
        arch: Architecture.
        variant: Its variant, if one is named.
        system: glibc, musl, macos, or None where that is left open.
        floor: Its version, if one is named.
    """
    known = ARCHITECTURES[arch].variants
    if variant is not None and variant not in known:
        raise _unknown(text, f"{arch} has no variant {variant!r}" + (f", only {', '.join(known)}" if known else ""))
    if known and variant == known[0]:
        variant = None  # the default, so that linux/arm64/v8 and linux/arm64 are one platform
    platform = Platform(os=os, arch=arch, variant=variant)
    if os == "linux":
        if system not in {"glibc", "musl", None} or (system is None and floor):
            raise _unknown(text, "the floor of Linux is a glibc or musl version")
        kind: Literal["glibc", "musl"] = "musl" if system == "musl" else "glibc"
        libc = Libc(kind, floor) if floor else DEFAULT_LIBC[kind]
        _check_libc(platform, libc)
        return replace(platform, libc=libc, libc_named=floor is not None, libc_kind_named=system is not None)
    if os == "darwin":
        if system in {"glibc", "musl"}:
            raise _unknown(text, f"macOS has no {system}")
        if floor:
            _check_macos(text, platform, floor)
        return replace(platform, macos=floor or DEFAULT_MACOS)
    if system or floor:
        raise _unknown(text, "Windows has no floor")
    return platform


def _check_libc(platform: Platform, libc: Libc) -> None:
    """Refuse a C library that no wheel can name.

    Raises:
        TargetError: No tag stands for it.
    """
    oldest = ARCHITECTURES[platform.arch].oldest_glibc
    first = Libc("glibc", (2, oldest)) if libc.kind == "glibc" else Libc("musl", (1, 0))
    if libc.version[0] != first.version[0] or libc.version[1] > _HIGHEST:
        raise TargetError(
            f"No wheel for {platform} can run with {libc}",
            why=f"there is no {libc.kind} {libc.version[0]}.{libc.version[1]}",
            hint=f"name {DEFAULT_LIBC[libc.kind]} or another {libc.kind} that exists, or leave the floor away",
        )
    if libc < first:
        raise TargetError(
            f"No wheel for {platform} can run with {libc}",
            why=f"manylinux on {platform.arch} starts at glibc 2.{oldest}",
            hint=f"name {first} or newer, or leave the floor away",
        )


def _check_macos(text: str, platform: Platform, floor: tuple[int, int]) -> None:
    """Refuse a macOS that does not exist, or never ran on the architecture.

    Raises:
        TargetError: It is one of these.
    """
    major, minor = floor
    name = f"macOS {major}.{minor}"
    if major in _MACOS_GAP or max(floor) > _HIGHEST or _LAST_MACOS_10 < floor < (11, 0):
        raise _unknown(text, f"there is no {name}: 10.16 was followed by 11, and 15 by 26")
    oldest = _OLDEST_MACOS if platform.arch == "amd64" else DEFAULT_MACOS
    if floor < oldest:
        raise TargetError(
            f"No wheel for {platform} can run with {name}",
            why=f"Python on {platform} starts at macOS {oldest[0]}.{oldest[1]}",
            hint=f"name macos{oldest[0]}.{oldest[1]} or newer, or leave the floor away",
        )


def _unknown(text: str, why: str) -> UnknownTargetError:
    known = ", ".join(f"{os}/{name}" for os, machines in MACHINES.items() for name in machines)
    return UnknownTargetError(
        f"Unknown target {text[:200]!r}",
        why=why,
        hint=f"known are {known}; a floor is written linux/arm64+glibc2.28, linux/arm64+musl1.2 or "
        "darwin/arm64+macos13.0; `crossdock targets` lists runtimes by name",
    )
