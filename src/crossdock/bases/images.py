"""From the name of a base image to one platform's manifest, config and layers; no layer is read for that.

Follows "Image Index", "Image Manifest" and "Image Configuration" of the OCI image specification 1.1, and Docker's image
manifest version 2, schema 2, for the same things. Annotations say nothing that is believed here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.bases.manifests import find_manifest
from crossdock.bases.platforms import fitness, platform_of, same_machine, wanted_platform
from crossdock.errors import BaseImageError, MissingPlatformError, TooManyLayersError
from crossdock.lockfile.images import LockedLayer
from crossdock.oci.model import (
    CONFIG,
    DOCKER_CONFIG,
    DOCKER_LAYER_GZIP,
    LAYER_GZIP,
    LAYER_TAR,
    LAYER_ZSTD,
    Descriptor,
    is_digest,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.bases.manifests import FoundManifest
    from crossdock.oci.content import ImageSource
    from crossdock.targets import Platform

__all__ = ["MOST_LAYERS", "ResolvedImage", "resolve_image"]

#: Container engines stack no more (containerd, overlayfs).
MOST_LAYERS = 127
#: Bytes of one layer's blob: above any there is.
_LARGEST_LAYER = 64 << 30

#: How layers may be compressed, in OCI's spelling; the bytes are the same under Docker's.
_LAYER_TYPES = {
    LAYER_TAR: LAYER_TAR,
    LAYER_GZIP: LAYER_GZIP,
    LAYER_ZSTD: LAYER_ZSTD,
    "application/vnd.docker.image.rootfs.diff.tar": LAYER_TAR,
    DOCKER_LAYER_GZIP: LAYER_GZIP,
    "application/vnd.docker.image.rootfs.diff.tar.zstd": LAYER_ZSTD,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResolvedImage:
    """A base image for one platform.

    Attributes:
        name: As its source calls it.
        manifest: The platform's manifest.
        index: Digest of what the name stood for: an index, or the manifest itself.
        config: The image's config, a JSON object.
        config_digest: Its digest.
        layers: Lowest first.
        architecture: OCI's name.
        variant: OCI's variant as the image has it; empty without one.
    """

    name: str
    manifest: Descriptor
    index: str
    config: Mapping[str, Any]
    config_digest: str
    layers: tuple[LockedLayer, ...]
    architecture: str
    variant: str


def resolve_image(source: ImageSource, version: str, platform: Platform) -> ResolvedImage:
    """Find an image for a platform, by its manifest or index first and its config next.

    Args:
        source: Where it is.
        version: Its tag or digest there; empty for the only image.
        platform: What a target wants.

    Raises:
        MissingPlatformError: It has no entry that the target could run.
        BaseImageError: It is malformed, contradicts itself, or is of a kind that is not understood.
        TooManyLayersError: It has more layers than engines can stack.
        CrossdockError: The source cannot be read.
    """
    found = find_manifest(source, version, platform)
    document = found.document
    config_descriptor = _descriptor(document.get("config"), f"the config of {source.name}")
    if config_descriptor.media_type not in {CONFIG, DOCKER_CONFIG}:
        raise BaseImageError(
            f"{source.name} is no image",
            why=f"its config is of type {config_descriptor.media_type[:100]!r}",
            hint="name an image: this is an artifact of another kind",
        )
    layers = _layers(document.get("layers"), source.name)
    config = _json_object(source.small_blob(config_descriptor), f"the config of {source.name}")
    variant = _agreed_variant(found, config, platform, source.name)
    return ResolvedImage(
        name=source.name,
        manifest=found.descriptor,
        index=found.index,
        config=config,
        config_digest=config_descriptor.digest,
        layers=_with_diff_ids(layers, config, source.name),
        architecture=platform.arch,
        variant=variant,
    )


def _agreed_variant(found: FoundManifest, config: Mapping[str, Any], platform: Platform, name: str) -> str:
    """Give the variant that the config and the index's entry agree on.

    Raises:
        BaseImageError: They do not agree on the machine, or the config names none.
        MissingPlatformError: Only the config says what the image is for, and that is something else.
    """
    own = platform_of(config)
    if own is None:
        raise BaseImageError(f"The config of {name} names no os and architecture", hint="name another base")
    if found.platform is None:
        if fitness(own, wanted_platform(platform)) is None:
            raise MissingPlatformError(
                f"{name} has no image for {platform}",
                why=f"it is an image for {own} alone",
                hint="name another base, or leave the target out",
            )
        return own.variant
    if not same_machine(found.platform, config):
        raise BaseImageError(
            f"{name} contradicts itself",
            why=f"its index offers an image for {found.platform}, whose config says {own}",
            hint="name another base: this one was put together wrongly",
        )
    return found.platform.variant or own.variant


def _layers(listed: Any, name: str) -> list[Descriptor]:  # noqa: ANN401
    if not isinstance(listed, list):
        raise BaseImageError(f"{name} is no image", why="its manifest has no list of layers")
    if len(listed) > MOST_LAYERS:
        raise TooManyLayersError(
            f"{name} has {len(listed)} layers",
            why=f"container engines stack at most {MOST_LAYERS}",
            hint="name a base with fewer layers, or squash it",
        )
    layers = [_descriptor(item, f"a layer of {name}") for item in listed]
    for layer in layers:
        if layer.media_type not in _LAYER_TYPES:
            foreign = "foreign" in layer.media_type or "nondistributable" in layer.media_type
            raise BaseImageError(
                f"{name} has a layer of a kind that is not understood",
                why=f"its media type is {layer.media_type[:100]!r}"
                + (", of layers that are not in the registry itself" if foreign else ""),
                hint="name another base, or convert this one",
            )
        if not 0 < layer.size <= _LARGEST_LAYER:
            raise BaseImageError(f"{name} has a layer of {layer.size:,} bytes", why="no layer has that many")
    return layers


def _with_diff_ids(layers: list[Descriptor], config: Mapping[str, Any], name: str) -> tuple[LockedLayer, ...]:
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    if diff_ids is None and not layers:
        diff_ids = []
    if not isinstance(diff_ids, list) or not all(isinstance(item, str) and is_digest(item) for item in diff_ids):
        raise BaseImageError(f"The config of {name} has no list of diff_ids", hint="name another base")
    if len(diff_ids) != len(layers):
        raise BaseImageError(
            f"{name} contradicts itself",
            why=f"its manifest has {len(layers)} layers, and its config {len(diff_ids)} diff_ids",
            hint="name another base: this one was put together wrongly",
        )
    return tuple(
        LockedLayer(
            digest=layer.digest, size=layer.size, media_type=_LAYER_TYPES[layer.media_type], diff_id=str(diff_id)
        )
        for layer, diff_id in zip(layers, diff_ids, strict=True)
    )


def _descriptor(value: object, what: str) -> Descriptor:
    try:
        return Descriptor.from_json(value)
    except ValueError as error:
        raise BaseImageError(f"{what} is described wrongly", why=str(error), hint="name another base") from None


def _json_object(data: bytes, what: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BaseImageError(f"{what} is not JSON", why=str(error)[:200]) from None
    if not isinstance(value, dict):
        raise BaseImageError(f"{what} is not a JSON object")
    return value
