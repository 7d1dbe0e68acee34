"""Images as they are run: their layers, and what their config says of programs in them.

Follows "Image Index", "Image Manifest" and "Image Configuration" of the OCI image specification 1.1, and Docker's media
types for the same things. Everything comes from strangers, and is checked before it is believed.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from crossdock.errors import LayoutUnreadableError
from crossdock.oci.checked import CheckedStream
from crossdock.oci.content import MANIFEST_LIMIT
from crossdock.oci.layout_files import Layout, blob_path, read_file
from crossdock.oci.model import INDEX, INDEX_TYPES, MANIFEST_TYPES, Blob, Descriptor
from crossdock.verify.platforms import Platform

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from crossdock.oci.content import ImageSource, Stream

__all__ = ["DEFAULT_PATH", "Image", "OpenedLayout", "images_of"]

#: What container engines set where an image sets none.
DEFAULT_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}")
_LONGEST: Final = 64 << 10
_MOST: Final = 1000
_MAX_DEPTH: Final = 8
_HINT: Final = "prove the image first: `crossdock verify` without --run says what is wrong with it"


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image for one platform.

    Attributes:
        name: What to call it in messages.
        source: Where its layers are.
        platform: Of its config.
        layers: Lowest first.
        variables: Its environment; PATH is always there.
        entrypoint: Its entrypoint, or its command if it has none.
        folder: Its working folder.
        user: As its config spells it: a name or a number, perhaps with a group; empty for root.
    """

    name: str
    source: ImageSource
    platform: Platform
    layers: tuple[Descriptor, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    entrypoint: tuple[str, ...] = ()
    folder: str = "/"
    user: str = ""


class OpenedLayout:
    """A layout that is open already, as a place that holds images: see `ImageSource`.

    Args:
        layout: Its files.
        name: What to call it in messages.
    """

    def __init__(self, layout: Layout, name: str) -> None:
        self._layout = layout
        self.name = name

    def manifest(self, version: str = "") -> Blob:
        """Give ``index.json`` as an index; no other manifest is asked for."""
        data = read_file(self._layout, version or "index.json")
        return Blob(Descriptor(media_type=INDEX, digest="", size=len(data)), data)

    def small_blob(self, descriptor: Descriptor) -> bytes:
        """Give a small blob, checked: see `ImageSource`."""
        if descriptor.size > MANIFEST_LIMIT:
            raise self._bad(descriptor, f"it has {descriptor.size:,} bytes; at most {MANIFEST_LIMIT:,} are read")
        with self.open_blob(descriptor) as stream:
            return b"".join(iter(lambda: stream.read(MANIFEST_LIMIT), b""))

    @contextmanager
    def open_blob(self, descriptor: Descriptor) -> Iterator[Stream]:
        """Open a blob for reading: see `ImageSource`."""
        file = blob_path(descriptor.digest)
        if file is None or self._layout.size(file) is None:
            raise self._bad(descriptor, "it is not there")
        with self._layout.open(file) as stream:
            yield CheckedStream(stream, descriptor, lambda why: self._bad(descriptor, why))

    def _bad(self, descriptor: Descriptor, why: str) -> LayoutUnreadableError:
        return LayoutUnreadableError(f"{descriptor.digest} of {self.name} cannot be read", why=why, hint=_HINT)


def images_of(source: ImageSource, version: str = "") -> tuple[Image, ...]:
    """Give all images of a place, one for each platform; attestations and other artifacts are left out.

    Args:
        source: A layout, an archive or a registry's repository.
        version: A tag or digest; empty for the only one.

    Raises:
        LayoutUnreadableError: An index, manifest or config is not of its form.
        CrossdockError: Something is not there, or not what its digest says.
    """
    images: list[Image] = []
    seen: set[str] = set()

    def visit(blob: Blob, depth: int) -> None:
        document = _object(blob.data, source.name)
        if blob.descriptor.media_type in INDEX_TYPES:
            entries = document.get("manifests")
            if not isinstance(entries, list) or depth > _MAX_DEPTH or len(entries) + len(seen) > _MOST:
                raise _malformed(source.name, "an index in it is too deep, too long, or has no list of manifests")
            for entry in (_descriptor(entry, source.name) for entry in entries):
                if entry.media_type in INDEX_TYPES | MANIFEST_TYPES and entry.digest not in seen:
                    seen.add(entry.digest)
                    visit(Blob(entry, source.small_blob(entry)), depth + 1)
        elif blob.descriptor.media_type in MANIFEST_TYPES and (image := _image(source, document)) is not None:
            images.append(image)

    visit(source.manifest(version), 0)
    return tuple(images)


def _image(source: ImageSource, manifest: Mapping[str, Any]) -> Image | None:
    layers = manifest.get("layers")
    if not isinstance(layers, list) or len(layers) > _MOST:
        raise _malformed(source.name, "a manifest has no list of layers")
    config_descriptor = _descriptor(manifest.get("config"), source.name)
    if not config_descriptor.media_type.endswith(("image.config.v1+json", "container.image.v1+json")):
        return None
    config = _object(source.small_blob(config_descriptor), source.name)
    platform = Platform.from_json(config)
    if platform is None:
        raise _malformed(source.name, "a config names no os or architecture")
    if platform.is_unknown:
        return None
    settings = config.get("config")
    settings = settings if isinstance(settings, dict) else {}
    user, folder = settings.get("User"), settings.get("WorkingDir")
    return Image(
        name=source.name,
        source=source,
        platform=platform,
        layers=tuple(_descriptor(layer, source.name) for layer in layers),
        variables={"PATH": DEFAULT_PATH, **_variables(settings.get("Env"))},
        entrypoint=_texts(settings.get("Entrypoint")) or _texts(settings.get("Cmd")),
        folder=folder if isinstance(folder, str) and folder.startswith("/") and _is_plain(folder) else "/",
        user=user if isinstance(user, str) and _is_plain(user) else "",
    )


def _variables(listed: object) -> dict[str, str]:
    pairs = (entry.partition("=") for entry in _texts(listed))
    return {name: value for name, equals, value in pairs if equals and _VARIABLE.fullmatch(name)}


def _texts(listed: object) -> tuple[str, ...]:
    items = listed[:_MOST] if isinstance(listed, list) else []
    return tuple(item for item in items if isinstance(item, str) and _is_plain(item))


def _is_plain(text: str) -> bool:
    """Tell whether the kernel takes a text as an argument; JSON can spell half of a surrogate pair, and NUL."""
    try:
        return b"\0" not in text.encode() and len(text) <= _LONGEST
    except UnicodeEncodeError:
        return False


def _descriptor(value: object, name: str) -> Descriptor:
    try:
        return Descriptor.from_json(value)
    except ValueError as error:
        raise _malformed(name, str(error)) from None


def _object(data: bytes, name: str) -> dict[str, Any]:
    try:
        value = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _malformed(name, str(error)) from None
    if not isinstance(value, dict):
        raise _malformed(name, "a manifest or config is no JSON object")
    return value


def _malformed(name: str, why: str) -> LayoutUnreadableError:
    return LayoutUnreadableError(f"{name} cannot be read as an image", why=why, hint=_HINT)
