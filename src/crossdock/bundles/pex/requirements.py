"""What a PEX has to find in itself when it starts.

pex starts with the requirements in PEX-INFO and follows the wheels' own. A lock may have settled that differently: with
an override, or without a dependency that was left out. So every wheel is a requirement, and where a wheel asks for
something else than what is there, PEX-INFO says that this is meant.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Needs", "Package", "Requirements", "requirements_of"]

#: What tells platforms and Pythons apart that one PEX may be for.
_TELLING = ("sys_platform", "platform_machine", "implementation_name", "python_version")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A distribution of one target.

    Attributes:
        name: Normalised name.
        version: Its version.
        requires: Requires-Dist, as METADATA has it.
    """

    name: str
    version: str
    requires: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """What a PEX is for, and what it holds for that.

    Attributes:
        environment: The target's complete marker environment (PEP 508).
        packages: All its distributions.
    """

    environment: Mapping[str, str]
    packages: tuple[Package, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirements:
    """What PEX-INFO says of requirements.

    Attributes:
        roots: What is to be found, with markers where it is not for every target.
        excluded: Dependencies of the wheels that are not to be found.
        overridden: Dependencies of the wheels that other versions stand for.
    """

    roots: tuple[str, ...]
    excluded: tuple[str, ...] = ()
    overridden: tuple[str, ...] = ()


def requirements_of(targets: Sequence[Needs]) -> Requirements:
    """Decide the requirements of a PEX.

    Args:
        targets: One for each target that it is for.
    """
    telling = [name for name in _TELLING if len({needs.environment[name] for needs in targets}) > 1]
    wanted: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    clauses = [" and ".join(f'{name} == "{needs.environment[name]}"' for name in telling) for needs in targets]
    for needs, clause in zip(targets, clauses, strict=True):
        for package in needs.packages:
            wanted[package.name][package.version].append(clause)
    roots = {name: list(_marked(name, versions, clauses)) for name, versions in wanted.items()}
    excluded: set[str] = set()
    overridden: set[str] = set()
    for needs, clause in zip(targets, clauses, strict=True):
        for name in _unmet(needs):
            if name not in wanted:
                excluded.add(name)
            elif any(package.name == name for package in needs.packages):
                overridden.update(roots[name])
            elif clause and needs.packages:
                # It is there for other targets only. In pex's way to say so, something that is there stands for it.
                instead = needs.packages[-1]
                overridden.add(f"{name}={instead.name}=={instead.version}; {clause}")
    return Requirements(
        roots=tuple(sorted(text for texts in roots.values() for text in texts)),
        excluded=tuple(sorted(excluded)),
        overridden=tuple(sorted(overridden)),
    )


def _marked(name: str, versions: Mapping[str, Sequence[str]], clauses: Sequence[str]) -> Iterator[str]:
    """Write requirements, with markers where they are for some of the targets only.

    Where markers cannot tell a target that has a package from one that has not, as glibc from musl, it is no
    requirement of its own.
    """
    for version, here in versions.items():
        requirement = f"{name}=={version}"
        if len(here) == len(clauses):
            yield requirement
        elif all(here.count(clause) == clauses.count(clause) for clause in here):
            yield f"{requirement}; {' or '.join(dict.fromkeys(here))}"


def _unmet(needs: Needs) -> Iterator[str]:
    """Give the names of dependencies for which there is not what is asked for, following extras as pex does."""
    packages = {package.name: package for package in needs.packages}
    waiting: list[tuple[str, frozenset[str]]] = [(name, frozenset()) for name in packages]
    seen = set(waiting)
    while waiting:
        name, extras = waiting.pop()
        for requirement in _applying(packages[name].requires, needs.environment, extras):
            other = canonicalize_name(requirement.name)
            package = packages.get(other)
            if package is None or not requirement.specifier.contains(package.version, prereleases=True):
                yield other
            if package is not None and (item := (other, frozenset(requirement.extras))) not in seen:
                seen.add(item)
                waiting.append(item)


def _applying(requires: Sequence[str], environment: Mapping[str, str], extras: frozenset[str]) -> Iterator[Requirement]:
    for text in requires:
        try:
            requirement = Requirement(text)
        except (InvalidRequirement, RecursionError):
            continue  # pex says so when the PEX starts, as it would of its own
        if any(_holds(requirement, environment, extra) for extra in extras or ("",)):
            yield requirement


def _holds(requirement: Requirement, environment: Mapping[str, str], extra: str) -> bool:
    try:
        return requirement.marker is None or requirement.marker.evaluate({**environment, "extra": extra})
    except (KeyError, RecursionError, ValueError):
        return False
