"""What the proof says: for programs as JSON, for people in a few lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import ArtifactRefusedError
from crossdock.verify.findings import Finding, printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.verify.findings import Seen
    from crossdock.verify.platforms import Platform

__all__ = ["ImageReport", "OtherManifest", "Report", "count_machines"]

_MOST_ALIKE: Final = 3
_MOST_IN_ERROR: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageReport:
    """What was seen of one image.

    Attributes:
        platform: From its config; None if that could not be read.
        digest: Of its manifest; may be empty for an image that is not written yet.
        layers: How many were read to their end.
        files: How many regular files and hardlinks were looked at.
        machines: How many programs there are, by kind: ``aarch64 ELF``.
        findings: All that is wrong, or worth knowing.
    """

    platform: Platform | None
    digest: str
    layers: int
    files: int
    machines: dict[str, int]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(1 for finding in self.findings if finding.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether there was no error."""
        return self.errors == 0

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes."""
        return {
            "platform": str(self.platform) if self.platform else None,
            "digest": self.digest,
            "ok": self.ok,
            "layers": self.layers,
            "files": self.files,
            "machines": dict(sorted(self.machines.items())),
            "findings": [finding.to_json() for finding in self.findings],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class OtherManifest:
    """A manifest that is no image to judge, such as a build attestation.

    Attributes:
        digest: Of the manifest.
        reason: Why it was not judged.
    """

    digest: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was seen of an artifact.

    Attributes:
        subject: What it is, for people: a path or a reference.
        images: One for each platform.
        others: Manifests that were listed but not judged.
        findings: What concerns no single image.
    """

    subject: str
    images: tuple[ImageReport, ...]
    others: tuple[OtherManifest, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def all_findings(self) -> tuple[Finding, ...]:
        """The findings on the whole and those on the images."""
        return self.findings + tuple(finding for image in self.images for finding in image.findings)

    @property
    def ok(self) -> bool:
        """Whether something was proved and there was no error."""
        return bool(self.images) and all(finding.severity != "error" for finding in self.all_findings)

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes."""
        return {
            "subject": self.subject,
            "ok": self.ok,
            "images": [image.to_json() for image in self.images],
            "not_judged": [{"digest": other.digest, "reason": other.reason} for other in self.others],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_text(self) -> str:
        """Return a table of the images, then the findings; safe to print on any terminal."""
        rows = [("PLATFORM", "DIGEST", "FILES", "PROGRAMS", "RESULT"), *(_row(image) for image in self.images)]
        widths = [max(len(row[column]) for row in rows) for column in range(4)]
        lines = [f"{'ok' if self.ok else 'REFUSED'}: {printable(self.subject)}"]
        for row in rows if self.images else ():
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[4]]))
        lines += [f"not judged: {_short(other.digest)}: {printable(other.reason)}" for other in self.others]
        lines += _finding_lines(self.findings)
        for image in self.images:
            heading = [f"{_platform(image)}:"] if image.findings else []
            lines += heading + [f"  {line}" for line in _finding_lines(image.findings)]
        return "\n".join(lines) + "\n"

    def require_ok(self) -> None:
        """Refuse the artifact unless it is all right.

        Raises:
            ArtifactRefusedError: There are errors, or nothing was proved.
        """
        if self.ok:
            return
        errors = [finding for finding in self.all_findings if finding.severity == "error"]
        sentences = [finding.sentence for finding in errors[:_MOST_IN_ERROR]] or ["it holds no image"]
        if len(errors) > _MOST_IN_ERROR:
            sentences.append(f"and {len(errors) - _MOST_IN_ERROR} more errors")
        raise ArtifactRefusedError(
            f"{printable(self.subject)} is not what it claims to be",
            why="\n       ".join(sentences),
            hint=errors[0].hint if errors else "",
            report=self,
        )


def count_machines(facts: Sequence[Seen]) -> dict[str, int]:
    """Count the programs in layers by their kind."""
    return dict(Counter(binary.kind for layer in facts for _, binary in layer.binaries))


def _row(image: ImageReport) -> tuple[str, str, str, str, str]:
    machines = ", ".join(f"{count} {kind}" for kind, count in sorted(image.machines.items())) or "none"
    warnings = len(image.findings) - image.errors
    notes = [_count(image.errors, "error")] * bool(image.errors) + [_count(warnings, "warning")] * bool(warnings)
    result = ("ok" if image.ok else "REFUSED") + (f" ({', '.join(notes)})" if notes else "")
    return _platform(image), _short(image.digest), f"{image.files:,}", machines, result


def _finding_lines(findings: Sequence[Finding]) -> Iterator[str]:
    # A wrong wheel brings many findings that differ by the file alone: a few of them are enough to read.
    def alike(finding: Finding) -> tuple[str, str, str, str]:
        return finding.severity, finding.code, finding.package or "", finding.found

    for _, items in groupby(sorted(findings, key=alike), key=alike):
        group = list(items)
        for finding in group[:_MOST_ALIKE]:
            yield f"{finding.severity} [{finding.code}] {finding.sentence}"
        if len(group) > _MOST_ALIKE:
            yield f"  … and {len(group) - _MOST_ALIKE:,} more like it"
        if group[0].hint:
            yield f"  hint: {printable(group[0].hint)}"


def _platform(image: ImageReport) -> str:
    return printable(str(image.platform)) if image.platform else "unknown"


def _short(digest: str) -> str:
    algorithm, colon, value = digest.partition(":")
    return f"{algorithm}{colon}{value[:12]}" if colon else printable(digest) or "-"


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
