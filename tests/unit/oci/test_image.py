"""What configs, manifests and indexes hold, to the byte: any change here changes every image's digest."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from crossdock.oci.image import Image, Layer, RunConfig, make_image, make_index, timestamp
from crossdock.oci.model import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Descriptor, canonical_json, json_blob
from crossdock.targets import parse_platform

BASE = Layer(digest="a" * 64, size=10, diff_id="b" * 64, created_by="base")
WHEELS = Layer(digest="c" * 64, size=20, diff_id="d" * 64, created_by="wheels", annotations={"z": "1", "a": "2"})
RUN = RunConfig(
    entrypoint=("/app/.venv/bin/tool", "--serve"),
    env={"PATH": "/app/.venv/bin:/usr/bin", "LANG": "C.UTF-8", "A": "é=1"},
    labels={"team": "web"},
    ports=("8000/tcp", "53/udp"),
    user="65532:65532",
    working_dir="/app",
)
BARE = RunConfig(entrypoint=("/x",), env={}, labels={}, ports=(), user="1", working_dir="/")

GOLDEN_CONFIG = (
    '{"architecture":"arm64",'
    '"config":{"Entrypoint":["/app/.venv/bin/tool","--serve"],'
    '"Env":["PATH=/app/.venv/bin:/usr/bin","LANG=C.UTF-8","A=é=1"],'
    '"ExposedPorts":{"53/udp":{},"8000/tcp":{}},"Labels":{"team":"web"},"User":"65532:65532","WorkingDir":"/app"},'
    '"created":"1970-01-01T00:00:00Z",'
    '"history":[{"created":"1970-01-01T00:00:00Z","created_by":"base"},'
    '{"created":"1970-01-01T00:00:00Z","created_by":"wheels"}],'
    '"os":"linux",'
    f'"rootfs":{{"diff_ids":["sha256:{"b" * 64}","sha256:{"d" * 64}"],"type":"layers"}},'
    '"variant":"v8"}'
)


def arm64(run: RunConfig = RUN) -> Image:
    return image("linux/arm64", run)


def image(platform: str, run: RunConfig = RUN) -> Image:
    oci = parse_platform(platform).oci
    return make_image(oci, [BASE, WHEELS], run, epoch=0, annotations={"org.opencontainers.image.title": "demo"})


def test_json_is_written_in_one_way_only() -> None:
    value = {"b": [1, {"z": None, "y": True}], "a": "é"}
    assert canonical_json(value) == '{"a":"é","b":[1,{"y":true,"z":null}]}'.encode()


@given(st.dictionaries(st.text(st.characters(codec="utf-8")), st.integers() | st.text(st.characters(codec="utf-8"))))
def test_json_does_not_depend_on_the_order_of_keys(value: dict[str, Any]) -> None:
    data = canonical_json(value)
    assert canonical_json(dict(reversed(value.items()))) == data
    assert json.loads(data) == value


def test_a_descriptor_leaves_out_what_is_empty() -> None:
    assert Descriptor(media_type="m", digest="sha256:0", size=3).to_json() == {
        "mediaType": "m",
        "digest": "sha256:0",
        "size": 3,
    }


def test_a_blob_is_described_by_its_own_digest_and_size() -> None:
    # printf '{}' | sha256sum
    blob = json_blob("m", {})
    assert blob.data == b"{}"
    assert blob.descriptor.size == 2
    assert blob.descriptor.digest == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"


def test_a_config_is_known_to_the_byte() -> None:
    config = arm64().config
    assert config.data.decode() == GOLDEN_CONFIG
    assert config.descriptor.media_type == CONFIG


def test_every_layer_has_one_diff_id_and_one_line_of_history() -> None:
    config = json.loads(arm64().config.data)
    assert len(config["history"]) == len(config["rootfs"]["diff_ids"]) == 2


def test_labels_and_ports_are_left_out_when_there_are_none() -> None:
    config = json.loads(arm64(BARE).config.data)["config"]
    assert config == {"Entrypoint": ["/x"], "Env": [], "User": "1", "WorkingDir": "/"}


def test_a_manifest_names_config_and_layers_lowest_first() -> None:
    made = arm64()
    assert json.loads(made.manifest.data) == {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": CONFIG,
            "digest": made.config.descriptor.digest,
            "size": len(made.config.data),
        },
        "layers": [
            {"mediaType": LAYER_GZIP, "digest": "sha256:" + "a" * 64, "size": 10},
            {
                "mediaType": LAYER_GZIP,
                "digest": "sha256:" + "c" * 64,
                "size": 20,
                "annotations": {"a": "2", "z": "1"},
            },
        ],
        "annotations": {"org.opencontainers.image.title": "demo"},
    }


def test_an_index_names_each_image_with_its_platform_in_the_order_given() -> None:
    images = [image("linux/amd64"), image("linux/arm64")]
    index = make_index(images, {"k": "v"})
    value = json.loads(index.data)
    assert index.descriptor.media_type == value["mediaType"] == INDEX
    assert value["schemaVersion"] == 2
    assert value["annotations"] == {"k": "v"}
    assert value["manifests"] == [
        {
            "mediaType": MANIFEST,
            "digest": made.manifest.descriptor.digest,
            "size": len(made.manifest.data),
            "platform": platform,
        }
        for made, platform in zip(
            images,
            [
                {"architecture": "amd64", "os": "linux"},
                {"architecture": "arm64", "os": "linux", "variant": "v8"},
            ],
            strict=True,
        )
    ]


@pytest.mark.parametrize("platform", ["linux/amd64", "linux/amd64/v3", "linux/arm64", "linux/arm/v7", "linux/s390x"])
def test_config_and_index_name_the_same_platform(platform: str) -> None:
    made = image(platform)
    config = json.loads(made.config.data)
    entry = json.loads(make_index([made], {}).data)["manifests"][0]["platform"]
    assert {key: config[key] for key in ("architecture", "os", "variant") if key in config} == entry


def test_the_digest_of_a_small_index_never_changes() -> None:
    index = make_index([image("linux/amd64"), image("linux/arm64")], {})
    assert index.descriptor.digest == "sha256:82102b3fbc8e1b5c6bd3b1ce7afab060de6c6eda5707fd4f3d34fd048c8d4e7b"


@pytest.mark.parametrize(
    ("epoch", "text"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1_700_000_000, "2023-11-14T22:13:20Z"),
        (253_402_300_799, "9999-12-31T23:59:59Z"),
    ],
)
def test_times_are_utc_in_rfc_3339(epoch: int, text: str) -> None:
    assert timestamp(epoch) == text


def test_the_creation_time_is_in_config_and_history() -> None:
    made = make_image({"os": "linux", "architecture": "amd64"}, [BASE], BARE, epoch=1_700_000_000, annotations={})
    config = json.loads(made.config.data)
    assert {config["created"], config["history"][0]["created"]} == {"2023-11-14T22:13:20Z"}
