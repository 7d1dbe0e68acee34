"""``index``: one name for the images of several platforms (OCI image-spec, "Image Index")."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.handed.imagefile import IndexFile, read_image, write_index
from crossdock.errors import BazelInputError
from crossdock.oci.image import index_of, platform_name
from crossdock.store.files import reported, write_whole

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from crossdock.bazel.handed.imagefile import ImageFile

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    parser.add_argument("--image", action="append", required=True, type=Path, help="image.json, in the index's order")
    parser.add_argument("--index", required=True, type=Path, help="where to write the index")
    parser.add_argument("--metadata", required=True, type=Path, help="where to write what is known of it")


def run(options: argparse.Namespace) -> int:
    """Put an index together."""
    images = [read_image(path) for path in options.image]
    _check(images)
    annotations = _annotations(images)
    manifests = tuple(image.manifest for image in images)
    blob = index_of(manifests, annotations)
    with reported(options.index, option="--index"):
        write_whole(options.index, blob.data)
    about = IndexFile(name=images[0].name, root=blob.descriptor, manifests=manifests)
    write_index(options.metadata, about, annotations)
    return 0


def _check(images: Sequence[ImageFile]) -> None:
    seen: dict[str, str] = {}
    for image in images:
        platform = platform_name(image.manifest.platform or {})
        if platform in seen:
            raise BazelInputError(
                f"Two images are for {platform}: {seen[platform]} and {image.name}",
                why="an index has one place for each platform",
                hint="leave one of them out of images",
            )
        seen[platform] = image.name


def _annotations(images: Sequence[ImageFile]) -> dict[str, str]:
    """Give the annotations that all images agree on."""
    first, *others = images
    return {
        key: text
        for key, text in first.annotations.items()
        if all(image.annotations.get(key) == text for image in others)
    }
