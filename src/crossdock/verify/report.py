"""What the proof says: for programs as JSON, for people in a few lines."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import (
    AbiRefusedError,
    ArtifactRefusedError,
    ContentsRefusedError,
    PackagesRefusedError,
    UnprovedError,
)
from crossdock.verify.codes import AREAS, area_of
from crossdock.verify.finding import Finding, printable
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.verify.codes import Area

__all__ = ["ImageReport", "OtherManifest", "Report", "without_notes"]

#: What `Report.to_json` follows: docs/verify.schema.json.
SCHEMA: Final = "crossdock.verify/1"

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
        packages: How many distributions say what they are.
        machines: How many programs there are, by kind: ``aarch64 ELF``.
        findings: All that is wrong, or worth knowing.
        natives_by_package: How many programs for the platform each installed distribution has, by normalised name.
    """

    platform: Platform | None
    digest: str
    layers: int
    files: int
    packages: int
    machines: dict[str, int]
    findings: tuple[Finding, ...]
    natives_by_package: Mapping[str, int] = field(default_factory=dict)

    @property
    def natives(self) -> int:
        """How many programs and libraries were looked at."""
        return sum(self.machines.values())

    @property
    def errors(self) -> int:
        """How many findings are errors."""
        return sum(1 for finding in self.findings if finding.severity == "error")

    @property
    def ok(self) -> bool:
        """Whether there was no error."""
        return self.errors == 0

    @classmethod
    def from_json(cls, data: Any) -> ImageReport:  # noqa: ANN401
        """Make a report of what `to_json` returned, and ``natives_by_package`` if it was put beside that.

        Raises:
            ValueError: It is not that.
        """
        try:
            spelled = data["platform"]
            return cls(
                platform=None if spelled is None else Platform.parse(spelled),
                digest=str(data["digest"]),
                layers=int(data["layers"]),
                files=int(data["files"]),
                packages=int(data["packages"]),
                machines={str(kind): int(count) for kind, count in data["machines"].items()},
                findings=tuple(map(Finding.from_json, data["findings"])),
                natives_by_package={
                    str(name): int(count) for name, count in data.get("natives_by_package", {}).items()
                },
            )
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"no report: {error}") from None

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes."""
        return {
            "platform": str(self.platform) if self.platform else None,
            "digest": self.digest,
            "ok": self.ok,
            "layers": self.layers,
            "files": self.files,
            "natives": self.natives,
            "packages": self.packages,
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
    def exit_code(self) -> int:
        """0 if all is well; else that of the refusal: see `require_ok`."""
        return 0 if self.ok else _refusal(self).exit_code

    @property
    def ok(self) -> bool:
        """Whether something was proved and there was no error."""
        return bool(self.images) and all(finding.severity != "error" for finding in self.all_findings)

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes."""
        return {
            "schema": SCHEMA,
            "subject": self.subject,
            "ok": self.ok,
            "images": [image.to_json() for image in self.images],
            "not_judged": [{"digest": other.digest, "reason": other.reason} for other in self.others],
            "findings": [finding.to_json() for finding in self.findings],
        }

    def to_text(self, *, notes: bool = False) -> str:
        """Return a table of the images, then the findings; safe to print on any terminal.

        Args:
            notes: Tell also what is only worth a note.
        """
        rows = [
            ("PLATFORM", "DIGEST", "FILES", "PACKAGES", "PROGRAMS", "RESULT"),
            *(_row(image) for image in self.images),
        ]
        widths = [max(len(row[column]) for row in rows) for column in range(5)]
        lines = [f"{'ok' if self.ok else 'REFUSED'}: {printable(self.subject)}"]
        for row in rows if self.images else ():
            cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=False)]
            lines.append("  ".join([*cells, row[5]]))
        lines += [f"not judged: {_short(other.digest)}: {printable(other.reason)}" for other in self.others]
        lines += _finding_lines(self.findings, notes=notes)
        for image in self.images:
            told = list(_finding_lines(image.findings, notes=notes))
            lines += [f"{_platform(image)}:"] * bool(told) + [f"  {line}" for line in told]
        return "\n".join(lines) + "\n"

    def require_ok(self) -> None:
        """Refuse the artifact unless it is all right.

        Raises:
            ArtifactRefusedError: There are errors, or nothing was proved; a class of its own for each area of findings
                says of what kind the weightiest is.
        """
        if self.ok:
            return
        errors = [finding for finding in self.all_findings if finding.severity == "error"]
        sentences = [finding.sentence for finding in errors[:_MOST_IN_ERROR]] or ["it holds no image"]
        if len(errors) > _MOST_IN_ERROR:
            sentences.append(f"and {len(errors) - _MOST_IN_ERROR} more errors")
        raise _refusal(self)(
            f"{printable(self.subject)} is not what it claims to be",
            why="\n       ".join(sentences),
            hint=errors[0].hint if errors else "",
            report=self,
        )


def without_notes(report: Report) -> Report:
    """Leave out what is only worth a note."""

    def told(findings: Sequence[Finding]) -> tuple[Finding, ...]:
        return tuple(finding for finding in findings if finding.severity != "note")

    images = tuple(replace(image, findings=told(image.findings)) for image in report.images)
    return replace(report, images=images, findings=told(report.findings))


_REFUSALS: Final[dict[Area, type[ArtifactRefusedError]]] = {
    "machines": ArtifactRefusedError,
    "abi": AbiRefusedError,
    "packages": PackagesRefusedError,
    "contents": ContentsRefusedError,
    "unproved": UnprovedError,
}


def _refusal(report: Report) -> type[ArtifactRefusedError]:
    areas = {area_of(finding.code) for finding in report.all_findings if finding.severity == "error"}
    return next((_REFUSALS[area] for area in AREAS if area in areas), UnprovedError)


def _row(image: ImageReport) -> tuple[str, str, str, str, str, str]:
    machines = ", ".join(f"{count} {kind}" for kind, count in sorted(image.machines.items())) or "none"
    warnings = sum(1 for finding in image.findings if finding.severity == "warning")
    notes = [_count(image.errors, "error")] * bool(image.errors) + [_count(warnings, "warning")] * bool(warnings)
    result = ("ok" if image.ok else "REFUSED") + (f" ({', '.join(notes)})" if notes else "")
    return _platform(image), _short(image.digest), f"{image.files:,}", f"{image.packages:,}", machines, result


def _finding_lines(findings: Sequence[Finding], *, notes: bool) -> Iterator[str]:
    # A wrong wheel brings many findings that differ by the file alone: a few of them are enough to read.
    def alike(finding: Finding) -> tuple[str, str, str, str]:
        return finding.severity, finding.code, finding.package or "", finding.found

    told = [finding for finding in findings if notes or finding.severity != "note"]
    for _, items in groupby(sorted(told, key=alike), key=alike):
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
