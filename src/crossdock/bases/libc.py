"""Finds the C library that an image's programs are loaded with."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from crossdock.bases.tree import shown
from crossdock.errors import BaseMismatchError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from crossdock.bases.rootview import RootView
    from crossdock.bases.tree import Place

__all__ = ["Libc", "find_libc", "require_architecture"]

# Programs that nearly every image has one of; what loads them is what its packages are made for.
_COMMON: Final = ("/bin/sh", "/usr/bin/env", "/bin/busybox", "/bin/bash", "/usr/bin/bash", "/usr/bin/coreutils")
_USUAL_FOLDERS: Final = re.compile(r"/(usr/)?lib(32|64|x32)?/([^/]*-linux-[^/]*/)?[^/]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Libc:
    """A C library.

    Attributes:
        kind: Which one.
        version: Major and minor.
        place: Its file.
    """

    kind: Literal["glibc", "musl"]
    version: tuple[int, int]
    place: Place


def find_libc(root: RootView, architecture: str, *, python: Place | None, name: str) -> Libc | None:
    """Find the C library of an image: the one that its Python needs, else its shell, else the one there is.

    An image may have several: Debian has a package of musl, and glibc can be put beside musl.

    Args:
        root: The image's files.
        architecture: OCI's name of the image's architecture.
        python: Its interpreter, if it has one.
        name: What to call the image in messages.

    Returns:
        The C library; None if the image has none, or of another kind than glibc and musl.

    Raises:
        BaseMismatchError: It has one, but of another architecture.
    """
    programs = list(root.programs())
    libraries = [place for place in programs if _libc(place) is not None]
    fitting = [libc for place in libraries if architecture in _machines(place) and (libc := _libc(place))]
    if not fitting:
        for place in libraries[:1]:
            require_architecture(place, architecture, name)
        return None
    fitting.sort(key=lambda libc: (libc.kind, not _USUAL_FOLDERS.fullmatch(libc.place.path), libc.place.path))
    for user in (python, *map(root.resolve, _COMMON)):
        if user is not None and (chosen := _loaded_by(root, user, fitting)):
            return chosen
    return fitting[0]


def require_architecture(place: Place, architecture: str, name: str) -> None:
    """Check that a program is for the image's architecture.

    Raises:
        BaseMismatchError: It is for another one.
    """
    program = place.node.program
    if program is not None and architecture not in program.machines:
        raise BaseMismatchError(
            f"{name} is said to be for {architecture}, but holds programs for {program.label}",
            why=f"{shown(place.path)} is for {program.label}",
            hint="use a base that was made for the target's architecture",
        )


def _loaded_by(root: RootView, place: Place, libraries: Iterable[Libc]) -> Libc | None:
    program = place.node.program
    loader = root.resolve(program.interpreter) if program and program.interpreter else None
    if loader is None:
        return None
    for libc in libraries:
        if libc.kind == "musl" and libc.place.node is loader.node:  # musl's loader is its C library
            return libc
    if "musl" in loader.path.rpartition("/")[2]:
        return None
    folder = loader.path.rpartition("/")[0]
    beside = root.resolve(f"{folder}/libc.so.6")
    glibcs = [libc for libc in libraries if libc.kind == "glibc"]
    return next((libc for libc in glibcs if beside and libc.place.node is beside.node), glibcs[0] if glibcs else None)


def _libc(place: Place) -> Libc | None:
    program = place.node.program
    if program is None:
        return None
    if program.glibc is not None:
        return Libc(kind="glibc", version=program.glibc, place=place)
    if program.musl and (found := re.match(r"(\d+)\.(\d+)", program.musl)):
        return Libc(kind="musl", version=(int(found[1]), int(found[2])), place=place)
    return None


def _machines(place: Place) -> tuple[str, ...]:
    return place.node.program.machines if place.node.program else ()
