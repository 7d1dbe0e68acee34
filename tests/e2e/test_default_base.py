"""A project with no settings at all: uv's lock, Debian's newest Python, and images that run on both machines."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, write_files
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require_machine, run_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.network]

PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "plain"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["cryptography>=44", "markupsafe>=3"]

[project.scripts]
plain = "plain:main"
""",
    "src/plain/__init__.py": """\
import importlib.metadata, json, os, platform, sqlite3, ssl, sys
from cryptography.fernet import Fernet
from markupsafe import _speedups

def main():
    key = Fernet.generate_key()
    print(json.dumps({
        "machine": platform.machine(),
        "python": platform.python_version_tuple()[:2],
        "prefix": sys.prefix,
        "secret": Fernet(key).decrypt(Fernet(key).encrypt(b"kept")).decode(),
        "authorities": len(ssl.create_default_context().get_ca_certs()),
        "uid": os.getuid(),
        "distributions": sorted(item.name.lower() for item in importlib.metadata.distributions()),
        "arguments": sys.argv[1:],
    }))
""",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path, skopeo: Skopeo, registry: Registry) -> str:
    """The project, locked by uv, built without a setting, and copied to the registry."""
    folder = tmp_path_factory.mktemp("plain")
    project = write_files(folder / "project", PROJECT)
    run_tool([sys.executable, "-m", "uv", "lock", "--quiet", "--project", project, "--python", sys.executable])
    built = Command(cache=shared_cache).run(
        "image", project, "--output", folder / "plain.tar", "--tag", "team/plain:1.0"
    )
    assert built.stdout.startswith("team/plain@sha256:"), built.stderr
    name = f"{registry.address}/team/plain"
    skopeo.copy_all(f"oci-archive:{folder / 'plain.tar'}", f"docker://{name}:1.0")
    return name


@pytest.mark.parametrize("architecture", sorted(MACHINES))
def test_it_runs_on_the_newest_debian(architecture: str, repository: str, podman: Podman) -> None:
    require_machine(architecture)
    image = podman.pull(f"{repository}:1.0", architecture=architecture)

    said = json.loads(podman.run(image, "one", "--two"))

    assert said["machine"] == MACHINES[architecture]
    assert said["python"] == ["3", "13"]
    assert said["prefix"] == "/app/.venv"
    assert said["secret"] == "kept"
    assert said["authorities"] > 50
    assert said["uid"] == 65532
    assert said["distributions"] == ["cffi", "cryptography", "markupsafe", "plain", "pycparser"]
    assert said["arguments"] == ["one", "--two"]
