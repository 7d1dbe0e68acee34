"""Images of an OCI image layout, a folder or a tar of one (OCI image-spec, "Image Layout")."""

from __future__ import annotations

import hashlib
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

from crossdock.errors import BaseImageError, CrossdockError, LayoutUnreadableError
from crossdock.oci.checked import CheckedStream
from crossdock.oci.content import MANIFEST_LIMIT
from crossdock.oci.layout_files import Layout, blob_path, open_layout, parse_json, read_file
from crossdock.oci.model import INDEX, INDEX_TYPES, MANIFEST, MANIFEST_TYPES, Blob, Descriptor, is_digest

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from crossdock.oci.content import Stream

__all__ = ["LayoutSource"]

#: OCI image-spec, "Pre-Defined Annotation Keys": the tag of an entry of index.json. And containerd's, the whole name.
_TAG = "org.opencontainers.image.ref.name"
_NAME = "io.containerd.image.name"
_DOCKER_KIND = "vnd.docker.reference.type"
_MOST_ENTRIES = 10_000


class LayoutSource:
    """A layout, opened when it is first asked for something.

    Args:
        path: The folder or the tar file.
        name: What to call it in messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self._name

    def manifest(self, version: str = "") -> Blob:
        """Give a manifest or index: see `ImageSource`.

        Without a version it is the only entry of ``index.json``, or that file itself if its entries are the platforms
        of one image.

        Raises:
            BaseImageError: There is none, several of which one must be named, or it is not what its digest says.
        """
        data, entries = self._index
        whole = f"sha256:{hashlib.sha256(data).hexdigest()}"
        if is_digest(version) and version != whole:
            return self._by_digest(version)
        version = "" if version == whole else version
        if version:
            entries = [entry for entry in entries if version in _names_of(entry)]
            if not entries:
                raise self._missing(version)
        digests = {entry.digest for entry in entries}
        if len(digests) == 1:
            return self._by_digest(entries[0].digest, entries[0])
        tags = self._tags(entries)
        if not entries or len(tags) > 1 or version:
            why = f"its tags are {', '.join(tags)}" if tags else "index.json has no entry for an image"
            what = f"{self._name} holds {'several images' if entries else 'no image'}"
            raise BaseImageError(what, why=why, hint="name one, as in oci:PATH:TAG or oci:PATH@sha256:DIGEST")
        return Blob(Descriptor(media_type=INDEX, digest=whole, size=len(data)), data)

    def small_blob(self, descriptor: Descriptor) -> bytes:
        """Give a small blob, checked: see `ImageSource`."""
        if descriptor.size > MANIFEST_LIMIT:
            raise self._bad(descriptor, f"it has {descriptor.size:,} bytes; at most {MANIFEST_LIMIT:,} are read")
        with self.open_blob(descriptor) as stream:
            return b"".join(iter(lambda: stream.read(MANIFEST_LIMIT), b""))

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Iterator[Stream]:
        """Open a blob for reading: see `ImageSource`."""
        file = blob_path(descriptor.digest)
        size = self._layout.size(file) if file else None
        if file is None or size is None:
            raise self._bad(descriptor, "it is not there")
        if size != descriptor.size:
            raise self._bad(descriptor, f"it has {size:,} bytes, and {descriptor.size:,} are said")
        try:
            opened = self._layout.open(file)
        except OSError as error:
            raise self._bad(descriptor, error.strerror or str(error)) from None
        with opened as stream:
            yield CheckedStream(stream, descriptor, lambda why: self._bad(descriptor, why))

    @cached_property
    def _layout(self) -> Layout:
        try:
            return open_layout(self._path)
        except LayoutUnreadableError as error:
            raise _as_base_error(error) from None

    @cached_property
    def _index(self) -> tuple[bytes, list[Descriptor]]:
        """Give index.json and those of its entries that may be images."""
        try:
            data = read_file(self._layout, "index.json")
            listed = parse_json(data, name=f"index.json of {self._name}").get("manifests")
        except LayoutUnreadableError as error:
            raise _as_base_error(error) from None
        try:
            entries = [Descriptor.from_json(entry) for entry in _few(listed)]
        except ValueError as error:
            raise BaseImageError(f"index.json of {self._name} cannot be read", why=str(error)) from None
        return data, [entry for entry in entries if _may_be_image(entry)]

    def _by_digest(self, digest: str, entry: Descriptor | None = None) -> Blob:
        entry = entry or next((item for item in self._index[1] if item.digest == digest), None)
        if entry is None:
            size = self._layout.size(blob_path(digest) or "")
            if size is None:
                raise self._missing(digest)
            entry = Descriptor(media_type="", digest=digest, size=size)
        data = self.small_blob(entry)
        if not entry.media_type:
            entry = Descriptor(media_type=_own_type(data, f"{digest} of {self._name}"), digest=digest, size=len(data))
        return Blob(entry, data)

    def _tags(self, entries: list[Descriptor]) -> list[str]:
        return sorted({entry.annotations[_TAG][:100] for entry in entries if _TAG in entry.annotations})

    def _missing(self, version: str) -> BaseImageError:
        tags = self._tags(self._index[1])
        return BaseImageError(
            f"{self._name} holds no image {version[:200]!r}",
            why=f"its tags are {', '.join(tags)}" if tags else "its images have no tags",
            hint="correct the tag, or leave it out if there is only one image",
        )

    def _bad(self, descriptor: Descriptor, why: str) -> CrossdockError:
        return BaseImageError(
            f"{descriptor.digest} of {self._name} cannot be read",
            why=why,
            hint="make the image again; if another is there on purpose, run `crossdock lock`",
        )


def _few(listed: Any) -> list[Any]:  # noqa: ANN401
    if not isinstance(listed, list):
        raise ValueError("it has no list of manifests")  # noqa: TRY004  one error for all that is malformed
    if len(listed) > _MOST_ENTRIES:
        raise ValueError(f"it has more than {_MOST_ENTRIES:,} entries")
    return listed


def _may_be_image(entry: Descriptor) -> bool:
    """Say whether an entry is no artifact beside images, as signatures and bills of materials are."""
    return (
        entry.media_type in INDEX_TYPES | MANIFEST_TYPES
        and not entry.artifact_type
        and _DOCKER_KIND not in entry.annotations
    )


def _names_of(entry: Descriptor) -> set[str]:
    """Give the tags an entry has, and its whole name where that is the tag or is beside it."""
    names = {entry.annotations.get(_TAG, ""), entry.annotations.get(_NAME, "")}
    return {part for name in names for part in (name, name.rpartition("/")[2].rpartition(":")[2]) if part}


def _own_type(data: bytes, name: str) -> str:
    """Give the media type of a manifest that no entry of index.json names: its own, which OCI's may leave out."""
    try:
        document = parse_json(data, name=name)
    except LayoutUnreadableError as error:
        raise _as_base_error(error) from None
    value = document.get("mediaType", INDEX if "manifests" in document else MANIFEST)
    return value if isinstance(value, str) else ""


def _as_base_error(error: LayoutUnreadableError) -> BaseImageError:
    return BaseImageError(error.what, why=error.why, hint=error.hint)
