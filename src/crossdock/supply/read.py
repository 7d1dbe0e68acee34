"""Finding the bill of materials that is attached to an image, by whomever it was made."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Protocol

from crossdock.errors import SbomError
from crossdock.oci.model import INDEX, INDEX_TYPES, MANIFEST_TYPES, Descriptor
from crossdock.supply.cyclonedx import CYCLONEDX
from crossdock.supply.spdx import SPDX
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from crossdock.oci.content import Stream
    from crossdock.oci.model import Blob

__all__ = ["FORMATS", "AttachedImages", "LayoutImages", "read_sbom"]

#: Type of the artifact by the format's name.
FORMATS = {"spdx": SPDX, "cyclonedx": CYCLONEDX}

_LARGEST = 64 << 20
_MOST_ENTRIES = 1000
_CREATED = "org.opencontainers.image.created"
_TAG = "org.opencontainers.image.ref.name"
_PIECE = 1 << 20
#: The tag that stands in for a list of referrers (OCI distribution-spec, "Referrers Tag Schema").
_STANDS_IN = re.compile(r"sha256-[0-9a-f]{64}")


class AttachedImages(Protocol):
    """A place with images, and what is attached to them; a registry's repository is one."""

    @property
    def name(self) -> str:
        """What to call it in messages."""

    def manifest(self, version: str = "") -> Blob:
        """Give a manifest or index by its tag or digest."""

    def open_blob(self, descriptor: Descriptor) -> AbstractContextManager[Stream]:
        """Open a blob, which is checked when its last byte is read."""

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """List the manifests whose subject is a digest."""


def read_sbom(images: AttachedImages, kind: str, *, version: str = "", platform: Platform | None = None) -> bytes:
    """Give the bill of materials of an image for one platform, byte for byte as it was attached.

    Args:
        images: Where the image is.
        kind: Format: a key of `FORMATS`.
        version: Tag or digest of the image; empty for the one that ``images`` is about.
        platform: Which of its platforms; may be left out for an image that has one.

    Raises:
        SbomError: There is none, it cannot be read, or the platform has to be named.
        CrossdockError: The image cannot be read.
    """
    root = images.manifest(version)
    manifest = _manifest_of(root, platform, images.name)
    attached: list[str] = []
    for digest in dict.fromkeys((manifest, root.descriptor.digest)):
        found = images.referrers(digest, FORMATS[kind])
        # The newest; of several as new the same one every time.
        for descriptor in sorted(found, key=lambda item: (item.annotations.get(_CREATED, ""), item.digest))[::-1]:
            payload = _payload(images, descriptor, digest, FORMATS[kind])
            if payload is not None:
                return _read(images, payload)
        attached += [
            name for name, media_type in FORMATS.items() if name != kind and images.referrers(digest, media_type)
        ]
    raise SbomError(
        f"{images.name} has no bill of materials in the format {kind}",
        why=f"there is one in {attached[0]}" if attached else "none is attached to it",
        hint=f"ask for --format {attached[0]}"
        if attached
        else "`crossdock image --push` attaches one; `crossdock sbom PROJECT` tells what would be built",
    )


def _manifest_of(root: Blob, platform: Platform | None, name: str) -> str:
    """Give the digest of the manifest for a platform."""
    if root.descriptor.media_type not in INDEX_TYPES:
        return root.descriptor.digest
    offered = list(_offered(_json(root.data, f"the index of {name}")))
    fitting = [digest for digest, other in offered if platform is None or _same(other, platform)]
    if len(fitting) == 1:
        return fitting[0]
    names = ", ".join(sorted({str(other)[:100] for _, other in offered}))
    if not fitting:
        what = f"{name} has no image for {platform}" if platform is not None else f"{name} has no image"
        raise SbomError(what, why=f"its platforms are {names}" if names else "its index is empty")
    raise SbomError(
        f"{name} has images for several platforms, each with a bill of materials of its own",
        why=f"they are {names}",
        hint="name one with --platform",
    )


def _offered(index: dict[str, Any]) -> Iterator[tuple[str, Platform]]:
    listed = index.get("manifests")
    for item in listed[:_MOST_ENTRIES] if isinstance(listed, list) else ():
        try:
            descriptor = Descriptor.from_json(item)
        except ValueError:
            continue
        platform = Platform.from_json(descriptor.platform or {})
        if platform is not None and not platform.is_unknown and descriptor.media_type in MANIFEST_TYPES:
            yield descriptor.digest, platform


def _same(offered: Platform, wanted: Platform) -> bool:
    if wanted.variant:
        return offered.same_machine(wanted)
    return (offered.os, offered.architecture) == (wanted.os, wanted.architecture)


def _payload(images: AttachedImages, descriptor: Descriptor, subject: str, artifact_type: str) -> Descriptor | None:
    """Give what an artifact carries; None if it is not about the subject, whoever says so."""
    document = _json(images.manifest(descriptor.digest).data, f"{descriptor.digest} of {images.name}")
    about, layers = document.get("subject"), document.get("layers")
    if not isinstance(about, dict) or about.get("digest") != subject or _type_of(document) != artifact_type:
        return None
    try:
        (payload,) = [Descriptor.from_json(item) for item in layers] if isinstance(layers, list) else []
    except ValueError as error:
        what = f"{descriptor.digest} of {images.name} carries no bill of materials"
        raise SbomError(what, why=str(error)) from None
    return payload


def _type_of(document: dict[str, Any]) -> str:
    """Give the kind of an artifact (OCI image-spec, "Image Manifest Property Descriptions": ``artifactType``)."""
    config = document.get("config")
    kind = document.get("artifactType") or (config.get("mediaType") if isinstance(config, dict) else "")
    return kind if isinstance(kind, str) else ""


def _read(images: AttachedImages, payload: Descriptor) -> bytes:
    name = f"the bill of materials {payload.digest} of {images.name}"
    if payload.size > _LARGEST:
        raise SbomError(f"{name} is too large", why=f"it has {payload.size:,} bytes; at most {_LARGEST:,} are read")
    with images.open_blob(payload) as stream:
        data = b"".join(iter(lambda: stream.read(_PIECE), b""))
    _json(data, name)
    return data


def _json(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise SbomError(f"{name} is not JSON", why=str(error)) from None
    if not isinstance(value, dict):
        raise SbomError(f"{name} is not a JSON object")
    return value


class LayoutImages:
    """An OCI layout; artifacts are further entries of its ``index.json``, as ``oras copy --recursive`` writes them.

    Args:
        path: The folder or the tar file.
        name: What to call it in messages.
    """

    def __init__(self, path: Path, name: str) -> None:
        from crossdock.oci.layout_source import LayoutSource

        self._path = path
        self._source = LayoutSource(path, name)

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return self._source.name

    def manifest(self, version: str = "") -> Blob:
        """Give a manifest or index: see `AttachedImages`.

        Without a version it is the only one with a tag, where there is one: some tools list every manifest.
        """
        if not version:
            tags = {entry.annotations.get(_TAG, "") for entry in self._index()}
            named = [tag for tag in tags if tag and not _STANDS_IN.fullmatch(tag)]
            version = named[0] if len(named) == 1 else ""
        return self._source.manifest(version)

    def open_blob(self, descriptor: Descriptor) -> AbstractContextManager[Stream]:
        """Open a blob: see `AttachedImages`."""
        return self._source.open_blob(descriptor)

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """List the manifests whose subject is a digest: see `AttachedImages`."""
        found = {}
        for entry in self._candidates(digest):
            document = _json(self._source.manifest(entry.digest).data, f"{entry.digest} of {self.name}")
            subject = document.get("subject")
            if not isinstance(subject, dict) or subject.get("digest") != digest:
                continue
            kind = _type_of(document)
            if artifact_type in ("", kind):
                # Descriptors in index.json need not say what the manifests do.
                value = {**entry.to_json(), "annotations": document.get("annotations"), "artifactType": kind}
                found[entry.digest] = Descriptor.from_json(value)
        return list(found.values())

    def _candidates(self, digest: str) -> Iterator[Descriptor]:
        """Give every entry that may be an artifact, and those that a tag in place of the referrers API lists."""
        for entry in self._index():
            if entry.media_type == INDEX and entry.annotations.get(_TAG) == digest.replace(":", "-"):
                listed = self._source.manifest(entry.digest)
                yield from _entries(_json(listed.data, f"{entry.digest} of {self.name}"))
            elif entry.media_type in MANIFEST_TYPES:
                yield entry

    def _index(self) -> Iterator[Descriptor]:
        from crossdock.oci.layout_files import open_layout, parse_json, read_file

        data = read_file(open_layout(self._path), "index.json")
        yield from _entries(parse_json(data, name=f"index.json of {self.name}"))


def _entries(index: dict[str, Any]) -> Iterator[Descriptor]:
    listed = index.get("manifests")
    for item in listed[:_MOST_ENTRIES] if isinstance(listed, list) else ():
        try:
            yield Descriptor.from_json(item)
        except ValueError:
            continue
