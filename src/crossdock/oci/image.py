"""From layers to an image, and from images to an index; nothing here reads or writes anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crossdock.oci.model import CONFIG, INDEX, LAYER_GZIP, MANIFEST, Blob, Descriptor, json_blob

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["Image", "Layer", "RunConfig", "make_image", "make_index", "timestamp"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A finished layer.

    Attributes:
        digest: SHA-256 of the compressed blob, in hex.
        size: Its bytes.
        diff_id: SHA-256 of the uncompressed tar, in hex.
        created_by: What it is, for the image's history.
        annotations: What it was made of, for its descriptor.
    """

    digest: str
    size: int
    diff_id: str
    created_by: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    @property
    def descriptor(self) -> Descriptor:
        """Its descriptor in a manifest."""
        return Descriptor(
            media_type=LAYER_GZIP, digest=f"sha256:{self.digest}", size=self.size, annotations=self.annotations
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class RunConfig:
    """How containers of the image run (OCI image configuration, ``config``).

    Attributes:
        entrypoint: Argument vector; no shell reads it.
        env: Environment variables.
        labels: Labels.
        ports: As in ``8000/tcp``.
        user: User name or ID, with ``:GROUP`` if wanted.
        working_dir: Absolute path.
    """

    entrypoint: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    ports: tuple[str, ...]
    user: str
    working_dir: str

    def to_json(self) -> dict[str, Any]:
        """Give the object as the specification spells it."""
        value: dict[str, Any] = {
            "Entrypoint": list(self.entrypoint),
            "Env": [f"{key}={text}" for key, text in self.env.items()],
            "User": self.user,
            "WorkingDir": self.working_dir,
        }
        if self.labels:
            value["Labels"] = dict(self.labels)
        if self.ports:
            value["ExposedPorts"] = {port: {} for port in self.ports}
        return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image for one platform.

    Attributes:
        manifest: Its manifest, with the platform on the descriptor.
        config: Its config.
        layers: Lowest first.
    """

    manifest: Blob
    config: Blob
    layers: tuple[Layer, ...]


def timestamp(epoch: int) -> str:
    """Write seconds since 1970 as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_image(
    platform: Mapping[str, str],
    layers: Sequence[Layer],
    run: RunConfig,
    *,
    epoch: int,
    annotations: Mapping[str, str],
) -> Image:
    """Put config and manifest together.

    Args:
        platform: As in ``Platform.oci``.
        layers: Lowest first.
        run: How its containers run.
        epoch: Creation time, seconds since 1970.
        annotations: Of the manifest.
    """
    created = timestamp(epoch)
    config = json_blob(
        CONFIG,
        {
            **platform,
            "created": created,
            "config": run.to_json(),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
            "history": [{"created": created, "created_by": layer.created_by} for layer in layers],
        },
    )
    manifest = json_blob(
        MANIFEST,
        {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": config.descriptor.to_json(),
            "layers": [layer.descriptor.to_json() for layer in layers],
            "annotations": dict(annotations),
        },
        platform=platform,
    )
    return Image(manifest=manifest, config=config, layers=tuple(layers))


def make_index(images: Sequence[Image], annotations: Mapping[str, str]) -> Blob:
    """Put an index together; its entries are in the order given."""
    return json_blob(
        INDEX,
        {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [image.manifest.descriptor.to_json() for image in images],
            "annotations": dict(annotations),
        },
    )
