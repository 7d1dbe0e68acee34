"""``[tool.crossdock.packages.NAME]`` in pyproject.toml, checked key by key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, get_args

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from crossdock.errors import ConfigError
from crossdock.locks.model import FromSource
from crossdock.locks.overrides import ExtraDependency, Override
from crossdock.projects.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["read_overrides"]

_WHERE = "tool.crossdock.packages"
_QUOTED = re.compile(r"'[^']*'|\"[^\"]*\"")
_LISTS = ("exclude", "dependencies", "ignore-dependencies", "patches")


def read_overrides(value: Any) -> Mapping[str, Override]:  # noqa: ANN401  it is whatever the file holds
    """Read the ``[tool.crossdock.packages]`` table, by normalised name.

    Raises:
        ConfigError: A key is unknown, a value is not what it must be, or two tables are for one package.
    """
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ConfigError(
            f"{_WHERE} is not a table",
            hint=f"write [{_WHERE}.NAME] for a package; Debian packages are named in [tool.crossdock.debian] packages",
        )
    overrides: dict[str, Override] = {}
    for key, table in value.items():
        where = f"{_WHERE}.{key}"
        name = _name(key, where)
        if name in overrides:
            raise ConfigError(f"{_WHERE} has two tables for {name}", hint="write one of them; names are normalised")
        overrides[name] = _override(name, table, where)
    return overrides


def _override(name: str, values: Any, where: str) -> Override:  # noqa: ANN401
    table = Table(values, where)
    lists = {key: table.texts(key) for key in _LISTS}
    for key, items in lists.items():
        if items == ():
            raise ConfigError(f"{where}: {key} is empty", hint="name something, or leave the key away")
        if items and len(set(items)) != len(items):
            raise ConfigError(f"{where}: {key} names something twice")
    override = Override(
        name=name,
        wheels=_wheels(table, where),
        index=table.text("index"),
        exclude=tuple(_glob(glob, where) for glob in lists["exclude"] or ()),
        dependencies=tuple(_dependency(text, where) for text in lists["dependencies"] or ()),
        ignore_dependencies=tuple(
            _name(text, f"{where}: ignore-dependencies") for text in lists["ignore-dependencies"] or ()
        ),
        patches=lists["patches"] or (),
        from_source=_from_source(table),
    )
    table.finish()
    if override == Override(name=name):
        raise ConfigError(f"{where} is empty", hint="set something there, or remove the table")
    return override


def _name(text: str, where: str) -> str:
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName:
        raise ConfigError(f"{where}: {text!r} is not the name of a package") from None


def _wheels(table: Table, where: str) -> tuple[str, ...]:
    value = table.any("wheel")
    if value is None:
        return ()
    paths = value if isinstance(value, list) else [value]
    if not paths or not all(isinstance(path, str) and path.strip() and "\0" not in path for path in paths):
        raise table.wrong("wheel", "the path of a wheel, or an array of paths")
    if len(set(paths)) != len(paths):
        raise ConfigError(f"{where}: wheel names a file twice")
    return tuple(paths)


def _glob(glob: str, where: str) -> str:
    parts = glob.removesuffix("/").split("/")
    if glob.startswith("/") or "\\" in glob or any(part in ("", ".", "..") for part in parts):
        raise ConfigError(
            f"{where}: exclude holds {glob!r}, which can match no file",
            hint='write paths as they are in site-packages, with "/": "NAME/tests/**"',
        )
    if any("**" in part and part != "**" for part in parts):
        raise ConfigError(
            f'{where}: exclude holds {glob!r}, where "**" is only a part of a name',
            hint='"**" stands for any number of folders, as in "NAME/**/tests/**"; within a name write "*"',
        )
    return glob


def _dependency(text: str, where: str) -> ExtraDependency:
    place = f"{where}: dependencies holds {text[:120]!r}"
    try:
        requirement = Requirement(text)
    except (InvalidRequirement, InvalidVersion, RecursionError, ValueError) as error:
        raise ConfigError(
            f"{place}, which cannot be read",
            why=str(error).splitlines()[0],
            hint='write "NAME", "NAME[EXTRA]" or "NAME; MARKER"',
        ) from None
    marker = str(requirement.marker) if requirement.marker else None
    if requirement.url is not None:
        raise ConfigError(f"{place}, with a URL", hint="name it alone: the lock says which file that is")
    if marker and re.search(r"\b(extra|extras|dependency_groups)\b", _QUOTED.sub("", marker)):
        raise ConfigError(f"{place}, whose marker asks for an extra or group", hint="use markers of the environment")
    return ExtraDependency(
        name=canonicalize_name(requirement.name),
        version=_pin(requirement, place),
        marker=marker,
        extras=tuple(sorted(canonicalize_name(extra) for extra in requirement.extras)),
    )


def _pin(requirement: Requirement, place: str) -> str | None:
    specifiers = list(requirement.specifier)
    if not specifiers:
        return None
    if len(specifiers) == 1 and specifiers[0].operator in ("==", "==="):
        try:
            return str(Version(specifiers[0].version))
        except InvalidVersion:
            pass  # a prefix such as 1.* names no version
    raise ConfigError(
        f"{place}, with versions",
        why="the lock decides on the version; only where it has several, one of them is named with ==",
        hint=f'write "{requirement.name}"',
    )


def _from_source(table: Table) -> FromSource | None:
    value = table.any("from-source")
    for choice in get_args(FromSource):
        if value == choice:
            return choice  # type: ignore[no-any-return]
    if value is None:
        return None
    raise table.wrong("from-source", " or ".join(f'"{choice}"' for choice in get_args(FromSource)))
