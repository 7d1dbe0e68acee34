"""An archive of ``docker save`` or ``podman save``, read as if it were an OCI layout: all images that are in it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, BinaryIO

from crossdock.errors import BaseImageError, LayoutUnreadableError
from crossdock.oci.docker_archive import DockerArchiveSource
from crossdock.oci.model import canonical_json

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["DockerLayout"]

_BLOBS = "blobs/sha256/"


class DockerLayout:
    """A layout (`crossdock.oci.layout_files.Layout`) whose manifests are made of what the archive says.

    The layers stay where they are: plain tar archives are blobs like any other.

    Args:
        path: The uncompressed tar file.

    Raises:
        LayoutUnreadableError: It is no such archive, or what it says of its images contradicts itself.
    """

    def __init__(self, path: Path) -> None:
        self._source = DockerArchiveSource(path, str(path))
        try:
            images = self._source.images()
        except BaseImageError as error:
            raise LayoutUnreadableError(error.what, why=error.why, hint=error.hint) from None
        entries = {image.manifest.descriptor.digest: image.manifest.descriptor.to_json() for image in images}
        self._small = {
            "oci-layout": canonical_json({"imageLayoutVersion": "1.0.0"}),
            "index.json": canonical_json({"schemaVersion": 2, "manifests": list(entries.values())}),
        }
        self._files: dict[str, str] = {}
        for image in images:
            for blob in (image.manifest, image.config):
                self._small[_BLOBS + blob.descriptor.sha256] = blob.data
            for digest, file in image.files.items():
                self._files.setdefault(_BLOBS + digest.removeprefix("sha256:"), file)

    def size(self, name: str) -> int | None:
        """Return a file's size in bytes; None if there is no such file."""
        if name in self._small:
            return len(self._small[name])
        file = self._files.get(name)
        return None if file is None else self._source.file_size(file)

    def open(self, name: str) -> BinaryIO:
        """Open a file that `size` knows."""
        if name in self._small:
            return io.BytesIO(self._small[name])
        return self._source.open_file(self._files[name])
