"""Remote execution, by BuildBox: every action runs there, and what ran once is known to every other checkout."""

from __future__ import annotations

import os
import socket
import subprocess
from typing import TYPE_CHECKING

import pytest
from tests.e2e.bazelrun import SCRIPTS, bazel_state, tree_digests, workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.e2e.bazelrun import Build, Workspace

pytestmark = pytest.mark.network

TARGETS = (
    "//demo/hello_fastapi:hello_fastapi_image",
    "//demo/hello_worker:hello_worker_function",
    "//demo/hello_worker:hello_worker_image",
    "//demo/hello_worker:hello_worker_pex",
    "//demo/hello_go:hello_go_image",
)


@pytest.fixture(scope="module")
def server() -> Iterator[None]:
    """A server of remote execution that knows nothing yet."""
    for port in (8980, 8981):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                pytest.skip(f"something listens on port {port}, which remote execution needs; end it")
    script, environment = SCRIPTS / "re-casd.sh", {**os.environ, "BAZEL_STATE": str(bazel_state())}
    subprocess.run([script, "clean"], env=environment, check=True, timeout=120)
    try:
        subprocess.run([script, "start"], env=environment, check=True, timeout=120)
        yield
    finally:
        subprocess.run([script, "clean"], env=environment, check=True, timeout=120)


def artifacts(checkout: Workspace, *options: str) -> dict[str, str]:
    """Hash all that Bazel gives of images, PEX files and zips."""
    files = [path for label in TARGETS for path in checkout.files(label, *options)]
    assert len(files) >= len(TARGETS)
    return tree_digests(files)


def built_remotely(name: str, cache: Path) -> tuple[Build, dict[str, str]]:
    with workspace(name, cache) as checkout:
        return checkout.build("--config=casd", *TARGETS), artifacts(checkout)


@pytest.mark.usefixtures("server")
def test_remote_execution_and_its_cache(built: Build, monorepo: Workspace, shared_cache: Path) -> None:
    local = artifacts(monorepo)

    first, remote = built_remotely("first-checkout", shared_cache)
    second, cached = built_remotely("second-checkout", shared_cache)

    assert len(first.spawns) > 20
    assert {spawn.runner for spawn in first.spawns} == {"remote"}
    assert {spawn.runner for spawn in second.spawns} == {"remote cache hit"}
    assert len(second.spawns) == len(first.spawns)
    assert remote == local
    assert cached == local


def test_with_path_mapping_an_application_has_one_layer_for_all_platforms(
    built: Build, monorepo: Workspace, shared_cache: Path, tmp_path: Path
) -> None:
    local = artifacts(monorepo)
    options = ("--experimental_output_paths=strip", f"--disk_cache={tmp_path}")
    with workspace("first-checkout", shared_cache) as checkout:
        spawns = checkout.build(*options, *TARGETS).of("CrossdockAppLayer")
        mapped = artifacts(checkout, *options)

    made = [spawn.target for spawn in spawns if spawn.runner == "linux-sandbox"]
    for package in ("hello_fastapi", "hello_worker"):
        assert len([target for target in made if package in target]) == 1, spawns
    assert mapped == local
