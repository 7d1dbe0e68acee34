"""``image.json``: an image by its digests, and what it claims to be; enough to write, push and prove it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from crossdock.bazel.handed.jsonfile import malformed, read_object, write_json
from crossdock.errors import TargetError
from crossdock.oci.image import Layer
from crossdock.oci.model import Descriptor
from crossdock.targets import Target, parse_platform, parse_python
from crossdock.verify.exceptions import Allowance

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.store.actions import JSON
    from crossdock.targets import Platform

__all__ = ["Claimed", "ImageFile", "IndexFile", "read_image", "read_index", "write_image", "write_index"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """What an image says it is, for whoever proves it again.

    Attributes:
        platform: What it is for, with the C library that it may count on.
        target: That with its Python; None for an image without Python.
        wheels: File names of all that is installed.
        waived: Names of distributions that may be missing.
        allow: Exceptions of the proof.
        until: The last day on which they let all through that was found; None for ever.
    """

    platform: Platform
    target: Target | None
    wheels: tuple[str, ...]
    waived: frozenset[str]
    allow: tuple[Allowance, ...]
    until: dt.date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageFile:
    """An image.

    Attributes:
        name: What to call it.
        manifest: Its descriptor, with the platform.
        config: Its descriptor.
        layers: Lowest first.
        annotations: Those of an index that it is in.
        base: Name of its base.
        claim: What it says it is.
    """

    name: str
    manifest: Descriptor
    config: Descriptor
    layers: tuple[Layer, ...]
    annotations: Mapping[str, str]
    base: str
    claim: Claimed


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexFile:
    """An index.

    Attributes:
        name: What to call it.
        root: Its descriptor.
        manifests: What it refers to.
    """

    name: str
    root: Descriptor
    manifests: tuple[Descriptor, ...]


def write_image(path: Path, image: ImageFile, report: JSON) -> None:
    """Write an ``image.json``.

    Args:
        path: The file.
        image: The image.
        report: What the proof saw.

    Raises:
        OutputError: It cannot be written.
    """
    claim = image.claim
    layers: list[JSON] = [
        {
            "digest": f"sha256:{layer.digest}",
            "size": layer.size,
            "diff_id": f"sha256:{layer.diff_id}",
            "media_type": layer.media_type,
            "created_by": layer.created_by,
            "annotations": dict(layer.annotations),
        }
        for layer in image.layers
    ]
    write_json(
        path,
        {
            "version": _VERSION,
            "name": image.name,
            "platform": dict(image.manifest.platform or {}),
            "target": str(claim.target) if claim.target is not None else claim.platform.spelling,
            "digest": image.manifest.digest,
            "size": image.manifest.size,
            "media_type": image.manifest.media_type,
            "manifest": image.manifest.to_json(),
            "config": image.config.to_json(),
            "layers": layers,
            "annotations": dict(image.annotations),
            "base": image.base,
            "claim": _claim_to_json(claim),
            "report": report,
        },
    )


def read_image(path: Path) -> ImageFile:
    """Read an ``image.json``.

    Raises:
        BazelInputError: It is none.
    """
    value = read_object(path, _VERSION)
    try:
        return ImageFile(
            name=str(value["name"]),
            manifest=Descriptor.from_json(value["manifest"]),
            config=Descriptor.from_json(value["config"]),
            layers=tuple(map(_layer, value["layers"])),
            annotations={str(key): str(text) for key, text in value["annotations"].items()},
            base=str(value["base"]),
            claim=_claim_from_json(value["claim"]),
        )
    except (AttributeError, KeyError, TypeError, ValueError, TargetError) as error:
        raise malformed(path, f"it describes no image: {type(error).__name__}: {error}") from None


def write_index(path: Path, index: IndexFile, annotations: Mapping[str, str]) -> None:
    """Write an ``index.json``: what is known of an index.

    Raises:
        OutputError: It cannot be written.
    """
    root = index.root
    write_json(
        path,
        {
            "version": _VERSION,
            "name": index.name,
            "digest": root.digest,
            "size": root.size,
            "media_type": root.media_type,
            "index": root.to_json(),
            "manifests": [manifest.to_json() for manifest in index.manifests],
            "annotations": dict(annotations),
        },
    )


def read_index(path: Path) -> IndexFile:
    """Read an ``index.json``.

    Raises:
        BazelInputError: It is none.
    """
    value = read_object(path, _VERSION)
    try:
        return IndexFile(
            name=str(value["name"]),
            root=Descriptor.from_json(value["index"]),
            manifests=tuple(map(Descriptor.from_json, value["manifests"])),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise malformed(path, f"it describes no index: {type(error).__name__}: {error}") from None


def _layer(value: Any) -> Layer:  # noqa: ANN401
    one = Descriptor.from_json({"mediaType": value["media_type"], "digest": value["digest"], "size": value["size"]})
    diff_id = Descriptor.from_json({"mediaType": "", "digest": value["diff_id"], "size": 0})
    return Layer(
        digest=one.sha256,
        size=one.size,
        diff_id=diff_id.sha256,
        created_by=str(value["created_by"]),
        annotations={str(key): str(text) for key, text in value["annotations"].items()},
        media_type=one.media_type,
    )


def _claim_to_json(claim: Claimed) -> dict[str, Any]:
    target = claim.target
    return {
        "platform": claim.platform.spelling,
        "python": target.python.spelling if target is not None else None,
        "marker_values": [list(pair) for pair in target.marker_values] if target is not None else [],
        "wheels": list(claim.wheels),
        "waived": sorted(claim.waived),
        "allow": [
            {
                "code": item.code,
                "path": item.path,
                "package": item.package,
                "reason": item.reason,
                "expires": item.expires.isoformat() if item.expires else None,
            }
            for item in claim.allow
        ],
        "until": claim.until.isoformat() if claim.until else None,
    }


def _claim_from_json(value: Any) -> Claimed:  # noqa: ANN401
    platform = replace(parse_platform(str(value["platform"])), libc_named=False)
    target = None
    if value["python"] is not None:
        markers = tuple((str(key), str(text)) for key, text in value["marker_values"])
        target = Target(platform, parse_python(str(value["python"])), marker_values=markers)
    return Claimed(
        platform=platform,
        target=target,
        wheels=tuple(map(str, value["wheels"])),
        waived=frozenset(map(str, value["waived"])),
        allow=tuple(map(_allowance, value["allow"])),
        until=_day(value["until"]),
    )


def _allowance(value: Any) -> Allowance:  # noqa: ANN401
    texts = {key: str(value[key]) for key in ("code", "path", "package", "reason")}
    return Allowance(expires=_day(value["expires"]), **texts)


def _day(value: str | None) -> dt.date | None:
    return None if value is None else dt.date.fromisoformat(value)
