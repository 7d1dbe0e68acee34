"""The same project by the command line's way and by Bazel's actions: the same bytes, without a network."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

import pytest
from tests.unit.bazel.imagework import Work
from tests.unit.steps.sampleplan import Registry, make_bench

from crossdock.bazel.commands.base import write_chosen
from crossdock.choosing.basing import ChosenBase
from crossdock.steps.stack import LayerForm
from crossdock.targets import parse_target

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.steps.sampleplan import Bench

    from crossdock.layers.grouping import Grouping
    from crossdock.oci.image import Layer
    from crossdock.services import Services

SETTINGS = """
[tool.crossdock.env]
B = "1"
A = "2"
[tool.crossdock.labels]
team = "one"
[project.urls]
Homepage = "https://demo.example"
"""


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return make_bench(tmp_path / "bench", settings=SETTINGS)


@pytest.mark.parametrize("grouping", ["wheel", "grouped"])
def test_images_are_the_same(
    bench: Bench, tmp_path: Path, capsys: pytest.CaptureFixture[str], grouping: Grouping
) -> None:
    pyproject = bench.plan.project.root / "pyproject.toml"
    pyproject.write_text(
        pyproject.read_text().replace("[tool.crossdock]\n", f'[tool.crossdock]\nlayers = "{grouping}"\n')
    )
    built, layout = bench.build("machine", form=LayerForm(grouping=grouping))
    services = bench.services("machine", Registry())
    project = bench.plan.project
    bases: dict[str, Path] = {}
    for part in bench.plan.targets:
        architecture = part.target.platform.arch
        bases[architecture] = tmp_path / f"base-{architecture}"
        chosen = ChosenBase(base=part.base, interpreter=None, facts=part.facts)
        write_chosen(bases[architecture], chosen, parse_target(f"linux/{architecture}"), project, services)
    work = Work(folder=tmp_path, base=bases, capture=capsys)

    images: list[str | Path] = []
    for part, theirs in zip(bench.plan.targets, built.images, strict=True):
        architecture = part.target.platform.arch
        layers = [
            work.layer(f"{name}-{architecture}", bench.wheels / filename, python="3.12")
            # Sorted by name where each wheel has its own; else pure ones are lower.
            for name, filename in sorted(
                ((item.package.name, item.file.filename) for item in part.selection.choices),
                key=lambda item: (grouping == "grouped" and not item[1].endswith("-any.whl"), item[0]),
            )
        ]
        layers.append(
            work.layer(
                f"own-{architecture}",
                _own(theirs.layers[-1], layout, services, tmp_path),
                kind="project",
                python="3.12",
            )
        )
        arguments = ("--project", project.root / "pyproject.toml", "--layers", grouping)
        folder, _ = work.image(*layers, architecture=architecture, arguments=arguments)
        assert json.loads((folder / "config.json").read_bytes()) == json.loads(theirs.config.data)
        assert json.loads((folder / "manifest.json").read_bytes()) == json.loads(theirs.manifest.data)
        assert (folder / "manifest.json").read_bytes() == theirs.manifest.data
        images += ["--image", folder / "image.json"]
    work.run("index", *images, "--index", tmp_path / "index", "--metadata", tmp_path / "index.json")
    assert (tmp_path / "index").read_bytes() == built.root.blob.data


def _own(layer: Layer, layout: Path, services: Services, folder: Path) -> Path:
    """Put the project's own wheel, as the command line built it, under its own name."""
    assert (layout / "blobs" / "sha256" / layer.digest).exists()
    [wheel] = json.loads(layer.annotations["dev.crossdock.wheels"])
    path = folder / layer.created_by.removeprefix("crossdock: ")
    if not path.exists():
        os.link(services.store.path(wheel["sha256"]), path)
    return path
