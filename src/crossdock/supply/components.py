"""What an image is made of, as a value: the same for every format that it is written in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from crossdock.supply.licenses import NO_LICENSE, License

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["Component", "Inventory", "Kind"]

Kind = Literal["application", "python", "debian", "interpreter", "base", "system", "vendored"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """One thing in an image.

    Attributes:
        ref: What names it within its inventory: its package URL, or what stands for one.
        kind: ``application`` is first-party code, ``python`` a distribution from a wheel, ``debian`` a package of the
            base, ``interpreter`` a Python, ``base`` a base image, ``system`` the operating system that packages belong
            to, ``vendored`` something that a wheel contains.
        name: As its package manager knows it.
        version: As its package manager writes it; empty if it is not known.
        purl: Package URL; empty if it has none.
        sha256: Of the file it came from, hexadecimal; empty if it is not known.
        filename: Name of that file; may be empty.
        license: What is said of its licence.
        summary: One line; may be empty.
        author: Who made it; may be empty.
        supplier: Who hands it out; may be empty.
        homepage: http or https address; may be empty.
        comment: What a reader should know beside; may be empty.
        depends: ``ref`` of each component that it needs to run, sorted.
        contains: ``ref`` of each component inside it, sorted.
    """

    ref: str
    kind: Kind
    name: str
    version: str = ""
    purl: str = ""
    sha256: str = ""
    filename: str = ""
    license: License = NO_LICENSE
    summary: str = ""
    author: str = ""
    supplier: str = ""
    homepage: str = ""
    comment: str = ""
    depends: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What the image for one platform is made of.

    Attributes:
        name: Name of the image: the project's.
        version: The project's version; may be empty.
        platform: OCI's platform object.
        digest: ``sha256:…`` of the image's manifest; empty for an image that was not built yet.
        components: Sorted by ``ref``, each once.
    """

    name: str
    version: str
    platform: Mapping[str, str]
    digest: str = ""
    components: tuple[Component, ...] = field(default=())

    @property
    def top(self) -> tuple[Component, ...]:
        """The components that no other one contains."""
        inside = {ref for component in self.components for ref in component.contains}
        return tuple(component for component in self.components if component.ref not in inside)
