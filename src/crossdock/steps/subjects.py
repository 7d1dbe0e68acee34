"""Finds what a user names to be proved: an image, wherever it is, or files."""

from __future__ import annotations

import os
import re
import tarfile
import tempfile
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, cast

from crossdock.errors import ImageError, LayerUnreadableError, LayoutUnreadableError, OfflineError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from crossdock.oci.layout_files import Layout
    from crossdock.services import Services
    from crossdock.verify.image import ScanCache

__all__ = ["ImageSubject", "is_path", "open_subject"]

#: What files are named, and images in registries are not.
_SUFFIXES: Final = (
    *(".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.zst"),
    *(".pex", ".pyz", ".zip", ".whl", ".deb", ".exe"),
)
#: As skopeo spells them (containers-transports(5)).
_PATHS: Final = ("oci:", "oci-archive:", "docker-archive:")
_ENGINES: Final = {"docker-daemon:": "docker", "containers-storage:": "podman", "podman://": "podman"}
_REGISTRY: Final = "docker://"

#: What an archive of images begins with, and no other archive that is proved.
_OF_IMAGES: Final = re.compile(
    r"(blobs(/.*)?|[0-9a-f]{64}(\.json|\.tar|/.*)?|manifest\.json|repositories|oci-layout|index\.json)"
)
_CHUNK: Final = 1 << 18
_START: Final = 1 << 16
_SHOWN: Final = 200
#: As much as a layer may unpack to for each of its bytes, and what is always allowed.
_RATIO: Final = 200
_ALWAYS: Final = 1 << 30


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageSubject:
    """An image that is open.

    Attributes:
        layout: Its files.
        cache: What is known of layers; None where these are read anyway.
        checked: Digests of layers that need not be read again.
        is_here: Whether its layers can be read as often as one likes.
    """

    layout: Layout
    cache: ScanCache | None = None
    checked: Collection[str] = field(default_factory=frozenset)
    is_here: bool = True


def is_path(text: str) -> bool:
    """Say whether a text names a file or folder: one that is there, or that could be nothing else."""
    return _exists(text) or text.startswith((".", "/", "~")) or text.endswith(_SUFFIXES)


def _exists(text: str) -> bool:
    # os.path takes a text that is too long for a name for what it is: no path.
    return os.path.exists(text)  # noqa: PTH110


@contextmanager
def open_subject(text: str, services: Services, *, whole: bool = False) -> Iterator[ImageSubject | Path]:
    """Open what a user names.

    Args:
        text: A path, a reference, or either with the name of its transport before it, as skopeo spells these.
        services: The store and registries.
        whole: Whether layers are needed again after they were looked at.

    Yields:
        An image; or the path of what is none.

    Raises:
        LayoutUnreadableError: There is nothing, or not what the transport says.
        RegistryError: The registry cannot be read.
        EngineLoadError: The engine does not have the image.
    """
    with ExitStack() as stack:
        if _exists(text):
            yield _at(Path(text), stack)
        elif transport := next((name for name in _PATHS if text.startswith(name)), None):
            yield _named(Path(text.removeprefix(transport)), transport, stack)
        elif transport := next((name for name in _ENGINES if text.startswith(name)), None):
            yield _held(_ENGINES[transport], text.removeprefix(transport), stack)
        elif is_path(text):
            raise LayoutUnreadableError(
                f"there is nothing at {text[:4096]}",
                hint="name an image layout, a wheel, a PEX, a zip or tar archive or a folder that is there",
            )
        else:
            yield _pulled(text, services, whole=whole)


def _at(path: Path, stack: ExitStack) -> ImageSubject | Path:
    if not path.is_dir() and not path.is_file():
        raise LayoutUnreadableError(
            f"{path} is neither a file nor a folder", hint="copy what comes out of a pipe or a device into a file first"
        )
    image = _image_at(path, stack)
    return path if image is None else ImageSubject(layout=image)


def _named(path: Path, transport: str, stack: ExitStack) -> ImageSubject:
    image = _image_at(path, stack) if path.is_dir() or path.is_file() else None
    if image is None:
        what = "an archive that docker or podman saved" if transport == "docker-archive:" else "an image layout"
        raise LayoutUnreadableError(f"{path} is not {what}", why="" if path.exists() else "nothing is there")
    return ImageSubject(layout=image)


def _image_at(path: Path, stack: ExitStack) -> Layout | None:
    """Open an image layout, or an archive that an engine saved; None if it is neither."""
    from crossdock.oci.layout_files import open_layout

    if path.is_dir():
        return open_layout(path) if (path / "oci-layout").exists() else None
    path = _unpacked_if_images(path, stack)
    form = _form_of(path)
    if form == "docker":
        from crossdock.oci.docker_layout import DockerLayout

        return DockerLayout(path)
    return open_layout(path) if form == "oci" else None


def _form_of(path: Path) -> Literal["oci", "docker"] | None:
    from crossdock.oci.tarfiles import TarFiles

    try:
        files = TarFiles(path, links=True)
    except (tarfile.TarError, OSError):
        return None
    if files.size("oci-layout") is not None:
        return "oci"
    if files.size("manifest.json") is None:
        return None
    with files.open("manifest.json") as stream:
        return "docker" if b'"Layers"' in stream.read(_START) else None


def _unpacked_if_images(path: Path, stack: ExitStack) -> Path:
    """Unpack a compressed archive of images into a file that is gone in the end; give any other file back."""
    from crossdock.layers.tarwalk import TarWalker
    from crossdock.verify.forms import compression_of, unpacked

    with path.open("rb") as stream:
        kind = compression_of(stream.read(16))
        if kind is None:
            return path

        def pieces() -> Iterator[bytes]:
            stream.seek(0)
            return unpacked(kind, iter(lambda: stream.read(_CHUNK), b""))

        try:
            first = next((member.path for member in TarWalker(pieces(), max_members=10) if member.path), "")
        except LayerUnreadableError:
            return path
        if not _OF_IMAGES.fullmatch(first):
            return path
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True))
        left = _ALWAYS + _RATIO * path.stat().st_size
        whole = Path(folder) / "image.tar"
        with whole.open("wb") as out:
            for piece in pieces():
                left -= len(piece)
                if left < 0:
                    raise LayerUnreadableError(f"{path} is too large", why="it unpacks to far more bytes than it has")
                out.write(piece)
    return whole


def _held(engine: str, name: str, stack: ExitStack) -> ImageSubject:
    """Take an image out of an engine's storage."""
    from crossdock.engines.saving import save_image

    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="crossdock-", ignore_cleanup_errors=True))
    path = Path(folder) / "image.tar"
    save_image(cast('Literal["docker", "podman"]', engine), name, path, os.environ)
    image = _image_at(path, stack)
    if image is None:
        raise LayoutUnreadableError(f"what {engine} gives for {name} is no image")
    return ImageSubject(layout=image)


def _pulled(text: str, services: Services, *, whole: bool) -> ImageSubject:
    from crossdock.oci.reference import parse_reference
    from crossdock.steps.making import StoreScanCache
    from crossdock.steps.pulled import pull_layout, see_layers, stream_layout

    try:
        reference, cache = parse_reference(text.removeprefix(_REGISTRY)), StoreScanCache(services.store)
        if whole:
            return ImageSubject(layout=pull_layout(reference, services), cache=cache)
        layout = stream_layout(reference, services)
    except (ImageError, OfflineError, RegistryError) as error:
        # Whoever mistyped a path wants to know that it was taken for an image.
        if not text.startswith(_REGISTRY):
            error.hint = f"there is no file or folder {text[:_SHOWN]}; if an image is meant: {error.hint}"
        raise
    return ImageSubject(layout=layout, cache=cache, checked=see_layers(layout, cache, services), is_here=False)
