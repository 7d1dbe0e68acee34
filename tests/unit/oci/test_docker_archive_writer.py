"""Archives as ``docker save`` writes them: unpacked layers, the same bytes always, whole or not at all."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from typing import TYPE_CHECKING

import pytest
import zstandard
from tests.unit.oci.test_image import RUN

from crossdock.errors import DamagedLayerError, LayerUnreadableError, OutputError
from crossdock.layers import tar
from crossdock.oci.docker_archive_writer import write_docker_archive
from crossdock.oci.image import Image, Layer, make_image
from crossdock.oci.model import DOCKER_LAYER_GZIP, LAYER_GZIP, LAYER_TAR, LAYER_ZSTD
from crossdock.oci.profile import DOCKER, OCI
from crossdock.oci.reference import parse_reference

if TYPE_CHECKING:
    from pathlib import Path

REFERENCE = parse_reference("registry.example:5000/team/app:1.0")


def tarred(name: str, content: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


RAW = tarred("text", b"hello\n" * 5000)
GZIP = gzip.compress(RAW[:9000], mtime=0) + gzip.compress(RAW[9000:], mtime=0)


def layer(blob: bytes, media_type: str, raw: bytes = RAW) -> Layer:
    digest, diff_id = (hashlib.sha256(data).hexdigest() for data in (blob, raw))
    return Layer(digest=digest, size=len(blob), diff_id=diff_id, created_by="test", media_type=media_type)


def image(*layers: Layer) -> Image:
    docker = any(item.media_type == DOCKER_LAYER_GZIP for item in layers)
    return make_image(
        {"os": "linux", "architecture": "amd64"},
        layers,
        RUN,
        epoch=0,
        annotations={},
        profile=DOCKER if docker else OCI,
    )


def members(path: Path) -> dict[str, bytes]:
    with tarfile.open(path, "r:") as archive:
        found = {}
        for info in archive:
            stream = archive.extractfile(info)
            assert stream
            assert info.name not in found
            found[info.name] = stream.read()
    return found


@pytest.mark.parametrize(
    ("media_type", "blob"),
    [
        (LAYER_GZIP, GZIP),
        (DOCKER_LAYER_GZIP, GZIP),
        (LAYER_TAR, RAW),
        (LAYER_ZSTD, zstandard.compress(RAW)),
    ],
)
@pytest.mark.parametrize("from_file", [False, True])
def test_layers_are_unpacked_and_named_by_their_diff_id(
    tmp_path: Path, media_type: str, blob: bytes, *, from_file: bool
) -> None:
    made = image(layer(blob, media_type))
    source = tmp_path / "blob"
    source.write_bytes(blob)
    path = tmp_path / "image.tar"
    write_docker_archive(path, made, REFERENCE, {made.layers[0].descriptor.digest: source if from_file else blob})
    found = members(path)
    [listed] = json.loads(found.pop("manifest.json"))
    assert listed["RepoTags"] == ["registry.example:5000/team/app:1.0"]
    assert found.pop(listed["Config"]) == made.config.data
    assert listed["Config"] == hashlib.sha256(made.config.data).hexdigest() + ".json"
    assert found == {listed["Layers"][0]: RAW}
    assert json.loads(made.config.data)["rootfs"]["diff_ids"] == [
        f"sha256:{name.removesuffix('.tar')}" for name in listed["Layers"]
    ]


def test_the_bytes_do_not_depend_on_how_layers_were_compressed(tmp_path: Path) -> None:
    for number, (media_type, blob) in enumerate([(LAYER_GZIP, GZIP), (LAYER_ZSTD, zstandard.compress(RAW))]):
        made = image(layer(blob, media_type))
        write_docker_archive(tmp_path / f"{number}.tar", made, REFERENCE, {made.layers[0].descriptor.digest: blob})
    archive = (tmp_path / "0.tar").read_bytes()
    assert archive == (tmp_path / "1.tar").read_bytes()
    assert hashlib.sha256(archive).hexdigest() == "30da2685c51ab0ec5a16d9721d9ce505cb8846a1255553dc821dd25f8a451c8f"


def test_one_tar_that_is_a_layer_twice_is_written_once(tmp_path: Path) -> None:
    once, again = layer(GZIP, LAYER_GZIP), layer(RAW, LAYER_TAR)
    made = image(once, again)
    blobs: dict[str, bytes | Path] = {once.descriptor.digest: GZIP, again.descriptor.digest: RAW}
    write_docker_archive(tmp_path / "image.tar", made, REFERENCE, blobs)
    found = members(tmp_path / "image.tar")
    [listed] = json.loads(found["manifest.json"])
    assert len(listed["Layers"]) == 2
    assert len(found) == 3


def test_a_reference_by_digest_gives_no_name(tmp_path: Path) -> None:
    made = image(layer(GZIP, LAYER_GZIP))
    reference = parse_reference(f"app@sha256:{'a' * 64}")
    write_docker_archive(tmp_path / "image.tar", made, reference, {made.layers[0].descriptor.digest: GZIP})
    assert json.loads(members(tmp_path / "image.tar")["manifest.json"])[0]["RepoTags"] == []


def test_sizes_past_what_a_plain_header_holds_get_a_longer_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tar, "_LARGEST_OCTAL_SIZE", len(RAW) - 1)  # else 8 GiB
    made = image(layer(GZIP, LAYER_GZIP))
    write_docker_archive(tmp_path / "image.tar", made, REFERENCE, {made.layers[0].descriptor.digest: GZIP})
    assert members(tmp_path / "image.tar")[f"{made.layers[0].diff_id}.tar"] == RAW


@pytest.mark.parametrize("damage", [lambda blob: blob[:-9], lambda blob: blob + gzip.compress(b""), lambda _: b""])
def test_a_layer_damaged_in_the_cache_is_found_and_nothing_is_left(tmp_path: Path, damage: object) -> None:
    assert callable(damage)
    made = image(layer(GZIP, LAYER_GZIP))
    blob = tmp_path / "blob"
    blob.write_bytes(damage(GZIP))
    with pytest.raises(DamagedLayerError) as caught:
        write_docker_archive(tmp_path / "image.tar", made, REFERENCE, {made.layers[0].descriptor.digest: blob})
    assert caught.value.digest == made.layers[0].descriptor.digest
    assert [item.name for item in tmp_path.iterdir()] == ["blob"]


def test_a_layer_that_is_not_what_the_config_says_is_refused(tmp_path: Path) -> None:
    made = image(layer(GZIP, LAYER_GZIP, raw=b"another"))
    with pytest.raises(LayerUnreadableError, match="does not unpack to what the image's config says"):
        write_docker_archive(tmp_path / "image.tar", made, REFERENCE, {made.layers[0].descriptor.digest: GZIP})
    assert not list(tmp_path.iterdir())


def test_an_archive_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    made = image(layer(GZIP, LAYER_GZIP))
    with pytest.raises(OutputError, match="cannot be written") as caught:
        write_docker_archive(tmp_path / "file" / "x.tar", made, REFERENCE, {made.layers[0].descriptor.digest: GZIP})
    assert "--docker-archive" in caught.value.hint


MEMORY = """
import gzip, hashlib, sys
from pathlib import Path
from crossdock.oci.docker_archive_writer import write_docker_archive
from crossdock.oci.image import Layer, RunConfig, make_image
from crossdock.oci.reference import parse_reference

def peak():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))

def write(megabytes):
    path, raw = folder / f"{megabytes}.gz", hashlib.sha256()
    with gzip.open(path, "wb", 1) as out:
        for _ in range(megabytes):
            out.write(bytes(1 << 20))
            raw.update(bytes(1 << 20))
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    layer = Layer(digest=digest, size=path.stat().st_size, diff_id=raw.hexdigest(), created_by="")
    run = RunConfig(entrypoint=("/x",), env={}, labels={}, ports=(), user="0", working_dir="/")
    image = make_image({"os": "linux", "architecture": "amd64"}, [layer], run, epoch=0, annotations={})
    write_docker_archive(folder / "image.tar", image, parse_reference("app"), {f"sha256:{digest}": path})

folder = Path(sys.argv[1])
write(8)
before = peak()
write(400)
print(peak() - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads the kernel's own account of the process")
def test_memory_does_not_grow_with_layers(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", MEMORY, str(tmp_path)], capture_output=True, text=True, check=True)
    assert int(done.stdout) < 10 * 1024  # KiB
    (tmp_path / "image.tar").unlink()
