"""Daemons of container engines, each with a root of its own and gone in the end."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.e2e.engines import EngineError, run_tool

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = ["Daemon", "containerd_daemon", "docker_daemon", "programs"]

_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


@dataclass(frozen=True, slots=True, kw_only=True)
class Daemon:
    """An engine that runs.

    Attributes:
        program: Its client.
        environ: What leads the client to this daemon and no other.
    """

    program: str
    environ: Mapping[str, str]

    def call(self, *arguments: str, **more: str) -> str:
        """Run the client and give what it wrote to stdout."""
        return run_tool([self.program, *arguments], env={**self.environ, **more}).decode()


@contextmanager
def docker_daemon() -> Iterator[Daemon]:
    """Run dockerd without a network of its own, with storage that needs nothing of the kernel."""
    with _folder("docker") as folder:
        socket = f"unix://{folder}/docker.sock"
        places = ["--data-root", f"{folder}/data", "--exec-root", f"{folder}/exec", "--pidfile", f"{folder}/pid"]
        options = ["--iptables=false", "--ip6tables=false", "--bridge=none", "--storage-driver=vfs"]
        docker = Daemon(program="docker", environ={"DOCKER_HOST": socket, "DOCKER_CONFIG": str(folder)})
        with _running(["dockerd", *options, *places, "--host", socket], folder, docker, ["version"]):
            yield docker


@contextmanager
def containerd_daemon() -> Iterator[Daemon]:
    """Run containerd without its part for Kubernetes; snapshots are copies, which works on every file system."""
    with _folder("containerd") as folder:
        config = folder / "config.toml"
        config.write_text(
            f'version = 2\nroot = "{folder}/root"\nstate = "{folder}/state"\n'
            f'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n[grpc]\naddress = "{folder}/sock"\n'
        )
        environ = {"CONTAINERD_ADDRESS": f"{folder}/sock", "CONTAINERD_SNAPSHOTTER": "native"}
        ctr = Daemon(program="ctr", environ=environ)
        with _running(["containerd", "--config", str(config)], folder, ctr, ["--connect-timeout", "1s", "version"]):
            yield ctr


def programs(folder: Path, **scripts: Sequence[str] | None) -> str:
    """Make a search path on which each engine is found as it is told, and no other engine.

    Args:
        folder: An empty one.
        **scripts: The command behind each name; None for the one of that name that is installed.
    """
    for name, command in scripts.items():
        words = command or [shutil.which(name, path=_SEARCH_PATH) or name]
        script = folder / name
        script.write_text("#!/bin/sh\nexec " + " ".join(f"'{word}'" for word in words) + ' "$@"\n')
        script.chmod(0o755)
    return str(folder)


@contextmanager
def _running(command: Sequence[str], folder: Path, client: Daemon, question: Sequence[str]) -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip(f"{command[0]} has to be run as root")
    log = folder / "log"
    environ = {**os.environ, "PATH": _SEARCH_PATH}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environ, start_new_session=True) as process,
    ):
        try:
            deadline = time.monotonic() + 60
            while True:
                try:
                    client.call(*question)
                    break
                except EngineError as error:
                    if process.poll() is not None or time.monotonic() > deadline:
                        raise EngineError(f"{command[0]} does not run:\n{log.read_text()}") from error
                    time.sleep(0.2)
            yield
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()


@contextmanager
def _folder(name: str) -> Iterator[Path]:
    # Not pytest's folder: a socket's path may have a hundred characters.
    folder = Path(tempfile.mkdtemp(prefix=f"crossdock-{name}-"))
    try:
        yield folder
    finally:
        for line in reversed(Path("/proc/mounts").read_text().splitlines()):
            if line.split()[1].startswith(f"{folder}/"):
                subprocess.run(["umount", line.split()[1]], capture_output=True, check=False)
        run_tool(["rm", "-rf", "--one-file-system", folder])
