"""Paths that two things would write."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Protocol

from crossdock.errors import FileCollisionError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crossdock.wheels.install import Placed
    from crossdock.wheels.member import Member

__all__ = ["TakenPaths", "WheelContents"]


class WheelContents(Protocol):
    """A wheel, as far as its paths are compared with another's."""

    @property
    def filename(self) -> str:
        """What to call it in messages."""

    def unpacked_pieces(self, member: Member) -> Iterator[bytes]:
        """Read and unpack a member piece by piece."""


class TakenPaths:
    """Which paths of a tree are taken, and by which wheel.

    Args:
        reserved: Paths no wheel may write, with what they are.
    """

    def __init__(self, reserved: Mapping[str, str] | None = None) -> None:
        self._reserved = reserved or {}
        self._files: dict[str, tuple[Placed, WheelContents]] = {}
        self._folders: dict[str, WheelContents] = {}

    def take(self, item: Placed, archive: WheelContents) -> list[str] | None:
        """Take the path of a wheel's file.

        Returns:
            The folders above it that are new, parents first; None if the same file is there already.

        Raises:
            FileCollisionError: The path is reserved, or taken with another content, or by a folder.
        """
        path = item.path
        if path in self._reserved:
            raise FileCollisionError(
                f"{archive.filename} would replace {path}",
                why=f"it is {self._reserved[path]}",
                hint="do without the package, or ask its publisher for a release that leaves the environment alone",
            )
        if path in self._files:
            _check_same(item, archive, *self._files[path])
            return None
        if path in self._folders:
            raise _file_and_folder(path, archive, self._folders[path])
        folders = list(self._new_folders(path))
        for folder in folders:
            if folder in self._files or folder in self._reserved:
                raise _file_and_folder(folder, self._files[folder][1] if folder in self._files else None, archive)
            self._folders[folder] = archive
        self._files[path] = (item, archive)
        return folders

    def __contains__(self, path: str) -> bool:
        """Whether there is a file or folder at a path."""
        return path in self._files or path in self._folders or path in self._reserved

    def _new_folders(self, path: str) -> Iterator[str]:
        parent = path.rpartition("/")[0]
        if parent and parent not in self._folders:
            yield from self._new_folders(parent)
            yield parent


def _check_same(item: Placed, archive: WheelContents, other: Placed, other_archive: WheelContents) -> None:
    if _fingerprint(item, archive) != _fingerprint(other, other_archive):
        raise FileCollisionError(
            f"{other_archive.filename} and {archive.filename} both install {item.path}, with different contents",
            why="which one an application sees would depend on the order of installation",
            hint="drop one of the two packages, or depend on versions that agree",
        )


def _fingerprint(item: Placed, archive: WheelContents) -> bytes:
    """Hash a file's content. Its CRC-32 would not do: another content with the same one is easily made."""
    pieces: Iterable[bytes] = archive.unpacked_pieces(item.member) if item.member else (item.content,)
    digest = hashlib.sha256(b"x" if item.executable else b"-")
    for piece in pieces:
        digest.update(piece)
    return digest.digest()


def _file_and_folder(
    path: str, file_archive: WheelContents | None, folder_archive: WheelContents
) -> FileCollisionError:
    where = file_archive.filename if file_archive else "the environment"
    return FileCollisionError(
        f"{path} is a file in {where} and a folder in {folder_archive.filename}",
        why="both cannot be in one tree",
        hint="drop one of the two packages, or depend on versions that agree",
    )
