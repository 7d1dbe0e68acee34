"""Running a project's build backend (PEP 517) in an isolated environment, on a copy, under one environment."""

from __future__ import annotations

import os
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import ProjectBuildError
from crossdock.projects.repository import clone_repository, match_repository
from crossdock.projects.sources import EARLIEST_ZIP_TIME, copy_sources, repository_top

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.projects.project import Project

__all__ = ["build_wheel", "copy_project", "hook_environment", "scratch_folder"]

#: What a backend is told of the machine: where programs and homes are, and how to fetch.
_KEPT = {
    *("PATH", "HOME", "TMPDIR", "TEMP", "TMP"),
    *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT", "USERPROFILE", "APPDATA", "LOCALAPPDATA"),
    *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
_KEPT_PREFIXES = ("SSL_", "PIP_", "UV_")
_FIXED = {"LC_ALL": "C.UTF-8", "PYTHONUTF8": "1", "TZ": "UTC", "SOURCE_DATE_EPOCH": str(EARLIEST_ZIP_TIME)}
_TEMPORARY = ("TMPDIR", "TEMP", "TMP")


def hook_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Choose the variables a backend sees: none that changes what it builds, and one locale, time zone and clock."""
    kept = {key: value for key, value in environ.items() if key.upper() in _KEPT or key.startswith(_KEPT_PREFIXES)}
    return kept | _FIXED


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Give a temporary folder in which all temporary files of a build are made, by us and by what we run.

    So one removal leaves nothing behind, also when the build is interrupted. While it lasts, it holds for the
    whole process.
    """
    before, default = {name: os.environ.get(name) for name in _TEMPORARY}, tempfile.tempdir
    with tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True) as name:
        folder = Path(os.path.realpath(name))
        temporary = folder / "tmp"
        temporary.mkdir()
        try:
            tempfile.tempdir = str(temporary)
            os.environ.update(dict.fromkeys(_TEMPORARY, str(temporary)))
            yield folder
        finally:
            tempfile.tempdir = default
            for key, value in before.items():
                if value is None:
                    os.environ.pop(key, None)
                else:
                    os.environ[key] = value


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


def build_wheel(project: Project, copy: Path, output: Path) -> Path:
    """Build a project's wheel from a copy of it; the backend's output is shown only when it fails.

    Raises:
        ProjectBuildError: The backend, or what it needs, fails.
    """
    from build import BuildBackendException, BuildException, ProjectBuilder
    from build.env import DefaultIsolatedEnv

    try:
        with DefaultIsolatedEnv() as environment:
            builder = ProjectBuilder.from_isolated_env(environment, copy, runner=_run_hook)
            environment.install(builder.build_system_requires)
            environment.install(builder.get_requires_for_build("wheel"))
            return Path(builder.build("wheel", output))
    except subprocess.CalledProcessError as error:
        output_bytes = (error.output or b"") + (error.stderr or b"")
        raise _failed(project, output_bytes.decode(errors="replace").strip() or str(error)) from None
    except (BuildBackendException, BuildException) as error:
        cause = getattr(error, "exception", None)
        shown = getattr(cause, "output", None)
        text = shown.decode(errors="replace") if isinstance(shown, bytes) else str(error)
        raise _failed(project, text.strip()) from None


def _run_hook(cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None) -> None:
    """Run a backend's hook without showing its output, and with nothing of the machine that could change its result."""
    environ = {**hook_environment(os.environ), **(extra_environ or {})}
    subprocess.run(cmd, cwd=cwd, env=environ, umask=0o022, check=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)


def _failed(project: Project, output: str) -> ProjectBuildError:
    last = "\n    ".join(output.splitlines()[-20:])
    return ProjectBuildError(
        f"The build backend of {project.name} failed",
        why=last,
        hint=f"`python -m build --wheel {project.root}` shows more; if only that works, the backend reads what "
        "crossdock keeps from it: files outside the project, or variables (name the version in [project] instead)",
    )
