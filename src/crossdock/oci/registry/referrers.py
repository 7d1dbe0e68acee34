"""Referrers: what says something about an image (OCI distribution-spec, "Listing Referrers" and its fallback tag)."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import TYPE_CHECKING

from crossdock.errors import RegistryContentError, RegistryError, RegistryNotFoundError
from crossdock.oci.model import INDEX, INDEX_TYPES, Blob, Descriptor, json_blob
from crossdock.oci.registry.client import RefusedAnswer
from crossdock.oci.registry.lists import pages
from crossdock.oci.registry.reading import parse_json

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.oci.registry.repository import Repository

__all__ = ["add_to_tag", "descriptor_of", "fallback_tag", "find_referrers", "is_listed"]

# A registry without the API answers in one of these ways.
_NO_API = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.BAD_REQUEST)
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
        found = _listed(repository, digest, what)
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
        for page, _ in pages(repository.client, path, repository.scope(), what=what, expected=_NO_API):
            found += _entries(page.get("manifests"), what)
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
        listed = _listed(repository, subject, what)
        if any(one.digest == added.digest for one in listed):
            return
        index = {
            "schemaVersion": 2,
            "mediaType": INDEX,
            "manifests": [one.to_json() for one in (*listed, added)],
        }
        repository.put_manifest(json_blob(INDEX, index), fallback_tag(subject))
    raise RegistryError(
        what,
        why=f"the tag {fallback_tag(subject)} is changed by others all the time",
        hint="run the command again when nobody else pushes attachments of this image",
    )


def _listed(repository: Repository, digest: str, what: str) -> list[Descriptor]:
    try:
        index = repository.manifest(fallback_tag(digest))
    except RegistryNotFoundError:
        return []
    if index.descriptor.media_type not in INDEX_TYPES:
        raise RegistryContentError(
            what,
            why=f"the tag {fallback_tag(digest)} is not a list of referrers",
            hint="somebody pushed an image under that tag: remove it",
        )
    return _entries(parse_json(index.data, what=what).get("manifests"), what)


def _entries(values: object, what: str) -> list[Descriptor]:
    if not isinstance(values, list):
        raise RegistryContentError(what, why="the registry sends something else than a list of referrers")
    found: Iterable[object] = values
    try:
        return [Descriptor.from_json(value) for value in found]
    except ValueError as error:
        raise RegistryContentError(what, why=str(error)) from None
