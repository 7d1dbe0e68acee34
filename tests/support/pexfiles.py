"""PEX files for tests: a project to make them of, pex's own command line to compare with, and how they are run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tests.support.functionproject import FILES, write_project

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

__all__ = ["boot", "header", "pex_cli", "pex_info", "pex_project", "zip_files"]


def pex_project(
    folder: Path,
    wheels: Sequence[Path] = (),
    *,
    files: Mapping[str, str] = FILES,
    settings: str = "",
    requires: Sequence[str] = (),
) -> Path:
    """Write the project ``shop``; wheels of one name and version are of one package, each for its platform."""
    root = write_project(folder, files=files, settings=settings, requires=requires)
    packages: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for wheel in wheels:
        name, version = wheel.name.split("-")[:2]
        packages[name.replace("_", "-").lower(), version].append(wheel)
    rows = ['lock-version = "1.0"', 'created-by = "tests"', *([] if packages else ["packages = []"])]
    for (name, version), group in packages.items():
        rows += ["[[packages]]", f'name = "{name}"', f'version = "{version}"']
        for wheel in group:
            digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
            (root / wheel.name).write_bytes(wheel.read_bytes())
            rows += ["[[packages.wheels]]", f'path = "{wheel.name}"', f'hashes = {{sha256 = "{digest}"}}']
    (root / "pylock.toml").write_text("\n".join(rows) + "\n")
    return root


def pex_cli(out: Path, wheels: Sequence[Path], *arguments: str) -> Path:
    """Have pex itself make a PEX of wheels and nothing else."""
    given = [item for wheel in wheels for item in ("--pre-resolved-dist", str(wheel))]
    requirements = sorted({"==".join(wheel.name.split("-")[:2]) for wheel in wheels})
    home = out.parent / "pex-cli-home"
    home.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "pex", "-o", str(out), *given, *requirements, *arguments],
        env={"HOME": str(home), "PATH": "/usr/bin:/bin", "PEX_IGNORE_RCFILES": "1"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return out


def boot(
    pex: Path, home: Path, *arguments: str, start: Sequence[str] = (sys.executable,), **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a PEX as a user of this machine would, with a home folder of the test's own."""
    home.mkdir(exist_ok=True)
    search = os.pathsep.join([os.path.dirname(os.path.realpath(sys.executable)), "/usr/bin", "/bin"])  # noqa: PTH120
    return subprocess.run(
        [*start, str(pex), *arguments],
        env={"HOME": str(home), "PATH": search, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )


def zip_files(path: Path) -> dict[str, tuple[int, bytes]]:
    """Give attributes and contents of all entries of an archive by path, folders too; times are all the same."""
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        assert {info.date_time for info in archive.infolist()} <= {(1980, 1, 1, 0, 0, 0)}
        return {info.filename: (info.external_attr, archive.read(info)) for info in archive.infolist()}


def header(path: Path) -> bytes:
    """Give what is before the archive."""
    with zipfile.ZipFile(path) as archive:
        return path.read_bytes()[: min(info.header_offset for info in archive.infolist())]


def pex_info(path: Path) -> dict[str, Any]:
    """Read PEX-INFO."""
    content = (path / "PEX-INFO").read_bytes() if path.is_dir() else zip_files(path)["PEX-INFO"][1]
    found: dict[str, Any] = json.loads(content)
    return found
