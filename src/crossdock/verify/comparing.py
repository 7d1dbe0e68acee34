"""Where two artifacts differ, from what was seen of both: files, layers, packages, configuration, and why at all."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from crossdock.verify.tree import Tree

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from crossdock.verify.contents import Contents, FileSeen

__all__ = ["ArtifactSeen", "Change", "Difference", "LayerSeen", "compare", "explain"]

#: Of JSON values, what lies deeper is not compared.
_DEEPEST = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerSeen:
    """A layer, or the whole of a bundle.

    Attributes:
        digest: Of the blob; empty for a folder.
        diff_id: Of the uncompressed tar; empty where there is none.
        size: Bytes of the blob.
        about: What its manifest says of it, for people.
        contents: What is in it.
    """

    digest: str
    diff_id: str = ""
    size: int = 0
    about: str = ""
    contents: Contents


@dataclass(frozen=True, slots=True, kw_only=True)
class ArtifactSeen:
    """An image for one platform, or a bundle.

    Attributes:
        platform: Of an image; empty for a bundle.
        digest: Of the manifest, or of the file; empty for a folder.
        described: Manifest and config of an image, without digests and sizes of layers.
        layers: Lowest first.
    """

    platform: str
    digest: str
    described: Mapping[str, Any] = field(default_factory=dict)
    layers: tuple[LayerSeen, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One thing that is not the same in both.

    Attributes:
        name: What it is: a path, a distribution, a field.
        old: How it is in the first; None if it is not there.
        new: Likewise, in the second.
    """

    name: str
    old: str | None
    new: str | None

    def to_json(self) -> dict[str, str | None]:
        """Return values that the ``json`` module writes."""
        return {"name": self.name, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How two artifacts for one platform differ.

    Attributes:
        platform: Of both; empty for bundles.
        digests: Of the first and of the second; None for one that is missing.
        layers: Layers by number, from the lowest.
        packages: Distributions and their versions.
        files: Files, links and folders, as they lie in the end.
        fields: Of manifest and config.
        sizes: Bytes of all blobs together, in the first and in the second.
        reasons: Why digests differ, in sentences.
    """

    platform: str
    digests: tuple[str | None, str | None]
    layers: tuple[Change, ...] = ()
    packages: tuple[Change, ...] = ()
    files: tuple[Change, ...] = ()
    fields: tuple[Change, ...] = ()
    sizes: tuple[int, int] = (0, 0)
    reasons: tuple[str, ...] = ()

    @property
    def same(self) -> bool:
        """Whether there is none."""
        old, new = self.digests
        return (
            old is not None
            and old == new
            and not (self.layers or self.packages or self.files or self.fields or self.reasons)
        )

    def to_json(self) -> dict[str, Any]:
        """Return values that the ``json`` module writes."""
        return {
            "platform": self.platform,
            "same": self.same,
            "digests": list(self.digests),
            "sizes": list(self.sizes),
            "reasons": list(self.reasons),
            "layers": [change.to_json() for change in self.layers],
            "packages": [change.to_json() for change in self.packages],
            "fields": [change.to_json() for change in self.fields],
            "files": [change.to_json() for change in self.files],
        }


def compare(
    old: Sequence[ArtifactSeen],
    new: Sequence[ArtifactSeen],
    told: Callable[[LayerSeen, LayerSeen], str] = lambda *_: "the archives differ",
) -> list[Difference]:
    """Compare two artifacts, platform by platform.

    Args:
        old: The images of the first, or the bundle alone.
        new: Those of the second.
        told: Says where the archives of two layers with the same files differ.
    """
    first, second = ({item.platform: item for item in side} for side in (old, new))
    return [_compare(platform, first.get(platform), second.get(platform), told) for platform in {**first, **second}]


def _compare(
    platform: str, old: ArtifactSeen | None, new: ArtifactSeen | None, told: Callable[[LayerSeen, LayerSeen], str]
) -> Difference:
    if old is None or new is None:
        there = "second" if old is None else "first"
        what = f"there is an image for {platform} in the {there} alone"
        return Difference(
            platform=platform, digests=(old.digest if old else None, new.digest if new else None), reasons=(what,)
        )
    if old.digest and old.digest == new.digest:
        size = sum(layer.size for layer in old.layers)
        return Difference(platform=platform, digests=(old.digest, new.digest), sizes=(size, size))
    trees = [Tree([layer.contents for layer in side.layers]) for side in (old, new)]
    fields = _changes(_flat(old.described), _flat(new.described), str)
    files = _changes(trees[0].entries, trees[1].entries, _file)
    layers = tuple(_layers(old.layers, new.layers))

    def archive(place: int) -> str:
        return told(old.layers[place], new.layers[place])

    reasons = explain(old, new, files=len(files), fields=[change.name for change in fields], told=archive)
    return Difference(
        platform=platform,
        digests=(old.digest, new.digest),
        layers=layers,
        packages=_changes(_packages(trees[0]), _packages(trees[1]), str),
        files=files,
        fields=fields,
        sizes=(sum(layer.size for layer in old.layers), sum(layer.size for layer in new.layers)),
        reasons=tuple(reasons),
    )


def explain(
    old: ArtifactSeen, new: ArtifactSeen, *, files: int, fields: Sequence[str], told: Callable[[int], str]
) -> list[str]:
    """Say why the digests of two artifacts differ.

    Args:
        old: The first.
        new: The second.
        files: How many files differ.
        fields: Which fields of manifest and config do.
        told: Says where two archives of the same files differ, by the layer's place.
    """
    reasons = []
    if files:
        reasons.append(f"{files:,} {'file differs' if files == 1 else 'files differ'}")
    if fields:
        more = f" and {len(fields) - 3} more" if len(fields) > 3 else ""
        reasons.append(f"manifest or config say something else in {', '.join(fields[:3])}{more}")
    if not any(layer.diff_id for layer in (*old.layers, *new.layers)):
        if not files and old.digest != new.digest:
            reasons.append("the files are the same: they are packed or compressed in another way, or another order")
        return reasons
    if len(old.layers) != len(new.layers):
        reasons.append(f"there are {len(old.layers)} layers in the first and {len(new.layers)} in the second")
    for number, (one, other) in enumerate(zip(old.layers, new.layers, strict=False), start=1):
        if one.digest == other.digest:
            continue
        if one.diff_id == other.diff_id:
            reasons.append(f"layer {number} is the same archive, compressed in another way")
        elif _as_files(one) == _as_files(other):
            reasons.append(f"layer {number} holds the same files, but {told(number - 1)}")
    if not reasons and [layer.digest for layer in old.layers] != [layer.digest for layer in new.layers]:
        reasons.append("the same files are in other layers, or in layers in another order")
    return reasons


def _as_files(layer: LayerSeen) -> dict[str, FileSeen]:
    return {seen.path: seen for seen in layer.contents.entries}


def _layers(old: Sequence[LayerSeen], new: Sequence[LayerSeen]) -> Iterable[Change]:
    for number in range(max(len(old), len(new))):
        one = old[number] if number < len(old) else None
        other = new[number] if number < len(new) else None
        if one is None or other is None or one.digest != other.digest:
            yield Change(name=str(number + 1), old=_layer(one), new=_layer(other))


def _layer(layer: LayerSeen | None) -> str | None:
    if layer is None:
        return None
    parts = (layer.digest[:19] or "a folder", f"{layer.size:,} bytes" if layer.size else "", layer.about)
    return ", ".join(filter(None, parts))


def _packages(tree: Tree) -> dict[str, str]:
    found: dict[str, str] = {}
    for item in tree.distributions:
        found[item.name] = ", ".join(filter(None, (found.get(item.name), item.version)))
    return found


def _file(seen: FileSeen) -> str:
    mode = f" {seen.mode:04o}" if seen.mode >= 0 else ""
    if seen.kind == "file":
        return f"{seen.size:,} bytes{mode} sha256:{seen.sha256[:12]}"
    return f"{seen.kind}{mode}" + (f" to {seen.link}" if seen.link else "")


def _flat(value: object, prefix: str = "", depth: int = 0) -> dict[str, str]:
    """Give the leaves of a JSON value by their dotted names."""
    if isinstance(value, dict) and depth < _DEEPEST:
        items = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, list) and depth < _DEEPEST:
        items = [(str(number), item) for number, item in enumerate(value)]
    else:
        return {prefix: str(value) if depth < _DEEPEST else "…"}
    return {
        name: text
        for key, item in items
        for name, text in _flat(item, f"{prefix}.{key}" if prefix else key, depth + 1).items()
    }


def _changes(old: Mapping[str, Any], new: Mapping[str, Any], tell: Callable[[Any], str]) -> tuple[Change, ...]:
    return tuple(
        Change(
            name=name,
            old=tell(old[name]) if name in old else None,
            new=tell(new[name]) if name in new else None,
        )
        for name in sorted(old.keys() | new.keys())
        if old.get(name) != new.get(name)
    )
