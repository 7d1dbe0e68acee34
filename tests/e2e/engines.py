"""The real engines that images are tried on, each behind a small class.

Everything here is a program of its own, from another project: what crossdock makes is judged by them, not by itself.
"""

from __future__ import annotations

import http.client
import json
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.registries import Access, Registry, free_port

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "MACHINES",
    "Access",
    "Container",
    "EngineError",
    "Podman",
    "Registry",
    "Skopeo",
    "Umoci",
    "free_port",
    "http_get",
    "podman_storage",
    "require",
    "require_machine",
    "run_tool",
]

# Debian puts some programs where a user's PATH does not lead.
_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_BINFMT = Path("/proc/sys/fs/binfmt_misc")
_REMEDY = "run tests/support/setup-engines.sh"

# The kernel's name of a machine, by its name in OCI.
MACHINES: Mapping[str, str] = {"amd64": "x86_64", "arm64": "aarch64"}


class EngineError(Exception):
    """An engine failed: its command and everything it said."""


def require(*programs: str) -> None:
    """Skip the test, loudly, where a program is missing."""
    missing = [program for program in programs if shutil.which(program, path=_SEARCH_PATH) is None]
    if missing:
        pytest.skip(f"engines are missing: {', '.join(missing)}; {_REMEDY}")


def require_machine(architecture: str) -> None:
    """Skip the test where the kernel can run no programs of an architecture, inside roots that hold no QEMU."""
    machine = MACHINES[architecture]
    if os.uname().machine == machine:
        return
    registration = _BINFMT / f"qemu-{machine}"
    if not registration.exists():
        pytest.skip(f"programs for {machine} cannot run here: qemu-{machine} is not registered; {_REMEDY}")
    flags = next(line for line in registration.read_text().splitlines() if line.startswith("flags:"))
    if "F" not in flags:
        pytest.skip(f"programs for {machine} cannot run in containers: qemu-{machine} lacks flag F; {_REMEDY}")


def run_tool(command: Sequence[str | Path], *, timeout: float = 300, env: Mapping[str, str] | None = None) -> bytes:
    """Run a program to its end and give what it wrote to stdout.

    Raises:
        EngineError: It ended with an error, or not within ``timeout`` seconds.
    """
    arguments = [str(argument) for argument in command]
    environment = {**os.environ, "PATH": _SEARCH_PATH, **(env or {})}
    try:
        done = subprocess.run(arguments, capture_output=True, timeout=timeout, env=environment, check=False)
    except subprocess.TimeoutExpired as error:
        said = (error.stderr or b"").decode(errors="replace")
        raise EngineError(f"{' '.join(arguments)}\nnot done after {timeout} s\n{said}") from error
    if done.returncode != 0:
        said = (done.stdout + done.stderr).decode(errors="replace")
        raise EngineError(f"{' '.join(arguments)}\nexit code {done.returncode}\n{said}")
    return done.stdout


def http_get(port: int, path: str, *, timeout: float = 30) -> tuple[int, bytes]:
    """Ask a server on the loopback interface, whatever proxy the environment names: status and body."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


# podman


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A container that runs in the background on the host's network and serves HTTP."""

    podman: Podman
    name: str
    port: int

    def get(self, path: str) -> tuple[int, bytes]:
        """Ask the server: status and body."""
        return http_get(self.port, path, timeout=120)

    def get_json(self, path: str) -> Any:
        """Ask the server for JSON, which must come with status 200."""
        status, body = self.get(path)
        if status != http.HTTPStatus.OK:
            raise EngineError(f"{path} answered {status}: {body.decode(errors='replace')}\n{self.logs()}")
        return json.loads(body)

    def await_http(self, path: str, *, timeout: float) -> None:
        """Wait until the server answers at all.

        Raises:
            EngineError: The container ended, or did not answer within ``timeout`` seconds; with its logs.
        """
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            try:
                self.get(path)
            except (OSError, http.client.HTTPException):
                if not self.is_running():
                    raise EngineError(f"container {self.name} has ended:\n{self.logs()}") from None
                time.sleep(0.2)
            else:
                return
        raise EngineError(f"container {self.name} does not answer after {timeout} s:\n{self.logs()}")

    def is_running(self) -> bool:
        """Whether its process lives."""
        state = self.podman.call("inspect", "--format", "{{.State.Running}}", self.name)
        return state.strip() == b"true"

    def logs(self) -> str:
        """What it wrote to stdout and stderr."""
        command = [*self.podman.command, "logs", self.name]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True, kw_only=True)
class Podman:
    """podman with a storage of its own.

    runc, cgroupfs and the lowered limits are what also works where the machine is a container itself, or mounts both
    versions of cgroups.
    """

    command: tuple[str, ...]

    def call(self, *arguments: str, timeout: float = 300) -> bytes:
        """Run a podman command and give what it wrote to stdout."""
        return run_tool([*self.command, *arguments], timeout=timeout)

    def pull(self, reference: str, *, architecture: str, access: Access | None = None) -> str:
        """Pull one platform's image and give its id; the registry speaks plain HTTP unless access to it is given."""
        secured = ["--tls-verify=false"] if access is None else _secured("", access)
        said = self.call("pull", "--quiet", *secured, "--os", "linux", "--arch", architecture, reference)
        return said.decode().split()[-1]

    def run(self, image: str, *arguments: str, entrypoint: str | None = None, timeout: float = 300) -> str:
        """Run an image in the foreground without a network, and give what it wrote to stdout."""
        replaced = [] if entrypoint is None else ["--entrypoint", entrypoint]
        said = self.call("run", "--rm", *_LIMITS, "--network", "none", *replaced, image, *arguments, timeout=timeout)
        return said.decode()

    @contextmanager
    def serve(self, image: str, *arguments: str, port: int | None = None) -> Iterator[Container]:
        """Run an image in the background, told by ``PORT`` where to listen, until the context ends.

        When the body fails, the container's logs are printed.
        """
        port = port or free_port()
        name = f"crossdock-{port}"
        listen = ["--network", "host", "--env", f"PORT={port}"]
        self.call("run", "--detach", "--name", name, *_LIMITS, *listen, image, *arguments)
        container = Container(podman=self, name=name, port=port)
        try:
            yield container
        except BaseException:
            print(f"logs of container {name}:\n{container.logs()}")
            raise
        finally:
            self.call("rm", "--force", "--time", "0", name)


_LIMITS = ("--ulimit", "nofile=1024:4096", "--ulimit", "nproc=1000:1000", "--http-proxy=false", "--pull", "never")


@contextmanager
def podman_storage() -> Iterator[Podman]:
    """Give a podman whose images and containers are gone when the context ends."""
    with _podman_folder() as folder:
        podman = Podman(command=_podman_command(folder, driver=_storage_driver()))
        try:
            yield podman
        finally:
            podman.call("rm", "--all", "--force", "--time", "0")


def _storage_driver() -> str:
    """Choose overlay where the kernel mounts it, else vfs, which copies every layer whole."""
    with _podman_folder() as folder:
        try:
            run_tool([*_podman_command(folder, driver="overlay"), "info"])
        except EngineError:
            return "vfs"
        return "overlay"


def _podman_command(folder: Path, *, driver: str) -> tuple[str, ...]:
    program = shutil.which("podman", path=_SEARCH_PATH) or "podman"
    places = ("--root", f"{folder}/root", "--runroot", f"{folder}/run", "--tmpdir", f"{folder}/tmp")
    engine = ("--runtime", "runc", "--cgroup-manager", "cgroupfs", "--events-backend", "none")
    return (*_as_root(), program, *engine, *places, "--storage-driver", driver)


@contextmanager
def _podman_folder() -> Iterator[Path]:
    # Not pytest's folder: podman refuses long paths here.
    folder = Path(tempfile.mkdtemp(prefix="crossdock-podman-"))
    try:
        yield folder
    finally:
        # The overlay driver may have bound its folder onto itself.
        subprocess.run([*_as_root(), "umount", f"{folder}/root/overlay"], capture_output=True, check=False)
        run_tool([*_as_root(), "rm", "-rf", "--one-file-system", folder])


def _as_root() -> tuple[str, ...]:
    return () if os.geteuid() == 0 else ("sudo", "-n")


# skopeo and umoci


@dataclass(frozen=True, slots=True, kw_only=True)
class Skopeo:
    """skopeo; images are named by transport, as ``oci:FOLDER`` or ``docker://REFERENCE``.

    Attributes:
        access: What it needs for its registry, which otherwise is open and speaks plain HTTP.
    """

    access: Access | None = None

    def copy_all(self, source: str, destination: str) -> None:
        """Copy an index with every image in it, byte for byte."""
        self._copy("--all", source, destination)

    def copy_platform(self, source: str, destination: str, *, architecture: str) -> None:
        """Copy the one image of an index that is for an architecture, byte for byte."""
        self._copy(source, destination, override=("--override-os", "linux", "--override-arch", architecture))

    def convert(self, source: str, destination: str, *, form: str) -> None:
        """Copy an index with every image in it, with manifests of another form: ``v2s2`` is Docker's."""
        self._copy("--all", "--format", form, source, destination, exact=False)

    def inspect_raw(self, image: str) -> bytes:
        """Give the manifest or index, byte for byte."""
        return run_tool(["skopeo", "inspect", "--raw", *self._verification("", image), image])

    def inspect_config(self, image: str) -> Any:
        """Give the config of one image."""
        return json.loads(run_tool(["skopeo", "inspect", "--config", "--raw", *self._verification("", image), image]))

    def _copy(self, *arguments: str, override: Sequence[str] = (), exact: bool = True) -> None:
        source, destination = arguments[-2:]
        verification = [*self._verification("src-", source), *self._verification("dest-", destination)]
        digests = ["--preserve-digests"] if exact else []
        options = ["copy", "--quiet", *digests, *verification, *arguments]
        run_tool(["skopeo", "--insecure-policy", *override, *options])

    def _verification(self, prefix: str, image: str) -> list[str]:
        if not image.startswith("docker://"):
            return []
        return [f"--{prefix}tls-verify=false"] if self.access is None else _secured(prefix, self.access)


def _secured(prefix: str, access: Access) -> list[str]:
    encrypted = [f"--{prefix}tls-verify={'false' if access.ca is None else 'true'}"]
    return [*encrypted, f"--{prefix}authfile", str(access.auth_file), f"--{prefix}cert-dir", str(access.certificates)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Umoci:
    """umoci; an image is named by its layout folder and the tag in it, as ``FOLDER:TAG``."""

    def call(self, *arguments: str | Path) -> bytes:
        """Run an umoci command and give what it wrote to stdout."""
        return run_tool(["umoci", *arguments])

    def unpack(self, image: str, bundle: Path) -> Path:
        """Unpack an image, which checks the digest of every blob and diff_id, and give the folder of its files."""
        rootless = [] if os.geteuid() == 0 else ["--rootless"]
        self.call("unpack", *rootless, "--image", image, bundle)
        return bundle / "rootfs"
