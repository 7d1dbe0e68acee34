"""Small projects, caches in a chosen state, and the command line started as a user, or another machine, would."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["TINY", "Command", "Outcome", "Tiny", "blobs", "link_cache", "lock_with_uv", "make_tiny", "write_files"]

# What a machine may have set that would change what is built, or where files come from.
_LEFT_OUT = ("CROSSDOCK_", "SOURCE_DATE_EPOCH", "PYTHONHASHSEED", "VIRTUAL_ENV")

#: A project with code and data of its own, a pure package, and one that is compiled for each machine.
TINY: Mapping[str, str] = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "tiny"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["idna==3.10", "markupsafe==3.0.2"]

[project.scripts]
tiny = "tiny:main"

[tool.crossdock]
base = "debian:bookworm"
targets = ["linux/amd64", "linux/arm64"]
""",
    "src/tiny/__init__.py": "def main():\n    print('tiny')\n",
    # More than one deflate block of text that repeats, so that two encoders would differ.
    "src/tiny/data/numbers.txt": "".join(f"{number} times {number} is {number * number}\n" for number in range(9000)),
    "src/tiny/data/größe.txt": "groß\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def digest(self) -> str:
        """The digest on stdout, of a run that went well."""
        assert self.code == 0, self.stderr
        (line,) = self.stdout.splitlines()
        return line.rpartition("@")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """``crossdock``, and how it is started.

    Attributes:
        cache: Its cache folder.
        python: The interpreter it runs on.
        prefix: A program, with its arguments, that starts it.
        start: What Python runs instead of ``-m crossdock``.
        env: Variables on top of this process's own.
        cwd: Its working folder.
        umask: Its umask; this process's own if negative.
    """

    cache: Path
    python: Path = Path(sys.executable)
    prefix: tuple[str, ...] = ()
    start: tuple[str, ...] = ("-m", "crossdock")
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path | None = None
    umask: int = -1

    def arguments(self, *arguments: str | Path) -> list[str]:
        """Give the whole argument vector."""
        return [*self.prefix, str(self.python), *self.start, *map(str, arguments)]

    def environment(self) -> dict[str, str]:
        """Give all its environment variables."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_LEFT_OUT)}
        return {**kept, "CROSSDOCK_CACHE": str(self.cache), **self.env}

    def popen(self, *arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
        """Start it in a session of its own, so that all its processes can be signalled together."""
        return subprocess.Popen(
            self.arguments(*arguments),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment(),
            cwd=self.cwd,
            umask=self.umask,
            start_new_session=True,
            **options,
        )

    def run(self, *arguments: str | Path, timeout: float = 300) -> Outcome:
        """Run it to its end."""
        with self.popen(*arguments) as process:
            try:
                stdout, stderr = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                process.kill()
                raise
        return Outcome(code=process.returncode, stdout=stdout, stderr=stderr)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tiny:
    """The tiny project, built once from nothing but downloads.

    Attributes:
        project: Its folder, with requirements.txt and crossdock.lock; copied, never built in.
        downloads: A cache that holds its downloads and nothing else; copied, never used.
        built: That cache after the build; copied, never used.
        layout: What was built.
        digest: Of the image index.
        wheels: Path of each wheel by its target's architecture and its project.
    """

    project: Path
    downloads: Path
    built: Path
    layout: Path
    digest: str
    wheels: Mapping[tuple[str, str], Path]

    def copy(self, folder: Path) -> Path:
        """Copy the project."""
        shutil.copytree(self.project, folder)
        return folder

    def cache_without_layers(self, folder: Path) -> Path:
        """Make a cache that holds all but the layers: downloads, the own wheel, what is known of indexes."""
        link_cache(self.built, folder)
        layers = {path.name for path in (self.layout / "blobs" / "sha256").iterdir()} & blobs(folder)
        assert layers
        for name in layers:
            _blob(folder, name).unlink()
        return folder


def make_tiny(folder: Path, shared_cache: Path) -> Tiny:
    """Lock and build the tiny project; only downloads come from the shared cache."""
    project = write_files(folder / "project", TINY)
    locked = lock_with_uv(project, folder / "locked")
    shutil.copy(locked / "requirements.txt", project)
    shared = Command(cache=shared_cache)
    planned = shared.run("plan", project, "--json")
    assert planned.code == 0, planned.stderr
    targets = json.loads(planned.stdout)["targets"]
    files = [item for target in targets for item in (*target["packages"], *target["base_packages"])]
    wanted = {item["sha256"] for item in files}
    if wanted - blobs(shared_cache):
        built = shared.run("image", project, "--output", folder / "fetched.tar")
        assert built.code == 0, built.stderr
    downloads = folder / "downloads"
    for name in wanted:
        _link(_blob(shared_cache, name), _blob(downloads, name))
    cache = link_cache(downloads, folder / "built")
    layout = folder / "layout"
    outcome = Command(cache=cache).run("image", project, "--output", layout)
    return Tiny(
        project=project,
        downloads=downloads,
        built=cache,
        layout=layout,
        digest=outcome.digest,
        wheels={
            (target["platform"]["architecture"], item["name"]): _blob(downloads, item["sha256"])
            for target in targets
            for item in target["packages"]
        },
    )


def write_files(folder: Path, files: Mapping[str, str]) -> Path:
    """Write text files below a folder."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def lock_with_uv(project: Path, folder: Path) -> Path:
    """Have uv lock a copy of a project, and export that lock in each format; gives the copy."""
    ignored = shutil.ignore_patterns("requirements.txt", "crossdock.lock")
    shutil.copytree(project, folder, ignore=ignored)
    uv = [sys.executable, "-m", "uv"]
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    export = [*uv, "export", "--quiet", "--no-emit-project", "--format"]
    for command in (
        [*uv, "lock", "--quiet", "--python", sys.executable],
        [*export, "pylock.toml", "--output-file", "pylock.toml"],
        [*export, "requirements.txt", "--output-file", "requirements.txt"],
    ):
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    return folder


def blobs(cache: Path) -> set[str]:
    """List the blobs of a cache."""
    return {path.name for path in (cache / "blobs" / "sha256").glob("*/*")}


def link_cache(cache: Path, folder: Path) -> Path:
    """Make a cache with the same files; crossdock changes none in place, so they need no copy."""
    for path in cache.rglob("*"):
        if path.is_file():
            _link(path, folder / path.relative_to(cache))
    (folder / "tmp").mkdir(parents=True, exist_ok=True)
    return folder


def _blob(cache: Path, name: str) -> Path:
    return cache / "blobs" / "sha256" / name[:2] / name


def _link(path: Path, link: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    try:
        link.hardlink_to(path)
    except OSError:  # another file system
        shutil.copyfile(path, link)
