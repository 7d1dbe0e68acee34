"""Choosing a platform's manifest: straight, or out of an index and those nested in it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.bases.platforms import fitness, platform_of, wanted_platform
from crossdock.errors import BaseImageError, MissingPlatformError
from crossdock.oci.model import CONFIG, DOCKER_CONFIG, INDEX_TYPES, MANIFEST_TYPES, Descriptor, is_digest

if TYPE_CHECKING:
    from crossdock.oci.content import ImageSource
    from crossdock.oci.model import Blob
    from crossdock.targets import Platform
    from crossdock.verify.platforms import Platform as ImagePlatform

__all__ = ["FoundManifest", "find_manifest"]

_MOST_ENTRIES = 1000
_MOST_DEPTH = 4
#: Indexes, and manifests whose entries do not say what they are for, that are looked into.
_MOST_READ = 64
_SHOWN = 20
#: How BuildKit marks a manifest that says something of another ("Image Attestation Storage").
_ATTESTATION = "vnd.docker.reference.type"
_SCHEMA_1 = "application/vnd.docker.distribution.manifest.v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundManifest:
    """A manifest that a target could run.

    Attributes:
        descriptor: The manifest's.
        document: What it says.
        platform: What its entry in the index is for; None if only the config says that.
        index: Digest of what the name stood for.
    """

    descriptor: Descriptor
    document: dict[str, Any]
    platform: ImagePlatform | None
    index: str


@dataclass(frozen=True, slots=True)
class _Offer:
    """An entry of an index, or of one nested in it; the platform may be that of the latter."""

    descriptor: Descriptor
    platform: ImagePlatform | None


def find_manifest(source: ImageSource, version: str, platform: Platform) -> FoundManifest:
    """Give the manifest that serves a platform best.

    Args:
        source: Where the image is.
        version: Its tag or digest; empty for the only image.
        platform: What a target wants.

    Raises:
        MissingPlatformError: There is none.
        BaseImageError: An index or manifest is malformed, or of a kind that is not understood.
    """
    root = source.manifest(version)
    if is_digest(version) and root.descriptor.digest != version:
        raise BaseImageError(f"{source.name} gave another image than {version}", why=root.descriptor.digest)
    document = _document(root, source.name)
    if root.descriptor.media_type in MANIFEST_TYPES:
        return FoundManifest(descriptor=root.descriptor, document=document, platform=None, index=root.descriptor.digest)
    search = _Search(source, wanted_platform(platform))
    search.enter(document, None, 0)
    offer = search.best()
    if offer is None:
        raise _missing(source.name, platform, search)
    blob = search.read(offer.descriptor)
    return FoundManifest(
        descriptor=blob.descriptor,
        document=_document(blob, source.name),
        platform=offer.platform,
        index=root.descriptor.digest,
    )


class _Search:
    """One walk through an index and those nested in it."""

    def __init__(self, source: ImageSource, wanted: ImagePlatform) -> None:
        self._source = source
        self._wanted = wanted
        self._read = 0
        self._seen = 0
        self.offers: list[_Offer] = []

    def enter(self, index: dict[str, Any], above: ImagePlatform | None, depth: int) -> None:
        """Collect what an index offers."""
        name = self._source.name
        listed = index.get("manifests")
        if not isinstance(listed, list):
            raise BaseImageError(f"The index of {name} has no list of manifests", hint="name another base")
        for item in listed:
            self._seen += 1
            if self._seen > _MOST_ENTRIES:
                raise BaseImageError(f"The index of {name} has more than {_MOST_ENTRIES} entries")
            try:
                descriptor = Descriptor.from_json(item)
            except ValueError as error:
                raise BaseImageError(f"The index of {name} has a malformed entry", why=str(error)) from None
            platform = platform_of(descriptor.platform) or above
            if descriptor.artifact_type or _ATTESTATION in descriptor.annotations:
                continue
            if platform is not None and platform.is_unknown:
                continue
            if descriptor.media_type in INDEX_TYPES:
                self._nested(descriptor, platform, depth + 1)
            elif descriptor.media_type in MANIFEST_TYPES:
                self.offers.append(_Offer(descriptor, platform))

    def _nested(self, descriptor: Descriptor, platform: ImagePlatform | None, depth: int) -> None:
        if platform is not None and fitness(platform, self._wanted) is None:
            self.offers.append(_Offer(descriptor, platform))  # to be named among those there are, no more
            return
        if depth > _MOST_DEPTH:
            raise BaseImageError(f"The indexes of {self._source.name} are nested more than {_MOST_DEPTH} deep")
        self.enter(_document(self.read(descriptor), self._source.name), platform, depth)

    def best(self) -> _Offer | None:
        """Give the entry that serves best; of equals the first, as engines take it."""
        ranked = [(rank, offer) for offer in self.offers if (rank := self._fitness(offer)) is not None]
        if not ranked:
            # As layouts have it that were copied for one platform: the entry says nothing, the config does.
            self.offers = [self._looked_into(offer) if offer.platform is None else offer for offer in self.offers]
            ranked = [(rank, offer) for offer in self.offers if (rank := self._fitness(offer)) is not None]
        return max(ranked, key=lambda item: item[0])[1] if ranked else None

    def _fitness(self, offer: _Offer) -> tuple[int, int] | None:
        return None if offer.platform is None else fitness(offer.platform, self._wanted)

    def _looked_into(self, offer: _Offer) -> _Offer:
        try:
            config = Descriptor.from_json(_document(self.read(offer.descriptor), self._source.name).get("config"))
        except ValueError:
            return offer
        if config.media_type not in {CONFIG, DOCKER_CONFIG}:
            return offer
        try:
            return _Offer(offer.descriptor, platform_of(json.loads(self._source.small_blob(config))))
        except (ValueError, RecursionError):
            return offer

    def read(self, descriptor: Descriptor) -> Blob:
        """Read a manifest or index that an index names."""
        self._read += 1
        name = self._source.name
        if self._read > _MOST_READ:
            raise BaseImageError(f"{name} needs more than {_MOST_READ} manifests to be read for one platform")
        blob = self._source.manifest(descriptor.digest)
        if (blob.descriptor.digest, blob.descriptor.media_type) != (descriptor.digest, descriptor.media_type):
            raise BaseImageError(
                f"{descriptor.digest} of {name} is not what its index says",
                why=f"it is {blob.descriptor.digest}, {blob.descriptor.media_type[:100]!r}, "
                f"and {descriptor.media_type[:100]!r} is said",
            )
        if len(blob.data) != descriptor.size:
            raise BaseImageError(
                f"{descriptor.digest} of {name} is not what its index says",
                why=f"it has {len(blob.data):,} bytes, and {descriptor.size:,} are said",
            )
        return blob


def _document(blob: Blob, name: str) -> dict[str, Any]:
    """Read a manifest or index, refusing what one reader takes for the one and another for the other.

    Raises:
        BaseImageError: It is none, or ambiguous (OCI image-spec, "mediaType").
    """
    media_type = blob.descriptor.media_type
    try:
        value = json.loads(blob.data)
    except (ValueError, RecursionError) as error:
        raise BaseImageError(f"The manifest of {name} is not JSON", why=str(error)[:200]) from None
    if not isinstance(value, dict):
        raise BaseImageError(f"The manifest of {name} is not a JSON object")
    if media_type.startswith(_SCHEMA_1) or value.get("schemaVersion") == 1:
        raise BaseImageError(
            f"{name} is an image of Docker's schema 1",
            why="that form of 2014 names no config and is not supported",
            hint="push the image again with a tool of today, or name another base",
        )
    if media_type not in INDEX_TYPES | MANIFEST_TYPES:
        raise BaseImageError(
            f"{name} is no image", why=f"its media type is {media_type[:100]!r}", hint="name an image or an image index"
        )
    is_index = media_type in INDEX_TYPES
    if value.get("mediaType", media_type) != media_type or ("layers" if is_index else "manifests") in value:
        raise BaseImageError(
            f"{blob.descriptor.digest} of {name} can be read as an index and as a manifest",
            why=f"it is said to be {media_type}",
            hint="name another base",
        )
    return value


def _missing(name: str, platform: Platform, search: _Search) -> MissingPlatformError:
    there = sorted({str(offer.platform)[:100] for offer in search.offers if offer.platform is not None})
    more = f" and {len(there) - _SHOWN} more" if len(there) > _SHOWN else ""
    return MissingPlatformError(
        f"{name} has no image for {platform}",
        why=f"it has {', '.join(there[:_SHOWN])}{more}" if there else "its index has no entry for any platform",
        hint="name another base, or leave the target out",
    )
