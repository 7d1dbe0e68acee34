"""What can be asked of a function's wheels without unpacking them."""

from __future__ import annotations

from email.parser import HeaderParser
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.bundles.functions.sizes import PackageSize
from crossdock.errors import BadWheelError, FileCollisionError
from crossdock.wheels.archive import WheelArchive
from crossdock.wheels.install import install
from crossdock.wheels.scheme import flat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from crossdock.bundles.functions.included import IncludedFile
    from crossdock.store.blobs import Store
    from crossdock.wheels.install import Placed
    from crossdock.wheels.scheme import Scheme

__all__ = ["Importable", "Wheel", "check_apart", "package_sizes", "required_names"]

_LARGEST_MODULE = 16 << 20
_LARGEST_METADATA = 16 << 20


class Wheel(Protocol):
    """A wheel in the store."""

    @property
    def name(self) -> str:
        """Normalised name of the distribution."""

    @property
    def version(self) -> str:
        """Its version."""

    @property
    def filename(self) -> str:
        """The wheel's file name."""

    @property
    def sha256(self) -> str:
        """Its content."""

    @property
    def own(self) -> bool:
        """Whether it is the project's own."""


class Importable:
    """The files of a function that can be imported, by their paths below the folders on ``sys.path``.

    Args:
        store: Holds the wheels.
        wheels: Those whose files count.
        included: Files beside them.
    """

    def __init__(self, store: Store, wheels: Iterable[Wheel], included: Sequence[IncludedFile] = ()) -> None:
        self._store = store
        self._placed: dict[str, tuple[Wheel, Placed]] = {}
        self._contents = {file.path: file.content for file in included}
        for wheel in wheels:
            self._placed |= {item.path: (wheel, item) for item in _installed(store, wheel, flat())}
        self.paths = frozenset({*self._placed, *self._contents})
        self.own = frozenset({*(path for path, (wheel, _) in self._placed.items() if wheel.own), *self._contents})

    def read(self, path: str) -> bytes | None:
        """Give a file's bytes; None if they are too many for a module.

        Raises:
            WheelError: The wheel it is in is damaged.
        """
        if path in self._contents:
            return self._contents[path]
        wheel, item = self._placed[path]
        if item.member is None:
            return item.content
        if max(item.member.size, item.member.compressed) > _LARGEST_MODULE:
            return None
        with WheelArchive(self._store.path(wheel.sha256), wheel.filename) as archive:
            return archive.read(item.member)


def check_apart(store: Store, wheels: Iterable[Wheel], scheme: Scheme, included: Sequence[IncludedFile]) -> None:
    """Refuse files that have the path of a wheel's file or folder, or would be in what is a wheel's file.

    Args:
        store: Holds the wheels.
        wheels: Those of the same zip.
        scheme: Where their files go.
        included: Files beside them.

    Raises:
        FileCollisionError: No zip can hold both, or what is made of it when it is unpacked.
        WheelError: A wheel cannot be read.
    """
    files = {item.path: wheel.name for wheel in wheels for item in _installed(store, wheel, scheme)}
    folders = {folder: name for path, name in files.items() for folder in _above(path)}
    for file in included:
        name = files.get(file.path)
        what = f"{file.path} is in the wheel of {name}, and include in [tool.crossdock.lambda] names it too"
        if name is None:
            path = next((path for path in _above(file.path) if path in files), file.path)
            name = files.get(path) or folders.get(path)
            if name is None:
                continue
            what = f"{path} is a file and a folder: one of them in the wheel of {name}, the other by include"
        raise FileCollisionError(
            what, why="a zip holds a path once", hint="let include name only what is not in a wheel"
        )


def _installed(store: Store, wheel: Wheel, scheme: Scheme) -> tuple[Placed, ...]:
    with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
        return install(archive, scheme)


def _above(path: str) -> list[str]:
    """Give the folders above a path, the nearest first."""
    return [str(folder) for folder in PurePosixPath(path).parents][:-1]


def package_sizes(store: Store, wheels: Iterable[Wheel], included: Sequence[IncludedFile] = ()) -> list[PackageSize]:
    """Say what each wheel takes unpacked, and the files beside them.

    Raises:
        WheelError: One cannot be read.
    """
    sizes = []
    for wheel in wheels:
        with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
            size = sum(member.size for member in archive.members)
        sizes.append(PackageSize(name=f"{wheel.name} {wheel.version}".strip(), size=size))
    if included:
        sizes.append(PackageSize(name="files of the project", size=sum(len(file.content) for file in included)))
    return sizes


def required_names(store: Store, wheel: Wheel) -> frozenset[str]:
    """Give the names of all that a wheel's metadata requires, whatever the marker or extra: rather one too many.

    Raises:
        WheelError: It cannot be read.
    """
    with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
        named = [
            member
            for member in archive.members
            if member.name.count("/") == 1 and member.name.endswith(".dist-info/METADATA")
        ]
        if any(max(member.size, member.compressed) > _LARGEST_METADATA for member in named):
            raise BadWheelError(f"{wheel.filename} has metadata of more than {_LARGEST_METADATA >> 20} MB")
        texts = [archive.read(member).decode("utf-8", errors="replace") for member in named]
    return frozenset(
        name
        for text in texts
        for line in HeaderParser().parsestr(text).get_all("Requires-Dist") or ()
        if (name := _required(str(line)))
    )


def _required(line: str) -> str:
    try:
        return canonicalize_name(Requirement(line).name)
    except InvalidRequirement:
        return ""  # a very old way to write it; its name cannot be told for sure
