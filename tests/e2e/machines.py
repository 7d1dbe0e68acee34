"""Machines of other architectures, small ones: the root of a Debian suite with its Python, run by QEMU in bubblewrap.

``tests/support/setup-machines.sh`` makes the roots. What runs on a machine is no part of crossdock and sees nothing of
this one: no network, no variables, no files but those that a test mounts.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pytest
from tests.e2e.engines import require, require_machine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["HOME", "PYTHONS", "Machine", "Machines", "Outcome", "machine"]

#: The Python of each suite that there are machines of.
PYTHONS: Final[Mapping[str, str]] = {"bookworm": "3.11", "trixie": "3.13"}
#: The home folder on every machine.
HOME: Final = "/home/user"

_SEARCH_PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a run ended; what a signal ended has 128 and its number as its code."""

    code: int
    stdout: str
    stderr: str

    @property
    def output(self) -> str:
        """What went to stdout, of a run that must have gone well."""
        assert self.code == 0, f"exit code {self.code}\n{self.stdout}\n{self.stderr}"
        return self.stdout


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A root, and the way programs run in it.

    Attributes:
        architecture: OCI's name.
        suite: Debian's.
        root: The folder of its files, which no run changes.
    """

    architecture: str
    suite: str
    root: Path

    @property
    def python(self) -> str:
        """The version of its Python: ``3.11``."""
        return PYTHONS[self.suite]

    def run(
        self,
        command: Sequence[str],
        *,
        mounts: Mapping[Path, str] | None = None,
        writable: Mapping[Path, str] | None = None,
        env: Mapping[str, str] | None = None,
        home: Path | None = None,
        cwd: str = HOME,
        input: str = "",  # noqa: A002
        timeout: float = 300,
    ) -> Outcome:
        """Run a program to its end.

        Args:
            command: The program, by its path or its name in /usr/bin, and its arguments.
            mounts: Files and folders of this machine to be seen there, and where; they cannot be changed.
            writable: The same for such as can be changed.
            env: Variables besides PATH, HOME and the language.
            home: The folder that is `HOME` there; without it an empty one, which is gone afterwards.
            cwd: Where it runs.
            input: What it reads from stdin.
            timeout: Seconds after which it is ended, and the test fails.
        """
        with _home(home) as folder:
            binds = [("--bind", folder, HOME)]
            binds += [("--ro-bind", path, there) for path, there in (mounts or {}).items()]
            binds += [("--bind", path, there) for path, there in (writable or {}).items()]
            variables = {"PATH": "/usr/bin:/bin", "HOME": HOME, "LC_ALL": "C.UTF-8", **(env or {})}
            isolated = _isolation(self.root, [part for bind in binds for part in map(str, bind)], variables, cwd)
            done = subprocess.run(
                [*isolated, *command], input=input, capture_output=True, text=True, timeout=timeout, check=False
            )
        return Outcome(code=done.returncode, stdout=done.stdout, stderr=done.stderr)


class Machines:
    """Machines of the suite most tests take, by OCI's name of the architecture: ``machines["arm64"]``."""

    def __getitem__(self, architecture: str) -> Machine:
        return machine(architecture)


def machine(architecture: str, suite: str = "bookworm") -> Machine:
    """Give a machine; a test that needs one which cannot run here is skipped, loudly."""
    require("bwrap")
    require_machine(architecture)
    named = os.environ.get("CROSSDOCK_TEST_MACHINES")
    cache = os.environ.get("CROSSDOCK_TEST_CACHE") or Path.home() / ".cache" / "crossdock-test"
    root = (Path(named) if named else Path(cache) / "machines") / f"{suite}-{architecture}"
    if not (root / ".ready").exists():
        pytest.skip(f"{root} is missing; run tests/support/setup-machines.sh")
    return Machine(architecture=architecture, suite=suite, root=root)


def _isolation(root: Path, binds: Sequence[str], variables: Mapping[str, str], cwd: str) -> list[str]:
    # On an empty root, so that what is mounted may lie anywhere.
    system = [part for name in ("usr", "etc", "var") for part in ("--ro-bind", str(root / name), f"/{name}")]
    for name in ("bin", "sbin", "lib", "lib64"):
        if (root / name).is_symlink():
            system += ["--symlink", f"usr/{name}", f"/{name}"]
    places = ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"]
    setting = [part for name, value in variables.items() for part in ("--setenv", name, value)]
    bwrap = shutil.which("bwrap", path=_SEARCH_PATH) or "bwrap"
    return [
        *(bwrap, "--unshare-all", "--die-with-parent", "--new-session", "--hostname", "machine"),
        *("--tmpfs", "/", *system, *places, *binds, "--clearenv", *setting, "--chdir", cwd, "--"),
    ]


@contextmanager
def _home(given: Path | None) -> Iterator[Path]:
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(prefix="crossdock-home-") as folder:
        yield Path(folder)
