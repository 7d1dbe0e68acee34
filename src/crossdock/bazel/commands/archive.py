"""``archive``: an image as ``docker save`` writes it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from crossdock.bazel.images.assembled import add_image, assembled, blamed, named
from crossdock.oci.docker_archive_writer import write_docker_archive
from crossdock.oci.image import one_image

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_image(parser)
    parser.add_argument("--out", required=True, type=Path, help="file")
    parser.add_argument("--tag", help="name and tag that it gets when it is loaded (default: NAME:latest)")


def run(options: argparse.Namespace) -> int:
    """Write an archive."""
    image = assembled(options)
    one = one_image(image.images, "a docker archive", "write an archive for each")
    with blamed():
        write_docker_archive(options.out, one, named(options.tag or image.about[0].name), image.blobs, option="--out")
    return 0
