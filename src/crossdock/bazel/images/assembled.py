"""An image with all its bytes, as rules pass it: files in any order, told apart by what is in them."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.handed.imagefile import read_image, read_index
from crossdock.errors import BazelInputError, DamagedLayerError
from crossdock.oci.image import Image, Root
from crossdock.oci.model import Blob
from crossdock.oci.reference import parse_reference
from crossdock.store.files import digest_of

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.bazel.handed.imagefile import ImageFile, IndexFile
    from crossdock.oci.model import Descriptor
    from crossdock.oci.reference import Reference

__all__ = ["Assembled", "add_image", "assembled", "blamed", "named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembled:
    """An image, ready to be handed over.

    Attributes:
        about: What is known of each platform's image.
        root: The index, or the only manifest.
        images: One for each platform.
        blobs: All content by digest.
    """

    about: tuple[ImageFile, ...]
    root: Root
    images: tuple[Image, ...]
    blobs: Mapping[str, bytes | Path]


def add_image(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that pass an image."""
    parser.add_argument("--image", action="append", required=True, type=Path, help="image.json")
    parser.add_argument("--index", type=Path, help="index.json; without it the manifest of the only image counts")
    parser.add_argument("--blob", action="append", default=[], type=Path, help="a layer, config, manifest or the index")


def assembled(options: argparse.Namespace) -> Assembled:
    """Bring together what the arguments of `add_image` name.

    Raises:
        BazelInputError: Something is not there, or does not belong to the image.
    """
    about = tuple(map(read_image, options.image))
    index = read_index(options.index) if options.index is not None else None
    _check(about, index)
    small = [item for image in about for item in (image.manifest, image.config)]
    small += [index.root] if index is not None else []
    large = [layer.descriptor for image in about for layer in image.layers]
    files = _found([*small, *large], options.blob)
    held = {item.digest: Blob(item, _read(files[item.digest], item)) for item in small}
    images = tuple(
        Image(manifest=held[image.manifest.digest], config=held[image.config.digest], layers=image.layers)
        for image in about
    )
    manifests = tuple(image.manifest for image in images)
    root = (
        Root(blob=manifests[0], manifests=())
        if index is None
        else Root(blob=held[index.root.digest], manifests=manifests)
    )
    return Assembled(
        about=about, root=root, images=images, blobs={**files, **{digest: blob.data for digest, blob in held.items()}}
    )


def named(text: str) -> Reference:
    """Read the name and tag that an image gets.

    Raises:
        ImageReferenceError: It is none.
        BazelInputError: It names a digest.
    """
    reference = parse_reference(text)
    if reference.digest:
        raise BazelInputError(f"an image cannot get the name {text}", hint="leave the digest out: NAME:TAG")
    return reference


@contextmanager
def blamed() -> Iterator[None]:
    """Say of a file that is not what it was said to be where it came from: no cache of crossdock's.

    Raises:
        BazelInputError: There is such a file.
    """
    try:
        yield
    except DamagedLayerError as error:
        raise BazelInputError(
            f"The file of the layer {error.digest} is not that layer",
            why=error.why,
            hint="it was changed since Bazel made or fetched it: `bazel clean`, then build again",
        ) from None


def _check(about: Sequence[ImageFile], index: IndexFile | None) -> None:
    if index is None:
        if len(about) != 1:
            raise BazelInputError(
                f"There are {len(about)} images and no index", hint="pass --index, or one image alone"
            )
        return
    passed, has = {image.manifest.digest for image in about}, {item.digest for item in index.manifests}
    if passed != has:
        raise BazelInputError(
            f"The images that are passed are not those of the index {index.name}",
            why=f"{len(has - passed)} of them are missing, and {len(passed - has)} are not in it",
            hint="pass the image.json of each platform that the index was made of",
        )


def _found(wanted: Sequence[Descriptor], paths: Sequence[Path]) -> dict[str, bytes | Path]:
    """Find the file of each descriptor: by its size and, where that does not tell, by its digest.

    That a layer's file is what its size says is proved by whoever reads it.
    """
    sizes: dict[int, list[Path]] = {}
    for path in paths:
        try:
            sizes.setdefault(path.stat().st_size, []).append(path)
        except OSError as error:
            raise BazelInputError(f"{path} cannot be read", why=error.strerror or str(error)) from None
    alike: dict[int, set[str]] = {}
    for item in wanted:
        alike.setdefault(item.size, set()).add(item.digest)
    found: dict[str, bytes | Path] = {}
    for item in wanted:
        fitting = sizes.get(item.size, [])
        if len(fitting) > 1 or len(alike[item.size]) > 1:
            fitting = [path for path in fitting if digest_of(path) == item.digest]
        if not fitting:
            raise BazelInputError(
                f"No file of {len(paths)} is the blob {item.digest}",
                why=f"it has {item.size:,} bytes, and is {item.media_type}",
                hint="pass every layer, config and manifest with --blob",
            )
        found[item.digest] = fitting[0]
    return found


def _read(content: bytes | Path, item: Descriptor) -> bytes:
    assert isinstance(content, Path)  # noqa: S101  as all are that were found
    if digest_of(content) != item.digest:
        raise BazelInputError(
            f"{content} is not the blob {item.digest}", hint="`bazel clean`, then build again, if nobody changed it"
        )
    return content.read_bytes()
