"""Where others answer otherwise, and why we are right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.integration.differential.judges import Answer
    from tests.integration.differential.platforms import Case

__all__ = ["DIFFERENCES", "Difference", "compare"]


@dataclass(frozen=True, slots=True)
class Difference:
    """A known difference.

    Attributes:
        judge: Who answers otherwise.
        package: Normalised name.
        targets: Start of the target's spelling; empty for all.
        why: Why our answer is right.
    """

    judge: str
    package: str
    targets: str
    why: str

    def covers(self, judge: str, package: str, case: Case) -> bool:
        return (judge, package) == (self.judge, self.package) and str(case).startswith(self.targets)


DIFFERENCES: tuple[Difference, ...] = ()


def compare(ours: Answer, theirs: Answer) -> Mapping[str, str]:
    """Give what differs, in words, by package."""
    return {
        name: f"we take {ours.get(name, 'nothing')}, they take {theirs.get(name, 'nothing')}"
        for name in sorted({*ours, *theirs})
        if ours.get(name) != theirs.get(name)
    }
