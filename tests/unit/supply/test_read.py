"""Finding what is attached to an image in a layout, and refusing what only claims to be."""

from __future__ import annotations

import json
import tarfile
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from tests.unit.supply.sample import sha256

from crossdock.cli.main import main
from crossdock.errors import CrossdockError, SbomError
from crossdock.oci.model import CONFIG, INDEX, MANIFEST, Blob, Descriptor, canonical_json, json_blob
from crossdock.supply.attach import artifact_manifest
from crossdock.supply.cyclonedx import CYCLONEDX
from crossdock.supply.read import LayoutImages, read_sbom
from crossdock.supply.spdx import SPDX
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

ARM, AMD = Platform(os="linux", architecture="arm64"), Platform(os="linux", architecture="amd64")


def image(architecture: str) -> Blob:
    config = json_blob(CONFIG, {"architecture": architecture, "os": "linux"})
    value = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config.descriptor.to_json(), "layers": []}
    return json_blob(MANIFEST, value, platform={"os": "linux", "architecture": architecture})


IMAGES = {name: image(name) for name in ("amd64", "arm64")}
ARM_IMAGE = IMAGES["arm64"].descriptor
ROOT = json_blob(
    INDEX,
    {
        "schemaVersion": 2,
        "mediaType": INDEX,
        "manifests": [
            *(item.descriptor.to_json() for item in IMAGES.values()),
            {
                **IMAGES["amd64"].descriptor.to_json(),
                "platform": {"os": "unknown", "architecture": "unknown"},
                "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
            },
        ],
    },
)


def bom(name: str) -> bytes:
    return canonical_json({"name": name})


def write(folder: Path, entries: Iterable[Descriptor | Mapping[str, Any]], blobs: Iterable[Blob]) -> Path:
    path = folder / "layout"
    store = path / "blobs" / "sha256"
    store.mkdir(parents=True)
    (path / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    listed = [entry.to_json() if isinstance(entry, Descriptor) else entry for entry in entries]
    (path / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": listed}))
    for blob in (ROOT, *IMAGES.values(), *blobs):
        (store / blob.descriptor.sha256).write_bytes(blob.data)
    return path


def layout_with(folder: Path, *artifacts: Any, plain: bool = False) -> Path:
    """Write the image with artifacts; ``plain`` lists them without saying what they are, as some tools do."""
    blobs = [blob for item in artifacts for blob in (item.manifest, *item.blobs)]
    entries = [item.manifest.descriptor for item in artifacts]
    if plain:
        entries = [replace(entry, artifact_type="", annotations={}) for entry in entries]
    return write(folder, [ROOT.descriptor, *entries], blobs)


def read(path: Path, kind: str = "spdx", platform: Platform | None = ARM, version: str = "") -> bytes:
    return read_sbom(LayoutImages(path, str(path)), kind, platform=platform, version=version)


def both() -> list[Any]:
    return [
        artifact_manifest(item.descriptor, kind, bom(f"{name} {kind}"))
        for name, item in IMAGES.items()
        for kind in (SPDX, CYCLONEDX)
    ]


def test_each_platform_has_its_own_in_each_format(tmp_path: Path) -> None:
    path = layout_with(tmp_path, *both())
    assert read(path) == bom(f"arm64 {SPDX}")
    assert read(path, platform=AMD) == bom(f"amd64 {SPDX}")
    assert read(path, "cyclonedx") == bom(f"arm64 {CYCLONEDX}")


def test_a_variant_that_is_asked_for_must_be_there(tmp_path: Path) -> None:
    path = layout_with(tmp_path, *both())
    assert read(path, platform=replace(ARM, variant="v8")) == bom(f"arm64 {SPDX}")
    with pytest.raises(SbomError, match="no image for linux/arm64/v9"):
        read(path, platform=replace(ARM, variant="v9"))


def test_several_platforms_and_none_named_is_an_error_that_lists_them(tmp_path: Path) -> None:
    with pytest.raises(SbomError, match="linux/amd64, linux/arm64"):
        read(layout_with(tmp_path, *both()), platform=None)


def test_a_single_manifest_needs_no_platform(tmp_path: Path) -> None:
    path = layout_with(tmp_path, *both(), plain=True)
    assert read(path, platform=None, version=ARM_IMAGE.digest) == bom(f"arm64 {SPDX}")


def test_one_of_the_whole_index_serves_every_platform(tmp_path: Path) -> None:
    path = layout_with(tmp_path, artifact_manifest(ROOT.descriptor, SPDX, bom("all")))
    assert read(path) == bom("all")


def test_the_newest_is_taken(tmp_path: Path) -> None:
    made = [
        artifact_manifest(ARM_IMAGE, SPDX, bom(year), annotations={"org.opencontainers.image.created": year})
        for year in ("2024", "2026", "2025")
    ]
    assert read(layout_with(tmp_path, *made)) == bom("2026")


def test_a_tag_may_stand_in_for_the_list_of_referrers(tmp_path: Path) -> None:
    made = artifact_manifest(ARM_IMAGE, SPDX, bom("by tag"))
    listed = json_blob(INDEX, {"schemaVersion": 2, "manifests": [made.manifest.descriptor.to_json()]})
    tagged = replace(
        listed.descriptor, annotations={"org.opencontainers.image.ref.name": ARM_IMAGE.digest.replace(":", "-")}
    )
    root = replace(ROOT.descriptor, annotations={"org.opencontainers.image.ref.name": "1.0"})
    path = write(tmp_path, [root, tagged], [made.manifest, *made.blobs, listed])
    assert read(path) == read(path, version="1.0") == bom("by tag")


def test_other_manifests_may_be_listed_beside_the_one_with_a_tag(tmp_path: Path) -> None:
    root = replace(ROOT.descriptor, annotations={"org.opencontainers.image.ref.name": "1"})
    made = artifact_manifest(ARM_IMAGE, SPDX, bom("arm64's"))
    entries = [root, *(replace(item.descriptor, platform=None) for item in IMAGES.values()), made.manifest.descriptor]
    assert read(write(tmp_path, entries, [made.manifest, *made.blobs])) == bom("arm64's")


def test_a_layout_in_a_tar_file_is_read_too(tmp_path: Path) -> None:
    path = layout_with(tmp_path, *both())
    with tarfile.open(tmp_path / "layout.tar", "w") as tar:
        tar.add(path, ".")
    assert read(tmp_path / "layout.tar") == bom(f"arm64 {SPDX}")


def test_none_is_an_error_that_says_which_format_there_is(tmp_path: Path) -> None:
    with pytest.raises(SbomError, match="none is attached"):
        read(layout_with(tmp_path))
    path = layout_with(tmp_path / "other", artifact_manifest(ARM_IMAGE, CYCLONEDX, bom("x")))
    with pytest.raises(SbomError, match="ask for --format cyclonedx"):
        read(path)


def test_what_is_about_another_image_is_not_taken(tmp_path: Path) -> None:
    other = artifact_manifest(IMAGES["amd64"].descriptor, SPDX, bom("amd64's"))
    with pytest.raises(SbomError, match="none is attached"):
        read(layout_with(tmp_path, other))


def test_a_changed_payload_is_refused(tmp_path: Path) -> None:
    made = artifact_manifest(ARM_IMAGE, SPDX, bom("right"))
    path = layout_with(tmp_path, made)
    (path / "blobs" / "sha256" / made.payload.descriptor.sha256).write_bytes(bom("wrong"))
    with pytest.raises(CrossdockError, match=made.payload.descriptor.sha256):
        read(path)


@pytest.mark.parametrize("payload", [b"no json", b"[1]", b"[" * 100_000, b"\xff"])
def test_a_payload_that_is_no_document_is_refused(payload: bytes, tmp_path: Path) -> None:
    with pytest.raises(SbomError, match="bill of materials"):
        read(layout_with(tmp_path, artifact_manifest(ARM_IMAGE, SPDX, payload)))


@pytest.mark.parametrize("layers", [None, [], [1], "x", [{"digest": "sha256:x"}], [{}, {}]])
def test_an_artifact_that_carries_nothing_is_refused(layers: Any, tmp_path: Path) -> None:
    value = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": SPDX,
        "subject": ARM_IMAGE.to_json(),
        "layers": layers,
    }
    blob = json_blob(MANIFEST, value, artifact_type=SPDX)
    with pytest.raises(SbomError, match="carries no bill of materials"):
        read(write(tmp_path, [ROOT.descriptor, blob.descriptor], [blob]))


def test_one_that_is_said_to_be_huge_is_not_read(tmp_path: Path) -> None:
    payload = {"mediaType": SPDX, "digest": "sha256:" + "0" * 64, "size": 1 << 40}
    value = {"mediaType": MANIFEST, "artifactType": SPDX, "subject": ARM_IMAGE.to_json(), "layers": [payload]}
    blob = json_blob(MANIFEST, value, artifact_type=SPDX)
    with pytest.raises(SbomError, match="too large"):
        read(write(tmp_path, [ROOT.descriptor, blob.descriptor], [blob]))


def test_the_command_prints_what_is_attached_byte_for_byte(tmp_path: Path, capfdbinary: Any) -> None:
    path = layout_with(tmp_path, *both())
    assert main(["sbom", str(path), "--platform", "linux/arm64", "--format", "cyclonedx"]) == 0
    assert capfdbinary.readouterr() == (bom(f"arm64 {CYCLONEDX}"), b"")
    assert main(["sbom", f"oci:{path}@{ROOT.descriptor.digest}", "--platform", "linux/amd64"]) == 0
    assert capfdbinary.readouterr() == (bom(f"amd64 {SPDX}"), b"")


def test_the_command_writes_a_file_whole_or_not_at_all(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, output = layout_with(tmp_path, *both()), tmp_path / "out" / "app.spdx.json"
    assert main(["sbom", str(path), "--platform", "linux/arm64", "--output", str(output)]) == 0
    assert sha256(output.read_bytes()) == sha256(bom(f"arm64 {SPDX}"))
    assert capsys.readouterr() == ("", "")
    assert main(["sbom", str(path), "--platform", "linux/s390x", "--output", str(tmp_path / "no")]) == 79
    assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--platform", "linux"], 2),
        (["--platform", "linux//v8"], 2),
        (["--target", "linux/arm64"], 2),
        (["--platform", "linux/arm64"], 79),
        (["--format", "xml"], 2),
    ],
)
def test_a_wrong_question_has_its_exit_code(
    arguments: list[str], code: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = layout_with(tmp_path)
    assert main(["sbom", str(path), *arguments]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")


def test_what_is_neither_image_nor_project_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["sbom", str(tmp_path)]) == 11
    assert main(["sbom", "Not A Reference"]) == 71
    (tmp_path / "file").write_text("x")
    assert main(["sbom", str(tmp_path / "file")]) != 0
    assert "Traceback" not in capsys.readouterr().err
