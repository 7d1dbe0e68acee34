"""Results as text."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.measure import Result

__all__ = ["to_text"]


def to_text(result: Result) -> str:
    """Give a result as two tables in Markdown."""
    measured = [
        (one.case, one.metric, _number(one.minimum), _number(one.median), str(len(one.values))) for one in result.series
    ]
    compared = [(one.label, _number(one.at_minimum), _number(one.at_median), one.goal) for one in result.comparisons]
    tables = [
        _table(("case", "metric", "minimum", "median", "runs"), measured),
        _table(("comparison", "of minima", "of medians", "goal"), compared),
    ]
    return f"## {result.name}\n\n{result.about}\n\n" + "\n".join(tables)


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    shown = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) + " |" for line in lines
    ]
    shown.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(shown) + "\n"
