"""The engines themselves: an image that other tools made, for another machine, is pushed, pulled and run."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.e2e.engines import (
    MACHINES,
    EngineError,
    Podman,
    Registry,
    Skopeo,
    Umoci,
    require,
    require_machine,
    run_tool,
)

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.engine, pytest.mark.network]

# The architecture that is not this machine's.
FOREIGN = next(oci for oci, machine in MACHINES.items() if machine != os.uname().machine)


@pytest.fixture(scope="module")
def foreign_busybox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A statically linked busybox from Debian."""
    require("mmdebstrap")
    root = tmp_path_factory.mktemp("foreign") / "root"
    options = [f"--arch={FOREIGN}", "--variant=extract", "--include=busybox-static"]
    run_tool(["mmdebstrap", "--quiet", *options, "bookworm", root])
    return root / "bin" / "busybox"


@pytest.fixture(scope="module")
def pushed(
    foreign_busybox: Path,
    tmp_path_factory: pytest.TempPathFactory,
    umoci: Umoci,
    skopeo: Skopeo,
    registry: Registry,
) -> str:
    """A reference to an image of that busybox alone."""
    layout = tmp_path_factory.mktemp("busybox") / "layout"
    image = f"{layout}:latest"
    umoci.call("init", "--layout", layout)
    umoci.call("new", "--image", image)
    umoci.call("insert", "--rootless", "--image", image, foreign_busybox, "/bin/busybox")
    umoci.call("config", "--image", image, "--architecture", FOREIGN, "--config.entrypoint", "/bin/busybox")
    reference = f"{registry.address}/busybox:latest"
    skopeo.copy_all(f"oci:{image}", f"docker://{reference}")
    return reference


@pytest.fixture(scope="module")
def pulled(pushed: str, podman: Podman) -> str:
    require_machine(FOREIGN)
    return podman.pull(pushed, architecture=FOREIGN)


def test_an_image_for_another_machine_runs(pulled: str, podman: Podman) -> None:
    assert podman.run(pulled, "uname", "-m").strip() == MACHINES[FOREIGN]


def test_a_server_in_a_container_answers_over_http(pulled: str, podman: Podman) -> None:
    command = 'busybox mkdir /www; busybox uname -m > /www/machine; exec busybox httpd -f -p "$PORT" -h /www'
    with podman.serve(pulled, "sh", "-c", command) as container:
        container.await_http("/machine", timeout=30)

        assert container.get("/machine") == (200, f"{MACHINES[FOREIGN]}\n".encode())


def test_a_container_that_ends_at_once_is_told_with_its_logs(pulled: str, podman: Podman) -> None:
    with (
        podman.serve(pulled, "cat", "/no/such/file") as container,
        pytest.raises(EngineError, match=r"has ended[\s\S]*/no/such/file"),
    ):
        container.await_http("/", timeout=30)
