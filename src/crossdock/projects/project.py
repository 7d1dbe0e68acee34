"""A Python project: its pyproject.toml, as far as building artifacts needs it."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import InvalidName, canonicalize_name

from crossdock.errors import ProjectFileError, ProjectNotFoundError
from crossdock.projects.config import Config, read_config

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

__all__ = ["Project", "load_project", "load_settings"]

_LARGEST_FILE = 16 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """What pyproject.toml says.

    Attributes:
        root: Its folder, absolute.
        name: Normalised name. This and what follows comes from ``[project]``, or where that is silent from
            ``[tool.poetry]``.
        version: As written; None if a build backend decides it.
        description: One line; may be empty.
        license: SPDX expression; may be empty.
        requires_python: Versions it runs on.
        urls: Project URLs by label, lower case.
        has_backend: Whether ``[build-system]`` names what builds it.
        python_file: Content of ``.python-version``; empty without one.
        config: ``[tool.crossdock]``.
        document: The whole pyproject.toml.
    """

    root: Path
    name: str
    version: str | None
    description: str
    license: str
    requires_python: SpecifierSet
    urls: Mapping[str, str]
    has_backend: bool
    python_file: str
    config: Config
    document: Mapping[str, Any] = field(default_factory=dict, hash=False, repr=False)

    @classmethod
    def without_sources(cls, name: str, root: Path, config: Config | None = None) -> Project:
        """Make one of settings alone, where there is nothing to build.

        Args:
            name: What to call it.
            root: The folder that paths are relative to.
            config: Its settings; none are set by default.
        """
        return cls(
            root=root,
            name=name,
            version=None,
            description="",
            license="",
            requires_python=SpecifierSet(),
            urls={},
            has_backend=False,
            python_file="",
            config=config or Config(),
        )


def load_project(folder: Path) -> Project:
    """Read a project.

    Args:
        folder: Its folder, or the path of its pyproject.toml.

    Raises:
        ProjectNotFoundError: There is no pyproject.toml.
        ProjectFileError: It cannot be read.
        ConfigError: ``[tool.crossdock]`` has a mistake.
    """
    path = folder if folder.name == "pyproject.toml" else folder / "pyproject.toml"
    document = _read_toml(path)
    poetry = _table(_table(document, "tool", path), "poetry", path)
    project = {**_of_poetry(poetry, path), **_table(document, "project", path)}
    name = project.get("name")
    if not isinstance(name, str) or not name:
        raise ProjectFileError(
            f"{path} has no [project] name",
            hint="it is the root of a workspace: name one of its members with --package"
            if _is_workspace(document)
            else "crossdock reads standard metadata, or that of Poetry: add [project] with a name",
        )
    try:
        normalised = canonicalize_name(name, validate=True)
    except InvalidName:
        raise ProjectFileError(f"{path}: {name!r} is not a project name") from None
    requires = project.get("requires-python", "")
    try:
        requires_python = SpecifierSet(requires if isinstance(requires, str) else "not a string")
    except InvalidSpecifier:
        raise ProjectFileError(f"{path}: requires-python is {requires!r}, which cannot be read") from None
    root = path.parent.resolve()
    python_file = root / ".python-version"
    return Project(
        root=root,
        name=normalised,
        version=_text(project.get("version")) or None,
        description=_text(project.get("description")),
        license=_text(project.get("license")),
        requires_python=requires_python,
        urls={label.lower(): url for label, url in _texts(project.get("urls")).items()},
        has_backend=isinstance(document.get("build-system"), dict),
        python_file=_first_line(python_file) if python_file.is_file() else "",
        config=read_config(_table(document, "tool", path).get("crossdock", {})),
        document=document,
    )


def load_settings(folder: Path) -> Config:
    """Read ``[tool.crossdock]`` alone: the root of a workspace need not be a project.

    Args:
        folder: The folder of the pyproject.toml.

    Raises:
        ProjectNotFoundError: There is no pyproject.toml.
        ProjectFileError: It cannot be read.
        ConfigError: ``[tool.crossdock]`` has a mistake.
    """
    path = folder / "pyproject.toml"
    return read_config(_table(_read_toml(path), "tool", path).get("crossdock", {}))


def _of_poetry(poetry: dict[str, Any], path: Path) -> dict[str, Any]:
    """Turn ``[tool.poetry]``, where Poetry before 2 keeps metadata, into what would stand in ``[project]``."""
    urls = {key: poetry[key] for key in ("homepage", "repository", "documentation") if key in poetry}
    found: dict[str, Any] = {key: poetry[key] for key in ("name", "version", "description", "license") if key in poetry}
    python = _table(poetry, "dependencies", path).get("python")
    if isinstance(python, str):
        from crossdock.locks.constraints import Constraint, ConstraintError

        try:
            found["requires-python"] = Constraint.parse(python).covering()
        except ConstraintError as error:
            raise ProjectFileError(f"{path}: the dependency python cannot be read", why=str(error)) from None
    return {**found, "urls": {**urls, **_texts(poetry.get("urls"))}}


def _is_workspace(document: Mapping[str, Any]) -> bool:
    tool = document.get("tool")
    uv = tool.get("uv") if isinstance(tool, dict) else None
    return isinstance(uv, dict) and "workspace" in uv


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        if path.stat().st_size > _LARGEST_FILE:
            raise ProjectFileError(f"{path} is larger than {_LARGEST_FILE >> 20} MiB")
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ProjectNotFoundError(
            f"There is no {path}", hint="name the project's folder, or run the command inside it"
        ) from None
    except OSError as error:
        raise ProjectFileError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    except (ValueError, RecursionError) as error:  # what is no TOML or UTF-8, and numbers too long for Python
        raise ProjectFileError(f"{path} is not TOML", why=str(error)) from None


def _table(document: dict[str, Any], key: str, path: Path) -> dict[str, Any]:
    value = document.get(key, {})
    if not isinstance(value, dict):
        raise ProjectFileError(f"{path}: {key} is not a table")
    return value


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _texts(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        return {}
    return {key: item for key, item in value.items() if isinstance(item, str)}


def _first_line(path: Path) -> str:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return ""
    return next((line.strip() for line in lines if line.strip() and not line.startswith("#")), "")
