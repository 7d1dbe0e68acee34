"""How bases are spelled in the settings and on the command line."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from crossdock.errors import ImageReferenceError, UnsupportedBaseError

if TYPE_CHECKING:
    from crossdock.oci.reference import Reference

__all__ = ["BaseSpec", "parse_base"]

_SUITE = re.compile(r"debian:([A-Za-z]+)")
# A digest has a colon of its own; a Windows path has one behind its drive.
_PLACE = re.compile(
    r"(?P<kind>oci|docker-archive):(?P<path>(?:[A-Za-z]:[\\/])?[^:@]+(?:@(?!sha256:)[^:@]+)*?)"
    r"(?:@(?P<digest>sha256:[0-9a-f]{64})|:(?P<tag>[^@]+))?"
)
_LONGEST = 4096
_FORMS = (
    'write "python:3.12-slim" or another image reference, "debian:bookworm" for Debian packages, "oci:PATH", '
    '"docker-archive:PATH" or "scratch"'
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseSpec:
    """A base as it is named.

    Attributes:
        text: As written; what ``crossdock.lock`` knows it by.
        kind: Debian packages, an image in a registry, an OCI layout, a docker archive, or nothing at all.
        suite: Of Debian; empty for all others.
        reference: Of an image in a registry; None for all others.
        path: Of a layout or an archive, as written; empty for all others.
        version: Tag, name or digest of the image in a layout or an archive; empty for its only one.
    """

    text: str
    kind: Literal["debian", "image", "layout", "archive", "scratch"]
    suite: str = ""
    reference: Reference | None = None
    path: str = ""
    version: str = ""

    @property
    def digest(self) -> str:
        """The digest that it is pinned to, ``sha256:…``; empty if it may be another image tomorrow."""
        if self.reference is not None:
            return self.reference.digest
        return self.version if self.version.startswith("sha256:") else ""

    @property
    def wanted(self) -> str:
        """What its source knows the image by: tag or digest."""
        return self.reference.version if self.reference is not None else self.version


def parse_base(text: str) -> BaseSpec:
    """Read ``debian:SUITE``, ``scratch``, ``oci:PATH[:TAG]``, ``docker-archive:PATH[:TAG]`` or an image reference.

    Raises:
        UnsupportedBaseError: It is none of these.
    """
    if text == "scratch":
        return BaseSpec(text=text, kind="scratch")
    if match := _SUITE.fullmatch(text):
        if match[1] == "latest":
            raise UnsupportedBaseError(
                f"The base {text!r} names no suite of Debian",
                why="debian:SUITE is a base put together from Debian packages",
                hint='write "debian:trixie", or "docker.io/library/debian:latest" for the image of that name',
            )
        return BaseSpec(text=text, kind="debian", suite=match[1])
    if text.startswith(("oci:", "docker-archive:")):
        return _place(text)
    from crossdock.oci.reference import parse_reference

    try:
        return BaseSpec(text=text, kind="image", reference=parse_reference(text))
    except ImageReferenceError as error:
        raise UnsupportedBaseError(f"The base {text[:200]!r} is not supported", why=error.why, hint=_FORMS) from None


def _place(text: str) -> BaseSpec:
    match = _PLACE.fullmatch(text) if len(text) <= _LONGEST and text.isprintable() else None
    if match is None:
        raise UnsupportedBaseError(
            f"The base {text[:200]!r} is not supported",
            why="it is not spelled oci:PATH[:TAG], oci:PATH@sha256:DIGEST or docker-archive:PATH[:NAME:TAG]",
            hint=_FORMS,
        )
    kind: Literal["layout", "archive"] = "layout" if match["kind"] == "oci" else "archive"
    return BaseSpec(text=text, kind=kind, path=match["path"], version=match["digest"] or match["tag"] or "")
