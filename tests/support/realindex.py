"""A real package index, and a real keyring program, in an environment of their own outside the tree."""

from __future__ import annotations

import contextlib
import hashlib
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["index_tools", "running_index"]

REQUIREMENTS = ("pypiserver==2.4.2", "passlib==1.7.4", "keyring==25.7.0", "keyrings.alt==5.0.2")
_START_SECONDS = 20.0


def index_tools(folder: Path) -> Path:
    """Return the folder of the programs ``pypi-server`` and ``keyring``; they are installed there the first time.

    Raises:
        RuntimeError: They cannot be installed.
    """
    key = hashlib.sha256(repr((REQUIREMENTS, sys.version_info[:2], sys.base_prefix)).encode()).hexdigest()[:12]
    home = folder / f"index-tools-{key}"
    done = home / "installed"
    programs = home / ("Scripts" if os.name == "nt" else "bin")
    with _only_one(folder / f"index-tools-{key}.lock"):
        if not done.exists():
            python = getattr(sys, "_base_executable", sys.executable)
            _run("uv", "venv", "--quiet", "--clear", "--python", python, str(home))
            _run("uv", "pip", "install", "--quiet", "--python", str(home), *REQUIREMENTS)
            done.touch()
    return programs


@contextlib.contextmanager
def running_index(tools: Path, packages: Path, *, account: str = "") -> Iterator[str]:
    """Run an index over a folder of files, and give its URL without ``/simple/``.

    Args:
        tools: What `index_tools` returned.
        packages: The folder.
        account: ``user:password`` that every request must have; empty for anyone.
    """
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    access = ["-a", ".", "-P", "."]
    if account:
        user, _, password = account.partition(":")
        digest = _run("openssl", "passwd", "-apr1", "-stdin", text=password).strip()
        users = packages.parent / f"{packages.name}.htpasswd"
        users.write_text(f"{user}:{digest}\n")
        access = ["-a", "list,download,update", "-P", str(users)]
    command = [str(tools / "pypi-server"), "run", "-i", "127.0.0.1", "-p", str(port), "--disable-fallback"]
    log = packages.parent / f"{packages.name}.log"
    with (
        log.open("wb") as output,
        subprocess.Popen([*command, *access, str(packages)], stdout=output, stderr=output) as process,
    ):
        url = f"http://127.0.0.1:{port}"
        try:
            _wait_for(url, process, log)
            yield url
        finally:
            process.terminate()


def _wait_for(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    while process.poll() is None and time.monotonic() < deadline:
        try:
            opener.open(f"{url}/health", timeout=2).close()
            return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    raise RuntimeError(f"the index does not start:\n{log.read_text(errors='replace')}")


@contextlib.contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """Let one process in at a time; one that died in there does not count for long."""
    deadline = time.monotonic() + 180
    while True:
        try:
            path.mkdir(parents=True)
            break
        except FileExistsError:
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > 180:
                    path.rmdir()
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)
    try:
        yield
    finally:
        path.rmdir()


def _run(*command: str, text: str | None = None) -> str:
    done = subprocess.run(command, capture_output=True, text=True, input=text)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} fails:\n{done.stderr}")
    return done.stdout
