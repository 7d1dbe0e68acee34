"""``layout``: an OCI image layout of an image (OCI image-spec, "Image Layout")."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.images.assembled import add_image, assembled, blamed, named
from crossdock.oci.layout import write_layout, write_layout_tar

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_image(parser)
    parser.add_argument("--out", required=True, type=Path, help="folder, or a file ending in .tar")
    parser.add_argument("--tag", help="name and tag to record, as in team/app:1.0")


def run(options: argparse.Namespace) -> int:
    """Write a layout."""
    image = assembled(options)
    root = replace(image.root.blob.descriptor, platform=None)
    if options.tag:
        reference = named(options.tag)
        annotations = {"io.containerd.image.name": str(reference), "org.opencontainers.image.ref.name": reference.tag}
        root = replace(root, annotations=annotations)
    write = write_layout_tar if options.out.suffix == ".tar" else write_layout
    with blamed():
        write(options.out, root, image.blobs)
    return 0
