"""Image references as users write them (OCI distribution-spec, "Pulling manifests": name, tag and digest)."""

from __future__ import annotations

import re
from dataclasses import dataclass

from crossdock.errors import ImageReferenceError

__all__ = ["DEFAULT_REGISTRY", "Reference", "parse_reference"]

#: What a name without a registry means to every engine.
DEFAULT_REGISTRY = "docker.io"

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
_REFERENCE = re.compile(
    rf"(?P<name>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[\w][\w.-]{0,127}))?(?:@(?P<digest>sha256:[0-9a-f]{64}))?",
    re.ASCII,
)
_LONGEST = 4096


@dataclass(frozen=True, slots=True)
class Reference:
    """A repository, and a tag or a digest in it.

    Attributes:
        name: Repository as written, with its registry if one is named.
        tag: Tag; ``latest`` when neither a tag nor a digest is written, empty when a digest alone is.
        digest: ``sha256:`` and 64 hexadecimal digits; empty when none is written.
    """

    name: str
    tag: str
    digest: str = ""

    @property
    def registry(self) -> str:
        """Host and port of the registry; that of `DEFAULT_REGISTRY` if none is named.

        The first part of a name is a host if it looks like one: it has a dot or a port, or is ``localhost``.
        """
        return self._split()[0]

    @property
    def repository(self) -> str:
        """Name within the registry; the default registry's own images are in ``library/``."""
        return self._split()[1]

    @property
    def version(self) -> str:
        """What names the manifest to the registry: the digest if there is one, else the tag."""
        return self.digest or self.tag

    def with_tag(self, tag: str) -> Reference:
        """Return the reference of another tag of the same repository."""
        return Reference(self.name, tag)

    def _split(self) -> tuple[str, str]:
        first, slash, rest = self.name.partition("/")
        if slash and ("." in first or ":" in first or first == "localhost" or first != first.lower()):
            return first, rest
        return DEFAULT_REGISTRY, self.name if slash else f"library/{self.name}"

    def __str__(self) -> str:
        return self.name + (f":{self.tag}" if self.tag else "") + (f"@{self.digest}" if self.digest else "")


def parse_reference(text: str) -> Reference:
    """Read ``[HOST[:PORT]/]NAME[:TAG][@DIGEST]``.

    Raises:
        ImageReferenceError: It is not spelled so.
    """
    match = _REFERENCE.fullmatch(text) if len(text) <= _LONGEST else None
    if match is None:
        raise ImageReferenceError(
            f"{text[:200]!r} is not an image reference",
            why="a reference is [HOST[:PORT]/]NAME[:TAG][@sha256:DIGEST]; names are lower case",
            hint="write for example registry.example/team/app:1.0",
        )
    digest = match["digest"] or ""
    return Reference(match["name"], match["tag"] or ("" if digest else "latest"), digest)
