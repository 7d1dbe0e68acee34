"""A real Python, laid out in bases as well-known images have it: found, and run by an image's environment.

It is the one that runs the tests, moved to folders that it was not built for, so that nothing but the environment leads
it to its library. bubblewrap runs it.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest
from tests.e2e.engines import require, run_tool
from tests.support.baselayers import TAR

from crossdock.bases.reading import read_base
from crossdock.steps.environment import PREFIX, environment_entries, image_environment
from crossdock.targets import parse_python

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.lockfile.basefacts import BaseFacts

pytestmark = pytest.mark.engine

ARCHITECTURE = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
NAME = f"python{sys.version_info.major}.{sys.version_info.minor}"
BASE = Path(sys.base_prefix)
#: Of the standard library, what is large and not needed to start.
LEFT_OUT = ("__pycache__", "site-packages", "test", "tests", "idlelib", "tkinter", "ensurepip", "lib2to3", "config-*")
PROBE = """
import json, math, os, platform, sys, _struct
print(json.dumps([platform.python_version(), os.path.realpath(sys.executable), sys.prefix, sys.base_prefix, os.__file__,
    [path for path in sys.path if path.endswith("site-packages")]]))
"""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where an image has its Python.

    Attributes:
        prefix: Folder that Python is in.
        env: The image's variables.
        links: Symbolic links, by path.
        scripts: Shell scripts that stand before Python.
        found_by: What leads Python to libpython: the loader's cache, a variable, or its own path.
        library: Where that is; empty for the prefix's ``lib``.
    """

    prefix: str
    env: Mapping[str, str] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    scripts: tuple[str, ...] = ()
    found_by: Literal["cache", "variable", "origin"] = "cache"
    library: str = ""


SYSTEM = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
LAYOUTS: Mapping[str, Layout] = {
    "python:slim": Layout(
        prefix="usr/local",
        env={"PATH": f"/usr/local/bin:{SYSTEM}", "LANG": "C.UTF-8", "PYTHON_VERSION": "3.0.0"},
        links={"usr/local/bin/python3": NAME, "usr/local/bin/python": "python3"},
    ),
    "no PATH": Layout(prefix="usr/local", links={"usr/local/bin/python3": NAME}),
    "distroless": Layout(
        prefix="usr",
        env={"PATH": SYSTEM, "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt"},
        links={"usr/bin/python": f"/usr/bin/{NAME}"},
    ),
    "lambda": Layout(
        prefix="var/lang",
        env={
            "PATH": "/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin",
            "LD_LIBRARY_PATH": "/var/lang/lib:/lib64:/usr/lib64:/var/runtime",
            "LAMBDA_TASK_ROOT": "/var/task",
        },
        links={"var/lang/bin/python3": NAME},
        found_by="variable",
    ),
    "ubi": Layout(  # an environment on PATH, and the library in lib64
        prefix="usr",
        env={"PATH": f"/opt/app-root/src/.local/bin/:/opt/app-root/bin:{SYSTEM}"},
        links={
            "opt/app-root/bin/python3": NAME,
            f"opt/app-root/bin/{NAME}": f"/usr/bin/{NAME}",
            "usr/bin/python3": "/etc/alternatives/python3",
            "etc/alternatives/python3": "/usr/bin/none",
        },
        library="usr/lib64",
    ),
    "conda": Layout(
        prefix="opt/conda",
        env={"PATH": f"/opt/conda/bin:{SYSTEM}", "CONDA_PREFIX": "/opt/conda"},
        links={"opt/conda/bin/python": NAME},
        found_by="origin",
    ),
    "bitnami": Layout(
        prefix="opt/bitnami/python",
        env={"PATH": f"/opt/bitnami/python/bin:{SYSTEM}", "BITNAMI_APP_NAME": "python"},
        links={"opt/bitnami/python/bin/python3": NAME},
        found_by="origin",
    ),
    "nix": Layout(  # a profile of links to links
        prefix="nix/store/0c2h-python3",
        env={"PATH": "/bin"},
        links={
            "bin": "/nix/store/8x1k-profile/bin",
            "nix/store/8x1k-profile/bin/python3": "/nix/store/7f9q-python3-env/bin/python3",
            "nix/store/7f9q-python3-env/bin/python3": f"../../0c2h-python3/bin/{NAME}",
        },
        found_by="origin",
    ),
    "pyenv": Layout(  # whose shims are scripts
        prefix="opt/pyenv/versions/3",
        env={"PATH": f"/opt/pyenv/shims:/opt/pyenv/versions/3/bin:{SYSTEM}", "PYENV_ROOT": "/opt/pyenv"},
        links={"opt/pyenv/versions/3/bin/python3": NAME},
        scripts=("opt/pyenv/shims/python3", "opt/pyenv/shims/python"),
        found_by="origin",
    ),
    "another home": Layout(
        prefix="usr/local",
        env={"PATH": "/usr/local/bin", "PYTHONHOME": "/nowhere", "VIRTUAL_ENV": "/opt/venv"},
        links={"usr/local/bin/python3": NAME},
    ),
}


def make_root(root: Path, layout: Layout) -> None:
    prefix = root / layout.prefix
    (prefix / "bin").mkdir(parents=True)
    library = root / (layout.library or f"{layout.prefix}/lib")
    library.mkdir(parents=True)
    program = (BASE / "bin" / NAME).read_bytes()
    if layout.found_by == "origin":
        program = _found_from_itself(program)
    (prefix / "bin" / NAME).write_bytes(program)
    (prefix / "bin" / NAME).chmod(0o755)
    for file in BASE.glob(f"lib/lib{NAME}*.so.*"):
        shutil.copy(file, library)
    shutil.copytree(BASE / "lib" / NAME, prefix / "lib" / NAME, ignore=shutil.ignore_patterns(*LEFT_OUT))
    _add_system(root)
    for path, target in layout.links.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).symlink_to(target)
    for path in layout.scripts:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("#!/bin/sh\nexit 1\n")
        (root / path).chmod(0o755)
    if layout.found_by == "cache":
        (root / "etc").mkdir(exist_ok=True)
        (root / "etc/ld.so.conf").write_text(f"/{library.relative_to(root)}\n")
        run_tool(["ldconfig", "-r", root])


def _found_from_itself(program: bytes) -> bytes:
    """Let the loader look for libraries beside the program, wherever it is moved to."""
    own = f"{BASE}/lib\0".encode()
    if own not in program:
        pytest.skip("this Python has no RUNPATH that could be changed")
    return program.replace(own, b"$ORIGIN/../lib".ljust(len(own), b"\0"))


def _add_system(root: Path) -> None:
    """Add this machine's C library, which Python was made for, and where bubblewrap puts devices."""
    for name in ("proc", "dev"):
        (root / name).mkdir()
    for line in run_tool(["ldd", BASE / "bin" / NAME]).decode().splitlines():
        found = next((Path(word) for word in line.split() if word.startswith("/")), None)
        if found is not None and not found.name.startswith("libpython"):
            place = root / str(found).lstrip("/") if found.name.startswith("ld-") else root / "usr/lib" / found.name
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(found.resolve(), place)
    if not (root / "lib").exists():
        (root / "lib").symlink_to("usr/lib")


def facts_of(root: Path, layout: Layout, archive: Path) -> BaseFacts:
    run_tool(["tar", "--create", "--file", archive, "--directory", root, "."])
    config = {"config": {"Env": [f"{name}={value}" for name, value in layout.env.items()]}}
    return read_base(config, [(TAR, lambda: archive.open("rb"))], architecture=ARCHITECTURE).facts


def add_environment(root: Path, facts: BaseFacts) -> None:
    for entry in environment_entries(parse_python(facts.python_version), facts):
        place = root / entry.path
        if entry.kind == "directory":
            place.mkdir()
        elif entry.kind == "symlink":
            place.symlink_to(entry.linkname)
        else:
            place.write_bytes(entry.content)


@pytest.mark.parametrize("name", LAYOUTS)
def test_python_is_found_and_runs_in_an_images_environment(name: str, tmp_path: Path) -> None:
    require("bwrap", "ldconfig", "ldd", "tar")
    layout, root = LAYOUTS[name], tmp_path / "root"
    make_root(root, layout)

    facts = facts_of(root, layout, tmp_path / "base.tar")

    assert (facts.python_path, facts.python_version) == (f"/{layout.prefix}/bin/{NAME}", platform.python_version())
    assert f"{facts.libc} {facts.libc_version[0]}.{facts.libc_version[1]}" == os.confstr("CS_GNU_LIBC_VERSION")
    add_environment(root, facts)
    env = image_environment(facts.env)
    assert layout.env.items() - env.items() <= {
        (key, layout.env.get(key)) for key in ("PATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    variables = [word for key, value in env.items() for word in ("--setenv", key, value)]
    isolation = [
        "bwrap",
        "--unshare-all",
        "--ro-bind",
        str(root),
        "/",
        "--proc",
        "/proc",
        "--dev",
        "/dev",
        "--clearenv",
    ]
    user = ["--uid", "65532", "--gid", "65532", "--chdir", "/"]
    for program in (f"/{PREFIX}/bin/python", "python3", NAME):
        done = subprocess.run(
            [*isolation, *user, *variables, program, "-W", "error", "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == [
            platform.python_version(),
            facts.python_path,
            f"/{PREFIX}",
            f"/{layout.prefix}",
            f"/{layout.prefix}/lib/{NAME}/os.py",
            [f"/{PREFIX}/lib/{NAME}/site-packages"],
        ]
