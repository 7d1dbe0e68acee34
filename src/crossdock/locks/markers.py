"""Environment markers, decided from a target and never from the host (dependency specifiers, PEP 751)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.markers import InvalidMarker, Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.version import InvalidVersion

from crossdock.errors import MalformedLockError, UndecidedMarkerError

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["MarkerEvaluator", "parse_marker"]

#: Longer than any that a tool writes for real conflicts; a bound for the recursive parser.
_MAX_MARKER = 64 * 1024
#: One comparison of a marker as ``packaging`` writes it.
_COMPARISON = re.compile(r"""("[^"]*"|'[^']*'|\w+) (?:[=!<>~]+|in|not in) ("[^"]*"|'[^']*'|\w+)""", re.ASCII)
#: Comparisons with the answer in them, as ``extra`` is always empty.
_TRUE, _FALSE = 'extra == ""', 'extra != ""'


@lru_cache(maxsize=8192)
def _parse(text: str) -> Marker:
    if len(text) > _MAX_MARKER:
        raise InvalidMarker("it is too long")
    return Marker(text)


def parse_marker(text: str, where: str) -> Marker:
    """Parse a marker once.

    Raises:
        MalformedLockError: It is none; ``where`` names the place.
    """
    try:
        return _parse(text)
    except (InvalidMarker, InvalidVersion, RecursionError, ValueError) as error:
        raise MalformedLockError(
            f"{where}: a marker cannot be understood",
            why=f"{text[:120]!r} is not an environment marker",
            hint="make the lock again with the tool it is from",
        ) from error


class MarkerEvaluator:
    """Decides markers for one target and one set of extras and groups; equal markers are decided once.

    Args:
        environment: All eleven keys. A key with an empty value is not known; markers that hang on it are an error.
        extras: Extras of the project that are asked for.
        groups: Dependency groups that are asked for.
        target: Names the target in messages.
    """

    def __init__(
        self, environment: Mapping[str, str], extras: Collection[str], groups: Collection[str], *, target: str
    ) -> None:
        self.extras = frozenset(extras)
        self.groups = frozenset(groups)
        self._environment: dict[str, str | frozenset[str]] = {
            **environment,
            "extras": self.extras,
            "dependency_groups": self.groups,
            # Outside of metadata "extra" has no meaning; an empty one makes such markers false, not an error.
            "extra": "",
        }
        self._unknown = frozenset(key for key, value in environment.items() if not value)
        self._target = target
        self._decided: dict[str, bool] = {}

    def holds(self, marker: str | None, where: str) -> bool:
        """Say whether a marker is true for the target; no marker is.

        Raises:
            UndecidedMarkerError: It depends on what is not known of the target, or compares what cannot be compared.
            MalformedLockError: It is no marker.
        """
        if marker is None:
            return True
        if marker not in self._decided:
            self._decided[marker] = self._decide(marker, where)
        return self._decided[marker]

    def _decide(self, marker: str, where: str) -> bool:
        parsed = parse_marker(marker, where)
        unknown = dict.fromkeys(
            key for sides in _COMPARISON.findall(str(parsed)) for key in sides if key in self._unknown
        )
        try:
            if not unknown:
                return parsed.evaluate(self._environment, context="lock_file")
            # Markers know no "not": if all that is unknown may be true and may be false, nothing else is possible.
            answers = {
                _parse(_settled(parsed, unknown, answer)).evaluate(self._environment, context="lock_file")
                for answer in (_TRUE, _FALSE)
            }
        except (UndefinedComparison, UndefinedEnvironmentName, ValueError, TypeError, AssertionError) as error:
            raise UndecidedMarkerError(
                f"{where}: the marker {marker[:200]!r} cannot be decided for {self._target}",
                why=f"{type(error).__name__}: {str(error)[:200]}",
                hint="correct the marker where the package or project declares it, and lock again",
            ) from error
        if len(answers) > 1:
            raise UndecidedMarkerError(
                f"{where}: the marker {marker[:200]!r} cannot be decided for {self._target}",
                why=f"it asks for {' and '.join(unknown)}, which is known only where the program runs",
                hint="set it in pyproject.toml: [tool.crossdock.markers] "
                + " and ".join(f'{key} = "..."' for key in unknown),
            )
        return answers.pop()


def _settled(marker: Marker, unknown: Mapping[str, None], answer: str) -> str:
    """Write an answer in the place of every comparison with something unknown."""
    return _COMPARISON.sub(lambda match: match[0] if unknown.keys().isdisjoint(match.groups()) else answer, str(marker))
