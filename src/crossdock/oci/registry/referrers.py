"""Referrers: what says something about an image (OCI distribution-spec, "Listing Referrers" and its fallback tag)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from crossdock.errors import RegistryContentError, RegistryError, RegistryNotFoundError, RegistryRefusedError
from crossdock.oci.model import INDEX, INDEX_TYPES, Blob, Descriptor, json_blob
from crossdock.oci.registry.client import RefusedAnswer
from crossdock.oci.registry.lists import pages
from crossdock.oci.registry.reading import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.oci.registry.repository import Repository

__all__ = ["add_to_tag", "descriptor_of", "fallback_tag", "find_referrers", "is_listed"]

# A registry without the API answers in one of these ways.
_NO_API = (
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.BAD_REQUEST,
    HTTPStatus.NOT_ACCEPTABLE,
    HTTPStatus.NOT_IMPLEMENTED,
)
_MOST = 10_000
_WRITES = 5


def fallback_tag(digest: str) -> str:
    """Give the tag of the index that lists the referrers of a digest ("Referrers Tag Schema")."""
    return digest.replace(":", "-", 1)[:128]


def find_referrers(repository: Repository, digest: str, artifact_type: str) -> list[Descriptor]:
    """List referrers; arguments and errors as `Repository.referrers`."""
    what = f"cannot list what refers to {repository.name}@{digest}"
    found = _by_api(repository, digest, what)
    if found is None:
        found = _entries((_tagged_index(repository, digest, what) or {}).get("manifests", []), what)
    return [one for one in found if not artifact_type or one.artifact_type == artifact_type]


def is_listed(repository: Repository, manifest: Blob, subject: str) -> bool:
    """Say whether the registry itself lists a manifest as referring to a subject; errors as `find_referrers`."""
    found = _by_api(repository, subject, f"cannot list what refers to {repository.name}@{subject}")
    return any(one.digest == manifest.descriptor.digest for one in found or ())


def _by_api(repository: Repository, digest: str, what: str) -> list[Descriptor] | None:
    """Ask the referrers API; None if the registry has none."""
    path = f"/v2/{repository.path}/referrers/{digest}"
    found: list[Descriptor] = []
    try:
        # Filtered here: registries may pass over the parameter, and lists are short.
        for page, headers in pages(repository.client, path, repository.scope(), what=what, expected=_NO_API):
            kind = headers.get("content-type", "").partition(";")[0].strip().lower()
            if not found and kind not in INDEX_TYPES:
                # Such as the page that a web server shows for every path it does not know.
                return None
            found += _entries(parse_json(page, what=what).get("manifests"), what)
            if len(found) > _MOST:
                raise RegistryContentError(what, why=f"there are more than {_MOST}")
    except RefusedAnswer:
        return None
    return found


def descriptor_of(manifest: Blob) -> Descriptor:
    """Give the entry of a manifest in a list of referrers: with its kind, and its annotations.

    Raises:
        ValueError: It is not the JSON of a manifest.
    """
    value = json.loads(manifest.data)
    config = value.get("config")
    kind = value.get("artifactType") or (config.get("mediaType", "") if isinstance(config, dict) else "")
    one = manifest.descriptor
    return Descriptor(
        media_type=one.media_type,
        digest=one.digest,
        size=one.size,
        annotations=value.get("annotations") or {},
        artifact_type=kind,
    )


def add_to_tag(repository: Repository, manifest: Blob, subject: str) -> None:
    """Add a manifest to the fallback tag of its subject.

    There is no way to lock a tag: what others add at the same moment may be lost, so the tag is read again afterwards,
    and written again if ours is.

    Raises:
        RegistryError: And its children, as `Repository` says.
    """
    what = f"cannot list {repository.name}@{manifest.descriptor.digest} as referring to {subject}"
    added = descriptor_of(manifest)
    for _ in range(_WRITES):
        index = _tagged_index(repository, subject, what)
        if index is None:
            raise RegistryRefusedError(
                what,
                why=f"the registry lists no referrers, and takes the tag {fallback_tag(subject)} for the image itself",
                hint="use a newer version of the registry, or --no-attachments",
            )
        entries = index.get("manifests", [])
        if any(one.digest == added.digest for one in _entries(entries, what)):
            return
        # What others say in there stays, whether it is understood here or not.
        index |= {"schemaVersion": 2, "mediaType": INDEX, "manifests": [*entries, added.to_json()]}
        try:
            blob = json_blob(INDEX, index)
        except ValueError:
            raise RegistryContentError(what, why=f"the tag {fallback_tag(subject)} holds text that is none") from None
        repository.put_manifest(blob, fallback_tag(subject))
    raise RegistryError(
        what,
        why=f"the tag {fallback_tag(subject)} is changed by others all the time",
        hint="run the command again when nobody else pushes attachments of this image",
    )


def _tagged_index(repository: Repository, digest: str, what: str) -> dict[str, Any] | None:
    """Read the index under the fallback tag; empty if there is none, and None if the registry takes it for a digest."""
    try:
        index = repository.manifest(fallback_tag(digest))
    except RegistryNotFoundError:
        return {}
    if index.descriptor.digest == digest:
        # GitLab's does that. What is in the image must not be taken for what refers to it.
        return None
    if index.descriptor.media_type not in INDEX_TYPES:
        raise RegistryContentError(
            what,
            why=f"the tag {fallback_tag(digest)} is not a list of referrers",
            hint="somebody pushed an image under that tag: remove it",
        )
    return parse_json(index.data, what=what)


def _entries(values: object, what: str) -> list[Descriptor]:
    if not isinstance(values, list):
        raise RegistryContentError(what, why="the registry sends something else than a list of referrers")
    found: Iterable[object] = values
    try:
        return [Descriptor.from_json(value) for value in found]
    except ValueError as error:
        raise RegistryContentError(what, why=str(error)) from None
