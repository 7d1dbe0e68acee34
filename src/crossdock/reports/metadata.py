"""What other programs want to know of a finished image: its references, and buildx's metadata file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from crossdock.oci.image import platform_name
from crossdock.oci.model import canonical_json
from crossdock.store.files import reported, write_whole

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from crossdock.oci.image import Image, Root
    from crossdock.oci.model import Blob

__all__ = ["image_refs", "metadata", "metadata_json", "write_report"]


def image_refs(references: Iterable[str]) -> bytes:
    """Give the lines of ``--image-refs``: each ``NAME@DIGEST`` once, as ``ko`` writes them."""
    return "".join(f"{reference}\n" for reference in dict.fromkeys(references)).encode()


def metadata(root: Root, images: Sequence[Image], references: Sequence[str]) -> dict[str, Any]:
    """Give what ``docker buildx build --metadata-file`` writes, and the same for each platform.

    Keys are buildx's; ``platforms`` holds them once more for every image, by its platform.

    Args:
        root: What the references name.
        images: One for each platform.
        references: Names with tags, as pushed, loaded or recorded.
    """
    found = _described(root.blob)
    if len(images) == 1:
        found["containerimage.config.digest"] = images[0].config.descriptor.digest
    found["image.name"] = ",".join(references)
    found["platforms"] = {
        platform_name(image.manifest.descriptor.platform or {}): {
            **_described(image.manifest),
            "containerimage.config.digest": image.config.descriptor.digest,
        }
        for image in images
    }
    return found


def metadata_json(root: Root, images: Sequence[Image], references: Sequence[str]) -> bytes:
    """Give the content of ``--metadata-file``; arguments as for `metadata`."""
    return canonical_json(metadata(root, images, references)) + b"\n"


def write_report(path: Path, content: bytes, *, option: str = "") -> None:
    """Write a file for other programs, which appears whole or not at all.

    Args:
        path: Where.
        content: All of it.
        option: Which option names the file.

    Raises:
        OutputError: It cannot be written.
    """
    with reported(path, option=option or "path"):
        write_whole(path, content)


def _described(blob: Blob) -> dict[str, Any]:
    return {
        "containerimage.digest": blob.descriptor.digest,
        "containerimage.descriptor": blob.descriptor.to_json(),
    }
