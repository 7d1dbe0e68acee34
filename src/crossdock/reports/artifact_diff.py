"""How two artifacts differ, for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from crossdock.verify.finding import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.verify.comparing import Change, Difference

__all__ = ["SCHEMA", "diff_json", "diff_text"]

SCHEMA: Final = "crossdock.diff/1"
_MOST: Final = 20


def diff_json(old: str, new: str, differences: Sequence[Difference]) -> dict[str, Any]:
    """Give values that the ``json`` module writes."""
    return {
        "schema": SCHEMA,
        "old": old,
        "new": new,
        "same": all(difference.same for difference in differences),
        "differences": [difference.to_json() for difference in differences],
    }


def diff_text(old: str, new: str, differences: Sequence[Difference], *, every: bool = False) -> Iterator[str]:
    """Give lines that are safe to print.

    Args:
        old: Names the first artifact.
        new: Names the second.
        differences: Between them.
        every: Tell every change, and not the first few of a kind.
    """
    yield f"--- {printable(old)}"
    yield f"+++ {printable(new)}"
    for difference in differences:
        head = f"{printable(difference.platform)}: " if difference.platform else ""
        if difference.same:
            yield f"{head}the same, {_named(difference.digests[0])}"
            continue
        before, after = map(_named, difference.digests)
        yield f"{head}{before} -> {after}" + _sizes(*difference.sizes)
        yield from (f"  why: {printable(reason)}" for reason in difference.reasons)
        for title, changes in (
            ("layers", difference.layers),
            ("packages", difference.packages),
            ("manifest and config", difference.fields),
            ("files", difference.files),
        ):
            yield from _section(title, changes, every=every)


def _named(digest: str | None) -> str:
    return "none" if digest is None else digest[:19] or "a folder"


def _sizes(old: int, new: int) -> str:
    return f", {old:,} -> {new:,} bytes ({new - old:+,})" if old and new and old != new else ""


def _section(title: str, changes: Sequence[Change], *, every: bool) -> Iterator[str]:
    if not changes:
        return
    added = sum(change.old is None for change in changes)
    removed = sum(change.new is None for change in changes)
    yield f"  {title}: {added:,} added, {removed:,} removed, {len(changes) - added - removed:,} changed"
    for change in changes if every else changes[:_MOST]:
        mark = "+" if change.old is None else "-" if change.new is None else "~"
        values = [printable(value) for value in (change.old, change.new) if value is not None]
        yield f"    {mark} {printable(change.name)}: {' -> '.join(values)}"
    if not every and len(changes) > _MOST:
        yield f"    … and {len(changes) - _MOST:,} more (--all)"
