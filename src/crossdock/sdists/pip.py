"""pip, which resolves what a build requires and installs it; and the environments that backends run in."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import BuildRequirementsError
from crossdock.sdists.hooks import hook_environment
from crossdock.store.urls import scrub

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from types import SimpleNamespace

__all__ = ["BuildEnvironment", "Pip", "ResolutionFailedError", "Resolved", "make_environment"]

_SHOWN_LINES = 20


class ResolutionFailedError(Exception):
    """pip found no set of versions; its last words."""


@dataclass(frozen=True, slots=True)
class Resolved:
    """One distribution that pip would install.

    Attributes:
        name: As its metadata has it.
        version: Likewise.
        sha256: Of the wheel pip chose for this interpreter.
    """

    name: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True)
class BuildEnvironment:
    """A virtual environment without pip, as ``build`` wants it.

    Attributes:
        python_executable: Its interpreter.
        scripts: Where its programs are.
    """

    python_executable: str
    scripts: str

    def make_extra_environ(self) -> dict[str, str]:
        """Give the variables of a process in it."""
        path = os.environ.get("PATH")
        return {"PATH": os.pathsep.join([self.scripts, path]) if path else self.scripts, "PYTHONPATH": ""}


class _Builder(venv.EnvBuilder):
    made: BuildEnvironment

    def post_setup(self, context: SimpleNamespace) -> None:
        self.made = BuildEnvironment(python_executable=context.env_exe, scripts=context.bin_path)


def make_environment(folder: Path, *, with_pip: bool = False) -> BuildEnvironment:
    """Make an empty virtual environment on this interpreter.

    Raises:
        BuildRequirementsError: It cannot be made.
    """
    builder = _Builder(symlinks=os.name != "nt", with_pip=with_pip)
    try:
        builder.create(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        output = getattr(error, "output", None)
        raise BuildRequirementsError(
            "No environment can be made to build wheels in",
            why=_last_lines(output) if isinstance(output, bytes) else str(error),
            hint="this Python needs its modules venv and ensurepip; Debian has them in the package python3-venv",
        ) from None
    return builder.made


class Pip:
    """pip in an environment of its own, made when it is first needed; it works on other environments from there.

    Args:
        folder: Where that environment is made; must not be there yet.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python: str | None = None

    def resolve(
        self,
        environment: BuildEnvironment,
        requirements: Sequence[str],
        constraints: Sequence[str],
        settings: Mapping[str, str],
    ) -> list[Resolved]:
        """Ask pip which versions meet some requirements.

        Only wheels count: building one of these would need requirements of its own.

        Args:
            environment: Where they would be installed.
            requirements: As in PEP 508.
            constraints: Versions to keep to.
            settings: pip's environment variables for indexes, and whether the network may be used.

        Raises:
            ResolutionFailedError: There are none.
        """
        asked = self._file("asked.txt", requirements)
        kept = self._file("kept.txt", constraints)
        report = self._folder.with_name("report.json")
        options = ["--dry-run", "--ignore-installed", "--only-binary=:all:", "--no-input", "--quiet"]
        done = self._run(environment, [*options, "--report", str(report), "-r", asked, "-c", kept], settings)
        if done.returncode:
            raise ResolutionFailedError(_last_lines(done.stdout))
        return _read_report(json.loads(report.read_text(encoding="utf-8")))

    def install(self, environment: BuildEnvironment, wheels: Mapping[Path, str]) -> None:
        """Install wheels, each with its SHA-256, and nothing else.

        Raises:
            BuildRequirementsError: One cannot be installed.
        """
        lines = [
            f"{path.name.split('-')[0]} @ {path.as_uri()} --hash=sha256:{sha256}" for path, sha256 in wheels.items()
        ]
        options = ["--no-index", "--no-deps", "--require-hashes", "--no-compile", "--no-cache-dir", "--no-input"]
        asked = self._file("exact.txt", lines)
        done = self._run(environment, [*options, "--no-warn-script-location", "-r", asked], {}, isolated=True)
        if done.returncode:
            raise BuildRequirementsError("What a build requires cannot be installed", why=_last_lines(done.stdout))

    def _file(self, name: str, lines: Sequence[str]) -> str:
        path = self._folder.with_name(name)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return str(path)

    def _run(
        self, environment: BuildEnvironment, options: list[str], settings: Mapping[str, str], *, isolated: bool = False
    ) -> subprocess.CompletedProcess[bytes]:
        if self._python is None:
            self._python = make_environment(self._folder, with_pip=True).python_executable
        pip = [self._python, "-I", "-m", "pip", *(["--isolated"] if isolated else [])]
        command = [*pip, "--python", environment.python_executable, "install", *options]
        # What pip's files say of indexes is in the settings; nothing else there may change what is installed, or where.
        own = {"PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        environ = {**hook_environment(os.environ, network=True), **own, **settings}
        return subprocess.run(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)


def _read_report(report: Mapping[str, Any]) -> list[Resolved]:
    """Read pip's installation report (version 1)."""
    found = []
    for item in report["install"]:
        metadata, info = item["metadata"], item["download_info"].get("archive_info", {})
        sha256 = info.get("hashes", {}).get("sha256", "")
        found.append(Resolved(name=metadata["name"], version=metadata["version"], sha256=sha256))
    return found


def _last_lines(output: bytes) -> str:
    lines = [scrub(line) for line in output.decode(errors="replace").strip().splitlines() if not _is_noise(line)]
    return "\n    ".join(lines[-_SHOWN_LINES:])


def _is_noise(line: str) -> bool:
    return line.startswith(("WARNING: Location ", "[notice]")) or not line.strip()
