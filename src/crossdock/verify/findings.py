"""What is wrong with an image or a bundle, and the rules that say so."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Protocol

from crossdock.verify.finding import Finding, Severity, printable
from crossdock.verify.platforms import Platform
from crossdock.verify.rules import MACHINES, judge_binary

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
    image: bool = False,
) -> list[Finding]:
    """Judge the files of an artifact by the platform it is for.

    Args:
        os: OCI's name of the operating system.
        arch: OCI's name of the architecture.
        variant: Its variant, or empty.
        facts: What its layers, or parts, hold, lowest first.
        owners: Paths to the distributions they belong to: see `owners_of`.
        allow: Patterns of paths (``fnmatch``; ``*`` matches slashes too) that may hold programs for other machines:
            errors there become warnings. One that helps nothing is a warning itself.
        image: Whether it is an image, which is for Linux or cannot be judged: the files of other systems' images are
            not only those of Python packages, and follow other rules.

    Returns:
        Findings in the order of the layers; empty if all is well.
    """
    target = Platform(os=os, architecture=arch, variant=variant)
    machines = {"linux": MACHINES["linux"]} if image else MACHINES
    if sum(layer.files for layer in facts) == 0:
        return [_nothing_read(len(facts), image=image)]
    if arch not in machines.get(os, {}):
        known = "; ".join(f"{name} on {', '.join(names)}" for name, names in machines.items())
        return [
            Finding(
                code="platform-unsupported",
                severity="error",
                found=f"the {'image' if image else 'artifact'} is for {target}",
                wanted=f"only {known} can be proved",
            )
        ]
    found_all = dict.fromkeys(
        finding
        for layer in facts
        for path, binary in layer.binaries
        if (finding := judge_binary(target, path, binary, owners.get(path))) is not None
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


def _nothing_read(parts: int, *, image: bool) -> Finding:
    noun = "layers" if image else "parts"
    return Finding(
        code="nothing-read",
        severity="error",
        found=f"no file was looked at in {parts} {noun}",
        wanted="a proof that looked at nothing proves nothing",
        hint=f"check that the {noun} belong to this {'image' if image else 'artifact'} and are not empty",
    )
