"""Reads two artifacts and says where they differ: images on disk or in registries, and bundles."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from crossdock.steps.subjects import ImageSubject
from crossdock.verify.archives import tell_archives_apart
from crossdock.verify.comparing import ArtifactSeen, LayerSeen, compare
from crossdock.verify.forms import CHUNK, unpacked
from crossdock.verify.image import verify_opened
from crossdock.verify.reading import read_artifact

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.oci.layout_files import Layout
    from crossdock.verify.comparing import Difference
    from crossdock.verify.forms import Compression
    from crossdock.verify.image import SeenImage

__all__ = ["Side", "compare_sides", "read_side"]

_COMPRESSIONS: Final[dict[str, Compression]] = {"gzip": "gzip", "zstd": "zstd"}
#: Annotations that say what a layer is, and which wheels it was made of.
_LAYER: Final = "dev.crossdock.layer"
_WHEELS: Final = "dev.crossdock.wheels"
_MOST_WHEELS: Final = 4


class Side:
    """One of two artifacts.

    Args:
        seen: What was seen of it.
        layout: Where its layers can be read again; None for a bundle.
    """

    def __init__(self, seen: list[ArtifactSeen], layout: Layout | None = None) -> None:
        self.seen = seen
        self._layout = layout
        self._media_types: dict[str, str] = {}

    def note(self, digest: str, media_type: str) -> None:
        """Take note of how a layer is compressed."""
        self._media_types[digest] = media_type

    def unpacked(self, digest: str) -> Iterator[bytes]:
        """Read a layer's archive once more."""
        assert self._layout is not None  # noqa: S101  only layers of images are told apart by their archives
        kind = _COMPRESSIONS.get(self._media_types.get(digest, "").rpartition("+")[2].rpartition(".")[2], "tar")
        with self._layout.open(f"blobs/sha256/{digest.removeprefix('sha256:')}") as stream:
            yield from unpacked(kind, iter(lambda: stream.read(CHUNK), b""))


def read_side(subject: ImageSubject | Path, name: str) -> Side:
    """Read an artifact.

    Args:
        subject: An image, of which all platforms are read, or the path of a bundle.
        name: As the user gave it.

    Raises:
        ArtifactRefusedError: Something in an image cannot be read: what is not known cannot be compared.
        VerificationError: It cannot be read at all.
    """
    if not isinstance(subject, ImageSubject):
        artifact = read_artifact(subject)
        size = subject.stat().st_size if subject.is_file() else 0
        layer = LayerSeen(digest=artifact.digest, size=size, contents=artifact.contents)
        return Side([ArtifactSeen(platform="", digest=artifact.digest, layers=(layer,))])
    images: list[SeenImage] = []
    report = verify_opened(subject.layout, name, scan_cache=subject.cache, watch=images.append)
    if len(images) < len(report.images) or not images:
        report.require_ok()
    side = Side([_seen(image) for image in images], subject.layout)
    for image in images:
        for facts in image.layers:
            side.note(facts.digest, facts.media_type)
    return side


def compare_sides(old: Side, new: Side) -> list[Difference]:
    """Say where two artifacts differ, platform by platform."""

    def told(one: LayerSeen, other: LayerSeen) -> str:
        return tell_archives_apart(old.unpacked(one.digest), new.unpacked(other.digest))

    return compare(old.seen, new.seen, told)


def _seen(image: SeenImage) -> ArtifactSeen:
    descriptors = image.manifest.get("layers", [])
    return ArtifactSeen(
        platform=str(image.platform),
        digest=image.digest,
        described=_described(image),
        layers=tuple(
            LayerSeen(
                digest=facts.digest,
                diff_id=facts.diff_id,
                size=facts.size,
                about=_about(descriptor),
                contents=facts.contents,
            )
            for facts, descriptor in zip(image.layers, descriptors, strict=True)
        ),
    )


def _described(image: SeenImage) -> dict[str, Any]:
    """Give what manifest and config say, but for what only follows from the layers' bytes."""
    manifest = {key: value for key, value in image.manifest.items() if key not in {"layers", "config"}}
    config = {key: value for key, value in image.config.items() if key != "rootfs"}
    layers = [
        {key: value for key, value in layer.items() if key not in {"digest", "size", "annotations"}}
        for layer in image.manifest.get("layers", [])
    ]
    return {"manifest": {**manifest, "layers": layers}, "config": config}


def _about(descriptor: Any) -> str:  # noqa: ANN401
    """Say what a layer is made of, as far as its annotations do."""
    said = descriptor.get("annotations") if isinstance(descriptor, dict) else None
    if not isinstance(said, dict):
        return ""
    try:
        wheels = [f"{item['name']} {item['version']}" for item in json.loads(said.get(_WHEELS, "[]"))]
    except (KeyError, RecursionError, TypeError, ValueError):
        wheels = []
    more = f" and {len(wheels) - _MOST_WHEELS} more" if len(wheels) > _MOST_WHEELS else ""
    named = ", ".join(wheels[:_MOST_WHEELS]) + more
    return ": ".join(filter(None, (str(said.get(_LAYER, ""))[:80], named)))
