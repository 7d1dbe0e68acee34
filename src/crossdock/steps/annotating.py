"""The standard annotations of an image (OCI image-spec, "Annotations"), and the time they tell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from crossdock.bases.spec import parse_base
from crossdock.errors import ConfigError
from crossdock.lockfile.images import LockedImageBase
from crossdock.oci.image import timestamp

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.bases.locking import LockedBase
    from crossdock.projects.project import Project

__all__ = ["base_annotations", "project_annotations", "source_date_epoch"]


def project_annotations(project: Project, epoch: int) -> dict[str, str]:
    """Give those that a project's metadata has an answer to.

    Args:
        project: The project.
        epoch: Creation time of the image, seconds since 1970.
    """
    values = {
        "org.opencontainers.image.created": timestamp(epoch),
        "org.opencontainers.image.description": project.description,
        "org.opencontainers.image.documentation": project.urls.get("documentation", ""),
        "org.opencontainers.image.licenses": project.license,
        "org.opencontainers.image.source": project.urls.get("source", project.urls.get("repository", "")),
        "org.opencontainers.image.title": project.name,
        "org.opencontainers.image.url": project.urls.get("homepage", ""),
        "org.opencontainers.image.version": project.version or "",
    }
    return {key: value for key, value in values.items() if value}


def base_annotations(base: LockedBase) -> dict[str, str]:
    """Name the base image, if it is one."""
    if not isinstance(base, LockedImageBase) or not base.digest:
        return {}
    named = {"org.opencontainers.image.base.name": base.name} if parse_base(base.name).reference is not None else {}
    return {**named, "org.opencontainers.image.base.digest": base.digest}


def source_date_epoch(environ: Mapping[str, str] = os.environ) -> int:
    """Give the time written into images: SOURCE_DATE_EPOCH if set, else 0 (reproducible-builds.org specification).

    Raises:
        ConfigError: It is set, but not to seconds since 1970.
    """
    text = environ.get("SOURCE_DATE_EPOCH", "").strip()
    if not text:
        return 0
    # Of a number with thousands of digits, Python would not even read the value.
    if not (text.isascii() and text.isdigit()) or len(text) > 20 or int(text) > 253402300799:
        raise ConfigError(
            f"SOURCE_DATE_EPOCH is {text[:50]!r}",
            why="it has to be a whole number of seconds since 1970",
            hint="unset it, or set it as `git log -1 --format=%ct` prints it",
        )
    return int(text)
