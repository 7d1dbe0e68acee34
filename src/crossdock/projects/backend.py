"""The copy of a project that its build backend works on."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from crossdock.projects.repository import clone_repository, match_repository
from crossdock.projects.sources import copy_sources, repository_top
from crossdock.sdists.hooks import hook_environment

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["copy_project"]


def copy_project(root: Path, folder: Path) -> Path:
    """Copy a project, and the state of the git repository it is in; give the copy's root.

    Raises:
        ProjectBuildError: It has far too many files.
        OSError: A file cannot be read, or no copy be written.
    """
    top = repository_top(root)
    environ = hook_environment(os.environ)
    copy = folder / "copy"
    cloned = top is not None and clone_repository(top, copy, environ)
    target = copy if top is None else copy / root.relative_to(top)
    copy_sources(root, target)
    if top is not None and cloned:
        match_repository(top, copy, environ)
    else:  # where backends that look for .gitignore upwards stop
        (copy / ".git").mkdir()
    return target
