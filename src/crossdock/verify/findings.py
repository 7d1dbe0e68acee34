"""What is wrong with an image, and the rules that say so."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol

from crossdock.verify.binary import MACHINE_NAMES
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.verify.binary import Binary
    from crossdock.verify.scan import LayerFacts

__all__ = [
    "Finding",
    "LayerClaim",
    "Seen",
    "Severity",
    "judge",
    "judge_layers",
    "judge_platforms",
    "owners_of",
    "printable",
]

Severity = Literal["error", "warning"]

_LINUX_ABIS: Final = frozenset({"sysv", "linux", "arm-aeabi"})

# Launchers of console scripts, which setuptools, pip and distlib carry for use on Windows.
_LAUNCHER: Final = re.compile(r"(^|/)(site-packages|dist-packages|python\d+(\.\d+)?)/.+\.exe$", re.IGNORECASE)

_REMEDY: Final = (
    "take the file that is built for the target: check the wheel's tags in the lock, or the source it comes from; "
    "if it is there on purpose, allow its path ([tool.crossdock.verify] allow, or --allow)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Attributes:
        code: Names the rule, for programs: ``elf-machine``.
        severity: An error refuses the image.
        path: The file inside the image; empty where it is about the image itself.
        package: The distribution it belongs to, ``numpy 2.1.0``, or None if unknown.
        found: What is there, to follow the subject: ``is an x86-64 ELF file``.
        wanted: What should be, to follow ``but``; may be empty.
        hint: What the user can do.
    """

    code: str
    severity: Severity
    path: str = ""
    package: str | None = None
    found: str
    wanted: str = ""
    hint: str = ""

    @property
    def sentence(self) -> str:
        """What a user needs to read, in one line that is safe to print."""
        subject = ": ".join(part for part in (self.package, self.path) if part)
        sentence = f"{subject} {self.found}" if subject else self.found
        return printable(f"{sentence}, but {self.wanted}" if self.wanted else sentence)

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes, the sentence included."""
        return {**asdict(self), "sentence": self.sentence}


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerClaim:
    """What an image's manifest and config say of one layer.

    Attributes:
        digest: Of the blob, from the manifest.
        diff_id: Of the uncompressed tar, from the config.
    """

    digest: str
    diff_id: str


class Seen(Protocol):
    """What was seen in a part of an artifact: in a layer, or in a part of a bundle."""

    @property
    def files(self) -> int:
        """How many files were looked at."""

    @property
    def binaries(self) -> tuple[tuple[str, Binary], ...]:
        """The programs among them, by path, in the archive's order."""

    @property
    def owners(self) -> dict[str, str]:
        """For a path in ``binaries``, the distribution it belongs to."""


def judge(
    os: str,
    arch: str,
    variant: str,
    facts: Sequence[Seen],
    owners: Mapping[str, str],
    *,
    allow: Sequence[str] = (),
) -> list[Finding]:
    """Judge the files of an image by the platform it is for.

    Args:
        os: OCI's name of the operating system.
        arch: OCI's name of the architecture.
        variant: Its variant, or empty.
        facts: What its layers hold, lowest first.
        owners: Paths to the distributions they belong to: see `owners_of`.
        allow: Patterns of paths (``fnmatch``; ``*`` matches slashes too) that may hold programs for other machines:
            errors there become warnings. One that helps nothing is a warning itself.

    Returns:
        Findings in the order of the layers; empty if all is well.
    """
    target = Platform(os=os, architecture=arch, variant=variant)
    if sum(layer.files for layer in facts) == 0:
        found = f"no file was looked at in {len(facts)} layers"
        return [
            Finding(
                code="nothing-read",
                severity="error",
                found=found,
                wanted="a proof that looked at nothing proves nothing",
                hint="check that the layers belong to this image and are not empty",
            )
        ]
    if os != "linux" or arch not in MACHINE_NAMES:
        return [
            Finding(
                code="platform-unsupported",
                severity="error",
                found=f"the image is for {target}",
                wanted=f"only linux on {', '.join(MACHINE_NAMES)} can be proved",
            )
        ]
    found_all = dict.fromkeys(
        finding
        for layer in facts
        for path, binary in layer.binaries
        if (finding := _judge_binary(target, path, binary, owners.get(path))) is not None
    )
    return list(_with_exceptions(list(found_all), allow))


def judge_layers(claims: Sequence[LayerClaim], facts: Sequence[LayerFacts]) -> list[Finding]:
    """Compare what manifest and config say of the layers with what was read.

    Args:
        claims: One for each layer, lowest first.
        facts: Of the same layers, in the same order.

    Raises:
        ValueError: There are not as many of the one as of the other.
    """
    findings = []
    for number, (claim, layer) in enumerate(zip(claims, facts, strict=True), start=1):
        pairs = (("digest", claim.digest, layer.digest), ("diff_id", claim.diff_id, layer.diff_id))
        findings += [
            Finding(
                code=f"layer-{name.replace('_', '-')}",
                severity="error",
                found=f"layer {number} has the {name} {actual}",
                wanted=f"the {'config' if name == 'diff_id' else 'manifest'} says {claimed}",
                hint="the layer or what describes it was changed, or mixed up: build or fetch the image again",
            )
            for name, claimed, actual in pairs
            if claimed != actual
        ]
    return findings


def judge_platforms(entry: Platform | None, config: Platform) -> list[Finding]:
    """Compare the platform in an image's index entry, if it has one, with that in its config."""
    if entry is None or entry.same_machine(config):
        return []
    only_variant_missing = (entry.os, entry.architecture) == (config.os, config.architecture) and not config.variant
    return [
        Finding(
            code="platform-mismatch",
            severity="warning" if only_variant_missing else "error",
            found=f"the image's config says {config}",
            wanted=f"its entry in the index says {entry}",
            hint="build the index from images whose configs name their own platform",
        )
    ]


def owners_of(facts: Sequence[Seen]) -> dict[str, str]:
    """Merge what the layers' own RECORD files say of their programs; an upper layer wins."""
    return {path: owner for layer in facts for path, owner in layer.owners.items()}


def printable(text: str) -> str:
    r"""Escape what does not belong on a terminal: ``\x1b`` becomes four characters."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in text)


def _judge_binary(target: Platform, path: str, binary: Binary, package: str | None) -> Finding | None:
    if binary.format == "elf":
        return _judge_elf(target, path, binary, package)
    finding = Finding(
        code=binary.format,
        severity="error",
        path=path,
        package=package,
        found=f"is {_article(binary.kind)} file",
        wanted=f"the target {target} needs ELF files for {MACHINE_NAMES[target.architecture]}",
        hint=_REMEDY,
    )
    if binary.format == "pe" and binary.managed:
        return replace(
            finding,
            code="pe-managed",
            severity="warning",
            found="is a .NET assembly",
            wanted="",
            hint="it runs where a .NET runtime is; nothing of it was proved",
        )
    if binary.format == "pe" and _LAUNCHER.search(path):
        return replace(
            finding,
            code="pe-launcher",
            severity="warning",
            wanted="a Windows launcher carried as data does no harm",
            hint="",
        )
    return finding


def _judge_elf(target: Platform, path: str, binary: Binary, package: str | None) -> Finding | None:
    if not binary.hosted:
        return None
    finding = Finding(
        code="elf-machine",
        severity="error",
        path=path,
        package=package,
        found=f"is {_article(binary.kind)} file",
        wanted=f"the target {target} needs {MACHINE_NAMES[target.architecture]}",
        hint=_REMEDY,
    )
    if binary.undecided:
        found = f"cannot be told apart: {binary.undecided}"
        return replace(finding, code="elf-undecided", found=found, hint="replace the damaged file, or allow its path")
    if target.architecture not in binary.machines:
        return finding
    if binary.os_abi not in _LINUX_ABIS:
        found = f"is an ELF file for {binary.os_abi}"
        return replace(finding, code="elf-os", found=found, wanted=f"the target {target} needs linux")
    wanted_float = "soft" if target.variant == "v5" else "hard"
    if binary.float_abi not in {"", wanted_float}:
        return replace(
            finding,
            code="elf-float-abi",
            severity="warning",
            found=f"passes floating-point numbers the {binary.float_abi}-float way",
            wanted=f"libraries for {target} use {wanted_float}-float: it works only if it is linked statically",
        )
    return None


def _with_exceptions(findings: Sequence[Finding], allow: Sequence[str]) -> Iterator[Finding]:
    used: set[str] = set()
    for finding in findings:
        matching = [pattern for pattern in allow if fnmatchcase(finding.path, pattern)]
        used.update(matching)
        if matching and finding.severity == "error":
            hint = f"allowed by the exception {matching[0]!r}"
            yield replace(finding, severity="warning", hint=hint)
        else:
            yield finding
    for pattern in allow:
        if pattern not in used:
            yield Finding(
                code="allow-unused",
                severity="warning",
                found=f"the exception {pattern!r} matches no file in need of one",
                hint="remove it, or check its spelling",
            )


def _article(kind: str) -> str:
    # By how the names are spoken: an x86-64, an s390, an m68k.
    return f"{'an' if kind.startswith(('a', 'e', 'i', 'E', 'x8', 's3', 'm6')) else 'a'} {kind}"
