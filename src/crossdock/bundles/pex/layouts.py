"""The three forms of a PEX: one file, a folder of archives, a folder of files."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from crossdock.bundles.assemble import assemble_zip
from crossdock.bundles.folder import FolderWriter
from crossdock.bundles.pex.dist import DEPENDENCIES
from crossdock.bundles.pex.runtime import BOOTSTRAP
from crossdock.bundles.zippart import PartRecipe
from crossdock.store.actions import action_key
from crossdock.wheels.archive import WheelArchive

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from crossdock.bundles.pex.boot import BootFiles
    from crossdock.bundles.pex.dist import Distribution
    from crossdock.bundles.pex.info import Layout, PexInfo
    from crossdock.bundles.zippart import MadePart, PartWriter
    from crossdock.store.blobs import Store

__all__ = ["PexFiles", "write_folder", "write_zipapp"]

#: Part of every key: raised whenever the same files give other bytes.
_VERSION = 2
_MAIN, _HOOK, _INFO = "__main__.py", "__pex__/__init__.py", "PEX-INFO"
#: In a folder, what may be started by its name.
_LINK = "pex"


@dataclass(frozen=True, slots=True, kw_only=True)
class PexFiles:
    """All that a PEX is made of.

    Attributes:
        boot: What it boots by.
        info: PEX-INFO.
        runtime: pex's code.
        distributions: Its wheels.
    """

    boot: BootFiles
    info: PexInfo
    runtime: MadePart
    distributions: tuple[Distribution, ...]

    def parts(self, store: Store) -> tuple[MadePart, ...]:
        """Give the parts of the one file, in order."""
        first = (_folder_part(store),) if self.distributions else ()
        wheels = sorted(self.distributions, key=lambda item: item.filename)
        return (self.runtime, *first, *(item.part for item in wheels), self._last(store))

    def _last(self, store: Store) -> MadePart:
        """Make the part of what is different for each PEX."""
        boot, info = self.boot, self.info

        def write(out: PartWriter) -> None:
            out.add(_INFO, info.content, compress=True)
            out.add(_MAIN, boot.main, executable=True, compress=True)
            out.folder("__pex__")
            out.add(_HOOK, boot.hook, compress=True)

        texts = [part.decode("utf-8") for part in (info.content, boot.main, boot.hook)]
        return PartRecipe(action_key(f"pex-boot/{_VERSION}", texts=texts), write).make(store)


def _folder_part(store: Store) -> MadePart:
    def write(out: PartWriter) -> None:
        out.folder(DEPENDENCIES)

    return PartRecipe(action_key(f"pex-folder/{_VERSION}", folder=DEPENDENCIES), write).make(store)


def write_zipapp(pex: PexFiles, parts: Sequence[MadePart], store: Store, out: IO[bytes]) -> str:
    """Write a PEX that is one file.

    Returns:
        Its SHA-256, in hex.

    Raises:
        FileCollisionError: Two wheels are one and the same path.
        DamagedLayerError: A part in the store is damaged.
    """
    return assemble_zip(parts, store, out, prefix=pex.boot.prefix)


def write_folder(pex: PexFiles, store: Store, root: Path, layout: Layout) -> None:
    """Write a PEX that is a folder.

    Args:
        pex: What it is made of.
        store: Holds its parts.
        root: An empty folder.
        layout: ``packed`` for an archive of each wheel, ``loose`` for files.

    Raises:
        DamagedLayerError: A part in the store is damaged.
        BadWheelError: So is a file in it.
    """
    writer = FolderWriter(root)
    writer.add(_INFO, pex.info.content)
    writer.add(_MAIN, pex.boot.main, executable=True)
    writer.add(_HOOK, pex.boot.hook)
    writer.link(_LINK, _MAIN)
    if layout == "loose":
        for part in (pex.runtime, *(item.part for item in pex.distributions)):
            _unpack(part, store, writer)
        return
    _pack(pex.runtime, store, root / BOOTSTRAP)
    for item in pex.distributions:
        if item.is_file:
            _unpack(item.part, store, writer)
        else:
            _pack(item.part, store, root / DEPENDENCIES / item.filename)


def _pack(part: MadePart, store: Store, path: Path) -> None:
    path.parent.mkdir(exist_ok=True)
    with path.open("xb") as out:
        assemble_zip([part], store, out)
    path.chmod(0o644)


def _unpack(part: MadePart, store: Store, writer: FolderWriter) -> None:
    with WheelArchive(store.path(part.digest), f"sha256:{part.digest}") as archive:
        for member in archive.members:
            writer.unpack(member.name, archive, member, executable=member.executable)
