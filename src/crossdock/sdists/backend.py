"""Running a build backend (PEP 517) in an isolated environment that holds exactly what ``crossdock.lock`` records."""

from __future__ import annotations

import os
import subprocess
import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.errors import BackendFailedError
from crossdock.sdists.hooks import hook_environment
from crossdock.sdists.network import without_network
from crossdock.sdists.pip import Pip, make_environment
from crossdock.sdists.settling import Settling
from crossdock.store.urls import scrub

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from build import ProjectBuilder

    from crossdock.lockfile.builds import LockedBuild
    from crossdock.sdists.requirements import BuildLock, Subject

__all__ = ["Builds"]

_SHOWN_LINES = 20


class Builds:
    """Builds wheels, one after the other, in one temporary folder.

    Args:
        lock: What builds run on, and where that is recorded.
        folder: The folder; see ``scratch_folder``.
        pip: What resolves and installs; None for pip in an environment of its own.
    """

    def __init__(self, lock: BuildLock, folder: Path, pip: Pip | None = None) -> None:
        self.lock = lock
        self._folder = folder
        self._pip = Pip(folder / "pip") if pip is None else pip
        self._count = 0
        # Of the user's home a backend sees nothing: there are settings, and passwords.
        self._home = folder / "home"
        self._home.mkdir()

    def folder(self) -> Path:
        """Make a folder for one build."""
        self._count += 1
        folder = self._folder / f"build-{self._count}"
        folder.mkdir()
        return folder

    def settle(self, subject: Subject, source: Path, folder: Path) -> LockedBuild:
        """Find out what a build runs on, without building; arguments and errors as ``wheel``."""
        with self._prepared(subject, source, folder) as (_, settled):
            return settled

    def wheel(self, subject: Subject, source: Path, folder: Path) -> tuple[Path, LockedBuild]:
        """Build a wheel; the backend's output is shown only when it fails.

        Args:
            subject: What is built.
            source: Its source tree, which the backend may write to.
            folder: For everything else, empty.

        Returns:
            The wheel, and what it was built with; the caller records that once the wheel is one to be used.

        Raises:
            BackendFailedError: The backend fails.
            BuildRequirementsError: What it requires cannot be had.
            LockfileError: It is not recorded, and the record may not be changed.
            StoreError: It cannot be fetched.
            OfflineError: It would have to be.
        """
        with self._prepared(subject, source, folder) as (builder, settled):
            return Path(builder.build("wheel", folder / "wheel")), settled

    @contextmanager
    def _prepared(self, subject: Subject, source: Path, folder: Path) -> Iterator[tuple[ProjectBuilder, LockedBuild]]:
        from build import ProjectBuilder

        environment = make_environment(folder / "environment")
        settling = Settling(self.lock, subject, environment, self._pip)
        with _translated(subject), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what a backend warns of is its output too
            builder = ProjectBuilder.from_isolated_env(environment, source, runner=self._run_hook)
            settling.static(builder.build_system_requires, folder / "requires")
            settling.dynamic(builder.get_requires_for_build("wheel"), folder / "requires")
            yield builder, settling.record()

    def _run_hook(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        """Run a hook without showing its output, and with nothing of the machine that could change its result.

        All it needs is installed by then, so what it would fetch is something that nobody recorded.
        """
        # A backend that calls pip itself would install what nobody recorded.
        environ = {**hook_environment(os.environ, home=self._home), "PIP_NO_INDEX": "1", **(extra_environ or {})}
        output = subprocess.PIPE
        cmd = [*without_network(), *cmd]
        subprocess.run(cmd, cwd=cwd, env=environ, umask=0o022, check=True, stdout=output, stderr=subprocess.STDOUT)


@contextmanager
def _translated(subject: Subject) -> Iterator[None]:
    from build import BuildBackendException, BuildException

    try:
        yield
    except subprocess.CalledProcessError as error:
        output_bytes = (error.output or b"") + (error.stderr or b"")
        raise _failed(subject, output_bytes.decode(errors="replace").strip() or str(error)) from None
    except (BuildBackendException, BuildException) as error:
        cause = getattr(error, "exception", None)
        shown = getattr(cause, "output", None)
        text = shown.decode(errors="replace") if isinstance(shown, bytes) else str(error)
        raise _failed(subject, text.strip()) from None


def _failed(subject: Subject, output: str) -> BackendFailedError:
    last = "\n    ".join(scrub(line) for line in output.splitlines()[-_SHOWN_LINES:])
    return BackendFailedError(
        f"The build backend of {subject} failed",
        why=last,
        hint="build its wheel where that works and name it in "
        f'[tool.crossdock.packages.{subject.name}] wheel = "…", or choose a version that has wheels',
    )
