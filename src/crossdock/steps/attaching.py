"""What is attached to a pushed image: bills of materials, provenance, and the record that saves the next build work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from crossdock.errors import RegistryRefusedError
from crossdock.oci.model import canonical_json
from crossdock.steps.registry_cache import RECORD_TYPE
from crossdock.store.parallel import run_parallel
from crossdock.supply.attach import artifact_manifest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from crossdock.oci.image import Image, Root
    from crossdock.oci.model import Descriptor
    from crossdock.oci.reference import Reference
    from crossdock.oci.registry import Repository
    from crossdock.services import Services
    from crossdock.steps.preparing import Prepared
    from crossdock.store.parallel import Cancellation
    from crossdock.supply.attach import Artifact

__all__ = ["Attachable", "attach_all"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Attachable:
    """An image, and what there is to say about it.

    Attributes:
        ready: What it was made of.
        root: The index.
        images: One for each target of the plan.
        epoch: Creation time, seconds since 1970.
    """

    ready: Prepared
    root: Root
    images: Sequence[Image]
    epoch: int


def attach_all(image: Attachable, references: Sequence[Reference], services: Services) -> None:
    """Attach everything in each repository that the image was pushed to; what is there already stays.

    Raises:
        RegistryError: A registry refuses something.
    """
    artifacts = list(_artifacts(image))
    for repository in {reference.name: services.repository(reference) for reference in references}.values():
        there = run_parallel(partial(_is_there, repository), artifacts, jobs=services.jobs)
        for (subject, artifact), is_there in zip(artifacts, there, strict=True):
            if not is_there:
                _attach(repository, artifact, subject)


def _attach(repository: Repository, artifact: Artifact, subject: Descriptor) -> None:
    try:
        for blob in artifact.blobs:
            repository.upload(blob.descriptor, blob.data)
        repository.attach(artifact.manifest, subject.digest)
    except RegistryRefusedError as error:
        reason = f"{error.what}: {error.why}" if error.why else error.what
        raise RegistryRefusedError(
            f"{repository.name} does not take what is attached to the image",
            why=reason,
            hint="the image itself is pushed, and whole; --no-attachments leaves out what is attached to it",
        ) from None


def _is_there(repository: Repository, item: tuple[Descriptor, Artifact], _: Cancellation) -> bool:
    return repository.find_manifest(item[1].manifest.descriptor.digest) is not None


def _artifacts(image: Attachable) -> Iterator[tuple[Descriptor, Artifact]]:
    """Give every artifact with what it is about."""
    from crossdock.supply.cyclonedx import CYCLONEDX, cyclonedx_json
    from crossdock.supply.inventory import inventory
    from crossdock.supply.spdx import SPDX, spdx_json

    ready = image.ready
    own, notes = ready.own, ready.wheels.all_notes(ready.own)
    for part, made in zip(ready.plan.targets, image.images, strict=True):
        subject = made.manifest.descriptor
        listed = inventory(part, own, ready.plan.project, notes, digest=subject.digest)
        yield subject, artifact_manifest(subject, SPDX, spdx_json(listed, epoch=image.epoch))
        yield subject, artifact_manifest(subject, CYCLONEDX, cyclonedx_json(listed, epoch=image.epoch))
    root = image.root.blob.descriptor
    yield root, _provenance(image)
    record = {
        "own": {own.key: own.to_json()} if own.key else {},
        "notes": {sha256: item.to_json() for sha256, item in notes.items()},
    }
    yield root, artifact_manifest(root, RECORD_TYPE, canonical_json(record))


def _provenance(image: Attachable) -> Artifact:
    from crossdock.oci.image import platform_name
    from crossdock.supply.provenance import (
        IN_TOTO,
        Material,
        Subject,
        file_materials,
        materials,
        parameters,
        statement,
    )

    ready, own = image.ready, image.ready.own
    project = ready.plan.project
    root = image.root.blob.descriptor
    subjects = [Subject(project.name, root.digest)]
    for made in image.images:
        described = made.manifest.descriptor
        subjects.append(Subject(f"{project.name} for {platform_name(described.platform or {})}", described.digest))
    files = [project.root / "pyproject.toml", project.root / "crossdock.lock", ready.plan.project_lock.lock.path]
    payload = statement(
        subjects,
        parameters(ready.asked),
        [*materials(ready.asked, own), *file_materials(files, project.root)],
        byproducts=[Material(name=own.filename, digest={"sha256": own.sha256})],
    )
    return artifact_manifest(root, IN_TOTO, payload)
