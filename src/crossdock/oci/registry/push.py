"""Pushing a whole image so that at no moment anything points at what is not there yet."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.errors import RegistryError, RegistryNotFoundError
from crossdock.oci.model import INDEX_TYPES
from crossdock.oci.registry.client import RefusedAnswer
from crossdock.oci.registry.repository import Repository
from crossdock.store.parallel import run_parallel

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from crossdock.oci.content import ImageSource
    from crossdock.oci.model import Blob, Descriptor
    from crossdock.store.parallel import Cancellation
    from crossdock.store.progress import Progress

__all__ = ["PushStats", "PushedBlob", "Remote", "push_image"]

Outcome = Literal["uploaded", "mounted", "present"]

_MISSING = ("MANIFEST_BLOB_UNKNOWN", "BLOB_UNKNOWN", "MANIFEST_UNKNOWN")
_REFUSALS = frozenset(range(400, 500)) - {401}


@dataclass(frozen=True, slots=True)
class Remote:
    """Content that is somewhere else: a `Repository` (of the same registry: mounted), a layout or an archive.

    Attributes:
        source: Where it can be read.
    """

    source: ImageSource


@dataclass(frozen=True, slots=True)
class PushedBlob:
    """A config or layer to be pushed.

    Attributes:
        descriptor: What it is.
        content: The bytes, a file, or where else it is; None if it must be in the repository already, or be mounted.
    """

    descriptor: Descriptor
    content: bytes | Path | Remote | None


@dataclass(frozen=True, slots=True, kw_only=True)
class PushStats:
    """What a push came to, in blobs (manifests are not counted).

    Attributes:
        uploaded: Blobs that were sent.
        mounted: Blobs that came from other repositories of the registry.
        present: Blobs that were there.
        bytes_sent: Sum of the sizes of those sent.
    """

    uploaded: int
    mounted: int
    present: int
    bytes_sent: int


def push_image(
    repository: Repository,
    root: Blob,
    manifests: Sequence[Blob],
    blobs: Iterable[PushedBlob],
    *,
    tags: Sequence[str] = (),
    jobs: int | None = None,
    mount_from: Mapping[str, Sequence[str]] | None = None,
    progress: Progress | None = None,
) -> PushStats:
    """Push blobs, then the manifests, then what refers to them, then tags.

    Args:
        repository: Where to.
        root: The index, or the only manifest.
        manifests: What the index refers to, children before parents; empty if ``root`` is the only manifest.
        blobs: Configs and layers of all manifests; repeated ones are sent once.
        tags: Tags for ``root``; with none it is pushed by digest only.
        jobs: How many blobs are on their way at once; as the settings say if left out.
        mount_from: Names of repositories of the same registry that may hold a blob, by its digest.
        progress: What draws how far it is.

    Raises:
        RegistryError: And its children, as `Repository` says.
        DamagedLayerError: A file is not what its descriptor says.
    """
    repository.writing()
    todo = list({blob.descriptor.digest: blob for blob in blobs}.values())
    # Large ones first: a large one begun last would leave the other workers idle.
    todo.sort(key=lambda blob: -blob.descriptor.size)
    work = _Push(repository, mount_from or {}, progress)
    jobs = jobs or repository.client.settings.jobs
    if progress is not None:
        progress.start(len(todo), sum(blob.descriptor.size for blob in todo))
    try:
        outcomes = run_parallel(work.push_blob, todo, jobs=jobs)
        try:
            _push_manifests(repository, root, manifests, tags, jobs)
        except _MissingContent:
            # Blobs that were there a moment ago are gone, as when the registry tidies up: look at each once more.
            repository.forget()
            outcomes = run_parallel(work.push_blob, todo, jobs=jobs)
            _push_manifests(repository, root, manifests, tags, jobs, last=True)
    finally:
        if progress is not None:
            progress.close()
    return _stats(todo, outcomes)


def _stats(todo: Sequence[PushedBlob], outcomes: Sequence[Outcome]) -> PushStats:
    sizes = (blob.descriptor.size for blob, outcome in zip(todo, outcomes, strict=True) if outcome == "uploaded")
    return PushStats(
        uploaded=outcomes.count("uploaded"),
        mounted=outcomes.count("mounted"),
        present=outcomes.count("present"),
        bytes_sent=sum(sizes),
    )


class _MissingContent(Exception):  # noqa: N818  it becomes an error only when it happens twice
    """A manifest is refused as something that it refers to is not in the repository."""


class _Push:
    """Brings single blobs into a repository, from the nearest place."""

    def __init__(
        self, repository: Repository, mount_from: Mapping[str, Sequence[str]], progress: Progress | None
    ) -> None:
        self._repository = repository
        self._mount_from = mount_from
        self._progress = progress

    def push_blob(self, blob: PushedBlob, cancellation: Cancellation) -> Outcome:
        outcome = self._bring(blob, cancellation)
        if self._progress is not None:
            if outcome != "uploaded":
                self._progress.advance(blob.descriptor.size)
            self._progress.file_done()
        return outcome

    def _bring(self, blob: PushedBlob, cancellation: Cancellation) -> Outcome:
        descriptor = blob.descriptor
        if self._repository.has_blob(descriptor, cancellation=cancellation):
            return "present"
        for name in self._neighbours(blob):
            if self._repository.mount(descriptor, name, cancellation=cancellation):
                return "mounted"
        content = blob.content.source if isinstance(blob.content, Remote) else blob.content
        if content is None:
            raise RegistryNotFoundError(
                f"cannot push {descriptor.digest} to {self._repository.name}",
                why="it was found in the registry before, and is not there any more",
                hint="run the same command again, with --no-cache-from if it fails again",
            )
        advance = self._progress.advance if self._progress is not None else None
        self._repository.upload(descriptor, content, cancellation=cancellation, advance=advance)
        return "uploaded"

    def _neighbours(self, blob: PushedBlob) -> list[str]:
        """List the other repositories of the registry that may hold a blob, the surest first."""
        names = list(self._mount_from.get(blob.descriptor.digest, ()))
        source = blob.content.source if isinstance(blob.content, Remote) else None
        if isinstance(source, Repository) and source.registry == self._repository.registry:
            names.insert(0, source.path)
        return [name for name in dict.fromkeys(names) if name != self._repository.path]


def _push_manifests(
    repository: Repository, root: Blob, manifests: Sequence[Blob], tags: Sequence[str], jobs: int, *, last: bool = False
) -> None:
    """Write manifests before what refers to them, and tags last."""
    # An index within the index must come after its own children: they are in the order that was given.
    leaves = [blob for blob in manifests if blob.descriptor.media_type not in INDEX_TYPES]
    run_parallel(lambda blob, _: _put(repository, blob, None, last=last), leaves, jobs=jobs)
    for blob in manifests:
        if blob.descriptor.media_type in INDEX_TYPES:
            _put(repository, blob, None, last=last)
    if not tags:
        _put(repository, root, None, last=last)
    for tag in dict.fromkeys(tags):
        _put(repository, root, tag, last=last)


def _put(repository: Repository, blob: Blob, tag: str | None, *, last: bool) -> None:
    try:
        repository.send_manifest(blob, tag, expected=_REFUSALS)
    except RefusedAnswer as answer:
        if answer.refusal.has(*_MISSING) and not last:
            raise _MissingContent from answer
        if tag is not None and not answer.refusal.has(*_MISSING) and _is_already(repository, blob, tag):
            return
        raise answer.failure from None


def _is_already(repository: Repository, blob: Blob, tag: str) -> bool:
    """Whether a tag that may not be written is what it should become: registries refuse that, too."""
    with contextlib.suppress(RegistryError):
        found = repository.find_manifest(tag)
        return found is not None and found.digest == blob.descriptor.digest
    return False
