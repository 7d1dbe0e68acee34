"""A base image's manifest, config and layers for one platform: chosen as container engines choose, believed never."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from tests.support.basemaker import CONFIG, MANIFEST, TAR, ArchiveMaker, LayoutMaker, layer

from crossdock.bases.images import ResolvedImage, resolve_image
from crossdock.errors import BaseImageError, CrossdockError, MissingPlatformError, TooManyLayersError
from crossdock.oci.docker_archive import DockerArchiveSource
from crossdock.oci.layout_source import LayoutSource
from crossdock.oci.model import INDEX, LAYER_GZIP, LAYER_TAR
from crossdock.targets import parse_platform

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO = layer(etc=b"one"), layer(usr=b"two")
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


@pytest.fixture
def maker(tmp_path: Path) -> LayoutMaker:
    return LayoutMaker(tmp_path / "base")


def resolve(
    maker: LayoutMaker, *entries: dict[str, Any], target: str = "linux/amd64", version: str = ""
) -> ResolvedImage:
    return resolve_image(LayoutSource(maker.finish(*entries), "oci:base"), version, parse_platform(target))


def platform(architecture: str, variant: str = "") -> dict[str, str]:
    return {"os": "linux", "architecture": architecture, **({"variant": variant} if variant else {})}


@pytest.mark.parametrize("docker", [False, True])
def test_an_index_leads_to_the_platforms_layers(tmp_path: Path, docker: bool) -> None:
    maker = LayoutMaker(tmp_path / "base", docker=docker)
    arm = maker.image("arm64", ONE, TWO, platform=platform("arm64", "v8"))
    index = maker.index(maker.image("amd64", ONE), arm)

    found = resolve(maker, index, target="linux/arm64")

    assert (found.manifest.digest, found.index) == (arm["digest"], index["digest"])
    assert (found.architecture, found.variant) == ("arm64", "v8")
    assert [(item.diff_id, item.size, item.media_type) for item in found.layers] == [
        (ONE.diff_id, len(ONE.packed), LAYER_GZIP),
        (TWO.diff_id, len(TWO.packed), LAYER_GZIP),
    ]
    assert found.config["architecture"] == "arm64"


def test_no_layer_is_touched(maker: LayoutMaker) -> None:
    image = maker.image("amd64", ONE)
    maker.file(json.loads(maker.file(image["digest"]).read_bytes())["layers"][0]["digest"]).unlink()
    assert len(resolve(maker, image).layers) == 1


def test_a_single_manifest_is_what_its_config_says(maker: LayoutMaker) -> None:
    image = maker.image("arm", ONE, variant="v7")
    found = resolve(maker, image, target="linux/arm/v7")
    assert (found.variant, found.index, found.manifest.digest) == ("v7", image["digest"], image["digest"])
    with pytest.raises(MissingPlatformError, match="linux/arm/v7 alone"):
        resolve(maker, image, target="linux/arm64")


def test_a_docker_archive_is_an_image_like_any_other(tmp_path: Path) -> None:
    archive = ArchiveMaker(tmp_path / "base.tar")
    archive.image("arm64", ONE, TWO)
    found = resolve_image(DockerArchiveSource(archive.finish(), "x"), "", parse_platform("linux/arm64"))
    assert [(item.digest, item.diff_id, item.media_type) for item in found.layers] == [
        (ONE.diff_id, ONE.diff_id, LAYER_TAR),
        (TWO.diff_id, TWO.diff_id, LAYER_TAR),
    ]
    assert found.manifest.digest == found.index


@pytest.mark.parametrize(
    ("target", "offered", "chosen"),
    [
        ("linux/arm64", [("arm64", "")], 0),
        ("linux/arm64", [("arm64", "v8")], 0),
        ("linux/arm64", [("arm64", "8")], 0),
        ("linux/arm64", [("arm64", "v9")], None),
        ("linux/arm64", [("arm64", "v8.2"), ("arm64", "v8")], 1),
        ("linux/arm/v7", [("arm", "v6"), ("arm", "v7"), ("arm", "v8")], 1),
        ("linux/arm/v7", [("arm", "")], 0),
        ("linux/arm/v7", [("arm", "v5"), ("arm", "v6")], 1),
        ("linux/arm/v7", [("arm", "v8"), ("arm64", "v8")], None),
        ("linux/amd64", [("amd64", "v2"), ("amd64", "")], 1),
        ("linux/amd64", [("amd64", "v2")], None),
        ("linux/amd64/v3", [("amd64", ""), ("amd64", "v2"), ("amd64", "v4"), ("amd64", "v3")], 3),
        ("linux/amd64/v3", [("amd64", ""), ("amd64", "v2"), ("amd64", "v4")], 1),
        ("linux/amd64", [("386", ""), ("amd64", ""), ("amd64", "v1")], 1),
        ("linux/s390x", [("amd64", ""), ("s390x", "")], 1),
        ("linux/ppc64le", [("ppc64le", "power9")], None),
        ("linux/riscv64", [("riscv64", "rva20u64")], 0),
        ("linux/amd64", [("amd64", "vX")], None),
    ],
)
def test_the_best_that_the_target_can_run_is_taken(
    maker: LayoutMaker, target: str, offered: list[tuple[str, str]], chosen: int | None
) -> None:
    entries = [
        maker.image(arch, layer(number=str(number).encode()), platform=platform(arch, variant), variant=variant)
        for number, (arch, variant) in enumerate(offered)
    ]
    if chosen is None:
        with pytest.raises(MissingPlatformError, match=f"linux/{offered[0][0]}"):
            resolve(maker, maker.index(*entries), target=target)
    else:
        found = resolve(maker, maker.index(*entries), target=target)
        assert found.manifest.digest == entries[chosen]["digest"]


def test_attestations_and_artifacts_in_an_index_are_ignored(maker: LayoutMaker) -> None:
    image = maker.image("amd64", ONE)
    attestation = maker.json({"schemaVersion": 2, "layers": []}, MANIFEST)
    marked = {**attestation, "annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
    entries = [
        {**attestation, "platform": UNKNOWN},
        {**marked, "platform": platform("amd64")},
        {**attestation, "artifactType": "application/example", "platform": platform("amd64")},
        image,
    ]
    assert resolve(maker, maker.index(*entries)).manifest.digest == image["digest"]
    with pytest.raises(MissingPlatformError, match="no entry for any platform"):
        resolve(maker, maker.index(*entries[:3]))


def test_nested_indexes_are_entered_and_their_platform_counts(maker: LayoutMaker) -> None:
    arm, amd = maker.image("arm64", ONE), maker.image("amd64", TWO)
    bare = {key: value for key, value in arm.items() if key != "platform"}
    nested = {**maker.index(bare), "platform": platform("arm64")}
    index = maker.index(maker.index(amd), nested)

    assert resolve(maker, index, target="linux/arm64").manifest.digest == arm["digest"]
    assert resolve(maker, index).manifest.digest == amd["digest"]
    with pytest.raises(MissingPlatformError, match="linux/amd64, linux/arm64"):
        resolve(maker, index, target="linux/s390x")


def test_indexes_nested_too_deep_or_too_wide_are_refused(maker: LayoutMaker) -> None:
    index = maker.index(maker.image("amd64", ONE))
    for _ in range(6):
        index = maker.index(index)
    with pytest.raises(BaseImageError, match="nested"):
        resolve(maker, index)
    wide = maker.index(*[maker.image("arm64", ONE)] * 1001)
    with pytest.raises(BaseImageError, match="1000 entries"):
        resolve(maker, wide)
    many = [maker.json({"schemaVersion": 2, "manifests": [], "number": number}, INDEX) for number in range(70)]
    with pytest.raises(BaseImageError, match="more than 64"):
        resolve(maker, maker.index(*many))


def test_entries_without_a_platform_are_what_their_configs_say(maker: LayoutMaker) -> None:
    arm, amd = maker.image("arm64", ONE), maker.image("amd64", TWO)
    bare = [{key: value for key, value in entry.items() if key != "platform"} for entry in (arm, amd)]
    artifact = maker.json({"config": maker.json({}, "application/example"), "layers": []}, MANIFEST)
    assert resolve(maker, maker.index(artifact, *bare)).manifest.digest == amd["digest"]


def test_a_name_with_a_digest_gives_that_image(maker: LayoutMaker) -> None:
    index = maker.index(maker.image("amd64", ONE))
    assert resolve(maker, maker.image("arm64", TWO), version=index["digest"]).index == index["digest"]


def test_a_config_of_another_machine_than_its_entry_is_refused(maker: LayoutMaker) -> None:
    image = maker.image("amd64", ONE, platform=platform("arm64"))
    with pytest.raises(BaseImageError, match="contradicts itself"):
        resolve(maker, maker.index(image), target="linux/arm64")
    windows = maker.image("amd64", ONE, platform=platform("amd64"), os="windows")
    with pytest.raises(BaseImageError, match="contradicts itself"):
        resolve(maker, maker.index(windows))
    variant = maker.image("arm", ONE, platform=platform("arm", "v6"), variant="v7")
    with pytest.raises(BaseImageError, match="contradicts itself"):
        resolve(maker, maker.index(variant), target="linux/arm/v7")


def test_a_config_without_a_variant_is_what_the_entry_says(maker: LayoutMaker) -> None:
    image = maker.image("arm", ONE, platform=platform("arm", "v6"))
    assert resolve(maker, maker.index(image), target="linux/arm/v7").variant == "v6"


def test_more_layers_than_engines_stack_are_refused_at_once(maker: LayoutMaker) -> None:
    assert len(resolve(maker, maker.image("amd64", *[ONE] * 127)).layers) == 127
    with pytest.raises(TooManyLayersError, match="128 layers"):
        resolve(maker, maker.image("amd64", *[ONE] * 128))


def test_an_image_of_no_layers_is_an_image(maker: LayoutMaker) -> None:
    assert resolve(maker, maker.image("amd64")).layers == ()


GOOD_LAYER = {"mediaType": LAYER_GZIP, "digest": "sha256:" + "a" * 64, "size": 10}
GOOD_CONFIG: dict[str, Any] = {
    "os": "linux",
    "architecture": "amd64",
    "rootfs": {"type": "layers", "diff_ids": ["sha256:" + "b" * 64]},
}


@pytest.mark.parametrize(
    ("manifest", "config", "message"),
    [
        ({"layers": None}, {}, "list of layers"),
        ({"layers": [3]}, {}, "described wrongly"),
        ({"layers": [{**GOOD_LAYER, "size": -1}]}, {}, "described wrongly"),
        ({"layers": [{**GOOD_LAYER, "size": 1 << 50}]}, {}, "no layer has that many"),
        ({"layers": [{**GOOD_LAYER, "size": 0}]}, {}, "no layer has that many"),
        ({"layers": [{**GOOD_LAYER, "digest": "md5:00"}]}, {}, "described wrongly"),
        ({"layers": [{**GOOD_LAYER, "mediaType": "application/example"}]}, {}, "not understood"),
        ({"layers": [{**GOOD_LAYER, "mediaType": TAR.replace("v1", "nondistributable.v1")}]}, {}, "not understood"),
        (
            {"layers": [{**GOOD_LAYER, "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip"}]},
            {},
            "not in the registry itself",
        ),
        ({"layers": [GOOD_LAYER] * 2}, {}, "2 layers"),
        ({"manifests": []}, {}, "as an index and as a manifest"),
        ({"mediaType": INDEX}, {}, "as an index and as a manifest"),
        ({"schemaVersion": 1}, {}, "schema 1"),
        ({"config": 3}, {}, "described wrongly"),
        ({}, {"rootfs": 3}, "diff_ids"),
        ({}, {"rootfs": {"diff_ids": ["x"]}}, "diff_ids"),
        ({}, {"os": 3}, "no os and architecture"),
        ({}, {"architecture": ""}, "no os and architecture"),
    ],
)
def test_a_malformed_image_is_refused(
    maker: LayoutMaker, manifest: dict[str, Any], config: dict[str, Any], message: str
) -> None:
    descriptor = maker.json({**GOOD_CONFIG, **config}, CONFIG)
    document = {"schemaVersion": 2, "mediaType": MANIFEST, "config": descriptor, "layers": [GOOD_LAYER], **manifest}
    with pytest.raises(BaseImageError) as caught:
        resolve(maker, maker.json(document, MANIFEST))
    assert message in str(caught.value)


@pytest.mark.parametrize("data", [b"[]", b"what?", b"[" * 100_000, b"{}", b'{"manifests": 3}', b'{"manifests": [3]}'])
def test_an_index_that_is_none_is_refused(maker: LayoutMaker, data: bytes) -> None:
    with pytest.raises(CrossdockError):
        resolve(maker, maker.blob(data, INDEX))


def test_an_artifact_is_no_base(maker: LayoutMaker) -> None:
    document = {"schemaVersion": 2, "config": maker.json({}, "application/vnd.example+json"), "layers": []}
    with pytest.raises(BaseImageError, match="is no image"):
        resolve(maker, maker.json(document, MANIFEST))


def test_a_manifest_that_an_index_describes_wrongly_is_refused(maker: LayoutMaker) -> None:
    image = maker.image("amd64", ONE)
    with pytest.raises(BaseImageError):
        resolve(maker, maker.index({**image, "size": image["size"] + 1}))
