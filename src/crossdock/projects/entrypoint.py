"""What an application starts with: an argument vector that needs neither a shell nor a search."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from crossdock.errors import EntrypointError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from crossdock.projects.project import Project

__all__ = ["resolve_entrypoint"]

_DOTTED = r"[^\W\d]\w*(?:\.[^\W\d]\w*)*"
_FUNCTION = re.compile(rf"(?P<module>{_DOTTED}):(?P<function>{_DOTTED})")


def resolve_entrypoint(
    project: Project, prefix: str, own_scripts: Collection[str], dependency_scripts: Callable[[], Collection[str]]
) -> tuple[str, ...]:
    """Decide the argument vector.

    Args:
        project: Whose ``entrypoint`` setting, or else only console script, it is.
        prefix: Absolute path of the environment, such as that in an image.
        own_scripts: Names of the project's console scripts, as its wheel has them.
        dependency_scripts: Gives the names of the dependencies' console scripts; asked only when needed.

    Raises:
        EntrypointError: None is set and the project has no script or several, or the named one is not there.
    """
    setting = project.config.entrypoint
    if isinstance(setting, tuple):
        return _vector(setting, prefix)
    if setting is None:
        return (f"{prefix}/bin/{_only_script(project.name, own_scripts)}",)
    if match := _FUNCTION.fullmatch(setting):
        first = match["function"].split(".")[0]
        code = f"import sys; from {match['module']} import {first}; sys.exit({match['function']}())"
        return (f"{prefix}/bin/python", "-c", code)
    if setting not in own_scripts:
        available = sorted({*own_scripts, *dependency_scripts()})
        if setting not in available:
            raise EntrypointError(
                f"The entrypoint {setting!r} is not a console script of {project.name} or its dependencies",
                why=f"the scripts there are: {', '.join(available) or 'none'}",
                hint='name one of them, "module:function", or an array such as ["python", "-m", "app"]',
            )
    return (f"{prefix}/bin/{setting}",)


def _vector(arguments: tuple[str, ...], prefix: str) -> tuple[str, ...]:
    """Give the environment's own Python its full path; everything else is left as written."""
    first, *rest = arguments
    return (f"{prefix}/bin/python" if first in ("python", "python3") else first, *rest)


def _only_script(project: str, scripts: Collection[str]) -> str:
    names = sorted(scripts)
    if len(names) == 1:
        return names[0]
    if not names:
        raise EntrypointError(
            f"{project} has no console script to run",
            why="its wheel has none, and [tool.crossdock] sets no entrypoint",
            hint='set entrypoint = "module:function", or an array such as ["python", "-m", "app"]',
        )
    raise EntrypointError(
        f"{project} has {len(names)} console scripts: {', '.join(names)}",
        why="[tool.crossdock] does not say which one to run",
        hint=f'set for example entrypoint = "{names[0]}"',
    )
