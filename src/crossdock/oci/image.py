"""From layers to an image, and from images to an index; nothing here reads or writes anything."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from crossdock.errors import ProfileError
from crossdock.oci.model import LAYER_GZIP, Blob, Descriptor, json_blob
from crossdock.oci.profile import OCI

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from crossdock.oci.profile import Profile

__all__ = [
    "Image",
    "Layer",
    "Root",
    "RunConfig",
    "assemble",
    "check_single",
    "index_of",
    "make_image",
    "make_index",
    "one_image",
    "one_manifest",
    "platform_name",
    "timestamp",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A finished layer.

    Attributes:
        digest: SHA-256 of the compressed blob, in hex.
        size: Its bytes.
        diff_id: SHA-256 of the uncompressed tar, in hex.
        created_by: What it is, for the image's history.
        annotations: What it was made of, for its descriptor.
        media_type: How it is compressed, in OCI's or Docker's spelling.
    """

    digest: str
    size: int
    diff_id: str
    created_by: str
    annotations: Mapping[str, str] = field(default_factory=dict)
    media_type: str = LAYER_GZIP

    @property
    def descriptor(self) -> Descriptor:
        """Its descriptor in a manifest."""
        return Descriptor(
            media_type=self.media_type, digest=f"sha256:{self.digest}", size=self.size, annotations=self.annotations
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
        stop_signal: Signal that asks the process to end, such as ``SIGINT``; empty for the engine's default.
    """

    entrypoint: tuple[str, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    ports: tuple[str, ...]
    user: str
    working_dir: str
    stop_signal: str = ""

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
        if self.stop_signal:
            value["StopSignal"] = self.stop_signal
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Root:
    """What a reference names, and what has to be there before it.

    Attributes:
        blob: The index, or the only manifest; its descriptor is what is pushed and printed.
        manifests: The manifests that the index names, in its order; none where the root is a manifest itself.
    """

    blob: Blob
    manifests: tuple[Blob, ...]


def timestamp(epoch: int) -> str:
    """Write seconds since 1970 as RFC 3339 has it, in UTC."""
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def platform_name(platform: Mapping[str, str]) -> str:
    """Write a platform object as users do: ``linux/arm64/v8``."""
    return "/".join(platform[key] for key in ("os", "architecture", "variant") if platform.get(key))


def make_image(
    platform: Mapping[str, str],
    layers: Sequence[Layer],
    run: RunConfig,
    *,
    epoch: int,
    annotations: Mapping[str, str],
    profile: Profile = OCI,
) -> Image:
    """Put config and manifest together.

    Args:
        platform: As in ``Platform.oci``.
        layers: Lowest first.
        run: How its containers run.
        epoch: Creation time, seconds since 1970.
        annotations: Of the manifest, if the profile has such.
        profile: The image's form; layers are given its spelling of their media types.

    Raises:
        CompressionError: The profile has no such layers.
        ProfileError: A layer's media type is none of a layer.
    """
    layers = [replace(layer, media_type=profile.layer(layer.media_type)) for layer in layers]
    created = timestamp(epoch)
    config = json_blob(
        profile.config,
        {
            **platform,
            "created": created,
            "config": run.to_json(),
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{layer.diff_id}" for layer in layers]},
            "history": [{"created": created, "created_by": layer.created_by} for layer in layers],
        },
    )
    manifest = json_blob(
        profile.manifest,
        {
            "schemaVersion": 2,
            "mediaType": profile.manifest,
            "config": config.descriptor.to_json(),
            "layers": [layer.descriptor.to_json() for layer in layers],
            **({"annotations": dict(annotations)} if profile.annotated else {}),
        },
        platform=platform,
    )
    return Image(manifest=manifest, config=config, layers=tuple(layers))


def make_index(images: Sequence[Image], annotations: Mapping[str, str], *, profile: Profile = OCI) -> Blob:
    """Put an index together; its entries are in the order given."""
    return index_of([image.manifest.descriptor for image in images], annotations, profile=profile)


def index_of(manifests: Sequence[Descriptor], annotations: Mapping[str, str], *, profile: Profile = OCI) -> Blob:
    """Put an index together of manifests that need not be here; its entries are in the order given."""
    return json_blob(
        profile.index,
        {
            "schemaVersion": 2,
            "mediaType": profile.index,
            "manifests": [manifest.to_json() for manifest in manifests],
            **({"annotations": dict(annotations)} if profile.annotated else {}),
        },
    )


def assemble(images: Sequence[Image], annotations: Mapping[str, str], profile: Profile = OCI) -> Root:
    """Put on top of images what a reference will name.

    Args:
        images: Made with the same profile.
        annotations: Of the index, if there is one and it has such.
        profile: Their form.

    Raises:
        ProfileError: The profile is for a single image, and there are several.
    """
    if not profile.indexed:
        return Root(blob=one_image(images, *one_manifest(profile)).manifest, manifests=())
    return Root(
        blob=make_index(images, annotations, profile=profile), manifests=tuple(image.manifest for image in images)
    )


def one_image(images: Sequence[Image], what: str, instead: str) -> Image:
    """Give the only image of something that holds no more.

    Args:
        images: Those that were built.
        what: That something, for the message.
        instead: What to do about the other platforms.

    Raises:
        ProfileError: There are more, or none.
    """
    check_single([image.manifest.descriptor.platform or {} for image in images], what, instead)
    return images[0]


def check_single(platforms: Sequence[Mapping[str, str]], what: str, instead: str) -> None:
    """Refuse several platforms for something that holds one; arguments and errors as for `one_image`."""
    if len(platforms) == 1:
        return
    names = [platform_name(platform) for platform in platforms]
    raise ProfileError(
        f"{what} is for one platform",
        why=f"{len(names)} were asked for: {', '.join(names)}",
        hint=f"name one, as in --target {names[0] if names else 'linux/amd64'}; {instead}",
    )


def one_manifest(profile: Profile) -> tuple[str, str]:
    """Say, for `one_image` and `check_single`, what a profile without an index is."""
    return f"an image of the profile {profile.name}", "push each architecture under a tag of its own"
