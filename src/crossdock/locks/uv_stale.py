"""Whether a uv.lock is older than the pyproject.toml of the project being built.

uv writes the requirements it locked into ``[package.metadata]``. These are compared by meaning, as uv spells them
anew: specifiers by the versions they admit, markers by the environments they hold in. Where the meaning cannot be told
for sure (dynamic fields, sources that replace specifiers), nothing is claimed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name

from crossdock.errors import StaleLockError
from crossdock.locks.equivalence import probes, same_markers, same_specifiers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from crossdock.locks.fields import Table

__all__ = ["check_fresh"]

#: Keys of a locked requirement that stand for ``[tool.uv.sources]``; uv leaves the specifier away beside them.
_SOURCED = ("url", "git", "path", "directory", "editable", "virtual")
_EXTRA = re.compile(r"""extra == ['"]([^'"]+)['"]""")
_MAX_SHOWN = 3
#: Below the number of digits that Python refuses to read as a number; no requirement is as long.
_MAX_TEXT = 4096


class _UnsureError(Exception):
    """What is written cannot be compared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """A requirement, as either side has it.

    Attributes:
        name: Normalised.
        extras: Normalised.
        specifiers: None where a URL or another source stands for them.
        marker: As written.
    """

    name: str
    extras: frozenset[str]
    specifiers: SpecifierSet | None
    marker: str

    def __str__(self) -> str:
        return self.label + (str(self.specifiers) if self.specifiers else "")

    @property
    def label(self) -> str:
        """Name and extras."""
        return self.name + (f"[{','.join(sorted(self.extras))}]" if self.extras else "")


#: Requirements by section: ("", "") for the project's own, ("extra", NAME), ("group", NAME), ("constraints", "").
_Sections = dict[tuple[str, str], list[_Need]]


def check_fresh(
    path: Path, document: Table, entry: Table, pyproject: Mapping[str, Any], *, alone: bool, top: bool
) -> None:
    """Compare what was locked for a project with its pyproject.toml.

    Args:
        path: The lock, for the message.
        document: The whole lock.
        entry: The project's entry in it.
        pyproject: pyproject.toml.
        alone: Whether the lock is for this project only, so that its Pythons are those of the lock.
        top: Whether the project is in the lock's folder, so that constraints and overrides are its own.

    Raises:
        StaleLockError: They differ for certain; the first differences are named.
        MalformedLockError: The lock's metadata break the format.
    """
    differences: list[str] = []
    locked_pythons = SpecifierSet(document.specifiers("requires-python") or "")
    differences += _python_differences(locked_pythons, pyproject, alone=alone)
    locked = _locked_sections(document, entry, top=top)
    wanted = _wanted_sections(pyproject, locked, top=top)
    for section in sorted(locked.keys() | wanted.keys()):
        if section in locked and section in wanted:
            # uv adds a group's own Pythons to the markers of its requirements.
            markers = section[0] != "group" or not _narrowed_groups(pyproject)
            pythons = locked_pythons if markers else None
            differences += _differences(section, locked[section], wanted[section], pythons)
    if wanted_extras := _wanted_extras(pyproject):
        differences += _extra_differences(document, entry, locked, wanted_extras)
    if not differences:
        return
    shown = differences[:_MAX_SHOWN]
    more = f"; and {len(differences) - len(shown)} more" if len(differences) > len(shown) else ""
    raise StaleLockError(
        f"{path} is older than pyproject.toml",
        why="; ".join(shown) + more,
        hint="run uv lock, or pass --frozen to take the lock as it is",
    )


# What each side says.


def _locked_sections(document: Table, entry: Table, *, top: bool) -> _Sections:
    metadata = entry.table("metadata")
    sections: _Sections = {("", ""): []}
    if metadata is not None:
        for table in metadata.tables("requires-dist"):
            extras = _EXTRA.findall(table.text("marker") or "")
            for section in [("extra", extra) for extra in extras] or [("", "")]:
                sections.setdefault(section, []).append(_locked_need(table))
        groups = metadata.table("requires-dev")
        for group in groups.data if groups else ():
            sections["group", _name(group)] = [_locked_need(table) for table in (groups or metadata).tables(group)]
    elif any(key in entry.data for key in ("dependencies", "optional-dependencies", "dev-dependencies")):
        return {}  # of a uv that wrote no metadata yet
    manifest = document.table("manifest")
    if top and document.integer("revision"):
        for kind in ("constraints", "overrides"):
            sections[kind, ""] = [_locked_need(table) for table in manifest.tables(kind)] if manifest else []
    return sections


def _locked_need(table: Table) -> _Need:
    sourced = any(key in table.data for key in _SOURCED)
    return _Need(
        name=_name(table.required("name")),
        extras=frozenset(_name(extra) for extra in table.texts("extras")),
        specifiers=None if sourced else SpecifierSet(table.specifiers("specifier") or ""),
        marker=table.marker() or "",
    )


def _wanted_sections(pyproject: Mapping[str, Any], locked: _Sections, *, top: bool) -> _Sections:
    """Give what pyproject.toml requires; sections that cannot be told are left out."""
    project = _mapping(pyproject, "project")
    uv = _mapping(_mapping(pyproject, "tool"), "uv")
    dynamic = project.get("dynamic")
    dynamic = dynamic if isinstance(dynamic, list) else []
    written: dict[tuple[str, str], object] = {}
    if "dependencies" not in dynamic:
        written["", ""] = project.get("dependencies", [])
    if "optional-dependencies" not in dynamic:
        written |= {section: [] for section in locked if section[0] == "extra"}
        extras = _mapping(project, "optional-dependencies")
        written |= {("extra", _name(extra)): texts for extra, texts in extras.items()}
    groups = _Groups(_mapping(pyproject, "dependency-groups"), uv.get("dev-dependencies", []))
    for group in {*groups.names, *(name for kind, name in locked if kind == "group")}:
        written["group", group] = groups.flat(group)
    if top:
        for kind in ("constraints", "overrides"):
            written[kind, ""] = uv.get(f"{kind[:-1]}-dependencies", [])
    sections: _Sections = {}
    for section, texts in written.items():
        needs = _parse(texts)
        if needs is not None:
            sections[section] = needs
    for section in sections:
        if section[0] in {"extra", "group"} and locked:
            locked.setdefault(section, [])
    return sections


class _Groups:
    """``[dependency-groups]`` with what they include (PEP 735), and uv's older ``dev-dependencies`` in ``dev``."""

    def __init__(self, groups: Mapping[str, Any], dev: object) -> None:
        self._groups = {_name(name): items for name, items in groups.items()}
        self._dev = dev if isinstance(dev, list) else []

    @property
    def names(self) -> set[str]:
        return {*self._groups, *(["dev"] if self._dev else [])}

    def flat(self, group: str) -> object:
        """Give the requirements of a group, or what is no list where they cannot be told."""
        try:
            found = self._flat(group, ())
        except _UnsureError:
            return None
        return [*found, *self._dev] if group == "dev" else found

    def _flat(self, group: str, within: tuple[str, ...]) -> list[object]:
        items = self._groups.get(group, [])
        if not isinstance(items, list) or group in within:
            raise _UnsureError
        found: list[object] = []
        for item in items:
            if not isinstance(item, dict):
                found.append(item)
            elif isinstance(item.get("include-group"), str) and len(item) == 1:
                found += self._flat(_name(item["include-group"]), (*within, group))
            else:
                raise _UnsureError
        return found


def _parse(texts: object) -> list[_Need] | None:
    """Parse requirements; None if one is not of the standard's form, or asks for extras in its own marker."""
    if not isinstance(texts, list):
        return None
    needs = []
    for text in texts:
        try:
            requirement = Requirement(text if isinstance(text, str) and len(text) <= _MAX_TEXT else "")
        except (InvalidRequirement, ValueError, RecursionError):
            return None
        marker = str(requirement.marker) if requirement.marker else ""
        if "extra" in marker:
            return None
        needs.append(
            _Need(
                name=_name(requirement.name),
                extras=frozenset(_name(extra) for extra in requirement.extras),
                specifiers=None if requirement.url else requirement.specifier,
                marker=marker,
            )
        )
    return needs


def _wanted_extras(pyproject: Mapping[str, Any]) -> set[str] | None:
    project = _mapping(pyproject, "project")
    dynamic = project.get("dynamic")
    if not project or (isinstance(dynamic, list) and "optional-dependencies" in dynamic):
        return None
    return {_name(extra) for extra in _mapping(project, "optional-dependencies")}


# How they differ.


def _extra_differences(document: Table, entry: Table, locked: _Sections, wanted: set[str]) -> Iterator[str]:
    """Tell extras that one side only has; those with requirements are told with these already."""
    metadata = entry.table("metadata")
    if metadata is None or not document.integer("revision"):
        return  # uv did not write empty extras then
    provided = {_name(extra) for extra in metadata.texts("provides-extras")}
    for extra in sorted(wanted - provided):
        if not locked.get(("extra", extra)):
            yield f"extra {extra!r} is not in the lock"


def _python_differences(locked: SpecifierSet, pyproject: Mapping[str, Any], *, alone: bool) -> Iterator[str]:
    text = _mapping(pyproject, "project").get("requires-python")
    try:
        wanted = SpecifierSet(text) if isinstance(text, str) and len(text) <= _MAX_TEXT else None
    except InvalidSpecifier:
        return
    if wanted is None:
        return
    # Groups may narrow the Pythons of the lock, as other members of a workspace do.
    exact = alone and not _narrowed_groups(pyproject)
    for version in probes((locked, wanted), ("3.8", "3.12", "4.0")):
        has, wants = (part.contains(version, prereleases=True) for part in (locked, wanted))
        if (has and not wants) or (exact and has != wants):
            yield f"requires-python was {str(locked)!r} and is {str(wanted)!r}"
            return


def _narrowed_groups(pyproject: Mapping[str, Any]) -> bool:
    """Say whether uv's settings give a group a ``requires-python`` of its own."""
    groups = _mapping(_mapping(_mapping(pyproject, "tool"), "uv"), "dependency-groups")
    return any(isinstance(group, dict) and "requires-python" in group for group in groups.values())


def _differences(
    section: tuple[str, str], locked: list[_Need], wanted: list[_Need], pythons: SpecifierSet | None
) -> Iterator[str]:
    kind, name = section
    place = f"{kind} {name!r}: ".replace(" ''", "") if kind else ""
    for key in sorted({need.label for need in (*locked, *wanted)}):
        olds = [need for need in locked if need.label == key]
        news = [need for need in wanted if need.label == key]
        if not olds:
            yield f"{place}{news[0]} is not in the lock"
        elif not news:
            yield f"{place}{olds[0]} is in the lock only"
        else:
            difference = _changed(olds, news, name if kind == "extra" else "", pythons)
            if difference:
                yield place + difference


def _changed(olds: list[_Need], news: list[_Need], extra: str, pythons: SpecifierSet | None) -> str:
    """Tell how requirements of one name and set of extras changed; empty if not for certain.

    Markers are compared in environments of these Pythons; with None they are not.
    """
    pairs = [(olds, news)]
    if all(need.specifiers is not None for need in (*olds, *news)):
        pairs = []
        for old in olds:
            same = [need for need in news if same_specifiers(need.specifiers, old.specifiers)]
            if not same:
                return f"{old} became {news[0]}"
            pairs.append(([need for need in olds if same_specifiers(need.specifiers, old.specifiers)], same))
        for new in news:
            if not any(same_specifiers(new.specifiers, old.specifiers) for old in olds):
                return f"{new} is not in the lock"
    for before, after in pairs if pythons is not None else ():
        if not same_markers([need.marker for need in before], [need.marker for need in after], extra, str(pythons)):
            return f"the marker of {after[0]} changed"
    return ""


def _mapping(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _name(text: str) -> str:
    try:
        return canonicalize_name(text, validate=True)
    except (InvalidName, TypeError):
        return "".join(char if char.isprintable() else "?" for char in str(text)[:80])
