"""``layer.json``: a layer by its digests, what it is made of, and what was seen in it; all that manifests need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crossdock.bazel.handed.jsonfile import malformed, read_object, write_json
from crossdock.layers.cached import MadeLayer
from crossdock.oci.model import Descriptor
from crossdock.steps.wheel_facts import WheelFacts
from crossdock.verify.scan import LayerFacts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.store.actions import JSON

__all__ = ["APPLICATION", "SYSTEM", "LayerFile", "LayerWheel", "read_layer", "write_layer"]

_VERSION: Final = 1

#: Kinds of layers, lowest first: those of a base, which are the same for all applications; and those over them.
SYSTEM: Final = ("base", "interpreter", "environment")
APPLICATION: Final = ("wheels", "project", "files")


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerWheel:
    """A wheel in a layer.

    Attributes:
        name: Its distribution's name.
        version: Its version.
        filename: Its file name.
        sha256: Its content.
        facts: What a manifest says of it.
    """

    name: str
    version: str
    filename: str
    sha256: str
    facts: WheelFacts


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerFile:
    """A layer, known by everything but its bytes.

    Attributes:
        kind: Of `SYSTEM` or `APPLICATION`.
        title: What it is, for an image's history.
        described: The annotations that say what it is made of.
        key: Of its recipe.
        python: The series of Python it is for, such as ``3.11``; empty if that does not matter.
        made: Its digests.
        media_type: How it is compressed.
        wheels: What is installed in it.
        facts: What was seen in it.
    """

    kind: str
    title: str
    described: Mapping[str, str]
    key: str
    python: str = ""
    made: MadeLayer
    media_type: str
    wheels: tuple[LayerWheel, ...] = ()
    facts: LayerFacts

    @property
    def name(self) -> str:
        """What to call it in messages."""
        return ", ".join(wheel.filename for wheel in self.wheels) or self.title.removeprefix("crossdock: ")


def write_layer(path: Path, layer: LayerFile) -> None:
    """Write a ``layer.json``.

    Raises:
        OutputError: It cannot be written.
    """
    wheels: list[JSON] = [
        {
            "name": wheel.name,
            "version": wheel.version,
            "filename": wheel.filename,
            "sha256": wheel.sha256,
            "facts": wheel.facts.to_json(),
        }
        for wheel in layer.wheels
    ]
    write_json(
        path,
        {
            "version": _VERSION,
            "kind": layer.kind,
            "title": layer.title,
            "described": dict(layer.described),
            "key": layer.key,
            "python": layer.python,
            "digest": f"sha256:{layer.made.digest}",
            "size": layer.made.size,
            "diff_id": f"sha256:{layer.made.diff_id}",
            "media_type": layer.media_type,
            "wheels": wheels,
            "facts": layer.facts.to_json(),
        },
    )


def read_layer(path: Path) -> LayerFile:
    """Read a ``layer.json``.

    Raises:
        BazelInputError: It is none.
    """
    value = read_object(path, _VERSION)
    try:
        blob = Descriptor.from_json({**value, "mediaType": value["media_type"]})
        facts = LayerFacts.from_json(value["facts"])
        layer = LayerFile(
            kind=str(value["kind"]),
            title=str(value["title"]),
            described={str(key): str(text) for key, text in value["described"].items()},
            key=str(value["key"]),
            python=str(value["python"]),
            made=MadeLayer(blob.sha256, blob.size, _sha256(value["diff_id"])),
            media_type=blob.media_type,
            wheels=tuple(map(_wheel, value["wheels"])),
            facts=facts,
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise malformed(path, f"it describes no layer: {type(error).__name__}: {error}") from None
    if layer.kind not in (*SYSTEM, *APPLICATION):
        raise malformed(path, f"there is no layer of the kind {layer.kind[:50]!r}")
    if (facts.digest, facts.size, facts.media_type) != (blob.digest, blob.size, blob.media_type):
        raise malformed(path, "what was seen was seen in another layer")
    if facts.diff_id != value["diff_id"]:
        raise malformed(path, "what was seen was seen in a layer of another diff_id")
    return layer


def _wheel(value: Any) -> LayerWheel:  # noqa: ANN401
    return LayerWheel(
        name=str(value["name"]),
        version=str(value["version"]),
        filename=str(value["filename"]),
        sha256=_sha256(f"sha256:{value['sha256']}"),
        facts=WheelFacts.from_json(value["facts"]),
    )


def _sha256(digest: Any) -> str:  # noqa: ANN401
    return Descriptor.from_json({"mediaType": "", "digest": digest, "size": 0}).sha256
