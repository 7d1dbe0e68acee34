"""What actions tell of a proof that refused nothing."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from crossdock.verify.report import Report

__all__ = ["tell_warnings"]


def tell_warnings(report: Report) -> None:
    """Print a report that has warnings, as the command line does."""
    if any(finding.severity == "warning" for finding in report.all_findings):
        print(report.to_text(), end="", file=sys.stderr)
