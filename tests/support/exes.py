"""An application that tells what it sees, built to executables, and the ways to run them."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.e2e.builds import Command, lock_with_uv, write_files

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tests.e2e.builds import Outcome
    from tests.support.standalonepython import Archive

__all__ = ["Exe", "Teller", "make_teller"]

TELLER: Mapping[str, str] = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "teller"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["markupsafe==3.0.2"]

[project.scripts]
teller = "teller:main"

[tool.crossdock]
targets = ["linux/amd64", "linux/arm64"]

[tool.crossdock.env]
TELLER_DEFAULT = "it's $HOME"
PYTHONUNBUFFERED = "1"
""",
    "src/teller/__init__.py": """\
import hashlib
import json
import os
import platform
import signal
import subprocess
import sys
import time

from importlib.metadata import version

from markupsafe import _speedups


def tell():
    return {
        "argv": sys.argv,
        "python": platform.python_version(),
        "machine": platform.machine(),
        "prefix": sys.prefix,
        "base_prefix": sys.base_prefix,
        "executable": sys.executable,
        "unbuffered": sys.stdout.write_through,
        "markupsafe": version("markupsafe"),
        "compiled": _speedups.__file__,
        "env": {name: value for name, value in os.environ.items()},
        "cwd": os.getcwd(),
        "umask": os.umask(0),
        "pid": os.getpid(),
    }


def square(number):
    return number * number


def main():
    wish = sys.argv[1] if len(sys.argv) > 1 else "tell"
    if wish == "exit":
        return int(sys.argv[2])
    if wish == "read":
        print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())
    elif wish == "wait":
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(33))
        print(os.getpid())
        time.sleep(60)
    elif wish == "child":
        code = "import markupsafe, sys, teller; print(teller.tell()['prefix'])"
        print(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout, end="")
    elif wish == "spawn":
        import multiprocessing

        with multiprocessing.get_context("spawn").Pool(2) as pool:
            print(sum(pool.map(square, range(10))))
    else:
        print(json.dumps(tell()))
""",
    "src/teller/__main__.py": "from teller import main\n\nmain()\n",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Exe:
    """An executable, and a home folder to run it with.

    Attributes:
        path: The file.
        home: The folder.
        env: All variables besides PATH and HOME.
    """

    path: Path
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    @property
    def cache(self) -> Path:
        """Where it unpacks to."""
        return self.home / ".cache" / "crossdock-exe"

    def folders(self) -> list[str]:
        """What is in the cache, unfinished folders included."""
        return sorted(path.name for path in self.cache.iterdir()) if self.cache.exists() else []

    def environment(self, **more: str) -> dict[str, str]:
        return {"PATH": "/usr/bin:/bin", "HOME": str(self.home), **self.env, **more}

    def run(self, *arguments: str, shell: Sequence[str] = (), **env: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*shell, str(self.path), *arguments],
            capture_output=True,
            text=True,
            env=self.environment(**env),
            timeout=120,
            check=False,
        )

    def tell(self, *arguments: str, shell: Sequence[str] = (), **env: str) -> Any:
        """Run it, and give what it tells."""
        done = self.run(*arguments, shell=shell, **env)
        assert (done.returncode, done.stderr) == (0, ""), done.stderr
        return json.loads(done.stdout)


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """The project, and the archives it is built with.

    Attributes:
        project: Its folder.
        archives: By architecture.
        command: ``crossdock``.
    """

    project: Path
    archives: Mapping[str, Archive]
    command: Command

    def build(self, *arguments: str | Path, command: Command | None = None, project: Path | None = None) -> Outcome:
        named = [f"--interpreter=linux/{name}={archive.path}" for name, archive in self.archives.items()]
        return (command or self.command).run("exe", project or self.project, *named, *arguments)


def make_teller(folder: Path, shared_cache: Path, archives: Mapping[str, Archive]) -> Teller:
    """Write and lock the project; downloads come from the shared cache."""
    project = write_files(folder / "project", TELLER)
    locked = lock_with_uv(project, folder / "locked")
    shutil.copy(locked / "requirements.txt", project)
    return Teller(project=project, archives=archives, command=Command(cache=shared_cache))
