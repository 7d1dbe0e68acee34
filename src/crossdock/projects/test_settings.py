"""``[tool.crossdock.test]`` in pyproject.toml, checked key by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from packaging.utils import InvalidName, canonicalize_name

from crossdock.errors import ConfigError
from crossdock.projects.table import Table

__all__ = ["KINDS", "CaseSettings", "Kind", "read_test_settings"]

Kind = Literal["image", "pex", "lambda", "venv"]

KINDS: tuple[Kind, ...] = ("image", "pex", "lambda", "venv")

_WHERE = "tool.crossdock.test"
_CASES = f"{_WHERE}.cases"


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseSettings:
    """One artifact that is tested.

    Attributes:
        name: What the case is called; empty if it was not said.
        project: Folder of the project, relative to pyproject.toml.
        kind: What is built of it.
        targets: What it is for, as written; None to leave that to the project, or to the artifact.
        packages: Normalised names of the packages that have to be there with native files; None for all that the lock
            has a platform's wheel of, or that the artifact says are for a platform.
        artifact: What is tested in place of something built: a path relative to pyproject.toml, or a reference.
    """

    name: str = ""
    project: str = "."
    kind: Kind = "image"
    targets: tuple[str, ...] | None = None
    packages: tuple[str, ...] | None = None
    artifact: str | None = None


def read_test_settings(value: Any) -> tuple[CaseSettings, ...]:  # noqa: ANN401  it is whatever the file holds
    """Read the ``[tool.crossdock.test]`` table.

    Raises:
        ConfigError: A key is unknown, or a value is not what it must be.
    """
    if value is None:
        return ()
    table = Table(value, _WHERE)
    cases = table.any("cases")
    table.finish()
    if cases is None:
        return ()
    if not isinstance(cases, list) or not cases:
        raise ConfigError(
            f"{_WHERE}: cases is not an array of tables", hint=f"write [[{_CASES}]] and its keys below it"
        )
    found = tuple(_case(item, f"{_CASES}[{number}]") for number, item in enumerate(cases))
    names = [case.name for case in found if case.name]
    for name in names:
        if names.count(name) > 1:
            raise ConfigError(f"{_CASES}: two cases are named {name!r}", hint="give each a name of its own")
    return found


def _case(value: Any, where: str) -> CaseSettings:  # noqa: ANN401
    table = Table(value, where)
    targets = table.texts("targets")
    if targets == ():
        raise ConfigError(f"{where}: targets is empty", hint="name one, or leave the key away for the project's")
    kind = table.text("kind")
    if kind is not None and kind not in KINDS:
        raise table.wrong("kind", f"one of {', '.join(KINDS)}")
    artifact = table.text("artifact")
    project = table.text("project")
    packages = table.texts("packages")
    case = CaseSettings(
        name=_name(table.text("name"), where),
        project=project or ".",
        kind=kind or "image",
        targets=targets,
        packages=None if packages is None else tuple(dict.fromkeys(_package(name, where) for name in packages)),
        artifact=artifact,
    )
    table.finish()
    if artifact is not None and (kind is not None or project is not None):
        raise ConfigError(
            f"{where}: {'kind' if kind is not None else 'project'} and artifact are both set",
            why="an artifact that is there already is not built",
            hint="leave one of the two away",
        )
    return case


def _name(text: str | None, where: str) -> str:
    if text is not None and (not text.isprintable() or len(text) > 100):
        raise ConfigError(f"{where}: name cannot be {text[:100]!r}", hint="write up to 100 characters on one line")
    return text or ""


def _package(text: str, where: str) -> str:
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName:
        raise ConfigError(
            f"{where}: packages holds {text[:100]!r}, which is no name of a package",
            hint='write names as the lock has them, as in "pydantic-core", without versions',
        ) from None
