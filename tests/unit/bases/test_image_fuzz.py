"""Whatever is done to a base image, it is refused with a reason or read: nothing else ever happens."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.basemaker import CONFIG, INDEX, MANIFEST, ArchiveMaker, LayoutMaker, layer

from crossdock.bases.images import resolve_image
from crossdock.bases.manifests import find_manifest
from crossdock.errors import CrossdockError
from crossdock.oci.docker_archive import DockerArchiveSource
from crossdock.oci.layout_source import LayoutSource
from crossdock.oci.model import Descriptor
from crossdock.targets import parse_platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.oci.content import ImageSource

PLATFORM = parse_platform("linux/amd64")
ONE, TWO = layer(etc=b"one" * 100), layer(usr=b"two" * 100)

JUNK: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=5,
)
SETTINGS = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def read_all(source: ImageSource) -> None:
    """Resolve an image and read its layers, as far as that goes."""
    with suppress(CrossdockError):
        found = resolve_image(source, "", PLATFORM)
        for item in found.layers:
            wanted = Descriptor(media_type=item.media_type, digest=item.digest, size=item.size)
            with source.open_blob(wanted) as stream:
                assert sum(map(len, iter(lambda: stream.read(4096), b""))) == item.size


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """List every place in a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*path, key)
        yield from places(item, (*path, key))


def spoil(document: Any, data: st.DataObject) -> Any:
    """Put junk in some place, or remove it."""
    path = data.draw(st.sampled_from(list(places(document))))
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    if data.draw(st.booleans()):
        holder[path[-1]] = data.draw(JUNK)
    else:
        del holder[path[-1]]
    return document


@given(data=st.data())
@SETTINGS
@pytest.mark.parametrize("kind", ["index", "manifest", "config", "index.json"])
def test_documents_with_junk_in_them(tmp_path_factory: pytest.TempPathFactory, kind: str, data: st.DataObject) -> None:
    maker = LayoutMaker(tmp_path_factory.mktemp("fuzz") / "base")
    image = maker.image("amd64", ONE, TWO)
    manifest = json.loads(maker.file(image["digest"]).read_bytes())
    config = json.loads(maker.file(manifest["config"]["digest"]).read_bytes())
    manifest["config"] = maker.json(spoil(config, data) if kind == "config" else config, CONFIG)
    entry = maker.json(spoil(manifest, data) if kind == "manifest" else manifest, MANIFEST)
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [{**entry, "platform": image["platform"]}]}
    root = maker.json(spoil(index, data) if kind == "index" else index, INDEX)
    maker.finish(root)
    if kind == "index.json":
        path = maker.path / "index.json"
        path.write_text(json.dumps(spoil(json.loads(path.read_text()), data)))
    read_all(LayoutSource(maker.path, "oci:base"))


@given(data=st.data())
@SETTINGS
def test_a_docker_archives_documents_with_junk_in_them(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    maker = ArchiveMaker(tmp_path_factory.mktemp("fuzz") / "base.tar")
    maker.image("amd64", ONE, TWO, tags=["a:1"])
    spoil(maker.listed, data)
    maker.finish()
    read_all(DockerArchiveSource(maker.path, "docker-archive:base.tar"))


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    folder = tmp_path_factory.mktemp("archives")
    docker = ArchiveMaker(folder / "docker.tar")
    docker.image("amd64", ONE, TWO)
    layout = LayoutMaker(folder / "base")
    layout.finish(layout.index(layout.image("amd64", ONE, TWO)))
    return [docker.finish().read_bytes(), layout.archive(folder / "layout.tar").read_bytes()]


@given(data=st.data())
@SETTINGS
def test_archives_with_other_bytes_in_them(
    tmp_path_factory: pytest.TempPathFactory, archives: list[bytes], data: st.DataObject
) -> None:
    number = data.draw(st.integers(0, 1))
    content = bytearray(archives[number])
    for _ in range(data.draw(st.integers(1, 4))):
        # Most of an archive is zeros: headers are where it gets interesting.
        block = data.draw(st.sampled_from([at for at in range(0, len(content) - 512, 512) if content[at]]))
        content[block + data.draw(st.integers(0, 511))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content))) :]
    path = tmp_path_factory.mktemp("fuzz") / "base.tar"
    path.write_bytes(content)
    for source in (DockerArchiveSource(path, "docker-archive:x"), LayoutSource(path, "oci:x")):
        read_all(source)


def test_the_untouched_ones_are_read(archives: list[bytes], tmp_path: Path) -> None:
    (tmp_path / "docker.tar").write_bytes(archives[0])
    (tmp_path / "layout.tar").write_bytes(archives[1])
    for source in (DockerArchiveSource(tmp_path / "docker.tar", "x"), LayoutSource(tmp_path / "layout.tar", "x")):
        assert find_manifest(source, "", PLATFORM).descriptor.digest
        read_all(source)
