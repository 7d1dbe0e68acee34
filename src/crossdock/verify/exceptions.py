"""What may be as it is, though a rule says otherwise: by path, or by a named exception with its reason and date."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from crossdock.verify.finding import Finding

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Sequence

__all__ = ["Allowance", "apply_allowances"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowance:
    """An exception: the findings it matches refuse nothing.

    All that is given has to match; a plain path pattern is an allowance with nothing but ``path``.

    Attributes:
        code: Of the findings; empty for any.
        path: Pattern of paths (``fnmatch``; ``*`` matches slashes too); empty for any. Where a finding is on several
            files, all of them have to match.
        package: Normalised name of a distribution; empty for any.
        reason: Why it is all right, for whoever reads the report.
        expires: The last day it counts; None for ever.
    """

    code: str = ""
    path: str = ""
    package: str = ""
    reason: str = ""
    expires: dt.date | None = None

    def matches(self, finding: Finding) -> bool:
        """Say whether a finding is one that is allowed, dates aside."""
        named = (finding.package or "").rpartition(" ")[0]
        return (
            (not self.code or fnmatchcase(finding.code, self.code))
            and (not self.path or self._is_for_all((finding.path, *finding.others)))
            and (not self.package or named == self.package)
        )

    def _is_for_all(self, paths: Sequence[str]) -> bool:
        """Say whether the pattern matches every path of a finding; what has none is not allowed by path."""
        return all(path and fnmatchcase(path, self.path) for path in paths)

    def __str__(self) -> str:
        given = (("code", self.code), ("path", self.path), ("package", self.package))
        parts = [f"{name} {value!r}" for name, value in given if value]
        return repr(self.path) if self.path and len(parts) == 1 else ", ".join(parts)


def apply_allowances(findings: Sequence[Finding], allowances: Sequence[Allowance], today: dt.date) -> list[Finding]:
    """Make warnings of the errors that are allowed, and tell of allowances that help nothing or no longer.

    Args:
        findings: What the rules found.
        allowances: The exceptions.
        today: The date they are judged by.
    """
    used: set[Allowance] = set()
    late: set[Allowance] = set()
    result = []
    for finding in findings:
        matching = [item for item in allowances if item.matches(finding)]
        used.update(matching)
        current = [item for item in matching if item.expires is None or today <= item.expires]
        if finding.severity == "error" and matching and not current:
            late.update(matching)
        if finding.severity == "error" and current:
            why = f": {current[0].reason}" if current[0].reason else ""
            hint = f"allowed by the exception {current[0]}{why}"
            result.append(replace(finding, severity="warning", hint=hint))
        else:
            result.append(finding)
    return [
        *result,
        *(_told(item, "exception-expired", f"ended on {item.expires}") for item in allowances if item in late),
        *(
            _told(item, "allow-unused", f"matches no {'file' if item.path else 'finding'} in need of one")
            for item in allowances
            if item not in used
        ),
    ]


def _told(item: Allowance, code: str, what: str) -> Finding:
    hint = "renew or remove it" if code == "exception-expired" else "remove it, or check its spelling"
    return Finding(code=code, severity="warning", found=f"the exception {item} {what}", hint=hint)
