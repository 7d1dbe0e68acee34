"""Where a base image is read from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from crossdock.errors import UnsupportedBaseError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from crossdock.bases.spec import BaseSpec
    from crossdock.oci.content import ImageSource
    from crossdock.oci.reference import Reference

__all__ = ["open_source"]


def open_source(spec: BaseSpec, root: Path, repository: Callable[[Reference], ImageSource]) -> ImageSource:
    """Give the place of a base image; it is looked at only when it is asked for something.

    Args:
        spec: The base: a layout, an archive or an image in a registry.
        root: What paths are relative to: the project's folder.
        repository: Gives a registry's repository.

    Raises:
        UnsupportedBaseError: It is a base of another kind.
        CrossdockError: The registry's settings cannot be used.
    """
    if spec.reference is not None:
        return repository(spec.reference)
    if spec.kind == "layout":
        from crossdock.oci.layout_source import LayoutSource

        return LayoutSource(root / spec.path, spec.text)
    if spec.kind == "archive":
        from crossdock.oci.docker_archive import DockerArchiveSource

        return DockerArchiveSource(root / spec.path, spec.text)
    raise UnsupportedBaseError(f"The base {spec.text!r} is no image", hint="name an image, a layout or an archive")
