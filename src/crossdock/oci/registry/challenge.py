"""What a registry asks for before it answers (RFC 9110, 11.6.1; distribution's token specification)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Challenge", "parse_challenges"]

_TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"  # noqa: S105  RFC 9110's word for a word
_PARAMETER = re.compile(rf'\s*({_TOKEN})\s*=\s*(?:"((?:[^"\\]|\\.)*)"|({_TOKEN}))\s*(?=,|$)', re.DOTALL)
_SCHEME = re.compile(rf"\s*({_TOKEN})(?=\s|,|$)")
_TOKEN68 = re.compile(r"\s+[A-Za-z0-9._~+/-]+=*\s*(?=,|$)")
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_LONGEST = 16384


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way to be let in.

    Attributes:
        scheme: ``bearer``, ``basic`` or another, lower case.
        parameters: Such as ``realm``, ``service`` and ``scope``; names lower case.
    """

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> list[Challenge]:
    """Read a ``WWW-Authenticate`` header, in which several may be joined; what is not understood is passed over."""
    found: list[Challenge] = []
    parameters: dict[str, str] = {}
    text, position = header[:_LONGEST], 0
    while position < len(text):
        if text[position] in ", \t":
            position += 1
        elif match := _PARAMETER.match(text, position):
            name, quoted, plain = match.groups()
            parameters.setdefault(name.lower(), plain if quoted is None else _ESCAPED.sub(r"\1", quoted))
            position = match.end()
        elif match := _SCHEME.match(text, position):
            parameters = {}
            found.append(Challenge(match[1].lower(), parameters))
            position = match.end()
            # What follows the scheme may be one word instead of parameters.
            if _PARAMETER.match(text, position) is None and (word := _TOKEN68.match(text, position)):
                position = word.end()
        else:
            position = len(text) if (comma := text.find(",", position)) < 0 else comma
    return found
