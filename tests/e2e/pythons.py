"""Other CPythons of this machine, each with crossdock in an environment of its own."""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["installed_pythons", "python_with_crossdock"]

_REPOSITORY = Path(__file__).parents[2]
_PROBE = "import os, platform, sys; print(sys.implementation.name, platform.python_version(), sys.executable)"


def installed_pythons() -> list[str]:
    """List the versions of all CPythons >= 3.11 that can be found, that of the tests included."""
    return sorted(_found())


@functools.cache
def _found() -> dict[str, Path]:
    """Ask every interpreter that might be one: version managers leave launchers that start nothing."""
    versions = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv", "versions")
    candidates = [
        *versions.glob("*/bin/python3"),
        *Path("/usr/bin").glob("python3"),
        *Path("/usr/local/bin").glob("python3"),
    ]
    uv = Path(os.environ.get("UV_PYTHON_INSTALL_DIR") or Path.home() / ".local" / "share" / "uv" / "python")
    candidates += [*uv.glob("cpython-*/bin/python3")]
    candidates += [Path(path) for minor in range(11, 20) if (path := shutil.which(f"python3.{minor}"))]
    found: dict[str, Path] = {}
    for candidate in (Path(sys.executable), *candidates):
        done = subprocess.run([candidate, "-c", _PROBE], capture_output=True, text=True, check=False)
        name, version, path = done.stdout.strip().split(" ", 2) if done.returncode == 0 else ("", "0.0", "")
        if name == "cpython" and tuple(map(int, version.split(".")[:2])) >= (3, 11):
            found.setdefault(version, Path(path))
    return found


def python_with_crossdock(version: str, folder: Path) -> Path:
    """Make an environment, or take the one made before, and give its interpreter.

    Crossdock is installed from this source tree in such a way that changes in the tree count at once.
    """
    inputs = (_REPOSITORY / "pyproject.toml").read_bytes() + os.fsencode(_REPOSITORY) + os.fsencode(_found()[version])
    environment = folder / f"{version}-{hashlib.sha256(inputs).hexdigest()[:12]}"
    python = environment / "bin" / "python"
    done = environment / "done"
    if not done.exists():
        uv = [sys.executable, "-m", "uv"]
        _run([*uv, "venv", "--quiet", "--clear", "--python", str(_found()[version]), str(environment)])
        _run([*uv, "pip", "install", "--quiet", "--python", str(python), "--editable", str(_REPOSITORY)])
        done.touch()
    return python


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
