"""Images are read from layouts and docker archives, and nothing of them is believed that was not checked."""

from __future__ import annotations

import gzip
import json
import tarfile
from typing import TYPE_CHECKING

import pytest
from tests.support.basemaker import GZIP, INDEX, MANIFEST, TAR, ArchiveMaker, LayoutMaker, digest_of, layer

from crossdock.errors import BaseImageError
from crossdock.oci.content import MANIFEST_LIMIT, ImageSource
from crossdock.oci.docker_archive import DockerArchiveSource
from crossdock.oci.layout_source import LayoutSource
from crossdock.oci.model import Descriptor

if TYPE_CHECKING:
    from pathlib import Path

LOW, HIGH = layer(etc=b"low"), layer(usr=b"high" * 1000)
TAG = "org.opencontainers.image.ref.name"


def read(source: ImageSource, descriptor: Descriptor) -> bytes:
    with source.open_blob(descriptor) as stream:
        return b"".join(iter(lambda: stream.read(1000), b""))


def layers_of(source: ImageSource, version: str = "") -> list[bytes]:
    manifest = json.loads(source.manifest(version).data)
    return [read(source, Descriptor.from_json(item)) for item in manifest["layers"]]


# Layouts.


def test_the_one_image_of_a_layout_needs_no_name(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    image = maker.image("arm64", LOW, HIGH)
    source = LayoutSource(maker.finish(image), "oci:base")

    blob = source.manifest()

    assert (blob.descriptor.digest, blob.descriptor.media_type) == (image["digest"], MANIFEST)
    assert layers_of(source) == [LOW.packed, HIGH.packed]
    config = Descriptor.from_json(json.loads(blob.data)["config"])
    assert json.loads(source.small_blob(config))["architecture"] == "arm64"
    assert source.name == "oci:base"


def test_a_layout_in_a_tar_file_is_the_same(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    maker.finish(maker.index(maker.image("arm64", LOW), maker.image("amd64", HIGH)))
    folder, archive = LayoutSource(maker.path, "x"), LayoutSource(maker.archive(tmp_path / "base.tar"), "x")

    assert archive.manifest() == folder.manifest()
    digest = json.loads(folder.manifest().data)["manifests"][1]["digest"]
    assert archive.manifest(digest) == folder.manifest(digest)
    assert layers_of(archive, digest) == [HIGH.packed]


def test_tags_and_digests_choose_among_several_images(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    one, two = maker.image("arm64", LOW), maker.image("arm64", HIGH)
    entries = [{**one, "annotations": {TAG: "1.0"}}, {**two, "annotations": {TAG: "registry.example/team/app:2.0"}}]
    source = LayoutSource(maker.finish(*entries), "oci:base")

    assert layers_of(source, "1.0") == [LOW.packed]
    assert layers_of(source, "2.0") == layers_of(source, "registry.example/team/app:2.0") == [HIGH.packed]
    assert layers_of(source, str(one["digest"])) == [LOW.packed]
    for version in ("", "3.0", "sha256:" + "0" * 64):
        with pytest.raises(BaseImageError) as caught:
            source.manifest(version)
        assert "1.0" in caught.value.why


def test_entries_for_platforms_of_one_image_are_its_index(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    signature = {**maker.json({}, MANIFEST), "artifactType": "application/example"}
    source = LayoutSource(maker.finish(maker.image("arm64", LOW), maker.image("amd64", LOW), signature), "x")

    assert source.manifest().descriptor.media_type == INDEX
    assert source.manifest().data == (maker.path / "index.json").read_bytes()
    assert source.manifest(source.manifest().descriptor.digest) == source.manifest()


def test_artifacts_beside_an_image_are_no_images(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    image = maker.image("arm64", LOW)
    signature = {**maker.json({}, MANIFEST), "artifactType": "application/example"}
    attestation = {**maker.json({"a": 1}, MANIFEST), "annotations": {"vnd.docker.reference.type": "attestation"}}

    assert (
        LayoutSource(maker.finish(signature, image, attestation), "x").manifest().descriptor.digest == image["digest"]
    )
    with pytest.raises(BaseImageError, match="holds no image"):
        LayoutSource(maker.finish(signature), "x").manifest()


def test_a_changed_blob_is_noticed_with_its_last_byte(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    image = maker.image("arm64", LOW)
    source = LayoutSource(maker.finish(image), "oci:base")
    wanted = Descriptor.from_json(json.loads(source.manifest().data)["layers"][0])
    path = maker.file(wanted.digest)
    good = path.read_bytes()

    path.write_bytes(good[:-1] + b"!")
    with source.open_blob(wanted) as stream:
        assert stream.read(10) == good[:10]
        with pytest.raises(BaseImageError, match="its digest is") as caught:
            list(iter(lambda: stream.read(10), b""))
    assert wanted.digest in caught.value.what
    for wrong in (good + b"\0", good[:-1]):
        path.write_bytes(wrong)
        with pytest.raises(BaseImageError, match="are said"), source.open_blob(wanted):
            pass
    path.unlink()
    with pytest.raises(BaseImageError, match="not there"), source.open_blob(wanted):
        pass
    manifest = maker.file(str(image["digest"]))
    manifest.write_bytes(manifest.read_bytes().replace(b"size", b"SIZE"))
    with pytest.raises(BaseImageError, match="its digest is"):
        source.manifest()


def test_what_is_too_large_for_a_manifest_is_not_read(tmp_path: Path) -> None:
    maker = LayoutMaker(tmp_path / "base")
    large = maker.blob(bytes(MANIFEST_LIMIT + 1), MANIFEST)
    with pytest.raises(BaseImageError, match="at most"):
        LayoutSource(maker.finish(large), "x").manifest()


@pytest.mark.parametrize("index", ["[]", "{}", '{"manifests": 3}', '{"manifests": [3]}', "what?", "[" * 100_000])
def test_a_malformed_index_is_refused(tmp_path: Path, index: str) -> None:
    maker = LayoutMaker(tmp_path / "base")
    maker.finish()
    (maker.path / "index.json").write_text(index)
    with pytest.raises(BaseImageError):
        LayoutSource(maker.path, "oci:base").manifest()


def test_a_layout_that_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("what?")
    (tmp_path / "folder").mkdir()
    for name in ("nothing", "file", "folder"):
        with pytest.raises(BaseImageError) as caught:
            LayoutSource(tmp_path / name, f"oci:{name}").manifest()
        assert caught.value.hint


# Docker archives.


def archive_source(maker: ArchiveMaker) -> DockerArchiveSource:
    return DockerArchiveSource(maker.finish(), "docker-archive:base.tar")


def test_an_archive_gets_a_manifest_with_its_tars_as_layers(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    maker.image("arm64", LOW, HIGH, variant="v8")
    source = archive_source(maker)

    manifest = json.loads(source.manifest().data)

    assert [(item["mediaType"], item["digest"]) for item in manifest["layers"]] == [
        (TAR, LOW.diff_id),
        (TAR, HIGH.diff_id),
    ]
    assert layers_of(source) == [LOW.tar, HIGH.tar]
    config = Descriptor.from_json(manifest["config"])
    assert digest_of(source.small_blob(config)) == config.digest
    again = DockerArchiveSource(maker.path, "another name")
    assert again.manifest() == source.manifest() == source.manifest(source.manifest().descriptor.digest)


def test_links_doubles_and_compressed_layers_are_followed(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    first = maker.add("aaa/layer.tar", LOW.tar)
    second = maker.add("bbb/layer.tar", link="../aaa/layer.tar")
    third = maker.add("ccc/layer.tar", HIGH.packed)
    maker.add("aaa/layer.tar", LOW.tar)
    maker.image("amd64", LOW, LOW, HIGH, names=[first, second, third])
    source = archive_source(maker)

    kinds = [item["mediaType"] for item in json.loads(source.manifest().data)["layers"]]

    assert kinds == [TAR, TAR, GZIP]
    assert layers_of(source) == [LOW.tar, LOW.tar, HIGH.packed]


def test_the_layout_within_newer_archives_gives_the_names_of_layers(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    name = maker.add(f"blobs/sha256/{digest_of(HIGH.packed)[7:]}", HIGH.packed)
    lie = maker.add(f"blobs/sha256/{'0' * 64}", gzip.compress(LOW.tar))
    maker.image("amd64", HIGH, LOW, names=[name, lie])
    source = archive_source(maker)

    digests = [item["digest"] for item in json.loads(source.manifest().data)["layers"]]

    assert digests == [digest_of(HIGH.packed), "sha256:" + "0" * 64]
    with pytest.raises(BaseImageError, match="its digest is"):
        layers_of(source)


def test_names_choose_among_several_images_and_platforms_make_an_index(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    maker.image("amd64", LOW, tags=["localhost/team/app:1.0"])
    maker.image("amd64", HIGH, tags=["localhost/team/app:2.0", "app:new"])
    source = archive_source(maker)

    assert layers_of(source, "1.0") == layers_of(source, "team/app:1.0") == [LOW.tar]
    assert layers_of(source, "new") == layers_of(source, "localhost/team/app:2.0") == [HIGH.tar]
    for version in ("", "3.0", "app", "sha256:" + "0" * 64):
        with pytest.raises(BaseImageError) as caught:
            source.manifest(version)
        assert "localhost/team/app:1.0" in caught.value.why

    other = ArchiveMaker(tmp_path / "both.tar")
    other.image("amd64", LOW)
    other.image("arm64", HIGH, variant="v8")
    index = json.loads(archive_source(other).manifest().data)
    assert [entry["platform"]["architecture"] for entry in index["manifests"]] == ["amd64", "arm64"]
    source = DockerArchiveSource(other.path, "x")
    assert layers_of(source, index["manifests"][1]["digest"]) == [HIGH.tar]
    assert source.manifest(source.manifest().descriptor.digest) == source.manifest()


def test_a_layer_that_is_not_the_one_of_its_diff_id_is_noticed(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    maker.image("amd64", LOW, names=[maker.add("layer.tar", HIGH.tar)])
    with pytest.raises(BaseImageError, match="its digest is"):
        layers_of(archive_source(maker))


@pytest.mark.parametrize(
    ("listed", "message"),
    [
        ({}, "not a list"),
        ([3], "no list of Layers"),
        ([{"Config": "c.json"}], "no list of Layers"),
        ([{"Config": "c.json", "Layers": [3]}], "no text"),
        ([{"Config": "c.json", "Layers": ["../../etc/passwd"]}], "not there"),
        ([{"Config": "c.json", "Layers": ["loop"]}], "not there"),
        ([{"Config": "c.json", "Layers": ["out"]}], "not there"),
        ([{"Config": "c.json", "Layers": []}], "1 diff_ids"),
        ([{"Config": "twice.json", "Layers": ["l.tar"]}], "twice"),
        ([{"Config": "large.json", "Layers": ["l.tar"]}], "at most"),
        ([{"Config": "/etc/passwd", "Layers": ["l.tar"]}], "not there"),
        ([{"Config": "l.tar", "Layers": ["l.tar"]}], "not JSON"),
        ([{"Config": "c.json", "Layers": ["l.tar"] * 2000}], "more than"),
        ([{"Config": "c.json", "Layers": ["l.tar"]}] * 101, "at most"),
    ],
)
def test_an_archive_that_is_not_what_docker_writes_is_refused(tmp_path: Path, listed: object, message: str) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    maker.add("l.tar", LOW.tar)
    maker.add("loop", link="loop")
    maker.add("out", link="../../../../etc/passwd")
    maker.add("c.json", json.dumps({"rootfs": {"diff_ids": [LOW.diff_id]}}).encode())
    for _ in range(2):
        maker.add("twice.json", b"{}")
    maker.add("large.json", bytes(MANIFEST_LIMIT + 1))
    maker.listed = listed  # type: ignore[assignment]
    with pytest.raises(BaseImageError) as caught:
        archive_source(maker).manifest()
    assert message in str(caught.value)
    assert caught.value.hint


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "text").write_text("what?")
    with tarfile.open(tmp_path / "gz", "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("manifest.json"))
    empty = tmp_path / "empty"
    with tarfile.open(empty, "w"):
        pass
    for name in ("nothing", "text", "gz", "empty", "."):
        with pytest.raises(BaseImageError) as caught:
            DockerArchiveSource(tmp_path / name, f"docker-archive:{name}").manifest()
        assert caught.value.hint


def test_a_header_that_asks_for_much_memory_is_refused(tmp_path: Path) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.pax_headers = {"comment": "x" * (2 << 20)}
    with tarfile.open(tmp_path / "base.tar", "w", format=tarfile.PAX_FORMAT) as archive:
        archive.addfile(info)
    with pytest.raises(BaseImageError, match="a header of"):
        DockerArchiveSource(tmp_path / "base.tar", "x").manifest()


def test_an_archive_that_was_cut_off_is_noticed(tmp_path: Path) -> None:
    maker = ArchiveMaker(tmp_path / "base.tar")
    maker.image("amd64", LOW)
    maker.finish()
    whole = DockerArchiveSource(maker.path, "x")
    descriptor = Descriptor.from_json(json.loads(whole.manifest().data)["layers"][0])
    maker.path.write_bytes(maker.path.read_bytes()[:1000])
    with pytest.raises(BaseImageError, match="too early"):
        read(whole, descriptor)
