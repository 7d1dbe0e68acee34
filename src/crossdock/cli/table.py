"""Tables of words for a terminal: as wide as there is room, and to be read without colours."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

__all__ = ["Grid", "Look", "layout", "look_of", "paint", "wrap"]

_GAP = "  "
#: A name is not cut shorter than this; rather the table is laid out in another way.
_NAME_LEAST, _NAME_LEAST_LETTERS = 24, 12
_COLOURS = {"red": "31;1", "yellow": "33", "dim": "2", "bold": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a stream is to be written to.

    Attributes:
        width: Columns there are; None for as many as are needed.
        colours: Whether colours may be used.
        ellipsis: Stands for the end of a name that is cut.
    """

    width: int | None = None
    colours: bool = False
    ellipsis: str = "…"


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A table of words.

    Attributes:
        title: Heading of the first column.
        columns: Headings of all others.
        rows: First column and words.
        letters: A letter for each word, for where there is no room for words.
        colours: The colour of a word; only an addition to it.
        meanings: What a word means, told below the table where that says more.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]
    letters: Mapping[str, str]
    colours: Mapping[str, str]
    meanings: Mapping[str, str]


def look_of(stream: TextIO) -> Look:
    """Find out how to write to a stream: nothing but a terminal has a width or colours (``NO_COLOR``, no-color.org)."""
    encoding = (getattr(stream, "encoding", None) or "ascii").lower().replace("-", "")
    ellipsis = "…" if encoding.startswith("utf") else "~"
    if not stream.isatty():
        return Look(ellipsis=ellipsis)
    plain = bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb" or sys.platform == "win32"
    return Look(width=shutil.get_terminal_size().columns, colours=not plain, ellipsis=ellipsis)


def paint(text: str, colour: str | None, look: Look) -> str:
    """Put colour around text."""
    if colour is None or not look.colours:
        return text
    return f"\x1b[{_COLOURS[colour]}m{text}\x1b[0m"


def layout(grid: Grid, look: Look) -> list[str]:
    """Lay out a table, in the first of these ways that there is room for.

    Whole headings and words; numbers for headings with a legend, and words; numbers and letters with a key; the same
    in several tables one below the other.
    """
    width = look.width
    longest = max((len(name) for name, _ in grid.rows), default=0)
    longest = max(longest, len(grid.title))
    words = max((len(word) for _, cells in grid.rows for word in cells), default=1)
    numbers = [str(number) for number in range(1, len(grid.columns) + 1)]
    plain = [max(len(column), words) for column in grid.columns]
    if width is None or _total(longest, plain) <= width:
        return _draw(grid, look, longest, grid.columns, plain, str)
    numbered = [max(len(number), words) for number in numbers]
    legend = [
        line for number, column in zip(numbers, grid.columns, strict=True) for line in _legend(number, column, width)
    ]
    room = width - _total(0, numbered)
    if room >= min(longest, _NAME_LEAST):
        return [*legend, "", *_draw(grid, look, min(longest, room), numbers, numbered, str)]
    head = [*legend, *wrap(f"key: {_key(grid)}", width, "  "), ""]
    lettered = [len(number) for number in numbers]
    for start, end, name in _pieces(width, longest, lettered):
        piece = Grid(
            title=grid.title,
            columns=numbers[start:end],
            rows=[(title, cells[start:end]) for title, cells in grid.rows],
            letters=grid.letters,
            colours=grid.colours,
            meanings=grid.meanings,
        )
        if start:
            head.append("")
        head += _draw(piece, look, name, piece.columns, lettered[start:end], lambda word: grid.letters[word])
    return head


def _total(name: int, columns: Sequence[int]) -> int:
    return name + sum(len(_GAP) + column for column in columns)


def _pieces(width: int, longest: int, columns: Sequence[int]) -> list[tuple[int, int, int]]:
    """Cut the columns into tables that fit: first column, the one after the last, and the room for names."""
    least = min(longest, _NAME_LEAST_LETTERS)
    found, start = [], 0
    while start < len(columns):
        end = start + 1
        while end < len(columns) and _total(least, columns[start : end + 1]) <= width:
            end += 1
        room = width - _total(0, columns[start:end])
        found.append((start, end, max(min(longest, room), 1)))
        start = end
    # Names are cut alike in all of them.
    name = min((name for _, _, name in found), default=longest)
    return [(start, end, name) for start, end, _ in found]


def _legend(number: str, column: str, width: int) -> list[str]:
    return wrap(f"{number}: {column}", width, "   ")


def _key(grid: Grid) -> str:
    used = dict.fromkeys(word for _, cells in grid.rows for word in cells)
    return ", ".join(f"{grid.letters[word]} {grid.meanings.get(word, word)}" for word in sorted(used))


def _draw(
    grid: Grid, look: Look, name: int, heads: Sequence[str], widths: Sequence[int], show: Callable[[str], str]
) -> list[str]:
    head = _GAP.join([cut(grid.title, name, look.ellipsis).ljust(name), *map(str.ljust, heads, widths)]).rstrip()
    lines = [paint(head, "bold", look)]
    for title, cells in grid.rows:
        first = cut(title, name, look.ellipsis).ljust(name)
        painted = [
            paint(show(word), grid.colours.get(word), look) + " " * (width - len(show(word)))
            for word, width in zip(cells, widths, strict=True)
        ]
        lines.append(_GAP.join([first, *painted]).rstrip())
    return lines


def cut(text: str, width: int, ellipsis: str) -> str:
    """Shorten text that is too long, and show that it was."""
    return text if len(text) <= width else text[: max(width - len(ellipsis), 0)] + ellipsis[:width]


def wrap(text: str, width: int | None, indent: str) -> list[str]:
    """Break a line at spaces where it is too long; the rest is indented. File names stay whole."""
    if width is None or len(text) <= width:
        return [text]
    import textwrap

    lead = text[: len(text) - len(text.lstrip())]
    return textwrap.wrap(
        text.lstrip(),
        max(width, 20),
        initial_indent=lead,
        subsequent_indent=lead + indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
