"""Indexes of images, and what of them is handed on."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import pytest

from crossdock.bazel.handed.imagefile import read_image, read_index
from crossdock.errors import BazelInputError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.bazel.imagework import Work


@pytest.fixture
def images(work: Work) -> list[Path]:
    found = []
    for architecture in ("arm64", "amd64"):
        annotations = {"example.both": "1", f"example.{architecture}": "2"}
        folder, _ = work.image(architecture=architecture, entrypoint=["python"], annotations=annotations)
        found.append(folder / "image.json")
    return found


def test_an_index_names_images_in_their_order(work: Work, images: list[Path]) -> None:
    listed = [item for path in images for item in ("--image", path)]
    work.run("index", *listed, "--index", work.folder / "index", "--metadata", work.folder / "index.json")
    data = (work.folder / "index").read_bytes()
    index = json.loads(data)
    assert [item["digest"] for item in index["manifests"]] == [read_image(path).manifest.digest for path in images]
    assert index["annotations"] == {
        "example.both": "1",
        "org.opencontainers.image.created": "1970-01-01T00:00:00Z",
        "org.opencontainers.image.title": "demo",
    }
    about = read_index(work.folder / "index.json")
    assert about.root.digest == f"sha256:{hashlib.sha256(data).hexdigest()}"
    assert about.root.size == len(data)


def test_a_platform_is_there_once(work: Work, images: list[Path]) -> None:
    twice = ("--image", images[0], "--image", images[0])
    said = work.run("index", *twice, "--index", work.folder / "i", "--metadata", work.folder / "m", code=106)
    assert "Two images are for linux/arm64/v8: demo and demo" in said
    assert not (work.folder / "i").exists()


def test_what_is_handed_on_is_read_strictly(work: Work, images: list[Path]) -> None:
    whole = json.loads(images[0].read_text())
    changes: list[dict[str, object]] = [
        {"version": 2},
        {"manifest": {"digest": "x"}},
        {"layers": [{}]},
        {"claim": {**whole["claim"], "platform": "plan9"}},
        {"claim": {**whole["claim"], "python": "2"}},
    ]
    for change in changes:
        images[0].write_text(json.dumps({**whole, **change}))
        with pytest.raises(BazelInputError, match=r"image\.json is not what it must be"):
            read_image(images[0])
    (work.folder / "no-index.json").write_text("[]")
    with pytest.raises(BazelInputError):
        read_index(work.folder / "no-index.json")
