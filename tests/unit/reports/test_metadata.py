"""Files for other programs: as ko's and buildx's, whole or not at all."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from tests.unit.oci.test_image import image

from crossdock.errors import OutputError
from crossdock.oci.image import assemble
from crossdock.oci.profile import LAMBDA
from crossdock.reports.metadata import image_refs, metadata_json, write_report

if TYPE_CHECKING:
    from pathlib import Path


def test_each_reference_has_a_line_and_none_has_two() -> None:
    assert image_refs(["a@sha256:1", "b/c@sha256:1", "a@sha256:1"]) == b"a@sha256:1\nb/c@sha256:1\n"
    assert image_refs([]) == b""


def test_several_platforms_have_the_keys_of_buildx_and_their_own() -> None:
    images = [image("linux/amd64"), image("linux/arm64")]
    root = assemble(images, {})
    found = json.loads(metadata_json(root, images, ["registry.example/app:1", "app:latest"]))
    platforms = found.pop("platforms")
    assert found == {
        "containerimage.digest": root.blob.descriptor.digest,
        "containerimage.descriptor": {
            "mediaType": root.blob.descriptor.media_type,
            "digest": root.blob.descriptor.digest,
            "size": len(root.blob.data),
        },
        "image.name": "registry.example/app:1,app:latest",
    }
    assert list(platforms) == ["linux/amd64", "linux/arm64/v8"]
    for made, described in zip(images, platforms.values(), strict=True):
        assert described["containerimage.digest"] == made.manifest.descriptor.digest
        assert described["containerimage.config.digest"] == made.config.descriptor.digest
        assert described["containerimage.descriptor"] == made.manifest.descriptor.to_json()


def test_a_single_manifest_names_its_config_too() -> None:
    made = image("linux/amd64")
    found = json.loads(metadata_json(assemble([made], {}, LAMBDA), [made], ["app:1"]))
    assert found["containerimage.digest"] == made.manifest.descriptor.digest
    assert found["containerimage.config.digest"] == made.config.descriptor.digest


def test_a_report_replaces_the_one_before_and_its_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "refs"
    for content in (b"one\n", b"two\n"):
        write_report(path, content)
        assert path.read_bytes() == content
    assert [item.name for item in path.parent.iterdir()] == ["refs"]


def test_what_cannot_be_written_is_told_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "file" / "refs", tmp_path / "folder"):
        with pytest.raises(OutputError, match="cannot be written") as caught:
            write_report(path, b"x", option="--image-refs")
        assert "--image-refs" in caught.value.hint
    assert sorted(item.name for item in tmp_path.iterdir()) == ["file", "folder"]
