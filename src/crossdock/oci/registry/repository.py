"""One repository of a registry: what can be read from it and written to it."""

from __future__ import annotations

import contextlib
import re
import threading
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from crossdock.errors import RegistryContentError, RegistryError, RegistryNotFoundError
from crossdock.oci.content import MANIFEST_LIMIT
from crossdock.oci.model import INDEX_TYPES, MANIFEST_TYPES, Blob, Descriptor, is_digest
from crossdock.oci.registry.access import Scope
from crossdock.oci.registry.client import RefusedAnswer
from crossdock.oci.registry.reading import ACCEPTED, BlobReader, blob_pieces, manifest_blob, read_limited, wrong
from crossdock.oci.registry.transport import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator
    from pathlib import Path

    from crossdock.oci.content import ImageSource
    from crossdock.oci.registry.client import Client
    from crossdock.store.blobs import Store
    from crossdock.store.parallel import Cancellation

__all__ = ["Repository"]

T = TypeVar("T")

_LENGTH = re.compile(r"[1-9][0-9]{0,11}")
_COPY = 1 << 18
_ABSENT = (HTTPStatus.NOT_FOUND,)


class Repository:
    """A repository; satisfies `crossdock.oci.content.ImageSource`. Safe to use from many threads.

    Every method that asks the registry may raise, next to what it names itself:

        RegistryError: The registry cannot be reached, or fails, also after retries.
        RegistryAuthError: It refuses the credentials, or wants some and none are known.
        RegistryRefusedError: It refuses the request.
        RegistryConfigError: Credentials or certificates for it cannot be read.
        HttpConfigError: The CA bundle or the proxy cannot be used.
        OfflineError: The network may not be used.

    Args:
        client: The registry.
        path: Name within the registry.
        version: Tag or digest that is meant where none is named.

    Attributes:
        registry: Host and port, as in references.
        path: Name within the registry.
        version: Tag or digest that is meant where none is named.
    """

    def __init__(self, client: Client, path: str, version: str) -> None:
        self.registry = client.host.name
        self.path = path
        self.version = version
        self.client = client
        self._known: set[str] = set()
        self._begun: dict[str, str] = {}
        self._writing = False
        self._fallback_tags = threading.Lock()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """Registry and repository, as in references."""
        return f"{self.registry}/{self.path}"

    def writing(self) -> None:
        """Tell that this will be written to, so that the right for that is asked for at once."""
        self._writing = True

    def scope(self, *, push: bool = False, mounts: tuple[str, ...] = ()) -> Scope:
        """Say what a request to this repository needs to be allowed."""
        return Scope(self.path, push=push or self._writing, mounts=mounts)

    def manifest(self, version: str = "") -> Blob:
        """Give a manifest or index, OCI's or Docker's, byte for byte.

        Args:
            version: Tag or digest; empty for that of the reference.

        Raises:
            RegistryNotFoundError: There is none.
            RegistryContentError: It is not what its digest or media type says, or of a kind that is not understood.
        """
        version = version or self.version
        what = f"cannot read {self._named(version)}"

        def read() -> tuple[bytes, str, str]:
            with self.client.ask(
                "GET", self._manifest_path(version), self.scope(), what=what, headers={"Accept": ACCEPTED}
            ) as answer:
                data = read_limited(answer, MANIFEST_LIMIT, self.client.patience, what=what)
            return data, answer.headers.get("content-type", ""), answer.headers.get("docker-content-digest", "")

        data, content_type, claimed = self.client.retrying(read)
        return manifest_blob(data, content_type, version, claimed, what=what)

    def find_manifest(self, version: str = "") -> Descriptor | None:
        """Ask for the descriptor of a manifest; None if there is none.

        Its digest is what the registry says: `manifest` checks it. A registry that does not say it is asked for the
        whole manifest.
        """
        version = version or self.version
        what = f"cannot read {self._named(version)}"

        def ask() -> tuple[str, str, str]:
            with self.client.ask(
                "HEAD",
                self._manifest_path(version),
                self.scope(),
                what=what,
                headers={"Accept": ACCEPTED},
                expected=_ABSENT,
            ) as answer:
                headers = ("content-type", "content-length", "docker-content-digest")
                kind, size, digest = (answer.headers.get(name, "") for name in headers)
                return kind.partition(";")[0].strip().lower(), size, digest or version

        try:
            kind, size, digest = self.client.retrying(ask)
        except RefusedAnswer:
            return None
        if is_digest(version) and digest != version:
            raise wrong(what, f"the registry says that it has the digest {digest[:100]!r}")
        if kind in INDEX_TYPES | MANIFEST_TYPES and is_digest(digest) and _LENGTH.fullmatch(size):
            return Descriptor(media_type=kind, digest=digest, size=int(size))
        with contextlib.suppress(RegistryNotFoundError):
            return self.manifest(version).descriptor
        return None

    def small_blob(self, descriptor: Descriptor) -> bytes:
        """Give a config or another small blob, checked.

        Raises:
            RegistryNotFoundError: There is none.
            RegistryContentError: It is not what its descriptor says, or larger than `MANIFEST_LIMIT`.
        """
        what = f"cannot read {descriptor.digest} from {self.name}"
        if descriptor.size > MANIFEST_LIMIT:
            raise RegistryContentError(what, why=f"it has {descriptor.size} bytes; {MANIFEST_LIMIT} are the most")
        with self.open_blob(descriptor) as stream:
            return stream.read()

    @contextlib.contextmanager
    def open_blob(self, descriptor: Descriptor, *, cancellation: Cancellation | None = None) -> Iterator[BlobReader]:
        """Open a blob for reading; a broken connection is taken up where it was.

        Its size and digest are checked when its last byte is read: whoever stops earlier must not trust what was read.

        Raises:
            RegistryNotFoundError: There is none.
            RegistryContentError: It is not what its descriptor says.
        """
        what = f"cannot read {descriptor.digest} from {self.name}"
        path = f"/v2/{self.path}/blobs/{descriptor.digest}"
        reader = BlobReader(
            descriptor,
            lambda offset: blob_pieces(self.client, path, self.scope(), descriptor, offset, what, cancellation),
            lambda operation: self.client.retrying(operation, cancellation),
            retries=self.client.settings.retries,
            what=what,
        )
        with contextlib.closing(reader):
            yield reader

    def fetch_blob(self, descriptor: Descriptor, store: Store, *, cancellation: Cancellation | None = None) -> None:
        """Bring a blob into the store, checked; costs nothing if it is there. Errors as `open_blob`."""
        if store.find(descriptor.sha256) is not None:
            return
        try:
            self._fetch(descriptor, store, cancellation)
        except RegistryContentError:
            # Something on the way may have sent another copy, or cut it: that happens once, or always.
            self._fetch(descriptor, store, cancellation)

    def _fetch(self, descriptor: Descriptor, store: Store, cancellation: Cancellation | None) -> None:
        with store.writer() as writer, self.open_blob(descriptor, cancellation=cancellation) as stream:
            while piece := stream.read(_COPY):
                writer.write(piece)
            writer.commit(descriptor.sha256)

    def has_blob(self, descriptor: Descriptor, *, cancellation: Cancellation | None = None) -> bool:
        """Ask whether the repository holds a blob; that it does is remembered."""
        if descriptor.digest in self._known:
            return True
        what = f"cannot look for {descriptor.digest} in {self.name}"

        def ask() -> str:
            path = f"/v2/{self.path}/blobs/{descriptor.digest}"
            with self.client.ask(
                "HEAD",
                path,
                self.scope(),
                what=what,
                expected=(*_ABSENT, HTTPStatus.FORBIDDEN),
                cancellation=cancellation,
            ) as answer:
                return answer.headers.get("content-length", "")

        try:
            size = self.client.retrying(ask, cancellation)
        except RefusedAnswer as answer:
            if answer.refusal.status in _ABSENT or answer.elsewhere:
                return False
            raise answer.failure from None
        if size == "0" and descriptor.size:
            # A blob that was cut to nothing, or something on the way that counts the bytes of this answer.
            return False
        if size and size != str(descriptor.size):
            raise wrong(what, f"the registry says that it has {size[:20]!r} bytes instead of {descriptor.size}")
        self._remember(descriptor.digest)
        return True

    def forget(self) -> None:
        """Forget which blobs are there: the registry says that some are gone."""
        with self._lock:
            self._known.clear()

    def mount(self, descriptor: Descriptor, repository: str, *, cancellation: Cancellation | None = None) -> bool:
        """Have a blob of another repository of the same registry put into this one; say whether that was done.

        Args:
            descriptor: The blob.
            repository: Name of the other one within the registry.
            cancellation: What can stop it.
        """
        from crossdock.oci.registry.uploads import begin_upload, cancel_upload

        try:
            status, location = begin_upload(
                self.client,
                self.path,
                self.scope(push=True, mounts=(repository,)),
                what=f"cannot mount {descriptor.digest} into {self.name}",
                query=f"?mount={quote(descriptor.digest, safe='')}&from={quote(repository, safe='/')}",
                accept=(HTTPStatus.CREATED, HTTPStatus.ACCEPTED),
                cancellation=cancellation,
            )
        except RegistryError:
            # Nothing may be read from the other one, or this is not done here at all; some fail over it. Whether this
            # one may be written to shows when the blob is sent instead.
            return False
        mounted = status == HTTPStatus.CREATED
        with self._lock:
            earlier = self._begun.pop(descriptor.digest, "")
            if location and not mounted:
                # The registry began an upload instead; `upload` takes it.
                self._begun[descriptor.digest] = location
        if earlier:
            cancel_upload(self.client, self.path, earlier)
        if mounted:
            self._remember(descriptor.digest)
        return mounted

    def upload(
        self,
        descriptor: Descriptor,
        content: bytes | Path | ImageSource,
        *,
        cancellation: Cancellation | None = None,
        advance: Callable[[int], None] | None = None,
    ) -> None:
        """Send a blob, unasked whether it is there; one that breaks off goes on where it was.

        Args:
            descriptor: What it must be; the content is proved to be that while it is sent.
            content: The bytes, a file, or another place that holds the blob.
            cancellation: What can stop it.
            advance: Told how many bytes were read; fewer than none when some are to be sent again.

        Raises:
            DamagedLayerError: A file is not what the descriptor says; the registry keeps nothing of it.
        """
        from crossdock.oci.registry.proving import ProvedContent
        from crossdock.oci.registry.uploads import Upload

        with self._lock:
            begun = self._begun.pop(descriptor.digest, "")
        with ProvedContent(descriptor, content, advance) as proved:
            Upload(
                self.client,
                self.path,
                descriptor,
                proved,
                exists=lambda: self.has_blob(descriptor, cancellation=cancellation),
                begun=begun,
                cancellation=cancellation,
            ).run()
        self._remember(descriptor.digest)

    def check_push(self) -> None:
        """See that this may be written to, by an upload that is begun and given up at once.

        Raises:
            RegistryAuthError: It may not: the credentials are wrong, or there are none.
            RegistryError: The registry cannot be reached, has no such repository, or refuses for another reason.
        """
        from crossdock.oci.registry.uploads import begin_upload, cancel_upload

        self.writing()
        _, session = begin_upload(self.client, self.path, self.scope(), what=f"cannot push to {self.name}")
        if session:
            cancel_upload(self.client, self.path, session)

    def put_manifest(self, blob: Blob, version: str | None = None) -> None:
        """Write a manifest or index, by its digest unless a tag is named.

        Raises:
            RegistryContentError: The registry says it got another digest.
        """
        self.send_manifest(blob, version)

    def send_manifest(self, blob: Blob, version: str | None = None, *, expected: Collection[int] = ()) -> str:
        """Write as `put_manifest` does; return the subject that the registry made it a referrer of, empty if none.

        Raises:
            RefusedAnswer: The status is one of ``expected``.
        """
        version = version or blob.descriptor.digest
        what = f"cannot push {self._named(version)}"

        def put() -> tuple[str, str]:
            with self.client.ask(
                "PUT",
                self._manifest_path(version),
                self.scope(push=True),
                what=what,
                headers={"Content-Type": blob.descriptor.media_type},
                body=Body.of(blob.data),
                accept=(HTTPStatus.CREATED, HTTPStatus.OK, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT),
                expected=expected,
            ) as answer:
                return answer.headers.get("docker-content-digest", ""), answer.headers.get("oci-subject", "")

        claimed, subject = self.client.retrying(put)
        if claimed and claimed != blob.descriptor.digest:
            raise wrong(what, f"the registry says that it got {claimed[:100]!r} instead of {blob.descriptor.digest}")
        return subject

    def tags(self) -> Iterator[str]:
        """List the tags; those that are none by the specification are left out.

        Raises:
            RegistryNotFoundError: There is no such repository.
            RegistryContentError: It is no list, or one without an end.
        """
        from crossdock.oci.registry.lists import tag_names

        return tag_names(self.client, self.path, self.scope(), what=f"cannot list the tags of {self.name}")

    def referrers(self, digest: str, artifact_type: str = "") -> list[Descriptor]:
        """List the manifests whose subject is a digest, by the referrers API or the tag that stands in for it.

        Args:
            digest: Digest of the subject.
            artifact_type: Only those of this kind.
        """
        from crossdock.oci.registry.referrers import find_referrers

        return find_referrers(self, digest, artifact_type)

    def attach(self, manifest: Blob, subject: str) -> None:
        """Write a manifest that has a ``subject``; where the registry knows no referrers, their tag is kept right.

        Args:
            manifest: The manifest; its blobs must be there.
            subject: Digest of its subject.
        """
        from crossdock.oci.registry.referrers import add_to_tag, is_listed

        # Some registries have the API and do not say so in the answer.
        if self.send_manifest(manifest) != subject and not is_listed(self, manifest, subject):
            with self._fallback_tags:
                add_to_tag(self, manifest, subject)

    def _manifest_path(self, version: str) -> str:
        return f"/v2/{self.path}/manifests/{quote(version, safe=':')}"

    def _named(self, version: str) -> str:
        return f"{self.name}{'@' if is_digest(version) else ':'}{version}"

    def _remember(self, digest: str) -> None:
        with self._lock:
            self._known.add(digest)
