"""A package that exists only as source: built here once, and run on another machine."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING

import pytest
from tests.e2e.builds import Command, Outcome, blobs, link_cache, write_files
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, require_machine, run_tool

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.network]

# The architecture that is not this machine's.
FOREIGN = next(oci for oci, machine in MACHINES.items() if machine != os.uname().machine)

PROJECT = {
    "pyproject.toml": """\
[build-system]
requires = ["hatchling>=1.27"]
build-backend = "hatchling.build"

[project]
name = "sourced"
version = "1.0"
requires-python = ">=3.11"
dependencies = ["docopt==0.6.2", "helper"]

[project.scripts]
sourced = "sourced:main"

[tool.uv.sources]
helper = { workspace = true }

[tool.uv.workspace]
members = ["helper"]

[tool.crossdock]
base = "debian:bookworm"
targets = ["linux/amd64", "linux/arm64"]
""",
    "src/sourced/__init__.py": '''\
"""Usage: sourced greet NAME"""
import docopt, helper, importlib.metadata, json, platform

def main():
    print(json.dumps({
        "machine": platform.machine(),
        "name": helper.shout(docopt.docopt(__doc__)["NAME"]),
        "distributions": sorted(item.name.lower() for item in importlib.metadata.distributions()),
    }))
''',
    "helper/pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "helper"
version = "0.1"
""",
    "helper/src/helper/__init__.py": "def shout(text):\n    return text.upper()\n",
}


class Sourced:
    """The project, locked by uv, and its image."""

    def __init__(self, folder: Path, cache: Path) -> None:
        self.folder = folder
        self.cache = cache
        self.project = write_files(folder / "project", PROJECT)
        run_tool([sys.executable, "-m", "uv", "lock", "--quiet", "--project", self.project, "--python", sys.executable])
        self.digest = self.image(cache, folder / "image.tar").digest

    def image(self, cache: Path, output: Path, *options: str) -> Outcome:
        return Command(cache=cache).run("image", self.project, "--output", output, *options)


@pytest.fixture(scope="module")
def sourced(tmp_path_factory: pytest.TempPathFactory, shared_cache: Path) -> Sourced:
    return Sourced(tmp_path_factory.mktemp("sourced"), shared_cache)


def test_it_runs_on_the_other_machine(sourced: Sourced, registry: Registry, skopeo: Skopeo, podman: Podman) -> None:
    require_machine(FOREIGN)
    name = f"{registry.address}/sourced:1.0"
    skopeo.copy_all(f"oci-archive:{sourced.folder / 'image.tar'}", f"docker://{name}")

    said = json.loads(podman.run(podman.pull(name, architecture=FOREIGN), "greet", "you"))

    assert said == {
        "machine": MACHINES[FOREIGN],
        "name": "YOU",
        "distributions": ["docopt", "helper", "sourced"],
    }


def test_from_downloads_alone_and_offline_the_image_is_the_same(sourced: Sourced, tmp_path: Path) -> None:
    """What was built and recorded before is gone; what is left are files that were downloaded by hash."""
    cache = link_cache(sourced.cache, tmp_path / "cache")
    for action in (cache / "actions").glob("*/*"):
        action.unlink()
    assert blobs(cache)

    again = sourced.image(cache, tmp_path / "again.tar", "--offline", "--locked")

    assert again.digest == sourced.digest
    assert (tmp_path / "again.tar").read_bytes() == (sourced.folder / "image.tar").read_bytes()
