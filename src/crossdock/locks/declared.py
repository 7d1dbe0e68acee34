"""What pyproject.toml asks for: the roots that some lock formats leave there."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.locks.constraints import Constraint, ConstraintError
from crossdock.locks.fields import malformed, project_name
from crossdock.locks.marker_logic import all_of, python_marker
from crossdock.locks.markers import parse_marker

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = [
    "Declared",
    "Wanted",
    "declared_by_poetry",
    "declared_by_project",
    "table_of",
    "wanted_by_poetry",
    "wanted_by_requirement",
]

_PLATFORM = "sys_platform"
#: Groups may include groups; deeper than anyone nests them.
_DEEPEST = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A dependency as declared, before it is known which entry of the lock fulfils it.

    Attributes:
        name: Normalised project name.
        constraint: Versions that fulfil it.
        marker: When it is wanted; None for always.
        extras: Extras asked for, normalised.
        optional: Whether only an extra brings it in.
        origin: URL or path it is to come from; empty for an index.
        index: Name of the index it is to come from; empty for any.
    """

    name: str
    constraint: Constraint = field(default_factory=Constraint)
    marker: str | None = None
    extras: tuple[str, ...] = ()
    optional: bool = False
    origin: str = ""
    index: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """All that a project asks for.

    Attributes:
        name: Normalised name of the project; empty if it has none.
        roots: What it always needs.
        extras: What each of its extras adds.
        groups: What each dependency group adds.
    """

    name: str = ""
    roots: tuple[Wanted, ...] = ()
    extras: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict, hash=False)
    groups: Mapping[str, tuple[Wanted, ...]] = field(default_factory=dict, hash=False)


def declared_by_project(pyproject: Mapping[str, Any], where: str) -> Declared:
    """Read the standard tables and those of pdm.

    These are ``[project]``, ``[dependency-groups]`` (PEP 735) and ``[tool.pdm.dev-dependencies]``.

    Raises:
        MalformedLockError: One of them is not as it should be.
    """
    project = table_of(pyproject, "project", where)
    groups = _dependency_groups(table_of(pyproject, "dependency-groups", where), where)
    old = table_of(table_of(table_of(pyproject, "tool", where), "pdm", where), "dev-dependencies", where)
    for name, lines in old.items():
        key = project_name(name, where)
        groups[key] = (*groups.get(key, ()), *_requirements(lines, where))
    project_is = project.get("name")
    return Declared(
        name=canonicalize_name(project_is) if isinstance(project_is, str) else "",
        roots=_requirements(project.get("dependencies", []), where),
        extras={
            project_name(extra, where): _requirements(lines, where)
            for extra, lines in table_of(project, "optional-dependencies", where).items()
        },
        groups=groups,
    )


def declared_by_poetry(pyproject: Mapping[str, Any], where: str) -> Declared:
    """Read ``[tool.poetry]`` with its dependencies, groups and extras, and groups of PEP 735.

    Raises:
        MalformedLockError: One of them is not as it should be.
    """
    poetry = table_of(table_of(pyproject, "tool", where), "poetry", where)
    main = [
        wanted
        for name, value in table_of(poetry, "dependencies", where).items()
        if canonicalize_name(name) != "python"
        for wanted in wanted_by_poetry(name, value, where)
    ]
    groups = {
        project_name(name, where): _poetry_table(table_of(_as_table(group, name, where), "dependencies", where), where)
        for name, group in table_of(poetry, "group", where).items()
    }
    if old := _poetry_table(table_of(poetry, "dev-dependencies", where), where):
        groups["dev"] = (*groups.get("dev", ()), *old)
    for group, wants in _dependency_groups(table_of(pyproject, "dependency-groups", where), where).items():
        groups[group] = (*groups.get(group, ()), *wants)
    project_is = table_of(pyproject, "project", where).get("name", poetry.get("name"))
    return Declared(
        name=canonicalize_name(project_is) if isinstance(project_is, str) else "",
        roots=tuple(wanted for wanted in main if not wanted.optional),
        extras={
            project_name(extra, where): tuple(
                replace(wanted, optional=False)
                for listed in _texts(names, f"{where}: extra {extra}")
                for wanted in main
                if wanted.optional and wanted.name == canonicalize_name(listed)
            )
            for extra, names in table_of(poetry, "extras", where).items()
        },
        groups=groups,
    )


def _poetry_table(table: Mapping[str, Any], where: str) -> tuple[Wanted, ...]:
    return tuple(wanted for name, value in table.items() for wanted in wanted_by_poetry(name, value, where))


def wanted_by_poetry(name: str, value: object, where: str) -> tuple[Wanted, ...]:
    """Read a dependency as Poetry writes it: a constraint, a table, or a list of these for different environments.

    Raises:
        MalformedLockError: It is none of these, or breaks a rule of its own.
    """
    normalised = project_name(name, where)
    values = value if isinstance(value, list) else [value]
    return tuple(_poetry_item(normalised, item, f"{where}: dependency {normalised}") for item in values)


def _poetry_item(name: str, value: object, where: str) -> Wanted:
    if isinstance(value, str):
        return Wanted(name=name, constraint=_constraint(value, where))
    table = _as_table(value, name, where)
    marker = _text(table, "markers", where) or None
    if marker is not None:
        parse_marker(marker, where)
    platform = _text(table, "platform", where)
    if platform and not platform.isalnum():
        raise malformed(where, "'platform' is not the name of one")
    python = _constraint(_text(table, "python", where), where)
    origin = next((text for key in ("url", "git", "path", "file") if (text := _text(table, key, where))), "")
    return Wanted(
        name=name,
        constraint=Constraint() if origin else _constraint(_text(table, "version", where), where),
        marker=all_of(
            [
                None if python.is_any else python_marker(python.alternatives),
                f"{_PLATFORM} == '{platform}'" if platform else None,
                marker,
            ]
        ),
        extras=tuple(sorted({project_name(extra, where) for extra in _texts(table.get("extras", []), where)})),
        optional=table.get("optional") is True,
        origin=origin,
        index=_text(table, "source", where),
    )


def wanted_by_requirement(line: str, where: str) -> Wanted:
    """Read a dependency specifier (PEP 508).

    Raises:
        MalformedLockError: It is none.
    """
    try:
        requirement = Requirement(line)
        specifiers = str(requirement.specifier)
    except (InvalidRequirement, ValueError, RecursionError) as error:
        raise malformed(where, f"{line[:80]!r} is not a requirement") from error
    return Wanted(
        name=project_name(requirement.name, where),
        constraint=Constraint(alternatives=(specifiers,)),
        marker=str(requirement.marker) if requirement.marker else None,
        extras=tuple(sorted({canonicalize_name(extra) for extra in requirement.extras})),
        origin=requirement.url or "",
    )


def _requirements(lines: object, where: str) -> tuple[Wanted, ...]:
    return tuple(
        wanted_by_requirement(line, where) for line in _texts(lines, where) if not line.lstrip().startswith("-")
    )


def _dependency_groups(groups: Mapping[str, Any], where: str) -> dict[str, tuple[Wanted, ...]]:
    by_name = {project_name(name, where): items for name, items in groups.items()}
    done: dict[str, tuple[Wanted, ...]] = {}

    def expand(name: str, depth: int) -> tuple[Wanted, ...]:
        if depth > _DEEPEST:
            raise malformed(where, f"the dependency group {name!r} includes itself")
        if name not in by_name:
            raise malformed(where, f"a dependency group includes {name!r}, which is not there")
        if name not in done:
            items = by_name[name]
            found: list[Wanted] = []
            for item in items if isinstance(items, list) else [items]:
                if isinstance(item, dict) and isinstance(item.get("include-group"), str):
                    found += expand(project_name(item["include-group"], where), depth + 1)
                else:
                    found += _requirements([item], where)
            done[name] = tuple(dict.fromkeys(found))
        return done[name]

    return {name: expand(name, 0) for name in by_name}


def table_of(parent: Mapping[str, Any], key: str, where: str) -> Mapping[str, Any]:
    """Return a sub-table of pyproject.toml; empty when it is not there.

    Raises:
        MalformedLockError: It is no table.
    """
    return _as_table(parent.get(key, {}), key, where)


def _as_table(value: object, name: str, where: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise malformed(where, f"{name!r} is not a table")
    return value


def _text(table: Mapping[str, Any], key: str, where: str) -> str:
    value = table.get(key, "")
    if not isinstance(value, str):
        raise malformed(where, f"{key!r} is not a string")
    return value


def _texts(value: object, where: str) -> Iterable[str]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise malformed(where, "what should be an array of strings is not")
    return value


def _constraint(text: str, where: str) -> Constraint:
    try:
        return Constraint.parse(text) if text else Constraint()
    except ConstraintError as error:
        raise malformed(where, str(error)) from error
