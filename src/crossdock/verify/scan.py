"""Looks at every file of a layer, in one pass over its bytes."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.gunzip import gunzip
from crossdock.layers.tarwalk import TarWalker
from crossdock.store.ahead import ahead
from crossdock.verify.contents import Contents
from crossdock.verify.looking import ContentsReader
from crossdock.verify.version import FACTS_VERSION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

__all__ = ["DEFAULT_LIMITS", "LayerFacts", "ScanLimits", "scan_layer", "scan_layer_file"]

_CHUNK: Final = 256 * 1024
#: Files up to this size are read at once; larger ones piece by piece, so that memory is bounded.
_AT_ONCE: Final = 4 << 20

_TAR: Final = frozenset({"application/vnd.oci.image.layer.v1.tar", "application/vnd.docker.image.rootfs.diff.tar"})
_GZIP: Final = frozenset(
    {"application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.docker.image.rootfs.diff.tar.gzip"}
)
_ZSTD: Final = frozenset(
    {"application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar.zstd"}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanLimits:
    """What a layer may be at most, so that a hostile one cannot keep a machine busy for ever.

    Attributes:
        max_bytes: Uncompressed bytes.
        max_members: Members of the archive, extended headers included.
    """

    max_bytes: int = 64 * 1024**3
    max_members: int = 2_000_000


DEFAULT_LIMITS: Final = ScanLimits()


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFacts:
    """What is in a layer; true for its digest for ever.

    Attributes:
        media_type: As which it was read.
        digest: ``sha256:…`` of the blob's bytes.
        size: Bytes of the blob.
        diff_id: ``sha256:…`` of the uncompressed tar.
        contents: What was seen.
    """

    media_type: str
    digest: str
    size: int
    diff_id: str
    contents: Contents

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes; `from_json` reads them."""
        return {
            "version": FACTS_VERSION,
            "media_type": self.media_type,
            "digest": self.digest,
            "size": self.size,
            "diff_id": self.diff_id,
            "contents": self.contents.to_json(),
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LayerFacts:
        """Make facts of what `to_json` returned.

        Raises:
            ValueError: It is not that, or of another version of crossdock.
        """
        try:
            if data["version"] != FACTS_VERSION:
                raise ValueError("layer facts of another version")
            texts = {name: str(data[name]) for name in ("media_type", "digest", "diff_id")}
            return cls(size=int(data["size"]), contents=Contents.from_json(data["contents"]), **texts)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not layer facts: {error}") from None


def scan_layer_file(path: Path, media_type: str, *, limits: ScanLimits = DEFAULT_LIMITS) -> LayerFacts:
    """Scan a layer on disk: see `scan_layer`."""
    with path.open("rb") as stream:
        return scan_layer(stream, media_type=media_type, limits=limits)


def scan_layer(stream: BinaryIO, *, media_type: str, limits: ScanLimits = DEFAULT_LIMITS) -> LayerFacts:
    """Look at every file of a layer.

    Args:
        stream: The blob, read once from where it is to its end.
        media_type: Of OCI's or Docker's tar, tar+gzip or tar+zstd layers (OCI image specification, "Image Layer
            Filesystem Changeset").
        limits: When to give up.

    Raises:
        LayerUnsupportedError: It is of another media type, or compressed by zstd and the package for that is missing.
        LayerUnreadableError: It is damaged, cut short, followed by something else, larger than the limits, or its paths
            lead out of the root.
    """
    blob = _Meter(iter(lambda: stream.read(_CHUNK), b""))
    # Inflating takes as long as all that is done here with what it gives.
    with closing(ahead(_bounded(_unpacked(blob, media_type), limits))) as pieces:
        tar = blob if media_type in _TAR else _Meter(pieces)
        contents = _walk(pieces if tar is blob else iter(tar), limits)
    return LayerFacts(
        media_type=media_type,
        digest=blob.digest,
        size=blob.size,
        diff_id=tar.digest,
        contents=contents,
    )


def _unpacked(blob: Iterable[bytes], media_type: str) -> Iterator[bytes]:
    if media_type in _TAR:
        return iter(blob)
    if media_type in _GZIP:
        return gunzip(blob)
    if media_type in _ZSTD:
        from crossdock.layers.zstd import unzstd

        return unzstd(blob)
    raise LayerUnsupportedError(
        f"a layer of media type {media_type[:200]!r} cannot be read",
        hint="convert the image, for example with `skopeo copy --dest-compress-format gzip`",
    )


class _Meter:
    """Counts and hashes the bytes that pass through it."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._hash = hashlib.sha256()
        self.size = 0

    def __iter__(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            self._hash.update(chunk)
            self.size += len(chunk)
            yield chunk

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _bounded(chunks: Iterator[bytes], limits: ScanLimits) -> Iterator[bytes]:
    left = limits.max_bytes
    for chunk in chunks:
        left -= len(chunk)
        if left < 0:
            raise LayerUnreadableError(
                "the layer is too large",
                why=f"it holds more than {limits.max_bytes:,} bytes when uncompressed",
            )
        yield chunk


def _walk(chunks: Iterator[bytes], limits: ScanLimits) -> Contents:
    reader = ContentsReader()
    tar = TarWalker(chunks, max_members=limits.max_members)
    for member in tar:
        if member.kind != "file":
            reader.other(member.path, member.kind, mode=member.mode, link=member.linkname)
        elif member.size <= _AT_ONCE:
            reader.see(member.path, tar.read(member.size), mode=member.mode)
        else:
            reader.pieces(member.path, member.size, tar.pieces(), mode=member.mode)
    return reader.contents()
