"""Real locks, made by the real tools from the index of the user's configuration, and kept for a week."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from tests.integration.differential.sets import SETS

from crossdock.store.config import load_index_config

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["LOCKS", "TOOLS", "Made", "environ", "make_all", "run"]

_KEPT_SECONDS = 7 * 24 * 3600
_REQUIRES_PYTHON = ">=3.10,<3.15"


@dataclass(frozen=True, slots=True)
class Tool:
    """A program that makes locks.

    Attributes:
        lock: Name of the file it makes.
        version: Command that prints its version.
        command: How it is run.
        export: Arguments that make it print the lock as requirements with markers.
        table: What pyproject.toml needs for it.
    """

    lock: str
    command: tuple[str, ...]
    export: tuple[str, ...]
    table: str = ""


TOOLS = {
    "uv": Tool(
        lock="uv.lock",
        command=("uv",),
        export=("export", "--quiet", "--frozen", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header"),
    ),
    # Poetry wants an interface of the public registry that not every mirror has; the simple index is enough if named.
    "poetry": Tool(
        lock="poetry.lock",
        command=("uv", "tool", "run", "--with=poetry-plugin-export", "poetry"),
        export=("export", "--quiet", "--format=requirements.txt", "--without-hashes", "--output=/dev/stdout"),
        table='[tool.poetry]\npackage-mode = false\n\n[[tool.poetry.source]]\nname = "configured"\nurl = "{index}"\n',
    ),
    # pdm's newest release does not run with the newest of these two libraries.
    "pdm": Tool(
        lock="pdm.lock",
        command=("uv", "tool", "run", "--with=hishel<2", "--with=unearth<0.19", "pdm"),
        export=("export", "--format=requirements", "--no-hashes"),
        table="[tool.pdm]\ndistribution = false\n",
    ),
}
#: Neither makes a virtual environment in which nothing would be installed, nor looks for a newer version of itself.
_QUIET = {"POETRY_VIRTUALENVS_CREATE": "false", "PDM_USE_VENV": "0", "PDM_CHECK_UPDATE": "0"}

#: pdm needs more than four minutes for each of these; uv and Poetry lock them as well.
_TOO_SLOW = {("pdm", "torch"), ("pdm", "cloud")}

#: (tool, requirement set) of every lock that is compared.
LOCKS = [(tool, name) for tool in TOOLS for name in SETS if (tool, name) not in _TOO_SLOW]


@dataclass(frozen=True)
class Made:
    """A lock in a project of its own.

    Attributes:
        tool: Who made it.
        name: Of the requirement set.
        folder: The project's.
        seconds: How long making took; 0 if an earlier run made it.
    """

    tool: str
    name: str
    folder: Path
    seconds: float

    @property
    def path(self) -> Path:
        """The lock."""
        return self.folder / TOOLS[self.tool].lock

    @property
    def project(self) -> dict[str, Any]:
        """Its pyproject.toml."""
        return tomllib.loads((self.folder / "pyproject.toml").read_text())

    @cached_property
    def files(self) -> dict[tuple[str, str], dict[str, str]]:
        """SHA-256 by file name, by package and version, read without crossdock's readers."""
        found: dict[tuple[str, str], dict[str, str]] = {}
        for package in tomllib.loads(self.path.read_text())["package"]:
            listed = [*package.get("wheels", ()), *package.get("files", ()), *filter(None, [package.get("sdist")])]
            found[canonicalize_name(package["name"]), package["version"]] = {
                file.get("file") or unquote(file["url"].rsplit("/", 1)[-1]): file["hash"].removeprefix("sha256:")
                for file in listed
            }
        return found

    @cached_property
    def requirements(self) -> list[Requirement]:
        """The lock as the tool exports it: a pin for each package, with the marker that says when."""
        lines = (line.strip() for line in (self.folder / "export.txt").read_text().splitlines())
        return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def environ(**more: str) -> dict[str, str]:
    """Give an environment without what would change answers: pip's and uv's settings, and an active venv."""
    kept = {"PIP_CERT", "UV_CACHE_DIR", "UV_DEFAULT_INDEX", "UV_INDEX_URL", "UV_PYTHON_INSTALL_DIR", "UV_NATIVE_TLS"}
    own = {
        key: value
        for key, value in os.environ.items()
        if key in kept or not key.startswith(("PIP_", "UV_", "VIRTUAL_ENV", "PYTHON", "POETRY_", "PDM_", "PYENV_"))
    }
    return own | more


def run(command: Iterable[str], folder: Path, *, more: Mapping[str, str] | None = None) -> str:
    """Run a tool that has to succeed, and give what it printed."""
    listed = list(command)
    done = subprocess.run(listed, cwd=folder, env=environ(**(more or {})), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(listed)[:300]} failed:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}")
    return done.stdout


def make_all(cache_folder: Path) -> dict[tuple[str, str], Made]:
    """Make every lock that is missing or older than a week, two at a time."""
    with ThreadPoolExecutor(2) as pool:
        return dict(zip(LOCKS, pool.map(lambda key: _make(key[0], key[1], cache_folder), LOCKS), strict=True))


@cache
def _version(tool: str) -> str:
    return run((*TOOLS[tool].command, "--version"), Path.cwd()).strip()


@cache
def _index() -> str:
    """The simple index, without a password, which netrc can hold."""
    parts = urlsplit(load_index_config().indexes()[0])
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _make(tool: str, name: str, cache_folder: Path) -> Made:
    how = TOOLS[tool]
    project = (
        f'[project]\nname = "app-of-{name}"\nversion = "1"\nrequires-python = "{_REQUIRES_PYTHON}"\n'
        f"dependencies = [\n{_listed(SETS[name])}]\n\n{how.table.format(index=_index())}"
    )
    digest = hashlib.sha256("\0".join([project, tool, _version(tool), *how.export]).encode()).hexdigest()[:12]
    folder = cache_folder / "locks" / f"{tool}-{name}-{digest}"
    if folder.exists() and time.time() - (folder / how.lock).stat().st_mtime < _KEPT_SECONDS:
        return Made(tool, name, folder, 0)
    unfinished = folder.with_name(f"{folder.name}.{os.getpid()}")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / "pyproject.toml").write_text(project)
    start = time.perf_counter()
    run((*how.command, "lock", "--quiet"), unfinished, more=_QUIET)
    (unfinished / "export.txt").write_text(run((*how.command, *how.export), unfinished, more=_QUIET))
    if tool == "uv":
        exported = run((*how.command, *how.export, "--format=pylock.toml"), unfinished)
        (unfinished / "pylock.toml").write_text(exported)
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)
    return Made(tool, name, folder, time.perf_counter() - start)


def _listed(requirements: Iterable[str]) -> str:
    return "".join(f'  "{requirement}",\n' for requirement in requirements)
