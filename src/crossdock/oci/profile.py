"""Which form an image has: OCI's, Docker's, or the narrower one that AWS Lambda takes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from crossdock.errors import CompressionError, ProfileError
from crossdock.oci.model import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_INDEX,
    DOCKER_LAYER_GZIP,
    DOCKER_MANIFEST,
    INDEX,
    LAYER_GZIP,
    LAYER_TAR,
    LAYER_ZSTD,
    MANIFEST,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["DOCKER", "DOCKER_LAYER_TAR", "LAMBDA", "OCI", "PROFILES", "Profile", "profile_of"]

#: Not in the text of Docker's schema 2, but what every engine calls its layer without compression.
DOCKER_LAYER_TAR = "application/vnd.docker.image.rootfs.diff.tar"

_ZSTD: Final = frozenset({LAYER_ZSTD, "application/vnd.docker.image.rootfs.diff.tar.zstd"})
_TO_OCI: Final = {DOCKER_LAYER_TAR: LAYER_TAR, DOCKER_LAYER_GZIP: LAYER_GZIP}
_TO_DOCKER: Final = {ours: theirs for theirs, ours in _TO_OCI.items()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A form of images.

    Attributes:
        name: How users call it.
        index: Media type of its indexes.
        manifest: Media type of its manifests.
        config: Media type of its configs.
        annotated: Whether manifests and indexes have annotations; a layer's descriptor may have them always.
        indexed: Whether an index is on top; else the manifest of the one image is.
        attachments: Whether SBOMs and provenance may refer to it in a registry.
        zstd: Whether its layers may be compressed by zstd.
    """

    name: str
    index: str = INDEX
    manifest: str = MANIFEST
    config: str = CONFIG
    annotated: bool = True
    indexed: bool = True
    attachments: bool = True
    zstd: bool = True

    def layer(self, media_type: str) -> str:
        """Give this profile's spelling of a layer's media type; the layer's bytes are the same in both spellings.

        Raises:
            CompressionError: The profile has no such layers.
            ProfileError: It is not the media type of a layer.
        """
        if media_type in _ZSTD:
            if not self.zstd:
                raise CompressionError(
                    f"an image of the profile {self.name} cannot have layers compressed by zstd",
                    why="its readers know gzip only",
                    hint="use --compression gzip and a base with gzip layers, or --profile oci",
                )
            return LAYER_ZSTD
        known = _TO_OCI.get(media_type, media_type)
        if known not in _TO_DOCKER:
            raise ProfileError(
                f"a layer of media type {media_type[:100]!r} cannot be part of an image",
                hint="use a base image whose layers are tar or tar+gzip",
            )
        return known if self.manifest == MANIFEST else _TO_DOCKER[known]


#: OCI image-spec 1.1.
OCI: Final = Profile(name="oci")
#: Docker image manifest version 2, schema 2: it knows neither annotations of manifests nor zstd.
DOCKER: Final = Profile(
    name="docker",
    index=DOCKER_INDEX,
    manifest=DOCKER_MANIFEST,
    config=DOCKER_CONFIG,
    annotated=False,
    zstd=False,
)
#: AWS Lambda takes one manifest for one platform, and nothing that refers to it.
LAMBDA: Final = Profile(name="lambda", indexed=False, attachments=False, zstd=False)

PROFILES: Final[Mapping[str, Profile]] = {profile.name: profile for profile in (OCI, DOCKER, LAMBDA)}


def profile_of(name: str) -> Profile:
    """Give the profile of that name.

    Raises:
        ProfileError: There is none.
    """
    try:
        return PROFILES[name]
    except KeyError:
        raise ProfileError(f"there is no profile {name[:80]!r}", hint=f"there are {', '.join(PROFILES)}") from None
