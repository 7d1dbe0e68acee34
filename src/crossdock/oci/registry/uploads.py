"""Sending one blob (OCI distribution-spec, "Pushing blobs"), over a network that breaks off and repeats itself.

A blob is proved to be what its digest says while it is sent: the last request, which makes it part of the repository,
is only sent when the digest of all that was sent is the right one.
"""

from __future__ import annotations

import contextlib
import re
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import quote

from crossdock.errors import CrossdockError, RegistryAuthError, RegistryRefusedError
from crossdock.oci.registry.access import Scope
from crossdock.oci.registry.client import RefusedAnswer
from crossdock.oci.registry.reading import wrong
from crossdock.oci.registry.transport import Body, check_redirect
from crossdock.store.parallel import Cancellation
from crossdock.store.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from contextlib import AbstractContextManager

    from crossdock.oci.model import Descriptor
    from crossdock.oci.registry.client import Answer, Client
    from crossdock.oci.registry.proving import ProvedContent

__all__ = ["Upload", "begin_upload", "cancel_upload"]

#: Blobs up to this size are proved first, and sent by one request.
SMALL_BYTES = 1 << 20
# What a registry (or a proxy before it) that finds a request too large is sent at once: less each time.
_SMALLER_CHUNKS = (16 << 20, 4 << 20, 1 << 20)
# So much more than ever before means that trying again leads somewhere.
_PROGRESS_BYTES = 1 << 20
_RANGE = re.compile(r"(?:bytes=)?0-(?P<last>[0-9]{1,20})")

# The registry has lost the upload, or has other bytes of it than we think: begin again.
_LOST_CODES = ("BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN", "DIGEST_INVALID", "SIZE_INVALID", "RANGE_INVALID")
_LOST = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE})
_PERHAPS_LOST = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.CONFLICT})
_TOO_LARGE = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
# How far an upload is, is not told by every registry, nor by a store of blobs that it leads to.
_UNTOLD = frozenset({*range(400, 500), 501}) - {401, 408, 425, 429}


class Upload:
    """One blob on its way.

    Args:
        client: The registry.
        repository: Where it goes.
        descriptor: What it must be.
        content: What it is.
        exists: Asks whether the repository holds it.
        begun: URL of an upload that the registry began already; empty if there is none.
        cancellation: What can stop it.
    """

    def __init__(
        self,
        client: Client,
        repository: str,
        descriptor: Descriptor,
        content: ProvedContent,
        *,
        exists: Callable[[], bool],
        begun: str = "",
        cancellation: Cancellation | None = None,
    ) -> None:
        self._client = client
        self._repository = repository
        self._descriptor = descriptor
        self._content = content
        self._exists = exists
        self._cancellation = cancellation or Cancellation()
        self._what = f"cannot push {descriptor.digest} to {client.host.name}/{repository}"
        self._chunk = client.settings.chunk_bytes
        self._session = begun
        self._offset = 0
        self._furthest = 0
        self._tried = False

    def run(self) -> None:
        """Send it; errors as `Repository.upload`."""
        small = self._content.whole() if self._descriptor.size <= SMALL_BYTES else None
        try:
            self._client.retrying(lambda: self._attempt(small), self._cancellation)
        except CrossdockError:
            if self._session:
                cancel_upload(self._client, self._repository, self._session)
            raise

    def _attempt(self, small: bytes | None) -> None:
        if self._tried and self._recovered():
            return
        self._tried = True
        try:
            if not self._session:
                self._begin()
            if small is not None:
                self._complete(Body.of(small))
                return
            while self._offset < self._descriptor.size:
                self._send_chunk()
            self._content.prove()
            self._complete(None)
        except TransientError as failure:
            self._note_progress(failure)
            raise

    def _begin(self) -> None:
        self._offset = 0
        path = f"/v2/{self._repository}/blobs/uploads/"
        with self._ask("POST", path, accept=(HTTPStatus.ACCEPTED,)) as answer:
            self._session = self._location(answer)
            least = answer.headers.get("oci-chunk-min-length", "")
            if self._chunk and least.isascii() and least.isdigit():
                self._chunk = max(self._chunk, int(least[:12]))

    def _send_chunk(self) -> None:
        start, rest = self._offset, self._descriptor.size - self._offset
        count = min(rest, self._chunk or rest)
        headers = {"Content-Type": "application/octet-stream"}
        if count < self._descriptor.size:
            # Without it, all of a blob in one request is what every registry understands.
            headers["Content-Range"] = f"{start}-{start + count - 1}"
        body = Body(count, lambda: self._content.pieces(start, count))
        with self._losing(), self._ask("PATCH", self._session, headers=headers, body=body) as answer:
            self._session = self._location(answer)
            kept = _kept(answer, start + count)
        # Some say how long this part is, or say the same for ever. They took it, and the last request's digest tells.
        self._offset = kept if start < kept <= start + count else start + count

    def _complete(self, body: Body | None) -> None:
        separator = "&" if "?" in self._session else "?"
        url = f"{self._session}{separator}digest={quote(self._descriptor.digest, safe='')}"
        headers = {"Content-Type": "application/octet-stream"} if body is not None else {}
        accept = (HTTPStatus.CREATED, HTTPStatus.NO_CONTENT)
        with self._losing(), self._ask("PUT", url, headers=headers, body=body, accept=accept) as answer:
            claimed = answer.headers.get("docker-content-digest", "")
        self._session = ""
        if claimed and claimed != self._descriptor.digest:
            raise wrong(self._what, f"the registry says that it got {claimed[:100]!r}")

    def _recovered(self) -> bool:
        """After a failure, find out how far the registry came; say whether it has all of it."""
        if self._session and self._descriptor.size > SMALL_BYTES:
            try:
                with self._ask("GET", self._session, accept=(200, 202, 204), expected=_UNTOLD) as answer:
                    self._session = self._location(answer, self._session)
                    self._offset = _kept(answer, -1)
            except RefusedAnswer:
                self._session = ""
            if self._session and 0 <= self._offset <= self._descriptor.size:
                return False
        # All that was sent is lost, so coming as far again, or a little further, is no progress.
        self._session, self._offset, self._furthest = "", 0, self._descriptor.size
        return self._exists()

    def _ask(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: Body | None = None,
        accept: Collection[int] = (HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT, HTTPStatus.CREATED),
        expected: Collection[int] | None = None,
    ) -> AbstractContextManager[Answer]:
        if expected is None:
            expected = _LOST | _PERHAPS_LOST | {_TOO_LARGE} if method in ("PATCH", "PUT") else ()
        return self._client.ask(
            method,
            target,
            Scope(self._repository, push=True),
            what=self._what,
            headers=headers,
            body=body,
            accept=accept,
            expected=expected,
            cancellation=self._cancellation,
        )

    @contextlib.contextmanager
    def _losing(self) -> Iterator[None]:
        """Begin again where the registry and we do not agree about what was sent."""
        try:
            yield
        except RefusedAnswer as answer:
            refusal, failure = answer.refusal, answer.failure
            smaller = refusal.status == _TOO_LARGE and self._take_smaller_chunks()
            if smaller:
                cancel_upload(self._client, self._repository, self._session)
            if smaller or refusal.status in _LOST or refusal.has(*_LOST_CODES):
                self._session = ""
                raise TransientError(failure) from None
            raise failure from None

    def _take_smaller_chunks(self) -> bool:
        sent = min(self._chunk or self._descriptor.size, self._descriptor.size)
        smaller = [size for size in _SMALLER_CHUNKS if size < sent]
        self._chunk = smaller[0] if smaller else self._chunk
        return bool(smaller)

    def _note_progress(self, failure: TransientError) -> None:
        failure.progressed = self._offset >= self._furthest + _PROGRESS_BYTES
        self._furthest = max(self._furthest, self._offset)

    def _location(self, answer: Answer, default: str = "") -> str:
        location = answer.headers.get("location", default)
        if not location:
            raise wrong(self._what, "the registry does not say where to send the blob")
        return check_redirect(answer.url, location, self._what)


def _kept(answer: Answer, default: int) -> int:
    """Return how many bytes of an upload the registry says it has."""
    match = _RANGE.fullmatch(answer.headers.get("range", "").strip())
    if match is None:
        return default
    # Registries say 0-0 of an upload that is empty, too.
    last = int(match["last"])
    return last + 1 if last else 0


def begin_upload(
    client: Client,
    repository: str,
    scope: Scope,
    *,
    what: str,
    query: str = "",
    accept: Collection[int] = (HTTPStatus.ACCEPTED,),
    cancellation: Cancellation | None = None,
) -> tuple[int, str]:
    """Ask for an upload; return the answer's status, and the URL it leads to, empty if to none.

    Args:
        client: The registry.
        repository: Where it goes.
        scope: What that needs to be allowed.
        what: What fails if this fails.
        query: What is asked for instead, from a question mark on.
        accept: Statuses that are a success.
        cancellation: What can stop it.
    """

    def ask() -> tuple[int, str]:
        path = f"/v2/{repository}/blobs/uploads/{query}"
        with client.ask("POST", path, scope, what=what, accept=accept, cancellation=cancellation) as answer:
            location = answer.headers.get("location", "")
            return answer.status, check_redirect(answer.url, location, what) if location else ""

    return client.retrying(ask, cancellation)


def cancel_upload(client: Client, repository: str, session: str) -> None:
    """Tell the registry that an upload will not be completed; it finds out itself in the end, so failing is no harm."""
    if repository in client.keeps_uploads:
        return
    scope = Scope(repository, push=True, delete=True)
    what = f"cannot end an upload to {repository}"
    try:
        with client.ask("DELETE", session, scope, what=what, accept=(200, 202, 204)):
            pass
    except (RegistryAuthError, RegistryRefusedError):
        # Who may push may not always delete.
        client.keeps_uploads.add(repository)
    except (CrossdockError, TransientError):
        pass
