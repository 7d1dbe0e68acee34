"""A tree to a folder, or to an archive."""

from __future__ import annotations

import os
from typing import IO, TYPE_CHECKING, Literal

from crossdock.bundles.folder import FolderWriter
from crossdock.layers import tar
from crossdock.layers.wheels import write_placed
from crossdock.layers.writer import LayerWriter
from crossdock.store.parallel import run_parallel
from crossdock.verify.scan import LayerFacts, scan_layer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from crossdock.bundles.venv.tree import Tree, WheelInTree
    from crossdock.store.parallel import Cancellation
    from crossdock.verify.contents import Contents

__all__ = ["TarForm", "write_folder", "write_tar"]

TarForm = Literal["tar", "tar+gzip", "tar+zstd"]


def write_folder(tree: Tree, root: Path, *, jobs: int) -> list[Contents]:
    """Write a tree below a folder, several wheels at a time.

    Args:
        tree: What is written.
        root: The folder; empty.
        jobs: How many wheels at a time.

    Returns:
        What was seen of its files.

    Raises:
        WheelError: A wheel is damaged.
        OSError: It cannot be written.
    """
    writer = FolderWriter(root)
    for entry in tree.layout.entries:
        if entry.kind == "directory":
            writer.folder(entry.path)
        elif entry.kind == "symlink":
            writer.link(entry.path, entry.linkname)
        else:
            writer.add(entry.path, entry.content, executable=bool(entry.mode & 0o100))

    def write(wheel: WheelInTree, cancellation: Cancellation) -> Contents:
        own = FolderWriter(root)
        with wheel.open() as archive:
            for item in wheel.files:
                cancellation.check()
                if item.member is None:
                    own.add(item.path, item.content, executable=item.executable)
                else:
                    own.unpack(item.path, archive, item.member, executable=item.executable)
        return own.contents()

    # The largest first, so that none of them is what all others have ended before.
    largest_first = sorted(tree.wheels, key=lambda wheel: wheel.size, reverse=True)
    return [writer.contents(), *run_parallel(write, largest_first, jobs=jobs)]


def write_tar(tree: Tree, out: IO[bytes], form: TarForm) -> LayerFacts:
    """Write a tree as an archive, and read all of it again.

    The wheels' own compressed streams are copied into a ``tar+gzip``, as into layers.

    Args:
        tree: What is written; its paths are those in the archive.
        out: Takes it; readable, too, by its file descriptor.
        form: How it is compressed.

    Returns:
        What was seen in what was written.

    Raises:
        WheelError: A wheel is damaged.
        CompressionError: What compresses it is not installed.
        OSError: It cannot be written.
    """
    if form == "tar+zstd":
        from crossdock.layers.zstd import ZstdSink

        sink = ZstdSink(out)
        _write(tree, _PlainWriter(sink))
        sink.finish()
    else:
        _write(tree, LayerWriter(out) if form == "tar+gzip" else _PlainWriter(out))
    out.flush()
    with os.fdopen(os.dup(out.fileno()), "rb") as written:
        written.seek(0)
        return scan_layer(written, media_type=f"application/vnd.oci.image.layer.v1.{form}")


def _write(tree: Tree, writer: LayerWriter) -> None:
    for entry in tree.layout.entries:
        writer.entry(entry)
    for wheel in tree.wheels:
        with wheel.open() as archive:
            folders = iter(wheel.folders)
            folder = next(folders, None)
            for item in wheel.files:
                while folder is not None and item.path.startswith(f"{folder}/"):
                    writer.header(folder, type_="5", mode=0o755)
                    folder = next(folders, None)
                write_placed(writer, archive, item)
    writer.finish()


class _PlainWriter(LayerWriter):
    """Writes a tar archive that is not compressed."""

    def _headers(self, blocks: Iterable[bytes]) -> None:
        for block in blocks:
            self._out.add(block)

    def stored(self, content: bytes | bytearray) -> None:
        self._out.add(content)

    def padding(self, size: int) -> None:
        self._out.add(bytes(tar.padding(size)))

    def copied(self, member: bytes, raw: bytes | bytearray) -> None:  # noqa: ARG002  as it is no member here
        self._out.add(raw)

    def copy_begin(self) -> None:
        pass

    def copy_stream(self, piece: bytes) -> None:
        pass

    def copy_raw(self, piece: bytes) -> None:
        self._out.add(piece)

    def copy_end(self, crc: int, size: int) -> None:
        pass

    def finish(self, *, end: bool = True) -> str:
        if end:
            self._out.add(bytes(tar.END))
        self._out.flush()
        return ""
