"""Exceptions to the proof, as rules hand them on; and the day to which what they let through is good.

An action's result is a function of its inputs, so no action looks at the day: there, an exception counts whatever its
date. Tests and pushes, which are no actions, judge by the day they run on.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from crossdock.bazel.handed.jsonfile import read_json
from crossdock.projects.project import load_settings
from crossdock.verify.policy import parse_exceptions

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from crossdock.verify.exceptions import Allowance
    from crossdock.verify.finding import Finding

__all__ = ["last_day", "read_exceptions", "undated"]


def read_exceptions(paths: Iterable[Path]) -> tuple[Allowance, ...]:
    """Read exceptions: a rule's, which are a JSON array; or a project's, which are in its pyproject.toml.

    Raises:
        BazelInputError: A file cannot be read.
        ConfigError: An exception is not what it must be.
    """
    found: dict[Allowance, None] = {}
    for path in paths:
        if path.name == "pyproject.toml":
            found |= dict.fromkeys(load_settings(path.parent).allow)
        else:
            found |= dict.fromkeys(parse_exceptions(read_json(path), "exceptions"))
    return tuple(found)


def undated(allow: Iterable[Allowance]) -> tuple[Allowance, ...]:
    """Give exceptions as actions judge by them: they never end."""
    return tuple(replace(item, expires=None) for item in allow)


def last_day(errors: Iterable[Finding], allow: Sequence[Allowance]) -> dt.date | None:
    """Say until when exceptions let all errors through; None for ever.

    Args:
        errors: Found where only those exceptions counted that never end.
        allow: All exceptions.
    """
    days = [[item.expires for item in allow if item.expires and item.matches(error)] for error in errors]
    return min((max(some) for some in days if some), default=None)
