"""Finding a project's lock file, and reading it by its format."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from crossdock.errors import AmbiguousLockError, MissingLockError, UnsupportedLockError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.locks.model import Lock

__all__ = ["find_lock", "read_lock"]

_LOOKED_FOR = ("uv.lock", "pylock.toml", "poetry.lock", "pdm.lock", "requirements.txt")
_LATER = ("Pipfile.lock", "conda-lock.yml", "pixi.lock")


def find_lock(project_dir: Path, configured: str | None = None) -> Path:
    """Find the lock file of a project.

    Args:
        project_dir: Where its pyproject.toml is.
        configured: ``[tool.crossdock] lock``, relative to that folder.

    Raises:
        MissingLockError: There is none.
        AmbiguousLockError: There are several and none is configured.
    """
    if configured is not None:
        path = project_dir / configured
        if not path.is_file():
            raise MissingLockError(f"There is no lock file {path}", why=f"[tool.crossdock] lock names {configured!r}")
        return path
    named = ("poetry.lock", "pdm.lock", "requirements.txt")
    found = [
        project_dir / "uv.lock",
        *sorted(project_dir.glob("pylock*.toml")),
        *(project_dir / name for name in named),
    ]
    found = [path for path in found if path.is_file() and (path.suffix != ".toml" or _is_pylock(path))]
    if len(found) > 1:
        names = " and ".join(path.name for path in found)
        raise AmbiguousLockError(
            f"{project_dir} has several lock files: {names}",
            why="they may disagree, and only one of them can count",
            hint=f'name it in pyproject.toml, as in: [tool.crossdock] lock = "{found[0].name}"',
        )
    if not found:
        raise _missing(project_dir)
    return found[0]


def _is_pylock(path: Path) -> bool:
    """Tell the names that PEP 751 gives such a file."""
    return re.fullmatch(r"pylock\.([^.]+\.)?toml", path.name) is not None


def _missing(project_dir: Path) -> MissingLockError:
    later = [name for name in _LATER if (project_dir / name).is_file()]
    return MissingLockError(
        f"{project_dir} has no lock file",
        why=f"{later[0]} cannot be read yet" if later else f"looked for {', '.join(_LOOKED_FOR)}",
        hint="make one: uv lock, or pip-compile --generate-hashes, or a pylock.toml with your own tool",
    )


def read_lock(
    path: Path,
    project_name: str | None = None,
    *,
    root: Path | None = None,
    pyproject: Mapping[str, Any] | None = None,
    frozen: bool = False,
) -> Lock:
    """Read a lock file; its name says the format.

    Args:
        path: The file.
        project_name: The project to be built, checked against the lock where that names its own.
        root: Folder that files included by a requirements file must be in; by default the lock's own.
        pyproject: The project's pyproject.toml: what some formats leave there, and what a lock may be older than.
        frozen: Take the lock even if pyproject.toml was changed after it.

    Raises:
        StaleLockError: The lock is older than pyproject.toml, as far as its format tells.
        LockError: One of its children, for everything else that can be wrong with a lock.
    """
    if _is_pylock(path):
        from crossdock.locks.pylock import read_pylock

        return read_pylock(path, project_name)
    if path.suffix == ".txt":
        from crossdock.locks.requirements import read_requirements

        return read_requirements(path, root=root or path.parent)
    if path.name == "uv.lock":
        from crossdock.locks.uv import read_uv_lock

        return read_uv_lock(path, project_name, pyproject=pyproject, frozen=frozen)
    if path.name == "poetry.lock":
        from crossdock.locks.poetry import read_poetry_lock

        return read_poetry_lock(path, pyproject=pyproject, frozen=frozen)
    if path.name == "pdm.lock":
        from crossdock.locks.pdm import read_pdm_lock

        return read_pdm_lock(path, pyproject=pyproject, frozen=frozen)
    raise UnsupportedLockError(
        f"{path.name} is not the name of a lock that can be read",
        why="understood are uv.lock, pylock.toml, pylock.NAME.toml, poetry.lock, pdm.lock and requirements files "
        "(*.txt) with hashes",
        hint="export one of these with the tool that made it",
    )
