"""Poetry's version constraints: caret and tilde, wildcards, ranges and their unions.

Written down in Poetry's documentation ("Dependency specification"); what these say is turned into PEP 440 specifiers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import InvalidVersion, Version

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    _Upper = Callable[[tuple[int, ...], int], str]

__all__ = ["Constraint", "ConstraintError"]

_PART = re.compile(r"(\^|~=|~|===|==|!=|<=|>=|<>|<|>|=)?\s*([^\s,<>=!~^|]+)")
#: Longer than anyone writes; a bound for what a lock can make us try.
_LONGEST = 4096
_MOST_MINORS, _PATCHES = 40, range(40)


class ConstraintError(ValueError):
    """The text is no constraint."""


@dataclass(frozen=True, slots=True)
class Constraint:
    """A set of versions.

    Attributes:
        alternatives: PEP 440 specifiers; a version of one of them is in the set. An empty text admits every version.
    """

    alternatives: tuple[str, ...] = ("",)

    @classmethod
    @lru_cache(maxsize=8192)
    def parse(cls, text: str) -> Constraint:
        """Read a constraint, of Poetry's or of PEP 440's syntax.

        Raises:
            ConstraintError: It is none.
        """
        if len(text) > _LONGEST:
            raise ConstraintError("it is too long")
        parts = [_conjunction(part.strip()) for part in re.split(r"\|\|?", text)]
        return cls(alternatives=tuple(dict.fromkeys(parts)) if "" not in parts else ("",))

    @property
    def is_any(self) -> bool:
        """Whether every version is in the set."""
        return self.alternatives == ("",)

    def admits(self, version: str | None) -> bool:
        """Say whether a version is in the set; a version that is not known is taken to be."""
        return version is None or any(
            _specifiers(text).contains(Version(version), prereleases=True) for text in self.alternatives
        )

    def specifiers(self) -> str | None:
        """Return the set as one list of PEP 440 specifiers; None for a union, which has no such form."""
        return self.alternatives[0] if len(self.alternatives) == 1 else None

    def covering(self) -> str:
        """Return one list of PEP 440 specifiers for a set of Python versions; a union's gaps are whole minor versions.

        A set of which that is not true is covered by a larger one.
        """
        if len(self.alternatives) == 1:
            return self.alternatives[0]
        minors = [
            minor for minor in range(_MOST_MINORS) if any(self.admits(f"3.{minor}.{patch}") for patch in _PATCHES)
        ]
        if not minors:
            return self.alternatives[0]
        gaps = [f"!=3.{minor}.*" for minor in range(minors[0], minors[-1]) if minor not in minors]
        open_ended = minors[-1] == _MOST_MINORS - 1
        return ",".join([f">=3.{minors[0]}", *gaps, *([] if open_ended else [f"<3.{minors[-1] + 1}"])])


@lru_cache(maxsize=8192)
def _specifiers(text: str) -> SpecifierSet:
    return SpecifierSet(text)


def _conjunction(text: str) -> str:
    """Turn parts that must all hold, by comma or blank, into PEP 440 specifiers."""
    text = text.strip().removeprefix("(").removesuffix(")")
    specifiers: list[str] = []
    position = 0
    while position < len(text):
        match = _PART.match(text, position)
        if match is None:
            if text[position] not in ", ":
                raise ConstraintError(f"{text[:60]!r} is not a version constraint")
            position += 1
            continue
        specifiers += _single(match.group(1) or "", match.group(2))
        position = match.end()
    joined = ",".join(specifiers)
    try:
        SpecifierSet(joined)
    except InvalidSpecifier:
        raise ConstraintError(f"{text[:60]!r} is not a version constraint") from None
    return joined


def _single(operator: str, version: str) -> Iterable[str]:
    if version in {"*", "x", "X"}:
        return []
    version = re.sub(r"(?:\.[*xX])+$", ".*", version)
    if operator == "^":
        return _span(version, _caret)
    if operator == "~":
        return _span(version, _tilde)
    if version.endswith(".*") and operator in {">=", "<", ">", "<="}:
        version = version.removesuffix(".*")
    return [f"{ {'': '==', '=': '==', '<>': '!='}.get(operator, operator) }{version}"]


def _span(version: str, upper: _Upper) -> Iterable[str]:
    try:
        low = Version(version.removesuffix(".*"))
        written = len(low.release)
        return [f">={low}", f"<{upper(low.release, written)}"]
    except (InvalidVersion, ValueError):
        raise ConstraintError(f"{version[:40]!r} is not a version") from None


def _caret(release: tuple[int, ...], written: int) -> str:
    """The next version that changes the leftmost number that is not zero."""
    place = next((i for i, number in enumerate(release) if number), written - 1)
    return _raised(release, place)


def _tilde(release: tuple[int, ...], written: int) -> str:
    """The next minor version; of a single number the next major one."""
    return _raised(release, 0 if written == 1 else 1)


def _raised(release: tuple[int, ...], place: int) -> str:
    return ".".join(str(number) for number in (*release[:place], release[place] + 1))
