"""``base.json``: what a base brings, and where what is known of its layers lies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from crossdock.bazel.handed.jsonfile import malformed, read_object, write_json
from crossdock.errors import LockfileError
from crossdock.lockfile.facts import facts_from_table, facts_to_table

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from crossdock.bazel.handed.layerfile import LayerFile
    from crossdock.lockfile.basefacts import BaseFacts

__all__ = ["BaseFile", "layer_names", "read_base", "write_base"]

_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseFile:
    """A base for one platform.

    Attributes:
        name: As in ``crossdock.lock``, without a path of this machine.
        platform: As it was asked for, such as ``linux/arm64``.
        target: The platform in full with the base's C library, as in ``linux/arm64+glibc2.36``.
        python: Full version of its Python; empty without one.
        facts: What it brings.
        annotations: What a manifest says of it.
        metadata: Names of the files that describe its layers, lowest first, beside this one.
    """

    name: str
    platform: str
    target: str
    python: str
    facts: BaseFacts
    annotations: Mapping[str, str]
    metadata: tuple[str, ...]


def layer_names(number: int) -> tuple[str, str]:
    """Give the names of a layer's blob and of what is known of it, by its place in the stack."""
    return f"layer-{number}.tar.gz", f"layer-{number}.json"


def write_base(path: Path, base: BaseFile, layers: list[LayerFile]) -> None:
    """Write a ``base.json``.

    Raises:
        OutputError: It cannot be written.
    """
    listed: list[Any] = []
    for number, layer in enumerate(layers):
        blob, metadata = layer_names(number)
        digest = f"sha256:{layer.made.digest}"
        listed.append(
            {"kind": layer.kind, "blob": blob, "metadata": metadata, "digest": digest, "size": layer.made.size}
        )
    write_json(
        path,
        {
            "version": _VERSION,
            "name": base.name,
            "platform": base.platform,
            "target": base.target,
            "python": base.python,
            "facts": facts_to_table(base.facts),
            "annotations": dict(base.annotations),
            "layers": listed,
        },
    )


def read_base(path: Path) -> BaseFile:
    """Read a ``base.json``.

    Raises:
        BazelInputError: It is none.
    """
    value = read_object(path, _VERSION)
    try:
        names = tuple(str(layer["metadata"]) for layer in value["layers"])
        if any("/" in name or "\\" in name or name.startswith(".") for name in names):
            raise malformed(path, "a layer is described by a file of another folder")
        return BaseFile(
            name=str(value["name"]),
            platform=str(value["platform"]),
            target=str(value["target"]),
            python=str(value["python"]),
            facts=facts_from_table(value["facts"], str(path)),
            annotations={str(key): str(text) for key, text in value["annotations"].items()},
            metadata=names,
        )
    except (AttributeError, KeyError, TypeError, LockfileError) as error:
        raise malformed(path, f"it describes no base: {type(error).__name__}: {error}") from None
