"""Paths that two layers of one image would write differently; told by what was seen in them, without their bytes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from crossdock.layers.collisions import TakenPaths
from crossdock.wheels.install import Placed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crossdock.bazel.handed.layerfile import LayerFile
    from crossdock.verify.contents import FileSeen
    from crossdock.wheels.member import Member

__all__ = ["check_paths"]


@dataclass(frozen=True, slots=True)
class _Named:
    """What brings a file; its bytes are not here."""

    filename: str

    def unpacked_pieces(self, member: Member) -> Iterator[bytes]:
        raise NotImplementedError(member.name)  # nothing is placed by member here


def check_paths(layers: Iterable[LayerFile], reserved: Mapping[str, str]) -> None:
    """Refuse layers that cannot be in one image.

    Args:
        layers: Those over the system, lowest first.
        reserved: Paths no layer may write, with what they are.

    Raises:
        FileCollisionError: There is a path that two write differently, or one that is reserved.
    """
    taken = TakenPaths(reserved)
    for layer in layers:
        owners = _owners(layer)
        for seen in layer.facts.contents.entries:
            if seen.kind != "directory":
                taken.take(_placed(seen), _Named(_owner(seen.path, owners) or layer.name))


def _placed(seen: FileSeen) -> Placed:
    """Give a file with a stand-in for its content, which is the same for the same content alone."""
    return Placed(
        path=seen.path, executable=bool(seen.mode & 0o100), content=f"{seen.kind} {seen.sha256}{seen.link}".encode()
    )


def _owners(layer: LayerFile) -> dict[str, str]:
    """Give the wheel that each place in a layer is of."""
    return {place: wheel.filename for wheel in layer.wheels for place in wheel.facts.places or ()}


def _owner(path: str, owners: Mapping[str, str]) -> str | None:
    while path and path not in owners:
        path = path.rpartition("/")[0]
    return owners.get(path)
