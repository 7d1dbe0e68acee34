"""Combining environment markers as text: and, or, not, and settling what they say of ``extra``.

What poetry.lock and pdm.lock leave to the resolver of their tool is worked out once, when reading, and written as
ordinary markers; so one evaluator decides all formats, and every answer can be explained by a marker.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from packaging.utils import canonicalize_name

from crossdock.locks.fields import malformed
from crossdock.locks.markers import parse_marker

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

__all__ = ["NEVER", "all_of", "any_of", "negated", "python_marker", "with_extras", "with_project_extras"]

#: A marker that no environment fulfils; the evaluator knows no literal for it.
NEVER = "python_version < '0'"

_TOKEN = re.compile(r"""\s*(?:([()])|('[^']*'|"[^"]*")|(===|~=|==|!=|<=|>=|<|>)|([A-Za-z_][\w.]*))""")
_OPPOSITE = {
    "==": "!=",
    "!=": "==",
    "===": "!=",
    "<": ">=",
    ">=": "<",
    ">": "<=",
    "<=": ">",
    "in": "not in",
    "not in": "in",
}
#: Deeper than any tool nests; a bound for the recursive reader.
_DEEPEST = 50


@dataclass(frozen=True, slots=True)
class _Comparison:
    left: str
    operator: str
    right: str

    def __str__(self) -> str:
        return f"{self.left} {self.operator} {self.right}"


@dataclass(frozen=True, slots=True)
class _Group:
    joiner: Literal["and", "or"]
    parts: tuple[_Node, ...]


_Node = _Comparison | _Group | bool


def all_of(markers: Iterable[str | None]) -> str | None:
    """Join markers so that all must hold; None is one that always does."""
    distinct = dict.fromkeys(marker for marker in markers if marker is not None)
    if NEVER in distinct:
        return NEVER
    if len(distinct) < 2:
        return next(iter(distinct), None)
    return " and ".join(f"({marker})" if " or " in marker else marker for marker in distinct)


def any_of(markers: Iterable[str | None]) -> str | None:
    """Join markers so that one must hold; of none at all, none does."""
    distinct = dict.fromkeys(markers)
    if None in distinct:
        return None
    return " or ".join(marker for marker in distinct if marker and marker != NEVER) or NEVER


def negated(marker: str | None, where: str) -> str:
    """Return the marker that holds where the given one does not.

    Raises:
        MalformedLockError: It cannot be understood.
    """
    if marker is None:
        return NEVER
    return _text(_negate(_parse(marker, where))) or NEVER if marker != NEVER else "python_version >= '0'"


@lru_cache(maxsize=4096)
def with_extras(marker: str | None, extras: frozenset[str], where: str) -> str | None:
    """Settle what a package's own marker says of ``extra``, given which of its extras are asked for.

    Returns:
        What is left: None for always, ``NEVER`` for never.

    Raises:
        MalformedLockError: It cannot be understood.
    """
    if marker is None or "extra" not in marker:
        return marker
    return _text(_replace(_parse(marker, where), lambda node: _settle(node, extras)))


@lru_cache(maxsize=4096)
def with_project_extras(marker: str | None, where: str) -> str | None:
    """Write what a marker says of the project's ``extra`` as PEP 751 does: ``'name' in extras``.

    Raises:
        MalformedLockError: It cannot be understood.
    """
    if marker is None or "extra" not in marker:
        return marker
    return _text(_replace(_parse(marker, where), _membership))


def python_marker(alternatives: Iterable[str]) -> str | None:
    """Write version specifiers (PEP 440), of which one set must admit the Python, as a marker."""
    clauses = []
    for specifiers in alternatives:
        parts = [part.strip() for part in specifiers.split(",") if part.strip()]
        matches = [re.fullmatch(r"(===|~=|==|!=|<=|>=|<|>)\s*(.+)", part) for part in parts]
        clauses.append(all_of(f"python_full_version {m.group(1)} '{m.group(2)}'" for m in matches if m))
    return any_of(clauses) if clauses else None


def _parse(marker: str, where: str) -> _Node:
    parse_marker(marker, where)  # says what it is that cannot be understood
    tokens = []
    position = 0
    while position < len(marker.rstrip()):
        match = _TOKEN.match(marker, position)
        if match is None:
            raise malformed(where, f"{marker[:80]!r} is not an environment marker")
        tokens.append(match.group().strip())
        position = match.end()
    return _Reader(tokens, where).read()


class _Reader:
    """Recursive descent over a marker that ``packaging`` has accepted already."""

    def __init__(self, tokens: list[str], where: str) -> None:
        self._tokens = [*tokens, ""]
        self._position = 0
        self._where = where

    def read(self) -> _Node:
        node = self._or(0)
        if self._tokens[self._position]:
            raise malformed(self._where, "a marker goes on after its end")
        return node

    def _take(self) -> str:
        token = self._tokens[self._position]
        self._position += bool(token)
        return token

    def _or(self, depth: int) -> _Node:
        parts = [self._and(depth)]
        while self._tokens[self._position] == "or":
            self._take()
            parts.append(self._and(depth))
        return _join("or", parts)

    def _and(self, depth: int) -> _Node:
        parts = [self._item(depth)]
        while self._tokens[self._position] == "and":
            self._take()
            parts.append(self._item(depth))
        return _join("and", parts)

    def _item(self, depth: int) -> _Node:
        if depth > _DEEPEST:
            raise malformed(self._where, "a marker is nested too deeply")
        if self._tokens[self._position] == "(":
            self._take()
            node = self._or(depth + 1)
            if self._take() != ")":
                raise malformed(self._where, "a marker's parenthesis is not closed")
            return node
        left, operator = self._take(), self._take()
        if operator == "not":
            operator = f"not {self._take()}"
        return _Comparison(left, operator, self._take())


def _join(joiner: Literal["and", "or"], parts: Collection[_Node]) -> _Node:
    """Join, leaving out what does not count and settling what is settled by one part."""
    decisive = joiner == "or"
    kept = tuple(part for part in parts if not isinstance(part, bool))
    if any(part is decisive for part in parts):
        return decisive
    if not kept:
        return not decisive
    return kept[0] if len(kept) == 1 else _Group(joiner, kept)


def _replace(node: _Node, change: Callable[[_Comparison], _Node]) -> _Node:
    if isinstance(node, _Group):
        return _join(node.joiner, [_replace(part, change) for part in node.parts])
    return change(node) if isinstance(node, _Comparison) else node


def _negate(node: _Node) -> _Node:
    if isinstance(node, bool):
        return not node
    if isinstance(node, _Group):
        return _join("and" if node.joiner == "or" else "or", [_negate(part) for part in node.parts])
    if node.operator == "~=":  # is ">= X.Y" and "== X.*"
        prefix = node.right[1:-1].rpartition(".")[0]
        return _Group("or", (_Comparison(node.left, "<", node.right), _Comparison(node.left, "!=", f"'{prefix}.*'")))
    return _Comparison(node.left, _OPPOSITE.get(node.operator, "!="), node.right)


def _extra(comparison: _Comparison) -> tuple[str, bool] | None:
    """Read ``extra == 'name'`` and ``extra != 'name'``, either way round."""
    sides = [comparison.left, comparison.right]
    if "extra" not in sides or comparison.operator not in {"==", "!="}:
        return None
    literal = sides[0] if sides[1] == "extra" else sides[1]
    return canonicalize_name(literal.strip("'\"")), comparison.operator == "=="


def _settle(comparison: _Comparison, extras: frozenset[str]) -> _Node:
    found = _extra(comparison)
    return comparison if found is None else (found[0] in extras) is found[1]


def _membership(comparison: _Comparison) -> _Node:
    found = _extra(comparison)
    if found is None:
        return comparison
    return _Comparison(f"'{found[0]}'", "in" if found[1] else "not in", "extras")


def _text(node: _Node) -> str | None:
    if isinstance(node, bool):
        return None if node else NEVER
    if isinstance(node, _Comparison):
        return str(node)
    parts = [_text(part) or "" for part in node.parts]
    if node.joiner == "and":
        parts = [
            f"({part})" if isinstance(item, _Group) else part for item, part in zip(node.parts, parts, strict=True)
        ]
    return f" {node.joiner} ".join(parts)
