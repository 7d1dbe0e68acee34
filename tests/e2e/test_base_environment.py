"""A base that is an application itself: what is in its environment is no part of the new one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from tests.e2e.baseimages import LayoutWriter, debian_root, file_layer
from tests.e2e.engines import MACHINES, Podman, Registry, Skopeo, Umoci
from tests.e2e.pushing import make_app

if TYPE_CHECKING:
    from pathlib import Path

    from tests.e2e.builds import Tiny

pytestmark = [pytest.mark.engine, pytest.mark.network]

HOST = next(oci for oci, machine in MACHINES.items() if machine == os.uname().machine)
SITE = "app/.venv/lib/python3.11/site-packages"
PROBE = "import importlib.metadata as m; print(*sorted(item.name.lower() for item in m.distributions()))"


def test_its_packages_are_hidden(
    tiny: Tiny, registry: Registry, podman: Podman, skopeo: Skopeo, umoci: Umoci, tmp_path: Path
) -> None:
    metadata = b"Metadata-Version: 2.1\nName: {}\nVersion: 0.1\n"
    old = {f"{SITE}/{name}-0.1.dist-info/METADATA": metadata.replace(b"{}", name.encode()) for name in ("idna", "gone")}
    root = debian_root(HOST, "python3")
    writer = LayoutWriter(tmp_path / "base")
    layers = (*root.layers, file_layer({**old, "app/data.txt": b"kept"}))
    named = writer.tag(writer.image(type(root)(architecture=HOST, layers=layers)), "1")
    app = make_app(tiny, tmp_path)
    reference = f"{registry.address}/team/upon-another:1.0"

    outcome = app.push(reference, "--base", named, "--target", f"linux/{HOST}")
    again = app.push(reference, "--base", named, "--target", f"linux/{HOST}", "--locked")

    assert outcome.digest == again.digest
    image = podman.pull(reference, architecture=HOST)
    assert podman.run(image, "-c", PROBE, entrypoint="/app/.venv/bin/python").split() == ["idna", "markupsafe", "tiny"]
    assert podman.run(image, "-c", "print(open('/app/data.txt').read())", entrypoint="/usr/bin/python3") == "kept\n"
    skopeo.copy_platform(f"docker://{reference}", f"oci:{tmp_path}/copy:1", architecture=HOST)
    unpacked = umoci.unpack(f"{tmp_path}/copy:1", tmp_path / "bundle")
    assert [path.name for path in (unpacked / SITE).glob("idna-*")] == ["idna-3.10.dist-info"]
    assert not list((unpacked / SITE).glob("gone-*"))
    assert not list(unpacked.rglob(".wh.*"))
