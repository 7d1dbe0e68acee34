"""Images of every profile and compression are proved like any other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.support.tinyimage import tiny_image

from crossdock.oci.layout import write_layout, write_layout_tar
from crossdock.oci.model import LAYER_GZIP, LAYER_ZSTD
from crossdock.oci.profile import DOCKER, LAMBDA, OCI, Profile
from crossdock.verify.image import verify_layout

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("profile", "media_type", "architectures"),
    [
        (OCI, LAYER_GZIP, ["amd64", "arm64"]),
        (OCI, LAYER_ZSTD, ["amd64", "arm64"]),
        (DOCKER, LAYER_GZIP, ["amd64", "arm64"]),
        (LAMBDA, LAYER_GZIP, ["arm64"]),
    ],
)
@pytest.mark.parametrize("name", ["layout", "layout.tar"])
def test_every_form_of_an_image_is_proved(
    tmp_path: Path, profile: Profile, media_type: str, architectures: list[str], name: str
) -> None:
    tiny = tiny_image(architectures, profile=profile, media_type=media_type)
    write = write_layout_tar if name.endswith(".tar") else write_layout
    write(tmp_path / name, tiny.root.blob.descriptor, tiny.blobs)
    report = verify_layout(tmp_path / name)
    assert report.ok
    assert report.all_findings == ()
    assert [(image.layers, image.files, sum(image.machines.values())) for image in report.images] == [
        (1, 1, 1) for _ in architectures
    ]


@pytest.mark.parametrize("media_type", [LAYER_GZIP, LAYER_ZSTD])
def test_a_program_for_another_machine_is_found_however_it_is_compressed(tmp_path: Path, media_type: str) -> None:
    tiny = tiny_image(["amd64"], media_type=media_type, machine="arm64")
    write_layout(tmp_path, tiny.root.blob.descriptor, tiny.blobs)
    [finding] = verify_layout(tmp_path).all_findings
    assert (finding.code, finding.path) == ("elf-machine", "hello")
