"""What registries send, checked before anybody believes it."""

from __future__ import annotations

import hashlib
import json
import re
from http import HTTPStatus
from typing import TYPE_CHECKING

from crossdock.errors import RegistryContentError
from crossdock.oci.model import INDEX, INDEX_TYPES, MANIFEST, MANIFEST_TYPES, Blob, Descriptor, is_digest
from crossdock.store.http import Response
from crossdock.store.retries import TransientError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from crossdock.oci.registry.access import Scope
    from crossdock.oci.registry.client import Answer, Client
    from crossdock.store.parallel import Cancellation

__all__ = [
    "ACCEPTED",
    "BlobReader",
    "blob_pieces",
    "digest_of",
    "manifest_blob",
    "parse_json",
    "read_limited",
    "same_range",
    "wrong",
]

#: The ``Accept`` header for manifests.
ACCEPTED = ", ".join(sorted(INDEX_TYPES) + sorted(MANIFEST_TYPES))

_OLD_TYPES = ("application/vnd.docker.distribution.manifest.v1+",)
_CONTENT_RANGE = re.compile(r"bytes (?P<first>[0-9]{1,20})-[0-9]{1,20}/(?P<total>[0-9]{1,20}|\*)")
_PIECE = 1 << 18
# So much more of a blob than before means that trying again leads somewhere.
_PROGRESS_BYTES = 1 << 20
_HINT = "the registry or something before it is broken, or was tampered with: tell who runs it"


def digest_of(data: bytes) -> str:
    """Return the digest of content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def wrong(what: str, why: str) -> RegistryContentError:
    """Tell of content that is not what it should be."""
    return RegistryContentError(what, why=why, hint=_HINT)


def read_limited(answer: Answer, limit: int, patience: float, *, what: str) -> bytes:
    """Read a whole body.

    Raises:
        RegistryContentError: It has more than ``limit`` bytes.
    """
    body = bytearray()
    for piece in Response(url=answer.url, raw=answer.raw, patience=patience).chunks():
        body += piece
        if len(body) > limit:
            raise wrong(what, f"the registry sends more than {limit} bytes")
    return bytes(body)


def parse_json(data: bytes, *, what: str) -> dict[str, object]:
    """Read an object.

    Raises:
        RegistryContentError: It is none.
    """
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        value = None
    if not isinstance(value, dict):
        raise wrong(what, "the registry sends something else than a JSON object")
    return value


def manifest_blob(data: bytes, content_type: str, version: str, claimed: str, *, what: str) -> Blob:
    """Make a blob of a manifest, checked.

    Args:
        data: Its bytes.
        content_type: The answer's ``Content-Type``.
        version: The tag or digest it was asked for by.
        claimed: The digest that the answer claims; empty if none.
        what: What fails if this fails.

    Raises:
        RegistryContentError: It is another than asked for or claimed, or of a kind that is not understood.
    """
    digest = digest_of(data)
    if is_digest(version) and digest != version:
        raise wrong(what, f"the registry sends other content: it has the digest {digest}")
    if is_digest(claimed) and digest != claimed:
        raise wrong(what, f"the registry says {claimed} and sends {digest}")
    media_type = _media_type(parse_json(data, what=what), content_type, what)
    return Blob(Descriptor(media_type=media_type, digest=digest, size=len(data)), data)


def _media_type(value: dict[str, object], content_type: str, what: str) -> str:
    """Decide what a document is; one that could be read in two ways is refused (CVE-2021-41190)."""
    sent = content_type.partition(";")[0].strip().lower()
    if sent.startswith(_OLD_TYPES) or value.get("schemaVersion") == 1:
        raise RegistryContentError(
            what,
            why="it is a Docker manifest of schema 1, which no registry should have any more",
            hint="push the image again with a newer tool, or use another tag",
        )
    stated = value.get("mediaType")
    if stated is not None and not isinstance(stated, str):
        raise wrong(what, "its media type is no text")
    index, image = "manifests" in value, "layers" in value or "config" in value
    if index and image:
        raise wrong(what, "it could be an index and an image's manifest at once")
    known = INDEX_TYPES if index else MANIFEST_TYPES if image else frozenset[str]()
    for said in (stated, sent):
        if said in INDEX_TYPES | MANIFEST_TYPES and said not in known:
            raise wrong(what, f"it says that it is {said}, and has another form")
    if not known:
        raise RegistryContentError(
            what,
            why="it is neither an index nor an image's manifest",
            hint="name an image: other artifacts have other kinds of manifests",
        )
    if stated is None:
        return sent if sent in known else (INDEX if index else MANIFEST)
    if stated not in known:
        raise wrong(what, f"its media type is {stated[:100]!r}")
    return stated


def same_range(header: str, offset: int, size: int) -> bool:
    """Say whether a ``Content-Range`` is that of the rest of a blob (RFC 9110, 14.4)."""
    match = _CONTENT_RANGE.fullmatch(header)
    return match is not None and int(match["first"]) == offset and match["total"] in ("*", str(size))


def blob_pieces(
    client: Client,
    path: str,
    scope: Scope,
    descriptor: Descriptor,
    offset: int,
    what: str,
    cancellation: Cancellation | None,
) -> Iterator[bytes]:
    """Give the bytes of a blob from an offset on, as they arrive; they are not checked.

    Raises:
        TransientError: Something else comes than was asked for, or the connection breaks.
    """
    headers = {"Range": f"bytes={offset}-"} if offset else {}
    with client.ask(
        "GET", path, scope, what=what, headers=headers, accept=(200, 206), cancellation=cancellation
    ) as answer:
        # A server that knows no ranges sends all of it.
        skipped = offset
        if answer.status == HTTPStatus.PARTIAL_CONTENT:
            if not offset or not same_range(answer.headers.get("content-range", ""), offset, descriptor.size):
                raise TransientError(wrong(what, "the registry sends another part than it was asked for"))
            skipped = 0
        length = answer.headers.get("content-length", "")
        if length.isascii() and length.isdigit() and int(length[:20]) != descriptor.size - offset + skipped:
            raise TransientError(
                wrong(what, f"the registry sends {length[:20]} bytes; it should have {descriptor.size}")
            )
        for piece in Response(url=answer.url, raw=answer.raw, patience=client.patience).chunks():
            if skipped < len(piece):
                yield piece[skipped:] if skipped else piece
            skipped = max(0, skipped - len(piece))


class BlobReader:
    """Reads a blob, checked at its end; a broken connection is taken up where it was. Not for several threads.

    Args:
        descriptor: What it must be.
        pieces: Opens it from an offset on, and gives its bytes.
        retrying: Calls an operation until it succeeds.
        retries: How often a connection may break without a good part of the blob in between.
        what: What fails if this fails.
    """

    def __init__(
        self,
        descriptor: Descriptor,
        pieces: Callable[[int], Iterator[bytes]],
        retrying: Callable[[Callable[[], bytes]], bytes],
        *,
        retries: int,
        what: str,
    ) -> None:
        self._descriptor = descriptor
        self._retries = retries
        self._open = pieces
        self._retrying = retrying
        self._what = what
        self._pieces: Iterator[bytes] | None = None
        self._hash = hashlib.sha256()
        self._buffer = memoryview(b"")
        self._size = 0
        self._failed_at = 0
        self._failures = 0
        self._done = False

    def read(self, size: int = -1, /) -> bytes:
        """Give the next bytes, at most ``size``; none at the end.

        Raises:
            RegistryContentError: What was read is not what the descriptor says.
        """
        if size < 0:
            parts = []
            while part := self.read(_PIECE):
                parts.append(part)
            return b"".join(parts)
        if not self._buffer and not self._done and size:
            self._buffer = memoryview(self._retrying(self._next))
        part, self._buffer = bytes(self._buffer[:size]), self._buffer[size:]
        return part

    def close(self) -> None:
        """End the connection."""
        pieces, self._pieces = self._pieces, None
        if pieces is not None:
            pieces.close()  # type: ignore[attr-defined]  # it is a generator

    def _next(self) -> bytes:
        try:
            if self._pieces is None:
                self._pieces = self._open(self._size)
            piece = next(self._pieces, b"")
            if not piece:
                self._check_end()
        except TransientError as failure:
            self.close()
            if 0 < self._size == self._descriptor.size:
                # All that matters had come.
                self._done = True
                return b""
            self._count(failure)
            raise
        self._size += len(piece)
        self._hash.update(piece)
        if self._size > self._descriptor.size:
            raise wrong(self._what, f"the registry sends more than the {self._descriptor.size} bytes it should have")
        if self._size == self._descriptor.size:
            self._check_digest()
        return piece

    def _count(self, failure: TransientError) -> None:
        """Give up on a line that breaks off again and again and lets nearly nothing through."""
        if self._size >= self._failed_at + _PROGRESS_BYTES:
            self._failures = 0
            self._failed_at = self._size
        self._failures += 1
        if self._failures > self._retries:
            raise failure.error from failure

    def _check_end(self) -> None:
        if self._size < self._descriptor.size:
            # Without a Content-Length, a connection cut off looks like a blob that ends early.
            raise TransientError(
                wrong(self._what, f"the registry sends {self._size} bytes instead of {self._descriptor.size}")
            )
        self._check_digest()
        self._done = True

    def _check_digest(self) -> None:
        digest = f"sha256:{self._hash.hexdigest()}"
        if digest != self._descriptor.digest:
            raise wrong(self._what, f"the registry sends other content: it has the digest {digest}")
