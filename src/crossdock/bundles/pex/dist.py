"""Wheels to parts of a PEX: each made once, by copying its compressed streams."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from crossdock.bundles.pex.installed import LAYOUT, STASH, installed_wheel, is_bytecode
from crossdock.bundles.zippart import PartRecipe
from crossdock.errors import UnsafeWheelError
from crossdock.store.actions import action_key
from crossdock.verify.contents import Contents
from crossdock.verify.looking import ContentsReader
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from crossdock.bundles.pex.installed import InstalledWheel
    from crossdock.bundles.zippart import MadePart, PartWriter
    from crossdock.store.actions import JSON
    from crossdock.store.blobs import Store

__all__ = ["DEPENDENCIES", "Distribution", "dist_recipe", "parents", "wheel_recipe"]

#: The folder of a PEX that holds its wheels.
DEPENDENCIES = ".deps"

#: Part of every key: raised whenever the same wheel gives other bytes.
_VERSION = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """A wheel in a PEX.

    Attributes:
        filename: The wheel's file name; pex reads from it where the wheel runs.
        fingerprint: What pex knows its content by.
        requires: Requires-Dist, as METADATA has it.
        entry_points: Console and GUI scripts, ``module:attribute`` by name.
        scripts: Names of the scripts it brings as files.
        part: What is put into the PEX.
        contents: What was seen in it.
        is_file: Whether it stays a file, and is installed where the PEX runs.
    """

    filename: str
    fingerprint: str
    requires: tuple[str, ...]
    entry_points: Mapping[str, str]
    scripts: tuple[str, ...]
    part: MadePart
    contents: Contents
    is_file: bool = False

    @classmethod
    def of(cls, filename: str, part: MadePart, folder: str) -> Distribution:
        """Give the distribution that a recipe's part is.

        Args:
            filename: The wheel's file name.
            part: What the recipe made.
            folder: Where the part's paths begin in the PEX, if they do not begin at its root.
        """
        note: Any = part.note
        contents = Contents.from_json(note["contents"]) if "contents" in note else part.contents
        return cls(
            filename=filename,
            fingerprint=note["fingerprint"],
            requires=tuple(note["requires"]),
            entry_points=note["entry_points"],
            scripts=tuple(note["scripts"]),
            part=part,
            contents=contents.below(folder) if folder else contents,
            is_file="contents" in note,
        )


def parents(paths: Iterable[str]) -> Iterator[str]:
    """Give the folders above paths, each once, those above it first."""
    seen: set[str] = set()
    for path in paths:
        parts = path.split("/")[:-1]
        for depth in range(1, len(parts) + 1):
            folder = "/".join(parts[:depth])
            if folder not in seen:
                seen.add(folder)
                yield folder


def dist_recipe(store: Store, filename: str, sha256: str, folder: str) -> PartRecipe:
    """Give the recipe of a part that holds a wheel as pex pre-installs it.

    Args:
        store: Where the wheel is by the time the part is made.
        filename: The wheel's file name.
        sha256: Its content.
        folder: Where its paths begin; empty for the root.

    The recipe's ``write`` raises WheelError if the wheel is damaged, unsafe or not supported.

    Raises:
        UnsafeWheelError: The name is more than that of a file.
    """
    prefix = folder and f"{folder}/"
    _check_name(filename)

    def write(out: PartWriter) -> JSON:
        path = store.path(sha256)
        with WheelArchive(path, filename) as archive:
            installed = installed_wheel(archive, path)
            # The folder that all wheels share is not the part's own.
            written = {DEPENDENCIES}
            names = "".join(item.path for item in installed.files if _counts(item.path))
            digest = hashlib.sha256(names.encode())
            for item in installed.files:
                for parent in parents([prefix + item.path]):
                    if parent not in written:
                        written.add(parent)
                        out.folder(parent)
                tee = digest.update if _counts(item.path) else _ignore
                if item.member is not None:
                    out.copy(prefix + item.path, archive, item.member, executable=item.executable, tee=tee)
                else:
                    out.add(prefix + item.path, item.content, executable=item.executable, compress=True)
                    tee(item.content)
            fingerprint = digest.hexdigest()
            out.add(prefix + LAYOUT, installed.layout(fingerprint), compress=True)
            return _note(installed, fingerprint)

    key = action_key(f"pex-distribution/{_VERSION}", filename=filename, sha256=sha256, folder=folder)
    return PartRecipe(key, write)


def wheel_recipe(store: Store, filename: str, sha256: str) -> PartRecipe:
    """Give the recipe of a part that holds a wheel as a file; arguments and errors as `dist_recipe`."""
    _check_name(filename)

    def write(out: PartWriter) -> JSON:
        path = store.path(sha256)
        with WheelArchive(path, filename) as archive:
            installed = installed_wheel(archive, path)
            place = f"{DEPENDENCIES}/{filename}"
            contents = _seen(archive, installed).below(place)
        out.add_file(place, path)
        # pex knows a wheel that is a file by its SHA-256.
        return {**_note(installed, sha256), "contents": contents.to_json()}

    key = action_key(f"pex-wheel-file/{_VERSION}", filename=filename, sha256=sha256)
    return PartRecipe(key, write)


def _check_name(filename: str) -> None:
    """Refuse a name that would lead out of the folder of wheels, or that a reader may take for another."""
    if not filename.isprintable() or set(filename) & set("/\\:") or not filename.endswith(".whl"):
        raise UnsafeWheelError(f"{filename!r} was refused", why="it is not the name of a wheel file")


def _seen(archive: WheelArchive, installed: InstalledWheel) -> Contents:
    """Look at the files in a wheel that stays a file: what does not fit its target does not fit there either."""
    reader = ContentsReader()
    for item in installed.files:
        if item.member is None:
            reader.see(item.path, item.content)
        else:
            reader.pieces(item.path, item.member.size, archive.unpacked_pieces(item.member))
    return reader.contents()


def _note(installed: InstalledWheel, fingerprint: str) -> dict[str, JSON]:
    scripts = f"{STASH}/bin/"
    names = [item.path.removeprefix(scripts) for item in installed.files if item.path.startswith(scripts)]
    return {
        "fingerprint": fingerprint,
        "requires": list(installed.requires),
        "entry_points": dict(installed.entry_points),
        "scripts": [name for name in names if name not in installed.entry_points],
    }


def _counts(path: str) -> bool:
    """Say whether a file is part of the fingerprint."""
    return "__pycache__" not in path.split("/")[:-1] and not is_bytecode(path)


def _ignore(_: bytes | bytearray) -> None:
    """Take bytes that are no part of the fingerprint."""
