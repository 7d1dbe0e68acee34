"""What an engine is asked: which platforms it takes, and to load them."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from crossdock.errors import EngineLoadError
from crossdock.oci.image import platform_name

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from crossdock.oci.image import Image, Root
    from crossdock.oci.reference import Reference

__all__ = ["Engine", "Loaded", "archive_path", "choose_own", "tagged"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """What an engine holds now.

    Attributes:
        engine: Its name, as users call it.
        name: How the engine calls the image; it may complete the name that was asked for.
        platforms: Those that were loaded, as ``linux/arm64/v8``.
    """

    engine: str
    name: str
    platforms: tuple[str, ...]


class Engine(Protocol):
    """A container engine that runs."""

    @property
    def name(self) -> str:
        """How users call it."""

    def choose(self, platforms: Sequence[Mapping[str, str]]) -> list[int]:
        """Tell which of an image's platforms would be loaded.

        Args:
            platforms: Platform objects, as in ``Platform.oci``.

        Raises:
            EngineLoadError: It takes a single one, and which that should be is not clear.
        """

    def load(
        self, root: Root, images: Sequence[Image], reference: Reference, blobs: Mapping[str, bytes | Path]
    ) -> Loaded:
        """Load an image.

        Args:
            root: The index, or the only manifest.
            images: One for each platform.
            reference: Name and tag it gets.
            blobs: All content by digest: index, manifests, configs and layers.

        Raises:
            EngineLoadError: The engine refused it, or none of the images is for it.
            OutputError: There is no room for the file it is given.
            DamagedLayerError: A layer does not have the digest it is said to have.
        """


def choose_own(engine: str, machine: Mapping[str, str], platforms: Sequence[Mapping[str, str]]) -> list[int]:
    """Choose for an engine that holds one platform of an image: the only one, or that of its own machine.

    Args:
        engine: Its name, for messages.
        machine: The platform of its machine; engines know no variant of it.
        platforms: Those of the image.

    Raises:
        EngineLoadError: There are several, and none or more than one is for that machine.
    """
    if len(platforms) == 1:
        return [0]
    fitting = [
        at
        for at, platform in enumerate(platforms)
        if (platform["os"], platform["architecture"]) == (machine["os"], machine["architecture"])
    ]
    plain = [at for at in fitting if not platforms[at].get("variant")]
    if len(fitting) == 1 or len(plain) == 1:
        return fitting if len(fitting) == 1 else plain
    names = [platform_name(platform) for platform in platforms]
    own = platform_name(machine)
    if fitting:
        why = f"several platforms fit its {own}: {', '.join(names[at] for at in fitting)}"
        hint = f"name the one to load, as in --target {names[fitting[0]]}"
    else:
        why = f"it runs on {own}, and the image is for {', '.join(names)}"
        hint = f"add --target {own}, or name one to load in spite of that, as in --target {names[0]}"
    raise EngineLoadError(f"{engine} holds one platform of an image, and which is not clear", why=why, hint=hint)


def tagged(reference: Reference) -> Reference:
    """Give the reference by its tag alone.

    Raises:
        EngineLoadError: It has none.
    """
    if not reference.tag:
        raise EngineLoadError(f"{reference} has no tag to load the image under", hint="name one, as in --tag app:1.0")
    return reference.with_tag(reference.tag)


@contextmanager
def archive_path() -> Iterator[Path]:
    """Give where to write an archive that is gone when the context ends."""
    try:
        folder = tempfile.TemporaryDirectory(prefix="crossdock-load-", ignore_cleanup_errors=True)
    except OSError as error:
        raise EngineLoadError(
            "there is no place for the file that an engine loads",
            why=error.strerror or str(error),
            hint="set TMPDIR to a folder with room",
        ) from None
    with folder as name:
        yield Path(name) / "image.tar"
