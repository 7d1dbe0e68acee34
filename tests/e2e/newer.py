"""Programs of a newer Debian suite, run in a root of their own: crane, cosign, oras, skopeo and umoci.

``tests/support/setup-newer.sh`` makes the root. Folders that a program is to see keep their paths; its home folder,
with the credentials in it, is one of them.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.e2e.engines import require, run_tool

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Newer", "newer_programs", "newer_root"]

_CERTIFICATES = ("/etc/ssl/certs", "/usr/share/ca-certificates", "/usr/local/share/ca-certificates")
_FILES = ("/etc/hosts", "/etc/resolv.conf", "/etc/passwd", "/etc/group")


@dataclass(frozen=True, slots=True, kw_only=True)
class Newer:
    """The root, and what programs in it may see.

    Attributes:
        root: The root.
        home: Their home folder, which they may write to.
        env: Variables they get besides PATH, HOME and the language; nothing of this process's own.
    """

    root: Path
    home: Path
    env: Mapping[str, str] = field(default_factory=dict)

    def command(self, program: str, *arguments: str | Path, folders: tuple[Path, ...] = ()) -> list[str]:
        """Give the command that runs a program in the root.

        Args:
            program: Its name.
            arguments: Its arguments.
            folders: What it may read and write besides its home folder.
        """
        binds = [part for folder in (self.home, *folders) for part in ("--bind", str(folder), str(folder))]
        binds += [part for path in (*_CERTIFICATES, *_FILES) for part in ("--ro-bind-try", path, path)]
        variables = {"PATH": "/usr/bin", "HOME": str(self.home), "LC_ALL": "C.UTF-8", **self.env}
        setting = [part for name, value in variables.items() for part in ("--setenv", name, value)]
        places = ["--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp", "--tmpfs", "/run"]
        bwrap = shutil.which("bwrap", path=os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/bin"])) or "bwrap"
        return [
            *(bwrap, "--ro-bind", str(self.root), "/", *places, *binds),
            *("--clearenv", *setting, "--chdir", str(self.home), "--die-with-parent", "--"),
            *(program, *map(str, arguments)),
        ]

    def run(self, program: str, *arguments: str | Path, folders: tuple[Path, ...] = (), timeout: float = 300) -> bytes:
        """Run a program in the root and give what it wrote to stdout.

        Raises:
            EngineError: It ended with an error, or not in time.
        """
        return run_tool(self.command(program, *arguments, folders=folders), timeout=timeout)

    def crane_manifest(self, reference: str) -> Any:
        """Give a manifest or index of a registry that speaks plain HTTP."""
        return json.loads(self.run("crane", "manifest", "--insecure", reference))

    def copy_all(self, source: str, destination: str, *, folders: tuple[Path, ...] = ()) -> None:
        """Copy an index with every image in it, byte for byte, by this suite's skopeo."""
        options = ["--quiet", "--all", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"]
        self.run("skopeo", "--insecure-policy", "copy", *options, source, destination, folders=folders)


def newer_root() -> Path:
    """Give the folder of the root, whether or not it is there."""
    named = os.environ.get("CROSSDOCK_TEST_NEWER")
    cache = os.environ.get("CROSSDOCK_TEST_CACHE") or Path.home() / ".cache" / "crossdock-test"
    return Path(named) if named else Path(cache) / "newer"


def newer_programs(home: Path, *programs: str, env: Mapping[str, str] | None = None) -> Newer:
    """Give the root with a home folder; a test that needs a program which is not there is skipped, loudly."""
    require("bwrap")
    root = newer_root()
    missing = [program for program in programs if not (root / "usr" / "bin" / program).exists()]
    if missing or not (root / ".ready").exists():
        pytest.skip(f"{', '.join(missing) or root} is missing; run tests/support/setup-newer.sh")
    return Newer(root=root, home=home, env=env or {})
