"""Looks at every file of a layer, in one pass over its bytes."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, BinaryIO, Final

from crossdock.errors import LayerUnreadableError, LayerUnsupportedError
from crossdock.layers.gunzip import gunzip
from crossdock.layers.tarwalk import Member, TarWalker
from crossdock.verify.binary import HEAD_SIZE, Binary, from_pe, identify
from crossdock.verify.owners import distribution_of, owned_paths
from crossdock.verify.pe import DOS_MAGIC, PE_HEADER_SIZE, pe_offset, read_pe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["DEFAULT_LIMITS", "LayerFacts", "ScanLimits", "scan_layer", "scan_layer_file"]

_FORMAT_VERSION: Final = 1
_CHUNK: Final = 256 * 1024
_MAX_RECORD: Final = 32 * 1024 * 1024

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
    """What is in a layer, as far as the proof needs to know; true for its digest for ever.

    Attributes:
        media_type: As which it was read.
        digest: ``sha256:…`` of the blob's bytes.
        size: Bytes of the blob.
        diff_id: ``sha256:…`` of the uncompressed tar.
        tar_size: Bytes of the uncompressed tar.
        files: How many regular files and hardlinks were looked at.
        binaries: The programs among them, by path, in the archive's order.
        owners: For a path in ``binaries``, the distribution whose RECORD in this layer lists it: ``numpy 2.1.0``.
        whiteouts: The paths of its whiteout files, as in the archive: what it hides of the layers below.
    """

    media_type: str
    digest: str
    size: int
    diff_id: str
    tar_size: int
    files: int
    binaries: tuple[tuple[str, Binary], ...] = ()
    owners: dict[str, str] = field(default_factory=dict)
    whiteouts: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes; `from_json` reads them."""
        return {"version": _FORMAT_VERSION, **asdict(self)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> LayerFacts:
        """Make facts of what `to_json` returned.

        Raises:
            ValueError: It is not that, or of another version of crossdock.
        """
        try:
            values = dict(data)
            if values.pop("version") != _FORMAT_VERSION:
                raise ValueError("layer facts of another version")
            values["binaries"] = tuple(
                (str(path), Binary(**{**binary, "machines": tuple(binary["machines"])}))
                for path, binary in values["binaries"]
            )
            values["whiteouts"] = tuple(values["whiteouts"])
            return cls(**values)
        except (AttributeError, KeyError, TypeError) as error:
            raise ValueError(f"not layer facts: {error}") from None


def scan_layer_file(path: Path, media_type: str, *, limits: ScanLimits = DEFAULT_LIMITS) -> LayerFacts:
    """Scan a layer on disk: see `scan_layer`."""
    with path.open("rb") as stream:
        return scan_layer(stream, media_type=media_type, limits=limits)


def scan_layer(stream: BinaryIO, *, media_type: str, limits: ScanLimits = DEFAULT_LIMITS) -> LayerFacts:
    """Look at the head of every regular file of a layer.

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
    if media_type in _TAR:
        tar = blob
        walk = _walk(_bounded(iter(blob), limits), limits)
    elif media_type in _GZIP:
        tar = _Meter(_bounded(gunzip(blob), limits))
        walk = _walk(iter(tar), limits)
    elif media_type in _ZSTD:
        from crossdock.layers.zstd import unzstd

        tar = _Meter(_bounded(unzstd(blob), limits))
        walk = _walk(iter(tar), limits)
    else:
        raise LayerUnsupportedError(
            f"a layer of media type {media_type[:200]!r} cannot be read",
            hint="convert the image, for example with `skopeo copy --dest-compress-format gzip`",
        )
    return LayerFacts(
        media_type=media_type,
        digest=blob.digest,
        size=blob.size,
        diff_id=tar.digest,
        tar_size=tar.size,
        files=walk.files,
        binaries=tuple(walk.binaries.items()),
        owners=walk.owners(),
        whiteouts=tuple(walk.whiteouts),
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


@dataclass(slots=True)
class _Walk:
    """What has been seen of a layer so far."""

    files: int = 0
    binaries: dict[str, Binary] = field(default_factory=dict)
    records: dict[str, bytes] = field(default_factory=dict)
    record_bytes: int = 0
    whiteouts: list[str] = field(default_factory=list)

    def owners(self) -> dict[str, str]:
        owners: dict[str, str] = {}
        if self.binaries:
            for path, content in self.records.items():
                name = distribution_of(path) or ""
                owners.update(dict.fromkeys(owned_paths(path, content, self.binaries), name))
        return owners


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


def _walk(chunks: Iterator[bytes], limits: ScanLimits) -> _Walk:
    walk = _Walk()
    tar = TarWalker(chunks, max_members=limits.max_members)
    for member in tar:
        if member.kind not in {"file", "hardlink"}:
            continue
        walk.files += 1
        path = member.path
        if path.rpartition("/")[2].startswith(".wh."):
            walk.whiteouts.append(path)
        if member.kind == "hardlink":
            # A link to a file of a lower layer needs nothing: that layer is looked at as well.
            if member.linkname in walk.binaries:
                walk.binaries[path] = walk.binaries[member.linkname]
        elif binary := _look(tar, member, walk):
            walk.binaries[path] = binary
    return walk


def _look(tar: TarWalker, member: Member, walk: _Walk) -> Binary | None:
    head = tar.read(HEAD_SIZE)
    binary = identify(head)
    if binary is not None and head.startswith(DOS_MAGIC) and binary.undecided and member.size > HEAD_SIZE:
        return _look_far(tar, head)
    if member.path.endswith("/RECORD") and distribution_of(member.path):
        _keep_record(walk, tar, head, member)
    return binary


def _look_far(tar: TarWalker, head: bytes) -> Binary | None:
    """Read a PE header that lies partly or wholly behind the head."""
    offset = pe_offset(head) or 0
    tar.skip(offset - len(head) if offset > len(head) else 0)
    header = read_pe(head[offset:] + tar.read(PE_HEADER_SIZE))
    return from_pe(header) if header else None


def _keep_record(walk: _Walk, tar: TarWalker, head: bytes, member: Member) -> None:
    # Only names packages in messages: past any sensible size it is left alone rather than kept in memory.
    if walk.record_bytes + member.size <= _MAX_RECORD:
        walk.records[member.path] = head + tar.read(member.size)
        walk.record_bytes += member.size
