"""Patterns of paths: ``*`` within a name, ``**`` for any number of folders."""

from __future__ import annotations

import re
from fnmatch import translate
from functools import lru_cache

__all__ = ["matches"]

_ANY = "**"


def matches(path: str, glob: str) -> bool:
    """Say whether a "/"-separated path matches a pattern, as a whole and with case.

    ``*``, ``?`` and ``[…]`` match within one name (``fnmatch``); ``**`` as a whole name matches any number of folders,
    none included, and at the end whatever is below. A final ``/`` is short for ``/**``.
    """
    names = path.split("/")
    pattern = _split(glob)
    # reach[i]: whether the first i names match what was seen of the pattern. Linear in both, whatever the pattern.
    reach = [True] + [False] * len(names)
    for part in pattern[:-1] if pattern[-1] == _ANY else pattern:
        if part == _ANY:
            reach = [any(reach[: i + 1]) for i in range(len(reach))]
        else:
            reach = [False] + [reach[i] and _name(part).match(name) is not None for i, name in enumerate(names)]
    # The file itself is not a folder that "**" stands for, so that "tests/**" needs something in tests.
    return any(reach[:-1]) if pattern[-1] == _ANY else reach[-1]


@lru_cache(maxsize=256)
def _split(glob: str) -> tuple[str, ...]:
    return tuple((glob + _ANY if glob.endswith("/") else glob).split("/"))


@lru_cache(maxsize=1024)
def _name(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))
