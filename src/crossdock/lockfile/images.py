"""A base that is an image, as ``crossdock.lock`` keeps it: its layers by digest, and what was read in them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.errors import LockfileError
from crossdock.lockfile.facts import check_facts, facts_from_table, facts_to_table
from crossdock.lockfile.reading import check_keys, checked, tables, value
from crossdock.targets.platform import ARCHITECTURES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from crossdock.lockfile.basefacts import BaseFacts

__all__ = ["LockedImageBase", "LockedLayer", "check_locked_image", "image_from_table", "image_to_table"]

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_VARIANT = re.compile(r"[A-Za-z0-9._-]{0,32}")
_LONGEST_NAME = 4096
_LARGEST_LAYER = 64 << 30
_MOST_LAYERS = 127
_MEDIA_TYPES = (
    "application/vnd.oci.image.layer.v1.tar",
    "application/vnd.oci.image.layer.v1.tar+gzip",
    "application/vnd.oci.image.layer.v1.tar+zstd",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedLayer:
    """One layer of a base image.

    Attributes:
        digest: ``sha256:…`` of the blob.
        size: Bytes of the blob.
        media_type: OCI's spelling of how it is compressed; Docker's is translated, the bytes are the same.
        diff_id: ``sha256:…`` of the uncompressed tar.
    """

    digest: str
    size: int
    media_type: str
    diff_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedImageBase:
    """A base image for one platform, pinned; one without a digest and layers is ``scratch``.

    Attributes:
        name: As in the configuration, such as ``python:3.12-slim``, ``oci:base`` or ``scratch``.
        architecture: OCI's name, such as ``arm64``.
        variant: OCI's variant as the image has it; empty without one.
        digest: ``sha256:…`` of the platform's manifest, which is how its layers are found again; empty for ``scratch``.
        index: ``sha256:…`` of what the name stood for when it was locked: an index, or the manifest itself.
        layers: Lowest first.
        facts: What was read in them, and in the image's config.
    """

    name: str
    architecture: str
    variant: str
    digest: str
    index: str
    layers: tuple[LockedLayer, ...]
    facts: BaseFacts

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from all others in a file."""
        return self.name, self.architecture, self.variant


def image_to_table(image: LockedImageBase) -> dict[str, Any]:
    """Give a base image as a table of plain values, without what is empty."""
    head = {"name": image.name, "architecture": image.architecture}
    head |= {key: text for key in ("variant", "digest", "index") if (text := getattr(image, key))}
    layers = [
        {"digest": layer.digest, "size": layer.size, "media-type": layer.media_type, "diff-id": layer.diff_id}
        for layer in image.layers
    ]
    # Tables come last in TOML.
    return {**head, **({"layer": layers} if layers else {}), "facts": facts_to_table(image.facts)}


def image_from_table(data: Mapping[str, Any], origin: str) -> LockedImageBase:
    """Read a base image, strictly.

    Raises:
        LockfileError: A field is missing, unknown or malformed.
    """
    check_keys(data, {"name", "architecture", "variant", "digest", "index", "layer", "facts"}, origin)
    name = value(data, "name", str, origin)
    where = f"{origin}: {name[:200]}"
    optional = {key: value(data, key, str, where) if key in data else "" for key in ("variant", "digest", "index")}
    image = LockedImageBase(
        name=name,
        architecture=value(data, "architecture", str, where),
        **optional,
        layers=tuple(_layer(item, where) for item in tables(data, "layer", where)),
        facts=facts_from_table(value(data, "facts", dict, where), where),
    )
    checked(check_locked_image, image, where)
    return image


def _layer(data: Mapping[str, Any], origin: str) -> LockedLayer:
    check_keys(data, {"digest", "size", "media-type", "diff-id"}, origin)
    return LockedLayer(
        digest=value(data, "digest", str, origin),
        size=value(data, "size", int, origin),
        media_type=value(data, "media-type", str, origin),
        diff_id=value(data, "diff-id", str, origin),
    )


def check_locked_image(image: LockedImageBase) -> None:
    """Check the form of every field.

    Raises:
        LockfileError: A field is malformed.
    """
    checks = {
        "name": 0 < len(image.name) <= _LONGEST_NAME and image.name.isprintable(),
        "architecture": image.architecture in ARCHITECTURES,
        "variant": _VARIANT.fullmatch(image.variant),
        "digest": _DIGEST.fullmatch(image.digest) or (not image.digest and not image.layers and not image.index),
        "index": _DIGEST.fullmatch(image.index) or not image.digest,
    }
    for field, good in checks.items():
        if not good:
            raise LockfileError(f"bad {field} {str(getattr(image, field))[:200]!r}")
    if len(image.layers) > _MOST_LAYERS:
        raise LockfileError(f"it has {len(image.layers)} layers")
    diff_ids: dict[str, str] = {}
    for layer in image.layers:
        _check_layer(layer)
        if diff_ids.setdefault(layer.digest, layer.diff_id) != layer.diff_id:
            raise LockfileError(f"the layer {layer.digest} is there twice, with different diff_ids")
    check_facts(image.facts)


def _check_layer(layer: LockedLayer) -> None:
    checks = {
        "digest": _DIGEST.fullmatch(layer.digest),
        "size": 0 < layer.size <= _LARGEST_LAYER,
        "media_type": layer.media_type in _MEDIA_TYPES,
        "diff_id": _DIGEST.fullmatch(layer.diff_id),
    }
    for field, good in checks.items():
        if not good:
            raise LockfileError(f"a layer has a bad {field} {str(getattr(layer, field))[:200]!r}")
    if layer.media_type == _MEDIA_TYPES[0] and layer.digest != layer.diff_id:
        raise LockfileError(f"the layer {layer.digest} is not compressed and has another diff_id")
