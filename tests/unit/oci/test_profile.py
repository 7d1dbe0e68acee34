"""The three forms of images: what differs between them, and what each refuses."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from tests.unit.oci.test_image import BASE, RUN, WHEELS

from crossdock.errors import CompressionError, ProfileError
from crossdock.oci.image import Image, Layer, assemble, make_image
from crossdock.oci.model import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    INDEX,
    LAYER_GZIP,
    LAYER_TAR,
    LAYER_ZSTD,
    MANIFEST,
)
from crossdock.oci.profile import DOCKER, DOCKER_LAYER_TAR, LAMBDA, OCI, PROFILES, Profile, profile_of
from crossdock.targets import parse_platform

ANNOTATIONS = {"org.opencontainers.image.title": "demo"}


def image(profile: Profile, platform: str = "linux/amd64", layers: tuple[Layer, ...] = (BASE, WHEELS)) -> Image:
    return make_image(parse_platform(platform).oci, layers, RUN, epoch=0, annotations=ANNOTATIONS, profile=profile)


def content(image: Image) -> Any:
    return json.loads(image.manifest.data)


def test_profiles_are_found_by_name() -> None:
    assert (
        [profile_of(name) for name in ("oci", "docker", "lambda")] == [OCI, DOCKER, LAMBDA] == list(PROFILES.values())
    )
    with pytest.raises(ProfileError) as caught:
        profile_of("Docker")
    assert "oci, docker, lambda" in caught.value.hint


def test_docker_has_its_own_media_types_from_top_to_bottom() -> None:
    images = [image(DOCKER, platform) for platform in ("linux/amd64", "linux/arm64")]
    root = assemble(images, ANNOTATIONS, DOCKER)
    index = json.loads(root.blob.data)
    assert root.blob.descriptor.media_type == index["mediaType"] == DOCKER_INDEX
    assert [entry["mediaType"] for entry in index["manifests"]] == [DOCKER_MANIFEST] * 2
    manifest = content(images[0])
    assert manifest["mediaType"] == images[0].manifest.descriptor.media_type == DOCKER_MANIFEST
    assert manifest["config"]["mediaType"] == DOCKER_CONFIG
    assert [layer["mediaType"] for layer in manifest["layers"]] == [DOCKER_LAYER_GZIP] * 2


def test_docker_annotates_layers_only() -> None:
    made = image(DOCKER)
    assert "annotations" not in content(made)
    assert "annotations" not in json.loads(assemble([made], ANNOTATIONS, DOCKER).blob.data)
    assert content(made)["layers"][1]["annotations"] == WHEELS.annotations


def test_config_and_layers_are_the_same_bytes_in_every_profile() -> None:
    made = [image(profile) for profile in PROFILES.values()]
    assert len({image.config.data for image in made}) == 1
    assert len({tuple(layer.digest for layer in image.layers) for image in made}) == 1


def test_lambda_has_a_manifest_on_top_and_nothing_below() -> None:
    made = image(LAMBDA)
    root = assemble([made], ANNOTATIONS, LAMBDA)
    assert (root.blob, root.manifests) == (made.manifest, ())
    assert content(made)["mediaType"] == MANIFEST
    assert not LAMBDA.attachments


def test_lambda_is_for_one_platform() -> None:
    images = [image(LAMBDA, platform) for platform in ("linux/arm64", "linux/amd64")]
    with pytest.raises(ProfileError) as caught:
        assemble(images, {}, LAMBDA)
    assert "linux/arm64/v8, linux/amd64" in caught.value.why
    assert "--target linux/arm64" in caught.value.hint
    assert "tag of its own" in caught.value.hint


def test_an_index_is_pushed_after_its_manifests() -> None:
    images = [image(OCI, platform) for platform in ("linux/amd64", "linux/arm64")]
    root = assemble(images, ANNOTATIONS)
    assert root.manifests == tuple(image.manifest for image in images)
    assert root.blob.descriptor.media_type == INDEX
    assert json.loads(root.blob.data)["annotations"] == ANNOTATIONS


@pytest.mark.parametrize(
    ("profile", "given", "wanted"),
    [
        (OCI, DOCKER_LAYER_GZIP, LAYER_GZIP),
        (OCI, DOCKER_LAYER_TAR, LAYER_TAR),
        (OCI, LAYER_ZSTD, LAYER_ZSTD),
        (DOCKER, LAYER_GZIP, DOCKER_LAYER_GZIP),
        (DOCKER, LAYER_TAR, DOCKER_LAYER_TAR),
        (DOCKER, DOCKER_LAYER_GZIP, DOCKER_LAYER_GZIP),
        (LAMBDA, DOCKER_LAYER_GZIP, LAYER_GZIP),
    ],
)
def test_layers_of_bases_are_called_as_the_profile_spells_them(profile: Profile, given: str, wanted: str) -> None:
    made = image(profile, layers=(replace(BASE, media_type=given), WHEELS))
    assert content(made)["layers"][0] == {**BASE.descriptor.to_json(), "mediaType": wanted}
    assert made.layers[0].descriptor.media_type == wanted


@pytest.mark.parametrize("profile", [DOCKER, LAMBDA])
def test_zstd_is_refused_where_its_readers_know_gzip_only(profile: Profile) -> None:
    with pytest.raises(CompressionError) as caught:
        image(profile, layers=(replace(BASE, media_type=LAYER_ZSTD),))
    assert profile.name in caught.value.what
    assert "--profile oci" in caught.value.hint


@pytest.mark.parametrize("profile", PROFILES.values())
@pytest.mark.parametrize("media_type", [CONFIG, "", "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"])
def test_what_is_no_layer_is_refused(profile: Profile, media_type: str) -> None:
    with pytest.raises(ProfileError, match="layer of media type"):
        image(profile, layers=(replace(BASE, media_type=media_type),))


def test_a_stop_signal_is_in_the_config_if_there_is_one() -> None:
    run = replace(RUN, stop_signal="SIGINT")
    made = make_image({"os": "linux", "architecture": "amd64"}, [BASE], run, epoch=0, annotations={})
    assert json.loads(made.config.data)["config"]["StopSignal"] == "SIGINT"
    assert "StopSignal" not in json.loads(image(OCI).config.data)["config"]
