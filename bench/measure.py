"""Repeating cases in turn, and what each repetition cost."""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["CPU", "WALL", "Comparison", "Result", "Series", "cost", "figure", "interleave", "pick", "ratio"]

WALL = "wall s"
CPU = "cpu s"


@dataclass(frozen=True, slots=True)
class Series:
    """All repetitions of one case in one metric.

    Attributes:
        case: What was done.
        metric: What was measured, with its unit.
        values: One for each repetition.
    """

    case: str
    metric: str
    values: tuple[float, ...]

    @property
    def minimum(self) -> float:
        """The least disturbed repetition."""
        return min(self.values)

    @property
    def median(self) -> float:
        """The usual repetition."""
        return median(self.values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """A figure that there is a goal for, or that tells how one case compares with another.

    Attributes:
        label: What it says.
        at_minimum: Its value from the minima.
        at_median: Its value from the medians.
        goal: What it should be, in words; empty if there is no goal.
    """

    label: str
    at_minimum: float
    at_median: float
    goal: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What one script measured.

    Attributes:
        name: Of the script.
        about: What the cases were run on.
        series: The measurements.
        comparisons: What follows from them.
    """

    name: str
    about: str
    series: tuple[Series, ...]
    comparisons: tuple[Comparison, ...]


def cost(work: Callable[[], object]) -> dict[str, float]:
    """Do something once, and give its wall seconds and the processor seconds of this process and its children."""
    cpu, wall = _processor_seconds(), time.perf_counter()
    work()
    return {WALL: time.perf_counter() - wall, CPU: _processor_seconds() - cpu}


def interleave(cases: Mapping[str, Callable[[], Mapping[str, float]]], repeats: int) -> tuple[Series, ...]:
    """Run all cases in turn, several times, so that whatever else the machine does meets all of them alike.

    Args:
        cases: What to run, by name; each gives its values by metric.
        repeats: How many rounds are measured; one more goes first, to warm caches up.
    """
    values: dict[tuple[str, str], list[float]] = {}
    for measured in range(repeats + 1):
        for name, case in cases.items():
            for metric, value in case().items():
                if measured:
                    values.setdefault((name, metric), []).append(value)
    return tuple(Series(case, metric, tuple(seen)) for (case, metric), seen in values.items())


def ratio(series: tuple[Series, ...], over: str, under: str, metric: str, goal: str = "") -> Comparison:
    """Compare two cases."""
    above, below = (pick(series, case, metric) for case in (over, under))
    return Comparison(
        label=f"{over} / {under} ({metric})",
        at_minimum=above.minimum / below.minimum,
        at_median=above.median / below.median,
        goal=goal,
    )


def figure(series: tuple[Series, ...], case: str, metric: str, goal: str) -> Comparison:
    """Set a case beside its goal."""
    one = pick(series, case, metric)
    return Comparison(label=f"{case} ({metric})", at_minimum=one.minimum, at_median=one.median, goal=goal)


def pick(series: tuple[Series, ...], case: str, metric: str) -> Series:
    """Find one series."""
    return next(one for one in series if (one.case, one.metric) == (case, metric))


def _processor_seconds() -> float:
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
