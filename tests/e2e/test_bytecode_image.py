"""Images with bytecode: Python reads it, and nothing is compiled, let alone written, when a container starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.e2e import layouts
from tests.e2e.engines import MACHINES, Podman, Registry, require_machine
from tests.e2e.pushing import make_app

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.builds import Tiny

pytestmark = [pytest.mark.engine, pytest.mark.network]

# Where bytecode is, that it is there, and its flags: bit 0 is set for a hash, bit 1 where the source is looked at.
PROGRAM = """
import idna.core, tiny, os
for module in (idna.core, tiny):
    cached = module.__spec__.cached
    print(cached, os.path.exists(cached), int.from_bytes(open(cached, 'rb').read(8)[4:], 'little'))
"""


@pytest.mark.parametrize("architecture", sorted(MACHINES))
def test_a_container_reads_the_bytecode_of_its_image(
    architecture: str, tiny: Tiny, registry: Registry, podman: Podman, tmp_path: Path
) -> None:
    require_machine(architecture)
    app = make_app(tiny, tmp_path)
    reference = f"{registry.address}/team/compiled-{architecture}:1.0"
    outcome = app.push(reference, "--compile", "--no-attachments")
    assert outcome.code == 0, outcome.stderr
    image = podman.pull(reference, architecture=architecture)

    said = podman.run(image, "-c", PROGRAM, entrypoint="python")

    site = "/app/.venv/lib/python3.11/site-packages"
    # No source is looked at (PEP 552), so that is what runs.
    assert said.splitlines() == [
        f"{site}/idna/__pycache__/core.cpython-311.pyc True 1",
        f"{site}/tiny/__pycache__/__init__.cpython-311.pyc True 1",
    ]
    assert podman.run(image).strip() == "tiny"


def test_bytecode_is_the_same_for_all_architectures(tiny: Tiny, tmp_path: Path) -> None:
    app = make_app(tiny, tmp_path)
    outcome = app.image("--compile", "--output", tmp_path / "layout")
    assert outcome.code == 0, outcome.stderr

    images = layouts.read_index(tmp_path / "layout").images.values()
    pure, own = ({image.layer_digests[position] for image in images} for position in (2, -1))

    assert (len(pure), len(own)) == (1, 1)
    assert outcome.digest != tiny.digest
    assert app.image("--no-compile", "--output", tmp_path / "plain").digest == tiny.digest
