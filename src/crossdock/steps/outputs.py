"""What becomes of a finished image: a layout, an archive, a push, an engine."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from crossdock.errors import DamagedLayerError, OutputError
from crossdock.oci.image import check_single, one_image, one_manifest
from crossdock.oci.layout import check_output, write_layout, write_layout_tar
from crossdock.oci.model import LAYER_ZSTD, Descriptor
from crossdock.oci.profile import OCI
from crossdock.steps.stack import LayerForm

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from crossdock.engines import Engine, Loaded
    from crossdock.oci.image import Image, Root
    from crossdock.oci.profile import Profile
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import PushedBlob, Repository
    from crossdock.services import Services
    from crossdock.steps.making import FinishedLayer

__all__ = ["Finished", "Outputs", "Pushed", "check_outputs", "check_pushes", "write_outputs"]

_ONE_ARCHIVE = ("a docker archive", "write an archive for each")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What is wanted of a build.

    Attributes:
        reference: Name and tag that layouts, archives and engines record.
        layout: Folder of an OCI layout, or a path ending in ``.tar``.
        docker_archive: File as ``docker save`` writes it.
        push: References to push to; each repository gets the image once.
        load: Name of the engine to load it into, empty for whichever runs; None for none.
        cache_from: Images in registries whose layers need not be made again.
        profile: Form of the image.
        form: How layers are wanted.
        attachments: Whether bills of materials and provenance are attached to what is pushed.
    """

    reference: Reference
    layout: Path | None = None
    docker_archive: Path | None = None
    push: tuple[Reference, ...] = ()
    load: str | None = None
    cache_from: tuple[Reference, ...] = ()
    profile: Profile = OCI
    form: LayerForm = field(default_factory=LayerForm)
    attachments: bool = True

    @property
    def attaches(self) -> bool:
        """Whether anything is attached."""
        return bool(self.push) and self.attachments and self.profile.attachments

    @property
    def needs_bytes(self) -> bool:
        """Whether every layer has to be here: all but a push write them."""
        return self.layout is not None or self.docker_archive is not None or self.load is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """An image with everything that belongs to it.

    Attributes:
        root: The index, or the one manifest.
        images: One for each target.
        layers: All layers by digest.
        mountable: Registry and repository of the places that hold a layer, by its digest.
    """

    root: Root
    images: tuple[Image, ...]
    layers: Mapping[str, FinishedLayer]
    mountable: Mapping[str, Sequence[tuple[str, str]]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pushed:
    """What a push to one repository came to.

    Attributes:
        name: The repository, with its registry.
        tags: The tags that name the image now.
        uploaded: How many configs and layers were sent.
        present: How many were there, or came from a neighbouring repository.
        bytes_sent: Of those sent.
    """

    name: str
    tags: tuple[str, ...]
    uploaded: int
    present: int
    bytes_sent: int


def check_outputs(outputs: Outputs, platforms: Sequence[Mapping[str, str]]) -> Engine | None:
    """Refuse what would be refused in the end, before any work is done for it.

    Args:
        outputs: What is wanted.
        platforms: What the image is for, as OCI's objects.

    Returns:
        The engine to load the image into, if that is wanted.

    Raises:
        OutputError: Something is where an output would go that must not be lost.
        ProfileError: An output is for one platform, and several are asked for.
        CompressionError: The profile's readers know no zstd.
        EngineLoadError: There is no engine to load the image into, or none of the platforms is its own.
    """
    if outputs.layout is not None:
        check_output(outputs.layout)
    if outputs.docker_archive is not None:
        check_output(outputs.docker_archive, option="--docker-archive")
        check_single(platforms, *_ONE_ARCHIVE)
        if outputs.layout is not None and os.path.realpath(outputs.layout) == os.path.realpath(outputs.docker_archive):
            raise OutputError(f"--output and --docker-archive both name {outputs.layout}", hint="name two files")
    if not outputs.profile.indexed:
        check_single(platforms, *one_manifest(outputs.profile))
    if outputs.form.compression == "zstd":
        outputs.profile.layer(LAYER_ZSTD)
    if outputs.load is None:
        return None
    from crossdock.engines import find_engine

    engine = find_engine(outputs.load)
    engine.choose(platforms)
    return engine


def check_pushes(outputs: Outputs, services: Services) -> None:
    """See that every repository may be pushed to, before any work is done for it.

    Raises:
        RegistryError: One may not, or cannot be reached.
    """
    for reference in {(item.registry, item.repository): item for item in outputs.push}.values():
        services.repository(reference).check_push()


def write_outputs(
    outputs: Outputs, finished: Finished, services: Services, engine: Engine | None
) -> tuple[Loaded | None, tuple[Pushed, ...]]:
    """Write an image everywhere it is wanted; to registries last, as that cannot be taken back.

    Returns:
        What the engine holds now, if there is one, and what came to registries.

    Raises:
        OutputError: A file cannot be written.
        EngineLoadError: The engine refuses the image.
        RegistryError: A registry does.
        DamagedLayerError: A layer in the store is not what it was; it was removed from there.
    """
    try:
        if outputs.layout is not None:
            _write_layout(outputs.layout, outputs.reference, finished, services)
        if outputs.docker_archive is not None:
            from crossdock.oci.docker_archive_writer import write_docker_archive

            image = one_image(finished.images, *_ONE_ARCHIVE)
            write_docker_archive(outputs.docker_archive, image, outputs.reference, _contents(finished, services))
        loaded = None
        if engine is not None:
            loaded = engine.load(finished.root, finished.images, outputs.reference, _contents(finished, services))
        return loaded, tuple(_push(outputs, finished, services))
    except DamagedLayerError as error:
        services.store.discard(error.digest.removeprefix("sha256:"))
        raise


def _contents(finished: Finished, services: Services) -> dict[str, bytes | Path]:
    """Give everything the image consists of by digest; all layers are in the store."""
    blobs: dict[str, bytes | Path] = {finished.root.blob.descriptor.digest: finished.root.blob.data}
    for image in finished.images:
        blobs |= {blob.descriptor.digest: blob.data for blob in (image.manifest, image.config)}
        blobs |= {layer.descriptor.digest: services.store.path(layer.digest) for layer in image.layers}
    return blobs


def _write_layout(path: Path, reference: Reference, finished: Finished, services: Services) -> None:
    root = finished.root.blob.descriptor
    named = Descriptor(
        media_type=root.media_type,
        digest=root.digest,
        size=root.size,
        annotations={
            "io.containerd.image.name": str(reference),
            "org.opencontainers.image.ref.name": reference.tag,
        },
    )
    write = write_layout_tar if path.suffix == ".tar" else write_layout
    write(path, named, _contents(finished, services))


def _push(outputs: Outputs, finished: Finished, services: Services) -> Iterator[Pushed]:
    from crossdock.oci.registry import push_image

    tags: dict[str, list[Reference]] = {}
    for reference in outputs.push:
        tags.setdefault(f"{reference.registry}/{reference.repository}", []).append(reference)
    done: dict[str, list[str]] = {}
    for references in tags.values():
        reference = references[0]
        repository = services.repository(reference)
        pushed = done.setdefault(repository.registry, [])
        stats = push_image(
            repository,
            finished.root.blob,
            finished.root.manifests,
            _blobs(finished, repository.name, services),
            tags=[item.tag for item in references],
            mount_from=_neighbours(finished, repository, pushed),
            progress=services.progress,
        )
        pushed.append(repository.path)
        yield Pushed(
            name=reference.name,
            tags=tuple(item.tag for item in references),
            uploaded=stats.uploaded,
            present=stats.present + stats.mounted,
            bytes_sent=stats.bytes_sent,
        )


def _blobs(finished: Finished, name: str, services: Services) -> Iterator[PushedBlob]:
    from crossdock.oci.registry import PushedBlob, Remote

    for image in finished.images:
        yield PushedBlob(image.config.descriptor, image.config.data)
        for layer in image.layers:
            remote = finished.layers[layer.digest].remote
            if remote is None:
                yield PushedBlob(layer.descriptor, services.store.path(layer.digest))
            elif remote.repository.name == name:
                yield PushedBlob(layer.descriptor, None)
            else:
                yield PushedBlob(layer.descriptor, Remote(remote.repository))


def _neighbours(finished: Finished, target: Repository, pushed: Sequence[str]) -> dict[str, list[str]]:
    """Name the repositories of the target's registry that hold a layer, those that were pushed to just now first."""
    found: dict[str, list[str]] = {}
    for digest in (f"sha256:{sha256}" for sha256 in finished.layers):
        places = finished.mountable.get(digest, ())
        names = [*pushed, *(repository for registry, repository in places if registry == target.registry)]
        found[digest] = [name for name in dict.fromkeys(names) if name != target.path]
    return found
