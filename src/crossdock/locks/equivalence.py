"""Whether specifiers and markers that are written differently mean the same."""

from __future__ import annotations

import re
from functools import cache
from itertools import product
from typing import TYPE_CHECKING

from packaging.markers import Marker, UndefinedComparison, UndefinedEnvironmentName
from packaging.specifiers import SpecifierSet
from packaging.version import Version

from crossdock.locks.markers import parse_marker

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["probes", "same_markers", "same_specifiers"]

_VERSION = re.compile(r"\d+(?:\.\d+)*")
_MAX_PROBES = 400
#: Environments that exist: uv simplifies what cannot be true at once, so only these can tell markers apart.
_PLATFORMS = (
    ("posix", "linux", "Linux", "x86_64"),
    ("posix", "linux", "Linux", "aarch64"),
    ("posix", "darwin", "Darwin", "arm64"),
    ("nt", "win32", "Windows", "AMD64"),
)
_IMPLEMENTATIONS = (("cpython", "CPython"), ("pypy", "PyPy"))
_PYTHONS = tuple(f"3.{minor}.5" for minor in range(8, 17))


def same_specifiers(first: SpecifierSet | None, second: SpecifierSet | None) -> bool:
    """Say whether two sets of specifiers admit the same versions; None, for what is not known, is like any."""
    if first is None or second is None or first == second:
        return True
    return all(
        first.contains(version, prereleases=True) == second.contains(version, prereleases=True)
        for version in probes((first, second))
    )


def probes(sets: Iterable[SpecifierSet], more: Iterable[str] = ()) -> list[Version]:
    """Give the versions at and around every edge of some specifiers, and more: if these agree, the specifiers do."""
    found: dict[Version, None] = {}
    for text in (*more, *(specifier.version.removesuffix(".*") for part in sets for specifier in part)):
        try:
            version = Version(text)
        except ValueError:
            continue  # of an arbitrary equality, which compares as text, or with thousands of digits
        release = version.release[:8]
        found[version] = None
        for place in range(len(release)):
            for step in (-1, 1):
                number = release[place] + step
                if number >= 0:
                    found[Version(".".join(map(str, (*release[:place], number))))] = None
        found[Version(".".join(map(str, (*release, 1))))] = None
        if len(found) > _MAX_PROBES:
            break
    return list(found)


def same_markers(olds: list[str], news: list[str], extra: str, pythons: str) -> bool:
    """Say whether two unions of markers hold in the same environments; True where that cannot be told.

    Args:
        olds: Markers as uv writes them, extras among them; an empty one always holds.
        news: Markers as a project writes them, without extras.
        extra: The extra that both belong to; empty for none.
        pythons: Specifiers of the Pythons that matter.
    """
    plain = [re.sub(r"\bpython_version\b", "python_full_version", text) for text in news]
    if extra:
        plain = [f'{text} and extra == "{extra}"' if text else f'extra == "{extra}"' for text in plain]
    if sorted(plain) == sorted(str(Marker(text)) if text else "" for text in olds):
        return True
    before, after = ([parse_marker(text, "pyproject.toml") for text in texts if text] for texts in (olds, news))
    old_always, new_always = "" in olds, "" in news
    literals = {text for marker in (*before, *after) for text in _VERSION.findall(str(marker))}
    try:
        for environment in _environments(frozenset(literals), pythons):
            given = {**environment, "extra": extra}
            old = old_always or any(marker.evaluate(given) for marker in before)
            new = new_always or any(marker.evaluate(given) for marker in after)
            if old != new:
                return False
    except (UndefinedComparison, UndefinedEnvironmentName, ValueError, TypeError, KeyError):
        return True
    return True


@cache
def _environments(literals: frozenset[str], pythons: str) -> list[dict[str, str]]:
    admitted = SpecifierSet(pythons)
    full = [text for text in sorted(literals)[:16] if text.count(".") == 2]
    versions = [text for text in (*_PYTHONS, *full) if admitted.contains(text, prereleases=True)]
    return [
        {
            "os_name": os_name,
            "sys_platform": sys_platform,
            "platform_system": system,
            "platform_machine": machine,
            "platform_release": "",
            "platform_version": "",
            "python_version": ".".join(version.split(".")[:2]),
            "python_full_version": version,
            "implementation_name": implementation,
            "implementation_version": version,
            "platform_python_implementation": python,
        }
        for (os_name, sys_platform, system, machine), (implementation, python), version in product(
            _PLATFORMS, _IMPLEMENTATIONS, versions
        )
    ]
