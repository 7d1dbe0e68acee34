"""Real registries as users meet them: open, behind TLS with a password, and behind a token server."""

from __future__ import annotations

import base64
import http.client
import json
import os
import shutil
import socket
import ssl
import subprocess
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from tests.support.testca import Authority
    from tests.support.tokenserver import TokenServer

__all__ = [
    "Access",
    "Registry",
    "free_port",
    "give_access",
    "missing_children",
    "running_referrers_registry",
    "running_registry",
]

# Debian puts some programs where a user's PATH does not lead.
_SEARCH_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])
_START_SECONDS = 30
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A registry that listens on the loopback interface.

    Attributes:
        port: Its port.
        storage: The folder of what it holds.
        ca: Certificate of the authority that vouches for it; None where it speaks plain HTTP.
        accounts: Passwords by user; none where anyone may push.
    """

    port: int
    storage: Path
    ca: Path | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Host and port, as in a reference."""
        return f"127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """Where it is."""
        return f"{'http' if self.ca is None else 'https'}://{self.address}"

    def empty(self) -> None:
        """Take away all it holds; it keeps nothing in memory."""
        shutil.rmtree(self.storage, ignore_errors=True)

    def ask(self, method: str, path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
        """Ask it as its first user, whatever proxy the environment names: status, headers in lower case, body."""
        for user, password in self.accounts.items():
            login = base64.b64encode(f"{user}:{password}".encode()).decode()
            headers.setdefault("Authorization", f"Basic {login}")
        connection = self._connection()
        try:
            connection.request(method, path, headers={name.replace("_", "-"): text for name, text in headers.items()})
            response = connection.getresponse()
            return response.status, {name.lower(): text for name, text in response.getheaders()}, response.read()
        finally:
            connection.close()

    def manifest(self, repository: str, version: str) -> tuple[str, bytes]:
        """Give a manifest's digest, as the registry says it, and its bytes."""
        status, headers, body = self.ask("GET", f"/v2/{repository}/manifests/{version}", Accept=", ".join(_MANIFESTS))
        assert status == http.HTTPStatus.OK, (status, body)
        return headers["docker-content-digest"], body

    def tags(self, repository: str) -> list[str]:
        """List a repository's tags; none if there is no such repository."""
        status, _, body = self.ask("GET", f"/v2/{repository}/tags/list")
        listed: list[str] = (json.loads(body)["tags"] or []) if status == http.HTTPStatus.OK else []
        return sorted(listed)

    def holds(self, repository: str, kind: str, digest: str) -> bool:
        """Say whether a repository has a blob (``blobs``) or a manifest (``manifests``)."""
        accept = ", ".join(_MANIFESTS) if kind == "manifests" else "*/*"
        status, _, _ = self.ask("HEAD", f"/v2/{repository}/{kind}/{digest}", Accept=accept)
        return status == http.HTTPStatus.OK

    def _connection(self) -> http.client.HTTPConnection:
        if self.ca is None:
            return http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        context = ssl.create_default_context(cafile=str(self.ca))
        return http.client.HTTPSConnection("127.0.0.1", self.port, timeout=30, context=context)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """What a client needs for a registry that not everybody may use, as files.

    Attributes:
        docker: A folder for ``DOCKER_CONFIG``: config.json and certs.d are in it.
        certificates: The folder with the authority's certificate in there.
        ca: That certificate; None where no TLS is spoken.
    """

    docker: Path
    certificates: Path
    ca: Path | None

    @property
    def env(self) -> dict[str, str]:
        """What tells programs of it."""
        return {"DOCKER_CONFIG": str(self.docker)}

    @property
    def auth_file(self) -> Path:
        """The file with the credentials."""
        return self.docker / "config.json"


def give_access(folder: Path, registry: Registry, user: str, password: str | None = None) -> Access:
    """Write what a user's machine would have after ``docker login``.

    Args:
        folder: Where; it is made.
        registry: The registry.
        user: Who.
        password: Another password than the right one.
    """
    docker = folder / "docker"
    access = Access(docker=docker, certificates=docker / "certs.d" / registry.address, ca=registry.ca)
    access.certificates.mkdir(parents=True)
    login = f"{user}:{registry.accounts[user] if password is None else password}"
    auths = {registry.address: {"auth": base64.b64encode(login.encode()).decode()}}
    access.auth_file.write_text(json.dumps({"auths": auths}))
    if registry.ca:
        shutil.copy(registry.ca, access.certificates / "ca.crt")
    return access


def missing_children(registry: Registry, repository: str, version: str) -> list[str]:
    """List what a manifest or index refers to, near or far, that the repository does not hold."""
    _, raw = registry.manifest(repository, version)
    document: dict[str, Any] = json.loads(raw)
    missing = []
    for child in document.get("manifests", []):
        if registry.holds(repository, "manifests", child["digest"]):
            missing += missing_children(registry, repository, child["digest"])
        else:
            missing.append(child["digest"])
    blobs = [document[key] for key in ("config",) if key in document] + document.get("layers", [])
    return missing + [blob["digest"] for blob in blobs if not registry.holds(repository, "blobs", blob["digest"])]


@contextmanager
def running_registry(
    folder: Path,
    *,
    authority: Authority | None = None,
    accounts: Mapping[str, str] | None = None,
    tokens: TokenServer | None = None,
    client_ca: Path | None = None,
) -> Iterator[Registry]:
    """Run ``docker-registry serve`` with all its files in a folder, until the context ends.

    Args:
        folder: The folder; it has to be there.
        authority: Serve TLS with this authority's server certificate.
        accounts: Passwords by user, for basic authentication.
        tokens: Want tokens of this server instead.
        client_ca: Want clients to have a certificate that is signed by this one.
    """
    port = free_port()
    registry = Registry(
        port=port,
        storage=folder / "storage",
        ca=authority.ca if authority else None,
        accounts=dict(accounts or (tokens.accounts if tokens else {})),
    )
    config: dict[str, Any] = {
        "version": 0.1,
        "log": {"level": "warn", "accesslog": {"disabled": True}},
        "storage": {"filesystem": {"rootdirectory": str(registry.storage)}, "delete": {"enabled": True}},
        "http": {"addr": registry.address},
    }
    if authority:
        config["http"]["tls"] = {"certificate": str(authority.certificate), "key": str(authority.key)}
        if client_ca:
            config["http"]["tls"]["clientcas"] = [str(client_ca)]
    if tokens:
        config["auth"] = {"token": tokens.registry_config()}
    elif accounts:
        users = folder / "htpasswd"
        users.write_text("".join(f"{user}:{_bcrypt(password)}\n" for user, password in accounts.items()))
        config["auth"] = {"htpasswd": {"realm": "tests", "path": str(users)}}
    path = folder / "config.yml"
    path.write_text(json.dumps(config))  # JSON is YAML.
    program = shutil.which("docker-registry", path=_SEARCH_PATH) or "docker-registry"
    with _process(folder, [program, "serve", str(path)], port):
        yield registry


@contextmanager
def running_referrers_registry(folder: Path, program: Path) -> Iterator[Registry]:
    """Run a registry that has the referrers API and keeps all in memory, until the context ends.

    Args:
        folder: Where its log goes.
        program: What ``tests/support/setup-newer.sh`` compiled.
    """
    registry = Registry(port=free_port(), storage=folder / "storage")
    with _process(folder, [str(program), registry.address], registry.port):
        yield registry


def free_port() -> int:
    """Find a TCP port of the loopback interface that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def _process(folder: Path, command: Sequence[str], port: int) -> Iterator[None]:
    log = folder / "registry.log"
    # Variables named REGISTRY_… would override the file.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("REGISTRY_")}
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, env=environment) as process,
    ):
        try:
            _await_port(port, process, log)
            yield
        finally:
            process.terminate()


def _await_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"the registry on port {port} does not answer:\n{log.read_text()}")


def _bcrypt(password: str) -> str:
    """Hash a password in the one way docker-registry takes; Perl has it from the system's libcrypt."""
    program = "print crypt($ARGV[0], '$2b$05$testregistrytestregis.')"
    done = subprocess.run(["perl", "-e", program, password], capture_output=True, text=True, check=True)
    hashed = done.stdout
    if not hashed.startswith("$2b$05$"):
        raise RuntimeError("this system's libcrypt has no bcrypt")
    return hashed
