"""Image references as users write them (OCI distribution-spec, "Pulling manifests": name and tag)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crossdock.errors import ImageReferenceError

__all__ = ["Reference", "parse_reference"]

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)(?::(?P<tag>[\w][\w.-]{{0,127}}))?", re.ASCII
)


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository and a tag.

    Attributes:
        name: Repository, with its registry if one is named.
        tag: Tag; ``latest`` when none is written.
    """

    name: str
    tag: str

    def __str__(self) -> str:
        return f"{self.name}:{self.tag}"


def parse_reference(text: str) -> Reference:
    """Read ``[HOST[:PORT]/]NAME[:TAG]``.

    Raises:
        ImageReferenceError: It is not spelled so.
    """
    match = _REFERENCE.fullmatch(text)
    if match is None:
        raise ImageReferenceError(
            f"{text!r} is not an image reference",
            why="a reference is [HOST[:PORT]/]NAME[:TAG]; names are lower case",
            hint="write for example registry.example/team/app:1.0",
        )
    return Reference(match["name"], match["tag"] or "latest")
