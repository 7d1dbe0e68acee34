"""The project's own wheel, built by its own backend (PEP 517) on this machine, once for each state of its sources."""

from __future__ import annotations

import hashlib
import os
import stat
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from crossdock.errors import ImpureProjectError, NoBackendError, ProjectBuildError
from crossdock.store.actions import action_key

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.projects.project import Project
    from crossdock.store.blobs import Store

__all__ = ["OwnWheel", "build_own_wheel", "source_digest"]

#: Folders that tools make in a project's root. None is an input of a build, and some change with every run.
#: Deeper down, a folder of such a name may well be a package.
_NOT_SOURCES = {"build", "dist", "htmlcov", "node_modules", "venv"}


#: 1980-01-01, the first moment a zip archive can name.
_EARLIEST_ZIP_TIME = "315532800"


@dataclass(frozen=True, slots=True)
class OwnWheel:
    """The wheel that was built.

    Attributes:
        filename: Its name.
        sha256: Its content, in the store.
    """

    filename: str
    sha256: str


def build_own_wheel(project: Project, store: Store) -> OwnWheel:
    """Build the project's wheel in an isolated environment, or take the one built from the same sources before.

    Raises:
        NoBackendError: pyproject.toml has no ``[build-system]``.
        ProjectBuildError: The backend fails.
        ImpureProjectError: The wheel is for one platform only, so it holds code compiled for this machine.
    """
    if not project.has_backend:
        raise NoBackendError(
            f"{project.root / 'pyproject.toml'} has no [build-system]",
            why="the project's own code enters an artifact as the wheel its backend builds",
            hint='add [build-system] with, for example, requires = ["hatchling"] and build-backend = "hatchling.build"',
        )
    key = action_key("own-wheel", sources=source_digest(project.root), python=sys.version.split()[0])
    recorded = store.action(key)
    if isinstance(recorded, dict) and store.find(str(recorded.get("sha256"))):
        return OwnWheel(str(recorded["filename"]), str(recorded["sha256"]))
    with tempfile.TemporaryDirectory(prefix="crossdock-") as folder:
        path = _build(project, Path(folder))
        _check_pure(project, path.name)
        wheel = OwnWheel(path.name, store.add_file(path))
    store.record(key, {"filename": wheel.filename, "sha256": wheel.sha256})
    return wheel


def source_digest(root: Path) -> str:
    """Hash a project's files: paths, executable bits and contents, in one order everywhere.

    Hidden folders and what tools make are left out; hidden files are not: .gitignore decides what some backends take.
    """
    digest = hashlib.sha256()
    for path in sorted(_sources(root), key=lambda path: path.relative_to(root).as_posix()):
        executable = b"x" if path.stat().st_mode & stat.S_IXUSR else b"-"
        with path.open("rb") as file:
            content = hashlib.file_digest(file, "sha256").digest()
        digest.update(os.fsencode(path.relative_to(root).as_posix()) + b"\0" + executable + content)
    return digest.hexdigest()


def _sources(root: Path) -> Iterator[Path]:
    for folder, folders, names in os.walk(root):
        top = Path(folder) == root
        if "oci-layout" in names and not top:  # an image somebody built into the project
            folders.clear()
            continue
        folders[:] = [
            name
            for name in folders
            if not name.startswith(".")
            and not name.endswith((".egg-info", "__pycache__"))
            and not (top and name in _NOT_SOURCES)
        ]
        for name in names:
            path = Path(folder, name)
            if path.is_file() and not name.endswith((".pyc", ".oci.tar")) and name != "crossdock.lock":
                yield path


def _build(project: Project, folder: Path) -> Path:
    """Run the backend; its output is shown only when it fails."""
    from build import BuildBackendException, BuildException, ProjectBuilder
    from build.env import DefaultIsolatedEnv

    try:
        with DefaultIsolatedEnv() as environment:
            builder = ProjectBuilder.from_isolated_env(environment, project.root, runner=_run_hook)
            environment.install(builder.build_system_requires)
            environment.install(builder.get_requires_for_build("wheel"))
            return Path(builder.build("wheel", folder))
    except subprocess.CalledProcessError as error:
        output = (error.output or b"").decode(errors="replace") + (error.stderr or b"").decode(errors="replace")
        raise _failed(project, output.strip() or str(error)) from None
    except (BuildBackendException, BuildException) as error:
        cause = getattr(error, "exception", None)
        output = getattr(cause, "output", None)
        text = output.decode(errors="replace") if isinstance(output, bytes) else str(error)
        raise _failed(project, text.strip()) from None


def _run_hook(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
    """Run a backend's hook without showing its output, and with a fixed clock for what it generates."""
    environ = {**os.environ, "SOURCE_DATE_EPOCH": _EARLIEST_ZIP_TIME, **(extra_environ or {})}
    subprocess.run(cmd, cwd=cwd, env=environ, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _failed(project: Project, output: str) -> ProjectBuildError:
    last = "\n    ".join(output.splitlines()[-20:])
    return ProjectBuildError(
        f"The build backend of {project.name} failed",
        why=last,
        hint=f"`python -m build --wheel {project.root}` shows the same failure in full",
    )


def _check_pure(project: Project, filename: str) -> None:
    try:
        name, _, _, tags = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise ProjectBuildError(f"The build backend of {project.name} built no wheel", why=str(error)) from None
    if any(tag.platform != "any" or tag.abi != "none" for tag in tags):
        raise ImpureProjectError(
            f"{project.name} built {filename}, which is for this machine only",
            why="its code was compiled here, so it would not run on other targets",
            hint="move the compiled part to a package of its own that publishes wheels for every target",
        )
    if canonicalize_name(name) != project.name:
        raise ProjectBuildError(f"The build backend of {project.name} built {filename}, another distribution")
