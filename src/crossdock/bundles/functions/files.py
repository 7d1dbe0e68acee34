"""What can be asked of a function's wheels without unpacking them."""

from __future__ import annotations

from email.parser import HeaderParser
from typing import TYPE_CHECKING, Protocol

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from crossdock.bundles.functions.sizes import PackageSize
from crossdock.errors import BadWheelError
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from crossdock.bundles.functions.included import IncludedFile
    from crossdock.store.blobs import Store
    from crossdock.wheels.member import Member

__all__ = ["Importable", "Wheel", "package_sizes", "required_names"]

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
        self._members: dict[str, tuple[Wheel, Member]] = {}
        self._contents = {file.path: file.content for file in included}
        for wheel in wheels:
            with WheelArchive(store.path(wheel.sha256), wheel.filename) as archive:
                self._members |= {path: (wheel, member) for path, member in _installed(archive)}
        self.paths = frozenset({*self._members, *self._contents})
        self.own = frozenset({*(path for path, (wheel, _) in self._members.items() if wheel.own), *self._contents})

    def read(self, path: str) -> bytes | None:
        """Give a file's bytes; None if they are too many for a module.

        Raises:
            WheelError: The wheel it is in is damaged.
        """
        if path in self._contents:
            return self._contents[path]
        wheel, member = self._members[path]
        if max(member.size, member.compressed) > _LARGEST_MODULE:
            return None
        with WheelArchive(self._store.path(wheel.sha256), wheel.filename) as archive:
            return archive.read(member)


def _installed(archive: WheelArchive) -> Iterator[tuple[str, Member]]:
    """Give the files that go to site-packages, where they are there."""
    for member in archive.members:
        top, _, rest = member.name.partition("/")
        if not top.endswith(".data"):
            yield member.name, member
        elif rest.startswith(("purelib/", "platlib/")):
            yield rest.partition("/")[2], member


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
