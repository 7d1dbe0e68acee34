"""``load``: bring an image into docker, podman or containerd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.bazel.images.assembled import add_image, assembled, blamed, named
from crossdock.engines import find_engine
from crossdock.errors import EngineLoadError

if TYPE_CHECKING:
    import argparse

__all__ = ["add_arguments", "run"]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's arguments."""
    add_image(parser)
    parser.add_argument("--tag", required=True, help="name and tag that it gets, as in team/app:1.0")
    parser.add_argument("--engine", default="", help="docker, podman or containerd (default: the first that runs)")


def run(options: argparse.Namespace) -> int:
    """Load an image."""
    image = assembled(options)
    try:
        engine = find_engine(options.engine)
        with blamed():
            loaded = engine.load(image.root, image.images, named(options.tag), image.blobs)
    except EngineLoadError as error:
        error.hint = error.hint.replace("with --output", "with `bazel build … --output_groups=docker_archive`")
        raise
    print(f"{loaded.name} ({', '.join(loaded.platforms)}) is in {loaded.engine}")
    return 0
