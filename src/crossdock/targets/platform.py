"""Where an artifact will run: operating system, architecture and C library, without the Python."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Literal

from crossdock.errors import TargetError, UnknownTargetError

__all__ = ["ARCHITECTURES", "Libc", "Platform", "parse_platform"]

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

_ARCHITECTURE_ALIASES = {
    **{name: name for name in ARCHITECTURES},
    "x86_64": "amd64",
    "x86-64": "amd64",
    "x64": "amd64",
    "aarch64": "arm64",
    "armv8": "arm64",
    "armv7": "arm",
    "armv7l": "arm",
    "armhf": "arm",
    "i386": "386",
    "i486": "386",
    "i586": "386",
    "i686": "386",
    "x86": "386",
    "powerpc64le": "ppc64le",
    "riscv64gc": "riscv64",
}

_OS_ALIASES: dict[str, Os] = {"linux": "linux"}


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
    """

    os: Os
    arch: str
    variant: str | None = None
    libc: Libc | None = None
    macos: tuple[int, int] | None = None
    libc_named: bool = False

    @property
    def machine(self) -> str:
        """The architecture as Linux' ``uname -m`` and wheel tags spell it."""
        return ARCHITECTURES[self.arch].machine

    @property
    def bits(self) -> int:
        """Pointer size in bits."""
        return ARCHITECTURES[self.arch].bits

    @property
    def oci(self) -> dict[str, str]:
        """The ``platform`` object of an OCI descriptor (OCI image-spec, image index), and of a config."""
        fields = {"architecture": self.arch, "os": self.os}
        if variant := self.variant or _oci_variant(self.arch):
            fields["variant"] = variant
        return fields

    @property
    def slug(self) -> str:
        """A suffix for names of files: ``linux_arm64``."""
        return "_".join(filter(None, (self.os, self.arch, self.variant)))

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
    r"(?: \+ (?P<libc>glibc|musl) (?P<floor>[0-9]+\.[0-9]+)?)?",
    re.VERBOSE,
)
_TRIPLE = re.compile(
    r"(?P<arch>[a-z0-9_]+) - (?:(?:unknown|pc|none)-)? (?P<os>linux) - (?P<abi>gnu|musl)(?:eabihf)?",
    re.VERBOSE,
)


def parse_platform(text: str) -> Platform:
    """Read a platform as users spell it.

    Understood are OCI platforms (``linux/arm64``, ``linux/arm64/v8``), names as used for artifacts
    (``linux_x86_64``), target triples (``aarch64-unknown-linux-gnu``), each with an optional C library floor on the
    first two (``linux/arm64+glibc2.28``, ``linux/amd64+musl``).

    Raises:
        UnknownTargetError: The spelling is none of these, or names something that does not exist.
    """
    spelling = text.strip().lower()
    if match := _TRIPLE.fullmatch(spelling):
        kind: Literal["glibc", "musl"] = "glibc" if match["abi"] == "gnu" else "musl"
        return _platform(text, match["os"], match["arch"], None, DEFAULT_LIBC[kind])
    match = _SPELLING.fullmatch(spelling)
    if match is None:
        raise _unknown(text, "it is not spelled OS/ARCH[/VARIANT][+LIBC]")
    kind = "musl" if match["libc"] == "musl" else "glibc"
    libc = DEFAULT_LIBC[kind]
    if match["floor"]:
        major, minor = match["floor"].split(".")
        libc = Libc(kind, (int(major), int(minor)))
    platform = _platform(text, match["os"], match["arch"], match["variant"], libc)
    return replace(platform, libc_named=bool(match["floor"]))


def _platform(text: str, os_name: str, arch_name: str, variant: str | None, libc: Libc) -> Platform:
    os = _OS_ALIASES.get(os_name)
    if os is None:
        raise _unknown(text, f"the operating system {os_name!r} is not known")
    arch = _ARCHITECTURE_ALIASES.get(arch_name)
    if arch is None:
        raise _unknown(text, f"the architecture {arch_name!r} is not known")
    known = ARCHITECTURES[arch].variants
    if variant is not None and variant not in known:
        raise _unknown(text, f"{arch} has no variant {variant!r}" + (f", only {', '.join(known)}" if known else ""))
    if known and variant == known[0]:
        variant = None  # the default, so that linux/arm64/v8 and linux/arm64 are one platform
    if libc.kind == "glibc" and libc.version < (2, ARCHITECTURES[arch].oldest_glibc):
        oldest = ARCHITECTURES[arch].oldest_glibc
        raise TargetError(
            f"No wheel for {os}/{arch} can run with {libc}",
            why=f"manylinux on {arch} starts at glibc 2.{oldest}",
            hint=f"name glibc2.{oldest} or newer, or leave the floor away",
        )
    return Platform(os=os, arch=arch, variant=variant, libc=libc)


def _unknown(text: str, why: str) -> UnknownTargetError:
    known = ", ".join(f"linux/{name}" for name in ARCHITECTURES)
    return UnknownTargetError(
        f"Unknown target {text!r}",
        why=why,
        hint=f"known are {known}; a floor is written linux/arm64+glibc2.28 or linux/arm64+musl1.2",
    )
